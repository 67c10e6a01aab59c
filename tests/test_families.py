"""What the sizes of a family on the curve say: against brute force and known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cegain.anchors import Measurement, draw_gain
from cegain.curves import LINK_INDEX, LINKS, CurveData, CurveDraws, Floats
from cegain.families import Families, FamilyDraws, draw_family, trained_alike
from cegain.observations import Calibration, observe
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


def some_family(data: CurveData, size: int) -> str:
    """The first family of so many sizes of which two or more are clear of the floor."""
    for index, name in enumerate(data.families):
        scores = data.score[data.family == index]
        if scores.size == size and np.sum(scores > 0.33) >= min(size, 2):
            return name
    raise AssertionError(f"no family of {size}")


def members(data: CurveData, family: str) -> list[str]:
    index = data.families.index(family)
    return [name for name, own in zip(data.models, data.family, strict=True) if own == index]


def drawn(
    data: CurveData, family: str, draws: CurveDraws, slope_sd: float = 0.25, seed: int = 1
) -> FamilyDraws:
    slopes = np.full(len(draws), slope_sd)
    found = draw_family(draws, slopes, data, members(data, family), seed=seed)
    assert found is not None
    return found


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("centre", [22.8, 22.4])
def test_offset_and_slope_agree_with_brute_force(size: int, centre: float) -> None:
    data = synthetic(30, 5, centre=centre)
    family = some_family(data, size)
    found = drawn(data, family, richards())
    seen = observe(data, members=members(data, family))
    z, u, joint = family_grid(
        LINKS[LINK_INDEX["richards"]],
        curves(seen, 0.4, 0.2, 0.25),
        seen,
        range(size),
        own_slope=True,
    )
    density = np.exp(joint - joint.max())
    for values, nodes, axis in ((found.log_slope / 0.25, z, 1), (found.offset / 0.4, u, 0)):
        weight = density.sum(axis=axis) / density.sum()
        mean = float(weight @ nodes)
        sd = float(np.sqrt(weight @ (nodes - mean) ** 2))
        assert np.mean(values) == pytest.approx(mean, abs=0.06 * sd + 0.02)
        # values are spread over their cells, which are up to a standard error wide
        assert 0.97 * sd < np.std(values) < 1.07 * sd
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
    place, error = found.place(top, 0.01)
    assert middle(place) == pytest.approx(reached, abs=0.06)
    assert error == pytest.approx(0.01, rel=0.01)


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
    family = some_family(data, 3)
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
    family = some_family(data, 3)
    one = drawn(data, family, richards(1000))
    two = drawn(data, family, richards(1000, family_sd=0.5))
    assert np.corrcoef(one.log_slope, two.log_slope)[0, 1] > 0.95


def test_one_size_alone_says_nothing_of_its_family() -> None:
    data = synthetic(30, 5)
    slopes = np.full(10, 0.25)
    single = members(data, some_family(data, 1))
    assert draw_family(richards(10), slopes, data, single, seed=1) is None
    assert draw_family(richards(10), slopes, data, ["nobody"], seed=1) is None
    assert draw_family(richards(10), slopes, data, [], seed=1) is None


def test_sizes_that_have_not_begun_to_climb_say_nothing_of_a_slope() -> None:
    # one size off the floor could be anything; two make a line
    data = ladder(0.0, 1.0)
    names, slopes = list(data.models), np.full(10, 0.25)
    one = replace(data, score=np.where(np.arange(6) < 5, 0.26, data.score))
    assert draw_family(richards(10), slopes, one, names, seed=1) is None
    two = replace(data, score=np.where(np.arange(6) < 4, 0.26, data.score))
    assert draw_family(richards(10), slopes, two, names, seed=1) is not None


def test_a_slope_seen_only_below_the_base_model_is_not_taken_for_the_one_above() -> None:
    data = ladder(0.3, 1.4)
    draws = richards(2000, model_sd=0.05)
    kin = drawn(data, "ours", draws, slope_sd=0.4)
    shares = []
    for row in (2, 5):  # the third of six sizes, and the largest
        score, x = float(data.score[row]), float(data.log10_compute[row])
        measured = Measurement(x, 0.01, score, min(score + 0.15, 0.97), 1e5, 1e5)
        told = draw_gain(draws, measured, chance=0.25, seed=1, slope_sd=0.4, family=kin)
        blind = draw_gain(draws, measured, chance=0.25, seed=1, slope_sd=0.4)
        spread = [float(np.std(np.log(one.log10_gain))) for one in (told, blind)]
        shares.append(spread[0] / spread[1])
    assert shares[0] < 0.5
    assert shares[1] > 0.9


def test_a_base_model_of_uncertain_compute_stands_where_the_series_expects_it() -> None:
    # recorded far out with an error of a factor three: part of that is error
    data = replace(ladder(0.0, 1.0), compute_sd=np.full(6, 0.5))
    found = drawn(data, "ours", richards(2000, model_sd=0.05))
    far = float(data.log10_compute.max())
    x, error = found.calibration.expected(np.array(far), np.array(0.5))
    place, own = found.place(far, 0.5)
    assert x < far - 0.1
    assert own == error < 0.5
    expected = x + found.offset + np.expm1(found.log_slope) * (x - found.centre)
    assert np.allclose(place, expected)


@pytest.mark.parametrize(
    ("tokens", "others", "alike"),
    [(1e12, 1.15e12, True), (1e12, 1.16e12, False), (1.16e12, 1e12, False), (None, 1e12, False)],
)
def test_sizes_are_trained_alike_on_about_as_many_tokens(
    tokens: float | None, others: float, alike: bool
) -> None:
    assert trained_alike(tokens, others) is alike


def test_families_are_drawn_once_and_their_rows_stay_together() -> None:
    asked: list[tuple[str, ...]] = []

    def draw(names: tuple[str, ...]) -> FamilyDraws | None:
        asked.append(names)
        values: Floats = np.arange(6.0)
        plain = Calibration(22.0, 1.0)
        return FamilyDraws(22.0, values, -values, 24.0, plain) if names else None

    families = Families(lambda model: () if model == "alone" else ("small", "large"), draw)
    some = families.take(np.array([4, 1]))
    found = some.of("small")
    assert found is not None
    assert list(found.offset) == [4.0, 1.0]
    assert list(found.log_slope) == [-4.0, -1.0]
    assert families.of("small") is families.of("large")
    assert some.of("alone") is None
    assert asked == [("small", "large"), ()]
