"""Published figures on what a gain means, each with the tolerance it was agreed at.

Where a figure does not reproduce, both numbers stand here with the reason; no tolerance is
widened to make a test pass.
"""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest

from cegain.equivalents import augmented_law, horizon, inequality, months, net_inference
from cegain.equivalents.augmented_law import AllocationLaw, AugmentedLaw, Observation
from cegain.equivalents.converters import Converters, Quantity
from cegain.equivalents.distributions import Fixed
from cegain.equivalents.draws import Refusal, rate_draws, stated_gain
from cegain.equivalents.model_count import forecast
from cegain.equivalents.success_horizons import curves, horizons, task_table
from cegain.equivalents.trends import ERAS, ComputeTrend, compute_trend

# Months of algorithmic progress: (gain, rate, months, low and high at 95 %)
ALGORITHM_MONTHS = [
    (2, "ho2024-preprint", 8.0, (5, 14)),
    (5, "ho2024-preprint", 18.6, (11.6, 32.5)),
    (10, "ho2024-preprint", 26.6, (16.6, 46.5)),
    (20, "ho2024-preprint", 34.6, (21.6, 60.5)),
    (100, "ho2024-preprint", 53.2, (33, 93)),
    *[(g, "three-per-year", m, None) for g, m in ((2, 7.6), (5, 17.6), (10, 25.2), (20, 32.7))],
    *[(g, "rosetta", m, None) for g, m in ((2, 4.7), (5, 10.9), (10, 15.7), (20, 20.4))],
    *[(g, "catch-up", m, None) for g, m in ((2, 3.0), (5, 7.0), (10, 10.0), (20, 13.0))],
    (100, "three-per-year", 50.3, None),
    (100, "rosetta", 31.3, None),
    (100, "catch-up", 19.9, None),
]


@pytest.mark.parametrize(("gain", "rate", "expected", "ends"), ALGORITHM_MONTHS)
def test_months_of_algorithms(
    converters: Converters, gain: float, rate: str, expected: float, ends: tuple[float, float]
) -> None:
    found = months.months(stated_gain(gain, level=0.95), rate, converters.rates[rate])
    assert found.central == pytest.approx(expected, abs=0.1)
    if ends is not None:
        # the ends of the row for 100 are printed to whole months
        near = 0.5 if gain == 100 else 0.1
        assert (found.low, found.high) == pytest.approx(ends, abs=near)


COMPUTE_MONTHS = [
    *[(5, k, m) for k, m in (("epoch-frontier", 12.8), ("five-per-year", 12.0))],
    *[(10, k, m) for k, m in (("epoch-frontier", 18.4), ("five-per-year", 17.2))],
    *[(20, k, m) for k, m in (("epoch-frontier", 23.9), ("five-per-year", 22.3))],
    *[(g, "sevilla-deep-learning", m) for g, m in ((5, 13.2), (10, 18.9), (20, 24.6))],
    *[(g, "sevilla-large-scale", m) for g, m in ((5, 23.0), (10, 32.9), (20, 42.8))],
]


@pytest.mark.parametrize(("gain", "rate", "expected"), COMPUTE_MONTHS)
def test_months_of_compute(converters: Converters, gain: float, rate: str, expected: float) -> None:
    found = months.months(stated_gain(gain), rate, converters.rates[rate])
    assert found.central == pytest.approx(expected, abs=0.1)


def test_months_of_both(converters: Converters) -> None:
    """4.5 a year of compute times 2.83 a year of algorithms: a gain of 5 is 7.6 months."""
    found = months.combined_months(
        stated_gain(5),
        ("ho2024-preprint", converters.rates["ho2024-preprint"]),
        ("epoch-frontier", converters.rates["epoch-frontier"]),
    )
    assert found.central == pytest.approx(7.6, abs=0.1)


def trend(converters: Converters, name: str) -> ComputeTrend:
    era = next(era for era in ERAS if era.name.startswith(name))
    return compute_trend(converters.compute_by_date, era)


