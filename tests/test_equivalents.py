"""What a gain means: draws, bounds, refusals, and effective compute against thresholds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cegain.equivalents import model_count
from cegain.equivalents.converters import (
    Converters,
    ModificationRule,
    Quantity,
    Threshold,
    ThresholdStatus,
)
from cegain.equivalents.distributions import Fixed, LogNormal, Normal, Triangular, Uniform, inverse
from cegain.equivalents.draws import (
    Estimate,
    Gain,
    Refusal,
    Side,
    doubling_months,
    estimated_gain,
    log_growth,
    recorded_gain,
    stated_gain,
    strata,
)
from cegain.equivalents.effective_compute import (
    crossing,
    crossings,
    effective_compute,
    implied_scale,
    legal_compute,
    modification,
    registry_crossings,
)
from cegain.equivalents.horizon import slowdown
from cegain.equivalents.inequality import race
from cegain.equivalents.months import months, months_panel
from cegain.equivalents.page import meaning, said
from cegain.equivalents.translation import translate
from cegain.errors import RecordError
from cegain.gains import GainEstimate, Verdict
from cegain.records import Checked, ComputeConfidence, Model
from cegain.resampling import quantiles
from cegain.results import GainRecord
from tests.conftest import gain_record
from tests.test_equivalents_whole import estimates


def record(verdict: Verdict, **more: object) -> GainRecord:
    """A stored gain at 10²⁴ FLOP; the fields given replace the usual ones."""
    usual = {"training_compute_flop": 1e24, "reasons": ("over the ceiling",)}
    return gain_record(verdict=verdict, **{**usual, **more})


# --- distributions and draws ---------------------------------------------------------------

SHAPES = [
    Fixed(shape="fixed", value=3.0),
    Normal(shape="normal", median=3, low=1, high=8, level=0.9),
    LogNormal(shape="lognormal", median=8, low=5, high=14, level=0.95),
    Uniform(shape="uniform", low=0.5, high=1.0),
    Triangular(shape="triangular", low=0.45, mode=0.6, high=0.9),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.shape)
def test_quantile_functions_rise(shape: Fixed) -> None:
    p = np.linspace(0.001, 0.999, 501)
    assert np.all(np.diff(inverse(shape, p)) >= 0)


def test_intervals_written_are_those_drawn() -> None:
    skewed = LogNormal(shape="lognormal", median=8, low=5, high=14, level=0.95)
    assert inverse(skewed, np.array([0.025, 0.5, 0.975])) == pytest.approx([5, 8, 14])
    plain = Normal(shape="normal", median=3, low=1, high=8, level=0.9)
    assert inverse(plain, np.array([0.05, 0.5, 0.95])) == pytest.approx([1, 3, 8])


def test_triangular_has_its_mean() -> None:
    shape = Triangular(shape="triangular", low=0.45, mode=0.6, high=0.9)
    assert float(inverse(shape, strata("mean", 4000)).mean()) == pytest.approx(0.65, abs=1e-3)


def test_strata_fill_every_slice_and_differ_by_name() -> None:
    first, again, other = strata("a", 1000), strata("a", 1000), strata("b", 1000)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.allclose(np.sort(first), (np.arange(1000) + 0.5) / 1000)
    assert abs(float(np.corrcoef(first, other)[0, 1])) < 0.1


def test_growth_is_the_same_in_every_unit(converters: Converters) -> None:
    rate = converters.rates["epoch-frontier"]
    yearly = log_growth("x", rate, 101)
    assert float(quantiles(yearly, 0.5)) == pytest.approx(math.log(4.5), rel=1e-3)
    doubling = doubling_months("x", rate, 101)
    assert float(quantiles(doubling, 0.5)) == pytest.approx(
        12 * math.log(2) / math.log(4.5), rel=1e-3
    )


def test_uncertainty_of_gain_and_rate_are_carried_together(converters: Converters) -> None:
    key = "ho2024-preprint"
    rate = converters.rates[key]
    both = months(stated_gain(10, (5, 20)), key, rate)
    rate_alone = months(stated_gain(10), key, rate)

    def width(estimate: Estimate) -> float:
        assert estimate.low is not None and estimate.high is not None
        return math.log(estimate.high / estimate.low)

    gain_alone = math.log(math.log(20) / math.log(5))
    assert width(both) > width(rate_alone)
    assert width(both) == pytest.approx(math.hypot(width(rate_alone), gain_alone), rel=0.1)


@pytest.mark.parametrize(
    ("ratio", "ends"), [(0, None), (-1, None), (math.nan, None), (10, (20, 30)), (10, (5, 9))]
)
def test_gains_that_make_no_sense_are_refused(
    ratio: float, ends: tuple[float, float] | None
) -> None:
    with pytest.raises(ValueError, match=r"gain|interval"):
        stated_gain(ratio, ends)


# --- stored gains --------------------------------------------------------------------------


def test_stored_gain_keeps_median_and_interval() -> None:
    gain = recorded_gain(record(Verdict.INTERPOLATED))
    assert isinstance(gain, Gain) and gain.side is Side.TWO_SIDED
    ends = 10 ** quantiles(gain.draws, [0.05, 0.5, 0.95])
    assert ends == pytest.approx([5, 10, 20], rel=2e-3)


@pytest.mark.parametrize(
    ("verdict", "ends", "side"),
    [
        (Verdict.LOWER_BOUND, (5.0, None), Side.AT_LEAST),
        (Verdict.UPPER_BOUND, (None, 5.0), Side.AT_MOST),
        (Verdict.MEASURED_BOUND, (5.0, None), Side.AT_LEAST),
    ],
)
def test_bounds_stay_bounds(
    verdict: Verdict, ends: tuple[float | None, float | None], side: Side
) -> None:
    gain = recorded_gain(record(verdict, ratio=None, interval=ends))
    assert isinstance(gain, Gain) and gain.side is side
    assert set(gain.draws) == {math.log10(5.0)}
    assert "over the ceiling" in gain.notes[0]


def test_two_measured_bounds_give_intervals_without_a_middle(converters: Converters) -> None:
    gain = recorded_gain(record(Verdict.MEASURED_BOUND, ratio=None, interval=(5.0, 20.0)))
    assert isinstance(gain, Gain) and gain.side is Side.BETWEEN
    gain = replace(gain, inference_ratio=10.0, one_time_flop=1e22)
    found = translate(gain, converters, base_flop=2e24)
    for estimate in estimates(found):
        assert estimate.central is None, estimate.what
        assert estimate.low is not None and estimate.high is not None, estimate.what
        assert estimate.low <= estimate.high, estimate.what
    assert isinstance(found.effective, Estimate)
    assert (found.effective.low, found.effective.high) == pytest.approx((1e25, 4e25))
    assert said(found.effective).startswith("between")
    # months: the lower bound at the fast end of the rate, the upper at the slow end
    rate = found.months.headline
    assert rate.low is not None and rate.low < 18.6 and rate.high is not None and rate.high > 34.6
    by_key = {line.threshold: line.probability_bound for line in found.crossings}
    sure, unlikely = by_key["eu-general-purpose"], by_key["california-sb53"]
    assert sure is not None and unlikely is not None
    assert (sure[0], unlikely[0]) == ("at least", "at most")
    assert (sure[1], unlikely[1]) == pytest.approx((0.95, 0.05))
    with pytest.raises(ValueError, match="two forecasts"):
        model_count.forecast(converters, 1e25, 2026, gain=gain)


def test_cautions_of_the_record_travel_with_the_gain(converters: Converters) -> None:
    gain = recorded_gain(
        record(Verdict.INTERPOLATED, flags=("only 50 items",), checked="unverified")
    )
    assert isinstance(gain, Gain)
    assert gain.notes == ("only 50 items", "the scores behind this gain were not checked")
    assert set(gain.notes) <= set(meaning(translate(gain, converters), converters).cautions)


def test_a_missing_converter_is_named(converters: Converters) -> None:
    bare = replace(converters, rates={}, parameters={})
    for attempt in (
        lambda: months_panel(stated_gain(10), bare),
        lambda: race(bare),
        lambda: model_count.forecast(bare, 1e25, 2026),
        lambda: slowdown(bare, 1, 2, slow_after=0, slow_factor=1),
    ):
        with pytest.raises(RecordError, match="converters"):
            attempt()


def test_revoked_rules_see_nothing() -> None:
    revoked = RULE.model_copy(update={"status": ThresholdStatus.REVOKED})
    assert not crossing(stated_gain(10, (5, 20)), 2e24, "rule", revoked).unseen


@pytest.mark.parametrize("verdict", [Verdict.NOT_ESTIMABLE, Verdict.NO_FINITE_EQUIVALENT])
def test_no_gain_no_translation(verdict: Verdict) -> None:
    found = recorded_gain(record(verdict, ratio=None, interval=(None, None)))
    assert isinstance(found, Refusal) and "over the ceiling" in found.reason


def test_fresh_estimates_bring_their_own_draws() -> None:
    draws = np.array([0.5, 1.0, math.inf])
    estimate = GainEstimate(
        Verdict.EXTRAPOLATED, "curve", 1.0, (0.5, None), 0.9, (), (), None, None, None, 24.0, draws
    )
    gain = estimated_gain(estimate, "loop")
    assert isinstance(gain, Gain) and gain.draws is draws and gain.measured_at_flop == 1e24
    bound = replace(estimate, verdict=Verdict.LOWER_BOUND, log10_ratio=None)
    held = estimated_gain(bound, "loop")
    assert isinstance(held, Gain) and held.side is Side.AT_LEAST


def test_infinite_draws_leave_the_end_open(converters: Converters) -> None:
    draws = np.concatenate([np.linspace(0.5, 1.5, 900), np.full(100, np.inf)])
    gain = Gain("open", draws, Side.TWO_SIDED)
    found = translate(gain, converters, base_flop=1e24)
    for estimate in (found.effective, found.months.headline, found.horizon.multipliers[0]):
        assert isinstance(estimate, Estimate)
        assert estimate.central is not None and estimate.high is None
        assert "or more" in said(estimate)


@pytest.mark.parametrize("extreme", [math.inf, -math.inf])
def test_endless_draws_never_become_undefined(converters: Converters, extreme: float) -> None:
    """A loss that runs off the curve's floor is a draw of minus infinity, and a value."""
    draws = np.concatenate([np.linspace(-0.5, 0.5, 950), np.full(50, extreme)])
    gain = Gain("open", draws, Side.TWO_SIDED, inference_ratio=4.0, one_time_flop=1e22)
    found = translate(
        gain, converters, base_flop=1e24, active_parameters=1e11, training_tokens=1e13
    )
    assert all(estimate.central is not None for estimate in estimates(found))
    linear = ("size-linear", converters.rates["size-linear"])
    assert implied_scale(gain, *linear)[1].central == pytest.approx(1.0)


