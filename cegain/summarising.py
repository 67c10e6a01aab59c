"""Stored gains taken together: what pooling needs, read from results alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from cegain.pooling import GainToPool, PooledGain, pool_gains
from cegain.results import FitRecord, GainRecord

# A central 90 % interval is this many standard deviations wide
WIDTH_90 = 3.29


def pool_stored(
    gains: Iterable[GainRecord], fits: Mapping[str, FitRecord], *, level: float = 0.90
) -> PooledGain:
    """Spread and mean of stored gains; unverified numbers are left out.

    Bounds and gains without an interval are counted, never averaged. Gains on one series
    share the error of how steeply its curve climbs, and those of one family on it also
    what is not known of the family's own slope.
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
                sd=max(math.log10(high / low) / WIDTH_90, 1e-3),
                series=gain.series,
                curve_variance=curve_variance(fits[gain.series]),
                family=_family(gain, fits[gain.series]),
                family_variance=(gain.slope_sd or 0.0) ** 2,
                study=gain.source,
            )
        )
    return pool_gains(usable, left_out=left_out, level=level)


def curve_variance(fit: FitRecord) -> float:
    """Relative variance of how steeply a curve climbs between its models."""
    low, _, high = fit.parameters["climb"]
    return (math.log(high / low) / WIDTH_90) ** 2


def _family(gain: GainRecord, fit: FitRecord) -> str:
    """Family of the base model, or the model itself where it is not on the curve."""
    return next((m.family for m in fit.models if m.model == gain.model), gain.model)
