"""What a briefing prints of a gain's meaning: lines of text with their rate and source.

Only converters that were checked against a source appear. A one-sided gain gives lines
that say "at least" or "at most", never a central value.
"""

from __future__ import annotations

from dataclasses import dataclass

from cegain import formatting
from cegain.equivalents.converters import ContextFigure, Converters
from cegain.equivalents.draws import Estimate, Gain, Refusal
from cegain.equivalents.effective_compute import Crossing
from cegain.equivalents.months import NEVER_ADD
from cegain.equivalents.translation import Translation, translate
from cegain.records import Checked


@dataclass(frozen=True)
class MeaningLine:
    """One statement: what, the number in words, the rate and the source behind it."""

    what: str
    said: str
    rate: str
    source: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ThresholdLine:
    """One rule: what it counts, what the gain makes of it, and whether it sees that."""

    rule: str
    status: str
    threshold: str
    legal: str
    effective: str
    unseen: bool
    source: str


@dataclass(frozen=True)
class Meaning:
    """The section "What this means" of a briefing, for one gain."""

    gain: str
    lines: tuple[MeaningLine, ...]
    thresholds: tuple[ThresholdLine, ...]
    refusals: tuple[str, ...]
    cautions: tuple[str, ...]


def meaning(translation: Translation, converters: Converters) -> Meaning:
    """Page data of one translation; converters that were not checked are left out."""
    estimates: list[Estimate] = []
    refusals: list[str] = []
    for part in (
        translation.effective,
        translation.after_training,
        translation.break_even,
        translation.against_stock,
    ):
        if isinstance(part, Refusal):
            refusals.append(f"{part.what}: {part.reason}")
        else:
            estimates.append(part)
    estimates.extend(translation.months.algorithms)
    estimates.extend(translation.months.compute)
    estimates.append(translation.months.combined)
    estimates.extend(translation.horizon.multipliers)
    if isinstance(translation.net, Refusal):
        refusals.append(f"{translation.net.what}: {translation.net.reason}")
    else:
        estimates.extend((*translation.net.exchanged, *translation.net.relative_cost))
    estimates.append(translation.who_gains.parity_years)
    lines = tuple(
        MeaningLine(
            estimate.what,
            said(estimate),
            estimate.rate_name,
            cited(estimate.source, converters),
            estimate.warnings,
        )
        for estimate in estimates
        if estimate.citable
    )
    return Meaning(
        said(translation.gross),
        lines,
        tuple(
            _threshold(line, converters)
            for line in translation.crossings
            if line.checked != Checked.UNVERIFIED
        ),
        tuple(refusals),
        (NEVER_ADD, *translation.notes),
    )


def meaning_of(gain: Gain, converters: Converters, base_flop: float | None = None) -> Meaning:
    """Page data of a gain, translated at the compute it was measured at or a given one."""
    return meaning(translate(gain, converters, base_flop=base_flop), converters)


def context_figures(converters: Converters) -> tuple[tuple[str, ContextFigure], ...]:
    """Published figures that a briefing may cite, by key."""
    return tuple(
        (key, figure)
        for key, figure in sorted(converters.context.items())
        if figure.checked is not Checked.UNVERIFIED
    )


def _threshold(crossing: Crossing, converters: Converters) -> ThresholdLine:
    return ThresholdLine(
        crossing.name,
        crossing.status,
        formatting.compute(crossing.threshold_flop),
        f"{formatting.compute(crossing.legal_flop)}: "
        f"{'above' if crossing.legally_above else 'below'}",
        chance(crossing),
        crossing.unseen,
        cited(crossing.source, converters),
    )


def chance(crossing: Crossing) -> str:
    """How likely effective compute is above a threshold, in words."""
    if crossing.probability is not None:
        return formatting.probability(crossing.probability)
    if crossing.probability_bound is not None:
        side, value = crossing.probability_bound
        return f"{side} {formatting.probability(value)}"
    return "the bound does not decide it"


def said(estimate: Estimate) -> str:
    """An estimate as text: number with interval, or the bound, with its unit."""
    unit = "" if estimate.unit == "number" else f" {estimate.unit}"
    whole = estimate.unit == "models"
    low, high = (
        None if end is None else number(end, whole=whole) for end in (estimate.low, estimate.high)
    )
    if estimate.central is not None:
        central = number(estimate.central, whole=whole)
        if low == high == central:
            return f"{low}{unit}"
        return f"{central}{unit} ({estimate.level:.0%}: {_span(low, high)})"
    if low is not None and high is None:
        return f"at least {low}{unit}"
    if high is not None and low is None:
        return f"at most {high}{unit}"
    return f"between {low} and {high}{unit}" if low is not None else "no bound"


def _span(low: str | None, high: str | None) -> str:
    if low is None:
        return "unbounded" if high is None else f"at most {high}"
    return f"{low} or more" if high is None else f"{low}–{high}"


def number(value: float, *, whole: bool = False) -> str:
    """A number to two digits, or a count; a power of ten where it is very large or small."""
    if whole:
        return f"{value:,.0f}"
    size = abs(value)
    if size and not 1e-3 <= size < 1e7:
        sign = "-" if value < 0 else ""
        return f"{sign}{formatting.compute(size)}"
    sign = "-" if value < 0 else ""
    return f"{sign}{formatting.significant(size)}"


def cited(sources: str, converters: Converters) -> str:
    """Source keys, separated by commas, as titles with year and address."""
    keys = [key.strip() for key in sources.split(",") if key.strip()]
    return "; ".join(
        dict.fromkeys(converters.cite(key) if key in converters.sources else key for key in keys)
    )