# --- effective compute ---------------------------------------------------------------------

RULE = Threshold(
    name="A rule",
    jurisdiction="Somewhere",
    training_compute_flop=1e25,
    status=ThresholdStatus.IN_FORCE,
    counts_modifications=True,
    source="x",
    locator="Article 1",
    checked=Checked.SECONDARY,
)


def test_the_law_does_not_see_an_enhancement() -> None:
    gain = stated_gain(10, (5, 20), one_time_flop=2e22)
    found = crossing(gain, 2e24, "rule", RULE)
    assert found.legal_flop == pytest.approx(2.02e24) and not found.legally_above
    assert found.probability == pytest.approx(0.95, abs=0.01) and found.unseen
    assert found.needed_ratio == pytest.approx(5.0)


def test_rules_that_do_not_count_later_training() -> None:
    assert legal_compute(1e24, 1e24, False) == 1e24
    assert legal_compute(1e24, 1e24, None) == 2e24
    assert legal_compute(1e24, None, True) == 1e24


def test_effective_compute_is_compute_times_gain() -> None:
    found = effective_compute(stated_gain(10, (5, 20)), 1e24)
    assert (found.central, found.low, found.high) == pytest.approx((1e25, 5e24, 2e25), rel=2e-3)
    wider = effective_compute(stated_gain(10, (5, 20)), 1e24, log10_sd=0.5)
    assert wider.high is not None and found.high is not None and wider.high > found.high
    with pytest.raises(ValueError, match="positive"):
        effective_compute(stated_gain(10), 0.0)


