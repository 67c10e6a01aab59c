"""Gains and rates as draws, and what is said of a converted quantity.

A gain and a rate are drawn independently and combined draw by draw, so that an
output's interval holds both uncertainties. Draws are stratified: each takes one of
as many equally likely slices, in an order that depends on the name alone, which
gives the quantiles of a single distribution without sampling noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import lru_cache

import numpy as np

from cegain.equivalents.converters import Rate, Unit
from cegain.equivalents.distributions import Fixed, Floats, inverse, two_halves
from cegain.gains import HAS_RATIO, GainEstimate, Verdict
from cegain.records import Checked
from cegain.resampling import generator, interval, quantiles
from cegain.results import GainRecord

DRAWS = 4000
LEVEL = 0.90
DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12


class Side(StrEnum):
    """What kind of statement a gain allows; conversions keep it."""

    TWO_SIDED = "two-sided"
    AT_LEAST = "at least"
    AT_MOST = "at most"
    BETWEEN = "between"


@dataclass(frozen=True)
class Gain:
    """A gain ready to be converted: draws of log10 CEG and the kind of statement.

    For one-sided gains every draw is the bound itself, which holds with
    probability ``1 - (1 - level) / 2``; between two bounds the first half of the draws is
    the lower one and the second half the upper. ``inference_ratio`` is cost per task with
    over without the enhancement, None where unknown; ``one_time_flop`` is compute
    spent once on it. ``measured_at_flop`` is the compute of the model it was
    measured on.
    """

    label: str
    draws: Floats
    side: Side
    level: float = LEVEL
    inference_ratio: float | None = None
    one_time_flop: float | None = None
    measured_at_flop: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """Why a conversion has no answer, in words."""

    what: str
    reason: str


@dataclass(frozen=True)
class Estimate:
    """A converted quantity: number, interval, unit, and the rate that made it.

    ``central`` is None for one-sided statements; an end nothing bounds is None.
    ``rate`` is the key of the converter, ``rate_name`` and ``source`` say what it is;
    all empty where no rate was needed.
    """

    what: str
    unit: str
    central: float | None
    low: float | None
    high: float | None
    level: float
    rate: str = ""
    rate_name: str = ""
    source: str = ""
    checked: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def citable(self) -> bool:
        """Whether a briefing may print it: its rate was checked against a source."""
        return self.checked != Checked.UNVERIFIED


@lru_cache(maxsize=256)
def strata(name: str, size: int) -> Floats:
    """``size`` probabilities, one in the middle of each equal slice, shuffled by name.

    Read-only because shared: a page asks for the same few names again and again.
    """
    places = (generator("strata", name).permutation(size) + 0.5) / size
    shuffled = np.asarray(places, dtype=np.float64)
    shuffled.flags.writeable = False
    return shuffled


def rate_draws(key: str, rate: Rate, size: int) -> Floats:
    """Draws of a rate in its own unit; the same key gives the same draws everywhere."""
    return inverse(rate.distribution, strata(f"rate {key}", size))


def log_growth(key: str, rate: Rate, size: int) -> Floats:
    """Draws of a rate of growth as ln per year, whatever unit it is written in."""
    draws = rate_draws(key, rate, size)
    if rate.unit is Unit.TIMES_PER_YEAR:
        return np.log(draws)
    months = draws / DAYS_PER_MONTH if rate.unit is Unit.DAYS_PER_DOUBLING else draws
    return 12 * math.log(2) / months


def doubling_months(key: str, rate: Rate, size: int) -> Floats:
    """Draws of a rate of growth as months per doubling, whatever unit it is written in."""
    return 12 * math.log(2) / log_growth(key, rate, size)


def powers(log10_values: Floats) -> Floats:
    """Factors from their log10; an infinite one stays infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(10.0**log10_values, dtype=np.float64)


def stated_gain(
    ratio: float,
    ends: tuple[float, float] | None = None,
    *,
    level: float = LEVEL,
    side: Side = Side.TWO_SIDED,
    label: str = "stated gain",
    inference_ratio: float | None = None,
    one_time_flop: float | None = None,
    size: int = DRAWS,
) -> Gain:
    """A gain from a ratio and the ends of its interval, log-normal on either side.

    Raises ValueError for a ratio that is not positive, or ends that do not enclose it.
    """
    if not (ratio > 0 and math.isfinite(ratio)):
        raise ValueError(f"a gain is a positive factor of compute (got {ratio:g})")
    notes: tuple[str, ...] = ()
    if side is not Side.TWO_SIDED or ends is None:
        draws = np.full(size, math.log10(ratio))
        if side is Side.TWO_SIDED:
            notes = ("no interval was given for the gain: outputs hold the rate's error alone",)
    else:
        low, high = ends
        if not 0 < low < ratio < high:
            raise ValueError(f"the interval {low:g} to {high:g} does not enclose {ratio:g}")
        logs = (math.log10(low), math.log10(ratio), math.log10(high))
        draws = two_halves(*logs, level, strata("gain", size))
    return Gain(
        label,
        draws,
        side,
        level,
        inference_ratio,
        one_time_flop,
        measured_at_flop=None,
        notes=notes,
    )


def estimated_gain(
    estimate: GainEstimate,
    label: str,
    *,
    inference_ratio: float | None = None,
    one_time_flop: float | None = None,
) -> Gain | Refusal:
    """A gain from an estimate: its own draws where it is two-sided, else its bound."""
    low, high = estimate.log10_interval
    base = None if estimate.log10_compute is None else 10.0**estimate.log10_compute
    if estimate.verdict in HAS_RATIO and estimate.draws is not None:
        return Gain(
            label,
            estimate.draws,
            Side.TWO_SIDED,
            estimate.level,
            inference_ratio,
            one_time_flop,
            base,
            estimate.flags,
        )
    return _one_sided(
        label,
        estimate.verdict,
        (low, high),
        estimate.reasons,
        estimate.level,
        (inference_ratio, one_time_flop, base),
        estimate.flags,
    )