def test_doubling_times_by_era(converters: Converters) -> None:
    """Sevilla et al. 2022: 21.3 (17.0-29.3) and 5.7 (4.3-9.0) months, on another data set.

    Ours are fitted on the newer and larger table; they lie in the published intervals.
    """
    early = trend(converters, "before deep learning").doubling_months.central
    later = trend(converters, "deep learning").doubling_months.central
    assert early is not None and later is not None
    assert early == pytest.approx(20.49, abs=0.05) and 17.0 < early < 29.3
    assert later == pytest.approx(6.40, abs=0.05) and 4.3 < later < 9.0


@pytest.mark.xfail(reason="4.13 a year on the stored table: 0.07 under the agreed tolerance")
def test_notable_models_grow_by_4_7_a_year(converters: Converters) -> None:
    """Published 4.7 (90 %: 4.3-5.2); agreed tolerance 0.5.

    Every model of the stored table from 2010 to 2024 gives 4.13 (95 %: 3.74-4.56). The
    table is a later export: it lacks compute for several large recent models and holds
    more small ones than the one behind the published figure.
    """
    assert trend(converters, "notable models, 2010").per_year.central == pytest.approx(4.7, abs=0.5)


def test_what_the_stored_table_gives_instead(converters: Converters) -> None:
    every = trend(converters, "notable models, 2010").per_year
    assert every.central == pytest.approx(4.133, abs=0.005)
    # the intervals overlap
    assert every.high is not None and every.high > 4.3
    # without speculative compute the figure is within the tolerance; frontier about 4 a year
    firm = trend(converters, "notable models with firm").per_year.central
    assert firm == pytest.approx(4.7, abs=0.5) and firm == pytest.approx(4.221, abs=0.005)
    frontier = trend(converters, "frontier models").per_year
    assert frontier.low is not None and frontier.low < 4.0 < (frontier.central or 0.0)
    # "up to 9 a year" for language models 2017 to 2024
    assert trend(converters, "language").per_year.central == pytest.approx(9, abs=1.0)


# --- the augmented scaling law -------------------------------------------------------------

# losses printed in the authors' notebook for their preferred law, with its inputs
PRINTED = [
    (4.434, 6e6, 929e3, 2012.9167),
    (3.708, 11e6, 103e6, 2016.9497),
    (3.186, 247e6, 103e6, 2018.7403),
    (3.165, 257e6, 103e6, 2019.0223),
    (2.771, 1.5e9, 4e9, 2019.1208),
    (2.462, 8.3e9, 46.4e9, 2019.7095),
    (2.080, 175e9, 499e9, 2020.4049),
    (2.006, 280e9, 300e9, 2021.9354),
    (2.046, 70e9, 1.4e12, 2022.2393),
]


@pytest.fixture(scope="module")
def reference(converters: Converters) -> augmented_law.Reference:
    """The smallest size, data and date of the authors' sample, which is not public."""
    known = [Observation(loss, n, d, t, "wt103") for loss, n, d, t in PRINTED]
    found, error = augmented_law.implied_reference(
        converters.parameters["ho2024-law"].values, known
    )
    # two unknowns meet nine printed losses to the digit they are printed to
    assert error < 0.001
    return found


def test_law_at_the_printed_parameters(
    converters: Converters, reference: augmented_law.Reference
) -> None:
    law = AugmentedLaw(converters.parameters["ho2024-law"].values, reference)
    for loss, n, d, t in PRINTED:
        assert float(law.loss(n, d, t)) == pytest.approx(loss, abs=0.001)


def test_doubling_time_of_effective_compute(
    converters: Converters, reference: augmented_law.Reference
) -> None:
    """8.44 months (4.52-14.27) is the bootstrap median; the point fit itself gives 8.69."""
    law = AugmentedLaw(converters.parameters["ho2024-law"].values, reference)
    doubling = 12 * law.doubling_years()[2]
    assert doubling == pytest.approx(8.69, abs=0.01)
    assert 4.52 < doubling < 14.27


