"""Small figures, one a series: scores against compute, the curve, and how gains are read off it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.reasons import fit_reason_words
from cegain.briefing.scope import View
from cegain.gains import Verdict
from cegain.records import Series
from cegain.results import CurveGrid, FitRecord, GainRecord
from cegain.scaling import FitStatus

# the drawing area in a picture of 340 by 220; the template draws the frame
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 332, 10, 186
_FIRST = 12  # figures in view; the others are folded away
_MOST = 24  # figures in all; further settings are named with the judgement of their curve
_MANY = 24  # beyond so many, settings with fewer than so many points are only named
_ENOUGH = 4
_MOST_ARROWS = 3
_STEP = 2  # every second stored point of a curve is drawn: no eye sees the difference


_SHORT = {
    FitStatus.SOUND: "sound",
    FitStatus.DOUBTFUL: "doubtful",
    FitStatus.UNUSABLE: "no usable curve",
}


@dataclass(frozen=True)
class Label:
    """Text at a place of the figure."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Inversion:
    """How one gain is read off: up from baseline to enhanced score, across, down to compute."""

    letter: Label
    path: str
    head: str
    extrapolated: bool
    words: str


@dataclass(frozen=True)
class SeriesFigure:
    """One figure; paths are SVG path data, empty where there is nothing to draw."""

    name: str
    status: str
    description: str
    facts: str
    dots: str
    band: str
    inside: str
    outside: str
    fitted: str
    inversions: tuple[Inversion, ...]
    across: tuple[Label, ...]
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Curves:
    """All figures, those with most gains first, and how far the curves can be relied on.

    ``more`` holds the figures folded away; ``named`` are settings with a curve and fewer
    comparisons, told in words; ``undrawn`` names the settings with too few plain models
    for a figure to say anything.
    """

    figures: tuple[SeriesFigure, ...]
    more: tuple[SeriesFigure, ...]
    named: tuple[str, ...]
    undrawn: tuple[str, ...]
    caption: str


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    def place(self, log10_compute: float) -> float:
        share = (log10_compute - self.low) / (self.high - self.low)
        return round(_LEFT + (_RIGHT - _LEFT) * min(max(share, 0.0), 1.0), 1)

    def x(self, log10_compute: float) -> int:
        return round(self.place(log10_compute))

    @staticmethod
    def height(score: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * min(max(score, 0.0), 1.0), 1)

    def y(self, score: float) -> int:
        return round(self.height(score))


def build_curves(view: View) -> Curves | None:
    """One figure for each series in scope that has any plain score; None if none has."""
    used = Counter(gain.series for gain in view.checked)
    ordered = sorted(view.series, key=lambda series: (-used[series.slug], series.slug))
    drawn = [series for series in ordered if series.fitted_points]
    if len(drawn) > _MANY:
        drawn = [series for series in drawn if len(series.fitted_points) >= _ENOUGH]
    figures = [series_figure(series, view.fit(series.slug), view) for series in drawn[:_MOST]]
    named = [
        f"{words.name(series.settings.name)} ({short_status(view.fit(series.slug))}, "
        f"{formatting.count(len(series.fitted_points), 'model')})"
        for series in drawn[_MOST:]
    ]
    if not figures:
        return None
    undrawn = sorted(
        words.name(series.settings.name) for series in view.series if series not in drawn
    )
    states = [fit.status for s in view.series if (fit := view.fit(s.slug)) is not None]
    parts = [
        f"{text}: {states.count(status):,}"
        for status, text in (
            (FitStatus.SOUND, "sound"),
            (FitStatus.DOUBTFUL, "doubtful"),
            (FitStatus.UNUSABLE, "not usable"),
        )
        if status in states
    ]
    caption = f"{formatting.count(len(view.series), 'benchmark setting')}."
    if parts:
        caption += f" How the curves are judged: {'; '.join(parts)}."
    return Curves(
        tuple(figures[:_FIRST]), tuple(figures[_FIRST:]), tuple(named), tuple(undrawn), caption
    )


