"""The overview chart: every checked gain on one log axis, by kind and enhancement.

Shapes carry the verdict, so that no colour is needed: filled dot and solid line
within the measured range; open dot and dashed line extrapolated; an arrow from a
tick for a lower bound; brackets for bounds from measured models, with a bar and no
centre between two of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.scope import Entry, View
from cegain.briefing.strips import Mark, Stroke, strokes
from cegain.gains import Verdict
from cegain.records import Kind
from cegain.resampling import quantiles
from cegain.results import GainRecord

_EDGE = 3.0  # per cent of the width kept free on either side, for arrow heads
_CLOSE = 9.0  # per cent: two labels nearer than this are set apart
_BLOCKS = (
    Verdict.INTERPOLATED,
    Verdict.EXTRAPOLATED,
    Verdict.UPPER_BOUND,
    Verdict.LOWER_BOUND,
    Verdict.MEASURED_BOUND,
)
# up to so many marks: class of the strip, height of a lane, margin, scale of symbols
_SIZES = ((4, "", 11, 9, 1.0), (12, "h", 7, 8, 0.75), (37, "t", 4, 6, 0.5))
_TALLEST = 150.0  # height of a strip with any number of marks
_WIDEST = (-4, 8)  # decades beyond which the axis is not stretched


@dataclass(frozen=True)
class Tick:
    """A labelled place on the axis, in per cent of the width."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A log axis: ``low`` and ``high`` are log10 of the factors at its ends."""

    low: int
    high: int

    def at(self, factor: float) -> float:
        """Place of a factor in per cent of the width; beyond the ends, the end."""
        share = (words.log10(factor) - self.low) / (self.high - self.low)
        return round(_EDGE + (100 - 2 * _EDGE) * min(max(share, 0.0), 1.0), 1)

    def holds(self, factor: float) -> bool:
        """Whether a factor lies on the axis."""
        return self.low <= words.log10(factor) <= self.high

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """One tick a decade."""
        step = 1 if self.high - self.low <= 7 else 2
        return tuple(
            Tick(self.at(10.0**decade), _decade(decade))
            for decade in range(self.low, self.high + 1, step)
        )


@dataclass(frozen=True)
class Row:
    """One enhancement: its marks and the same in words.

    Estimates come first, then upper, lower and measured bounds, each from small to
    large. ``size`` is the class of the strip: finer where many marks lie close together.
    """

    slug: str
    name: str
    words: str
    height: int
    size: str
    marks: tuple[Mark, ...]
    strokes: tuple[Stroke, ...]


@dataclass(frozen=True)
class Group:
    """One kind: its rows, and what is counted instead of drawn."""

    kind: str
    title: str
    meaning: str
    rows: tuple[Row, ...]
    not_drawn: str


@dataclass(frozen=True)
class Reference:
    """A vertical line and its meaning; ``anchor`` keeps the labels of close lines apart."""

    at: float
    anchor: str
    label: str
    meaning: str


@dataclass(frozen=True)
class Forest:
    """All rows on one axis, with the lines readers know."""

    groups: tuple[Group, ...]
    axis: Axis
    references: tuple[Reference, ...]
    shapes: frozenset[str]
    caption: str


def build_forest(view: View) -> Forest | None:
    """Rows of every kind in scope; None where no checked gain can be drawn."""
    drawable = [gain for gain in view.checked if words.position(gain) is not None]
    if not drawable:
        return None
    lines = [line.factor for line in view.definition.reference_lines]
    axis = _axis(drawable, lines)
    groups = tuple(
        group
        for kind in Kind
        if (group := _group(kind, [e for e in view.entries if e.enhancement.kind is kind], axis))
    )
    references = _references(view, axis)
    shapes = {mark.shape for group in groups for row in group.rows for mark in row.marks}
    if any(m.cut_low or m.cut_high for g in groups for r in g.rows for m in r.marks):
        shapes.add("cut")
    rows = sum(len(group.rows) for group in groups)
    caption = (
        f"{formatting.count(len(drawable), 'gain')} of "
        f"{formatting.count(rows, 'enhancement')}, one line each, on an axis on which every step "
        "is a factor of ten. Within a kind, the enhancement with the largest middle mark comes "
        "first."
    )
    return Forest(groups, axis, references, frozenset(shapes), caption)


def _references(view: View, axis: Axis) -> tuple[Reference, ...]:
    lines = sorted(
        (line for line in view.definition.reference_lines if axis.holds(line.factor)),
        key=lambda line: line.factor,
    )
    places = [axis.at(line.factor) for line in lines]
    labelled = {tick.label for tick in axis.ticks}
    found = []
    for index, line in enumerate(lines):
        label = words.plain_factor(line.factor)
        near_next = index + 1 < len(places) and places[index + 1] - places[index] < _CLOSE
        near_last = index > 0 and places[index] - places[index - 1] < _CLOSE
        anchor = "none" if label in labelled else "e" if near_next else "b" if near_last else ""
        found.append(Reference(places[index], anchor, label, words.clean(line.meaning)))
    return tuple(found)


