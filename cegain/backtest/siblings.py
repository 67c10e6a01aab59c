"""How wrong the estimator is on siblings, whose gain is known.

Two models of one family, trained alike on about as many tokens. Call the
larger one an enhancement of the smaller: the true gain is the ratio of their
computes. The whole family is left out of the curve, as it would be for a model
nobody has seen. Two estimators are told more, as where the base model is one of several
on a curve: the scores of all other sizes trained alike, the larger sibling's excepted,
or of those only that are smaller than the base model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import curve_fit

from cegain.anchors import Anchor, Measurement, draw_gain
from cegain.curves import CurveData, Floats
from cegain.families import draw_family, trained_alike
from cegain.observations import in_floor_zone
from cegain.posterior import draw_posterior
from cegain.resampling import generator, quantiles, seed_for

LEVELS = (0.5, 0.8, 0.9, 0.95)
NEAR_CEILING = 0.985
SMALLEST_GAIN = 0.2  # decades; closer siblings tell little
LARGE_GAIN = 1.2
# Two training runs of one recipe differ: standard deviation per model, in decades.
# Siblings are two runs, an enhancement is one, so this enters here and nowhere else.
RUN_SD = 0.15
WORST_ERROR = 5.0  # decades; what an infinite estimate counts as
DEFAULT_ESTIMATOR = "posterior anchor"
OTHER_SIZES = "posterior anchor, other sizes known"
SMALLER_SIZES = "posterior anchor, smaller sizes known"
LEAST_SQUARES = "least-squares logistic, score anchor"


@dataclass(frozen=True)
class ModelFacts:
    """What makes two models siblings: family, size and training tokens."""

    family: str
    params: float | None = None
    training_tokens: float | None = None
    model_type: str | None = None


@dataclass(frozen=True)
class BacktestSeries:
    """One series and the facts about its models, keyed by the names in ``data``."""

    data: CurveData
    facts: Mapping[str, ModelFacts]


@dataclass(frozen=True)
class SiblingPair:
    """A smaller and a larger model of one family; ``log10_gain`` is the truth."""

    series: str
    family: str
    base: str
    larger: str
    log10_gain: float
    at_floor: bool
    measured: Measurement


@dataclass(frozen=True)
class Estimate:
    """One estimate of one known gain: log10 median and intervals, one per level.

    ``intervals`` is empty for an estimator that gives none.
    """

    estimator: str
    pair: SiblingPair
    log10_gain: float
    intervals: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Accuracy:
    """How one estimator did on one set of cases; errors and widths in decades.

    ``slope`` is that of the estimates on the truth; ``coverage`` has one entry per
    entry of ``LEVELS`` and ``median_width`` belongs to the 90 % interval; both are
    empty or NaN for point estimators.
    """

    estimator: str
    stratum: str
    cases: int
    families: int
    bias: float
    rmse: float
    mean_error: float
    median_error: float
    slope: float
    coverage: tuple[float, ...]
    median_width: float
    unbounded: float


@dataclass(frozen=True)
class Backtest:
    """All estimates and their summary, the default estimator first."""

    estimates: tuple[Estimate, ...]
    accuracy: tuple[Accuracy, ...]
    by_series: tuple[Accuracy, ...]


def sibling_pairs(
    series: Mapping[str, BacktestSeries], *, families: Collection[str] | None = None
) -> tuple[SiblingPair, ...]:
    """All strict pairs: one recipe, at least ``SMALLEST_GAIN`` apart, not saturated.

    Token counts must be known and within 15 %; models of type ``code`` and larger
    siblings at the floor are left out. ``families`` restricts to those known to
    keep their recipe across sizes.
    """
    pairs = []
    for slug, entry in sorted(series.items()):
        data = entry.data
        for i, j in permutations(sorted(range(len(data)), key=lambda k: data.models[k]), 2):
            base, larger = entry.facts[data.models[i]], entry.facts[data.models[j]]
            gain = float(data.log10_compute[j] - data.log10_compute[i])
            low, high = float(data.score[i]), float(data.score[j])
            if gain < SMALLEST_GAIN or not _same_recipe(base, larger):
                continue
            if families is not None and base.family not in families:
                continue
            if max(low, high) >= NEAR_CEILING or in_floor_zone(high, data.items_of(j), data.chance):
                continue
            measured = Measurement(
                log10_compute=float(data.log10_compute[i]),
                compute_sd=float(data.compute_sd[i]),
                baseline=low,
                enhanced=high,
                baseline_items=data.items_of(i),
                enhanced_items=data.items_of(j),
            )
            floor = in_floor_zone(low, data.items_of(i), data.chance)
            pairs.append(
                SiblingPair(
                    slug, base.family, data.models[i], data.models[j], gain, floor, measured
                )
            )
    return tuple(pairs)


def _same_recipe(one: ModelFacts, other: ModelFacts) -> bool:
    if one.family != other.family or "code" in (one.model_type, other.model_type):
        return False
    return trained_alike(one.training_tokens, other.training_tokens)


def run_backtest(
    series: Mapping[str, BacktestSeries],
    *,
    families: Collection[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
    jobs: int = 1,
) -> Backtest:
    """Estimate every strict pair with every estimator, its family left out.

    Raises ValueError if the series hold no such pair.
    """
    pairs = sibling_pairs(series, families=families)
    if not pairs:
        raise ValueError("no two models of one family with known tokens and enough distance")
    groups: dict[tuple[str, str], list[SiblingPair]] = {}
    for pair in pairs:
        groups.setdefault((pair.series, pair.family), []).append(pair)
    done = Parallel(n_jobs=jobs)(
        delayed(_estimate_group)(series[slug], tuple(group), draws, seed)
        for (slug, _), group in groups.items()
    )
    estimates = tuple(estimate for group in done for estimate in group)
    return Backtest(estimates, summary(estimates), _series_summary(estimates))


def _estimate_group(
    entry: BacktestSeries, pairs: Sequence[SiblingPair], draws: int, seed: int
) -> list[Estimate]:
    """All estimates for the pairs of one family on one series."""
    data, slug, family = entry.data, pairs[0].series, pairs[0].family
    rest = data.without_family(family)
    fit = draw_posterior(rest, draws=draws, seed=seed_for("backtest", slug, family, root=seed))
    invert = _least_squares(rest)
    found = []
    for pair in pairs:
        names = (slug, family, pair.base, pair.larger)
        how: dict[str, Any] = {
            "chance": data.chance,
            "seed": seed_for("backtest", *names, root=seed),
            "slope_sd": fit.slope_sd,
        }
        runs = run_noise(pair, draws, seed)
        for anchor in Anchor:
            gain = draw_gain(fit.draws, pair.measured, anchor=anchor, **how).log10_gain
            found.append(summed_up(f"{anchor} anchor", pair, gain, gain + runs))
        for name, members in _told(entry, pair).items():
            kin_seed = seed_for("backtest family", *names, root=seed)
            kin = draw_family(fit.draws, fit.slope_sd, data, members, seed=kin_seed)
            gain = draw_gain(fit.draws, pair.measured, family=kin, **how).log10_gain
            found.append(summed_up(name, pair, gain, gain + runs))
        point = invert(pair.measured.enhanced) - invert(pair.measured.baseline)
        found.append(Estimate(LEAST_SQUARES, pair, float(point), ()))
    return found


def _told(entry: BacktestSeries, pair: SiblingPair) -> dict[str, tuple[str, ...]]:
    """Models whose scores an estimator is told beside the curve, by estimator."""
    own = entry.facts[pair.base]
    others = [
        (float(x), name)
        for name, x in zip(entry.data.models, entry.data.log10_compute, strict=True)
        if name != pair.larger and _same_recipe(own, entry.facts[name])
    ]
    smaller = tuple(name for x, name in others if x <= pair.measured.log10_compute)
    return {OTHER_SIZES: tuple(name for _, name in others), SMALLER_SIZES: smaller}


def run_noise(pair: SiblingPair, draws: int, root: int = 0) -> Floats:
    """Draws (K,) in decades of what two training runs of one recipe differ by."""
    random = generator("runs", pair.series, pair.family, pair.base, pair.larger, root=root)
    return np.asarray(np.sqrt(2.0) * RUN_SD * random.standard_normal(draws))


def summed_up(name: str, pair: SiblingPair, gain: Floats, spread: Floats) -> Estimate:
    """An estimate from draws of log10 gains; intervals are those of ``spread``."""
    tails = [(1.0 - level) / 2.0 for level in LEVELS]
    ends = quantiles(spread, [*tails, *(1.0 - tail for tail in tails)])
    low, high = np.split(np.asarray(ends), 2)
    intervals = tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))
    return Estimate(name, pair, float(quantiles(gain, (0.5,))[0]), intervals)


def _least_squares(data: CurveData) -> Callable[[float], float]:
    """The usual way: a logistic through all points, inverted; no offsets, no priors."""
    span, centre = data.ceiling - data.chance, float(np.mean(data.log10_compute))

    def curve(x: Floats, location: float, log_slope: float) -> Floats:
        t = np.clip(np.exp(log_slope) * (x - centre - location), -60.0, 60.0)
        return np.asarray(data.chance + span / (1.0 + np.exp(-t)))

    (location, log_slope), _ = curve_fit(
        curve,
        data.log10_compute,
        data.score,
        p0=(0.5, 0.0),
        bounds=((-10.0, -3.0), (10.0, 3.0)),
    )

    def invert(score: float) -> float:
        share = float(np.clip((score - data.chance) / span, 0.002, 0.998))
        return float(centre + location + np.log(share / (1.0 - share)) / np.exp(log_slope))

    return invert


def accuracy(stratum: str, estimates: Sequence[Estimate]) -> Accuracy:
    """Summary of estimates by one estimator; there must be one at least."""
    truth = np.array([estimate.pair.log10_gain for estimate in estimates])
    found = np.array([estimate.log10_gain for estimate in estimates])
    error = np.clip(found - truth, -WORST_ERROR, WORST_ERROR)
    coverage: tuple[float, ...] = ()
    width, unbounded = np.nan, np.nan
    if estimates[0].intervals:
        ends = np.array([estimate.intervals for estimate in estimates])
        inside = (ends[:, :, 0] <= truth[:, None]) & (truth[:, None] <= ends[:, :, 1])
        coverage = tuple(float(share) for share in inside.mean(axis=0))
        ninety = ends[:, LEVELS.index(0.9)]
        unbounded = float(np.mean(~np.all(np.isfinite(ninety), axis=1)))
        widths = np.sort(ninety[:, 1] - ninety[:, 0])
        width = float(widths[widths.size // 2])
    spread = float(np.var(truth))
    slope = np.mean((truth - truth.mean()) * (truth + error)) / spread if spread > 0 else np.nan
    return Accuracy(
        estimator=estimates[0].estimator,
        stratum=stratum,
        cases=len(estimates),
        families=len({estimate.pair.family for estimate in estimates}),
        bias=float(np.mean(error)),
        rmse=float(np.sqrt(np.mean(error**2))),
        mean_error=float(np.mean(np.abs(error))),
        median_error=float(quantiles(np.abs(error), (0.5,))[0]),
        slope=float(slope),
        coverage=coverage,
        median_width=width,
        unbounded=unbounded,
    )


STRATA: Mapping[str, Callable[[SiblingPair], bool]] = {
    "informative baseline": lambda pair: not pair.at_floor,
    "gain above 1.2 decades": lambda pair: not pair.at_floor and pair.log10_gain > LARGE_GAIN,
    "baseline at the floor": lambda pair: pair.at_floor,
}


def summary(estimates: Sequence[Estimate]) -> tuple[Accuracy, ...]:
    """Accuracy of every estimator in every stratum that has cases."""
    names = list(dict.fromkeys(estimate.estimator for estimate in estimates))
    rows = []
    for stratum, belongs in STRATA.items():
        for name in names:
            chosen = [e for e in estimates if e.estimator == name and belongs(e.pair)]
            if chosen:
                rows.append(accuracy(stratum, chosen))
    return tuple(rows)


def _series_summary(estimates: Sequence[Estimate]) -> tuple[Accuracy, ...]:
    chosen: dict[str, list[Estimate]] = {}
    for estimate in estimates:
        if estimate.estimator == DEFAULT_ESTIMATOR and not estimate.pair.at_floor:
            chosen.setdefault(estimate.pair.series, []).append(estimate)
    return tuple(accuracy(slug, group) for slug, group in sorted(chosen.items()))