def short_status(fit: FitRecord | None) -> str:
    """A curve's judgement in a word or two."""
    return "no fit" if fit is None else _SHORT[fit.status]


def series_figure(series: Series, fit: FitRecord | None, view: View) -> SeriesFigure:
    """The figure of one series; it must have at least one fitted point."""
    points = [
        (series.models[point.model].log10_compute or 0.0, point.score)
        for point in series.fitted_points
    ]
    curve = fit.curve if fit is not None else None
    gains = _chosen(fit, view) if fit is not None and curve is not None else []
    reach = [_reached(gain) for gain in gains]
    low = min(x for x, _ in points) - 0.25
    high = max([x for x, _ in points] + reach) + 0.25
    scale = _Scale(low, max(high, low + 1.0))
    span = fit.log10_range if fit is not None and curve is not None else None
    inside, outside, band = _lines(curve, span, scale)
    inversions = tuple(_inversion(gain, chr(65 + i), scale) for i, gain in enumerate(gains))
    numbers = {view.citations.number(series.slug, p.source) for p in series.fitted_points}
    return SeriesFigure(
        words.name(series.settings.name),
        curve_status(fit),
        _description(points, curve, span, fit),
        _facts(series, fit),
        "".join(f"M{scale.x(x):g} {scale.y(s):g}h0" for x, s in sorted(points)),
        band,
        inside,
        outside,
        f"M{scale.x(span[0]):g} 185H{scale.x(span[1]):g}" if span is not None else "",
        inversions,
        _ticks(scale),
        tuple(sorted(number for number in numbers if number is not None)),
    )


def _chosen(fit: FitRecord, view: View) -> list[GainRecord]:
    """Up to three checked gains, those that change the score most, told apart on the figure."""
    able = [
        gain
        for gain in view.checked
        if gain.series == fit.series and _on_paper(gain, fit.log10_range)
    ]
    able.sort(
        key=lambda gain: (
            gain.verdict is not Verdict.INTERPOLATED,
            -abs(gain.enhanced_score - gain.baseline_score),
            gain.key,
        )
    )
    chosen: list[GainRecord] = []
    for gain in able:
        apart = all(
            gain.enhancement != other.enhancement
            and abs(gain.enhanced_score - other.enhanced_score) > 0.07
            for other in chosen
        )
        if apart and len(chosen) < _MOST_ARROWS:
            chosen.append(gain)
    return chosen


def _on_paper(gain: GainRecord, span: tuple[float, float] | None) -> bool:
    """Whether an arrow can be drawn: a gain at most a factor of ten beyond the models."""
    if span is None or not gain.has_ratio or gain.training_compute_flop is None:
        return False
    return span[0] - 1 <= _reached(gain) <= span[1] + 1


def _reached(gain: GainRecord) -> float:
    return words.log10(gain.training_compute_flop or 1.0) + words.log10(gain.ratio or 1.0)


def _lines(
    curve: CurveGrid | None, span: tuple[float, float] | None, scale: _Scale
) -> tuple[str, str, str]:
    """Median curve within and outside the fitted range, and the 5–95 % band around it."""
    if curve is None or span is None:
        return "", "", ""
    rows = [
        (x, low, mid, high)
        for x, low, mid, high in zip(
            curve.log10_compute, curve.low, curve.median, curve.high, strict=True
        )
        if scale.low <= x <= scale.high
    ][::_STEP]
    upper = [(scale.x(x), scale.y(high)) for x, _, _, high in rows]
    lower = [(scale.x(x), scale.y(low)) for x, low, _, _ in reversed(rows)]
    # the line is drawn to a tenth, so that it looks smooth; whole steps do for the rest
    middle = [(x, (scale.place(x), scale.height(mid))) for x, _, mid, _ in rows]
    below = [at for x, at in middle if x <= span[0]]
    within = [at for x, at in middle if span[0] <= x <= span[1]]
    above = [at for x, at in middle if x >= span[1]]
    # the pieces meet: the outer ones begin at the last point of the inner one
    if within:
        below, above = [*below, within[0]], [within[-1], *above]
    band = _path([*upper, *lower]) + "z" if rows else ""
    return _path(within), _path(below) + _path(above), band