@pytest.mark.parametrize(
    ("compute", "ours", "median", "ends"),
    [(1e22, 6.89, 6.6, (3.2, 28)), (1e25, 7.49, 7.2, (3.3, 46))],
)
def test_gain_of_the_transformer(
    converters: Converters,
    reference: augmented_law.Reference,
    compute: float,
    ours: float,
    median: float,
    ends: tuple[float, float],
) -> None:
    """Published: medians of 100 bootstrap fits that are not stored; ours: the printed fit."""
    law = AugmentedLaw(converters.parameters["ho2024-transformer"].values, reference)
    gain = law.transformer_gain(compute, 2023)
    assert gain == pytest.approx(ours, abs=0.01)
    assert ends[0] < gain < ends[1] and gain == pytest.approx(median, rel=0.05)


@pytest.mark.parametrize(
    ("parameters", "tokens", "gain"),
    [(175e9, 300e9, 2.98), (540e9, 780e9, 3.63), (280e9, 300e9, 3.93)],
    ids=["GPT-3", "PaLM", "Gopher"],
)
def test_gain_of_compute_optimal_allocation(
    converters: Converters, parameters: float, tokens: float, gain: float
) -> None:
    law = AllocationLaw(**converters.parameters["chinchilla"].values)
    assert law.allocation_gain(parameters, tokens) == pytest.approx(gain, rel=0.01)
    assert law.allocation_gain(parameters, tokens) == pytest.approx(gain, abs=0.005)


# --- net of inference ----------------------------------------------------------------------


def test_ten_times_inference_leaves_2_15(converters: Converters) -> None:
    # 1 decade of training for 1.5 of inference, as published
    published = Fixed(shape="fixed", value=1 / 1.5)
    rate = converters.rates["exchange-most-tasks"].model_copy(update={"distribution": published})
    found = net_inference.exchanged(stated_gain(10), 10, "published", rate)
    assert found.central == pytest.approx(2.15, abs=0.01)
    assert found.central == pytest.approx(10 ** (1 / 3))


def test_break_even_volume(converters: Converters) -> None:
    """C 2.1e25, 2.8e11 active parameters, gain 9, 100 times the inference: 3.1e12 tokens."""
    gain = stated_gain(9, inference_ratio=100)
    found = net_inference.break_even_tokens(
        gain, 2.1e25, 2.8e11, "size-squared", converters.rates["size-squared"]
    )
    assert not isinstance(found, Refusal)
    assert found.central == pytest.approx(3.1e12, rel=0.01)


def test_lifetime_saving(converters: Converters) -> None:
    """g = log10 5, r = 5, use equal to training, 1 % one-time cost: R 1.20, break-even 1.44."""
    gain = stated_gain(5, inference_ratio=5)
    rate = converters.rates["size-squared"]
    saving = net_inference.lifetime_ratio(gain, 1.0, 0.01, "size-squared", rate)
    even = net_inference.break_even_share(gain, 0.01, "size-squared", rate)
    assert not isinstance(saving, Refusal)
    assert not isinstance(even, Refusal)
    assert saving.central == pytest.approx(1.20, abs=0.005)
    assert even.central == pytest.approx(1.44, abs=0.005)


@pytest.mark.parametrize(("key", "expected"), [("size-squared", -1.2), ("size-linear", -0.5)])
def test_self_consistency_loses_to_a_larger_model(
    converters: Converters, key: str, expected: float
) -> None:
    """g = 0.19 at 5 samples: -1.2 decades (data scale with size), -0.5 (fixed tokens)."""
    gain = stated_gain(10**0.19, inference_ratio=5)
    found = net_inference.matched_cost(gain, 5, key, converters.rates[key])
    assert found.central is not None
    assert math.log10(found.central) == pytest.approx(expected, abs=0.05)


