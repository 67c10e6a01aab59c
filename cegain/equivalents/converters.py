"""Records of the rates, thresholds and figures that give a gain its meaning elsewhere.

A rate is a distribution with a source, a place in it and the span of dates it
describes. People edit these records under ``converters/``; nothing here is a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from cegain.equivalents.distributions import Distribution, Level, smallest
from cegain.errors import Problem, RecordError
from cegain.records import Checked, Number, Positive, Record, Slug, Source, Text


class Unit(StrEnum):
    """Units a rate may be written in; outputs print them beside the number."""

    MONTHS_PER_DOUBLING = "months per doubling"
    DAYS_PER_DOUBLING = "days per doubling"
    TIMES_PER_YEAR = "times per year"
    PER_LOG_COMPUTE = "ln(horizon) per ln(compute)"
    PER_LOG_INDEX = "ln(horizon) per index point"
    INDEX_PER_DECADE = "index points per factor 10 of compute"
    DECADES_PER_DECADE = "decades of training per decade of inference"
    PER_LOSS_LOG = "exponent"
    RATIO = "ratio"
    FLOP = "FLOP"
    TOKENS = "tokens"
    MODELS = "models"
    NATS = "nats"
    YEAR = "year"
    LN_PER_YEAR = "ln per year"
    NONE = "number"


class Quantity(StrEnum):
    """What a rate is about; the conversions pick their rates by it."""

    ALGORITHMIC_PROGRESS = "algorithmic progress"
    COMPUTE_GROWTH = "compute growth"
    HORIZON_ELASTICITY = "horizon elasticity"
    HORIZON_GROWTH = "horizon growth"
    INFERENCE_EXCHANGE = "inference exchange"
    SIZE_EXPONENT = "size exponent"
    CAPABILITY_INDEX = "capability index"
    PARAMETER = "parameter"


GROWTH_UNITS = frozenset({Unit.MONTHS_PER_DOUBLING, Unit.DAYS_PER_DOUBLING, Unit.TIMES_PER_YEAR})
_GROWTHS = frozenset(
    {Quantity.ALGORITHMIC_PROGRESS, Quantity.COMPUTE_GROWTH, Quantity.HORIZON_GROWTH}
)


class _Entry(Record):
    """What every entry says of itself: its name, its source and the place in it."""

    name: Text
    source: Text
    locator: Text
    checked: Checked
    note: Text | None = None


class Rate(_Entry):
    """One converter: what it is, its distribution, where it comes from, when it holds.

    ``first`` and ``last`` bound the dates of the data behind it; a use outside them
    carries a warning. ``default`` rates head their group. ``caution`` is printed with
    every output that uses the rate.
    """

    quantity: Quantity
    unit: Unit
    distribution: Distribution
    first: date | None = None
    last: date | None = None
    default: bool = False
    caution: Text | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.quantity in _GROWTHS and self.unit not in GROWTH_UNITS:
            units = ", ".join(sorted(GROWTH_UNITS))
            raise ValueError(f"a rate of {self.quantity} is written in {units}")
        still = 1.0 if self.unit is Unit.TIMES_PER_YEAR else 0.0
        if self.quantity in _GROWTHS and smallest(self.distribution) <= still:
            raise ValueError(f"a rate of growth in {self.unit} must stay above {still:g}")
        if self.first and self.last and self.first > self.last:
            raise ValueError("first must not be after last")
        return self


class ThresholdStatus(StrEnum):
    """Whether a rule binds anyone."""

    IN_FORCE = "in force"
    ENACTED = "enacted, not yet in force"
    NOT_ENFORCED = "not enforced"
    REVOKED = "revoked"
    PROPOSED = "proposed"


class Threshold(_Entry):
    """A rule that turns on training compute.

    ``counts_modifications`` says whether later fine-tuning and reinforcement learning
    add to the compute the rule counts; None where the text was not checked.
    """

    jurisdiction: Text
    training_compute_flop: Positive
    status: ThresholdStatus
    since: date | None = None
    until: date | None = None
    counts_modifications: bool | None = None
    condition: Text | None = None


class ModificationRule(_Entry):
    """A rule under which changing someone else's model makes one its provider.

    It triggers where the compute of the modification exceeds ``share`` of the original
    model's training compute.
    """

    jurisdiction: Text
    share: Annotated[Positive, Field(le=1.0)]
    status: ThresholdStatus
    since: date | None = None


class ContextFigure(_Entry):
    """A published figure that a briefing may cite beside a gain; not used in any sum."""

    statement: Text
    value: Number | None = None
    low: Number | None = None
    high: Number | None = None
    level: Level | None = None
    unit: Text


class ParameterSet(_Entry):
    """The constants of a published law, kept together: a law is no rate of its own."""

    law: Text
    values: dict[str, Number] = Field(min_length=1)
    first: date | None = None
    last: date | None = None


class DataTable(Record):
    """A table of facts in ``converters/data``: where it is from and what was changed."""

    file: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.csv$")]
    source: Text
    locator: Text
    licence: Text
    checked: Checked
    changes: Text


class ConverterFile(Record):
    """One file of ``converters/``; each part may be left out."""

    sources: dict[str, Source] = Field(min_length=1)
    rates: dict[Slug, Rate] = Field(default_factory=dict)
    thresholds: dict[Slug, Threshold] = Field(default_factory=dict)
    modification_rules: dict[Slug, ModificationRule] = Field(default_factory=dict)
    parameters: dict[Slug, ParameterSet] = Field(default_factory=dict)
    context: dict[Slug, ContextFigure] = Field(default_factory=dict)
    tables: dict[Slug, DataTable] = Field(default_factory=dict)


class ComputeRow(Record):
    """One model of the compute-by-date table."""

    model: Text
    published: date
    training_compute_flop: Positive
    confidence: Text | None = None
    language: Literal["yes", "no"]
    frontier: Literal["yes", "no"]


class RunRow(Record):
    """One agent on one task of the time-horizon data, over its runs."""

    agent: Text
    task: Text
    task_family: Text
    human_minutes: Positive
    runs: Annotated[int, Field(ge=1)]
    success_rate: Annotated[Number, Field(ge=0.0, le=1.0)]
    weight_per_run: Positive


class AgentRow(Record):
    """One agent of the time-horizon data and its release; without a date it is no model."""

    agent: Text
    released: date


Entry = TypeVar("Entry")


def _missing(message: str, repair: str) -> RecordError:
    return RecordError([Problem("converters", 0, "", message, repair)])


def _found(entries: Mapping[str, Entry], key: str, what: str) -> Entry:
    if key not in entries:
        raise _missing(f"no {what} called {key}", "Copy it from the curated registry's converters.")
    return entries[key]


@dataclass(frozen=True)
class Converters:
    """Everything under ``converters/``, checked and immutable; keys are unique over files."""

    rates: Mapping[str, Rate]
    thresholds: Mapping[str, Threshold]
    modification_rules: Mapping[str, ModificationRule]
    parameters: Mapping[str, ParameterSet]
    context: Mapping[str, ContextFigure]
    tables: Mapping[str, DataTable]
    sources: Mapping[str, Source]
    compute_by_date: tuple[ComputeRow, ...] = ()
    runs: tuple[RunRow, ...] = ()
    agents: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, quantity: Quantity, *, verified: bool = False) -> dict[str, Rate]:
        """Rates about one quantity, defaults first, then by key; ``verified`` drops the rest."""
        chosen = {
            key: rate
            for key, rate in self.rates.items()
            if rate.quantity is quantity and not (verified and rate.checked is Checked.UNVERIFIED)
        }
        return dict(sorted(chosen.items(), key=lambda item: (not item[1].default, item[0])))

    def default(self, quantity: Quantity) -> tuple[str, Rate]:
        """Key and rate used where nobody chose one; RecordError where there is none."""
        for key, rate in self.of(quantity).items():
            if rate.default:
                return key, rate
        raise _missing(f"no default rate of {quantity}", "Mark one rate `default: true`.")

    def rate(self, key: str) -> Rate:
        """A rate by its key; RecordError where there is none."""
        return _found(self.rates, key, "rate")

    def table(self, key: str) -> DataTable:
        """Where a table is from; RecordError where there is none."""
        return _found(self.tables, key, "table")

    def law(self, key: str, *names: str) -> tuple[ParameterSet, dict[str, float]]:
        """A law and its named constants; RecordError where one is missing."""
        law = _found(self.parameters, key, "parameter set")
        for name in names:
            _found(law.values, name, f"constant in {key}")
        return law, dict(law.values)

    def cite(self, key: str) -> str:
        """A source as text: title, year and address."""
        source = self.sources[key]
        year = f" ({source.published.year})" if source.published else ""
        return f"{source.title}{year}, {source.url}"
