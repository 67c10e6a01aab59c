"""A gain as time: months in which algorithms or compute would have grown as much.

A gain of CEG equals log2(CEG) doublings; months are doublings times the doubling
time (Ho et al. 2024; Sevilla et al. 2022). Months of algorithms, months of compute
and months of both are three ways to say the same gain: they are never added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np

from cegain.equivalents.converters import Converters, Quantity, Rate
from cegain.equivalents.distributions import Floats
from cegain.equivalents.draws import (
    Estimate,
    Gain,
    log_growth,
    resting_on,
    summarised,
)

NEVER_ADD = (
    "Each line alone expresses the whole gain; months of algorithms and months of "
    "compute must not be added."
)
_LN10 = math.log(10)


@dataclass(frozen=True)
class MonthsPanel:
    """The gain in months at every rate, side by side, with the warning not to add them."""

    algorithms: tuple[Estimate, ...]
    compute: tuple[Estimate, ...]
    combined: Estimate
    warning: str = NEVER_ADD

    @property
    def headline(self) -> Estimate:
        """Months of algorithmic progress at the default rate."""
        return self.algorithms[0]


def months(
    gain: Gain, key: str, rate: Rate, used_on: date | None = None, *, what: str | None = None
) -> Estimate:
    """Months in which growth at this rate makes up the gain; negative for a loss.

    months = 12 ln(CEG) / ln(growth per year), for each pair of draws.
    """
    growth = log_growth(key, rate, gain.draws.size)
    name = what or f"months of {rate.quantity}"
    return summarised(
        name, "months", _months(gain.draws, growth), gain, rate=(key, rate), used_on=used_on
    )


def _months(log10_gain: Floats, growth: Floats) -> Floats:
    return np.asarray(12 * _LN10 * log10_gain / growth, dtype=np.float64)


def combined_months(
    gain: Gain,
    algorithms: tuple[str, Rate],
    compute: tuple[str, Rate],
    used_on: date | None = None,
) -> Estimate:
    """Months in which algorithms and compute together make up the gain.

    Growth rates multiply, so their logarithms add; the result is shorter than either.
    """
    size = gain.draws.size
    growth = log_growth(*algorithms, size) + log_growth(*compute, size)
    estimate = summarised(
        "months of algorithmic progress and compute growth together",
        "months",
        _months(gain.draws, growth),
        gain,
    )
    return resting_on(estimate, (algorithms, compute), used_on)


def months_panel(gain: Gain, converters: Converters, used_on: date | None = None) -> MonthsPanel:
    """Every rate of algorithms and of compute, defaults first, and the two together."""
    algorithms = converters.of(Quantity.ALGORITHMIC_PROGRESS)
    compute = converters.of(Quantity.COMPUTE_GROWTH)
    return MonthsPanel(
        tuple(months(gain, key, rate, used_on) for key, rate in algorithms.items()),
        tuple(months(gain, key, rate, used_on) for key, rate in compute.items()),
        combined_months(
            gain,
            converters.default(Quantity.ALGORITHMIC_PROGRESS),
            converters.default(Quantity.COMPUTE_GROWTH),
            used_on,
        ),
    )
