"""Gains that were published, beside what is computed here, without a judgement."""

from __future__ import annotations

from dataclasses import dataclass

from cegain.briefing import words
from cegain.briefing.claims import Claims, survey_claims
from cegain.briefing.reasons import reason_words
from cegain.briefing.scope import Entry, View
from cegain.briefing.table import Cited
from cegain.comparing import Basis, matching
from cegain.gains import Verdict
from cegain.records import BoundKind, Checked, ReportedGain
from cegain.results import GainRecord


@dataclass(frozen=True)
class ReportedRow:
    """One published gain and what is found here for the same, or the nearest, comparison."""

    slug: str
    name: str
    reported: str
    about: str
    checked: str
    verified: bool
    ours: str
    basis: str
    cited: Cited


@dataclass(frozen=True)
class Reported:
    """All published gains in scope, and what the 2023 survey claims of all together."""

    rows: tuple[ReportedRow, ...]
    claims: Claims | None


_BASIS = {
    Basis.SAME: "same benchmark and model",
    Basis.SERIES: "same benchmark, our models",
    Basis.BENCHMARK: "same benchmark, asked in another way",
    Basis.ENHANCEMENT: "all our comparisons of this enhancement",
    Basis.NONE: "",
}
_SIGN = {BoundKind.POINT: "about", BoundKind.LOWER: "more than", BoundKind.UPPER: "less than"}


def build_reported(view: View) -> Reported | None:
    """Published gains of the enhancements in scope; None where none is recorded."""
    rows = tuple(
        _row(entry, gain, view)
        for entry in view.entries
        for gain in entry.enhancement.reported_gains
        if gain.checked in view.definition.scope.checked
    )
    return Reported(rows, survey_claims(view)) if rows else None


def _row(entry: Entry, gain: ReportedGain, view: View) -> ReportedRow:
    found, basis = matching(gain, entry.checked, view.registry)
    series = view.registry.benchmarks.get(gain.series) if gain.series else None
    benchmark = series.settings.name if series else gain.benchmark
    about = [words.name(text) for text in (benchmark, gain.model) if text]
    return ReportedRow(
        entry.slug,
        words.name(entry.enhancement.name),
        f"{_SIGN[gain.bound]} {words.times(gain.ratio)}",
        ", ".join(about) or "not stated",
        words.CHECKED_WORDS.get(gain.checked, words.name(gain.checked)),
        gain.checked is not Checked.UNVERIFIED,
        _ours(found),
        _basis(basis, found, gain),
        Cited(view.citations.number(entry.slug, gain.source), words.clean(gain.locator, 120)),
    )


def _basis(basis: Basis, found: tuple[GainRecord, ...], gain: ReportedGain) -> str:
    wider = basis in (Basis.BENCHMARK, Basis.ENHANCEMENT)
    narrowed = wider and all(own.model == gain.model for own in found)
    return f"{_BASIS[basis]} on the same model" if narrowed else _BASIS[basis]


def _ours(found: tuple[GainRecord, ...]) -> str:
    if not found:
        return "no checked comparison of ours"
    text = words.spread(found)
    if len(found) > 1:
        return text
    (only,) = found
    if only.verdict is Verdict.NOT_ESTIMABLE and only.reasons:
        return f"not estimable: {reason_words(only.reasons[0], short=True)}"
    if only.bound is not None and only.verdict is not Verdict.MEASURED_BOUND:
        text += f"; measured sizes alone say {words.bound(only.bound)}"
    return text
