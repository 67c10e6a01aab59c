"""Likelihood of a hierarchical effective-compute curve, offsets integrated out.

The model of one series, in decades of compute:

    theta_i = x_i + u_f(i) + e_i        u_f ~ N(0, family_sd^2)
                                        e_i ~ N(0, model_sd^2 + compute_sd_i^2)
    score_i ~ N(curve(theta_i), p_i (1 - p_i) / n_i + 0.005^2 + score_sd^2)

Both offsets are integrated numerically, for many parameter vectors at once. For
one model, the integral over theta uses Gauss-Legendre nodes placed where its score
and the prior leave mass, so a precise score is resolved and a score at the floor,
which says little, needs no special case. What a family shares is integrated on a
uniform grid; the nodes are spread onto that grid by cubic interpolation so that one
matrix product does the convolution with the model offsets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cegain.curves import Floats, Link
from cegain.observations import Observations

_REACH = 5.0  # standard deviations of offset considered either side
_EDGE = 5.0  # the same for the family grid
_SCORE_REACH = 5.5  # standard errors of score considered either side
_STEP = 0.5  # grid step, in standard deviations of the model offset
_NARROW = 8.0  # widths of site, in the same unit, up to which few nodes are enough
_FEW_NODES = 16
_MOST_NODES = 80  # family grid, either side of zero
_CHUNK = 16  # parameter vectors handled together: enough to amortise, small enough for cache
_MOST_CELLS = 2**23  # of one grid: beyond, vectors go one by one, for 16 have taken gigabytes
_TINY = 1e-300
_LIMIT = 300.0  # of exponents: e^-300 is nothing, and not yet slow
_FAR = 20.0
_SPLINE_VARIANCE = 1.0 / 3.0
# Log slopes of families, in standard deviations, and the weights of these nodes. Their
# spacing matters more than reach: at 0.9 sd the sum missed families whose scores pin
# their own slope, by up to 0.3 nats; at 0.45 it is within 0.05
_SLOPE_NODES = np.linspace(-2.7, 2.7, 13)
_SLOPE_LOG_WEIGHTS = -0.5 * _SLOPE_NODES**2 - np.log(np.sum(np.exp(-0.5 * _SLOPE_NODES**2)))
_FINE_NODES = np.linspace(-3.6, 3.6, 17)  # about what one family shows of its own
MOST_SPREAD = 1.5  # of log slopes: beyond, members would leave the grid
_LEAST_WIDTH = 0.25  # of a slope told by its family: what the nodes above can still tell
# Multiplications in one matrix product. Larger ones are split over threads by the
# linear-algebra library, which is slower here and lets the machine change last digits.
_SMALL_PRODUCT = 400_000


@dataclass(frozen=True)
class Curves:
    """Curve parameters of one link, each of shape (S,): what a likelihood is asked about.

    ``slope_sd`` is the standard deviation of the log slope between families.
    """

    floor: Floats
    ceiling: Floats
    slope: Floats
    midpoint: Floats
    shape: Floats
    family_sd: Floats
    model_sd: Floats
    score_sd: Floats
    slope_sd: Floats

    def take(self, rows: NDArray[np.int64]) -> Curves:
        """Some of the parameter vectors."""
        return Curves(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@lru_cache(maxsize=32)
def _legendre(nodes: int) -> tuple[Floats, Floats]:
    points, weights = np.polynomial.legendre.leggauss(nodes)
    return points, weights


def _ranges(link: Link, curves: Curves, seen: Observations) -> tuple[Floats, Floats, Floats]:
    """Offsets between which a model's score and the prior leave mass.

    Returns both ends and the standard deviation of the whole offset, each (S, N).
    """
    floor, span = curves.floor[:, None], (curves.ceiling - curves.floor)[:, None]
    slope, shape = curves.slope[:, None], curves.shape[:, None]
    shift = curves.midpoint[:, None] - seen.x
    spread = np.sqrt((curves.family_sd**2 + curves.model_sd**2)[:, None] + seen.compute_sd**2)
    noise = _SCORE_REACH * np.sqrt(seen.variance + curves.score_sd[:, None] ** 2)

    def offset_of(score: Floats) -> Floats:
        share = np.clip((score - floor) / span, 0.0, 1.0)
        return np.asarray(shift + link.quantile(share, shape) / slope)

    reach = _REACH * spread
    least, most = offset_of(seen.score - noise), offset_of(seen.score + noise)
    # where score and prior contradict each other, look where the score says
    low = np.where(least > reach, least, np.maximum(least, -reach))
    high = np.where(most < -reach, most, np.minimum(most, reach))
    low = np.where(most < -reach, np.maximum(least, most - spread), low)
    high = np.where(least > reach, np.minimum(most, least + spread), high)
    # a score over the ceiling, or under the floor, by more than its error
    over, under = np.isposinf(low), np.isneginf(high)
    low, high = np.where(over, 0.0, low), np.where(over, reach, high)
    return np.where(under, -reach, low), np.where(under, 0.0, high), spread


def _sites(
    link: Link,
    curves: Curves,
    seen: Observations,
    low: Floats,
    high: Floats,
    rows: NDArray[np.int64],
    nodes: int,
) -> tuple[Floats, Floats]:
    """Offsets at which the scores of some models are weighed, and those weights.

    Both of shape (S, len(rows), nodes).
    """
    floor, span = curves.floor[:, None, None], (curves.ceiling - curves.floor)[:, None, None]
    slope, shape = curves.slope[:, None, None], curves.shape[:, None, None]
    noise = np.sqrt(seen.variance[rows] + curves.score_sd[:, None] ** 2)
    low, half = low[:, rows], 0.5 * (high - low)[:, rows]
    points, weights = _legendre(nodes)
    offsets = (low + half)[:, :, None] + half[:, :, None] * points
    shift = curves.midpoint[:, None] - seen.x[rows]
    fitted = floor + span * link.cdf(slope * (offsets - shift[:, :, None]), shape)
    z = np.minimum(np.abs(fitted - seen.score[rows, None]) / noise[:, :, None], _FAR)
    scale = half / (noise * np.sqrt(2.0 * np.pi))
    return offsets, np.exp(-0.5 * z * z) * weights * scale[:, :, None]


def _cubic(p: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Lagrange weights of the points -1, 0, 1, 2 for a position p in [0, 1)."""
    up, down, far = p + 1.0, p - 1.0, p - 2.0
    pd, uf = p * down, up * far
    return -pd * far / 6.0, uf * down / 2.0, -uf * p / 2.0, up * pd / 6.0


