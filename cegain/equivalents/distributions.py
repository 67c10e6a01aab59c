"""Distributions a rate may have, as people write them, and their quantiles."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import ndtri

from cegain.records import Number, Positive, Record

Floats = NDArray[np.float64]


Level = Annotated[Number, Field(gt=0.0, lt=1.0)]


class Shape(StrEnum):
    """Families of distributions a rate may have."""

    FIXED = "fixed"
    NORMAL = "normal"
    LOGNORMAL = "lognormal"
    UNIFORM = "uniform"
    TRIANGULAR = "triangular"


class Fixed(Record):
    """A number quoted without any uncertainty; every output that uses it says so."""

    shape: Literal[Shape.FIXED]
    value: Number


class _AboutMedian(Record):
    """A median with the ends of its interval."""

    median: Number
    low: Number
    high: Number
    level: Level

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.median < self.high:
            raise ValueError("low, median and high must increase")
        return self


class Normal(_AboutMedian):
    """Median and the ends of an interval; two half-normals where they are not symmetric."""

    shape: Literal[Shape.NORMAL]


class LogNormal(_AboutMedian):
    """The same on a logarithmic scale: for positive quantities such as doubling times."""

    shape: Literal[Shape.LOGNORMAL]
    median: Positive
    low: Positive
    high: Positive


class Uniform(Record):
    """Anything between two ends is as likely."""

    shape: Literal[Shape.UNIFORM]
    low: Number
    high: Number

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must be under high")
        return self


class Triangular(Record):
    """A most likely value between two ends."""

    shape: Literal[Shape.TRIANGULAR]
    low: Number
    mode: Number
    high: Number

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not (self.low <= self.mode <= self.high and self.low < self.high):
            raise ValueError("low, mode and high must increase")
        return self


Distribution = Annotated[
    Fixed | Normal | LogNormal | Uniform | Triangular, Field(discriminator="shape")
]


def smallest(distribution: Distribution) -> float:
    """The least value it is meant to take: minus infinity for a normal.

    For a log-normal the low end of its interval, as its tail is only the shape's.
    """
    if isinstance(distribution, Fixed):
        return distribution.value
    return -math.inf if isinstance(distribution, Normal) else distribution.low


def inverse(distribution: Distribution, probability: Floats) -> Floats:
    """Quantile function of a distribution."""
    if isinstance(distribution, Fixed):
        return np.full_like(probability, distribution.value)
    if isinstance(distribution, Uniform):
        return distribution.low + probability * (distribution.high - distribution.low)
    if isinstance(distribution, Triangular):
        low, mode, high = distribution.low, distribution.mode, distribution.high
        turn = (mode - low) / (high - low)
        rising = low + np.sqrt(probability * (high - low) * (mode - low))
        falling = high - np.sqrt((1 - probability) * (high - low) * (high - mode))
        return np.where(probability < turn, rising, falling)
    ends = (distribution.low, distribution.median, distribution.high)
    if isinstance(distribution, Normal):
        return two_halves(*ends, distribution.level, probability)
    low, median, high = (math.log(end) for end in ends)
    return np.exp(two_halves(low, median, high, distribution.level, probability))


def two_halves(low: float, median: float, high: float, level: float, probability: Floats) -> Floats:
    """Two half-normals that meet at the median and match both ends of the interval."""
    normal = ndtri(probability)
    reach = float(ndtri(0.5 + level / 2))
    spread = np.where(normal < 0, median - low, high - median) / reach
    return np.asarray(median + spread * normal, dtype=np.float64)
