"""The kernel of the gain: exact cases, limits, invariances."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from cegain.anchors import (
    Anchor,
    Measurement,
    draw_gain,
    score_draws,
)
from cegain.curves import CurveDraws, Floats
from cegain.observations import in_floor_zone

EXACT = 1e9  # items: sampling noise is then nothing


def curve(
    draws: int = 1000,
    *,
    slope: float = 1.0,
    floor: float = 0.0,
    family_sd: float = 0.4,
    jitter: float = 0.0,
) -> CurveDraws:
    """Logistic draws around midpoint 23, all alike unless jittered."""
    rng = np.random.default_rng(0)
    full = np.full(draws, 1.0)
    return CurveDraws(
        link=np.zeros(draws, dtype=np.int64),
        floor=floor * full,
        ceiling=full,
        slope=slope * np.exp(jitter * rng.standard_normal(draws)),
        midpoint=23.0 + jitter * rng.standard_normal(draws),
        shape=full,
        family_sd=family_sd * full,
        model_sd=0.2 * full,
        score_sd=0.007 * full,
    )


def base(**changes: float | bool | None) -> Measurement:
    plain = Measurement(
        log10_compute=22.5,
        compute_sd=0.06,
        baseline=0.4,
        enhanced=0.6,
        baseline_items=1000,
        enhanced_items=1000,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def middle(values: Floats) -> float:
    ordered = np.sort(values)
    return float(0.5 * (ordered[(values.size - 1) // 2] + ordered[values.size // 2]))


def ends(values: Floats) -> tuple[float, float]:
    ordered = np.sort(values)
    return float(ordered[int(0.05 * values.size)]), float(ordered[int(0.95 * values.size)])


@pytest.mark.parametrize("anchor", ["score", "posterior"])
def test_exact_inversion(anchor: str) -> None:
    # logit 1 below and 1 above the midpoint at one logit per decade: two decades
    measured = base(
        log10_compute=22.0,
        baseline=1 / (1 + np.e),
        enhanced=np.e / (1 + np.e),
        baseline_items=EXACT,
        enhanced_items=EXACT,
    )
    gain = draw_gain(curve(20000), measured, chance=0.0, seed=1, anchor=anchor, slope_sd=0.0)
    assert middle(gain.log10_gain) == pytest.approx(2.0, abs=1e-3)


def test_model_anchor_measures_from_recorded_compute() -> None:
    measured = base(log10_compute=21.0, baseline=0.3, enhanced=0.5, enhanced_items=EXACT)
    gain = draw_gain(curve(20000), measured, chance=0.0, seed=1, anchor="model", slope_sd=0.0)
    assert middle(gain.log10_gain) == pytest.approx(2.0, abs=0.02)
    # what it does not know about the base model is scatter
    assert np.std(gain.log10_gain) == pytest.approx(np.sqrt(0.4**2 + 0.2**2 + 0.06**2), rel=0.05)


@pytest.mark.parametrize("anchor", list(Anchor))
@pytest.mark.parametrize("mixed", [False, True])
def test_gain_rises_with_the_enhanced_score_draw_by_draw(anchor: Anchor, mixed: bool) -> None:
    draws = curve(floor=0.25, jitter=0.1)
    gains = [
        draw_gain(
            draws,
            base(enhanced=enhanced, mixed_sources=mixed),
            chance=0.25,
            seed=3,
            anchor=anchor,
        ).log10_gain
        for enhanced in (0.3, 0.4, 0.55, 0.7, 0.9, 0.99)
    ]
    for lower, higher in pairwise(gains):
        assert np.all(higher >= lower)
    assert middle(gains[-1]) > middle(gains[0]) + 1.0


@pytest.mark.parametrize("score", [0.3, 0.5, 0.8, 0.97])
def test_equal_arms_give_no_gain(score: float) -> None:
    draws = curve(1000, floor=0.2, jitter=0.1)
    measured = base(
        # on the curve, so that score and compute agree
        log10_compute=23.0 + float(np.log((score - 0.2) / (1.0 - score))),
        baseline=score,
        enhanced=score,
    )
    for anchor, tolerance in (("score", 0.01), ("posterior", 0.05)):
        gain = draw_gain(draws, measured, chance=0.2, seed=1, anchor=anchor).log10_gain
        low, high = ends(gain)
        assert middle(gain) == pytest.approx(0.0, abs=tolerance)
        assert low < 0.0 < high


@pytest.mark.parametrize("offset", [-0.6, 0.6])
def test_an_efficient_family_is_not_taken_for_a_gain(offset: float) -> None:
    # equal arms of a model far off the curve: its own offset must cancel
    score = 1 / (1 + np.exp(-(22.5 + offset - 23.0)))
    measured = base(baseline=score, enhanced=score)
    gain = draw_gain(curve(), measured, chance=0.0, seed=1)
    assert middle(gain.log10_gain) == pytest.approx(0.0, abs=0.05)
    assert middle(gain.base_offset) == pytest.approx(offset, abs=0.05)
    naive = draw_gain(curve(), measured, chance=0.0, seed=1, anchor="model")
    assert abs(middle(naive.log10_gain)) > 0.5


def test_at_the_floor_compute_decides() -> None:
    draws = curve(floor=0.25, slope=1.5)
    lucky = base(log10_compute=20.5, baseline=0.262, enhanced=0.5)
    unlucky = base(log10_compute=20.5, baseline=0.238, enhanced=0.5)
    up, down = (draw_gain(draws, m, chance=0.25, seed=1) for m in (lucky, unlucky))
    assert up.at_floor
    assert down.at_floor
    assert middle(up.log10_gain) == pytest.approx(middle(down.log10_gain), abs=0.15)
    assert np.all(np.isfinite(down.log10_gain))
    # a score under chance alone places the base model nowhere
    by_score = draw_gain(draws, unlucky, chance=0.25, seed=1, anchor="score").log10_gain
    assert np.mean(np.isposinf(by_score)) > 0.3


def test_infinite_draws_are_kept_as_values() -> None:
    measured = base(baseline=0.9, enhanced=0.995, enhanced_items=100)
    ceiling = replace(curve(), ceiling=np.full(1000, 0.985))
    gain = draw_gain(ceiling, measured, chance=0.0, seed=1).log10_gain
    assert 0.2 < np.mean(np.isposinf(gain)) < 1.0
    assert not np.any(np.isnan(gain))
    assert np.isfinite(ends(gain)[0])


def test_both_arms_out_of_reach_may_mean_anything() -> None:
    ceiling = replace(curve(), ceiling=np.full(1000, 0.9))
    measured = base(baseline=0.97, enhanced=0.98)
    gain = draw_gain(ceiling, measured, chance=0.0, seed=1, anchor="score").log10_gain
    assert not np.any(np.isnan(gain))
    assert np.isneginf(ends(gain)[0])
    assert np.isposinf(ends(gain)[1])


@pytest.mark.parametrize("anchor", list(Anchor))
@pytest.mark.parametrize("baseline", [0.0, 0.1, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("enhanced", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("compute", [15.0, 22.5, 32.0])
def test_no_input_gives_an_undefined_draw(
    anchor: Anchor, baseline: float, enhanced: float, compute: float
) -> None:
    measured = base(log10_compute=compute, baseline=baseline, enhanced=enhanced)
    ceiling = replace(curve(50, floor=0.25), ceiling=np.full(50, 0.95))
    gain = draw_gain(ceiling, measured, chance=0.25, seed=1, anchor=anchor)
    assert not np.any(np.isnan(gain.log10_gain))
    assert np.all(np.isfinite(gain.base_offset)) or anchor is Anchor.SCORE


def test_unit_of_compute_changes_nothing() -> None:
    draws = curve(jitter=0.1)
    moved = replace(draws, midpoint=draws.midpoint + 6.0)
    here = draw_gain(draws, base(), chance=0.0, seed=1).log10_gain
    there = draw_gain(moved, base(log10_compute=28.5), chance=0.0, seed=1).log10_gain
    assert np.allclose(here, there, atol=1e-9)


def test_gains_share_the_rows_of_the_curve() -> None:
    # the slope of row k moves every gain on that curve the same way
    draws = curve(jitter=0.2)
    one = draw_gain(draws, base(enhanced=0.7), chance=0.0, seed=1, slope_sd=0.0)
    two = draw_gain(draws, base(enhanced=0.8), chance=0.0, seed=2, slope_sd=0.0)
    assert np.corrcoef(one.log10_gain, two.log10_gain)[0, 1] > 0.6


def test_same_seed_same_draws() -> None:
    seeds = (4, np.random.SeedSequence(4), 5)
    first, again, other = (draw_gain(curve(), base(), chance=0.0, seed=s) for s in seeds)
    assert np.array_equal(first.log10_gain, again.log10_gain)
    assert not np.array_equal(first.log10_gain, other.log10_gain)


def test_what_makes_a_gain_less_certain() -> None:
    def width(**changes: float | bool | None) -> float:
        low, high = ends(draw_gain(curve(2000), base(**changes), chance=0.0, seed=1).log10_gain)
        return high - low

    usual = width()
    assert width(baseline_items=80, enhanced_items=80) > usual
    assert width(baseline_items=None, enhanced_items=None) == width(
        baseline_items=250, enhanced_items=250
    )
    assert width(mixed_sources=True) > 1.2 * usual
    assert width(enhanced=0.8) > usual
    low, high = ends(draw_gain(curve(2000), base(), chance=0.0, seed=1, slope_sd=0.0).log10_gain)
    assert high - low < usual


def test_item_level_results_sharpen_the_difference() -> None:
    few = {"baseline_items": 150, "enhanced_items": 150}

    def spread(**changes: float) -> float:
        measured = base(**few, **changes)
        return float(
            np.std(draw_gain(curve(4000), measured, chance=0.0, seed=1, slope_sd=0.0).log10_gain)
        )

    independent = np.sqrt(0.4 * 0.6 / 150 + 0.6 * 0.4 / 150)
    assert spread(paired_se=float(independent)) == pytest.approx(spread(), rel=0.05)
    assert spread(paired_se=0.02) < 0.6 * spread()


def test_slope_spread_may_differ_by_draw() -> None:
    slope_sd = np.where(np.arange(1000) < 500, 0.0, 0.4)
    measured = base(baseline_items=EXACT, enhanced_items=EXACT)
    gain = draw_gain(curve(), measured, chance=0.0, seed=1, slope_sd=slope_sd).log10_gain
    assert np.std(gain[:500]) < 0.3 * np.std(gain[500:])


@pytest.mark.parametrize(
    ("score", "items", "chance", "expected"),
    [
        (0.25, 1000, 0.25, True),
        (0.32, 1000, 0.25, False),
        (0.32, 60, 0.25, True),
        (0.01, 1319, 0.0, True),
        (0.10, 1319, 0.0, False),
        (0.32, None, 0.25, True),
    ],
)
def test_floor_zone(score: float, items: float | None, chance: float, expected: bool) -> None:
    assert in_floor_zone(score, items, chance) is expected


def test_score_draws_are_beta() -> None:
    z = np.random.default_rng(1).standard_normal(20000)
    drawn = score_draws(0.3, 100, z)
    assert drawn.mean() == pytest.approx(30.5 / 101, abs=1e-3)
    assert drawn.std() == pytest.approx(np.sqrt(0.302 * 0.698 / 102), rel=0.02)
    assert np.all(score_draws(0.0, 50, z) > 0.0)
    assert np.all(score_draws(1.0, 50, z) < 1.0)
