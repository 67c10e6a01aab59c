"""How far evidence can be relied on: four grades by rule, each step down with its trigger.

After GRADE. A start by how the numbers were obtained; then one step down at most for
each of five reasons. What no record tells (tuning on the evaluated items, choices made
after seeing results) no rule here can see: a person may lower a grade and say why, never
raise it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scipy import stats

from cegain import formatting
from cegain.briefing.definition import GradeLevel, LoweredGrade
from cegain.errors import Problem, RecordError
from cegain.gains import Verdict
from cegain.records import Checked, Comparison, Kind, ReportedBy
from cegain.results import FitRecord, GainRecord
from cegain.summarising import WIDTH_90, curve_variance, pool_stored

WIDE = 1.0  # decades between the ends of an interval: a factor of ten
_SEVERAL = 3  # benchmarks or models from which on disagreement can be judged
_FUNNEL = 10  # estimates from which on asymmetry can be judged
_DOUBT = 0.1  # probability under which asymmetry is believed


class Reason(StrEnum):
    """Why a grade is one step lower."""

    BIAS = "risk of bias"
    IMPRECISION = "imprecision"
    INCONSISTENCY = "inconsistency"
    INDIRECTNESS = "indirectness"
    PUBLICATION = "publication bias"


@dataclass(frozen=True)
class Downgrade:
    """One step down and what triggered it."""

    reason: Reason
    trigger: str


@dataclass(frozen=True)
class Grade:
    """A grade with everything it follows from; ``lowered`` is a person's reason or empty."""

    level: GradeLevel
    start: GradeLevel
    why_start: str
    downgrades: tuple[Downgrade, ...]
    lowered: str = ""

    @property
    def short(self) -> str:
        """The reasons by name alone."""
        names = [step.reason.value for step in self.downgrades]
        return ", ".join([*names, *(["lowered by hand"] if self.lowered else [])])

    @property
    def text(self) -> str:
        """Start, every step and its trigger, in one sentence."""
        said = f"Starts at {self.start}: {self.why_start}."
        for step in self.downgrades:
            said += f" Down one for {step.reason}: {step.trigger}."
        return f"{said} Lowered by hand: {self.lowered}." if self.lowered else said


@dataclass(frozen=True)
class Evidence:
    """One gain with what its grade follows from; ``fit`` and ``comparison`` may be unknown."""

    gain: GainRecord
    comparison: Comparison | None
    fit: FitRecord | None
    family: str | None


def grade_one(evidence: Evidence) -> Grade:
    """Grade of a single comparison: no rule that needs several is applied."""
    start, why = _start(evidence)
    steps = [
        Downgrade(reason, trigger)
        for reason, find in _TRIGGERS
        if (trigger := find(evidence)) is not None
    ]
    return _grade(start, why, steps)


def grade_body(body: Sequence[Evidence], fits: Mapping[str, FitRecord]) -> Grade | None:
    """Grade of all evidence on one enhancement; None where no gain or bound is known.

    A trigger counts where it holds for more than half of the comparisons with checked
    numbers and an interval or a bound.
    """
    answered = [e for e in body if e.gain.headline_worthy and e.gain.interval != (None, None)]
    if not answered:
        return None
    starts = Counter(_start(one) for one in answered)
    # the most frequent start, the lower one where two are equally frequent
    (start, why), often = max(starts.items(), key=lambda item: (item[1], item[0][0].rank, item[0]))
    if len(answered) > 1:
        why += f" ({_of(often, len(answered))})"
    found: dict[Reason, str] = {}
    for reason, find in _TRIGGERS:
        triggers = [trigger for one in answered if (trigger := find(one)) is not None]
        if 2 * len(triggers) > len(answered):
            commonest = min(Counter(triggers).items(), key=lambda item: (-item[1], item[0]))[0]
            found[reason] = commonest
            if len(answered) > 1:
                found[reason] += f" (this or the like in {_of(len(triggers), len(answered))})"
    gains = [one.gain for one in answered]
    for reason, trigger in (
        (Reason.INCONSISTENCY, _inconsistent(gains, fits)),
        (Reason.PUBLICATION, _published(gains, fits)),
    ):
        if trigger is not None:
            found[reason] = trigger
    return _grade(start, why, [Downgrade(reason, found[reason]) for reason in Reason
                               if reason in found])  # fmt: skip


def lower(grade: Grade, by: LoweredGrade, place: str, file: str) -> Grade:
    """The grade a person set; raises ``RecordError`` where that would raise it."""
    if by.grade.rank < grade.level.rank:
        message = f"a grade may be lowered, never raised (rules give {grade.level}, got {by.grade})"
        repair = f"Remove the entry or set {grade.level} or lower. {grade.text}"
        raise RecordError([Problem(file, 0, place, message, repair)])
    if by.grade is grade.level:
        return grade
    return Grade(by.grade, grade.start, grade.why_start, grade.downgrades, by.reason.rstrip(". "))


def _grade(start: GradeLevel, why: str, steps: Sequence[Downgrade]) -> Grade:
    levels = list(GradeLevel)
    level = levels[min(start.rank + len(steps), len(levels) - 1)]
    return Grade(level, start, why, tuple(steps))