def recorded_gain(record: GainRecord, size: int = DRAWS) -> Gain | Refusal:
    """A gain from what is stored: two half-normals through median and interval, or the bound."""
    low, high = (None if end is None else math.log10(end) for end in record.interval)
    notes = record.flags
    if not record.headline_worthy:
        notes = (*notes, "the scores behind this gain were not checked")
    facts = (
        record.inference_cost_multiplier,
        record.one_time_cost_flop,
        record.training_compute_flop,
    )
    if record.has_ratio and record.ratio is not None:
        if low is None or high is None:
            return Refusal("gain", "its interval has no finite end")
        draws = two_halves(low, math.log10(record.ratio), high, record.level, strata("gain", size))
        return Gain(record.key, draws, Side.TWO_SIDED, record.level, *facts, notes)
    ends = (low, high)
    return _one_sided(record.key, record.verdict, ends, record.reasons, record.level, facts, notes)


def _one_sided(
    label: str,
    verdict: Verdict,
    ends: tuple[float | None, float | None],
    reasons: tuple[str, ...],
    level: float,
    facts: tuple[float | None, float | None, float | None],
    cautions: tuple[str, ...],
) -> Gain | Refusal:
    low, high = ends
    why = f": {reasons[0]}" if reasons else ""
    notes = (f"{verdict}{why}", *cautions)
    if low is not None and high is not None:
        return Gain(label, np.repeat([low, high], DRAWS // 2), Side.BETWEEN, level, *facts, notes)
    if low is not None:
        return Gain(label, np.full(DRAWS, low), Side.AT_LEAST, level, *facts, notes)
    if high is not None:
        return Gain(label, np.full(DRAWS, high), Side.AT_MOST, level, *facts, notes)
    return Refusal("gain", f"{verdict}{why}")


def dated(rate: Rate, used_on: date | None) -> tuple[str, ...]:
    """Warnings a rate carries into every output: its caution, its dates, its checking."""
    said = [] if rate.caution is None else [rate.caution]
    if used_on is not None and rate.last is not None and used_on > rate.last:
        said.append(
            f"extrapolated: describes data to {rate.last.isoformat()}, "
            f"used for {used_on.isoformat()}"
        )
    if used_on is not None and rate.first is not None and used_on < rate.first:
        said.append(
            f"outside its range: describes data from {rate.first.isoformat()}, "
            f"used for {used_on.isoformat()}"
        )
    if rate.checked is Checked.UNVERIFIED:
        said.append("not checked against its source")
    if isinstance(rate.distribution, Fixed):
        said.append("quoted without uncertainty")
    return tuple(said)


def resting_on(
    estimate: Estimate, rates: Sequence[tuple[str, Rate]], used_on: date | None = None
) -> Estimate:
    """The same estimate with the several rates behind it; the weakest check is its own."""
    warnings = (f"{key}: {line}" for key, rate in rates for line in dated(rate, used_on))
    return replace(
        estimate,
        rate=" x ".join(key for key, _ in rates),
        rate_name="; ".join(rate.name for _, rate in rates),
        source=", ".join(rate.source for _, rate in rates),
        checked=weakest(rate.checked for _, rate in rates).value,
        warnings=(*estimate.warnings, *warnings),
    )


def weakest(checks: Iterable[Checked]) -> Checked:
    """The weakest of some checks; they are listed best first."""
    return max(checks, key=list(Checked).index)


def summarised(
    what: str,
    unit: str,
    values: Floats,
    gain: Gain,
    *,
    rising: bool = True,
    rate: tuple[str, Rate] | None = None,
    used_on: date | None = None,
    warnings: tuple[str, ...] = (),
) -> Estimate:
    """Draws of an output as an estimate that says no more than the gain allows.

    ``rising`` says whether the output grows with the gain: a lower bound on the gain
    is a lower bound on such an output, and an upper bound on any other.
    """
    key, record = rate if rate is not None else ("", None)
    central: float | None = None
    low, high = ends(values, gain, rising=rising)
    if gain.side is Side.TWO_SIDED:
        central = finite(quantiles(values, 0.5))
    return Estimate(
        what,
        unit,
        central,
        low,
        high,
        gain.level,
        key,
        "" if record is None else record.name,
        "" if record is None else record.source,
        "" if record is None else record.checked.value,
        (*warnings, *(() if record is None else dated(record, used_on))),
    )


def ends(values: Floats, gain: Gain, *, rising: bool = True) -> tuple[float | None, float | None]:
    """Interval of an output's draws, with the ends a gain's bounds leave open as None."""
    below, above = values, values
    if gain.side is Side.BETWEEN:
        half = values.size // 2
        below, above = (values[:half], values[half:])[:: 1 if rising else -1]
    low, high = interval(below, gain.level)[0], interval(above, gain.level)[1]
    open_above = gain.side is (Side.AT_LEAST if rising else Side.AT_MOST)
    open_below = gain.side is (Side.AT_MOST if rising else Side.AT_LEAST)
    return None if open_below else finite(low), None if open_above else finite(high)


def finite(value: float | Floats) -> float | None:
    """A number, or None where it is infinite."""
    number = float(value)
    return number if math.isfinite(number) else None
