"""Stored gains taken together: what pooling needs, read from results alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from cegain.pooling import GainToPool, PooledGain, pool_gains
from cegain.results import FitRecord, GainRecord

# A central 90 % interval is this many standard deviations wide
_WIDTH_90 = 3.29


def pool_stored(
    gains: Iterable[GainRecord], fits: Mapping[str, FitRecord], *, level: float = 0.90
) -> PooledGain:
    """Spread and mean of stored gains; unverified numbers are left out.

    Bounds and gains without an interval are counted, never averaged. What gains on
    one series share is the slope of its curve: its error, and its spread between
    families. Both are taken whole, which is more than the draws of the gains share:
    stored slopes also differ with the link, and families climb slopes of their own.
    """
    usable, left_out = [], 0
    for gain in gains:
        if not gain.headline_worthy:
            continue
        low, high = gain.interval
        if not gain.has_ratio or gain.ratio is None or low is None or high is None:
            left_out += 1
            continue
        usable.append(
            GainToPool(
                log10_gain=math.log10(gain.ratio),
                sd=max(math.log10(high / low) / _WIDTH_90, 1e-3),
                series=gain.series,
                slope_variance=_slope_variance(fits[gain.series]),
                study=gain.source,
            )
        )
    return pool_gains(usable, left_out=left_out, level=level)


def _slope_variance(fit: FitRecord) -> float:
    """Relative variance of a curve's slope: its own error and the spread between families."""
    low, _, high = fit.parameters["slope"]
    spread = fit.parameters["slope_sd"][1]
    return (math.log(high / low) / _WIDTH_90) ** 2 + spread**2
