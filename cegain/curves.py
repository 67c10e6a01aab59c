"""Curves from compute to score, and back: forward and inverse are twins.

Every family here is location-scale in log10 compute,

    score(x) = floor + (ceiling - floor) * F(slope * (x - midpoint)),

and differs only in its link F. A new family is one row of ``LINKS``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cegain.errors import FitError

Floats = NDArray[np.float64]

FLOOR_RULES = ("near-chance", "fixed", "free")

# exp() overflows past 709; links saturate long before that
_LIMIT = 700.0


@dataclass(frozen=True)
class Link:
    """A monotone map from the real line to (0, 1) and its inverse.

    ``cdf(t, shape)`` and ``quantile(p, shape)`` broadcast. ``quantile`` gives
    -inf for p <= 0 and +inf for p >= 1. ``shape`` is ignored where
    ``default_shape`` is None. ``typical_slope`` is the slope per decade of
    compute that matches one logit per decade at mid-scale.
    """

    name: str
    version: int
    cdf: Callable[[Floats, Floats], Floats]
    quantile: Callable[[Floats, Floats], Floats]
    default_shape: float | None = None


def _logistic_cdf(t: Floats, shape: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(t, -_LIMIT, _LIMIT))))


def _logistic_quantile(p: Floats, shape: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p) - np.log1p(-p))


def _gompertz_cdf(t: Floats, shape: Floats) -> Floats:
    return np.asarray(np.exp(-np.exp(-np.clip(t, -6.0, _LIMIT))))


def _gompertz_quantile(p: Floats, shape: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(-np.log(p)))


def _richards_cdf(t: Floats, shape: Floats) -> Floats:
    # 1 - (1 + e^t)^-A: logistic for A = 1, a power law in the error as A -> 0
    softplus = np.logaddexp(0.0, t)
    return np.asarray(-np.expm1(-shape * softplus))


def _richards_quantile(p: Floats, shape: Floats) -> Floats:
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        power = -np.log1p(-p) / shape
        # log(e^power - 1) without overflow
        return np.asarray(np.where(power > 30.0, power, np.log(np.expm1(np.minimum(power, 30.0)))))


LINKS: tuple[Link, ...] = (
    Link("logistic", 1, _logistic_cdf, _logistic_quantile),
    Link("gompertz", 1, _gompertz_cdf, _gompertz_quantile),
    Link("richards", 1, _richards_cdf, _richards_quantile, default_shape=0.4),
)
LINK_INDEX = {link.name: index for index, link in enumerate(LINKS)}


@dataclass(frozen=True)
class CurveDraws:
    """Draws of a curve and of the scatter around it; every array has shape (K,).

    ``link`` indexes ``LINKS``. ``slope`` is per decade of compute,
    ``midpoint`` in log10 FLOP. ``family_sd`` and ``model_sd`` are standard
    deviations in decades of compute; ``score_sd`` is in score units.
    """

    link: NDArray[np.int64]
    floor: Floats
    ceiling: Floats
    slope: Floats
    midpoint: Floats
    shape: Floats
    family_sd: Floats
    model_sd: Floats
    score_sd: Floats

    def __len__(self) -> int:
        return int(self.link.size)

    def take(self, rows: NDArray[np.int64]) -> CurveDraws:
        """Only some of the draws."""
        return CurveDraws(*(getattr(self, field.name)[rows] for field in fields(self)))

    def score(self, log10_compute: Floats) -> Floats:
        """Score at a log10 compute: (K,) or (K, G) in, same shape out."""
        return self._by_link(np.asarray(log10_compute, dtype=float), inverse=False)

    def log10_compute(self, score: Floats) -> Floats:
        """log10 compute at which the curve reaches a score: twin of ``score``.

        -inf at or under the floor, +inf at or over the ceiling.
        """
        return self._by_link(np.asarray(score, dtype=float), inverse=True)

    def _by_link(self, values: Floats, *, inverse: bool) -> Floats:
        if values.ndim == 0:
            values = np.full(len(self), float(values))
        out = np.empty(np.broadcast_shapes(values.shape, (len(self),) + (1,) * (values.ndim - 1)))
        values = np.broadcast_to(values, out.shape)
        tail = (slice(None),) + (None,) * (values.ndim - 1)
        for index in np.unique(self.link):
            rows = self.link == index
            link = LINKS[index]
            floor, ceiling = self.floor[rows][tail], self.ceiling[rows][tail]
            slope, midpoint = self.slope[rows][tail], self.midpoint[rows][tail]
            shape = self.shape[rows][tail]
            if inverse:
                share = np.clip((values[rows] - floor) / (ceiling - floor), 0.0, 1.0)
                out[rows] = midpoint + link.quantile(share, shape) / slope
            else:
                t = slope * (values[rows] - midpoint)
                out[rows] = floor + (ceiling - floor) * link.cdf(t, shape)
        return out


@dataclass(frozen=True)
class CurveData:
    """What one series offers to a fit; arrays have shape (N,), one entry per model.

    ``log10_compute`` with ``compute_sd`` (its error, decades); ``score`` with
    ``n_items``; ``family`` is an index 0..F-1. ``chance`` and ``ceiling`` are
    those declared for the series, ``floor_rule`` is a ``records.Floor`` value.
    """

    models: tuple[str, ...]
    families: tuple[str, ...]
    log10_compute: Floats
    compute_sd: Floats
    score: Floats
    n_items: Floats
    family: NDArray[np.int64]
    chance: float
    ceiling: float
    floor_rule: str = "near-chance"

    def __len__(self) -> int:
        return int(self.score.size)

    def require_sound(self) -> None:
        """Raise ``FitError`` naming everything that keeps this from being a series.

        Unknown numbers of items (NaN) are no fault: ``likelihood.UNKNOWN_ITEMS``
        stands in for them.
        """
        faults = self._faults()
        if faults:
            raise FitError("; ".join(faults))

    def _faults(self) -> list[str]:
        n = len(self)
        if n == 0:
            return ["a curve needs at least one model with a score and a known compute"]
        columns = (self.models, self.log10_compute, self.compute_sd, self.n_items, self.family)
        if any(len(column) != n for column in columns):
            return [f"there are {n} scores, and not as many models, computes, errors and items"]
        faults = []
        if not np.all(np.isfinite(np.r_[self.log10_compute, self.compute_sd, self.score])):
            faults.append("compute, its error and scores must be finite numbers")
        if np.any((self.score < 0.0) | (self.score > 1.0)):
            faults.append("scores are fractions between 0 and 1 (percentages are divided by 100)")
        if np.any(self.compute_sd < 0.0):
            faults.append("an error of compute is negative")
        if np.any(self.n_items <= 0.0) or np.any(np.isinf(self.n_items)):
            faults.append("numbers of items must be above zero and finite, or NaN if not known")
        if not 0.0 <= self.chance < self.ceiling <= 1.0:
            faults.append(
                "chance must lie below the ceiling, both between 0 and 1"
                f" (got {self.chance:g} and {self.ceiling:g})"
            )
        if self.floor_rule not in FLOOR_RULES:
            faults.append(
                f"the floor must be one of {', '.join(FLOOR_RULES)} (got {self.floor_rule!r})"
            )
        if np.any((self.family < 0) | (self.family >= max(len(self.families), 1))):
            faults.append("a family index points to no family")
        twice = [name for name, count in Counter(self.models).items() if count > 1]
        if twice:
            faults.append(f"a model counts once (there more than once: {', '.join(twice[:3])})")
        return faults

    def items_of(self, row: int) -> float | None:
        """Items behind a score, None where they are not known."""
        items = float(self.n_items[row])
        return items if 0.0 < items < np.inf else None

    def without_family(self, family: str) -> CurveData:
        """The same data with every model of one family left out."""
        keep = self.family != self.families.index(family)
        names = tuple(name for name, kept in zip(self.models, keep, strict=True) if kept)
        left = [name for name in self.families if name != family]
        index = np.array([left.index(self.families[i]) for i in self.family[keep]], dtype=np.int64)
        return CurveData(
            names,
            tuple(left),
            self.log10_compute[keep],
            self.compute_sd[keep],
            self.score[keep],
            self.n_items[keep],
            index,
            self.chance,
            self.ceiling,
            self.floor_rule,
        )
