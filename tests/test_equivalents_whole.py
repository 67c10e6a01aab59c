"""A whole translation: bounds stay bounds everywhere, every number names its rate and source."""

from __future__ import annotations

import numpy as np
import pytest

from cegain.equivalents.converters import (
    Converters,
)
from cegain.equivalents.draws import (
    Estimate,
    Side,
    rate_draws,
    stated_gain,
)
from cegain.equivalents.months import NEVER_ADD
from cegain.equivalents.page import context_figures, meaning
from cegain.equivalents.translation import translate
from cegain.records import Checked


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