def _axis(gains: Sequence[GainRecord], lines: Sequence[float]) -> Axis:
    """Room for nearly every centre and bound; what lies farther is cut, with a mark."""
    places = [words.log10(p) for gain in gains if (p := words.position(gain)) is not None]
    places += [words.log10(line) for line in lines]
    for gain in gains:
        if gain.verdict is Verdict.MEASURED_BOUND:
            places += [words.log10(end) for end in gain.interval if end is not None]
    # a stray gain or two would squeeze all others: those are shown as cut at the edge
    ends = quantiles(places, [0.005, 0.995])
    low = max(math.floor(ends[0] - 0.2), _WIDEST[0])
    high = min(math.ceil(ends[1] + 0.2), _WIDEST[1])
    # one decade at least on either side of 1×, so that gain and loss are both in view
    return Axis(min(low, -1), max(high, 1))


def _group(kind: Kind, entries: Sequence[Entry], axis: Axis) -> Group | None:
    if not any(entry.checked for entry in entries):
        return None
    title, meaning = words.KIND_WORDS[kind]
    placed = []
    for entry in entries:
        drawn = [gain for gain in entry.checked if words.position(gain) is not None]
        if drawn:
            order = sorted(words.position(gain) or 0.0 for gain in drawn)
            placed.append((-order[(len(order) - 1) // 2], entry, drawn))
    placed.sort(key=lambda item: (item[0], item[1].slug))
    rows = tuple(_row(entry, drawn, axis) for _, entry, drawn in placed)
    return Group(kind.value, title, meaning, rows, _not_drawn(entries))


def _not_drawn(entries: Sequence[Entry]) -> str:
    gains = [gain for entry in entries for gain in entry.checked]
    lost = sum(gain.verdict is Verdict.NOT_ESTIMABLE for gain in gains)
    endless = sum(gain.verdict is Verdict.NO_FINITE_EQUIVALENT for gain in gains)
    unverified = sum(len(entry.gains) - len(entry.checked) for entry in entries)
    silent = sum(
        bool(entry.checked) and all(words.position(g) is None for g in entry.checked)
        for entry in entries
    )
    parts = []
    if lost:
        parts.append(f"{formatting.count(lost, 'comparison')} that could not be estimated")
    if endless:
        parts.append(f"{formatting.count(endless, 'comparison')} with no finite equivalent")
    if unverified:
        parts.append(f"{formatting.count(unverified, 'comparison')} with unverified numbers")
    if not parts:
        return ""
    text = f"Not drawn: {words.listed(parts)}"
    if silent:
        text += f"; {formatting.count(silent, 'enhancement')} therefore "
        text += "has no line here" if silent == 1 else "have no line here"
    return f"{text}."


def _row(entry: Entry, gains: Sequence[GainRecord], axis: Axis) -> Row:
    ordered = sorted(gains, key=lambda gain: (_block(gain), words.position(gain) or 0.0, gain.key))
    size, lane, pad, scale = next(
        (look[1:] for look in _SIZES if len(ordered) <= look[0]),
        ("v", _TALLEST / len(ordered), 6, 0.3),
    )
    marks = tuple(
        _mark(gain, round(pad + lane * index, 1), axis) for index, gain in enumerate(ordered)
    )
    height = math.ceil(2 * pad + lane * (len(ordered) - 1))
    text = f"{formatting.count(len(entry.checked), 'comparison')}: {words.spread(entry.checked)}"
    title = words.name(entry.enhancement.name)
    return Row(entry.slug, title, text, height, size, marks, strokes(marks, scale))


def _block(gain: GainRecord) -> int:
    # both kinds of estimate in one run, so that their spread is one slope
    return max(_BLOCKS.index(gain.verdict), 1)


def _mark(gain: GainRecord, y: float, axis: Axis) -> Mark:
    low, high = gain.interval
    if gain.has_ratio and gain.ratio is not None:
        return Mark(
            "open" if gain.verdict is Verdict.EXTRAPOLATED else "dot",
            y,
            axis.at(gain.ratio),
            axis.at(low) if low is not None else _EDGE,
            axis.at(high) if high is not None else 100 - _EDGE,
            low is None or not axis.holds(low),
            high is None or not axis.holds(high),
        )
    if gain.verdict is Verdict.LOWER_BOUND and low is not None:
        return Mark("least", y, axis.at(low))
    if gain.verdict is Verdict.UPPER_BOUND and high is not None:
        return Mark("most", y, axis.at(high))
    if low is not None and high is not None:
        return Mark("between", y, None, axis.at(low), axis.at(high))
    if low is not None:
        return Mark("over", y, axis.at(low))
    return Mark("under", y, axis.at(high or 1.0))


def _decade(decade: int) -> str:
    if decade >= 5:
        return f"10{formatting.power(decade)}×"
    return f"{10.0**decade:,g}×" if decade > -4 else f"10{formatting.power(decade)}×"
