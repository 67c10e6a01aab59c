"""Reporting checklist: what reporting guides ask for, and how far this page answers.

The groups follow STREAM (arXiv 2508.09853), the rows below them NIST AI 800-2 and 800-3
and the EU Code of Practice for general-purpose AI; the wording is ours. Answers are
counted from the records, so that a gap in the records is a gap in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cegain import formatting
from cegain.briefing.scope import View
from cegain.records import ReportedBy
from cegain.scaling import FitStatus


class Answer(StrEnum):
    """How far an item is answered."""

    FULL = "yes"
    PART = "in part"
    NONE = "no"


@dataclass(frozen=True)
class Item:
    """One thing asked for: the answer, what is given, and the section that gives it."""

    asked: str
    answer: str
    given: str
    section: str


@dataclass(frozen=True)
class ItemGroup:
    """The items of one group of one guide."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Checklist:
    """Every group, and how many items are answered."""

    groups: tuple[ItemGroup, ...]
    summary: str


def build_checklist(view: View) -> Checklist | None:
    """The filled list; None where no comparison is in scope."""
    if not view.gains:
        return None
    groups = tuple(ItemGroup(title, tuple(rule(view))) for title, rule in _GROUPS)
    answers = [item.answer for group in groups for item in group.items]
    counts = [f"{answers.count(a.value):,} {text}" for a, text in (
        (Answer.FULL, "answered"), (Answer.PART, "answered in part"),
        (Answer.NONE, "not answered"))]  # fmt: skip
    return Checklist(groups, f"Of {len(answers):,} items, {', '.join(counts)}.")


def _known(part: int, whole: int) -> Answer:
    return Answer.FULL if part == whole else Answer.PART if part else Answer.NONE


def _counted(what: str, part: int, view: View) -> str:
    return f"{what} {part:,} of {formatting.count(len(view.gains), 'comparison')}"


def _tally(asked: str, what: str, part: int, view: View, section: str, rest: str = "") -> Item:
    """An item answered for a part of the comparisons, which is counted."""
    given = _counted(what, part, view) + rest
    return Item(asked, _known(part, len(view.gains)), given, section)


def _relevance(view: View) -> Iterable[Item]:
    yield Item(
        "Which question the evaluation answers, and for whom",
        Answer.FULL,
        "Scope and readers are stated at the top; the question is what an enhancement is worth "
        "in training compute.",
        "summary",
    )
    yield Item(
        "How the capability bears on a threat",
        Answer.NONE,
        "A gain says nothing of danger or use; no threat model is given.",
        "limitations",
    )


def _construction(view: View) -> Iterable[Item]:
    stated = sum(not _flagged(gain.flags) for gain in view.gains)
    yield _tally("Number of questions", "Stated for", stated, view, "table")
    yield Item(
        "Metric, protocol and level of guessing",
        Answer.FULL,
        f"Recorded for all {formatting.count(len(view.series), 'benchmark setting')}.",
        "curves",
    )
    yield Item(
        "Quality of the questions and leaks into training data",
        Answer.NONE,
        "Not recorded. A lower highest score is tried where computed.",
        "how-sure",
    )


def _flagged(flags: Sequence[str]) -> bool:
    return any(flag.startswith("number of items not stated") for flag in flags)


def _elicitation(view: View) -> Iterable[Item]:
    arms = [view.comparisons[gain.key] for gain in view.gains if gain.key in view.comparisons]
    whole = len(view.gains)
    told = sum(
        any(value is not None for _, value in arm.elicitation)
        for comparison in arms
        for arm in (comparison.baseline, comparison.enhanced)
    )
    yield Item(
        "How the model was asked, with and without the enhancement",
        _known(told, 2 * whole),
        f"Recorded for {told:,} of {2 * whole:,} arms; given in the registry’s records.",
        "data",
    )
    shots = sum(
        c.baseline.elicitation.shots is not None
        and c.baseline.elicitation.shots == c.enhanced.elicitation.shots
        for c in arms
    )
    yield _tally(
        "Equal effort in both arms",
        "Same number of worked examples stated for",
        shots,
        view,
        "findings",
    )
    cost = sum(gain.inference_cost_multiplier is not None for gain in view.gains)
    yield _tally("Resources spent on an answer", "Cost of an answer known for", cost, view, "cost")


