"""What the other sizes of a model's family, on the curve, say about it.

A family is ahead of its compute, or behind, and climbs faster or slower than the
average. Where the curve holds two sizes of it or more, both are drawn from what their
scores leave of them, given each draw of the curve: they place the base model better
than its own score does near the floor, and say which slope its enhanced version climbs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cegain.curves import LINKS, CurveData, CurveDraws, Floats
from cegain.likelihood import Curves, draw_shared
from cegain.observations import observe

LEAST_MEMBERS = 2  # on the curve, before a family says anything of itself


@dataclass(frozen=True)
class FamilyDraws:
    """One family on a curve; arrays of shape (K,), row k on row k of the curve draws.

    ``offset`` says how far ahead of its compute the family is, in decades, at the log10
    compute ``centre``; ``log_slope`` is the natural log of how much faster than the
    average family it climbs.
    """

    centre: float
    offset: Floats
    log_slope: Floats

    def lead(self, log10_compute: float) -> Floats:
        """Effective minus recorded compute expected of a member, in decades."""
        away = log10_compute - self.centre
        return np.asarray(self.offset + np.expm1(self.log_slope) * away)

    def take(self, rows: NDArray[np.int64]) -> FamilyDraws:
        """Only some of the draws."""
        return FamilyDraws(self.centre, self.offset[rows], self.log_slope[rows])


def draw_family(
    draws: CurveDraws,
    slope_sd: Floats,
    data: CurveData,
    family: str,
    *,
    seed: int | np.random.SeedSequence,
) -> FamilyDraws | None:
    """Offset and slope of a family given its models in ``data``; None for fewer than two.

    ``draws`` and ``slope_sd`` are those of a posterior; ``data`` is what it was fitted
    to, or a series the family was left out of, with the family back in.
    """
    if family not in data.families:
        return None
    index = data.families.index(family)
    if np.sum(data.family == index) < LEAST_MEMBERS:
        return None
    seen = observe(data, family=index)
    curves = Curves(
        floor=draws.floor,
        ceiling=draws.ceiling,
        slope=draws.slope,
        midpoint=draws.midpoint - seen.origin,
        shape=draws.shape,
        family_sd=draws.family_sd,
        model_sd=draws.model_sd,
        score_sd=draws.score_sd,
        slope_sd=slope_sd,
    )
    uniforms = np.random.default_rng(seed).random((3, len(draws)))
    offset, log_slope = np.empty(len(draws)), np.empty(len(draws))
    for link in np.unique(draws.link):
        rows = np.flatnonzero(draws.link == link)
        found = draw_shared(LINKS[link], curves.take(rows), seen, uniforms[:, rows])
        offset[rows], log_slope[rows] = found
    return FamilyDraws(float(seen.origin + seen.x.mean()), offset, log_slope)


class Families:
    """The families on one curve, each drawn when first asked for and kept from then on."""

    def __init__(self, draw: Callable[[str], FamilyDraws | None]) -> None:
        self._draw = draw
        self._found: dict[str, FamilyDraws | None] = {}

    def of(self, family: str) -> FamilyDraws | None:
        """Draws of one family; None where the curve holds fewer than two of it."""
        if family not in self._found:
            self._found[family] = self._draw(family)
        return self._found[family]

    def take(self, rows: NDArray[np.int64]) -> Families:
        """The same families on some of the draws of the curve."""

        def some(family: str) -> FamilyDraws | None:
            whole = self.of(family)
            return None if whole is None else whole.take(rows)

        return Families(some)
