"""What the sizes of a family on the curve say: against brute force and known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cegain.anchors import Measurement, draw_gain
from cegain.curves import LINK_INDEX, LINKS, CurveData, CurveDraws, Floats
from cegain.families import Families, FamilyDraws, draw_family
from cegain.observations import observe
from tests.test_posterior import curves, family_grid, middle, reordered, synthetic

DRAWS = 6000


def richards(draws: int = DRAWS, *, family_sd: float = 0.4, model_sd: float = 0.2) -> CurveDraws:
    """Draws that are all the curve ``synthetic`` scatters models around."""
    one = np.ones(draws)
    return CurveDraws(
        link=np.full(draws, LINK_INDEX["richards"], dtype=np.int64),
        floor=0.25 * one,
        ceiling=one,
        slope=1.9 * one,
        midpoint=22.7 * one,
        shape=0.35 * one,
        family_sd=family_sd * one,
        model_sd=model_sd * one,
        score_sd=0.007 * one,
    )


def largest_family(data: CurveData, members: int) -> str:
    sizes = np.bincount(data.family)
    return data.families[int(np.flatnonzero(sizes == members)[0])]


def drawn(
    data: CurveData, family: str, draws: CurveDraws, slope_sd: float = 0.25, seed: int = 1
) -> FamilyDraws:
    found = draw_family(draws, np.full(len(draws), slope_sd), data, family, seed=seed)
    assert found is not None
    return found


@pytest.mark.parametrize("members", [2, 3, 4])
@pytest.mark.parametrize("centre", [22.8, 21.3])
def test_offset_and_slope_agree_with_brute_force(members: int, centre: float) -> None:
    data = synthetic(30, 5, centre=centre)
    family = largest_family(data, members)
    found = drawn(data, family, richards())
    seen = observe(data, family=data.families.index(family))
    z, u, joint = family_grid(
        LINKS[LINK_INDEX["richards"]],
        curves(seen, 0.4, 0.2, 0.25),
        seen,
        range(members),
        own_slope=True,
    )
    density = np.exp(joint - joint.max())
    for values, nodes, axis in ((found.log_slope / 0.25, z, 1), (found.offset / 0.4, u, 0)):
        weight = density.sum(axis=axis) / density.sum()
        mean = float(weight @ nodes)
        sd = float(np.sqrt(weight @ (nodes - mean) ** 2))
        assert np.mean(values) == pytest.approx(mean, abs=0.06 * sd + 0.02)
        assert np.std(values) == pytest.approx(sd, rel=0.05)
    # what a fast family gains in slope, it need not have in offset
    together = float(z @ density @ u) / density.sum()
    apart = float(z @ density.sum(1) * (density.sum(0) @ u)) / density.sum() ** 2
    seen_together = float(np.cov(found.log_slope / 0.25, found.offset / 0.4)[0, 1])
    assert seen_together == pytest.approx(together - apart, abs=0.04)


def ladder(ahead: float, steeper: float) -> CurveData:
    """One family of six sizes that is ahead of the curve, and climbs faster than it."""
    x = np.linspace(22.0, 24.5, 6)
    theta = x.mean() + ahead + steeper * (x - x.mean())
    score = richards(1).score(theta[None, :])[0]
    return CurveData(
        models=tuple(f"size-{i}" for i in range(6)),
        families=("ours",),
        log10_compute=x,
        compute_sd=np.full(6, 0.01),
        score=score,
        n_items=np.full(6, 1e5),
        family=np.zeros(6, dtype=np.int64),
        chance=0.25,
        ceiling=1.0,
    )


@pytest.mark.parametrize(("ahead", "steeper"), [(0.5, 1.0), (-0.5, 1.3), (0.0, 0.75)])
def test_a_family_that_shows_itself_plainly_is_recognised(ahead: float, steeper: float) -> None:
    data = ladder(ahead, steeper)
    found = drawn(data, "ours", richards(2000, model_sd=0.05), slope_sd=0.4)
    assert found.centre == pytest.approx(float(data.log10_compute.mean()), abs=1e-6)
    assert middle(found.offset) == pytest.approx(ahead, abs=0.03)
    assert middle(np.exp(found.log_slope)) == pytest.approx(steeper, abs=0.06)
    top = float(data.log10_compute[-1])
    reached = richards(1).log10_compute(data.score[-1:])[0]
    assert middle(top + found.lead(top)) == pytest.approx(reached, abs=0.06)


@pytest.mark.parametrize("steeper", [1.0, 1.4])
def test_an_enhanced_model_climbs_the_slope_of_its_family(steeper: float) -> None:
    # the second size made as good as the fifth: the truth is the ratio of their computes
    data = ladder(0.3, steeper)
    draws = richards(2000, model_sd=0.05)
    measured = Measurement(
        float(data.log10_compute[1]), 0.01, float(data.score[1]), float(data.score[4]), 1e5, 1e5
    )
    kin = drawn(data, "ours", draws, slope_sd=0.4)
    told = draw_gain(draws, measured, chance=0.25, seed=1, slope_sd=0.4, family=kin).log10_gain
    blind = draw_gain(draws, measured, chance=0.25, seed=1, slope_sd=0.4).log10_gain
    assert middle(told) == pytest.approx(1.5, abs=0.08)
    assert middle(blind) == pytest.approx(1.5 * steeper, abs=0.08)
    assert np.std(told) < 0.4 * np.std(blind)


def test_at_the_floor_the_other_sizes_place_the_base_model() -> None:
    # its own score says nothing; the larger ones say that the family is ahead
    data = ladder(0.6, 1.0)
    draws = richards(2000)
    measured = Measurement(20.5, 0.06, 0.26, 0.5, 1000.0, 1000.0)
    kin = drawn(data, "ours", draws)
    told = draw_gain(draws, measured, chance=0.25, seed=1, family=kin)
    blind = draw_gain(draws, measured, chance=0.25, seed=1)
    assert told.at_floor
    assert middle(told.base_offset) == pytest.approx(0.5, abs=0.2)
    assert middle(blind.base_offset) < 0.2
    assert middle(told.log10_gain) < middle(blind.log10_gain)


def test_equal_arms_give_no_gain_whatever_the_family_is() -> None:
    data = ladder(0.4, 1.2)
    draws = richards(4000)
    kin = drawn(data, "ours", draws)
    for row in (1, 3):
        score = float(data.score[row])
        x = float(data.log10_compute[row])
        measured = Measurement(x, 0.06, score, score, 1000.0, 1000.0)
        gain = draw_gain(draws, measured, chance=0.25, seed=1, family=kin).log10_gain
        assert middle(gain) == pytest.approx(0.0, abs=0.05)


def test_neither_order_nor_unit_changes_a_draw() -> None:
    data = synthetic(30, 5)
    family = largest_family(data, 3)
    found = drawn(data, family, richards(500))
    order = np.random.default_rng(1).permutation(len(data))
    draws = richards(500)
    shifted = replace(draws, midpoint=draws.midpoint + 3.0)
    other = drawn(reordered(data, order, shift=3.0), family, shifted)
    assert np.allclose(other.offset, found.offset, atol=1e-6)
    assert np.allclose(other.log_slope, found.log_slope, atol=1e-6)
    assert other.centre == pytest.approx(found.centre + 3.0, abs=1e-6)


def test_equal_luck_gives_neighbouring_slopes() -> None:
    # gains of one family on several curves keep what they share
    data = synthetic(30, 5)
    family = largest_family(data, 3)
    one = drawn(data, family, richards(1000))
    two = drawn(data, family, richards(1000, family_sd=0.5))
    assert np.corrcoef(one.log_slope, two.log_slope)[0, 1] > 0.95


def test_one_size_alone_says_nothing_of_its_family() -> None:
    data = synthetic(30, 5)
    slopes = np.full(10, 0.25)
    single = largest_family(data, 1)
    assert draw_family(richards(10), slopes, data, single, seed=1) is None
    assert draw_family(richards(10), slopes, data, "nobody", seed=1) is None


def test_families_are_drawn_once_and_their_rows_stay_together() -> None:
    asked: list[str] = []

    def draw(name: str) -> FamilyDraws | None:
        asked.append(name)
        values: Floats = np.arange(6.0)
        return None if name == "nobody" else FamilyDraws(22.0, values, -values)

    families = Families(draw)
    some = families.take(np.array([4, 1]))
    found = some.of("ours")
    assert found is not None
    assert list(found.offset) == [4.0, 1.0]
    assert list(found.log_slope) == [-4.0, -1.0]
    assert families.of("ours") is families.of("ours")
    assert some.of("nobody") is None
    assert asked == ["ours", "nobody"]
