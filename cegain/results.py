"""Results as they are stored: one record per fit and per gain, without draws.

Everything a page or another program reads comes from these, so no two outputs
can disagree. Numbers are rounded once, here, to keep stored bytes stable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from cegain.curves import CurveDraws, Floats
from cegain.formatting import rounded, stored_factor
from cegain.gains import HAS_RATIO, GainEstimate, Verdict, bound_text, statement
from cegain.records import ComparisonRef, Enhancement
from cegain.resampling import quantiles
from cegain.scale import ScaleRecord
from cegain.scaling import FitStatus, ScalingFit
from cegain.sensitivity import Alternative, sensitive_to

FORMAT = 2

Stored = TypeVar("Stored", "FitRecord", "GainRecord")
_GRID_POINTS = 61
_MARGIN = 1.0  # decades drawn beyond the fitted range


@dataclass(frozen=True)
class FittedModel:
    """One model of a fit: log10 FLOP, observed and fitted score."""

    model: str
    family: str
    log10_compute: float
    score: float
    fitted: float


@dataclass(frozen=True)
class CurveGrid:
    """The curve on a grid of log10 compute: 5 %, 50 % and 95 % quantiles of the score."""

    log10_compute: tuple[float, ...]
    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class FitRecord:
    """A stored fit; ``curve`` is None and ``parameters`` empty where it is unusable.

    ``parameters`` maps a name to its 5 %, 50 % and 95 % quantiles over the draws.
    """

    series: str
    method: str
    status: FitStatus
    reasons: tuple[str, ...]
    n_models: int
    n_families: int
    log10_range: tuple[float, float] | None
    link_weights: Mapping[str, float]
    effective_sample_size: float | None
    parameters: Mapping[str, tuple[float, float, float]]
    curve: CurveGrid | None
    models: tuple[FittedModel, ...]

    @property
    def rmse(self) -> float | None:
        """Root mean square residual in score units."""
        if not self.models:
            return None
        return math.sqrt(sum((m.score - m.fitted) ** 2 for m in self.models) / len(self.models))


@dataclass(frozen=True)
class BoundRecord:
    """A measured bound as ratios of compute; None is an end without a model."""

    lower: float | None
    upper: float | None
    lower_model: str | None
    upper_model: str | None
    interpolated: float | None
    same_family: bool


@dataclass(frozen=True)
class GainRecord:
    """A stored gain with the facts it rests on; ratios are factors of compute.

    ``interval`` ends are None where nothing bounds them; ``ratio`` is None unless
    the verdict is interpolated or extrapolated. ``sensitivity`` gives verdict and
    printed factor under other choices of the method; ``sensitive_to`` names those
    that change the verdict or move the value by more than a factor of two. ``slope_sd``
    is the uncertainty of the log slope of the model's family, None without a curve.
    """

    enhancement: str
    name: str
    kind: str
    series: str
    model: str
    variant: str | None
    training_compute_flop: float | None
    baseline_score: float
    enhanced_score: float
    n_items: int | None
    route: str
    verdict: Verdict
    ratio: float | None
    interval: tuple[float | None, float | None]
    level: float
    reasons: tuple[str, ...]
    flags: tuple[str, ...]
    bound: BoundRecord | None
    bound_refusal: str | None
    probability_above: Mapping[str, float] | None
    inference_cost_multiplier: float | None
    inference_cost_basis: str | None
    one_time_cost_flop: float | None
    reported_by: str | None
    checked: str
    source: str
    locator: str
    sensitivity: Mapping[str, tuple[str, float | None]] = field(default_factory=dict)
    sensitive_to: tuple[str, ...] = ()
    slope_sd: float | None = None

    @property
    def key(self) -> str:
        """``enhancement/series/model`` and the variant if there is one."""
        parts = [self.enhancement, self.series, self.model]
        return "/".join([*parts, self.variant] if self.variant else parts)

    @property
    def statement(self) -> str:
        """The gain in words: number and interval, or bound, never more than is known."""
        ends = (_log10(self.interval[0]), _log10(self.interval[1]))
        return statement(self.verdict, _log10(self.ratio), ends, self.level)

    @property
    def bound_statement(self) -> str:
        """The measured bound in words, empty where there is none."""
        if self.bound is None:
            return ""
        return bound_text(_log10(self.bound.lower), _log10(self.bound.upper))

    @property
    def has_ratio(self) -> bool:
        """Whether a central value may be printed."""
        return self.verdict in HAS_RATIO

    @property
    def headline_worthy(self) -> bool:
        """Whether the numbers were checked, so that headlines may rest on them."""
        return self.checked != "unverified"

    @property
    def one_time_cost_share(self) -> float | None:
        """One-time cost as a share of training compute, where both are known; none is none."""
        if self.one_time_cost_flop == 0:
            return 0.0
        if self.one_time_cost_flop is None or self.training_compute_flop is None:
            return None
        return self.one_time_cost_flop / self.training_compute_flop


@dataclass(frozen=True)
class Results:
    """Everything a recompute stored: fits by series, gains and lines by key."""

    fits: Mapping[str, FitRecord]
    gains: Mapping[str, GainRecord]
    lines: Mapping[str, ScaleRecord] = field(default_factory=dict)


def fit_record(fit: ScalingFit) -> FitRecord:
    """What is stored of a fit: its judgement, its curve as a band, its residuals."""
    curve: CurveGrid | None = None
    parameters: dict[str, tuple[float, float, float]] = {}
    if fit.draws is not None:
        low, high = fit.log10_range
        grid = np.linspace(low - _MARGIN, high + _MARGIN, _GRID_POINTS)
        band = quantiles(
            fit.draws.score(np.broadcast_to(grid, (len(fit.draws), grid.size))), [0.05, 0.5, 0.95]
        )
        curve = CurveGrid(*(tuple(rounded(v) for v in row) for row in (grid, *band)))
        drawn = {one.name: getattr(fit.draws, one.name) for one in fields(fit.draws)}
        del drawn["link"]
        if fit.slope_sd is not None:
            drawn["slope_sd"] = fit.slope_sd
        drawn["climb"] = _climb(fit.draws, fit.log10_range)
        for name, values in drawn.items():
            ends = quantiles(values, [0.05, 0.5, 0.95])
            parameters[name] = (rounded(ends[0]), rounded(ends[1]), rounded(ends[2]))
    ess = fit.effective_sample_size
    known_range = fit.n_models > 0
    return FitRecord(
        fit.series.slug,
        fit.method.value,
        fit.status,
        fit.reasons,
        fit.n_models,
        fit.n_families,
        (rounded(fit.log10_range[0]), rounded(fit.log10_range[1])) if known_range else None,
        {name: rounded(weight) for name, weight in fit.link_weights.items()},
        None if ess is None else rounded(ess),
        parameters,
        curve,
        tuple(
            FittedModel(r.model, r.family, rounded(r.log10_compute), r.score, rounded(r.fitted))
            for r in fit.residuals
        ),
    )


def gain_record(
    ref: ComparisonRef,
    enhancement: Enhancement,
    gain: GainEstimate,
    alternatives: Sequence[Alternative] = (),
) -> GainRecord:
    """What is stored of a gain: estimate, verdict, costs and provenance side by side."""
    comparison, bound = ref.comparison, gain.bound
    cost = comparison.inference_cost_multiplier
    low, high = gain.log10_interval
    return GainRecord(
        enhancement=ref.enhancement,
        name=enhancement.name,
        kind=ref.kind.value,
        series=comparison.series,
        model=comparison.model,
        variant=comparison.variant,
        training_compute_flop=None
        if gain.log10_compute is None
        else rounded(10.0**gain.log10_compute),
        baseline_score=comparison.baseline.score,
        enhanced_score=comparison.enhanced.score,
        n_items=comparison.enhanced.n_items,
        route=gain.route,
        verdict=gain.verdict,
        ratio=_factor(gain.log10_ratio),
        interval=(_factor(low), _factor(high)),
        level=gain.level,
        reasons=gain.reasons,
        flags=gain.flags,
        bound=None
        if bound is None
        else BoundRecord(
            _factor(bound.lower),
            _factor(bound.upper),
            bound.lower_model,
            bound.upper_model,
            _factor(bound.interpolated),
            bound.same_family,
        ),
        bound_refusal=gain.bound_refusal,
        probability_above=None
        if gain.probabilities is None
        else {
            str(times): rounded(p) for times, p in zip((1, 5, 20), gain.probabilities, strict=True)
        },
        sensitivity={
            other.choice: (other.verdict.value, _factor(other.value)) for other in alternatives
        },
        sensitive_to=sensitive_to(gain, alternatives),
        slope_sd=None if gain.slope_sd is None else round(gain.slope_sd, 3),
        inference_cost_multiplier=cost.value if cost else None,
        inference_cost_basis=cost.basis.value if cost else None,
        one_time_cost_flop=comparison.one_time_cost_flop,
        reported_by=comparison.reported_by.value if comparison.reported_by else None,
        checked=comparison.checked.value,
        source=comparison.source,
        locator=comparison.locator,
    )


def _climb(draws: CurveDraws, span: tuple[float, float]) -> Floats:
    """Score that each draw climbs over the middle half of its models' compute.

    Unlike the parameter called slope this means the same for every link.
    """
    quarter = (span[1] - span[0]) / 4.0
    ends = np.array([span[0] + quarter, span[1] - quarter])
    low, high = draws.score(np.broadcast_to(ends, (len(draws), 2))).T
    return np.asarray(high - low)


def _log10(ratio: float | None) -> float | None:
    return None if ratio is None else math.log10(ratio)


def _factor(log10_value: float | None) -> float | None:
    return None if log10_value is None else stored_factor(log10_value)


def to_json(record: FitRecord | GainRecord | ScaleRecord) -> dict[str, Any]:
    """A record as plain JSON values; twin of ``fit_from_json`` and ``gain_from_json``.

    Its lists and mappings are the record's own: read them, do not change them.
    """
    body: dict[str, Any] = dict(vars(record))
    if isinstance(record, GainRecord):
        body["bound"] = None if record.bound is None else dict(vars(record.bound))
    elif isinstance(record, FitRecord):
        body["curve"] = None if record.curve is None else dict(vars(record.curve))
        body["models"] = [dict(vars(model)) for model in record.models]
    return body


def gain_from_json(value: Mapping[str, Any]) -> GainRecord:
    """Read back a gain written by ``to_json``."""
    bound = value["bound"]
    return _build(
        GainRecord,
        value,
        verdict=Verdict(value["verdict"]),
        interval=tuple(value["interval"]),
        reasons=tuple(value["reasons"]),
        flags=tuple(value["flags"]),
        sensitivity={name: tuple(other) for name, other in value["sensitivity"].items()},
        sensitive_to=tuple(value["sensitive_to"]),
        bound=None if bound is None else BoundRecord(**bound),
    )


def fit_from_json(value: Mapping[str, Any]) -> FitRecord:
    """Read back a fit written by ``to_json``."""
    curve, span = value["curve"], value["log10_range"]
    return _build(
        FitRecord,
        value,
        status=FitStatus(value["status"]),
        reasons=tuple(value["reasons"]),
        log10_range=None if span is None else (span[0], span[1]),
        parameters={name: tuple(ends) for name, ends in value["parameters"].items()},
        curve=None
        if curve is None
        else CurveGrid(**{name: tuple(row) for name, row in curve.items()}),
        models=tuple(FittedModel(**model) for model in value["models"]),
    )


def _build(kind: type[Stored], value: Mapping[str, Any], **converted: Any) -> Stored:
    return kind(**{**value, **converted})