@pytest.mark.parametrize(
    ("side", "flop", "bound"),
    [
        (Side.AT_LEAST, 2e24, ("at least", 0.95)),
        (Side.AT_LEAST, 1e23, None),
        (Side.AT_MOST, 1e23, ("at most", 0.05)),
        (Side.AT_MOST, 2e24, None),
    ],
)
def test_bounds_bound_the_probability(
    side: Side, flop: float, bound: tuple[str, float] | None
) -> None:
    found = crossing(stated_gain(10, side=side), flop, "rule", RULE)
    assert found.probability is None
    if bound is None:
        assert found.probability_bound is None
    else:
        assert found.probability_bound is not None
        assert found.probability_bound[0] == bound[0]
        assert found.probability_bound[1] == pytest.approx(bound[1])


def test_a_bound_that_decides_nothing_is_not_unseen() -> None:
    assert not crossing(stated_gain(10, side=Side.AT_LEAST), 1e23, "rule", RULE).unseen
    assert crossing(stated_gain(10, side=Side.AT_LEAST), 2e24, "rule", RULE).unseen


def test_one_third_rule() -> None:
    rule = ModificationRule(
        name="A third",
        jurisdiction="EU",
        share=1 / 3,
        status=ThresholdStatus.IN_FORCE,
        source="x",
        locator="1",
        checked=Checked.SECONDARY,
    )
    assert modification(3e24, 0.9e24, "third", rule).triggers is False
    assert modification(3e24, 1.1e24, "third", rule).triggers is True
    assert modification(3e24, None, "third", rule).triggers is None
    assert modification(None, 1e24, "third", rule).triggers is None


