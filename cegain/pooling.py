"""Spread and mean of gains over comparisons, on log10 gain.

Off by default: the spread is the headline, a mean is secondary, and gains of
different enhancements are never multiplied. The textbook part (tau², Knapp-Hartung,
prediction interval) follows the usual random-effects formulas; the part for gains
adds what gains on one series share, evaluated at the pooled mean rather than at
each estimate, because a common factor evaluated at each estimate gives low
estimates the larger weight and drags the mean down (Peelle's puzzle).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]

LEAST_STUDIES = 3
_ROUNDS = 3  # of re-evaluating the shared variance at the pooled mean


class Tau2Method(StrEnum):
    """Estimators of the variance between studies."""

    REML = "REML"
    DL = "DL"  # DerSimonian-Laird
    PM = "PM"  # Paule-Mandel
    FIXED = "FE"


class Test(StrEnum):
    """How the standard error of the mean is obtained."""

    __test__ = False  # not a test case

    Z = "z"
    KNAPP_HARTUNG = "knha"
    TRUNCATED = "adhoc"  # Knapp-Hartung, never below the plain standard error


@dataclass(frozen=True)
class Pooled:
    """A random-effects mean of ``k`` estimates.

    ``prediction`` is the interval for a new study (t with k - 2 degrees of freedom),
    None where it is not estimable (k < 3). ``i2`` is a percentage.
    """

    estimate: float
    standard_error: float
    interval: tuple[float, float]
    prediction: tuple[float, float] | None
    tau2: float
    i2: float
    q: float
    q_p: float
    k: int
    level: float

    @property
    def tau(self) -> float:
        """Standard deviation between studies, in the units of the estimates."""
        return math.sqrt(self.tau2)


def tau_squared(y: ArrayLike, v: ArrayLike, method: Tau2Method | str = Tau2Method.REML) -> float:
    """Variance between studies from estimates and their sampling variances; never negative.

    ``v`` holds variances (k,) or their covariance matrix (k, k). DerSimonian & Laird
    1986; Paule & Mandel 1982; REML by maximising the restricted likelihood. Raises
    ValueError for fewer than two estimates or a variance that is not positive.
    """
    values, covariance = _checked(y, v)
    method = Tau2Method(method)
    if method is Tau2Method.FIXED:
        return 0.0
    if method is Tau2Method.REML:
        return restricted_tau_squared(values, covariance, np.ones((values.size, 1)))
    variances = np.diag(covariance)
    k = values.size
    if method is Tau2Method.DL:
        weights = 1.0 / variances
        spare = weights.sum() - (weights**2).sum() / weights.sum()
        return max(0.0, (_generalised_q(values, variances, 0.0) - (k - 1)) / float(spare))
    return _q_root(values, variances, float(k - 1))


def pool(
    y: ArrayLike,
    v: ArrayLike,
    *,
    method: Tau2Method | str = Tau2Method.REML,
    test: Test | str = Test.TRUNCATED,
    level: float = 0.95,
) -> Pooled:
    """Random-effects mean of independent or correlated estimates.

    ``v`` holds sampling variances (k,) or their covariance (k, k). The truncated
    Knapp-Hartung error (Röver, Knapp & Friede 2015) is the default: the untruncated
    one is absurdly narrow when a few studies agree by luck. Raises ValueError as
    ``tau_squared`` does.
    """
    values, covariance = _checked(y, v)
    between = tau_squared(values, covariance, method)
    return _pooled(values, covariance, between, Test(test), level, Tau2Method(method))


def tau_squared_interval(y: ArrayLike, v: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Q-profile interval of tau² for independent estimates (Viechtbauer 2007)."""
    values, covariance = _checked(y, v)
    variances = np.diag(covariance)
    tail = (1.0 - level) / 2.0
    high, low = (float(stats.chi2.ppf(p, values.size - 1)) for p in (1.0 - tail, tail))
    return _q_root(values, variances, high), _q_root(values, variances, low)


@dataclass(frozen=True)
class GainToPool:
    """One gain as pooling sees it.

    ``log10_gain`` with ``sd``, the standard deviation of its draws; ``study``, the
    publication. ``series`` has a curve whose steepness has the relative variance
    ``curve_variance``, shared by all gains on it; ``family`` climbs a slope of its own
    with ``family_variance``, shared by gains of that family on that series.
    """

    log10_gain: float
    sd: float
    study: str
    series: str
    curve_variance: float
    family: str
    family_variance: float


@dataclass(frozen=True)
class PooledGain:
    """Gains of one enhancement or kind taken together: spread first, mean second.

    ``spread`` is lowest, middle and highest log10 gain. ``pooled`` is None with the
    ``refusal`` in words. ``left_out`` counts bounds and gains without a finite value.
    """

    spread: tuple[float, float, float] | None
    pooled: Pooled | None
    refusal: str
    gains: int
    studies: int
    left_out: int


