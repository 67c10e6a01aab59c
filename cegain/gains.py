"""The compute-equivalent gain of one comparison, with its verdict.

For a base model with training compute C scoring s0, whose enhanced version
scores s1, the gain is the factor by which C would have to grow for the same
recipe to reach s1 (Davidson et al. 2023, section 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cegain import formatting
from cegain.anchors import SLOPE_SPREAD, Anchor, Measurement, draw_gain
from cegain.bounds import BoundRefusal, MeasuredBound, measured_bound
from cegain.observations import UNKNOWN_ITEMS, in_floor_zone
from cegain.records import Comparison
from cegain.resampling import interval, quantiles, seed_for, share
from cegain.scaling import COMPUTE_SD, SEED, FitStatus, ScalingFit, effective_items

GAIN_METHOD = 3
LEVEL = 0.90
SATURATED = 0.985


class Verdict(StrEnum):
    """What kind of statement a gain is; printed wherever the number is."""

    INTERPOLATED = "interpolated"
    EXTRAPOLATED = "extrapolated"
    LOWER_BOUND = "lower bound"
    UPPER_BOUND = "upper bound"
    NO_FINITE_EQUIVALENT = "no finite equivalent"
    MEASURED_BOUND = "measured bound"
    NOT_ESTIMABLE = "not estimable"


HAS_RATIO = frozenset({Verdict.INTERPOLATED, Verdict.EXTRAPOLATED})


@dataclass(frozen=True)
class GainEstimate:
    """One gain: log10 ratio, interval and verdict, never a bare number.

    ``log10_ratio`` is the median of the draws and is None unless the verdict is
    interpolated or extrapolated. ``log10_interval`` holds the equal-tailed ends
    at ``level``; an end nothing bounds is None. For a lower bound the low end is
    the 5 % quantile, for an upper bound (a loss that runs off the curve's floor) the
    high end is the 95 % quantile. ``reasons`` explain a verdict that is not a plain number,
    ``flags`` are cautions. ``probabilities`` are P(CEG > 1), P(CEG > 5) and
    P(CEG > 20) over the draws, None without draws. ``draws`` are the log10 gains
    themselves, row k resting on draw k of the curve; they are not stored. ``slope_sd`` is
    how uncertain the slope is that the model's family climbs (of its natural log).
    """

    verdict: Verdict
    route: str
    log10_ratio: float | None
    log10_interval: tuple[float | None, float | None]
    level: float
    reasons: tuple[str, ...]
    flags: tuple[str, ...]
    bound: MeasuredBound | None
    bound_refusal: str | None
    probabilities: tuple[float, float, float] | None
    log10_compute: float | None
    draws: NDArray[np.float64] | None = None
    slope_sd: float | None = None

    @property
    def ratio(self) -> float | None:
        """The gain as a factor of training compute, where there is one."""
        return None if self.log10_ratio is None else 10.0**self.log10_ratio

    def __str__(self) -> str:
        said = statement(self.verdict, self.log10_ratio, self.log10_interval, self.level)
        return said if said == self.verdict else f"{said} ({self.verdict})"


def statement(
    verdict: Verdict,
    log10_ratio: float | None,
    log10_interval: tuple[float | None, float | None],
    level: float,
) -> str:
    """A gain as short text that says no more than its verdict allows.

    For a measured bound the interval holds the ends of the bound.
    """
    low, high = log10_interval
    if verdict in HAS_RATIO and log10_ratio is not None:
        return f"{formatting.ratio(log10_ratio)} ({level:.0%}: {formatting.interval(low, high)})"
    if verdict is Verdict.LOWER_BOUND and low is not None:
        return f"at least {formatting.ratio(low)}"
    if verdict is Verdict.UPPER_BOUND and high is not None:
        return f"at most {formatting.ratio(high)}"
    if verdict is Verdict.MEASURED_BOUND:
        return bound_text(low, high)
    return str(verdict)


def bound_text(lower: float | None, upper: float | None) -> str:
    """Measured bounds on log10 gain as ``> 8.5×``, ``< 26×`` or ``between 1.7–8.5×``."""
    if lower is not None and upper is not None:
        return f"between {formatting.interval(lower, upper)}"
    if lower is not None:
        return f"> {formatting.ratio(lower)}"
    return f"< {formatting.ratio(upper)}" if upper is not None else "unbounded"


def estimate_gain(
    comparison: Comparison,
    fit: ScalingFit,
    *,
    anchor: Anchor | str = Anchor.POSTERIOR,
    level: float = LEVEL,
    seed: int = SEED,
) -> GainEstimate:
    """Gain of one comparison on the curve of its series.

    ``anchor`` says where the base model stands on the curve: its own score and
    compute (posterior, the default), its score alone, or its compute alone.
    Raises ValueError if the comparison belongs to another series or the level is
    not between 0 and 1.
    """
    series = fit.series
    if comparison.series != series.slug:
        raise ValueError(f"comparison is on {comparison.series}, the fit on {series.slug}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1 (got {level:g})")
    model = series.models[comparison.model]
    found = measured_bound(comparison, series)
    bound = found if isinstance(found, MeasuredBound) else None
    refusal = found.reason if isinstance(found, BoundRefusal) else None
    flags = _flags(comparison, fit)

    def without_curve(reason: str) -> GainEstimate:
        verdict = Verdict.NOT_ESTIMABLE if bound is None else Verdict.MEASURED_BOUND
        ends = (None, None) if bound is None else (bound.lower, bound.upper)
        reasons = (reason,) if refusal is None or refusal == reason else (reason, refusal)
        route = "none" if bound is None else "measured"
        return GainEstimate(
            verdict,
            route,
            None,
            ends,
            level,
            reasons,
            flags,
            bound,
            refusal,
            None,
            model.log10_compute,
        )

    if model.log10_compute is None or model.compute_confidence is None:
        return without_curve(f"training compute of {model.model} is not known")
    if fit.draws is None:
        return without_curve(f"no curve: {fit.reasons[0]}")
    chance = series.settings.chance
    items = [effective_items(arm, series) for arm in (comparison.baseline, comparison.enhanced)]
    if in_floor_zone(comparison.baseline.score, items[0], chance) and in_floor_zone(
        comparison.enhanced.score, items[1], chance
    ):
        return without_curve("both scores are at the floor, where the curve says nothing")
    result = draw_gain(
        fit.draws,
        Measurement(
            model.log10_compute,
            COMPUTE_SD[model.compute_confidence],
            comparison.baseline.score,
            min(comparison.enhanced.score, max(SATURATED, comparison.baseline.score)),
            items[0],
            items[1],
            comparison.paired_se,
            comparison.mixed_sources,
        ),
        chance=chance,
        anchor=anchor,
        slope_sd=SLOPE_SPREAD if fit.slope_sd is None else fit.slope_sd,
        seed=seed_for("gain", series.slug, model.model, comparison.variant or "", root=seed),
        slope_seed=seed_for("slope", series.slug, model.family, root=seed),
        family=None if fit.families is None else fit.families.of(model.model),
    )
    verdict, reason = _verdict(result.log10_gain, model.log10_compute, comparison, fit)
    if verdict is Verdict.NOT_ESTIMABLE:
        return without_curve(reason)
    ends = interval(result.log10_gain, level)
    low, high = (float(end) if math.isfinite(end) else None for end in ends)
    if verdict is Verdict.LOWER_BOUND:
        low, high = _finite(quantiles(result.log10_gain, [0.05])[0]), None
    if verdict is Verdict.UPPER_BOUND:
        low, high = None, _finite(quantiles(result.log10_gain, [0.95])[0])
    if verdict is Verdict.NO_FINITE_EQUIVALENT:
        low, high = None, None
    median = float(quantiles(result.log10_gain, [0.5])[0])
    chances = [float(share(result.log10_gain > math.log10(times))) for times in (1, 5, 20)]
    return GainEstimate(
        verdict,
        "curve",
        median if verdict in HAS_RATIO else None,
        (low, high),
        level,
        (reason,) if reason else (),
        flags,
        bound,
        refusal,
        (chances[0], chances[1], chances[2]),
        model.log10_compute,
        result.log10_gain,
        float(np.std(result.log_slope)),
    )


def _verdict(
    draws: NDArray[np.float64], log10_compute: float, comparison: Comparison, fit: ScalingFit
) -> tuple[Verdict, str]:
    """Verdict from where the enhanced score falls on the base model's own curve."""
    smallest, largest = fit.log10_range
    reached = log10_compute + draws
    endless = float(share(np.isposinf(draws)))
    if endless > 0.5:
        return (
            Verdict.NO_FINITE_EQUIVALENT,
            "the enhanced score is at or over the ceiling of the curve",
        )
    # beyond a factor of ten outside the models fitted, an end is open
    open_above = float(share(reached > largest + 1.0)) > 0.05
    open_below = float(share(reached < smallest - 1.0)) > 0.05
    if open_above and open_below:
        return Verdict.NOT_ESTIMABLE, "the curve leaves the gain open at both ends"
    if comparison.enhanced.score >= SATURATED:
        return Verdict.LOWER_BOUND, f"the enhanced score is above {SATURATED:.1%}"
    if open_below:
        under = float(share(np.isneginf(draws))) > 0.05
        where = "under the curve's floor" if under else "a factor of ten below the smallest model"
        return Verdict.UPPER_BOUND, f"the enhanced score may lie {where}"
    if endless > 0.05:
        text = formatting.share(endless)
        return Verdict.LOWER_BOUND, f"no upper end: over the ceiling in {text} of draws"
    if open_above:
        return (
            Verdict.LOWER_BOUND,
            "the enhanced score may lie more than a factor of ten beyond the largest model",
        )
    if float(share(reached > largest)) > 0.05:
        return Verdict.EXTRAPOLATED, "reaches beyond the largest model fitted"
    if float(share(reached < smallest)) > 0.05:
        return Verdict.EXTRAPOLATED, "reaches below the smallest model fitted"
    return Verdict.INTERPOLATED, ""


def _flags(comparison: Comparison, fit: ScalingFit) -> tuple[str, ...]:
    series = fit.series
    flags = []
    if fit.status is FitStatus.DOUBTFUL:
        flags.append(f"doubtful fit ({'; '.join(fit.reasons)})")
    base = comparison.baseline
    if in_floor_zone(base.score, effective_items(base, series), series.settings.chance):
        flags.append("baseline at the floor: its own compute places it, error about a factor 3")
    if comparison.baseline.score > SATURATED:
        flags.append("baseline near the ceiling")
    if comparison.mixed_sources:
        flags.append("the two scores come from different sources")
    items = series.items_of(comparison.enhanced)
    if items is None:
        flags.append(f"number of items not stated ({UNKNOWN_ITEMS} assumed)")
    elif items < 100:
        flags.append(f"only {items} items")
    model = series.models[comparison.model]
    if model.compute_confidence is not None and COMPUTE_SD[model.compute_confidence] >= 0.5:
        flags.append("training compute is speculative (about a factor 3)")
    if comparison.enhanced.score < comparison.baseline.score:
        flags.append("the enhanced score is below the baseline")
    return tuple(flags)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
