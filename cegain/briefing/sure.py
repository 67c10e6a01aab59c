"""How sure are we: the curves' ranges and residuals, other choices of method, the backtest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.backtests import Backtest
from cegain.briefing.definition import GradeLevel
from cegain.briefing.grades import Reason
from cegain.briefing.reasons import fit_reason_words
from cegain.briefing.scope import View
from cegain.results import FitRecord, GainRecord
from cegain.scaling import FitStatus

_FACTOR = 2.0
_REASONS = 4
_STATUS_WORDS = {
    FitStatus.SOUND: "sound",
    FitStatus.DOUBTFUL: "doubtful",
    FitStatus.UNUSABLE: "not usable",
}
# stored name of a choice -> the same to a reader
_CHOICES: tuple[tuple[str, str], ...] = (
    ("logistic link", "an S-shaped curve of the logistic family alone"),
    ("gompertz link", "an S-shaped curve of the Gompertz family alone"),
    ("richards link", "a curve of the Richards family alone (a power law in the error)"),
    ("score anchor", "the model’s place on the curve taken from its score alone"),
    ("model anchor", "the model’s place on the curve taken from its compute alone"),
    ("pooled least squares", "one curve for all model families, by least squares"),
    ("floor fixed", "the lowest score of the curve fixed at guessing"),
    ("floor free", "the lowest score of the curve left free"),
    ("compute errors doubled", "errors of training compute twice as large"),
    ("ceiling 0.97", "the highest score of the curve at 97 %"),
    ("own family left out", "the model’s own family left out of the curve"),
    ("one family left out", "any one family left out of the curve: the one that matters most"),
    ("80% interval", "intervals at 80 % (counted: 1× enters or leaves the interval)"),
    ("95% interval", "intervals at 95 % (counted: 1× enters or leaves the interval)"),
)


@dataclass(frozen=True)
class FitRow:
    """Curves of one judgement: how many, their range, their misses."""

    status: str
    count: int
    models: str
    span: str
    misses: str
    reasons: str


@dataclass(frozen=True)
class ChoiceRow:
    """One other choice of method: how many gains it was tried on and how many it changes."""

    choice: str
    tried: int
    verdict: str
    value: str


@dataclass(frozen=True)
class GradeRow:
    """How many enhancements and comparisons have a grade."""

    symbols: str
    level: str
    enhancements: int
    comparisons: int


@dataclass(frozen=True)
class HowSure:
    """Everything that bears on trust in the numbers; ``backtest`` None means none is stored."""

    sentences: tuple[str, ...]
    grades: tuple[GradeRow, ...]
    grade_reasons: str
    fits: tuple[FitRow, ...]
    choices: tuple[ChoiceRow, ...]
    backtest: Backtest | None


def build_sure(view: View) -> HowSure | None:
    """From stored fits, sensitivities and backtest; None where nothing was computed."""
    fits = [fit for series in view.series if (fit := view.fit(series.slug)) is not None]
    if not fits:
        return None
    return HowSure(
        tuple(_sentences(view)),
        tuple(_grades(view)),
        _grade_reasons(view),
        tuple(row for status in FitStatus if (row := _fit_row(status, fits)) is not None),
        tuple(_choices(view)),
        view.extras.backtest,
    )


def _sentences(view: View) -> Iterable[str]:
    tried = [gain for gain in view.checked if gain.sensitivity]
    if tried:
        moved = sum(bool(view.depends_on(gain)) for gain in tried)
        share = formatting.share(moved / len(tried))
        yield (
            f"{formatting.count(len(tried), 'gain')} read off a curve "
            f"{'was' if len(tried) == 1 else 'were'} computed again under other reasonable choices "
            f"of method. For {moved:,} of {len(tried):,} ({share}), at least one choice changes "
            "the verdict or moves the value by more than a factor of two."
        )
        firm = len(tried) - moved
        if firm:
            depend = "depends" if firm == 1 else "depend"
            yield f"The other {firm:,} {depend} on none of these choices that much."
        yield _swept(tried, view)


def _swept(tried: Sequence[GainRecord], view: View) -> str:
    """Whether the choices that need new curves were tried, and on the records of today."""
    current = sum(gain.key in view.swept for gain in tried)
    if view.extras.sweep is None:
        return (
            "Choices that need new curves (lowest and highest score, errors of compute, families "
            "left out) were not tried: “cegain sensitivity --store” does that."
        )
    if current < len(tried):
        return (
            "Choices that need new curves (lowest and highest score, errors of compute, families "
            f"left out) are out of date or missing for {len(tried) - current:,} of "
            f"{len(tried):,}, which are counted without them: “cegain sensitivity --store” "
            "brings them up to date."
        )
    return (
        "The choices include those that need new curves: lowest and highest score, errors of "
        "compute, each family left out."
    )


def _grades(view: View) -> Iterable[GradeRow]:
    bodies = Counter(grade.level for grade in view.grades.values())
    answered = [gain for gain in view.checked if gain.interval != (None, None)]
    singles = Counter(view.grade(gain).level for gain in answered)
    for level in GradeLevel:
        yield GradeRow(level.symbols, level.value, bodies[level], singles[level])


def _grade_reasons(view: View) -> str:
    counted = Counter(step.reason for grade in view.grades.values() for step in grade.downgrades)
    order = list(Reason)
    ranked = sorted(counted.items(), key=lambda item: (-item[1], order.index(item[0])))
    return words.listed(f"{reason} ({number:,})" for reason, number in ranked)


def _fit_row(status: FitStatus, fits: Sequence[FitRecord]) -> FitRow | None:
    own = [fit for fit in fits if fit.status is status]
    if not own:
        return None
    usable = [fit for fit in own if fit.curve is not None and fit.log10_range is not None]
    spans = [10.0 ** (f.log10_range[1] - f.log10_range[0]) for f in usable if f.log10_range]
    misses = sorted(100 * fit.rmse for fit in usable if fit.rmse is not None)
    models = sorted(fit.n_models for fit in own)
    counted = Counter(_reason(fit.reasons[0]) for fit in own if fit.reasons)
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    reasons = [f"{text} ({number:,})" for text, number in ranked[:_REASONS]]
    rest = sum(number for _, number in ranked[_REASONS:])
    if rest:
        reasons.append(f"other reasons ({rest:,})")
    return FitRow(
        _STATUS_WORDS[status],
        len(own),
        _range([f"{models[0]:,}", f"{models[-1]:,}"])
        + (f", middle {models[len(models) // 2]:,}" if len(own) > 2 else ""),
        f"a factor of {formatting.significant(words.middle(spans))}" if spans else "–",
        f"{formatting.significant(misses[len(misses) // 2])} points" if misses else "–",
        "; ".join(reasons) or "–",
    )


def _reason(reason: str) -> str:
    """A stored reason with its numbers left out, so that like counts with like."""
    if re.match(r"only \d+ models?\b", reason):
        return "too few models with known compute"
    if re.match(r"(models|compute) spans? ", reason):
        return "too short a range of compute"
    return fit_reason_words(reason)


def _choices(view: View) -> Iterable[ChoiceRow]:
    tried: Counter[str] = Counter()
    verdict: Counter[str] = Counter()
    value: Counter[str] = Counter()
    for gain in view.checked:
        entry = view.swept.get(gain.key)
        if entry is not None:
            # keys alone: counters would add up the values of a mapping
            tried.update(list(entry.moved))
            verdict.update(list(entry.verdicts))
            value.update(c for c in entry.depends_on if c not in entry.verdicts)
            continue
        for choice, (said, factor) in gain.sensitivity.items():
            tried[choice] += 1
            if said != gain.verdict.value:
                verdict[choice] += 1
            elif choice in gain.sensitive_to and factor is not None:
                value[choice] += 1
    known = [choice for choice, _ in _CHOICES]
    meaning = dict(_CHOICES)
    order = sorted(
        tried, key=lambda choice: (known.index(choice) if choice in known else 99, choice)
    )
    for choice in order:
        whole = tried[choice]
        yield ChoiceRow(
            words.sentence(meaning.get(choice, words.clean(choice, 90))),
            whole,
            _part(verdict[choice], whole),
            "–" if choice.endswith(" interval") else _part(value[choice], whole),
        )


def _part(part: int, whole: int) -> str:
    return f"{part:,} ({formatting.share(part / whole)})" if part else "none"


def _range(texts: Sequence[str]) -> str:
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"