def _start(evidence: Evidence) -> tuple[GradeLevel, str]:
    gain, comparison = evidence.gain, evidence.comparison
    if not gain.headline_worthy:
        return GradeLevel.VERY_LOW, "numbers nobody could check"
    if _flag(gain, "the two scores come from diff"):
        return GradeLevel.LOW, "the two scores were published in different places"
    if re.search(r"\bfig(ure|\.)", gain.locator, re.IGNORECASE):
        return GradeLevel.LOW, "numbers read off a figure"
    if gain.checked == Checked.SECONDARY:
        return GradeLevel.LOW, "numbers read second-hand"
    if _flag(gain, "number of items not stated"):
        return GradeLevel.LOW, "a published pair without the number of questions"
    if comparison is not None and comparison.paired_se is not None:
        return GradeLevel.HIGH, "one controlled pair compared question by question"
    return GradeLevel.MODERATE, "a published pair with number of questions and settings"


def _bias(evidence: Evidence) -> str | None:
    gain, comparison = evidence.gain, evidence.comparison
    if gain.reported_by == ReportedBy.DEVELOPER:
        return "reported by the developers of the model or technique"
    if comparison is None or gain.kind == Kind.PROMPTING:
        return None
    before, after = (arm.elicitation.shots for arm in (comparison.baseline, comparison.enhanced))
    if before is not None and after is not None and before < after:
        return "fewer worked examples without the enhancement than with it"
    return None


def _imprecision(evidence: Evidence) -> str | None:
    low, high = evidence.gain.interval
    if low is None and high is None:
        return None
    if (low is None or low <= 1.0) and (high is None or high >= 1.0):
        return "the interval includes 1×"
    if low is None or high is None:
        return "the interval is open at one end"
    if math.log10(high / low) > WIDE:
        return "the interval spans more than a factor of ten"
    return None


def _indirectness(evidence: Evidence) -> str | None:
    gain, fit = evidence.gain, evidence.fit
    if gain.verdict is Verdict.EXTRAPOLATED:
        return "read outside the compute range of the curve"
    if gain.verdict in {Verdict.LOWER_BOUND, Verdict.UPPER_BOUND}:
        return "known only as a bound beyond the curve’s range"
    if gain.verdict is Verdict.MEASURED_BOUND:
        other = gain.bound is not None and not gain.bound.same_family
        return "bounded by models of another family" if other else None
    if fit is not None and fit.models and evidence.family is not None:
        families = {model.family for model in fit.models}
        if evidence.family not in families:
            return "the curve holds no model of the same family"
    return None


_TRIGGERS = (
    (Reason.BIAS, _bias),
    (Reason.IMPRECISION, _imprecision),
    (Reason.INDIRECTNESS, _indirectness),
)


def _inconsistent(gains: Sequence[GainRecord], fits: Mapping[str, FitRecord]) -> str | None:
    places = {gain.series for gain in gains}, {gain.model for gain in gains}
    if max(map(len, places)) < _SEVERAL:
        return None
    above = sum(gain.interval[0] is not None and gain.interval[0] > 1.0 for gain in gains)
    below = sum(gain.interval[1] is not None and gain.interval[1] < 1.0 for gain in gains)
    if above and below:
        return f"{above:,} clear {_gain(above)} and {below:,} clear {_loss(below)}"
    pooled = pool_stored(_poolable(gains, fits), fits).pooled
    if pooled is None or pooled.prediction is None:
        return None
    low, high = pooled.prediction
    if low <= 0.0 <= high:
        shown = formatting.interval(low, high)
        return f"the interval predicted for a new study includes 1× ({shown})"
    return None


def _of(part: int, whole: int) -> str:
    return f"all {whole:,}" if part == whole else f"{part:,} of {whole:,}"


def _gain(number: int) -> str:
    return "gain" if number == 1 else "gains"


def _loss(number: int) -> str:
    return "loss" if number == 1 else "losses"


def _published(gains: Sequence[GainRecord], fits: Mapping[str, FitRecord]) -> str | None:
    if all(gain.reported_by == ReportedBy.DEVELOPER for gain in gains):
        return "only the developers’ own results"
    estimates = _poolable(gains, fits)
    if len(estimates) < _FUNNEL:
        return None
    return _asymmetry(estimates, fits)


def _asymmetry(gains: Sequence[GainRecord], fits: Mapping[str, FitRecord]) -> str | None:
    """Egger's regression on the part of the error that does not grow with the gain itself.

    The error of a curve's slope is proportional to the gain; left in, it would look like
    larger gains in less certain studies.
    """
    values, errors = [], []
    for gain in gains:
        value = math.log10(gain.ratio or 1.0)
        sd = math.log10((gain.interval[1] or 1.0) / (gain.interval[0] or 1.0)) / WIDTH_90
        slopes = curve_variance(fits[gain.series]) + (gain.slope_sd or 0.0) ** 2
        shared = slopes * value**2
        values.append(value)
        errors.append(math.sqrt(max(sd**2 - shared, 0.1 * sd**2, 1e-6)))
    precision = [1.0 / error for error in errors]
    if max(precision) - min(precision) < 1e-9:
        return None
    found = stats.linregress(precision, [v / e for v, e in zip(values, errors, strict=True)])
    if not found.intercept_stderr or found.intercept <= 0.0:
        return None
    chance = float(stats.t.sf(found.intercept / found.intercept_stderr, len(values) - 2))
    if chance >= _DOUBT / 2:
        return None
    return f"less certain results show larger gains ({len(values):,} estimates)"


def _poolable(gains: Sequence[GainRecord], fits: Mapping[str, FitRecord]) -> list[GainRecord]:
    """Estimates with a closed interval on a curve whose slope is known."""
    return [
        gain
        for gain in gains
        if gain.has_ratio
        and gain.ratio is not None
        and None not in gain.interval
        and gain.series in fits
        and "climb" in fits[gain.series].parameters
    ]


def _flag(gain: GainRecord, start: str) -> bool:
    return any(flag.startswith(start) for flag in gain.flags)
