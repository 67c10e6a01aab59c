"""The table: one line an enhancement, then every comparison with cost, check and source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.definition import GradeLevel
from cegain.briefing.grades import Grade
from cegain.briefing.reasons import FLAG_KEY, reason_words
from cegain.briefing.scope import Entry, View
from cegain.gains import Verdict
from cegain.records import Kind
from cegain.results import GainRecord

NOTHING = "–"
_EACH = 8  # in an enhancement with more comparisons than that, some share a row
_TRIGGERS = 200  # with more enhancements than that, reasons of a grade are only named
_FEW = 3  # so many on one benchmark, or without an estimate, keep a row each even then


@dataclass(frozen=True)
class Cited:
    """A numbered source with the place in it; ``number`` is None if it is not described."""

    number: int | None
    locator: str


@dataclass(frozen=True)
class ComparisonRow:
    """One comparison in words; ``verified`` False marks numbers nobody could check."""

    model: str
    benchmark: str
    scores: str
    gain: str
    verdict: str
    bound: str
    one_time: str
    inference: str
    cautions: str
    grade: str
    known: str
    verified: bool
    cited: Cited


@dataclass(frozen=True)
class Lost:
    """Comparisons that could not be estimated for the same reason, each in short."""

    verdict: str
    each: tuple[str, ...]


@dataclass(frozen=True)
class SharedRow:
    """Comparisons that share a row: their spread, then each in short, the lost by reason.

    Many on one benchmark share one, and so do those that could not be estimated.
    """

    count: str
    benchmark: str
    gains: str
    grades: str
    known: str
    sources: tuple[int, ...]
    each: tuple[str, ...]
    lost: tuple[Lost, ...]


@dataclass(frozen=True)
class EnhancementRow:
    """One enhancement: its spread, cost ranges, grade and sources, and its comparisons.

    ``grade`` is None where no checked comparison has a gain or a bound; ``triggers`` is
    empty where there are too many enhancements to give every trigger here.
    """

    slug: str
    name: str
    summary: str
    count: int
    unverified: int
    gains: str
    one_time: str
    inference: str
    grade: Grade | None
    triggers: str
    sources: tuple[int, ...]
    comparisons: tuple[ComparisonRow, ...]
    shared: tuple[SharedRow, ...]


@dataclass(frozen=True)
class KindTable:
    """The enhancements of one kind."""

    kind: str
    title: str
    count: int
    rows: tuple[EnhancementRow, ...]


@dataclass(frozen=True)
class Table:
    """Tables by kind and the key to the letters in the column of cautions."""

    kinds: tuple[KindTable, ...]
    level: str
    cautions: tuple[tuple[str, str], ...]


def build_table(view: View) -> Table | None:
    """Every enhancement in scope; None where there is none."""
    if not view.entries:
        return None
    kinds = []
    for kind in Kind:
        entries = [entry for entry in view.entries if entry.enhancement.kind is kind]
        if entries:
            rows = tuple(_enhancement(entry, view) for entry in entries)
            count = sum(row.count for row in rows)
            kinds.append(KindTable(kind.value, words.KIND_WORDS[kind][0], count, rows))
    used = {letter for gain in view.gains for letter in view.cautions(gain)}
    key = tuple((letter, text) for letter, text in FLAG_KEY if letter in used)
    return Table(tuple(kinds), f"{view.level * 100:.0f} %", key)


def _enhancement(entry: Entry, view: View) -> EnhancementRow:
    by_series: dict[str, list[GainRecord]] = {}
    for gain in entry.gains:
        by_series.setdefault(gain.series, []).append(gain)
    together = {
        series: found
        for series, found in by_series.items()
        if len(entry.gains) > _EACH and len(found) > _FEW
    }
    alone = [gain for gain in entry.gains if gain.series not in together]
    lost = [gain for gain in alone if _is_lost(gain)]
    if len(entry.gains) <= _EACH or len(lost) <= _FEW:
        lost = []
    folded = {gain.key for gain in lost}
    rows = tuple(_comparison(gain, view) for gain in alone if gain.key not in folded)
    groups = [_shared(found, view.test(found[0].series), view) for found in together.values()]
    if lost:
        groups.append(_shared(lost, "several", view))
    grade = view.grades.get(entry.slug)
    shares = [s for gain in entry.gains if (s := gain.one_time_cost_share) is not None]
    running = [
        gain.inference_cost_multiplier
        for gain in entry.gains
        if gain.inference_cost_multiplier is not None
    ]
    numbers = {view.citations.number(entry.slug, gain.source) for gain in entry.gains}
    unverified = len(entry.gains) - len(entry.checked)
    shown = words.spread(entry.checked) if entry.checked else "no checked comparison"
    return EnhancementRow(
        entry.slug,
        words.name(entry.enhancement.name),
        words.clean(entry.enhancement.summary),
        len(entry.gains),
        unverified,
        shown,
        _range([percent(share) for share in _ends(shares)]),
        _range([words.times(value) for value in _ends(running)]),
        grade,
        grade.text if grade is not None and len(view.entries) <= _TRIGGERS else "",
        tuple(sorted(number for number in numbers if number is not None)),
        rows,
        tuple(groups),
    )


def _shared(gains: Sequence[GainRecord], benchmark: str, view: View) -> SharedRow:
    numbers = {view.citations.number(gain.enhancement, gain.source) for gain in gains}
    checked = [gain for gain in gains if gain.headline_worthy]
    models = len({gain.model for gain in gains})
    several = len({gain.series for gain in gains}) > 1
    each: list[str] = []
    lost: dict[str, list[str]] = {}
    for gain in gains:
        same = lost.setdefault(verdict_words(gain), []) if _is_lost(gain) else each
        same.append(_short(gain, view.test(gain.series) if several else ""))
    return SharedRow(
        formatting.count(len(gains), "model" if models == len(gains) else "case"),
        benchmark,
        words.spread(checked) if checked else "no checked comparison",
        _grades(gains, view),
        "; ".join(sorted({how_known(gain) for gain in gains})),
        tuple(sorted(number for number in numbers if number is not None)),
        tuple(each),
        tuple(
            Lost(words.sentence(verdict), tuple(found)) for verdict, found in sorted(lost.items())
        ),
    )


def _short(gain: GainRecord, benchmark: str) -> str:
    """A comparison in a few words: model, scores, gain if any, and what makes it less firm."""
    before, after = (
        _points(s).removesuffix(" %") for s in (gain.baseline_score, gain.enhanced_score)
    )
    where = f" on {benchmark}" if benchmark else ""
    text = f"{model_name(gain)}{where} {before} → {after} %"
    if not _is_lost(gain):
        text += f": {_gain(gain)}"
    if gain.verdict is Verdict.EXTRAPOLATED:
        text += " extrapolated"
    return text if gain.headline_worthy else f"{text} [not verified]"


def _is_lost(gain: GainRecord) -> bool:
    return gain.verdict is Verdict.NOT_ESTIMABLE


def model_name(gain: GainRecord) -> str:
    """Model, and variant if there is one."""
    model = words.name(gain.model)
    return f"{model}, {words.name(gain.variant)}" if gain.variant else model


def how_known(gain: GainRecord) -> str:
    """How the numbers were checked and who reported them."""
    known = words.CHECKED_WORDS.get(gain.checked, words.name(gain.checked))
    if gain.reported_by is not None:
        known += (
            f", by {words.REPORTED_BY_WORDS.get(gain.reported_by, words.name(gain.reported_by))}"
        )
    return known


def _comparison(gain: GainRecord, view: View) -> ComparisonRow:
    return ComparisonRow(
        model_name(gain),
        view.test(gain.series),
        f"{_points(gain.baseline_score)} → {_points(gain.enhanced_score)}",
        _gain(gain),
        verdict_words(gain),
        words.bound(gain.bound) if gain.bound is not None else NOTHING,
        one_time(gain),
        running_cost(gain),
        " ".join(view.cautions(gain)),
        _grades([gain], view),
        how_known(gain),
        gain.headline_worthy,
        Cited(view.citations.number(gain.enhancement, gain.source), words.clean(gain.locator, 120)),
    )


def _grades(gains: Sequence[GainRecord], view: View) -> str:
    """Grades of those that say anything about a gain, counted where there are several."""
    levels = [view.grade(gain).level for gain in gains if gain.interval != (None, None)]
    counted = [(level, levels.count(level)) for level in GradeLevel if level in levels]
    if len(gains) == 1:
        return levels[0].value if levels else NOTHING
    return ", ".join(f"{number:,} {level}" for level, number in counted) or NOTHING


def _gain(gain: GainRecord) -> str:
    """The number alone: the column's heading says that brackets hold the interval."""
    if gain.has_ratio and gain.ratio is not None:
        return f"{words.times(gain.ratio)} ({words.span(*gain.interval)})"
    return NOTHING if _is_lost(gain) else words.number(gain)


