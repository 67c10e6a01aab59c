"""Who gains: a small budget against a growing frontier, with and without an enhancement.

Loss falls with training compute towards a floor, so equal growth rates bring any two
budgets together in the end; meanwhile the frontier also outspends (Gundlach, Lynch &
Thompson 2025). An enhancement multiplies the compute of whoever has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cegain.equivalents.converters import Converters
from cegain.equivalents.distributions import Floats
from cegain.equivalents.draws import Estimate, Gain, powers, summarised, weakest
from cegain.records import Checked

_FIXED = "growth rates and the law of loss are quoted without uncertainty"


@dataclass(frozen=True)
class Race:
    """Constants of the race: loss = floor + scale C^-exponent, and three yearly growths.

    ``start_flop`` is the training compute both budgets begin with; the small one grows by
    ``algorithms`` x ``hardware`` a year, the frontier by ``investment`` besides.
    """

    floor: float
    scale: float
    exponent: float
    start_flop: float
    algorithms: float
    hardware: float
    investment: float
    sources: tuple[str, ...] = ()
    checked: str = Checked.UNVERIFIED.value
    note: str = ""

    @property
    def shared_growth(self) -> float:
        """Yearly growth of the small budget's effective compute."""
        return self.algorithms * self.hardware

    @property
    def frontier_growth(self) -> float:
        """Yearly growth of the frontier's effective compute."""
        return self.shared_growth * self.investment

    def loss(self, flop: Floats | float) -> Floats:
        """Loss in nats at a training compute in FLOP."""
        return np.asarray(self.floor + self.scale * np.asarray(flop) ** -self.exponent)

    def loss_per_ln_compute(self, flop: float) -> float:
        """Change of loss per unit of ln(compute): the same gain is worth less when large."""
        return float(-self.exponent * self.scale * flop**-self.exponent)

    def gap(
        self, years: Floats | float, *, small_gain: float = 1.0, frontier_gain: float = 1.0
    ) -> Floats:
        """Loss of the small budget minus loss of the frontier after some years, in nats.

        A gain multiplies the compute of whoever has the enhancement.
        """
        t = np.asarray(years, dtype=np.float64)
        small = small_gain * self.start_flop * self.shared_growth**t
        frontier = frontier_gain * self.start_flop * self.frontier_growth**t
        return np.asarray(self.loss(small) - self.loss(frontier))

    def peak_years(self) -> float:
        """Years until the gap is widest, where both losses fall equally fast.

        t* = ln(ln frontier growth / ln shared growth) / (exponent ln investment).
        """
        ratio = math.log(self.frontier_growth) / math.log(self.shared_growth)
        return math.log(ratio) / (self.exponent * math.log(self.investment))

    def parity_years(self, small_gain: float) -> float:
        """Years for which a small budget with the gain alone keeps up with a plain frontier."""
        return math.log(small_gain) / math.log(self.investment)

    def shared_gap_factor(self, gain: float) -> float:
        """Factor on the gap at any time where both have the enhancement: gain^-exponent."""
        return float(gain**-self.exponent)


def race(converters: Converters) -> Race:
    """The race of the records ``meek-loss`` and ``meek-growth``; RecordError where missing."""
    loss, law = converters.law("meek-loss", "floor", "scale", "exponent")
    growth, rates = converters.law(
        "meek-growth", "start_flop", "algorithms", "hardware", "investment"
    )
    return Race(
        law["floor"],
        law["scale"],
        law["exponent"],
        rates["start_flop"],
        rates["algorithms"],
        rates["hardware"],
        rates["investment"],
        (loss.source, growth.source),
        weakest((loss.checked, growth.checked)).value,
        f"{loss.name}; {growth.name}",
    )


@dataclass(frozen=True)
class WhoGains:
    """What a gain does to the gap between a small budget and the frontier.

    Gaps in nats are taken at the time of the widest plain gap, ``peak_years`` ahead.
    """

    peak_years: float
    plain_gap: float
    gap_if_small_only: Estimate
    gap_if_both: Estimate
    gap_if_frontier_only: Estimate
    parity_years: Estimate
    warning: str = "Next-token loss on a fixed distribution; no limit of data, no scatter."


def who_gains(gain: Gain, contest: Race) -> WhoGains:
    """Gap and time to parity over the draws of a gain."""
    peak = contest.peak_years()
    plain = float(contest.gap(peak))
    small = contest.start_flop * contest.shared_growth**peak
    frontier = contest.start_flop * contest.frontier_growth**peak
    # gains of 0 and of infinity are values: reducible losses stay products, never inf - inf
    shrunk = powers(-contest.exponent * gain.draws)
    above = contest.scale * small**-contest.exponent
    under = contest.scale * frontier**-contest.exponent
    alone, both, richer = above * shrunk - under, plain * shrunk, above - under * shrunk
    years = gain.draws * math.log(10) / math.log(contest.investment)

    def told(what: str, unit: str, draws: Floats, *, rising: bool) -> Estimate:
        return replace(
            summarised(what, unit, draws, gain, rising=rising, warnings=(_FIXED,)),
            rate="meek-loss x meek-growth",
            rate_name=contest.note,
            source=", ".join(dict.fromkeys(contest.sources)),
            checked=contest.checked,
        )

    return WhoGains(
        peak,
        plain,
        told("gap if only the small budget has it", "nats", alone, rising=False),
        told("gap if both have it", "nats", both, rising=False),
        told("gap if only the frontier has it", "nats", richer, rising=True),
        told("time at parity with a plain frontier", "years", years, rising=True),
    )
