"""How far a gain moves with choices nobody can settle from the data.

Each choice changes one thing about the estimate: the link, how the base model is
placed, the pooled least-squares curve instead of the family-adjusted one, what is
taken for the floor, the ceiling and the errors of compute, or a family, the base
model's own or any other, being in the curve. A gain that moves by more than a factor of
two, or changes its verdict, names the choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cegain.anchors import Anchor
from cegain.curves import LINKS
from cegain.gains import GainEstimate, Verdict, estimate_gain
from cegain.records import Comparison, Exclusion, Floor, Model, Series
from cegain.resampling import interval
from cegain.scaling import FitMethod, ScalingFit, fit_scaling

SENSITIVITY_METHOD = 1
FACTOR = 2.0
LOWER_CEILING = 0.97  # a benchmark with three per cent of wrong labels
_LEAST_DRAWS = 50


@dataclass(frozen=True)
class Alternative:
    """A gain under one other choice, in log10; None where it prints no value.

    ``value`` is what the verdict prints: the middle, or the end of a bound. ``detail``
    says which of many the choice came down to, such as the family left out.
    """

    choice: str
    verdict: Verdict
    value: float | None
    detail: str = ""


def quick_alternatives(
    comparison: Comparison, fit: ScalingFit, pooled: ScalingFit | None
) -> tuple[Alternative, ...]:
    """Choices that need no new fit: each link alone, both other anchors, pooled curve.

    ``pooled`` is the least-squares fit of the same series, None to leave it out.
    """
    if fit.draws is None:
        return ()
    found = []
    for index, link in enumerate(LINKS):
        rows = np.flatnonzero(fit.draws.link == index)
        if rows.size >= _LEAST_DRAWS:
            alone = estimate_gain(comparison, fit.take(rows))
            found.append(_alternative(f"{link.name} link", alone))
    for anchor in (Anchor.SCORE, Anchor.MODEL):
        gain = estimate_gain(comparison, fit, anchor=anchor)
        found.append(_alternative(f"{anchor.value} anchor", gain))
    if pooled is not None and pooled.draws is not None:
        gain = estimate_gain(comparison, pooled)
        found.append(_alternative("pooled least squares", gain))
    return tuple(found)


def refitted_alternatives(
    comparisons: Sequence[Comparison], series: Series, fit: ScalingFit | None = None
) -> dict[int, tuple[Alternative, ...]]:
    """Choices that need a new fit, by index of comparison: floor, ceiling, errors, families.

    Every family is left out of the curve in turn; what counts is the base model's own,
    and the one that moves the gain most. ``fit`` is that of the series, if at hand.
    """
    fit = fit_scaling(series) if fit is None else fit
    own = [as_printed(estimate_gain(one, fit)) for one in comparisons]
    found: dict[int, list[Alternative]] = {index: [] for index in range(len(comparisons))}
    for name, changed in _other_series(series):
        other = fit_scaling(changed)
        for index, comparison in enumerate(comparisons):
            found[index].append(_alternative(name, estimate_gain(comparison, other)))
    without: dict[str, list[Alternative]] = {}
    for family in sorted({series.models[p.model].family for p in series.fitted_points}):
        other = fit_scaling(_without_family(series, family))
        without[family] = [
            replace(_alternative("", estimate_gain(one, other)), detail=family)
            for one in comparisons
        ]
    for index, comparison in enumerate(comparisons):
        # a family that is not in the curve cannot be missed there
        family = series.models[comparison.model].family
        mine = without[family][index] if family in without else own[index]
        found[index].append(replace(mine, choice="own family left out", detail=""))
        if without:
            each = [members[index] for members in without.values()]
            most = max(each, key=lambda other: _distance(other, own[index]))
            found[index].append(replace(most, choice="one family left out"))
    return {index: tuple(alternatives) for index, alternatives in found.items()}


def moved(other: Alternative, own: Alternative) -> float | None:
    """How far a value goes, in decades; None where either prints none."""
    if own.value is None or other.value is None:
        return None
    return other.value - own.value


def _distance(other: Alternative, own: Alternative) -> tuple[bool, float]:
    """Another verdict is further away than any value."""
    return other.verdict is not own.verdict, abs(moved(other, own) or 0.0)


def interval_at(gain: GainEstimate, level: float) -> tuple[float | None, float | None]:
    """Equal-tailed interval of the log10 gain at another level; None where an end is open."""
    if gain.draws is None:
        return None, None
    low, high = interval(gain.draws, level)
    return (low if math.isfinite(low) else None), (high if math.isfinite(high) else None)


def stance(ends: tuple[float | None, float | None]) -> str:
    """What an interval of a log10 gain says of there being a gain at all."""
    low, high = ends
    if low is not None and low > 0:
        return "above 1×"
    return "below 1×" if high is not None and high < 0 else "includes 1×"


def sensitive_to(gain: GainEstimate, alternatives: Sequence[Alternative]) -> tuple[str, ...]:
    """Choices under which the verdict changes or the value moves by more than a factor of two."""
    own = as_printed(gain)
    return tuple(
        other.choice
        for other in alternatives
        if other.verdict is not own.verdict or abs(moved(other, own) or 0.0) > math.log10(FACTOR)
    )


def as_printed(gain: GainEstimate) -> Alternative:
    """A gain as it stands, to compare with."""
    return _alternative("as printed", gain)


def _alternative(choice: str, gain: GainEstimate) -> Alternative:
    low, high = gain.log10_interval
    value = {
        Verdict.INTERPOLATED: gain.log10_ratio,
        Verdict.EXTRAPOLATED: gain.log10_ratio,
        Verdict.LOWER_BOUND: low,
        Verdict.UPPER_BOUND: high,
    }.get(gain.verdict)
    return Alternative(choice, gain.verdict, value)


def _other_series(series: Series) -> Iterator[tuple[str, Series]]:
    settings = series.settings
    for floor in (Floor.FIXED, Floor.FREE):
        if floor is not settings.floor:
            changed = settings.model_copy(update={"floor": floor})
            yield f"floor {floor.value}", replace(series, settings=changed)
    if settings.ceiling == 1.0:
        changed = settings.model_copy(update={"ceiling": LOWER_CEILING})
        yield f"ceiling {LOWER_CEILING}", replace(series, settings=changed)
    yield "compute errors doubled", _with_models(series, _less_confident)


def _with_models(series: Series, change: Callable[[Model], Model]) -> Series:
    models: Mapping[str, Model] = {name: change(model) for name, model in series.models.items()}
    return replace(series, models=models)


def _less_confident(model: Model) -> Model:
    """One step down in how well compute is known: about twice the error."""
    steps = ("reported", "confident", "likely", "speculative", "speculative")
    if model.compute_confidence is None:
        return model
    known = type(model.compute_confidence)
    lower = known(steps[steps.index(model.compute_confidence.value) + 1])
    return model.model_copy(update={"compute_confidence": lower})


def _without_family(series: Series, family: str) -> Series:
    members = [p.model for p in series.points if series.models[p.model].family == family]
    left_out = tuple(Exclusion(model=name, reason="left out to see") for name in members)
    exclusions = (*series.settings.exclusions, *left_out)
    changed = series.settings.model_copy(update={"exclusions": exclusions})
    return replace(series, settings=changed)


def pooled_fit(series: Series) -> ScalingFit:
    """The familiar least-squares curve with bootstrap draws, as one of the alternatives."""
    return fit_scaling(series, method=FitMethod.BOOTSTRAP)
