"""What the other sizes of a model's family, on the curve, say about it.

A family is ahead of its compute, or behind, and climbs faster or slower than the
average. Where the curve holds several sizes of it that were trained alike, both are
drawn from what their scores leave of them, given each draw of the curve: they place the
base model better than its own score does near the floor, and say which slope its
enhanced version climbs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cegain.curves import LINKS, CurveData, CurveDraws, Floats
from cegain.likelihood import Curves, draw_shared
from cegain.observations import LEAST_MEMBERS, Calibration, in_floor_zone, observe

TOKEN_TOLERANCE = 1.15  # between training tokens of sizes that share a recipe


def trained_alike(tokens: float | None, others: float | None) -> bool:
    """Whether two models of a family were trained on about as many tokens, both known."""
    if not tokens or not others:
        return False
    return 1.0 / TOKEN_TOLERANCE - 1e-9 <= tokens / others <= TOKEN_TOLERANCE + 1e-9


@dataclass(frozen=True)
class FamilyDraws:
    """One family on a curve; arrays of shape (K,), row k on row k of the curve draws.

    ``offset`` says how far ahead of its compute the family is, in decades, at the log10
    compute ``centre``; ``log_slope`` is the natural log of how much faster than the
    average family it climbs. ``reach`` is the log10 compute of its largest size and
    ``calibration`` that of the series, in log10 FLOP.
    """

    centre: float
    offset: Floats
    log_slope: Floats
    reach: float
    calibration: Calibration

    def place(self, log10_compute: float, compute_sd: float) -> tuple[Floats, float]:
        """Effective compute (K,) to be expected of a member, and the error of its own."""
        x, error = self.calibration.expected(np.array(log10_compute), np.array(compute_sd))
        place = x + self.offset + np.expm1(self.log_slope) * (x - self.centre)
        return np.asarray(place), float(error)

    def take(self, rows: NDArray[np.int64]) -> FamilyDraws:
        """Only some of the draws."""
        return replace(self, offset=self.offset[rows], log_slope=self.log_slope[rows])


def draw_family(
    draws: CurveDraws,
    slope_sd: Floats,
    data: CurveData,
    members: Collection[str],
    *,
    seed: int | np.random.SeedSequence,
) -> FamilyDraws | None:
    """Offset and slope of a family given those of its members that are in ``data``.

    ``members`` share a recipe. None where fewer than two of them are off the floor: what
    has not begun to climb says nothing of its slope. ``draws`` and ``slope_sd`` are those
    of a posterior; ``data`` is what it was fitted to, or a series the family was left out
    of, with the family back in. The base model should be among the members: its own
    point on the curve then counts here, and the score of its comparison only for what is
    its own (``anchors``), which is exact where the two are one measurement. A family of
    two climbs a slope of its own here, and that of all others in the fit.
    """
    if not tells(data, members):
        return None
    seen = observe(data, members=members)
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
    return FamilyDraws(
        centre=float(seen.origin + seen.x.mean()),
        offset=offset,
        log_slope=log_slope,
        reach=reach(data, members),
        calibration=seen.calibration,
    )


def tells(data: CurveData, members: Collection[str]) -> bool:
    """Whether enough of these models have begun to climb."""
    return sum(_off_floor(data, int(row)) for row in _rows(data, members)) >= LEAST_MEMBERS


def reach(data: CurveData, members: Collection[str]) -> float:
    """Log10 compute of the largest of these models that are in ``data``, of one at least."""
    return float(data.log10_compute[_rows(data, members)].max())


def _rows(data: CurveData, members: Collection[str]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(np.array(data.models, dtype=str), list(members)))


def _off_floor(data: CurveData, row: int) -> bool:
    return not in_floor_zone(float(data.score[row]), data.items_of(row), data.chance)


class Families:
    """The families on one curve, each drawn when first asked for and kept from then on.

    ``members`` names the models that share a recipe with one, itself among them;
    ``draw`` draws what such a group shares.
    """

    def __init__(
        self,
        members: Callable[[str], tuple[str, ...]],
        draw: Callable[[tuple[str, ...]], FamilyDraws | None],
    ) -> None:
        self._members, self._draw = members, draw
        self._found: dict[tuple[str, ...], FamilyDraws | None] = {}

    def of(self, model: str) -> FamilyDraws | None:
        """Draws of the family of a model; None where the curve shows too little of it."""
        return self._group(self._members(model))

    def _group(self, members: tuple[str, ...]) -> FamilyDraws | None:
        if members not in self._found:
            self._found[members] = self._draw(members)
        return self._found[members]

    def take(self, rows: NDArray[np.int64]) -> Families:
        """The same families on some of the draws of the curve."""

        def some(members: tuple[str, ...]) -> FamilyDraws | None:
            whole = self._group(members)
            return None if whole is None else whole.take(rows)

        return Families(self._members, some)
