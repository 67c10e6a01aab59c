"""Capability against training compute and date, and the gain read through it.

The exchange rate is index points per factor of ten of training compute, with the recipe
held fixed: the slope within a family of models. A gain of D points is then worth
10^(D / rate) in compute. Source of the two-step recipe: Ho et al. 2025, "A Rosetta Stone
for AI Benchmarks", section on algorithmic progress.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cegain.errors import FitError
from cegain.pooling import Tau2Method, Test, pool
from cegain.resampling import generator, interval, quantiles

Floats = NDArray[np.float64]

LEVEL = 0.90
LEAST_MODELS = 3  # of a family that says how capability rises with compute
LEAST_SPAN = 0.5  # decades of compute within such a family
SEED = 20251128


@dataclass(frozen=True)
class Observation:
    """A model's place on a scale, its log training compute (FLOP) and release, if known."""

    model: str
    capability: float
    training_compute_flop: float | None
    released: date | None
    family: str | None = None
    distilled: bool = False


@dataclass(frozen=True)
class FamilyRate:
    """Points per factor of ten within one family, with its standard error."""

    family: str
    rate: float
    error: float
    n_models: int
    span: float


@dataclass(frozen=True)
class ExchangeRate:
    """Points per factor of ten of compute as a distribution.

    ``mean`` is that of families; ``spread`` how much families differ beyond their errors;
    ``interval`` is for a family not seen, which is what a gain needs. ``draws`` (K,) are
    positive and go with the draws of the capabilities they rest on; ``mean_draws`` are
    those of the families' mean, for statements about many families at once.
    """

    mean: float
    mean_interval: tuple[float, float]
    spread: float
    interval: tuple[float, float]
    level: float
    families: tuple[FamilyRate, ...]
    draws: Floats
    mean_draws: Floats


def exchange_rate(
    observations: Sequence[Observation],
    *,
    capability_draws: Floats | None = None,
    draws: int = 1000,
    level: float = LEVEL,
    seed: int = SEED,
) -> ExchangeRate:
    """Hierarchical exchange rate: families' slopes about a common mean.

    Slopes are weighted by the inverse of their variance plus the variance between families
    (Paule & Mandel), the mean is uncertain as in Hartung & Knapp. ``capability_draws``
    (K, N) replace the capabilities draw by draw, so that the rate carries the scale's
    own uncertainty and stays paired with it. Raises FitError without two usable families.
    """
    groups = _families(observations)
    if len(groups) < 2:
        raise FitError(
            f"{len(groups)} families have {LEAST_MODELS} models over {LEAST_SPAN} decades of "
            "compute (2 are needed for an exchange rate)"
        )
    central = np.array([[o.capability for o in observations]])
    x = np.array([_log10(o) for o in observations])
    slope, error = _slopes(groups, central, x)
    mean, _, spread = _pooled(slope[0], error[0])
    drawn = np.repeat(central, draws, axis=0) if capability_draws is None else capability_draws
    slopes, errors = _slopes(groups, drawn, x)
    random = generator("exchange rate", *sorted(groups), root=seed)
    rates, means = np.empty(len(drawn)), np.empty(len(drawn))
    freedom = len(groups) - 1
    for k, (row, own) in enumerate(zip(slopes, errors, strict=True)):
        middle, uncertain, between = _pooled(row, own)
        # a rate is positive and its errors are proportions, so both are spread in logs
        size = max(middle, 1e-3 * abs(mean))
        means[k] = middle * math.exp(_spread(uncertain / size) * random.standard_t(freedom))
        rates[k] = means[k] * math.exp(_spread(between / size) * random.standard_normal())
    # more compute does not make a recipe worse: draws at or under zero are redrawn above it
    means, rates = _positive(means, random), _positive(rates, random)
    own_ends, new_ends = interval(means, level), interval(rates, level)
    return ExchangeRate(
        mean,
        (float(own_ends[0]), float(own_ends[1])),
        spread,
        (float(new_ends[0]), float(new_ends[1])),
        level,
        tuple(
            FamilyRate(
                name, float(slope[0, i]), float(error[0, i]), len(rows), float(np.ptp(x[rows]))
            )
            for i, (name, rows) in enumerate(groups.items())
        ),
        rates,
        means,
    )