def verdict_words(gain: GainRecord) -> str:
    """The verdict, with the reason where nothing can be stated."""
    if _is_lost(gain):
        reason = gain.reasons[0] if gain.reasons else ""
        return f"{gain.verdict.value}: {reason_words(reason, short=True)}"
    return gain.verdict.value


def one_time(gain: GainRecord) -> str:
    """Compute spent once, in FLOP and as a share of training compute."""
    if gain.one_time_cost_flop is None:
        return NOTHING
    if gain.one_time_cost_flop == 0:
        return "none"
    text = f"{formatting.compute(gain.one_time_cost_flop)} FLOP"
    share = gain.one_time_cost_share
    return text if share is None else f"{text} ({percent(share)})"


def running_cost(gain: GainRecord) -> str:
    """Cost of an answer as a multiple, with how it was obtained."""
    if gain.inference_cost_multiplier is None:
        return NOTHING
    basis = gain.inference_cost_basis or ""
    text = words.BASIS_WORDS.get(basis, words.name(basis))
    return words.times(gain.inference_cost_multiplier) + (f" ({text})" if text else "")


def percent(share: float) -> str:
    """A share as a percentage to two significant digits: ``0.13 %``."""
    return f"{formatting.significant(100 * share)} %" if share else "none"


def _points(score: float) -> str:
    return formatting.score(score)


def _ends(values: Sequence[float]) -> list[float]:
    return [min(values), max(values)] if values else []


def _range(texts: Sequence[str]) -> str:
    if not texts:
        return NOTHING
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"
