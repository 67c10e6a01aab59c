"""What a gain means: draws, bounds, refusals and the properties of each conversion."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cegain.equivalents import augmented_law, model_count, net_inference
from cegain.equivalents.converters import (
    ComputeRow,
    Converters,
    ModificationRule,
    Quantity,
    RunRow,
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
    rate_draws,
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
from cegain.equivalents.horizon import horizon_panel, slowdown
from cegain.equivalents.inequality import race, who_gains
from cegain.equivalents.loading import load_converters
from cegain.equivalents.months import NEVER_ADD, months, months_panel
from cegain.equivalents.page import context_figures, meaning, said
from cegain.equivalents.success_horizons import horizon_trend, horizons, task_table
from cegain.equivalents.translation import translate
from cegain.equivalents.trends import ERAS, compute_trend
from cegain.errors import RecordError
from cegain.gains import GainEstimate, Verdict
from cegain.records import Checked, ComputeConfidence, Model
from cegain.resampling import quantiles
from cegain.results import GainRecord
from tests.conftest import gain_record

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def converters() -> Converters:
    return load_converters(ROOT)


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


# --- months --------------------------------------------------------------------------------


def test_months_are_never_to_be_added(converters: Converters) -> None:
    panel = months_panel(stated_gain(10, (5, 20)), converters, date(2026, 11, 1))
    assert panel.warning == NEVER_ADD
    assert panel.headline.rate == "ho2024-preprint"
    combined, shortest = (
        panel.combined.central,
        min((e.central or math.inf) for e in (panel.algorithms[0], panel.compute[0])),
    )
    assert combined is not None and combined < shortest
    for estimate in (*panel.algorithms, *panel.compute, panel.combined):
        assert estimate.rate and estimate.source and estimate.rate_name


@given(st.floats(0.02, 1e4), st.floats(1.01, 10))
@settings(max_examples=40, deadline=None)
def test_months_rise_with_the_gain(ratio: float, more: float) -> None:
    rate = load_converters(ROOT).rates["ho2024-preprint"]
    less, greater = (months(stated_gain(g), "k", rate).central for g in (ratio, ratio * more))
    assert less is not None and greater is not None and less < greater


def test_losses_are_negative_months(converters: Converters) -> None:
    found = months(stated_gain(0.5), "ho2024-preprint", converters.rates["ho2024-preprint"])
    assert found.central == pytest.approx(-8.0, rel=1e-3)


def test_no_rate_without_uncertainty_goes_unsaid(converters: Converters) -> None:
    panel = months_panel(stated_gain(10), converters)
    three = next(e for e in panel.algorithms if e.rate == "three-per-year")
    assert "quoted without uncertainty" in three.warnings


# --- net of inference ----------------------------------------------------------------------


def test_no_ratio_no_net_gain(converters: Converters) -> None:
    found = net_inference.net_gain(stated_gain(10, (5, 20)), converters)
    assert isinstance(found, Refusal) and "inference cost" in found.reason
    rate = converters.rates["size-squared"]
    gain = stated_gain(10)
    for refused in (
        net_inference.break_even_tokens(gain, 1e24, 1e11, "k", rate),
        net_inference.lifetime_ratio(gain, 1.0, 0.0, "k", rate),
        net_inference.break_even_share(gain, 0.0, "k", rate),
        net_inference.after_training_cost(gain, 1e24),
    ):
        assert isinstance(refused, Refusal)


@given(st.floats(0.01, 1e6), st.floats(1, 1e4), st.floats(0.1, 2), st.floats(1.01, 5))
@settings(max_examples=60, deadline=None)
def test_net_gain_falls_with_cost_and_exchange(
    converters: Converters, gross: float, ratio: float, exchange: float, more: float
) -> None:
    usual = converters.rates["exchange-most-tasks"]

    def net(ratio: float, exchange: float) -> float:
        fixed = usual.model_copy(update={"distribution": Fixed(shape="fixed", value=exchange)})
        found = net_inference.exchanged(stated_gain(gross), ratio, "fixed", fixed)
        assert found.central is not None
        return found.central

    assert net(ratio * more, exchange) < net(ratio, exchange)
    assert net(ratio, exchange * more) <= net(ratio, exchange)
    assert net(1.0, exchange) == pytest.approx(gross)


def test_inference_neutral_ratio_is_the_root(converters: Converters) -> None:
    gain = stated_gain(9, inference_ratio=3)
    found = net_inference.net_gain(gain, converters)
    assert not isinstance(found, Refusal)
    assert found.neutral_ratio[0].central == pytest.approx(3)
    assert found.relative_cost[0].central == pytest.approx(1)


def test_cheap_enhancements_never_break_even(converters: Converters) -> None:
    gain = stated_gain(100, inference_ratio=2)
    rate = converters.rates["size-squared"]
    found = net_inference.break_even_tokens(gain, 1e24, 1e11, "size-squared", rate)
    assert isinstance(found, Refusal) and found.reason.startswith("never")


@pytest.mark.parametrize("ratio", [0.0, -1.0, math.nan])
def test_impossible_cost_ratios_are_refused(converters: Converters, ratio: float) -> None:
    gain = replace(stated_gain(10), inference_ratio=ratio)
    with pytest.raises(ValueError, match="positive"):
        net_inference.net_gain(gain, converters)


def test_crossover_of_a_saturating_curve() -> None:
    points = [(4, 6.0), (16, 12.0), (64, 16.0), (256, 18.0)]
    found = net_inference.crossover(points, 0.7)
    assert isinstance(found, net_inference.Crossover)
    assert found.inference_ratio is not None and 16 < found.inference_ratio < 64
    at = math.log10(found.inference_ratio)
    slope = (math.log10(16 / 12)) / math.log10(4)
    assert math.log10(12) + slope * (at - math.log10(16)) == pytest.approx(0.7 * at)
    assert found.best_ratio == pytest.approx(4)


def test_crossovers_that_are_not_there() -> None:
    rising = net_inference.crossover([(2, 4.0), (4, 16.0)], 1.0)
    assert isinstance(rising, net_inference.Crossover)
    assert rising.inference_ratio is None and "still above" in rising.reason
    useless = net_inference.crossover([(2, 1.1), (4, 1.2)], 1.0)
    assert isinstance(useless, net_inference.Crossover)
    assert useless.inference_ratio is None and "never above" in useless.reason
    assert isinstance(net_inference.crossover([], 1.0), Refusal)


def test_crossovers_of_stored_curves(converters: Converters) -> None:
    key, rate = converters.default(Quantity.INFERENCE_EXCHANGE)
    stored = [
        record(Verdict.INTERPOLATED, variant=f"n={n}", ratio=g, inference_cost_multiplier=float(n))
        for n, g in ((4, 6.0), (64, 9.0))
    ]
    found = net_inference.measured_crossovers(stored, key, rate)
    assert [line.points for line in found] == [2] and found[0].rate == key
    assert net_inference.measured_crossovers(stored[:1], key, rate) == ()


# --- horizons ------------------------------------------------------------------------------


def toy_runs(agent: str, horizon_minutes: float, *, runs: int = 40) -> list[RunRow]:
    lengths = [2.0**k for k in range(10)]
    return [
        RunRow(
            agent=agent,
            task=f"task-{k}",
            task_family=f"family-{k // 2}",
            human_minutes=minutes,
            runs=runs,
            success_rate=round(runs / (1 + minutes / horizon_minutes)) / runs,
            weight_per_run=1 / (runs * len(lengths)),
        )
        for k, minutes in enumerate(lengths)
    ]


def test_horizons_rank_agents_and_hold_the_point() -> None:
    table = task_table([*toy_runs("weak", 4), *toy_runs("strong", 64)])
    found = {h.agent: h for h in horizons(table, draws=300)}
    weak, strong = found["weak"].minutes, found["strong"].minutes
    assert weak.central is not None and strong.central is not None
    assert weak.central < strong.central
    for estimate in (weak, strong):
        assert estimate.low is not None and estimate.high is not None
        assert estimate.low <= (estimate.central or 0.0) <= estimate.high
    high = {h.agent: h.minutes.central for h in horizons(table, 0.8, draws=50)}
    assert (high["strong"] or 0.0) < strong.central


def test_agents_that_always_or_never_succeed() -> None:
    rows = [replace_rate(row, 1.0) for row in toy_runs("always", 4)]
    rows += [replace_rate(row, 0.0) for row in toy_runs("never", 4)]
    found = {h.agent: h for h in horizons(task_table(rows), draws=20)}
    assert found["always"].minutes.central is None and not found["always"].within
    assert found["never"].minutes.central == 0.0 and not found["never"].within


def replace_rate(row: RunRow, rate: float) -> RunRow:
    return row.model_copy(update={"success_rate": rate})


def test_trend_of_the_best_agents() -> None:
    names = {"a": 4, "b": 8, "worse": 5, "c": 16, "d": 32}
    rows = [row for name, minutes in names.items() for row in toy_runs(name, minutes)]
    days = {"a": 1, "b": 101, "worse": 151, "c": 201, "d": 301}
    released = {name: date.fromordinal(730000 + day) for name, day in days.items()}
    agents = horizons(task_table(rows), draws=200)
    found = horizon_trend(agents, released)
    assert found.agents == ("a", "b", "c", "d")
    assert found.doubling_days.central == pytest.approx(100, rel=0.15)
    with pytest.raises(ValueError, match="three agents"):
        horizon_trend(agents, {"a": released["a"]})


def test_one_task_with_two_lengths_is_refused() -> None:
    rows = toy_runs("a", 4)
    rows.append(rows[0].model_copy(update={"human_minutes": 99.0, "agent": "b"}))
    with pytest.raises(ValueError, match="two lengths"):
        task_table(rows)


def test_horizon_panel_names_every_route(converters: Converters) -> None:
    panel = horizon_panel(stated_gain(10, (5, 20)), converters)
    assert next(e.rate for e in panel.multipliers) == "elasticity-judged"
    assert any("horizon-per-index-point" in e.rate for e in panel.multipliers)
    assert all(e.source for e in (*panel.multipliers, panel.doublings, *panel.months))


def test_slowdown_delays(converters: Converters) -> None:
    found = slowdown(converters, 60, 9600, slow_after=1.0, slow_factor=0.5)
    assert found.delay.central is not None and found.delay.central > 0
    none = slowdown(converters, 60, 9600, slow_after=1.0, slow_factor=1.0)
    assert none.delay.central == pytest.approx(0.0, abs=1e-9)
    stopped = slowdown(converters, 60, 9600, slow_after=0.0, slow_factor=0.0)
    assert stopped.slowed.central is None  # never
    with pytest.raises(ValueError, match="longer"):
        slowdown(converters, 60, 60, slow_after=0, slow_factor=1)


# --- laws, inequality, counts, trends ------------------------------------------------------


def test_law_is_found_again_from_its_own_losses() -> None:
    truth = augmented_law.AugmentedLaw(
        {
            "a": 0.9,
            "a_ptb": 0.0,
            "a_wt2": 0.05,
            "a_year": 0.01,
            "a_size": 0.07,
            "b": 0.8,
            "b_ptb": 0.15,
            "b_wt2": 0.1,
            "b_year": 0.04,
            "b_data": 0.04,
        },
        augmented_law.Reference(1e6, 1e6, 2012.0),
    )
    random = np.random.default_rng(3)
    rows = []
    for index in range(400):
        size, data = 1e6 * 10 ** random.uniform(0, 5), 1e6 * 10 ** random.uniform(0, 6)
        year, benchmark = 2012 + 11 * random.random(), ("wt103", "ptb", "wt2")[index % 3]
        if index == 0:
            size, data, year = 1e6, 1e6, 2012.0
        loss = float(truth.loss(size, data, year, benchmark)) + random.normal(0, 0.02)
        rows.append(augmented_law.Observation(loss, size, data, year, benchmark))
    found = augmented_law.fit_law(rows, penalty=0.0)
    assert found.reference == truth.reference
    assert found.doubling_years()[2] == pytest.approx(truth.doubling_years()[2], rel=0.1)
    assert found.effective_compute(1.0, 2014.0) > 1.0
    penalised = augmented_law.fit_law(rows)
    sizes = [sum(abs(v) for v in law.constants.values()) for law in (found, penalised)]
    assert sizes[1] < sizes[0]
    with pytest.raises(Exception, match="too few"):
        augmented_law.fit_law(rows[:5])


def test_allocation_gain_is_one_at_the_optimum(converters: Converters) -> None:
    law = augmented_law.AllocationLaw(**converters.parameters["chinchilla"].values)
    for compute in (1e20, 1e24):
        assert law.allocation_gain(*law.optimum(compute)) == pytest.approx(1.0)
        assert law.optimal_compute(law.loss(*law.optimum(compute))) == pytest.approx(compute)
        n, d = law.optimum(compute)
        assert law.allocation_gain(2 * n, d / 2) > 1 and law.allocation_gain(n / 2, 2 * d) > 1
    with pytest.raises(ValueError, match="floor"):
        law.optimal_compute(law.floor)


def test_law_without_transformer_factor_refuses(converters: Converters) -> None:
    reference = augmented_law.Reference(1e6, 1e6, 2012.0)
    law = augmented_law.AugmentedLaw(converters.parameters["ho2024-law"].values, reference)
    with pytest.raises(ValueError, match="Transformers"):
        law.transformer_gain(1e22, 2023)


def test_who_gains_by_who_has_it(converters: Converters) -> None:
    found = who_gains(stated_gain(10, (5, 20)), race(converters))
    alone, both, richer = (
        e.central for e in (found.gap_if_small_only, found.gap_if_both, found.gap_if_frontier_only)
    )
    assert alone is not None and both is not None and richer is not None
    assert alone < both < found.plain_gap < richer
    assert found.parity_years.rate and found.parity_years.source


def test_the_same_gain_is_worth_less_when_large(converters: Converters) -> None:
    contest = race(converters)
    assert contest.loss_per_ln_compute(1e22) < contest.loss_per_ln_compute(1e26) < 0


def test_counts_fall_with_the_threshold_and_rise_with_the_gain(converters: Converters) -> None:
    plain = [
        model_count.forecast(converters, t, 2027, simulations=200).cumulative.central or 0.0
        for t in (1e25, 3e25, 1e26)
    ]
    assert plain[0] > plain[1] > plain[2]
    enhanced = model_count.forecast(
        converters, 1e26, 2027, gain=stated_gain(10, (5, 20)), simulations=200
    )
    assert (enhanced.cumulative.central or 0.0) > plain[2]
    bound = model_count.forecast(
        converters, 1e26, 2027, gain=stated_gain(10, side=Side.AT_LEAST), simulations=200
    )
    assert bound.cumulative.central is None and bound.cumulative.high is None
    with pytest.raises(ValueError, match="begins"):
        model_count.forecast(converters, 1e26, 2020)


def test_summed_years_are_wider_than_the_cumulative_count(converters: Converters) -> None:
    found = model_count.forecast(converters, 1e25, 2028)
    width = [(e.high or 0.0) - (e.low or 0.0) for e in (found.cumulative, found.summed_years)]
    assert width[0] < 0.7 * width[1]


def test_counts_do_not_depend_on_the_run(converters: Converters) -> None:
    first, again = (model_count.forecast(converters, 1e25, 2026) for _ in range(2))
    assert first == again


def test_trend_of_a_known_growth() -> None:
    rows = [
        ComputeRow(
            model=f"m{k}",
            published=date(2015, 1, 1).replace(year=2012 + k // 4, month=1 + 3 * (k % 4)),
            training_compute_flop=1e20 * 4.0 ** (k / 4) * (1.3 if k % 2 else 1 / 1.3),
            language="yes",
            frontier="no",
        )
        for k in range(40)
    ]
    found = compute_trend(rows, ERAS[2])
    assert found.per_year.central == pytest.approx(4.0, rel=0.05)
    assert found.doubling_months.central == pytest.approx(6.0, rel=0.05)
    with pytest.raises(ValueError, match="too few"):
        compute_trend(rows[:5], ERAS[2])


# --- the whole, and the page ---------------------------------------------------------------


def estimates(value: object) -> list[Estimate]:
    """Every estimate inside a result, however deep."""
    if isinstance(value, Estimate):
        return [value]
    if isinstance(value, (list, tuple)):
        return [found for item in value for found in estimates(item)]
    if hasattr(value, "__dataclass_fields__"):
        return [found for item in vars(value).values() for found in estimates(item)]
    return []


@pytest.mark.parametrize("side", [Side.AT_LEAST, Side.AT_MOST])
def test_one_sided_gains_are_one_sided_everywhere(converters: Converters, side: Side) -> None:
    gain = stated_gain(10, side=side, inference_ratio=10, one_time_flop=1e22)
    found = translate(
        gain, converters, base_flop=1e24, active_parameters=1e11, training_tokens=1e13
    )
    assert found.one_sided
    every = estimates(found)
    assert len(every) > 25
    for estimate in every:
        assert estimate.central is None, estimate.what
        assert estimate.low is None or estimate.high is None, estimate.what
    assert all(line.probability is None for line in found.crossings)
    page = meaning(found, converters)
    assert all(line.said.startswith(("at least", "at most", "no bound")) for line in page.lines)


def test_every_number_names_its_rate_and_source(converters: Converters) -> None:
    gain = stated_gain(10, (5, 20), inference_ratio=10, one_time_flop=1e22)
    found = translate(
        gain, converters, base_flop=1e24, active_parameters=1e11, training_tokens=1e13
    )
    # arithmetic on the gain alone needs no rate
    bare = {"gross gain", "effective training compute", "gain after its own training"}
    for estimate in estimates(found):
        assert estimate.what in bare or (estimate.rate and estimate.source), estimate.what
        assert estimate.unit


def test_unchecked_rates_stay_out_of_briefings(converters: Converters) -> None:
    found = translate(stated_gain(10, (5, 20)), converters, base_flop=2e24)
    page = meaning(found, converters)
    unverified = {
        rate.name for rate in converters.rates.values() if rate.checked is Checked.UNVERIFIED
    }
    assert unverified and not unverified & {line.rate for line in page.lines}
    assert any(e.rate == "catch-up" for e in found.months.algorithms)
    rules = {t.name for t in converters.thresholds.values() if t.checked is Checked.UNVERIFIED}
    assert rules and not rules & {line.rule for line in page.thresholds}
    assert any("net gain" in line for line in page.refusals)
    assert NEVER_ADD in page.cautions


def test_context_figures_carry_source_and_unit(converters: Converters) -> None:
    figures = dict(context_figures(converters))
    assert {"data-stock", "parameter-gap", "growth-decomposition"} <= set(figures)
    assert all(f.source in converters.sources and f.unit for f in figures.values())


def test_rates_are_drawn_the_same_everywhere(converters: Converters) -> None:
    rate = converters.rates["exchange-most-tasks"]
    assert np.array_equal(
        rate_draws("exchange-most-tasks", rate, 500), rate_draws("exchange-most-tasks", rate, 500)
    )