def pool_gains(
    gains: Sequence[GainToPool], *, left_out: int = 0, level: float = 0.90
) -> PooledGain:
    """Pool gains whose curves are shared; refuses fewer than three independent studies.

    Each gain's variance is its own part plus what the slopes of its curve and its family
    give, which is proportional to the pooled mean and shared with other gains.
    """
    studies = len({gain.study for gain in gains})
    if not gains:
        return PooledGain(None, None, "no gain has a finite value", 0, 0, left_out)
    values = np.array([gain.log10_gain for gain in gains])
    ordered = np.sort(values)
    middle = 0.5 * (ordered[(len(gains) - 1) // 2] + ordered[len(gains) // 2])
    spread = (float(ordered[0]), float(middle), float(ordered[-1]))
    if studies < LEAST_STUDIES:
        words = f"only {studies} independent {'study' if studies == 1 else 'studies'}"
        return PooledGain(spread, None, words, len(gains), studies, left_out)
    series = [gain.series for gain in gains]
    curves = np.sqrt([gain.curve_variance for gain in gains])
    families = np.sqrt([gain.family_variance for gain in gains])
    kin = [f"{gain.series} {gain.family}" for gain in gains]
    common = _shared(curves, series) + _shared(families, kin)
    totals = np.array([gain.sd**2 for gain in gains])
    own = np.maximum(totals - np.diag(common) * values**2, 0.1 * totals)
    mean = float(middle)
    for _ in range(_ROUNDS):
        covariance = np.diag(own) + common * mean**2
        mean = pool(values, covariance, level=level).estimate
    covariance = np.diag(own) + common * mean**2
    pooled = pool(values, covariance, level=level)
    return PooledGain(spread, pooled, "", len(gains), studies, left_out)


def _shared(sd: Floats, names: Sequence[str]) -> Floats:
    """Covariance of what gains of one name share wholly, and others not at all."""
    alike = np.array(names)[:, None] == np.array(names)[None, :]
    return np.asarray(np.outer(sd, sd) * alike)


def _checked(y: ArrayLike, v: ArrayLike) -> tuple[Floats, Floats]:
    values, variances = np.asarray(y, dtype=np.float64), np.asarray(v, dtype=np.float64)
    if values.ndim != 1 or values.size < 2:
        raise ValueError("pooling needs at least two estimates")
    covariance = np.diag(variances) if variances.ndim == 1 else variances
    if covariance.shape != (values.size, values.size):
        raise ValueError(f"{values.size} estimates need as many variances")
    if not (np.isfinite(values).all() and np.isfinite(covariance).all()):
        raise ValueError("estimates and variances must be finite: leave bounds out and count them")
    if not (np.diag(covariance) > 0).all():
        raise ValueError("every sampling variance must be positive")
    return values, covariance


def _generalised_q(values: Floats, variances: Floats, between: float) -> float:
    weights = 1.0 / (variances + between)
    mean = float(weights @ values / weights.sum())
    return float(weights @ (values - mean) ** 2)


def _q_root(values: Floats, variances: Floats, target: float) -> float:
    """Between-study variance at which generalised Q falls to a target, 0 if it never is above."""

    def excess(between: float) -> float:
        return _generalised_q(values, variances, between) - target

    if excess(0.0) <= 0.0:
        return 0.0
    high = float(np.var(values)) + float(variances.max())
    while excess(high) > 0.0:
        high *= 4.0
    return float(optimize.brentq(excess, 0.0, high, xtol=1e-15, rtol=1e-14))


def restricted_tau_squared(values: Floats, covariance: Floats, design: Floats) -> float:
    """REML variance between studies around a regression on ``design`` (k, p).

    The score equation of the restricted likelihood is solved to rounding error; 0
    where the likelihood falls from the start.
    """

    def slope(between: float) -> float:
        inverse = np.linalg.inv(covariance + between * np.eye(values.size))
        columns = inverse @ design
        projected = inverse - columns @ np.linalg.solve(design.T @ columns, columns.T)
        residual = projected @ values
        return float(residual @ residual - np.trace(projected))

    if slope(0.0) <= 0.0:
        return 0.0
    high = float(np.var(values)) + float(np.diag(covariance).max())
    while slope(high) > 0.0:
        high *= 4.0
    return float(optimize.brentq(slope, 0.0, high, xtol=1e-15, rtol=1e-14))


def _pooled(
    values: Floats,
    covariance: Floats,
    between: float,
    test: Test,
    level: float,
    method: Tau2Method,
) -> Pooled:
    k = values.size
    variances = np.diag(covariance)
    weights = 1.0 / (variances + between)
    weights /= weights.sum()
    mean = float(weights @ values)
    full = covariance + between * np.eye(k)
    error = math.sqrt(float(weights @ full @ weights))
    # how much the estimates scatter against what their variances say
    scatter = _generalised_q(values, variances, between) / (k - 1)
    if test is Test.KNAPP_HARTUNG:
        error *= math.sqrt(scatter)
    elif test is Test.TRUNCATED:
        error *= math.sqrt(max(1.0, scatter))
    tail = 0.5 + level / 2.0
    factor = stats.norm.ppf(tail) if test is Test.Z else stats.t.ppf(tail, k - 1)
    q = _generalised_q(values, variances, 0.0)
    prediction = None
    if k >= LEAST_STUDIES and method is not Tau2Method.FIXED:
        reach = float(stats.t.ppf(tail, k - 2)) * math.sqrt(between + error**2)
        prediction = (mean - reach, mean + reach)
    # I² from tau² and the typical sampling variance (Higgins & Thompson 2002)
    inverse = 1.0 / variances
    typical = (k - 1) * inverse.sum() / (inverse.sum() ** 2 - (inverse**2).sum())
    share = between / (between + typical) if method is not Tau2Method.FIXED else (q - (k - 1)) / q
    return Pooled(
        mean,
        error,
        (mean - float(factor) * error, mean + float(factor) * error),
        prediction,
        between,
        100.0 * max(0.0, float(share)),
        q,
        float(stats.chi2.sf(q, k - 1)),
        k,
        level,
    )
