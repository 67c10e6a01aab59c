"""A gain as task length: how much longer a task an agent completes, and how much sooner.

With algorithms held fixed the horizon grows as compute to the power of an elasticity, so
an enhancement worth CEG in compute multiplies it by CEG^elasticity. Two routes lead to
the elasticity: regressions of horizons on model size (Whitfill, Snodin & Becker 2025),
and points of a capability index per decade of compute times ln(horizon) per point.
A lasting slowdown is another matter: there compute also buys algorithms, with a return
of lambda/beta, which an enhancement made once does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np

from cegain.equivalents.converters import Converters, Quantity, Rate
from cegain.equivalents.distributions import Floats
from cegain.equivalents.draws import (
    DRAWS,
    Estimate,
    Gain,
    doubling_months,
    finite,
    log_growth,
    powers,
    rate_draws,
    resting_on,
    summarised,
)
from cegain.resampling import interval, quantiles

INDEX_SLOPE = "horizon-per-index-point"
RESEARCH_RETURN = "research-return"


@dataclass(frozen=True)
class HorizonPanel:
    """Multipliers by each route, doublings, and months at which the trend gets there."""

    multipliers: tuple[Estimate, ...]
    doublings: Estimate
    months: tuple[Estimate, ...]


def index_elasticity(slope: Floats, points_per_decade: Floats) -> Floats:
    """Elasticity through an index: ln(horizon) per point times points per ln(compute)."""
    return np.asarray(slope * points_per_decade / math.log(10))


def multiplier(log10_gain: Floats, elasticity: Floats) -> Floats:
    """Factor on the horizon: CEG to the power of the elasticity."""
    return powers(elasticity * log10_gain)


def horizon_panel(gain: Gain, converters: Converters, used_on: date | None = None) -> HorizonPanel:
    """Multipliers by every route, and the default one in doublings and months."""
    size = gain.draws.size
    routes = converters.of(Quantity.HORIZON_ELASTICITY)
    found = [
        summarised(
            "factor on the task horizon",
            "times",
            multiplier(gain.draws, rate_draws(key, rate, size)),
            gain,
            rate=(key, rate),
            used_on=used_on,
        )
        for key, rate in routes.items()
    ]
    found.append(_by_index(gain, converters, used_on))
    key, rate = converters.default(Quantity.HORIZON_ELASTICITY)
    doublings = rate_draws(key, rate, size) * gain.draws * math.log2(10)
    trends = converters.of(Quantity.HORIZON_GROWTH)
    return HorizonPanel(
        tuple(found),
        summarised(
            "doublings of the task horizon",
            "doublings",
            doublings,
            gain,
            rate=(key, rate),
            used_on=used_on,
        ),
        tuple(
            _months(gain, doublings, (key, rate), (trend, growth), used_on)
            for trend, growth in trends.items()
        ),
    )


def _by_index(gain: Gain, converters: Converters, used_on: date | None) -> Estimate:
    """The multiplier through the capability index, named for both its rates."""
    slope = converters.rate(INDEX_SLOPE)
    key, points = converters.default(Quantity.CAPABILITY_INDEX)
    size = gain.draws.size
    elasticity = index_elasticity(
        rate_draws(INDEX_SLOPE, slope, size), rate_draws(key, points, size)
    )
    estimate = summarised(
        "factor on the task horizon",
        "times",
        multiplier(gain.draws, elasticity),
        gain,
    )
    return resting_on(estimate, ((INDEX_SLOPE, slope), (key, points)), used_on)


def _months(
    gain: Gain,
    doublings: Floats,
    elasticity: tuple[str, Rate],
    trend: tuple[str, Rate],
    used_on: date | None,
) -> Estimate:
    months = doublings * doubling_months(*trend, gain.draws.size)
    estimate = summarised("months of the horizon's trend", "months", months, gain)
    return resting_on(estimate, (elasticity, trend), used_on)


def horizon_growth(elasticity: Floats, research_return: Floats, compute_growth: Floats) -> Floats:
    """Growth of ln(horizon) a year on a lasting path of compute growth (ln per year).

    elasticity x (1 + lambda/beta) x growth: compute grows horizons itself and through
    the algorithms that experiments on it find.
    """
    return np.asarray(elasticity * (1 + research_return) * compute_growth)


@dataclass(frozen=True)
class Slowdown:
    """Years until a horizon is reached with compute growing as before, and slowed."""

    target_minutes: float
    on_trend: Estimate
    slowed: Estimate
    delay: Estimate
    warning: str = "A projection of two trends, not a forecast of any agent."


def slowdown(
    converters: Converters,
    now_minutes: float,
    target_minutes: float,
    *,
    slow_after: float,
    slow_factor: float,
    elasticity: str = "elasticity-direct",
    level: float = 0.90,
    size: int = DRAWS,
) -> Slowdown:
    """Years to a longer horizon if the growth of compute falls to a share of itself.

    After ``slow_after`` years the yearly growth of ln(compute) is multiplied by
    ``slow_factor`` (0 stops it). Raises ValueError unless the target is the longer.
    """
    if not 0 < now_minutes < target_minutes:
        raise ValueError("the target must be a longer horizon than the present one")
    if slow_after < 0 or not 0 <= slow_factor <= 1:
        raise ValueError("slow_after is in years from now and slow_factor between 0 and 1")
    route = converters.rate(elasticity)
    returns = converters.rate(RESEARCH_RETURN)
    growth_key, growth = converters.default(Quantity.COMPUTE_GROWTH)
    yearly = horizon_growth(
        rate_draws(elasticity, route, size),
        rate_draws(RESEARCH_RETURN, returns, size),
        log_growth(growth_key, growth, size),
    )
    needed = math.log(target_minutes / now_minutes)
    trend = needed / yearly
    left = needed - slow_after * yearly
    with np.errstate(divide="ignore"):
        late = np.where(left > 0, slow_after + left / (yearly * slow_factor), trend)
    rates = ((elasticity, route), (RESEARCH_RETURN, returns), (growth_key, growth))

    def told(what: str, draws: Floats) -> Estimate:
        low, high = (finite(end) for end in interval(draws, level))
        years = Estimate(what, "years", finite(quantiles(draws, 0.5)), low, high, level)
        return resting_on(years, rates)

    return Slowdown(
        target_minutes,
        told("years on trend", trend),
        told("years with compute slowed", late),
        told("delay", late - trend),
    )
