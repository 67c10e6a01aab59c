"""What people write: enhancements, series, models, and the immutable registry of them.

Scores are fractions, compute is in FLOP, dates are ISO. A missing value means
unknown; there is no code for "unknown" such as -1 or "n/a".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Kind(StrEnum):
    """The five kinds of post-training enhancement (Davidson et al. 2023)."""

    TOOL_USE = "tool-use"
    PROMPTING = "prompting"
    SCAFFOLDING = "scaffolding"
    SOLUTION_SELECTION = "solution-selection"
    DATA_GENERATION = "data-generation"


class GainType(StrEnum):
    """Where the gain comes from (Goemans et al. 2026)."""

    INFERENCE = "inference"
    SYSTEMS = "systems"
    ASSET = "asset"


class Status(StrEnum):
    """Whether a record still stands."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class Checked(StrEnum):
    """How a number was checked, best first."""

    AUTHORS_DATA = "authors-data"
    FULL_TEXT = "full-text"
    SECONDARY = "secondary"
    UNVERIFIED = "unverified"


class ComputeConfidence(StrEnum):
    """How well a model's training compute is known."""

    REPORTED = "reported"  # 6 x parameters x tokens from the developer's own figures
    CONFIDENT = "confident"  # Epoch AI's words, from here down
    LIKELY = "likely"
    SPECULATIVE = "speculative"


class CostBasis(StrEnum):
    """How an inference cost multiplier was obtained."""

    MEASURED_TOKENS = "measured-tokens"
    MEASURED_DOLLARS = "measured-dollars"
    SAMPLES = "samples"
    ESTIMATED = "estimated"


class ReportedBy(StrEnum):
    """Who ran the comparison."""

    DEVELOPER = "developer"
    INDEPENDENT = "independent"


class BoundKind(StrEnum):
    """What a published gain claims to be."""

    POINT = "point"
    LOWER = "lower"
    UPPER = "upper"


def _written_as_number(value: object) -> object:
    # bool is an int in Python, and a quoted number is text: neither may pass as a number
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise ValueError("must be a number")
    return value


Number = Annotated[float, BeforeValidator(_written_as_number), Field(allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_written_as_number), Field(ge=0)]
Items = Annotated[int, BeforeValidator(_written_as_number), Field(ge=1)]
Score = Annotated[Number, Field(ge=0.0, le=1.0)]
Positive = Annotated[Number, Field(gt=0.0)]
NonNegative = Annotated[Number, Field(ge=0.0)]
Text = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.\-]*$")]