def test_models_of_a_registry_that_cross() -> None:
    models = {
        name: Model(
            model=name,
            family="f",
            source="s",
            locator="l",
            training_compute_flop=flop,
            compute_confidence=ComputeConfidence.REPORTED,
        )
        for name, flop in (("small", 1e23), ("middle", 2e24), ("large", 5e25))
    }
    models["unknown"] = Model(model="unknown", family="f", source="s", locator="l")
    found = registry_crossings(stated_gain(10, (8, 12)), models, "rule", RULE)
    assert (found.models, found.plain) == (3, 1)
    assert (found.enhanced.low, found.enhanced.central, found.enhanced.high) == (2, 2, 2)
    assert found.plain_likely == (1, 1, 1)


def test_use_far_from_where_it_was_measured_warns(converters: Converters) -> None:
    gain = replace(stated_gain(10), measured_at_flop=1e22)
    near, far = effective_compute(gain, 5e22), effective_compute(gain, 1e25)
    assert near.warnings == () and "change with scale" in far.warnings[0]
    assert converters.thresholds  # the table behind real crossings is not empty
    assert len(crossings(gain, 1e25, converters.thresholds)) == len(converters.thresholds)


def test_a_plain_model_as_good_needs_both_more_size_and_data(converters: Converters) -> None:
    gain = stated_gain(9)
    size, data = implied_scale(gain, *converters.default(Quantity.SIZE_EXPONENT))
    assert size.central == pytest.approx(3) and data.central == pytest.approx(3)
    linear = ("size-linear", converters.rates["size-linear"])
    size, data = implied_scale(gain, *linear)
    assert size.central == pytest.approx(9) and data.central == pytest.approx(1)
