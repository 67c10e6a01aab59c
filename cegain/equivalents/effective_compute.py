"""Effective compute, and whether it crosses a threshold that legal compute does not.

Legal compute is what a rule counts: training, and later training where the rule
counts modifications. Effective compute is what a plain model would have needed to do
as well: training compute times the gain. The distance between the two is what a
threshold on training compute does not see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.special import ndtri

from cegain.equivalents.converters import ModificationRule, Rate, Threshold, ThresholdStatus
from cegain.equivalents.distributions import Floats
from cegain.equivalents.draws import (
    Estimate,
    Gain,
    Side,
    powers,
    rate_draws,
    strata,
    summarised,
)
from cegain.records import Checked, ComputeConfidence, Model
from cegain.resampling import quantiles, share
from cegain.scaling import COMPUTE_SD

_LIVE = frozenset({ThresholdStatus.IN_FORCE.value, ThresholdStatus.ENACTED.value})


@dataclass(frozen=True)
class Crossing:
    """One rule and one enhanced model.

    ``legal_flop`` is what the rule counts; ``legally_above`` compares that with the
    threshold. ``needed_ratio`` is the gain at which effective compute meets the
    threshold. ``probability`` is the share of draws in which effective compute is
    above it; for one-sided gains it is None and ``probability_bound`` says "at least"
    or "at most" a value, or both are None where the bound decides nothing.
    """

    threshold: str
    name: str
    jurisdiction: str
    status: str
    threshold_flop: float
    legal_flop: float
    legally_above: bool
    needed_ratio: float
    probability: float | None
    probability_bound: tuple[str, float] | None
    source: str
    locator: str
    checked: str
    warnings: tuple[str, ...]

    @property
    def unseen(self) -> bool:
        """Whether a live rule is more likely than not passed in effect, and not in law."""
        if self.status not in _LIVE:
            return False
        likely = self.probability if self.probability is not None else 0.0
        if self.probability_bound is not None and self.probability_bound[0] == "at least":
            likely = self.probability_bound[1]
        return not self.legally_above and likely > 0.5


@dataclass(frozen=True)
class Modification:
    """Whether the compute of an enhancement makes who applies it a provider."""

    rule: str
    name: str
    status: str
    share_allowed: float
    share_used: float | None
    triggers: bool | None
    source: str
    locator: str
    checked: str


@dataclass(frozen=True)
class RegistryCrossings:
    """How many known models lie above a threshold, plainly and with a gain each.

    ``plain`` counts training compute as recorded. ``plain_likely`` and ``enhanced`` are
    quantiles over draws of every model's compute (its recorded error) and of the gain.
    """

    threshold: str
    threshold_flop: float
    models: int
    plain: int
    plain_likely: tuple[float, float, float]
    enhanced: Estimate


def legal_compute(training_flop: float, one_time_flop: float | None, counts: bool | None) -> float:
    """FLOP a rule counts: later training is added unless the rule is known not to."""
    return training_flop + (one_time_flop or 0.0 if counts is not False else 0.0)


def _log10_compute(flop: float, log10_sd: float, size: int) -> Floats:
    error = log10_sd * ndtri(strata("compute", size)) if log10_sd > 0 else np.zeros(size)
    return np.asarray(math.log10(flop) + error, dtype=np.float64)


def effective_compute(gain: Gain, training_flop: float, log10_sd: float = 0.0) -> Estimate:
    """Training compute times the gain, in FLOP; ``log10_sd`` is the error of the compute."""
    if training_flop <= 0:
        raise ValueError(f"training compute must be positive (got {training_flop:g})")
    draws = _log10_compute(training_flop, log10_sd, gain.draws.size) + gain.draws
    return summarised(
        "effective training compute",
        "FLOP",
        powers(draws),
        gain,
        warnings=scale_warning(gain, training_flop),
    )


def scale_warning(gain: Gain, training_flop: float) -> tuple[str, ...]:
    """A caution where a gain is used more than a factor of ten from where it was measured."""
    if gain.measured_at_flop is None:
        return ()
    away = math.log10(training_flop / gain.measured_at_flop)
    if abs(away) <= 1.0:
        return ()
    return (
        f"the gain was measured at {gain.measured_at_flop:.2g} FLOP, "
        f"{abs(away):.1f} decades from this use: gains change with scale",
    )


def crossing(
    gain: Gain, training_flop: float, key: str, rule: Threshold, *, log10_sd: float = 0.0
) -> Crossing:
    """Legal and effective compute of an enhanced model against one rule."""
    legal = legal_compute(training_flop, gain.one_time_flop, rule.counts_modifications)
    reached = _log10_compute(training_flop, log10_sd, gain.draws.size) + gain.draws
    above = reached > math.log10(rule.training_compute_flop)
    probability: float | None = None
    bound: tuple[str, float] | None = None
    if gain.side is Side.TWO_SIDED:
        probability = float(share(above))
    else:
        half = above.size // 2 if gain.side is Side.BETWEEN else 0
        bound = _chance_bound(gain, float(share(above[: half or None])), float(share(above[half:])))
    return Crossing(
        key,
        rule.name,
        rule.jurisdiction,
        rule.status.value,
        rule.training_compute_flop,
        legal,
        legal > rule.training_compute_flop,
        rule.training_compute_flop / training_flop,
        probability,
        bound,
        rule.source,
        rule.locator,
        rule.checked.value,
        _rule_warnings(rule),
    )


def _chance_bound(gain: Gain, at_lower: float, at_upper: float) -> tuple[str, float] | None:
    """What bounds on a gain say of a probability, from the shares above at each bound."""
    # a bound itself holds with this much, and then the share of draws above applies
    sure = 1.0 - (1.0 - gain.level) / 2
    if gain.side is not Side.AT_MOST and at_lower > 0:
        return ("at least", sure * at_lower)
    if gain.side is not Side.AT_LEAST and at_upper < 1:
        return ("at most", 1.0 - sure * (1.0 - at_upper))
    return None


def _rule_warnings(rule: Threshold) -> tuple[str, ...]:
    said = [] if rule.condition is None else [f"also asks: {rule.condition}"]
    if rule.checked is Checked.UNVERIFIED:
        said.append("the rule was not checked against its text")
    if rule.counts_modifications is None:
        said.append("whether later training counts was not checked")
    return tuple(said)


def crossings(
    gain: Gain, training_flop: float, rules: Mapping[str, Threshold], *, log10_sd: float = 0.0
) -> tuple[Crossing, ...]:
    """Every rule, lowest threshold first."""
    ordered = sorted(rules.items(), key=lambda item: (item[1].training_compute_flop, item[0]))
    return tuple(
        crossing(gain, training_flop, key, rule, log10_sd=log10_sd) for key, rule in ordered
    )


def modification(
    training_flop: float | None, one_time_flop: float | None, key: str, rule: ModificationRule
) -> Modification:
    """Compute of the enhancement over that of the model, against a rule's share.

    Unknown on either side gives no answer rather than a reassuring one.
    """
    used = None if training_flop is None or one_time_flop is None else one_time_flop / training_flop
    return Modification(
        key,
        rule.name,
        rule.status.value,
        rule.share,
        used,
        None if used is None else used > rule.share,
        rule.source,
        rule.locator,
        rule.checked.value,
    )


def registry_crossings(
    gain: Gain, models: Mapping[str, Model], key: str, rule: Threshold
) -> RegistryCrossings:
    """How many models of a registry pass a rule if each had the gain.

    One gain for all models, drawn together; every model's compute has an error of its
    own. Models without known compute are not counted at all.
    """
    known = [model for _, model in sorted(models.items()) if model.log10_compute is not None]
    limit = math.log10(rule.training_compute_flop)
    size = gain.draws.size
    plain_draws, enhanced_draws = np.zeros(size), np.zeros(size)
    plain = 0
    for model in known:
        assert model.log10_compute is not None and model.compute_confidence is not None
        spread = COMPUTE_SD[ComputeConfidence(model.compute_confidence)]
        place = model.log10_compute + spread * ndtri(strata(f"compute {model.model}", size))
        plain += model.log10_compute > limit
        plain_draws += place > limit
        enhanced_draws += place + gain.draws > limit
    ends = quantiles(plain_draws, [(1 - gain.level) / 2, 0.5, (1 + gain.level) / 2])
    return RegistryCrossings(
        key,
        rule.training_compute_flop,
        len(known),
        plain,
        (float(ends[1]), float(ends[0]), float(ends[2])),
        summarised(
            f"models of the registry above {rule.training_compute_flop:.0e} in effective compute",
            "models",
            enhanced_draws,
            gain,
            warnings=("every model is given the same gain",),
        ),
    )


def implied_scale(gain: Gain, key: str, rate: Rate) -> tuple[Estimate, Estimate]:
    """Factors on parameters and tokens of the plain model that does as well.

    Where training compute grows as size to the power e, a model of CEG times the
    compute has CEG^(1/e) times the parameters and CEG^(1 - 1/e) times the tokens.
    """
    exponent = rate_draws(key, rate, gain.draws.size)
    sizes, tokens = powers(gain.draws / exponent), powers(_data_share(gain, exponent))
    names = ("parameters", "training tokens")
    found = [
        summarised(
            f"{name} of the plain model that does as well", "times", d, gain, rate=(key, rate)
        )
        for name, d in zip(names, (sizes, tokens), strict=True)
    ]
    return found[0], found[1]


def tokens_against_stock(
    gain: Gain,
    training_tokens: float,
    exponent: tuple[str, Rate],
    stock: tuple[str, Rate],
    used_on: date | None = None,
) -> Estimate:
    """Tokens the plain model would need, as a share of the stock of public text."""
    size = gain.draws.size
    factor = powers(_data_share(gain, rate_draws(*exponent, size)))
    return summarised(
        "tokens of the plain model over the stock of public text",
        "times",
        training_tokens * factor / rate_draws(*stock, size),
        gain,
        rate=stock,
        used_on=used_on,
        warnings=(f"with {exponent[1].name}",),
    )


def _data_share(gain: Gain, exponent: Floats) -> Floats:
    """The part of a gain that goes into tokens; none at an exponent of 1, even if infinite."""
    with np.errstate(invalid="ignore"):
        return np.where(exponent == 1, 0.0, gain.draws * (1 - 1 / exponent))