def _log10(observation: Observation) -> float:
    flop = observation.training_compute_flop
    return math.nan if flop is None else math.log10(flop)


def _families(observations: Sequence[Observation]) -> dict[str, list[int]]:
    """Rows of each family that can carry a slope, by name."""
    groups: dict[str, list[int]] = {}
    for index, seen in enumerate(observations):
        if seen.family and seen.training_compute_flop is not None and not seen.distilled:
            groups.setdefault(seen.family, []).append(index)
    return {
        name: rows
        for name, rows in sorted(groups.items())
        if len(rows) >= LEAST_MODELS
        and np.ptp([_log10(observations[i]) for i in rows]) >= LEAST_SPAN
    }


def _slopes(
    groups: Mapping[str, list[int]], capability: Floats, x: Floats
) -> tuple[Floats, Floats]:
    """Slope of each family (K, F) and its standard error.

    Residual spread is pooled over families: one family has too few models for its own.
    """
    slopes, squares, freedom, spans = [], np.zeros(len(capability)), 0, []
    for rows in groups.values():
        at = x[rows] - x[rows].mean()
        y = capability[:, rows] - capability[:, rows].mean(axis=1, keepdims=True)
        sxx = float(at @ at)
        slope = y @ at / sxx
        squares += ((y - slope[:, None] * at) ** 2).sum(axis=1)
        freedom += len(rows) - 2
        slopes.append(slope)
        spans.append(sxx)
    noise = np.sqrt(squares / max(freedom, 1))
    return np.stack(slopes, axis=1), noise[:, None] / np.sqrt(np.array(spans))


def _pooled(slope: Floats, error: Floats) -> tuple[float, float, float]:
    """Mean, its standard error, and spread between families."""
    # families without any scatter about their lines still have a weight
    found = pool(slope, error**2 + 1e-12, method=Tau2Method.PM, test=Test.TRUNCATED)
    return found.estimate, found.standard_error, found.tau


def _spread(share: float) -> float:
    """Standard deviation of the log of what varies by this share of its mean."""
    return math.sqrt(math.log1p(min(share, 10.0) ** 2))


def _positive(rates: Floats, random: np.random.Generator) -> Floats:
    good = rates[rates > 0]
    if good.size == 0:
        raise FitError("capability does not rise with compute within families")
    bad = np.flatnonzero(rates <= 0)
    rates[bad] = random.choice(good, size=bad.size)
    return rates


@dataclass(frozen=True)
class Progress:
    """Algorithmic progress: factor by which compute for a fixed capability falls per year.

    ``rate`` is points per e-fold of compute, ``trend`` points per year at fixed compute.
    """

    factor: float
    interval: tuple[float, float]
    level: float
    rate: float
    trend: float
    trend_error: float
    n_models: int


def progress_two_step(
    observations: Sequence[Observation], *, level: float = 0.95, rate: float | None = None
) -> Progress:
    """The authors' recipe: average of family slopes, then a line in date.

    Slopes are unweighted by error (weighted by models, equal here) and the interval leaves
    out their error, as published. ``rate`` (per e-fold) replaces the families' mean.
    """
    usable = _dated(observations)
    if rate is None:
        groups = _families(usable)
        if not groups:
            raise FitError("no family with enough models for a slope")
        slopes = [
            _line([_ln(usable[i]) for i in rows], [usable[i].capability for i in rows])[0]
            for rows in groups.values()
        ]
        rate = float(np.average(slopes, weights=[len(rows) for rows in groups.values()]))
    years = [_year(o) for o in usable]
    left = [o.capability - rate * _ln(o) for o in usable]
    trend, error = _line(years, left)
    reach = float(stats.t.ppf(0.5 + level / 2, len(usable) - 2)) * error
    ends = (math.exp((trend - reach) / rate), math.exp((trend + reach) / rate))
    return Progress(math.exp(trend / rate), ends, level, rate, trend, error, len(usable))


