"""A gain as months, net of inference, as task length, as a race and as a count of models."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cegain.equivalents import augmented_law, model_count, net_inference
from cegain.equivalents.converters import (
    ComputeRow,
    Converters,
    Quantity,
    RunRow,
)
from cegain.equivalents.distributions import Fixed
from cegain.equivalents.draws import (
    Refusal,
    Side,
    stated_gain,
)
from cegain.equivalents.horizon import horizon_panel, slowdown
from cegain.equivalents.inequality import race, who_gains
from cegain.equivalents.months import NEVER_ADD, months, months_panel
from cegain.equivalents.success_horizons import horizon_trend, horizons, task_table
from cegain.equivalents.trends import ERAS, compute_trend
from tests.conftest import gain_record

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
def test_months_rise_with_the_gain(converters: Converters, ratio: float, more: float) -> None:
    rate = converters.rates["ho2024-preprint"]
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
        gain_record(variant=f"n={n}", ratio=g, inference_cost_multiplier=float(n))
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