# --- horizons ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "factors"), [(5, (2.1, 2.7, 4.1)), (10, (2.8, 4.2, 7.6)), (20, (3.9, 6.4, 14))]
)
def test_horizon_multipliers(
    converters: Converters, gain: float, factors: tuple[float, float, float]
) -> None:
    """The direct elasticity, and the index route at 9.7 and at 13.8 points a decade."""
    direct = float(rate_draws("elasticity-direct", converters.rates["elasticity-direct"], 1)[0])
    slope = rate_draws(horizon.INDEX_SLOPE, converters.rates[horizon.INDEX_SLOPE], 1)
    routes = [
        direct,
        *(float(horizon.index_elasticity(slope, np.array(k))[0]) for k in (9.7, 13.8)),
    ]
    assert routes == pytest.approx([0.454, 0.62, 0.88], abs=0.005)
    for elasticity, factor in zip(routes, factors, strict=True):
        near = 0.5 if factor >= 10 else 0.05
        assert float(horizon.multiplier(np.log10(gain), np.array(elasticity))) == pytest.approx(
            factor, abs=near
        )


# From METR's run file of February 2025, weights invsqrt_task_weight: horizons in minutes from
# the authors' estimator (scikit-learn 1.9.1, C = 10) iterated to convergence, and as the
# authors' settings leave it (tolerance 1e-4).
METR = {
    "Claude 3 Opus": (4.047122768352082, 4.050102458885797),
    "Claude 3.5 Sonnet (New)": (60.523437887911875, 60.52267833899002),
    "Claude 3.5 Sonnet (Old)": (22.067619063186402, 22.06723878108643),
    "GPT-4 0314": (3.6570524625913556, 3.669459696625882),
    "GPT-4 Turbo": (3.442401373773213, 3.445407187332614),
    "GPT-4o": (6.981005883407106, 6.98163808618883),
    "gpt-3.5-turbo-instruct": (1.8421626058417188e-06, 1.831919017953574e-06),
    "human baseliner": (1161.1289279368348, 1161.1508324550125),
    "o1": (42.45141514712842, 42.44934752369201),
    "o1-preview": (37.89646665354191, 37.892419396339484),
}


def test_horizons_are_those_of_the_authors_estimator(converters: Converters) -> None:
    found = {curve.agent: curve.minutes() for curve in curves(task_table(converters.runs))}
    for agent, (converged, printed) in METR.items():
        assert found[agent] == pytest.approx(converged, rel=1e-6)
        # what stopping early does to their own figure; not a tolerance of ours
        assert abs(printed / converged - 1) < 0.006
    assert found["davinci-002"] == 0.0  # no success at all


def test_published_horizons_are_near(converters: Converters) -> None:
    """Version 1.1 prints 4.0, 11.4 or 20.5, and 60.4 minutes for later runs of these."""
    found = {h.agent: h.minutes for h in horizons(task_table(converters.runs), draws=200)}
    assert found["Claude 3 Opus"].central == pytest.approx(4.0, abs=0.1)
    for agent in ("Claude 3.5 Sonnet (Old)", "Claude 3.5 Sonnet (New)"):
        low, middle, high = (found[agent].low, found[agent].central, found[agent].high)
        assert low is not None and middle is not None and high is not None
        assert low < middle < high


def test_slowdown_study_is_consistent_with_the_trend(converters: Converters) -> None:
    """0.454 x 1.95 x ln 4 = 1.23 a year: a doubling in 6.8 months, against METR's 7."""
    growth = float(horizon.horizon_growth(np.array(0.454), np.array(0.95), np.log(4.0)))
    assert growth == pytest.approx(1.23, abs=0.005)
    assert 12 * math.log(2) / growth == pytest.approx(6.8, abs=0.05)


# --- who gains -----------------------------------------------------------------------------


