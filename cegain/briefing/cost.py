"""What enhancements cost: gain against cost of an answer, and one-time cost as a share of training.

Two currencies that do not convert into each other: a gain is in training compute, paid
once; the cost of an answer is paid at every use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.scope import View
from cegain.briefing.summary import bounded, wholly_above
from cegain.briefing.table import percent
from cegain.gains import Verdict
from cegain.resampling import quantiles
from cegain.results import GainRecord

# the drawing area in a picture of 420 by 300, in decades of cost and of gain
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 396, 24, 252
_COST, _GAIN = (-1, 3), (-2, 3)
_RUNNING: tuple[tuple[float, str], ...] = (
    (1.0, "no more than before"),
    (3.0, "up to 3×"),
    (10.0, "over 3× up to 10×"),
    (100.0, "over 10× up to 100×"),
    (math.inf, "over 100×"),
)
_ONCE: tuple[tuple[float, str], ...] = (
    (0.0, "none"),
    (0.001, "up to 0.1 %"),
    (0.01, "over 0.1 % up to 1 %"),
    (0.1, "over 1 % up to 10 %"),
    (math.inf, "over 10 %"),
)
_FRONT = 8


@dataclass(frozen=True)
class Mark:
    """A number or word at a place of the chart."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class CostBand:
    """Comparisons of similar cost; ``gains`` is the middle and the middle half of them."""

    cost: str
    count: int
    clear: str
    gains: str


@dataclass(frozen=True)
class Cheapest:
    """An enhancement no other in scope beats in both gain and cost of an answer."""

    slug: str
    name: str
    gain: str
    cost: str
    count: int


@dataclass(frozen=True)
class Costs:
    """Chart of gain against cost of an answer, both tables, and the cheapest at each gain."""

    sentences: tuple[str, ...]
    finding: str
    inside: str
    outside: str
    diagonal: str
    level: str
    across: tuple[Mark, ...]
    upward: tuple[Mark, ...]
    running: tuple[CostBand, ...]
    once: tuple[CostBand, ...]
    front: tuple[Cheapest, ...]


def build_costs(view: View) -> Costs | None:
    """Costs of the checked comparisons; None where no cost is known."""
    running = [g for g in view.checked if g.inference_cost_multiplier is not None]
    once = [g for g in view.checked if g.one_time_cost_share is not None]
    if not running and not once:
        return None
    drawn = [g for g in running if g.has_ratio and g.ratio is not None]
    ahead = sum((g.ratio or 0.0) > (g.inference_cost_multiplier or 0.0) for g in drawn)
    finding = (
        f"In {ahead:,} of {formatting.count(len(drawn), 'comparison')} the gain in training "
        "compute is a larger factor than the cost of an answer."
        if drawn
        else ""
    )
    return Costs(
        tuple(_sentences(view, running, once)),
        finding,
        _dots(g for g in drawn if g.verdict is Verdict.INTERPOLATED),
        _dots(g for g in drawn if g.verdict is not Verdict.INTERPOLATED),
        f"M{_x(0.1):g} {_y(0.1):g}L{_x(1000):g} {_y(1000):g}",
        f"M{_LEFT} {_y(1):g}H{_RIGHT}",
        tuple(Mark(_x(10.0**d), _BOTTOM + 16, f"{10.0**d:,g}×") for d in range(-1, 4)),
        tuple(Mark(_LEFT - 5, _y(10.0**d) + 4, f"{10.0**d:,g}×") for d in range(-2, 4)),
        _bands(running, _RUNNING, lambda gain: gain.inference_cost_multiplier),
        _bands(once, _ONCE, lambda gain: gain.one_time_cost_share),
        _front(view),
    )


def _sentences(
    view: View, running: Sequence[GainRecord], once: Sequence[GainRecord]
) -> Iterable[str]:
    whole = len(view.checked)
    yield (
        f"Of {formatting.count(whole, 'comparison')} with checked numbers, {len(running):,} have "
        f"a known cost of an answer and {len(once):,} a known one-time cost as a share of training."
    )
    dear = [g for g in running if (g.inference_cost_multiplier or 0.0) > 1.0]
    if dear:
        costs = [g.inference_cost_multiplier or 1.0 for g in dear]
        yield (
            f"{len(dear):,} make an answer dearer, by a middle factor of "
            f"{words.times(words.middle(costs))}."
        )
    dearer = [s for g in once if (s := g.one_time_cost_share)]
    if dearer:
        yield (
            f"Where something was trained, it took up to {percent(max(dearer))} of the model’s "
            "training compute."
        )


def _bands(
    gains: Sequence[GainRecord],
    limits: Sequence[tuple[float, str]],
    cost: Callable[[GainRecord], float | None],
) -> tuple[CostBand, ...]:
    """Comparisons by cost, each in the first band whose upper limit holds it."""
    rows = []
    below = -math.inf
    for limit, text in limits:
        inside = [g for g in gains if (c := cost(g)) is not None and below < c <= limit]
        below = limit
        if not inside:
            continue
        answered = bounded(inside)
        clear = sum(wholly_above(gain, 1.0) for gain in answered)
        ratios = [gain.ratio for gain in inside if gain.has_ratio and gain.ratio]
        said = f"{clear:,} of {len(answered):,}" if answered else "none can be stated"
        rows.append(CostBand(text, len(inside), said, _half(ratios)))
    return tuple(rows)


def _half(ratios: Sequence[float]) -> str:
    if not ratios:
        return "no estimate"
    ends = quantiles([words.log10(ratio) for ratio in ratios], [0.25, 0.5, 0.75])
    low, mid, high = (float(10.0**end) for end in ends)
    if len(ratios) < 4:
        return ", ".join(words.times(ratio) for ratio in sorted(ratios))
    return f"middle {words.times(mid)}, half of them {words.times(low)} to {words.times(high)}"


def _x(factor: float) -> float:
    return _place(factor, _COST, _LEFT, _RIGHT)


def _y(factor: float) -> float:
    return _place(factor, _GAIN, _BOTTOM, _TOP)


def _place(factor: float, ends: tuple[int, int], start: int, end: int) -> float:
    share = (words.log10(factor) - ends[0]) / (ends[1] - ends[0])
    return round(start + (end - start) * min(max(share, 0.0), 1.0))


def _dots(gains: Iterable[GainRecord]) -> str:
    places = sorted(
        (_x(gain.inference_cost_multiplier or 1.0), _y(gain.ratio or 1.0)) for gain in gains
    )
    return "".join(f"M{x:g} {y:g}h0" for x, y in places)


def _front(view: View) -> tuple[Cheapest, ...]:
    """Enhancements by middle gain and middle cost, those no other beats in both."""
    found = []
    for entry in view.entries:
        known = [
            gain
            for gain in entry.checked
            if gain.has_ratio and gain.ratio and gain.inference_cost_multiplier is not None
        ]
        if known:
            gain = words.middle([g.ratio or 1.0 for g in known])
            cost = words.middle([g.inference_cost_multiplier or 1.0 for g in known])
            found.append((cost, -gain, entry, len(known)))
    found.sort(key=lambda item: (item[0], item[1], item[2].slug))
    front: list[Cheapest] = []
    best = 1.0
    for cost, lost, entry, count in found:
        if -lost > best:
            best = -lost
            name = words.name(entry.enhancement.name)
            front.append(Cheapest(entry.slug, name, words.times(-lost), words.times(cost), count))
    return tuple(front[:_FRONT])
