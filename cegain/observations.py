"""What a series shows: how sure its scores and computes are, in one order and unit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cegain.curves import CurveData, Floats

# Items assumed where a source does not say how many there were.
UNKNOWN_ITEMS = 250.0
# Half a point of harness noise is always there; it also keeps near-zero scores,
# whose binomial error vanishes, from making the likelihood needle-sharp.
HARNESS_SD = 0.005
_LEAST_VARIANCE = 1e-3  # of one item, so that a score of exactly 0 is not certain

# Noise of a score at the floor beyond that of its items, where a score a little under
# chance says nothing about compute: the margin that makes a zone of it.
FLOOR_ZONE_SD = 0.02

OWN_SLOPE = 3  # members from which a family tells something about its own slope
LEAST_MEMBERS = 2  # of one recipe and off the floor, before gains rely on a family


def known_items(n_items: Floats) -> Floats:
    """Numbers of items, ``UNKNOWN_ITEMS`` where a source does not say."""
    return np.where(np.isfinite(n_items) & (n_items > 0), n_items, UNKNOWN_ITEMS)


def in_floor_zone(score: float, items: float | None, chance: float) -> bool:
    """Whether a score is too close to chance to place a model on the curve."""
    return bool(score < floor_zone(np.array([chance]), items)[0])


def floor_zone(floor: Floats, items: float | None) -> Floats:
    """Scores under which a model cannot be told from one that knows nothing."""
    n = UNKNOWN_ITEMS if items is None else items
    error = np.sqrt(np.maximum(floor * (1.0 - floor), 0.25 / n) / n)
    return np.asarray(floor + 3.0 * error + FLOOR_ZONE_SD)


@dataclass(frozen=True)
class Calibration:
    """What recorded computes with errors say of true ones: regression calibration.

    Errors in x flatten a curve; shrinking each x towards the mean by its own
    reliability undoes that. ``centre`` and ``variance`` are those of the true computes.
    """

    centre: float
    variance: float

    def expected(self, x: Floats, compute_sd: Floats) -> tuple[Floats, Floats]:
        """True computes to be expected of recorded ones, and the error left in them."""
        reliability = 1.0 / (1.0 + compute_sd**2 / self.variance)
        shrunk = self.centre + reliability * (x - self.centre)
        return np.asarray(shrunk), np.asarray(np.sqrt(reliability) * compute_sd)


def calibration(x: Floats, compute_sd: Floats) -> Calibration:
    """Of a series; computes that do not differ are left as they are."""
    spread = float(np.var(x)) if x.size > 1 else 0.0
    if spread <= 0.0:
        return Calibration(float(np.mean(x)), np.inf)
    true = max(spread - float(np.mean(compute_sd**2)), 0.2 * spread)
    return Calibration(float(np.mean(x)), true)


def calibrate_compute(x: Floats, compute_sd: Floats) -> tuple[Floats, Floats]:
    """Recorded computes of a series as ``Calibration.expected`` gives them."""
    return calibration(x, compute_sd).expected(x, compute_sd)


@dataclass(frozen=True)
class Observations:
    """A series made ready: centred, calibrated, members of a family side by side.

    ``x``, ``compute_sd``, ``score`` and ``variance`` have shape (N,). The first
    ``n_shared`` rows belong to families of two or more, which start at ``starts``;
    the others stand alone. ``family`` is the index of each row in the series, ``within``
    its x minus the mean of its family.
    ``noise_levels`` are the distinct values of compute_sd among the shared rows,
    ``noise_index`` the one each has. ``calibration`` is in log10 FLOP.
    """

    origin: float
    x: Floats
    family: NDArray[np.int64]
    within: Floats
    compute_sd: Floats
    score: Floats
    variance: Floats
    n_shared: int
    n_sloped: int
    n_sloped_families: int
    starts: NDArray[np.int64]
    largest_family: int
    noise_levels: Floats
    noise_index: NDArray[np.int64]
    calibration: Calibration


def observe(data: CurveData, *, members: Collection[str] | None = None) -> Observations:
    """Put a series in a canonical order and scale, so that neither matters later.

    With ``members`` only those models are kept, on the scale of the whole series and
    with a slope of their own from two of a family on.
    """
    data.require_sound()
    items = known_items(data.n_items)
    origin = float(np.median(data.log10_compute))
    # rounding makes the problem identical, bit for bit, in any unit of compute
    x = np.round(data.log10_compute - origin, 9)
    names = np.array(data.models, dtype=str)
    order = np.lexsort((names, data.compute_sd, items, data.score, x))
    x, compute_sd = x[order], np.round(data.compute_sd[order], 3)
    calibrated = calibration(x, compute_sd)
    x, compute_sd = calibrated.expected(x, compute_sd)
    own_slope = OWN_SLOPE
    if members is not None:
        kept, own_slope = np.isin(names[order], list(members)), LEAST_MEMBERS
        order, x, compute_sd = order[kept], x[kept], compute_sd[kept]
    _, first, inverse, size = np.unique(
        data.family[order], return_index=True, return_inverse=True, return_counts=True
    )
    # large families first, single models last; within, by smallest member
    rank = np.minimum(size, own_slope)[inverse]
    grouped = np.lexsort((np.arange(order.size), first[inverse], -rank))
    order, x, compute_sd = order[grouped], x[grouped], compute_sd[grouped]
    group, score, items = data.family[order], data.score[order], items[order]
    n_shared = int(np.sum(size[size > 1]))
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    starts = starts[starts < n_shared].astype(np.int64)
    ends = np.r_[starts[1:], n_shared][: starts.size]
    within = np.zeros(order.size)
    for start, end in zip(starts, ends, strict=True):
        within[start:end] = x[start:end] - x[start:end].mean()
    levels, index = np.unique(np.round(compute_sd[:n_shared], 2), return_inverse=True)
    variance = np.maximum(score * (1.0 - score), _LEAST_VARIANCE) / items + HARNESS_SD**2
    return Observations(
        origin=origin,
        x=x,
        family=group,
        within=within,
        compute_sd=compute_sd,
        score=score,
        variance=variance,
        n_shared=n_shared,
        n_sloped=int(np.sum(size[size >= own_slope])),
        n_sloped_families=int(np.sum(size >= own_slope)),
        starts=starts,
        largest_family=int(size.max()),
        noise_levels=levels,
        noise_index=index.astype(np.int64),
        calibration=replace(calibrated, centre=calibrated.centre + origin),
    )
