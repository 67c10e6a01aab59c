"""The gain of one comparison: arithmetic, verdicts, and what is never printed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cegain.curves import CurveDraws
from cegain.gains import GainEstimate, Verdict, estimate_gain, statement
from cegain.records import Comparison
from cegain.registry import load_registry
from cegain.results import gain_from_json, gain_record, to_json
from cegain.scaling import ScalingFit, fit_scaling
from tests.conftest import RegistryFolder, comparison, enhancement


def fitted(folder: RegistryFolder) -> ScalingFit:
    return fit_scaling(load_registry(folder.root).benchmarks["demo"])


def sharp(fit: ScalingFit, *, slope: float = 1.0, midpoint: float = 23.0) -> ScalingFit:
    """The fit with one exactly known logistic curve and no scatter at all."""
    size = 1000
    known = {"slope": slope, "midpoint": midpoint, "ceiling": 1.0, "shape": 1.0}
    tiny = {"family_sd": 1e-6, "model_sd": 1e-6, "score_sd": 1e-9, "floor": 0.0}
    arrays = {name: np.full(size, value) for name, value in {**known, **tiny}.items()}
    draws = CurveDraws(link=np.zeros(size, dtype=np.int64), **arrays)
    return replace(fit, draws=draws, slope_sd=np.full(size, 1e-9), families=None)


def made(model: str = "alpha-3", **scores: float) -> Comparison:
    return Comparison.model_validate(
        {
            "series": "demo",
            "model": model,
            "source": "doe2026",
            "locator": "Table 2",
            "checked": "full-text",
            "baseline": {"score": scores["baseline"], "n_items": int(scores.get("n", 10**9))},
            "enhanced": {"score": scores["enhanced"], "n_items": int(scores.get("n", 10**9))},
        }
    )


def test_exact_inversion(folder: RegistryFolder) -> None:
    # slope 1 per decade, middle at 10^23: .2689 is one decade below it, .7311 one above
    gain = estimate_gain(
        made(baseline=0.2689414, enhanced=0.7310586), sharp(fitted(folder)), anchor="score"
    )
    assert gain.log10_ratio == pytest.approx(2.0, abs=0.01)
    assert gain.ratio == pytest.approx(100, rel=0.02)


def test_equal_scores_give_no_gain(folder: RegistryFolder) -> None:
    fit = fitted(folder)
    base = next(p.score for p in fit.series.points if p.model == "alpha-3")
    gain = estimate_gain(made(baseline=base, enhanced=base, n=1000), fit)
    low, high = gain.log10_interval
    assert gain.log10_ratio == pytest.approx(0.0, abs=0.06)
    assert low is not None
    assert high is not None
    assert low < 0 < high


def test_the_gain_rises_with_the_enhanced_score(folder: RegistryFolder) -> None:
    fit = fitted(folder)
    ratios = [
        estimate_gain(made(baseline=0.4, enhanced=score, n=1000), fit).log10_ratio or math.inf
        for score in (0.3, 0.4, 0.5, 0.6, 0.7)
    ]
    assert ratios == sorted(ratios)
    assert ratios[0] < 0 < ratios[-1]


def test_other_sizes_on_the_curve_narrow_the_gain(folder: RegistryFolder) -> None:
    fit = fitted(folder)
    comparison = made(baseline=0.4, enhanced=0.6, n=1000)
    (low, high), (blind_low, blind_high) = (
        estimate_gain(comparison, one).log10_interval for one in (fit, replace(fit, families=None))
    )
    assert None not in (low, high, blind_low, blind_high)
    assert (high or 0) - (low or 0) < 0.9 * ((blind_high or 0) - (blind_low or 0))


def test_some_draws_of_a_fit_give_those_draws_of_the_gain(folder: RegistryFolder) -> None:
    # so a link alone is the same estimate on fewer rows, families included
    fit = fitted(folder)
    assert fit.families is not None
    rows = np.arange(0, 1000, 3)
    whole, part = fit.families.of("alpha-3"), fit.take(rows)
    assert whole is not None
    assert part.families is not None
    some = part.families.of("alpha-3")
    assert some is not None
    assert np.array_equal(some.log_slope, whole.log_slope[rows])
    assert part.draws is not None
    assert len(part.draws) == rows.size


def test_every_printed_gain_carries_interval_and_verdict(folder: RegistryFolder) -> None:
    gain = estimate_gain(made(baseline=0.4, enhanced=0.5, n=1000), fitted(folder))
    assert gain.verdict is Verdict.INTERPOLATED
    assert str(gain).startswith(statement(gain.verdict, gain.log10_ratio, gain.log10_interval, 0.9))
    assert "(90%: " in str(gain)
    assert str(gain).endswith("(interpolated)")
    above_one, above_five, above_twenty = gain.probabilities or (0, 0, 0)
    assert above_one >= above_five >= above_twenty


def test_far_beyond_the_largest_model_only_a_bound_is_printed(folder: RegistryFolder) -> None:
    gain = estimate_gain(made(baseline=0.4, enhanced=0.97, n=1000), fitted(folder))
    assert gain.verdict is Verdict.LOWER_BOUND
    assert (gain.ratio, gain.log10_interval[1]) == (None, None)
    assert str(gain).startswith("at least ")
    assert gain.draws is not None
    low = gain.log10_interval[0]
    assert low is not None
    assert np.mean(gain.draws >= low) == pytest.approx(0.95, abs=0.01)


def test_far_below_the_smallest_model_only_an_upper_bound_is_printed(
    folder: RegistryFolder,
) -> None:
    gain = estimate_gain(made(baseline=0.4, enhanced=0.005, n=1000), fitted(folder))
    assert gain.verdict is Verdict.UPPER_BOUND
    assert (gain.ratio, gain.log10_interval[0]) == (None, None)
    assert str(gain).startswith("at most 0.0")
    high = gain.log10_interval[1]
    assert gain.draws is not None
    assert high is not None
    assert np.mean(gain.draws <= high) == pytest.approx(0.95, abs=0.01)


def test_over_the_ceiling_there_is_no_finite_equivalent(folder: RegistryFolder) -> None:
    folder.edit("scaling_fits/demo/benchmark.yaml", "chance: 0.0", "chance: 0.0\nceiling: 0.93")
    gain = estimate_gain(made(baseline=0.4, enhanced=0.97, n=1000), fitted(folder))
    assert gain.verdict is Verdict.NO_FINITE_EQUIVALENT
    assert (gain.ratio, gain.log10_interval) == (None, (None, None))
    assert str(gain) == "no finite equivalent"


def test_unknown_compute_is_not_estimable(folder: RegistryFolder) -> None:
    folder.edit(
        "scaling_fits/models.csv", "alpha-3,Doe,alpha,base,,,1e12,", "alpha-3,Doe,alpha,base,,,,#"
    )
    text = (folder.root / "scaling_fits/models.csv").read_text(encoding="utf-8")
    lines = [
        "alpha-3,Doe,alpha,base,,,1e12,,,doe2026,Table 1," if line.startswith("alpha-3,") else line
        for line in text.splitlines()
    ]
    folder.write("scaling_fits/models.csv", "\n".join(lines) + "\n")
    gain = estimate_gain(made(baseline=0.4, enhanced=0.5), fitted(folder))
    assert gain.verdict is Verdict.NOT_ESTIMABLE
    assert gain.reasons == ("training compute of alpha-3 is not known",)


def test_without_a_curve_the_measured_bound_stands_alone(folder: RegistryFolder) -> None:
    folder.write_series("demo", {"alpha-1": 0.1, "alpha-3": 0.3, "alpha-4": 0.5})
    gain = estimate_gain(made("alpha-1", baseline=0.1, enhanced=0.7, n=1000), fitted(folder))
    assert (gain.verdict, gain.route, gain.ratio) == (Verdict.MEASURED_BOUND, "measured", None)
    assert str(gain) == "> 250× (measured bound)"
    assert "only 3 models" in gain.reasons[0]


def test_a_baseline_at_the_floor_is_flagged(folder: RegistryFolder) -> None:
    gain = estimate_gain(made("alpha-1", baseline=0.01, enhanced=0.4, n=1000), fitted(folder))
    assert any("baseline at the floor" in flag for flag in gain.flags)


def test_scores_from_two_sources_widen_the_interval(folder: RegistryFolder) -> None:
    fit = fitted(folder)
    one = made(baseline=0.4, enhanced=0.5, n=1000)
    two = one.model_copy(
        update={"enhanced": one.enhanced.model_copy(update={"source": "elsewhere"})}
    )

    def width(gain: GainEstimate) -> float:
        low, high = gain.log10_interval
        assert low is not None
        assert high is not None
        return high - low

    assert width(estimate_gain(two, fit)) > width(estimate_gain(one, fit))
    assert any("different sources" in flag for flag in estimate_gain(two, fit).flags)


def test_gains_on_one_series_share_the_draws_of_its_curve(folder: RegistryFolder) -> None:
    fit = fitted(folder)
    names = ("alpha-3", "alpha-2", "beta-3")
    own, sibling, stranger = (
        estimate_gain(made(name, baseline=0.4, enhanced=0.7), fit).draws for name in names
    )
    assert own is not None
    assert sibling is not None
    assert stranger is not None
    # siblings climb the same slope, so their gains move together more than strangers' do
    within = np.corrcoef(own, sibling)[0, 1]
    across = np.corrcoef(own, stranger)[0, 1]
    assert within > 0.5
    assert within > across


def test_bad_arguments_are_refused(folder: RegistryFolder) -> None:
    fit = fitted(folder)
    with pytest.raises(ValueError, match="level must lie between"):
        estimate_gain(made(baseline=0.4, enhanced=0.5), fit, level=1.5)
    elsewhere = made(baseline=0.4, enhanced=0.5).model_copy(update={"series": "other"})
    with pytest.raises(ValueError, match="comparison is on other"):
        estimate_gain(elsewhere, fit)


def test_a_gain_survives_storage(folder: RegistryFolder) -> None:
    folder.write(
        "enhancements/prompting/worked-examples.yaml",
        enhancement(
            comparison(
                inference_cost_multiplier="{value: 4, basis: samples}", one_time_cost_flop="3e20"
            )
        ),
    )
    registry = load_registry(folder.root)
    ref = registry.comparisons()[0]
    fit = fit_scaling(registry.benchmarks["demo"])
    record = gain_record(
        ref, registry.enhancements[ref.enhancement], estimate_gain(ref.comparison, fit)
    )
    assert gain_from_json(to_json(record)) == record
    assert record.inference_cost_multiplier == 4
    assert record.one_time_cost_share == pytest.approx(3e20 / folder.models["alpha-3"][1], rel=1e-5)
