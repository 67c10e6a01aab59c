"""Both routes to a gain on the same siblings, whose true ratio of compute is known.

The larger of two siblings is taken for an enhancement of the smaller. The whole family is
left out of both routes: of the benchmark's curve, and of the scale with its exchange
rate. On that scale the smaller is placed by all its scores, as a plain model is, and the
larger about it, as an enhanced model is: by the score on the pair's benchmark alone, which
is all that most enhancements have, or by all its scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed
from scipy.special import expit

from cegain.backtest import (
    DEFAULT_ESTIMATOR,
    Accuracy,
    BacktestSeries,
    Estimate,
    SiblingPair,
    run_backtest,
    run_noise,
    sibling_pairs,
    summary,
    summed_up,
)
from cegain.errors import FitError
from cegain.observations import UNKNOWN_ITEMS
from cegain.resampling import Weights, cluster_weights, generator, quantiles
from cegain.stitching.arrow import Floats
from cegain.stitching.capability import ExchangeRate, Observation
from cegain.stitching.fit import SEED, fit_scale
from cegain.stitching.gain import scale_rate
from cegain.stitching.placing import (
    draw_place,
    enhancement_spread,
    error_variance,
    model_spread,
    place,
)
from cegain.stitching.results import StitchFit
from cegain.stitching.rows import BenchmarkFacts, ScoreRow, build_matrix, corrected

DIRECT = "direct: the benchmark's curve"
INDEX_ALL = "via index: all benchmarks"
INDEX_ONE = "via index: one benchmark"
_ROUNDS = 3  # of a place from error variances and error variances from the place


@dataclass(frozen=True)
class Routes:
    """Accuracy of each route by stratum, on the same ``pairs`` of siblings."""

    pairs: int
    families: int
    accuracy: tuple[Accuracy, ...]


def compare_routes(
    rows: Sequence[ScoreRow],
    facts: Mapping[str, BenchmarkFacts],
    models: Mapping[str, Observation],
    series: Mapping[str, BacktestSeries],
    *,
    families: frozenset[str] | None = None,
    draws: int = 100,
    direct_draws: int = 1000,
    seed: int = 0,
    jobs: int = 1,
) -> Routes:
    """Estimate every strict pair of siblings by both routes, its family left out of each.

    ``draws`` are refits of the scale, one scale for each family. A pair counts only
    where every route gives a value. Raises ValueError if the series hold no pair.
    """
    pairs = sibling_pairs(series, families=families)
    groups: dict[str, list[SiblingPair]] = {}
    for pair in pairs:
        groups.setdefault(pair.family, []).append(pair)
    done = Parallel(n_jobs=jobs)(
        delayed(_family)(rows, facts, models, family, group, draws, seed)
        for family, group in sorted(groups.items())
    )
    via = [estimate for group in done for estimate in group]
    direct = run_backtest(series, families=families, draws=direct_draws, seed=seed, jobs=jobs)
    told = {_key(estimate.pair) for estimate in via}
    own = [
        replace(estimate, estimator=DIRECT)
        for estimate in direct.estimates
        if estimate.estimator == DEFAULT_ESTIMATOR and _key(estimate.pair) in told
    ]
    return Routes(
        len(told), len({e.pair.family for e in own}), summary([*own, *sorted(via, key=_order)])
    )


def _key(pair: SiblingPair) -> tuple[str, str, str]:
    return pair.series, pair.base, pair.larger


def _order(estimate: Estimate) -> tuple[bool, tuple[str, str, str]]:
    return estimate.estimator == INDEX_ONE, _key(estimate.pair)


@dataclass(frozen=True)
class _Rest:
    """The scale of all other families, and what places a subject on it."""

    fit: StitchFit
    rate: ExchangeRate
    facts: Mapping[str, BenchmarkFacts]
    at: Mapping[str, int]
    share: Floats


def _family(
    rows: Sequence[ScoreRow],
    facts: Mapping[str, BenchmarkFacts],
    models: Mapping[str, Observation],
    family: str,
    pairs: Sequence[SiblingPair],
    draws: int,
    seed: int,
) -> list[Estimate]:
    """All index estimates for the pairs of one family."""
    others = [row for row in rows if models[row.model].family != family]
    try:
        fit = fit_scale(build_matrix(others, facts), draws=draws)
        rate = scale_rate(fit, models)
    except FitError:
        return []  # without this family there is no scale or no exchange rate to read it by
    at = {b.name: index for index, b in enumerate(fit.benchmarks)}
    # the benchmark weights of the scale's own draws: a plain model's place varies with them
    share = cluster_weights(fit.matrix.benchmarks, draws=draws, seed=SEED, kind=Weights.BAYES)
    rest = _Rest(fit, rate, facts, at, share)
    own: dict[str, list[ScoreRow]] = {}
    for row in rows:
        if models[row.model].family == family and row.enhancement is None and row.benchmark in at:
            own.setdefault(row.model, []).append(row)
    moved = enhancement_spread(fit)
    found = []
    plain: dict[str, Floats] = {}
    for pair in pairs:
        larger = own.get(pair.larger, [])
        alone = [row for row in larger if row.benchmark == pair.series]
        if not alone or pair.base not in own:
            continue
        if pair.base not in plain:
            plain[pair.base] = _place(rest, own[pair.base], None, model_spread(fit), seed)
        base, runs = plain[pair.base], run_noise(pair, draws, seed)
        for name, chosen in ((INDEX_ALL, larger), (INDEX_ONE, alone)):
            gain = (_place(rest, chosen, base, moved, seed) - base) / rate.draws
            found.append(summed_up(name, pair, gain, gain + runs))
    return found


def _place(
    rest: _Rest, rows: Sequence[ScoreRow], base: Floats | None, spread: float, seed: int
) -> Floats:
    """Draws of a subject's place: as a plain model's, or about the draws of its base."""
    fit = rest.fit
    at = np.array([rest.at[row.benchmark] for row in rows], dtype=np.intp)
    about = [rest.facts[row.benchmark] for row in rows]
    score = np.array([corrected(r.score, fact) for r, fact in zip(rows, about, strict=True)])
    items = np.array(
        [float(r.n_items or f.n_items or UNKNOWN_ITEMS) for r, f in zip(rows, about, strict=True)]
    )
    chance = np.array([fact.chance for fact in about])
    scatter = np.array([(fit.benchmarks[b].scatter or 0.0) ** 2 for b in at])
    slope = np.array([fit.benchmarks[b].slope for b in at])
    difficulty = np.array([fit.benchmarks[b].difficulty for b in at])
    plain = [m.capability for m in fit.models if m.enhancement is None]
    centre = float(np.mean(plain)) if base is None else float(quantiles(base, [0.5])[0])
    middle, variance = centre, np.full(len(rows), 0.07**2)
    for _ in range(_ROUNDS):
        fitted = expit(slope * (middle - difficulty))
        variance = error_variance(fitted, chance, items, scatter)
        found = place(
            slope[None],
            difficulty[None],
            score[None],
            1.0 / variance[None],
            np.array([centre]),
            spread,
        )
        middle = float(found[0])
    return draw_place(
        (fit.slope_draws[:, at], fit.difficulty_draws[:, at]),
        score,
        variance,
        np.full(len(fit.slope_draws), centre) if base is None else base,
        spread,
        generator("left out", rows[0].model, *(row.benchmark for row in rows), root=seed),
        rest.share[:, at] if base is None else 1.0,
    )