def _path(points: Sequence[tuple[float, float]]) -> str:
    if len(points) < 2:
        return ""
    first, *rest = points
    return f"M{first[0]:g} {first[1]:g}L" + " ".join(f"{x:g} {y:g}" for x, y in rest)


def _inversion(gain: GainRecord, letter: str, scale: _Scale) -> Inversion:
    start = scale.x(words.log10(gain.training_compute_flop or 1.0))
    base, top = scale.y(gain.baseline_score), scale.y(gain.enhanced_score)
    end = scale.x(_reached(gain))
    # the letter stands on the outer side of the corner, clear of the curve
    above = top <= base
    side = start - 7 if end >= start else start + 7
    at = Label(round(side, 1), round(top + (2 if above else 9), 1), letter)
    far = gain.verdict is Verdict.EXTRAPOLATED
    text = (
        f"{words.name(gain.name)}, {words.name(gain.model)}: "
        f"{words.times(gain.ratio or 1.0)} ({words.span(*gain.interval)})"
    )
    path = f"M{start:g} {base:g}V{top:g}H{end:g}V{_BOTTOM:g}"
    head = f"M{end - 3:g} {_BOTTOM - 6:g}L{end:g} {_BOTTOM:g}L{end + 3:g} {_BOTTOM - 6:g}"
    return Inversion(at, path, head, far, f"{text}, extrapolated" if far else text)


def _ticks(scale: _Scale) -> tuple[Label, ...]:
    decades = range(math.ceil(scale.low), math.floor(scale.high) + 1)
    step = 1 if len(decades) <= 6 else 2
    return tuple(
        Label(scale.x(d), _BOTTOM + 15, f"10{formatting.power(d)}") for d in decades[::step]
    )


def curve_status(fit: FitRecord | None) -> str:
    """A curve's judgement with its reasons in plain words."""
    if fit is None:
        return "no stored fit: points only"
    reasons = "; ".join(fit_reason_words(reason) for reason in fit.reasons)
    if fit.status is FitStatus.SOUND:
        return "sound curve"
    if fit.status is FitStatus.DOUBTFUL:
        return f"doubtful curve: {reasons}"
    return f"no usable curve, points only: {reasons}"


def _facts(series: Series, fit: FitRecord | None) -> str:
    points = series.fitted_points
    families = len({series.models[point.model].family for point in points})
    text = f"{formatting.count(len(points), 'model')}, "
    text += formatting.count(families, "family", "families")
    if fit is not None and fit.rmse is not None and fit.log10_range is not None:
        low, high = fit.log10_range
        text += (
            f"; fitted from {formatting.compute(10.0**low)} to {formatting.compute(10.0**high)} "
            f"FLOP; scores miss the curve by about {100 * fit.rmse:.1f} points"
        )
    if series.excluded:
        text += f"; {formatting.count(len(series.excluded), 'model')} left out with a reason"
    return text


def _description(
    points: Sequence[tuple[float, float]],
    curve: CurveGrid | None,
    span: tuple[float, float] | None,
    fit: FitRecord | None,
) -> str:
    low, high = min(points), max(points)
    text = (
        f"{formatting.count(len(points), 'score')} of models trained with "
        f"{formatting.compute(10.0 ** low[0])} to {formatting.compute(10.0 ** high[0])} FLOP. "
    )
    if curve is None or span is None:
        return text + "No curve is drawn: " + curve_status(fit) + "."
    ends = []
    for end in span:
        index = min(
            range(len(curve.log10_compute)), key=lambda i: abs(curve.log10_compute[i] - end)
        )
        ends.append(curve.median[index])
    word = "rises" if ends[1] > ends[0] else "does not rise:"
    return (
        f"{text}Over that range the curve {word} from {formatting.score(ends[0])} to "
        f"{formatting.score(ends[1])}."
    )