def _performance(view: View) -> Iterable[Item]:
    ends = sum(gain.interval != (None, None) for gain in view.gains)
    yield _tally(
        "Results with their uncertainty",
        "An interval or a bound for",
        ends,
        view,
        "table",
        "" if ends == len(view.gains) else "; the others say why not",
    )
    tried = sum(bool(gain.sensitivity) for gain in view.gains)
    yield _tally("Results under other choices", "Tried for", tried, view, "how-sure")


def _baseline(view: View) -> Iterable[Item]:
    yield Item(
        "A baseline: the same model without the enhancement",
        Answer.FULL,
        f"Every one of {formatting.count(len(view.gains), 'comparison')} has both scores.",
        "table",
    )
    yield Item(
        "A human baseline",
        Answer.NONE,
        "None: gains compare models with models.",
        "limitations",
    )


def _interpretation(view: View) -> Iterable[Item]:
    yield Item(
        "What the results show and do not show",
        Answer.FULL,
        "Grades with reasons, limitations, and what would change the answer.",
        "limitations",
    )
    yield Item(
        "Conclusions that could be wrong in advance-stated ways",
        Answer.PART,
        "What would change the answer is listed; no forecast was registered.",
        "would-change",
    )


def _nist(view: View) -> Iterable[Item]:
    level = f"{view.level * 100:.0f} %"
    yield Item(
        "AI 800-2: objective, choice of benchmarks, running, analysis and reporting",
        Answer.PART,
        "Objective, analysis and report are given here; running lies with the sources.",
        "methods",
    )
    yield Item(
        "AI 800-3: benchmark accuracy or generalised accuracy",
        Answer.FULL,
        f"Generalised: the {level} intervals count the questions asked as a sample of questions "
        "like them.",
        "methods",
    )


def _code(view: View) -> Iterable[Item]:
    fits = [fit for series in view.series if (fit := view.fit(series.slug)) is not None]
    sound = sum(fit.status is FitStatus.SOUND for fit in fits)
    yield Item(
        "Internal validity",
        Answer.FULL if fits and sound == len(fits) else Answer.PART,
        f"{sound:,} of {formatting.count(len(fits), 'curve')} are sound; grades give the rest.",
        "how-sure",
    )
    several = sum(
        len({gain.series for gain in entry.checked}) > 1 for entry in view.entries if entry.gains
    )
    whole = sum(bool(entry.gains) for entry in view.entries)
    yield Item(
        "External validity",
        Answer.PART if several else Answer.NONE,
        f"{several:,} of {formatting.count(whole, 'enhancement')} were measured on more than one "
        "test; none in use.",
        "limitations",
    )
    yield Item(
        "Reproducibility",
        Answer.FULL,
        "Records, data and command are given; the same records give the same page. Repeating "
        "the evaluations themselves lies with the sources.",
        "data",
    )
    others = sum(gain.reported_by == ReportedBy.INDEPENDENT for gain in view.gains)
    yield Item(
        "Elicitation that matches a capable misuser, and who had which access",
        Answer.PART if others else Answer.NONE,
        _counted("Measured by others than the developers in", others, view)
        + "; level of access is not recorded",
        "findings",
    )


_GROUPS: tuple[tuple[str, Callable[[View], Iterable[Item]]], ...] = (
    ("STREAM: threat relevance", _relevance),
    ("STREAM: test construction, grading and scoring", _construction),
    ("STREAM: model elicitation", _elicitation),
    ("STREAM: model performance", _performance),
    ("STREAM: baseline performance", _baseline),
    ("STREAM: interpretation of results", _interpretation),
    ("NIST AI 800-2 and 800-3", _nist),
    ("EU Code of Practice, Safety and Security", _code),
)
