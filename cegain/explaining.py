"""One gain from record to number, step by step, in words and arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cegain import formatting
from cegain.families import reach, tells
from cegain.records import ComparisonRef, Registry
from cegain.results import FitRecord, GainRecord, Results
from cegain.scaling import curve_data, kin

_FEW = 4  # names that can be read in a sentence


def explain(registry: Registry, results: Results, key: str) -> tuple[str, ...]:
    """Paragraphs that lead from a comparison's record to its gain.

    ``key`` is a gain's key. Raises KeyError if no stored gain has that key.
    """
    gain = results.gains[key]
    ref = next(ref for ref in registry.comparisons() if ref.key == key)
    fit = results.fits[gain.series]
    return tuple(
        paragraph
        for part in (
            _record(ref, registry),
            _curve(fit, registry),
            _inversion(gain, fit, registry),
            _bounds(gain),
            _verdict(gain),
            _costs(gain),
            _reported(ref, registry),
        )
        for paragraph in part
    )


def _record(ref: ComparisonRef, registry: Registry) -> Iterator[str]:
    comparison = ref.comparison
    enhancement = registry.enhancements[ref.enhancement]
    settings = registry.benchmarks[comparison.series].settings
    source = enhancement.sources[comparison.source]
    yield (
        f"1. The record. {enhancement.name} on {comparison.model}, {settings.name}: "
        f"{formatting.score(comparison.baseline.score)} without, "
        f"{formatting.score(comparison.enhanced.score)} with. "
        f"Source: {source.title} ({source.url}), {comparison.locator}; checked: "
        f"{comparison.checked}."
    )


def _curve(fit: FitRecord, registry: Registry) -> Iterator[str]:
    settings = registry.benchmarks[fit.series].settings
    base = (
        f"2. The curve. Unenhanced scores of {formatting.count(fit.n_models, 'model')} from "
        f"{formatting.count(fit.n_families, 'family', 'families')} on {settings.name}"
    )
    if fit.log10_range is None or fit.curve is None:
        yield f"{base} give no usable curve: {'; '.join(fit.reasons)}."
        return
    low, high = (formatting.compute(10**end) for end in fit.log10_range)
    links = ", ".join(
        f"{name} {formatting.share(weight)}" for name, weight in fit.link_weights.items()
    )
    doubt = f" The fit is {fit.status}" + (f": {'; '.join(fit.reasons)}." if fit.reasons else ".")
    yield f"{base}, {low} to {high} FLOP (links by weight: {links}).{doubt}"


def _inversion(gain: GainRecord, fit: FitRecord, registry: Registry) -> Iterator[str]:
    if gain.training_compute_flop is None or fit.curve is None or gain.probability_above is None:
        return
    own = math.log10(gain.training_compute_flop)
    base = (
        f"3. The inversion. {gain.model} was trained with "
        f"{formatting.compute(gain.training_compute_flop)} FLOP (log10 = {own:.2f}). Its place on "
        f"the curve follows from its own score and compute{_kin(gain, own, registry)}; from there "
        f"the same recipe would reach {formatting.score(gain.enhanced_score)} at "
    )
    if gain.ratio is None:
        yield base.removesuffix(" at ") + (
            f" at no less than {formatting.ratio(math.log10(gain.interval[0]))} the compute."
            if gain.interval[0] is not None
            else " at no amount of compute the curve can name."
        )
        return
    reached = own + math.log10(gain.ratio)
    yield (
        f"{base}{formatting.compute(10**reached)} FLOP (log10 = {reached:.2f}). "
        f"The gain is 10^({reached:.2f} - {own:.2f}) = "
        f"{formatting.ratio(math.log10(gain.ratio))}, with {gain.level:.0%} of draws between "
        f"{formatting.interval(_log(gain.interval[0]), _log(gain.interval[1]))}."
    )


def _kin(gain: GainRecord, own: float, registry: Registry) -> str:
    """The part of other sizes of its family; ``own`` is the model's log10 compute."""
    series = registry.benchmarks[gain.series]
    data = curve_data(series)
    members = kin(series, gain.model)
    if not tells(data, members):
        return ""
    others = [name for name in members if name != gain.model]
    shown = ", ".join(others) if len(others) <= _FEW else formatting.count(len(others), "model")
    slope = ", which also tell how steeply it climbs" if reach(data, members) > own else ""
    return f" and from other sizes of {registry.models[gain.model].family} ({shown}){slope}"


def _bounds(gain: GainRecord) -> Iterator[str]:
    if gain.bound is None:
        if gain.bound_refusal:
            yield f"4. Published sizes alone. No bound: {gain.bound_refusal}."
        return
    bound = gain.bound
    family = "the same family" if bound.same_family else "other families (weaker evidence)"
    parts = []
    if bound.lower is not None and bound.lower_model is not None:
        parts.append(f"it scores at least as high as plain {bound.lower_model}")
    if bound.upper is not None and bound.upper_model is not None:
        parts.append(f"it scores below plain {bound.upper_model}")
    yield (
        f"4. Published sizes alone, from {family}: {' and '.join(parts)}, "
        f"so the gain is {gain.bound_statement} with no curve at all (each comparison holds "
        "with 95 % given the sampling errors)."
    )


def _verdict(gain: GainRecord) -> Iterator[str]:
    said = f"5. The verdict. {gain.statement[0].upper()}{gain.statement[1:]}"
    said += f" ({gain.verdict})" if gain.statement != gain.verdict else ""
    if gain.reasons:
        said += f", because {'; '.join(gain.reasons)}"
    yield said + "."
    if gain.probability_above is not None:
        chances = ", ".join(
            f"above {times}×: {formatting.probability(p)}"
            for times, p in gain.probability_above.items()
        )
        yield f"   Probability that the gain is {chances}."
    if gain.sensitive_to:
        yield (
            "   It changes verdict, or moves by more than a factor of two, with: "
            f"{', '.join(gain.sensitive_to)}."
        )
    if gain.flags:
        yield f"   Take care: {'; '.join(gain.flags)}."


def _costs(gain: GainRecord) -> Iterator[str]:
    parts = []
    if gain.one_time_cost_flop is not None:
        share = gain.one_time_cost_share
        parts.append(
            "no one-time compute"
            if gain.one_time_cost_flop == 0
            else f"one-time {formatting.compute(gain.one_time_cost_flop)} FLOP"
            + (f" ({share:.2%} of training)" if share is not None else "")
        )
    if gain.inference_cost_multiplier is not None:
        parts.append(
            f"{formatting.significant(gain.inference_cost_multiplier)} times the inference cost "
            f"per task ({gain.inference_cost_basis})"
        )
    yield f"6. The cost. {'; '.join(parts) if parts else 'Not stated by the source'}."


def _reported(ref: ComparisonRef, registry: Registry) -> Iterator[str]:
    enhancement = registry.enhancements[ref.enhancement]
    for reported in enhancement.reported_gains:
        word = {"point": "", "lower": "more than ", "upper": "less than "}[reported.bound.value]
        about = f" on {reported.benchmark}" if reported.benchmark else ""
        yield (
            f"   Reported elsewhere: {word}{formatting.ratio(math.log10(reported.ratio))}{about} "
            f"({enhancement.sources[reported.source].title}, {reported.locator}; "
            f"checked: {reported.checked})."
        )


def _log(value: float | None) -> float | None:
    return None if value is None else math.log10(value)
