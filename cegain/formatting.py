"""Numbers as text, in one place: ratios, intervals, scores, compute."""

from __future__ import annotations

import math

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def significant(value: float, digits: int = 2) -> str:
    """A positive number to a few significant digits, without exponent: 8.5, 26, 3,900."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    # rounding up may have added a digit: 9.96 is "10", not "10.0"
    places = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(places, 0)}f}"


def rounded(value: float) -> float:
    """A number to six significant digits, so that stored bytes do not wander."""
    return float(f"{value:.6g}")


def stored_factor(log10_value: float) -> float:
    """A factor from its log10, rounded for storage; beyond a double's range it stays finite."""
    return rounded(10.0 ** max(min(log10_value, 300.0), -300.0))


def ratio(log10_ratio: float) -> str:
    """A compute ratio from its log10: two significant digits at most, never more is known."""
    if log10_ratio >= 6:
        return f"10{power(round(log10_ratio))}×"
    if log10_ratio <= -4:
        return f"10{power(round(log10_ratio))}×"
    return f"{significant(10.0**log10_ratio)}×"


def interval(low: float | None, high: float | None) -> str:
    """An interval of log10 ratios as text; None is an end nothing bounds."""
    if low is None and high is None:
        return "unbounded"
    if high is None:
        return f"at least {ratio(low or 0.0)}"
    if low is None:
        return f"at most {ratio(high)}"
    return f"{ratio(low).removesuffix('×')}–{ratio(high)}"


def power(exponent: int) -> str:
    """An integer as superscript digits."""
    return str(exponent).translate(_SUPERSCRIPT)


def compute(flop: float) -> str:
    """Training compute as ``3.1×10²³``."""
    exponent = math.floor(math.log10(flop))
    mantissa = f"{flop / 10.0**exponent:.2g}"
    if mantissa == "10":
        mantissa, exponent = "1", exponent + 1
    return f"10{power(exponent)}" if mantissa == "1" else f"{mantissa}×10{power(exponent)}"


def score(value: float) -> str:
    """A score as a percentage with one decimal."""
    return f"{100 * value:.1f} %"


def share(value: float) -> str:
    """A share of something as a whole percentage; never 0 % or 100 % unless exact."""
    percent = 100 * value
    if 0 < percent < 1:
        return "under 1 %"
    if 99 < percent < 100:
        return "over 99 %"
    return f"{percent:.0f} %"


def probability(value: float) -> str:
    """A share of draws as a percentage: no number of draws shows 0 % or 100 %."""
    return share(min(max(value, 0.001), 0.999))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 model``, ``2 models``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
