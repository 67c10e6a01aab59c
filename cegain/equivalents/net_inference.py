"""What is left of a gain when the cost of running the enhancement is counted.

A gain says how much training an enhancement stands in for; many enhancements pay for
it at every query. Without the ratio r of inference cost per task there is no net gain,
only a gross one. Five questions, five definitions:

* exchange: inference could have bought training at x decades per decade
  (Villalobos & Atkinson 2023), so log10 net = log10 CEG - x log10 r;
* equivalent model: a plain model with CEG times the training is CEG^(1/e) times larger
  and dearer to run, where training grows as size to the power e (2 at compute-optimal
  scaling); r* = CEG^(1/e) is the ratio at which both cost the same to run;
* break-even: tokens after which training the larger model would have been cheaper;
* lifetime: training and all use together, over what the equivalent model would cost;
* crossover: along a curve of more and more inference, where the net gain returns to 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cegain.equivalents.converters import Converters, Quantity, Rate
from cegain.equivalents.distributions import inverse
from cegain.equivalents.draws import (
    Estimate,
    Gain,
    Refusal,
    powers,
    rate_draws,
    summarised,
)
from cegain.resampling import share
from cegain.results import GainRecord

NO_RATIO = Refusal(
    "net gain", "the inference cost with the enhancement is not known: only the gross gain stands"
)
_NEVER = "never: the enhancement costs no more to run than the plain model it imitates"


@dataclass(frozen=True)
class NetGain:
    """A gain with the cost of inference counted; every part names its rate.

    ``relative_cost`` is r / r*: below 1 the enhancement is cheaper to run than the
    plain model it imitates.
    """

    inference_ratio: float
    gross: Estimate
    exchanged: tuple[Estimate, ...]
    neutral_ratio: tuple[Estimate, ...]
    relative_cost: tuple[Estimate, ...]


def _checked_ratio(gain: Gain) -> float | Refusal:
    ratio = gain.inference_ratio
    if ratio is None:
        return NO_RATIO
    if not (ratio > 0 and math.isfinite(ratio)):
        raise ValueError(f"an inference cost ratio is positive (got {ratio:g})")
    return ratio


def gross_gain(gain: Gain) -> Estimate:
    """The gain itself as an estimate, as a factor of training compute."""
    return summarised("gross gain", "times", powers(gain.draws), gain, warnings=gain.notes)


def net_gain(gain: Gain, converters: Converters) -> NetGain | Refusal:
    """Gross gain, net gain at every exchange rate, and the neutral ratio at every exponent."""
    ratio = _checked_ratio(gain)
    if isinstance(ratio, Refusal):
        return ratio
    exchanges = converters.of(Quantity.INFERENCE_EXCHANGE)
    exponents = converters.of(Quantity.SIZE_EXPONENT)
    return NetGain(
        ratio,
        gross_gain(gain),
        tuple(exchanged(gain, ratio, key, rate) for key, rate in exchanges.items()),
        tuple(neutral_ratio(gain, key, rate) for key, rate in exponents.items()),
        tuple(relative_cost(gain, ratio, key, rate) for key, rate in exponents.items()),
    )


def exchanged(gain: Gain, ratio: float, key: str, rate: Rate) -> Estimate:
    """Net gain at an exchange rate: what remains once inference is paid in training."""
    net = gain.draws - rate_draws(key, rate, gain.draws.size) * math.log10(ratio)
    return summarised("net gain", "times", powers(net), gain, rate=(key, rate))


def neutral_ratio(gain: Gain, key: str, rate: Rate) -> Estimate:
    """The inference ratio at which the plain, larger model costs the same to run."""
    draws = gain.draws / rate_draws(key, rate, gain.draws.size)
    return summarised("inference-neutral ratio", "times", powers(draws), gain, rate=(key, rate))


def relative_cost(gain: Gain, ratio: float, key: str, rate: Rate) -> Estimate:
    """Cost per task over that of the plain model that does as well: r over r*."""
    draws = math.log10(ratio) - gain.draws / rate_draws(key, rate, gain.draws.size)
    name = "cost per task over that of the equivalent plain model"
    return summarised(name, "times", powers(draws), gain, rising=False, rate=(key, rate))


def matched_cost(gain: Gain, ratio: float, key: str, rate: Rate) -> Estimate:
    """Gain over a plain model as dear to run: log10 CEG - e log10 r (above 1: it wins)."""
    draws = gain.draws - rate_draws(key, rate, gain.draws.size) * math.log10(ratio)
    name = "gain over a larger model of the same cost per task"
    return summarised(name, "times", powers(draws), gain, rate=(key, rate))


def after_training_cost(gain: Gain, training_flop: float) -> Estimate | Refusal:
    """Gain with the one-time cost counted as training: CEG / (1 + cost / training)."""
    if gain.one_time_flop is None:
        return Refusal("gain after its own training", "the one-time cost is not known")
    draws = gain.draws - math.log10(1 + gain.one_time_flop / training_flop)
    return summarised("gain after its own training", "times", powers(draws), gain)


def break_even_tokens(
    gain: Gain, training_flop: float, active_parameters: float, key: str, rate: Rate
) -> Estimate | Refusal:
    """Tokens after which training the larger model would have been the cheaper way.

    Q* = ((CEG - 1) C - E) / (2 N (r - r*)) for r above r*, with 2N FLOP a token and E
    the enhancement's one-time compute. Draws with r at or below r* never get there: they
    are infinite, and where they are the majority the answer is never. Draws in which the
    enhancement costs more than it saves are 0.
    """
    ratio = _checked_ratio(gain)
    if isinstance(ratio, Refusal):
        return ratio
    neutral = powers(gain.draws / rate_draws(key, rate, gain.draws.size))
    saved = (powers(gain.draws) - 1) * training_flop - (gain.one_time_flop or 0.0)
    extra = 2 * active_parameters * (ratio - neutral)
    with np.errstate(divide="ignore", invalid="ignore"):
        tokens = np.where(extra > 0, np.maximum(saved, 0.0) / extra, np.inf)
    if float(share(np.isinf(tokens))) > 0.5:
        return Refusal("break-even volume", _NEVER)
    return summarised("break-even volume", "tokens", tokens, gain, rate=(key, rate))


def lifetime_ratio(
    gain: Gain, inference_share: float, training_share: float, key: str, rate: Rate
) -> Estimate | Refusal:
    """Cost of the equivalent plain model over that of the enhanced one, use included.

    R = (CEG + i CEG^(1/e)) / (1 + f + r i), where i is lifetime inference and f the
    one-time cost, both over the base model's training compute. Above 1 it saves.
    """
    ratio = _checked_ratio(gain)
    if isinstance(ratio, Refusal):
        return ratio
    neutral = powers(gain.draws / rate_draws(key, rate, gain.draws.size))
    draws = (powers(gain.draws) + inference_share * neutral) / (
        1 + training_share + ratio * inference_share
    )
    return summarised("lifetime saving", "times", draws, gain, rate=(key, rate))


def break_even_share(gain: Gain, training_share: float, key: str, rate: Rate) -> Estimate | Refusal:
    """Lifetime inference over training at which the lifetime saving is gone.

    i* = (CEG - 1 - f) / (r - CEG^(1/e)); infinite where r is at or below CEG^(1/e).
    """
    ratio = _checked_ratio(gain)
    if isinstance(ratio, Refusal):
        return ratio
    neutral = powers(gain.draws / rate_draws(key, rate, gain.draws.size))
    saved = np.maximum(powers(gain.draws) - 1 - training_share, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        use = np.where(ratio > neutral, saved / (ratio - neutral), np.inf)
    name = "use over training at which the saving is gone"
    if float(share(np.isinf(use))) > 0.5:
        return Refusal(name, _NEVER)
    return summarised(name, "times", use, gain, rate=(key, rate))


@dataclass(frozen=True)
class Crossover:
    """Where a curve of gain against inference stops paying for itself.

    ``inference_ratio`` is where the net gain returns to 1; None with a ``reason`` where
    it does not within the measured range. ``best_ratio`` and ``best_net`` are the
    largest net gain measured and where it is.
    """

    inference_ratio: float | None
    best_ratio: float
    best_net: float
    exchange: float
    reason: str


def crossover(points: Iterable[tuple[float, float]], exchange: float) -> Crossover | Refusal:
    """Crossover of a measured curve, from (inference ratio, gain) pairs, at one exchange rate.

    The curve starts at (1, 1): no extra inference, no gain. Between points the
    logarithm of the gain is taken as linear in the logarithm of the ratio. The answer is
    the last crossing from above 1 to below.
    """
    curve = _curve(points)
    if len(curve) < 2:
        return Refusal("crossover", "no measured gains with a known inference ratio")
    net = [(place, value - exchange * place) for place, value in curve]
    best = max(net, key=lambda pair: pair[1])
    crossing: float | None = None
    for (x0, y0), (x1, y1) in itertools.pairwise(net):
        if y0 > 0 >= y1:
            crossing = x0 + (x1 - x0) * y0 / (y0 - y1)
    last = net[-1][1]
    if crossing is not None and last <= 0:
        reason = "within the measured range"
    elif last > 0:
        crossing, reason = None, "still above 1 at the largest inference measured"
    else:
        reason = "never above 1: a larger model is the better use of compute throughout"
    return Crossover(
        None if crossing is None else 10**crossing, 10 ** best[0], 10 ** best[1], exchange, reason
    )


def _curve(points: Iterable[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Points as log10 pairs by place, several at one place averaged, led by the origin."""
    at: dict[float, list[float]] = {}
    for ratio, value in points:
        if ratio > 1 and value > 0:
            at.setdefault(math.log10(ratio), []).append(math.log10(value))
    ordered = [(place, sum(values) / len(values)) for place, values in sorted(at.items())]
    return [(0.0, 0.0), *ordered]


@dataclass(frozen=True)
class MeasuredCrossover:
    """The crossover of one curve of the registry, at the median of one exchange rate."""

    curve: str
    points: int
    rate: str
    rate_name: str
    source: str
    crossover: Crossover


def measured_crossovers(
    records: Iterable[GainRecord], key: str, rate: Rate
) -> tuple[MeasuredCrossover, ...]:
    """Crossovers of every enhancement measured at two or more amounts of inference.

    Curves are the comparisons of one enhancement on one series and model that have a
    gain with a central value and a known inference cost above 1.
    """
    curves: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        cost = record.inference_cost_multiplier
        if record.has_ratio and record.ratio is not None and cost is not None and cost > 1:
            name = f"{record.enhancement}/{record.series}/{record.model}"
            curves.setdefault(name, []).append((cost, record.ratio))
    median = float(inverse(rate.distribution, np.array([0.5]))[0])
    found = []
    for name, points in sorted(curves.items()):
        if len({cost for cost, _ in points}) < 2:
            continue
        result = crossover(points, median)
        if isinstance(result, Crossover):
            found.append(MeasuredCrossover(name, len(points), key, rate.name, rate.source, result))
    return tuple(found)