def test_widest_gap_and_when(converters: Converters) -> None:
    race = inequality.race(converters)
    assert race.peak_years() == pytest.approx(3.36, abs=0.005)
    assert float(race.gap(race.peak_years())) == pytest.approx(0.2118, abs=0.00005)
    # it is the peak
    nearby = race.gap(np.array([race.peak_years() - 0.1, race.peak_years() + 0.1]))
    assert bool(np.all(nearby < race.gap(race.peak_years())))


@pytest.mark.parametrize(("gain", "years"), [(5, 1.26), (10, 1.81), (20, 2.35)])
def test_time_at_parity(converters: Converters, gain: float, years: float) -> None:
    assert inequality.race(converters).parity_years(gain) == pytest.approx(years, abs=0.005)


@pytest.mark.parametrize(("gain", "gap", "factor"), [(5, 0.115, 0.78), (20, 0.050, 0.63)])
def test_gap_with_an_enhancement(
    converters: Converters, gain: float, gap: float, factor: float
) -> None:
    race = inequality.race(converters)
    peak = race.peak_years()
    assert float(race.gap(peak, small_gain=gain)) == pytest.approx(gap, abs=0.0005)
    assert race.shared_gap_factor(gain) == pytest.approx(factor, abs=0.005)
    both = float(race.gap(peak, small_gain=gain, frontier_gain=gain))
    assert both / float(race.gap(peak)) == pytest.approx(race.shared_gap_factor(gain))


# --- how many models -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "published", "proper"),
    [(1e25, (165, 103, 306), (179, 133, 244)), (1e26, (81, 45, 148), (84, 54, 122))],
)
def test_models_above_a_threshold(
    converters: Converters,
    threshold: float,
    published: tuple[float, float, float],
    proper: tuple[float, float, float],
) -> None:
    """Within 5 % of the authors' figures by their own recipe, and of the proper quantiles."""
    found = forecast(converters, threshold, 2028, simulations=4000)
    summed, whole = found.summed_years, found.cumulative
    assert (summed.central, summed.low, summed.high) == pytest.approx(published, rel=0.05)
    assert (whole.central, whole.low, whole.high) == pytest.approx(proper, rel=0.05)


@pytest.mark.parametrize(
    ("threshold", "gain", "expected"),
    [(1e25, 5, 262), (1e25, 10, 298), (1e25, 20, 339), (1e26, 5, 145), (1e26, 20, 211)],
)
def test_models_above_a_threshold_if_all_were_enhanced(
    converters: Converters, threshold: float, gain: float, expected: float
) -> None:
    """Medians within 5 % (past models are counted from another export of the table)."""
    found = forecast(converters, threshold, 2028, gain=stated_gain(gain), simulations=4000)
    assert found.cumulative.central == pytest.approx(expected, rel=0.05)


# --- effective compute ---------------------------------------------------------------------


def test_rates_of_both_versions_of_the_source_are_kept(converters: Converters) -> None:
    """Preprint: 8 months, 95 % 5-14. Conference: 90 % 2-22, kept with its middle at 6.6."""
    preprint = converters.rates["ho2024-preprint"]
    other = converters.rates["ho2024-neurips"]
    assert converters.default(Quantity.ALGORITHMIC_PROGRESS)[0] == "ho2024-preprint"
    first = np.sort(rate_draws("ho2024-preprint", preprint, 4001))
    second = np.log(np.sort(rate_draws("ho2024-neurips", other, 4001)))
    assert first[2000] == pytest.approx(8.0, rel=1e-3)
    assert math.exp(second[2000]) == pytest.approx(6.6, rel=1e-3)
    assert float(np.std(second)) == pytest.approx(0.73, abs=0.01)


def test_rates_outside_their_dates_warn(converters: Converters) -> None:
    found = months.months(
        stated_gain(10), "ho2024-preprint", converters.rates["ho2024-preprint"], date(2026, 11, 1)
    )
    assert any("2023-12-31" in warning for warning in found.warnings)
