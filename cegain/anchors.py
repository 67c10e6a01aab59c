"""From two scores to a gain: the numerical kernel, on draws of a curve.

The gain of an enhancement is how much further along compute the same recipe would
have to go to reach the enhanced score. Three ways to place the base model:

``posterior``  its effective compute given its score *and* its recorded compute:
               where the score is informative the offset of its family cancels,
               at the floor its compute decides (the default);
``score``      the compute at which the curve reaches its score;
``model``      its recorded compute; the offset of its family enters as scatter.

Infinite draws are results and are kept: a score over the ceiling of a draw has no
finite equivalent there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import betaincinv, ndtr

from cegain.curves import CurveDraws, Floats
from cegain.families import FamilyDraws
from cegain.observations import FLOOR_ZONE_SD, UNKNOWN_ITEMS, floor_zone, in_floor_zone

SLOPE_SPREAD = 0.2  # of the log slope between families, where it is not estimated
# Noise of a score beyond that of its items: one harness; two publications.
SAME_SOURCE_SD, MIXED_SOURCE_SD = 0.005, 0.025

_KNOTS = np.linspace(-6.0, 6.0, 97)  # normal scores at which Beta quantiles are computed
_CELLS = 48  # of the base offset's distribution
_REACH = 4.5  # standard deviations of offset considered
_LEAST_VARIANCE = 1e-3  # of one item: a score of exactly 0 is not certain


class Anchor(StrEnum):
    """How the base model is placed on the curve."""

    POSTERIOR = "posterior"
    SCORE = "score"
    MODEL = "model"


@dataclass(frozen=True)
class Measurement:
    """One comparison as numbers.

    ``log10_compute`` of the base model in log10 FLOP and ``compute_sd``, its error
    in decades; scores are fractions; numbers of items may be None. ``paired_se`` is
    the standard error of the difference, from item-level results.
    """

    log10_compute: float
    compute_sd: float
    baseline: float
    enhanced: float
    baseline_items: float | None = None
    enhanced_items: float | None = None
    paired_se: float | None = None
    mixed_sources: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError naming everything that no comparison can have."""
        faults = []
        if not math.isfinite(self.log10_compute):
            faults.append("log10 compute must be finite")
        if not (math.isfinite(self.compute_sd) and self.compute_sd >= 0.0):
            faults.append("the error of compute must be finite and not negative")
        for arm, score in (("baseline", self.baseline), ("enhanced", self.enhanced)):
            if not 0.0 <= score <= 1.0:
                faults.append(f"the {arm} score must be a fraction (got {score:g})")
        for arm, items in (("baseline", self.baseline_items), ("enhanced", self.enhanced_items)):
            if items is not None and not 0.0 < items < math.inf:
                faults.append(f"the {arm} needs a number of items above zero (got {items:g})")
        if self.paired_se is not None and not 0.0 < self.paired_se < math.inf:
            faults.append(f"a paired error is above zero (got {self.paired_se:g})")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True)
class GainDraws:
    """Draws of one gain; arrays of shape (K,), row k on row k of the curve draws.

    ``log10_gain`` and ``base_offset`` (effective minus recorded compute of the base
    model) in decades, ``enhanced_compute`` in log10 FLOP: where the curve, without
    the base model's offset, reaches the enhanced score. ``log_slope`` is the natural log
    of how much faster than the average family the enhanced model climbs.
    """

    log10_gain: Floats
    enhanced_compute: Floats
    base_offset: Floats
    log_slope: Floats
    at_floor: bool


def score_draws(score: float, items: float | None, z: Floats) -> Floats:
    """Scores a run could have had, from normal scores ``z``: Jeffreys-Beta.

    Increasing in ``z`` and, for the same ``z``, increasing in ``score``.
    """
    n = UNKNOWN_ITEMS if items is None else items
    hits = score * n
    knots = betaincinv(hits + 0.5, n - hits + 0.5, ndtr(_KNOTS))
    return np.asarray(np.interp(z, _KNOTS, knots))


def _binomial_variance(score: float, items: float | None) -> float:
    n = UNKNOWN_ITEMS if items is None else items
    return max(score * (1.0 - score), _LEAST_VARIANCE) / n


def _base_offsets(
    draws: CurveDraws,
    base: Measurement,
    family: FamilyDraws | None,
    noise: Floats,
    uniform: Floats,
) -> Floats:
    """Offset of the base model in decades, drawn given its score and its compute.

    Offsets of its family where that is known, or else of all families, times the
    likelihood of the score, on cells that span what both allow, inverted at ``uniform``.
    """
    if family is None:
        expected = np.full(len(draws), base.log10_compute)
        spread = np.sqrt(draws.family_sd**2 + draws.model_sd**2 + base.compute_sd**2)
    else:
        expected, error = family.place(base.log10_compute, base.compute_sd)
        spread = np.hypot(draws.model_sd, error)
    sd = np.sqrt(_binomial_variance(base.baseline, base.baseline_items) + noise**2)
    reach = _REACH * spread
    least = draws.log10_compute(base.baseline - 5.0 * sd) - expected
    most = draws.log10_compute(base.baseline + 5.0 * sd) - expected
    low, high = np.maximum(least, -reach), np.minimum(most, reach)
    # score and compute contradict each other: believe the score, as near as it allows
    low = np.where(least > reach, least, np.where(most < -reach, most - spread, low))
    high = np.where(most < -reach, most, np.where(least > reach, least + spread, high))
    # over the ceiling, or under the floor, of a draw: as far as offsets go
    low, high = np.where(np.isposinf(low), reach, low), np.where(np.isposinf(low), reach, high)
    low, high = np.where(np.isneginf(high), -reach, low), np.where(np.isneginf(high), -reach, high)
    width = (high - low) / _CELLS
    middles = low[:, None] + width[:, None] * (np.arange(_CELLS) + 0.5)
    misfit = (draws.score(expected[:, None] + middles) - base.baseline) / sd[:, None]
    exponent = -0.5 * ((middles / spread[:, None]) ** 2 + misfit**2)
    density = np.exp(np.maximum(exponent - exponent.max(axis=1, keepdims=True), -300.0))
    upper = np.cumsum(density, axis=1)
    target = uniform * upper[:, -1]
    cell = np.minimum(np.sum(upper < target[:, None], axis=1), _CELLS - 1)
    rows = np.arange(len(draws))
    inside = (upper[rows, cell] - target) / density[rows, cell]
    within = low + width * (cell + 1.0 - np.clip(inside, 0.0, 1.0))
    return np.asarray(expected - base.log10_compute + within)


