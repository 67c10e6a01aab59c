"""Gain by base compute: whether a larger model gains more or less from an enhancement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.scope import View
from cegain.scale import LEAST_MODELS, ScaleRecord

# the drawing area in a picture of 300 by 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 292, 8, 136
_FIRST = 9  # drawn; every line is in the table
_MANY = 20  # beyond so many lines, only these are in the table and the others are counted
_HIGHEST, _LOWEST = 4, -2  # decades of gain the axis is stretched to at most


@dataclass(frozen=True)
class Tick:
    """A label at a place of the figure."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class LineFigure:
    """One line as a small chart; paths are SVG path data."""

    name: str
    about: str
    description: str
    band: str
    line: str
    one: str
    across: tuple[Tick, ...]
    upward: tuple[Tick, ...]


@dataclass(frozen=True)
class LineRow:
    """One line in words."""

    slug: str
    name: str
    series: str
    models: int
    gain: str
    slope: str
    inside: str
    judgement: str


@dataclass(frozen=True)
class ByCompute:
    """What the lines say together, some of them drawn, and all or many in a table."""

    sentences: tuple[str, ...]
    figures: tuple[LineFigure, ...]
    rows: tuple[LineRow, ...]
    left_out: int


def build_by_compute(view: View) -> ByCompute | None:
    """Stored lines of the enhancements in scope; None where there is none."""
    names = {entry.slug: words.name(entry.enhancement.name) for entry in view.entries}
    series = {s.slug for s in view.series}
    lines = [
        line
        for line in view.results.lines.values()
        if line.enhancement in names and line.series in series
    ]
    if not lines:
        return None
    # most models first: these are the firmest
    lines.sort(key=lambda line: (-line.models, line.key))
    shown = lines[:_MANY]
    return ByCompute(
        tuple(_sentences(lines)),
        tuple(_figure(line, names[line.enhancement], view) for line in shown[:_FIRST]),
        tuple(_row(line, names[line.enhancement], view) for line in shown),
        len(lines) - len(shown),
    )


def _sentences(lines: Sequence[ScaleRecord]) -> list[str]:
    whole = len(lines)
    up = sum(line.slope_interval[0] > 0 for line in lines)
    down = sum(line.slope_interval[1] < 0 for line in lines)
    open_ = whole - up - down
    groups = formatting.count(whole, "case")
    text = [
        f"In {groups} one enhancement was measured with one test on at least "
        f"{LEAST_MODELS} base models of clearly different size, so that a line can be drawn "
        "through its gains.",
        f"The gain grows with training compute in {up:,}, shrinks in {down:,}, and in {open_:,} "
        "the data do not show which.",
    ]
    turned = [
        line
        for line in lines
        if line.inside_only is not None
        and _judged(line)
        and math.copysign(1, line.inside_only) != math.copysign(1, line.slope)
    ]
    if turned:
        text.append(
            f"In {len(turned):,} of those that grow or shrink, the gains within the range of the "
            "curve alone point the other way: that trend rests on extrapolation."
        )
    text.append("No line says what happens more than a factor of ten beyond the models measured.")
    return text


def _judged(line: ScaleRecord) -> bool:
    return line.slope_interval[0] > 0 or line.slope_interval[1] < 0


def _title(line: ScaleRecord, name: str) -> str:
    return f"{name}, {words.name(line.variant)}" if line.variant else name


def per_tenfold(slope: float) -> str:
    """A slope as the factor by which the gain changes when compute grows tenfold."""
    return words.times(10.0 ** min(max(slope, -12.0), 12.0))


def slope_words(line: ScaleRecord) -> str:
    """A slope with its interval: ``2.5× (90 % interval 1.5–4.3×)``."""
    low, high = line.slope_interval
    ends = formatting.interval(low, high)
    return f"{per_tenfold(line.slope)} ({line.level * 100:.0f} % interval {ends})"


def _row(line: ScaleRecord, name: str, view: View) -> LineRow:
    said = "grows" if line.slope_interval[0] > 0 else "shrinks" if _judged(line) else "not shown"
    at = formatting.compute(10.0**line.reference)
    return LineRow(
        line.enhancement,
        _title(line, name),
        view.test(line.series),
        line.models,
        f"{words.times(line.gain)} ({words.span(*line.interval)}) at {at} FLOP",
        slope_words(line),
        "–" if line.inside_only is None else per_tenfold(line.inside_only),
        said,
    )


def _figure(line: ScaleRecord, name: str, view: View) -> LineFigure:
    rows = [row for row in line.grid if not row[4]]
    decades = [words.log10(value) for row in rows for value in row[1:4]]
    low = max(math.floor(min([*decades, 0.0])), _LOWEST)
    high = min(math.ceil(max([*decades, 0.5])), _HIGHEST)
    ends = rows[0][0], max(rows[-1][0], rows[0][0] + 0.5)

    def x(log10_compute: float) -> int:
        return round(_LEFT + (_RIGHT - _LEFT) * (log10_compute - ends[0]) / (ends[1] - ends[0]))

    def y(log10_gain: float) -> int:
        share = (min(max(log10_gain, low), high) - low) / (high - low)
        return round(_BOTTOM - (_BOTTOM - _TOP) * share)

    upper = [(x(row[0]), y(words.log10(row[3]))) for row in rows]
    lower = [(x(row[0]), y(words.log10(row[2]))) for row in reversed(rows)]
    middle = [(x(row[0]), y(words.log10(row[1]))) for row in rows]
    first, last = math.ceil(ends[0]), math.floor(ends[1])
    step = 1 if high - low <= 3 else 2
    title = _title(line, name)
    return LineFigure(
        title,
        f"{view.test(line.series)}, {formatting.count(line.models, 'model')}. For ten times the "
        f"training compute the gain is {slope_words(line)} as large.",
        f"From {formatting.compute(10.0 ** rows[0][0])} to "
        f"{formatting.compute(10.0 ** rows[-1][0])} FLOP the gain goes from "
        f"{words.times(rows[0][1])} ({words.span(*rows[0][2:4])}) to {words.times(rows[-1][1])} "
        f"({words.span(*rows[-1][2:4])}).",
        _path([*upper, *lower]) + "z",
        _path(middle),
        f"M{_LEFT} {y(0.0)}H{_RIGHT}",
        tuple(Tick(x(d), _BOTTOM + 15, f"10{formatting.power(d)}") for d in range(first, last + 1)),
        tuple(Tick(_LEFT - 4, y(d) + 4, f"{10.0**d:,g}×") for d in range(low, high + 1, step)),
    )


def _path(points: Sequence[tuple[int, int]]) -> str:
    first, *rest = points
    return f"M{first[0]} {first[1]}L" + " ".join(f"{x} {y}" for x, y in rest)