def _spline(p: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Cubic B-spline weights of the points -1, 0, 1, 2 for a position p in [0, 1).

    Never negative, and their variance is one third of a step whatever p is.
    """
    q, square = 1.0 - p, p * p
    cube = square * p
    last = cube / 6.0
    first = q * q * q / 6.0
    second = 2.0 / 3.0 - square + 0.5 * cube
    return first, second, 1.0 - first - second - last, last


def _spread_on_grid(position: Floats, weight: Floats, size: int) -> Floats:
    """Distribute weights at fractional grid positions to their four neighbours.

    The spread this adds, ``_SPLINE_VARIANCE`` in squared steps, is constant and is
    taken off the kernel that follows. ``position`` and ``weight`` are (S, N, nodes);
    returns (S, N, size).
    """
    position = np.clip(position, 1.0, size - 3.0)
    cell = np.floor(position)
    rows = np.arange(position.shape[0] * position.shape[1]).reshape(*position.shape[:2], 1)
    index = rows * size + cell.astype(np.int64)
    total = np.zeros(rows.size * size)
    for step, share in enumerate(_spline(position - cell), start=-1):
        total += np.bincount(
            (index + step).ravel(), (share * weight).ravel(), minlength=rows.size * size
        )
    return total.reshape(*position.shape[:2], size)


def _member_logs(
    curves: Curves, seen: Observations, mass: Floats, step: Floats, half: int
) -> Floats:
    """Log likelihood of each member of a family, (S, n, J), from masses (S, n, nodes).

    The last axis runs over offsets of the family, from ``half`` steps down to minus that.
    """
    outer = mass.shape[2] // 2
    size = 2 * half + 1
    logs = np.empty((*mass.shape[:2], size))
    block = max(1, _SMALL_PRODUCT // (mass.shape[2] * size))
    distance = step[:, None] * np.arange(-outer - half, outer + half + 1)
    for level, noise in enumerate(seen.noise_levels):
        # where scatter is below what the grid resolves, it counts as what the grid resolves
        variance = np.maximum(curves.model_sd**2 + noise**2, (1.3 * step) ** 2)
        variance = (variance - _SPLINE_VARIANCE * step**2)[:, None]
        # no smaller exponent: denormal numbers would slow the product tenfold
        kernel = np.exp(np.maximum(-0.5 * distance**2 / variance, -_LIMIT))
        kernel /= np.sqrt(2.0 * np.pi * variance)
        # entry (k, j) depends on k + j only, with family offsets in falling order
        matrix = np.ascontiguousarray(sliding_window_view(kernel, size, axis=1))
        which = np.flatnonzero(seen.noise_index == level)
        for first in range(0, which.size, block):
            rows = which[first : first + block]
            logs[:, rows] = mass[:, rows] @ matrix
    return np.asarray(np.log(np.maximum(logs, _TINY, out=logs), out=logs))


def _families(curves: Curves, seen: Observations, logs: Floats, step: Floats) -> list[Floats]:
    """Log density of what each family shares, from the logs of its members (S, n, J).

    Each array has shape (S, families, slopes, J). Families without a slope of their own
    have but one.
    """
    n, families = seen.n_sloped, seen.n_sloped_families
    parts = []
    if families:
        sloped = _sloped(curves, seen, logs[:, :n], step, seen.starts[:families], _SLOPE_NODES)
        parts.append(sloped + _SLOPE_LOG_WEIGHTS[:, None])
    if families < seen.starts.size:
        plain = np.add.reduceat(logs[:, n:], seen.starts[families:] - n, axis=1)
        parts.append(plain[:, :, None, :])
    offsets = _offset_logs(curves, step, logs.shape[2] // 2)[:, None, None, :]
    return [part + offsets for part in parts]


def _offset_logs(curves: Curves, step: Floats, half: int) -> Floats:
    grid = (step / curves.family_sd)[:, None] * np.arange(half, -half - 1, -1)
    return np.asarray(-0.5 * grid**2)


def _sloped(
    curves: Curves,
    seen: Observations,
    logs: Floats,
    step: Floats,
    starts: NDArray[np.int64],
    nodes: Floats,
) -> Floats:
    """Log likelihood of families, (S, F, slopes, J), each under several own slopes.

    ``nodes`` are log slopes in their standard deviations, (slopes,) or (S, slopes).

    A family whose score climbs faster by a factor moves like one whose members lie
    further apart by that factor: a shift of each member's likelihood along the grid,
    done by cubic interpolation of its logarithm. Single precision is ample here: the
    interpolation is good to a thousandth, and this is where most of the time goes.
    """
    draws, n, size = logs.shape
    logs = logs.astype(np.float32)
    factors = np.expm1(_spread_of_slopes(curves)[:, None] * nodes)
    shifts = factors[:, None, :] * (seen.within[:n, None] / step[:, None, None])
    reach = min(int(np.ceil(np.max(np.abs(shifts)))), size - 1)
    # the grid runs downwards, so a shift up in offset is one down in position
    position = reach + 2.0 - np.clip(shifts, -reach, reach)
    cell = np.floor(position)
    shares = [share.astype(np.float32) for share in _cubic(position - cell)]
    padded = np.pad(logs, ((0, 0), (0, 0), (reach + 2, reach + 3)), mode="edge")
    windows = sliding_window_view(padded, size + 3, axis=2)
    row, member = np.arange(draws)[:, None], np.arange(n)
    out = np.empty((draws, starts.size, nodes.shape[-1], size))
    for q in range(nodes.shape[-1]):
        if not np.any(nodes[..., q]):
            out[:, :, q] = np.add.reduceat(logs, starts, axis=1)
            continue
        window = windows[row, member, cell[:, :, q].astype(np.int64) - 1]
        moved = shares[0][:, :, q, None] * window[:, :, :size]
        for k in (1, 2, 3):
            moved += shares[k][:, :, q, None] * window[:, :, k : size + k]
        out[:, :, q] = np.add.reduceat(moved, starts, axis=1)
    return out


def _chunk(
    link: Link, curves: Curves, seen: Observations, half: int, nodes: int
) -> tuple[Floats, Floats]:
    """Log likelihood of models without family, (S,), and of each of the others, (S, n, J)."""
    low, high, spread = _ranges(link, curves, seen)
    n, step = seen.n_shared, _EDGE * curves.family_sd / half
    outer = int(np.ceil(np.max(_REACH * spread / step[:, None]))) + 3
    count = curves.slope.size
    mass = np.empty((count, n, 2 * outer + 1))
    total = np.zeros(count)
    # most scores pin their model's offset; only those near floor or ceiling need many nodes
    narrow = np.sqrt(curves.model_sd[:, None] ** 2 + seen.compute_sd**2)
    wide = np.max((high - low) / narrow, axis=0) > _NARROW
    for group, size in ((np.flatnonzero(~wide), _FEW_NODES), (np.flatnonzero(wide), nodes)):
        shared, alone = group[group < n], group[group >= n]
        if shared.size:
            offsets, weights = _sites(link, curves, seen, low, high, shared, size)
            position = offsets / step[:, None, None] + outer
            mass[:, shared] = _spread_on_grid(position, weights, 2 * outer + 1)
        if alone.size:
            offsets, weights = _sites(link, curves, seen, low, high, alone, size)
            sd = spread[:, alone]
            exponent = -0.5 * (offsets / sd[:, :, None]) ** 2
            top = exponent.max(axis=2)
            exponent = np.maximum(exponent - top[:, :, None], -_LIMIT)
            single = np.sum(weights * np.exp(exponent), axis=2)
            scale = np.log(sd * np.sqrt(2.0 * np.pi))
            total += np.sum(np.log(np.maximum(single, _TINY)) + top - scale, axis=1)
    return total, _member_logs(curves, seen, mass, step, half)


def log_likelihood(
    link: Link, curves: Curves, seen: Observations, *, own_slopes: bool = True
) -> Floats:
    """Log likelihood of the series for each of S parameter vectors, shape (S,).

    Without ``own_slopes`` all families climb the same slope, which is twice as fast
    to compute and has its mode in nearly the same place.
    """
    if not own_slopes:
        seen = replace(seen, n_sloped=0, n_sloped_families=0)
    out = np.empty(curves.slope.size)
    for rows, half, nodes in _chunks(curves, seen):
        some = curves.take(rows)
        total, logs = _chunk(link, some, seen, half, nodes)
        step = _EDGE * some.family_sd / half
        for joint in _families(some, seen, logs, step):
            top = joint.max(axis=(2, 3))
            relative = np.maximum(joint - top[:, :, None, None], -_LIMIT)
            total += np.sum(np.log(np.sum(np.exp(relative), axis=(2, 3))) + top, axis=1)
        scale = np.log(step / (some.family_sd * np.sqrt(2.0 * np.pi)))
        out[rows] = total + seen.starts.size * scale
    return out


def draw_shared(
    link: Link, curves: Curves, seen: Observations, uniforms: Floats
) -> tuple[Floats, Floats]:
    """What one family shares, drawn given its scores: offset and log slope, each (S,).

    ``seen`` holds that family alone, two models at least. ``uniforms`` (3, S) choose a
    cell of slope and offset and the place within it, in that order; cells run by slope
    first, so that equal uniforms give neighbouring slopes.
    """
    offset, log_slope = np.empty(curves.slope.size), np.empty(curves.slope.size)
    for rows, half, nodes in _chunks(curves, seen):
        some = curves.take(rows)
        _, logs = _chunk(link, some, seen, half, nodes)
        step = _EDGE * some.family_sd / half
        # once to see where the slope may lie, then on a grid as fine as that needs
        at = np.broadcast_to(_SLOPE_NODES, (rows.size, _SLOPE_NODES.size))
        weight = _shared(some, seen, logs, step, at).sum(axis=2)
        weight /= weight.sum(axis=1, keepdims=True)
        centre = np.sum(weight * at, axis=1, keepdims=True)
        width = np.sqrt(np.sum(weight * (at - centre) ** 2, axis=1, keepdims=True))
        at = centre + np.maximum(width, _LEAST_WIDTH) * _FINE_NODES
        upper = np.cumsum(_shared(some, seen, logs, step, at).reshape(rows.size, -1), axis=1)
        chosen = np.sum(upper < (uniforms[0, rows] * upper[:, -1])[:, None], axis=1)
        slope, place = np.divmod(np.minimum(chosen, upper.shape[1] - 1), 2 * half + 1)
        within = uniforms[1:, rows] - 0.5
        z = at[np.arange(rows.size), slope] + (at[:, 1] - at[:, 0]) * within[0]
        log_slope[rows] = _spread_of_slopes(some) * z
        offset[rows] = step * (half - place + within[1])
    return offset, log_slope


def _shared(curves: Curves, seen: Observations, logs: Floats, step: Floats, at: Floats) -> Floats:
    """Density of a single family's slope, at (S, slopes) nodes, and offset: (S, slopes, J)."""
    found = _sloped(curves, seen, logs, step, seen.starts, at)[:, 0]
    found += _offset_logs(curves, step, logs.shape[2] // 2)[:, None, :] - 0.5 * at[:, :, None] ** 2
    found -= found.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.exp(np.maximum(found, -_LIMIT)))


def _spread_of_slopes(curves: Curves) -> Floats:
    return np.minimum(curves.slope_sd, MOST_SPREAD)


def _chunks(curves: Curves, seen: Observations) -> Iterator[tuple[NDArray[np.int64], int, int]]:
    """Parameter vectors to handle together, half their family grid and their nodes."""
    narrow = np.sqrt(curves.model_sd**2 + float(seen.compute_sd.min()) ** 2)
    # a family of n members pins its offset n^-1/2 times as tightly
    step = narrow * min(_STEP, 1.25 / np.sqrt(seen.largest_family))
    half = np.clip(np.ceil(_EDGE * curves.family_sd / step), 5, _MOST_NODES)
    ratio = np.hypot(curves.family_sd, narrow) / narrow
    nodes = 8 * np.ceil(np.clip(12.0 * ratio, 16.0, 72.0) / 8.0)
    order = np.lexsort((nodes, half))
    whole = curves.family_sd**2 + curves.model_sd**2 + float(seen.compute_sd.max()) ** 2
    wide = np.sqrt(whole) / curves.family_sd
    for start in range(0, order.size, _CHUNK):
        rows = order[start : start + _CHUNK]
        largest = int(half[rows].max()), int(nodes[rows].max())
        cells = 2.0 * rows.size * seen.n_shared * largest[0] * float(wide[rows].max())
        # a spread between families that is next to nothing, on a grid as fine as that
        for some in rows[:, None] if cells > _MOST_CELLS else (rows,):
            yield some, *largest