def _exchanged(z: Floats) -> Floats:
    """Let the second half of the rows repeat the first with the two arms exchanged.

    Equal arms then rise as often as they fall, and noise cancels better elsewhere.
    """
    half = z.shape[1] // 2
    for one, other in ((0, 1), (2, 3)):
        z[one, half : 2 * half] = z[other, :half]
        z[other, half : 2 * half] = z[one, :half]
    return z


def _difference(enhanced: Floats, base: Floats, sign: Floats) -> Floats:
    """Difference of effective computes; two infinite ends of one kind say nothing.

    Such a draw goes to either infinity, by ``sign``: the gain could be anything.
    """
    lost = np.isinf(enhanced) & (enhanced == base)
    with np.errstate(invalid="ignore"):
        gap = enhanced - base
    return np.where(lost, np.where(sign >= 0.0, np.inf, -np.inf), gap)


def draw_gain(
    draws: CurveDraws,
    measured: Measurement,
    *,
    chance: float,
    seed: int | np.random.SeedSequence,
    anchor: Anchor | str = Anchor.POSTERIOR,
    slope_sd: float | Floats = SLOPE_SPREAD,
    slope_seed: int | np.random.SeedSequence | None = None,
    family: FamilyDraws | None = None,
) -> GainDraws:
    """Draws of log10 compute-equivalent gain of one comparison.

    ``slope_sd`` is the spread of log slopes between families, one number or one per
    draw: the enhanced model climbs its own family's slope, not the average one.
    ``slope_seed`` draws that slope; gains of one family on one curve should share it,
    because they climb the same one. Without it the slope is this comparison's own.
    ``family`` is what other sizes of the base model's family on this curve say: its
    offset helps the posterior anchor, and where it reaches beyond the base model its
    slope replaces one drawn blindly.
    For one seed the gain rises with the enhanced score, draw by draw.
    """
    anchor = Anchor(anchor)
    rng = np.random.default_rng(seed)
    # always the same five columns: what one anchor ignores does not move another
    z = _exchanged(rng.standard_normal((5, len(draws))))
    z_enhanced, z_base, z_extra, z_extra_base, z_slope = z
    if slope_seed is not None:
        z_slope = np.random.default_rng(slope_seed).standard_normal(len(draws))
    n0, n1 = measured.baseline_items, measured.enhanced_items
    noise = MIXED_SOURCE_SD if measured.mixed_sources else SAME_SOURCE_SD
    # each draw has its own floor, so being near it is a matter of degree
    low = measured.baseline < floor_zone(draws.floor, n0)
    base_noise = np.where(low, max(noise, FLOOR_ZONE_SD), noise)
    at_floor = in_floor_zone(measured.baseline, n0, chance)
    v0, v1 = _binomial_variance(measured.baseline, n0), _binomial_variance(measured.enhanced, n1)
    if anchor is Anchor.SCORE:
        drawn = score_draws(measured.baseline, n0, z_base)
        base_score = np.clip(drawn + base_noise * z_extra_base, 0.0, 1.0)
        base = draws.log10_compute(base_score)
        error = drawn - measured.baseline
    else:
        spread = np.sqrt(draws.family_sd**2 + draws.model_sd**2 + measured.compute_sd**2)
        offset = spread * z_base
        if anchor is Anchor.POSTERIOR:
            offset = _base_offsets(draws, measured, family, base_noise, ndtr(z_base))
        base = measured.log10_compute + offset
        # the part of the misfit that is luck with the items of the baseline
        error = (draws.score(base) - measured.baseline) * v0 / (v0 + base_noise**2)
    if measured.paired_se is None or anchor is Anchor.MODEL:
        enhanced_score = score_draws(measured.enhanced, n1, z_enhanced)
    else:
        # luck shared by both arms, from the variance of their difference
        shared = np.clip(0.5 * (v0 + v1 - measured.paired_se**2), -1.0, 1.0) / v0
        own = np.sqrt(max(v1 - shared**2 * v0, 0.0))
        enhanced_score = measured.enhanced + shared * error + own * z_enhanced
    enhanced_score = np.clip(enhanced_score + noise * z_extra, 0.0, 1.0)
    reached = draws.log10_compute(enhanced_score)
    log_slope = np.asarray(-np.asarray(slope_sd) * z_slope)
    if family is not None and family.reach > measured.log10_compute:
        # a slope seen only below the base model did not make real siblings' gains better
        log_slope = family.log_slope
    # so many decades on the average family's curve are fewer on a steeper one
    gain = _difference(reached, base, z_slope) * np.exp(-log_slope)
    offset = np.asarray(base - measured.log10_compute)
    return GainDraws(gain, reached, offset, log_slope, at_floor)
