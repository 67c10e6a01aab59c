"""Likelihood words: one published scale, the probability always printed beside them."""

from __future__ import annotations

from dataclasses import dataclass

from cegain import formatting
from cegain.briefing.definition import LikelihoodScale


@dataclass(frozen=True)
class Band:
    """A phrase and the probabilities it stands for, ends included."""

    words: str
    low: float
    high: float

    @property
    def range_text(self) -> str:
        """The band in percent: ``at most 5 %``, ``55–75 %``."""
        if self.low == 0:
            return f"at most {self.high:.0%}".replace("%", " %")
        if self.high == 1:
            return f"at least {self.low:.0%}".replace("%", " %")
        return f"{100 * self.low:.0f}–{100 * self.high:.0f} %"


@dataclass(frozen=True)
class Scale:
    """A published scale with its name as readers know it."""

    name: str
    bands: tuple[Band, ...]


SCALES: dict[LikelihoodScale, Scale] = {
    LikelihoodScale.PHIA: Scale(
        "PHIA probability yardstick (United Kingdom)",
        (
            Band("a remote chance", 0.0, 0.05),
            Band("highly unlikely", 0.10, 0.20),
            Band("unlikely", 0.25, 0.35),
            Band("a realistic possibility", 0.40, 0.50),
            Band("likely", 0.55, 0.75),
            Band("highly likely", 0.80, 0.90),
            Band("almost certain", 0.95, 1.0),
        ),
    ),
    LikelihoodScale.IPCC: Scale(
        "IPCC likelihood scale",
        (
            Band("exceptionally unlikely", 0.0, 0.01),
            Band("very unlikely", 0.01, 0.10),
            Band("unlikely", 0.10, 0.33),
            Band("about as likely as not", 0.33, 0.66),
            Band("likely", 0.66, 0.90),
            Band("very likely", 0.90, 0.99),
            Band("virtually certain", 0.99, 1.0),
        ),
    ),
    LikelihoodScale.ICD203: Scale(
        "ICD 203 (United States intelligence community)",
        (
            Band("almost no chance", 0.0, 0.05),
            Band("very unlikely", 0.05, 0.20),
            Band("unlikely", 0.20, 0.45),
            Band("a roughly even chance", 0.45, 0.55),
            Band("likely", 0.55, 0.80),
            Band("very likely", 0.80, 0.95),
            Band("almost certain", 0.95, 1.0),
        ),
    ),
}


def band_of(probability: float, scale: LikelihoodScale) -> Band:
    """The band of a probability; in a gap between bands, the nearer one.

    Of two equally near bands the one closer to even odds is taken: it claims less.
    Raises ValueError outside 0..1.
    """
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"a probability lies between 0 and 1 (got {probability:g})")

    def distance(band: Band) -> tuple[float, float]:
        gap = max(band.low - probability, probability - band.high, 0.0)
        return round(gap, 9), abs((band.low + band.high) / 2 - 0.5)

    return min(SCALES[scale].bands, key=distance)


def likelihood(probability: float, scale: LikelihoodScale) -> str:
    """Words and number together: ``highly likely (86 %)``.

    Probabilities are shares of draws, so none is printed as 0 % or 100 %.
    """
    return f"{band_of(probability, scale).words} ({formatting.probability(probability)})"
