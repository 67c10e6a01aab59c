"""Measured bounds: what published sizes alone say about a gain, with no curve at all.

If a small enhanced model scores at least as high as a larger unenhanced one of
the same series, its gain is at least the ratio of their computes; if it scores
below one, at most (Davidson et al. 2023, section 2 and appendix A).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from cegain.observations import UNKNOWN_ITEMS, in_floor_zone
from cegain.records import Arm, Comparison, Point, Series

SMALL_SERIES = 8  # models below which other families may serve for a bound
FLOOR_SHARE = 0.10  # a curve that stays within this share of its floor has not left it


@dataclass(frozen=True)
class MeasuredBound:
    """Bounds on log10 gain from comparisons that hold with ``confidence``.

    ``lower`` and ``upper`` are log10 ratios (None: no model to compare with);
    the models that set them are named. ``interpolated`` lies between the two
    models, in log compute on the logit of the score, where both exist.
    ``same_family`` is False for the weaker kind, across families.
    """

    lower: float | None
    upper: float | None
    lower_model: str | None
    upper_model: str | None
    interpolated: float | None
    same_family: bool
    confidence: float


@dataclass(frozen=True)
class BoundRefusal:
    """Why the published sizes say nothing about this gain."""

    reason: str


@dataclass(frozen=True)
class _Rung:
    model: str
    log10_compute: float
    score: float
    variance: float


def measured_bound(
    comparison: Comparison, series: Series, *, confidence: float = 0.95
) -> MeasuredBound | BoundRefusal:
    """Bounds on a comparison's gain from the unenhanced scores of its series.

    Models of the same family come first; only where they bound nothing, and the
    series is too small for a curve (under ``SMALL_SERIES`` models), are other
    families used: the extremes over many families would be a selection of lucky
    ones. A comparison of two scores counts when it holds with ``confidence`` given
    the sampling errors of both.
    """
    base = series.models[comparison.model]
    if base.log10_compute is None:
        return BoundRefusal(f"training compute of {base.model} is not known")
    own = _Rung(
        base.model,
        base.log10_compute,
        comparison.baseline.score,
        score_variance(comparison.baseline, series),
    )
    chance = series.settings.chance
    if all(
        in_floor_zone(arm.score, series.items_of(arm), chance)
        for arm in (comparison.baseline, comparison.enhanced)
    ):
        return BoundRefusal("both scores are at the floor")
    others = [
        (series.models[point.model].family, _rung(point, series))
        for point in series.fitted_points
        if point.model != base.model
    ]
    family = [rung for name, rung in others if name == base.family]
    refusals: list[str] = []
    for ladder, same in ((family, True), ([rung for _, rung in others], False)):
        if not ladder or (not same and len(others) >= SMALL_SERIES):
            continue
        found = _from_ladder(comparison.enhanced, own, ladder, series, same, confidence)
        if isinstance(found, MeasuredBound):
            return found
        refusals.append(found.reason)
    return BoundRefusal(refusals[0] if refusals else "no other model of its family is measured")


def score_variance(arm: Arm | Point, series: Series) -> float:
    """Sampling variance of a score: published error, else binomial (Jeffreys mean).

    With n unknown, the series' own is taken, and without one ``UNKNOWN_ITEMS``. The
    Jeffreys mean keeps a score of 0 or 1 from looking exact.
    """
    if arm.score_se is not None and arm.score_se > 0:
        return arm.score_se**2
    n = series.items_of(arm) or UNKNOWN_ITEMS
    p = (arm.score * n + 0.5) / (n + 1)
    return p * (1 - p) / n


def left_its_floor(scores: list[float], chance: float, ceiling: float) -> bool:
    """Whether any score has climbed a tenth of the way from chance to ceiling."""
    return max(scores) >= chance + FLOOR_SHARE * (ceiling - chance)


def _rung(point: Point, series: Series) -> _Rung:
    log10_compute = series.models[point.model].log10_compute
    assert log10_compute is not None  # fitted_points have compute
    return _Rung(point.model, log10_compute, point.score, score_variance(point, series))


def _from_ladder(
    arm: Arm, own: _Rung, ladder: list[_Rung], series: Series, same_family: bool, confidence: float
) -> MeasuredBound | BoundRefusal:
    rungs = sorted([own, *ladder], key=lambda rung: (rung.log10_compute, rung.model))
    settings = series.settings
    if not left_its_floor([rung.score for rung in rungs], settings.chance, settings.ceiling):
        return BoundRefusal(
            "unenhanced models stay within a tenth of the floor at every size, "
            "so compute is not shown to help"
        )
    critical = NormalDist().inv_cdf(confidence)
    low, high = rungs[0], max(rungs[1:], key=lambda rung: rung.score)
    if _z(high.score, high.variance, low) < critical:
        return BoundRefusal("unenhanced scores do not rise with compute over these models")
    variance = score_variance(arm, series)
    beaten = [rung for rung in rungs if _z(arm.score, variance, rung) >= critical]
    unbeaten = [rung for rung in rungs if _z(arm.score, variance, rung) <= -critical]
    lower = max(beaten, key=lambda rung: rung.log10_compute, default=None)
    upper = min(unbeaten, key=lambda rung: rung.log10_compute, default=None)
    # beating the base model itself, or only smaller ones, bounds nothing worth printing
    if upper is None and (lower is None or lower.log10_compute <= own.log10_compute):
        return BoundRefusal("no larger or smaller model is told apart from the enhanced score")
    if lower and upper and lower.log10_compute > upper.log10_compute:
        return BoundRefusal(
            f"unenhanced scores contradict each other: {lower.model} is beaten, "
            f"the smaller {upper.model} is not"
        )
    return MeasuredBound(
        lower.log10_compute - own.log10_compute if lower else None,
        upper.log10_compute - own.log10_compute if upper else None,
        lower.model if lower else None,
        upper.model if upper else None,
        _interpolate(arm.score, rungs, own),
        same_family,
        confidence,
    )


def _z(score: float, variance: float, rung: _Rung) -> float:
    return (score - rung.score) / math.sqrt(variance + rung.variance)


def _interpolate(score: float, rungs: list[_Rung], own: _Rung) -> float | None:
    below = [rung for rung in rungs if rung.score <= score]
    above = [rung for rung in rungs if rung.score > score]
    if not below or not above:
        return None
    low = max(below, key=lambda rung: rung.log10_compute)
    high = min(above, key=lambda rung: rung.log10_compute)
    if high.log10_compute <= low.log10_compute:
        return None
    part = (_logit(score) - _logit(low.score)) / (_logit(high.score) - _logit(low.score))
    at = low.log10_compute + part * (high.log10_compute - low.log10_compute)
    return at - own.log10_compute


def _logit(score: float) -> float:
    share = min(max(score, 1e-3), 1 - 1e-3)
    return math.log(share / (1 - share))
