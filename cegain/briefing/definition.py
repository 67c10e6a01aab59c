"""What a briefing is about: the typed form of ``reports/*.yaml``."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from cegain.errors import Problem, RecordError
from cegain.parsing import build_record, dotted, parse_yaml
from cegain.records import (
    Checked,
    Kind,
    NonNegative,
    Positive,
    Record,
    Registry,
    Slug,
    Text,
)


class SectionName(StrEnum):
    """Sections a briefing may have, in the order in which they are printed."""

    SUMMARY = "summary"
    FINDINGS = "findings"
    FOREST = "forest"
    TABLE = "table"
    COST = "cost"
    LINES = "compute-lines"
    MEANING = "meaning"
    SURE = "how-sure"
    CURVES = "curves"
    BY_COMPUTE = "by-compute"
    SECOND_ROUTE = "second-route"
    REPORTED = "reported"
    WOULD_CHANGE = "would-change"
    METHODS = "methods"
    LIMITATIONS = "limitations"
    CHECKLIST = "checklist"
    CHANGES = "changes"
    SOURCES = "sources"
    DATA = "data"


class GradeLevel(StrEnum):
    """How far evidence can be relied on, best first (after GRADE)."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    VERY_LOW = "very low"

    @property
    def rank(self) -> int:
        """0 for high to 3 for very low."""
        return list(GradeLevel).index(self)

    @property
    def symbols(self) -> str:
        """``⊕⊕⊕○``; never shown without the words."""
        return "⊕" * (4 - self.rank) + "○" * self.rank


class LikelihoodScale(StrEnum):
    """Which published scale of likelihood words is used."""

    PHIA = "phia"
    IPCC = "ipcc"
    ICD203 = "icd203"


class Scope(Record):
    """Which records a briefing covers; a list left out means all of them.

    ``max_one_time_cost_share`` keeps comparisons whose one-time cost is known and at
    most this share of the model's training compute; those of unknown cost are counted.
    """

    kinds: tuple[Kind, ...] = tuple(Kind)
    enhancements: tuple[Slug, ...] | None = None
    series: tuple[Slug, ...] | None = None
    models: tuple[Text, ...] | None = None
    families: tuple[Text, ...] | None = None
    max_one_time_cost_share: NonNegative | None = None
    introduced_from: date | None = None
    introduced_to: date | None = None
    checked: tuple[Checked, ...] = tuple(Checked)

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        first, last = self.introduced_from, self.introduced_to
        if first is not None and last is not None and first > last:
            raise ValueError("introduced_from must not be later than introduced_to")
        return self


class ReferenceLine(Record):
    """A vertical line in the overview chart, with what it means to the reader."""

    factor: Positive
    meaning: Text


class ComputeLine(Record):
    """A line rules or policies draw at an amount of compute, with its status and source.

    Exactly one of the three is given: ``training_compute_flop``, an amount; ``factor``,
    a growth in effective compute; ``modification_share``, compute of a modification as
    a share of the original training.
    """

    name: Text
    training_compute_flop: Positive | None = None
    factor: Positive | None = None
    modification_share: Positive | None = None
    status: Text
    source: Text
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    checked: Checked
    note: Text | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        given = (self.training_compute_flop, self.factor, self.modification_share)
        if sum(amount is not None for amount in given) != 1:
            raise ValueError(
                "give exactly one of training_compute_flop, factor and modification_share"
            )
        return self


class LoweredGrade(Record):
    """A grade a person lowered, and why; rules alone can only be followed or lowered."""

    grade: GradeLevel
    reason: Text


class BriefingDefinition(Record):
    """One briefing: title, scope, audience, sections and the lines it draws."""

    title: Text
    subtitle: Text
    audience: Text
    scope: Scope = Scope()
    sections: tuple[SectionName, ...] = tuple(SectionName)
    reference_lines: tuple[ReferenceLine, ...] = (
        ReferenceLine(factor=1.0, meaning="no gain: the score a model reaches anyway"),
    )
    # the summary says which share of intervals lies wholly above each of these
    thresholds: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 5.0, 20.0)
    likelihood_scale: LikelihoodScale = LikelihoodScale.PHIA
    compute_lines: tuple[ComputeLine, ...] = ()
    # by name of the enhancement's file
    lowered_grades: dict[Slug, LoweredGrade] = Field(default_factory=dict)
    # gains that moved on or after this day are listed; without it, all that ever moved
    last_issue: date | None = None

    @model_validator(mode="after")
    def _sections_once(self) -> Self:
        if len(set(self.sections)) != len(self.sections):
            raise ValueError("each section may be listed only once")
        return self


def parse_definition(text: str, file: str) -> BriefingDefinition:
    """A definition from YAML text; raises ``RecordError`` with every problem at once."""
    document = parse_yaml(text, file)
    definition, problems = build_record(BriefingDefinition, document, document.value)
    if document.problems or definition is None:
        raise RecordError([*document.problems, *problems])
    return definition


def check_definition(definition: BriefingDefinition, registry: Registry, file: str) -> None:
    """Refuse names the registry does not hold: a typing slip must not shrink a briefing."""
    scope = definition.scope
    problems = [
        *_unknown("enhancements", scope.enhancements, registry.enhancements, file),
        *_unknown("series", scope.series, registry.benchmarks, file),
        *_unknown("models", scope.models, registry.models, file),
        *_unknown("families", scope.families, {m.family for m in registry.models.values()}, file),
    ]
    for slug in definition.lowered_grades:
        if slug not in registry.enhancements:
            repair = _repair(slug, registry.enhancements)
            place = dotted(("lowered_grades", slug))
            problems.append(Problem(file, 0, place, "not in the registry", repair))
    if problems:
        raise RecordError(problems)


def _unknown(
    field: str, wanted: tuple[str, ...] | None, known: Collection[str], file: str
) -> Iterable[Problem]:
    for index, name in enumerate(wanted or ()):
        if name not in known:
            place = dotted(("scope", field, index))
            shown = f"not in the registry (got {name[:80]})"
            yield Problem(file, 0, place, shown, _repair(name, known))


def _repair(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {close[0]}?" if close else "Remove it or add its record."