def progress_full(
    observations: Sequence[Observation],
    rate: ExchangeRate,
    *,
    capability_draws: Floats | None = None,
    level: float = LEVEL,
    seed: int = SEED,
) -> Progress:
    """The same two steps with everything uncertain: rate, scale and the line in date.

    ``capability_draws`` (K, N) are those behind ``rate``, paired with its draws.
    """
    usable = _dated(observations)
    at = [index for index, seen in enumerate(observations) if seen in usable]
    count = len(rate.mean_draws)
    drawn = np.array([[o.capability for o in usable]]).repeat(count, axis=0)
    if capability_draws is not None:
        drawn = capability_draws[:, at]
    per_ln = rate.mean_draws / math.log(10.0)
    year = np.array([_year(o) for o in usable])
    years, x = year - year.mean(), np.array([_ln(o) for o in usable])
    left = drawn - per_ln[:, None] * x
    left = left - left.mean(axis=1, keepdims=True)
    trend = left @ years / float(years @ years)
    squares = ((left - trend[:, None] * years) ** 2).sum(axis=1)
    error = np.sqrt(squares / (len(usable) - 2) / float(years @ years))
    random = generator("progress", *(o.model for o in usable), root=seed)
    logs = (trend + error * random.standard_t(len(usable) - 2, count)) / per_ln
    ends = interval(logs, level)
    middle = float(quantiles(logs, [0.5])[0])
    return Progress(
        math.exp(middle),
        (float(np.exp(ends[0])), float(np.exp(ends[1]))),
        level,
        float(quantiles(per_ln, [0.5])[0]),
        float(quantiles(trend, [0.5])[0]),
        float(quantiles(error, [0.5])[0]),
        len(usable),
    )


def progress_joint(observations: Sequence[Observation], *, level: float = 0.95) -> Progress:
    """Capability on compute and date at once, recipe not held fixed; delta-method interval.

    The slope on compute takes in that newer models are both larger and better, so the
    factor is a lower reading than that within families.
    """
    usable = _dated(observations)
    years = np.array([_year(o) for o in usable])
    design = np.stack([np.ones(len(usable)), [_ln(o) for o in usable], years - years.min()], axis=1)
    y = np.array([o.capability for o in usable])
    inverse = np.linalg.inv(design.T @ design)
    found = inverse @ design.T @ y
    left = y - design @ found
    cover = inverse * float(left @ left) / (len(y) - 3)
    rate, trend = float(found[1]), float(found[2])
    if rate <= 0:
        raise FitError("capability does not rise with compute")
    log = trend / rate
    # the published interval takes the two errors as independent
    error = abs(log) * math.sqrt(cover[2, 2] / trend**2 + cover[1, 1] / rate**2)
    reach = float(stats.norm.ppf(0.5 + level / 2)) * error
    ends = (math.exp(log - reach), math.exp(log + reach))
    return Progress(math.exp(log), ends, level, rate, trend, math.sqrt(cover[2, 2]), len(usable))


def _dated(observations: Sequence[Observation]) -> list[Observation]:
    usable = [
        seen
        for seen in observations
        if seen.training_compute_flop is not None
        and seen.released is not None
        and not seen.distilled
    ]
    if len(usable) < 5:
        raise FitError(f"{len(usable)} models with compute and date (5 are needed)")
    return usable


def _ln(observation: Observation) -> float:
    return _log10(observation) * math.log(10.0)


def _year(observation: Observation) -> float:
    day = observation.released
    if day is None:
        raise FitError(f"{observation.model} has no release date")
    return day.year + day.timetuple().tm_yday / 365.25


def _line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Slope and its standard error."""
    fitted = stats.linregress(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    return float(fitted.slope), float(fitted.stderr)