class Record(BaseModel):
    """Base of everything people write: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Source(Record):
    """Where numbers come from; cited by key, always with a locator."""

    title: Text
    authors: tuple[Text, ...] = Field(min_length=1)
    url: Annotated[str, Field(pattern=r"^https?://")]
    published: date | None = None
    accessed: date | None = None
    licence: Text | None = None
    note: Text | None = None


class Elicitation(Record):
    """How the model was asked: prompt, shots, tools and sampling."""

    shots: Count | None = None
    prompting: Text | None = None
    tools: Text | None = None
    sampling: Text | None = None
    samples: Items | None = None
    fine_tuning: Text | None = None


class Arm(Record):
    """One side of a comparison: a score and how it was obtained."""

    score: Score
    n_items: Items | None = None
    score_se: NonNegative | None = None
    elicitation: Elicitation = Elicitation()
    # only when this arm comes from elsewhere than the comparison's own source
    source: Text | None = None
    locator: Text | None = None


class InferenceCost(Record):
    """Cost per task with the enhancement over cost without it."""

    value: Positive
    basis: CostBasis
    note: Text | None = None


class Comparison(Record):
    """The same model on the same benchmark, without and with an enhancement."""

    series: Slug
    model: Text
    source: Text
    locator: Text
    checked: Checked
    baseline: Arm
    enhanced: Arm
    # tells apart comparisons that share series and model (e.g. number of samples)
    variant: Text | None = None
    # standard error of the paired difference, when item-level results were compared
    paired_se: Positive | None = None
    one_time_cost_flop: NonNegative | None = None
    inference_cost_multiplier: InferenceCost | None = None
    reported_by: ReportedBy | None = None
    note: Text | None = None

    @property
    def mixed_sources(self) -> bool:
        """Whether the two arms were published in different places."""
        base = self.baseline.source or self.source
        return base != (self.enhanced.source or self.source)


class ReportedGain(Record):
    """A gain somebody published, kept beside what is computed here."""

    ratio: Positive
    bound: BoundKind
    source: Text
    locator: Text
    checked: Checked
    benchmark: Text | None = None
    series: Slug | None = None
    model: Text | None = None
    variant: Text | None = None
    note: Text | None = None


class ReportedElsewhere(ReportedGain):
    """A published gain of something that is no enhancement here, such as a training method."""

    subject: Text


class Elsewhere(Record):
    """``enhancements/reported_elsewhere.yaml``: published gains no record here can hold."""

    sources: dict[str, Source] = {}
    reported_gains: tuple[ReportedElsewhere, ...] = ()


class Enhancement(Record):
    """One post-training enhancement with everything measured about it."""

    name: Text
    kind: Kind
    gain_type: GainType
    summary: Text
    status: Status = Status.CURRENT
    introduced: date
    sources: dict[str, Source] = Field(min_length=1)
    comparisons: tuple[Comparison, ...] = ()
    reported_gains: tuple[ReportedGain, ...] = ()
    withdrawn_on: date | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _withdrawal_is_explained(self) -> Self:
        if self.status is not Status.CURRENT and (self.withdrawn_on is None or not self.reason):
            raise ValueError(f"status {self.status} needs withdrawn_on and reason")
        return self


class Exclusion(Record):
    """A model left out of a fit, with the reason."""

    model: Text
    reason: Text
    source: Text | None = None


class Curve(StrEnum):
    """Curve families a series may ask for; ``mixture`` weighs three links by evidence."""

    MIXTURE = "mixture"
    LOGISTIC = "logistic"
    GOMPERTZ = "gompertz"
    RICHARDS = "richards"


class Floor(StrEnum):
    """What is known about the score of a model that knows nothing."""

    NEAR_CHANCE = "near-chance"  # estimated, close to nominal chance
    FIXED = "fixed"
    FREE = "free"  # nominal chance is known to be wrong here


class BenchmarkSettings(Record):
    """What a series is and how it is fitted (``benchmark.yaml``)."""

    name: Text
    benchmark: Text
    domain: Text
    protocol: Text
    metric: Text
    chance: Score
    ceiling: Score = 1.0
    n_items: Items | None = None
    curve: Curve = Curve.MIXTURE
    floor: Floor = Floor.NEAR_CHANCE
    elicitation: Elicitation = Elicitation()
    exclusions: tuple[Exclusion, ...] = ()
    sources: dict[str, Source] = {}
    note: Text | None = None

    @model_validator(mode="after")
    def _ceiling_above_chance(self) -> Self:
        if self.ceiling <= self.chance:
            raise ValueError(f"ceiling {self.ceiling:g} must lie above chance {self.chance:g}")
        return self


class Model(Record):
    """One row of ``models.csv``: a model and its training compute."""

    model: Text
    developer: Text | None = None
    family: Text
    model_type: Text | None = None
    released: date | None = None
    params: Positive | None = None
    training_tokens: Positive | None = None
    training_compute_flop: Annotated[Number, Field(ge=1e10, le=1e30)] | None = None
    compute_confidence: ComputeConfidence | None = None
    source: Text
    locator: Text
    note: Text | None = None

    @model_validator(mode="after")
    def _compute_has_confidence(self) -> Self:
        if (self.training_compute_flop is None) != (self.compute_confidence is None):
            raise ValueError("training_compute_flop and compute_confidence go together")
        return self

    @property
    def log10_compute(self) -> float | None:
        """log10 of training compute in FLOP, or None where it is not known."""
        if self.training_compute_flop is None:
            return None
        return math.log10(self.training_compute_flop)


class Point(Record):
    """One row of ``points.csv``: the unenhanced score of one model."""

    model: Text
    score: Score
    n_items: Items | None = None
    score_se: NonNegative | None = None
    source: Text
    locator: Text
    checked: Checked
    note: Text | None = None


@dataclass(frozen=True)
class Series:
    """A benchmark under one protocol: settings, points, and the models they name.

    This is the unit that is fitted. ``points`` keeps the order of the file;
    ``models`` is the registry's whole table of models, by name.
    """

    slug: str
    settings: BenchmarkSettings
    points: tuple[Point, ...]
    models: Mapping[str, Model]

    @property
    def excluded(self) -> frozenset[str]:
        """Names of models that are listed but left out of the fit."""
        return frozenset(exclusion.model for exclusion in self.settings.exclusions)

    def items_of(self, scored: Point | Arm) -> int | None:
        """Items behind a score: its own number, or else that of the series."""
        return scored.n_items or self.settings.n_items

    @cached_property
    def fitted_points(self) -> tuple[Point, ...]:
        """Points with known compute that are not excluded."""
        excluded = self.excluded
        return tuple(
            point
            for point in self.points
            if point.model not in excluded
            and self.models[point.model].training_compute_flop is not None
        )


@dataclass(frozen=True)
class ComparisonRef:
    """A comparison with the names that identify it across files and results."""

    enhancement: str
    kind: Kind
    comparison: Comparison

    @property
    def key(self) -> str:
        """Stable identity: ``enhancement/series/model`` and the variant if there is one."""
        parts = [self.enhancement, self.comparison.series, self.comparison.model]
        if self.comparison.variant:
            parts.append(self.comparison.variant)
        return "/".join(parts)


@dataclass(frozen=True)
class Registry:
    """Everything people wrote, checked and immutable."""

    root: str
    enhancements: Mapping[str, Enhancement]
    benchmarks: Mapping[str, Series]
    models: Mapping[str, Model]
    sources: Mapping[str, Source] = field(default_factory=lambda: MappingProxyType({}))
    elsewhere: Elsewhere = field(default_factory=Elsewhere)

    def comparisons(self) -> tuple[ComparisonRef, ...]:
        """Every comparison of every record that still stands, ordered by name."""
        return tuple(
            ComparisonRef(slug, enhancement.kind, comparison)
            for slug, enhancement in sorted(self.enhancements.items())
            if enhancement.status is Status.CURRENT
            for comparison in enhancement.comparisons
        )
