"""One capability scale for all benchmarks: the fit, its draws, and its places on the index.

Source of the model: Ho et al. 2025, "A Rosetta Stone for AI Benchmarks", and the Epoch
Capabilities Index. ``fit_reference`` is that index as published; ``fit_scale`` is the
default here. The default differs in what a row weighs (the error of its items and the
scatter of models about the benchmark's curve), in its penalties (a spread of capabilities
that is estimated, and log slopes: neither knows an origin), and in what its draws vary
(the choice of benchmarks, and the error of every row).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cegain.errors import FitError
from cegain.resampling import Weights, cluster_weights, generator
from cegain.stitching.arrow import Floats
from cegain.stitching.placing import about_base, error_variance, item_variance, scatter_shape
from cegain.stitching.results import LEVEL, Anchors, Method, StitchFit, need_anchors, placed
from cegain.stitching.rows import ScoreMatrix
from cegain.stitching.solver import Bounds, Penalty, Scales, solve

STITCH_METHOD = 2
DRAWS = 500
SEED = 20251128

# The published index: ridge strength, clipping, seeds, anchors.
REFERENCE_RIDGE = 0.1
REFERENCE_CLIP = 1e-3
REFERENCE_BENCHMARK = "Winogrande"
_REFERENCE_START, _REFERENCE_SEED = 42, 12345

# Of log slopes about the usual one: a benchmark's curve is within a factor of e of it.
# Looser penalties predict unseen scores a little better still, but stretch the lower end
# of the scale, so that known compute ratios of sibling models come out worse.
SLOPE_SPREAD = 1.0
_ROUNDS = 4  # of weights from errors and errors from weights
# A draw is noise to begin with: its fit need not be finer than this share of it.
_ENOUGH = 1e-4
_SHRINK = 5.0  # rows' worth of the common scatter in that of one benchmark


def fit_reference(
    matrix: ScoreMatrix,
    *,
    draws: int = DRAWS,
    anchors: Anchors | None = None,
    anchor_benchmark: str = REFERENCE_BENCHMARK,
    ridge: float = REFERENCE_RIDGE,
    clip: float = REFERENCE_CLIP,
    level: float = LEVEL,
) -> StitchFit:
    """The index as published: unweighted squares, ridge on everything, rows resampled.

    Rows are resampled with replacement within each model, in the published order of
    random numbers. Raises FitError if an anchor is not among the models or benchmarks.
    """
    named = anchors or Anchors()
    if anchor_benchmark not in matrix.benchmarks:
        raise FitError(f"the reference needs the benchmark {anchor_benchmark} as its anchor")
    need_anchors(matrix, named)
    layout = matrix.layout
    penalty = reference_penalty(matrix, anchor_benchmark, ridge)
    score = np.clip(matrix.score, clip, 1.0 - clip)
    random = np.random.default_rng(_REFERENCE_START)
    start = (
        random.normal(0.0, 0.1, layout.n_subjects),
        random.normal(0.0, 0.1, layout.n_benchmarks),
        np.ones(layout.n_benchmarks),
    )
    central = solve(layout, score, np.ones((1, len(matrix))), penalty, start)
    refits = None
    if draws:
        weights = _within_models(matrix, draws)
        refits = solve(layout, score, weights, penalty, _start(central), tolerance=1e-7, chunk=16)
    return placed(Method.REFERENCE, matrix, named, central, refits, None, None, level)


def reference_penalty(matrix: ScoreMatrix, anchor_benchmark: str, ridge: float) -> Penalty:
    """The ridge of the published index: shared out evenly, with one slope held at 1."""
    layout = matrix.layout
    each = ridge / (layout.n_subjects + 2 * layout.n_benchmarks - 1)
    return Penalty(each, each, each, fixed_slope=matrix.benchmarks.index(anchor_benchmark))


def _within_models(matrix: ScoreMatrix, draws: int) -> Floats:
    """How often each row is picked when each model's rows are resampled."""
    random = np.random.default_rng(_REFERENCE_SEED)
    layout = matrix.layout
    own = [np.flatnonzero(layout.subject == m) for m in range(layout.n_subjects)]
    weights = np.zeros((draws, len(matrix)))
    for row in weights:
        for rows in own:
            picks = random.choice(rows, size=rows.size, replace=True)
            np.add.at(row, picks, 1.0)
    return weights


def _start(scales: Scales) -> tuple[Floats, Floats, Floats]:
    return scales.capability[0], scales.difficulty[0], scales.slope_parameter[0]


def fit_scale(
    matrix: ScoreMatrix,
    *,
    draws: int = DRAWS,
    anchors: Anchors | None = None,
    seed: int = SEED,
    level: float = LEVEL,
    row_weights: Floats | None = None,
) -> StitchFit:
    """The default scale.

    Rows are weighted by the inverse of their variance: binomial in the score before the
    correction for chance, the scatter of models about each benchmark's curve, and half a
    point between runs. Capabilities are shrunk to their mean by their own spread, which is
    estimated; an enhanced model is placed about its plain one. A draw gives each benchmark
    a Bayesian-bootstrap weight, redraws every row from its error and every penalty's centre
    from its spread: resampling rows instead would leave a model with one row without any
    uncertainty. ``anchors`` define index points (None: logits of a usual benchmark).
    ``row_weights`` (n,) multiply precisions; 0 leaves out.
    """
    if anchors is not None:
        need_anchors(matrix, anchors)
    keep = np.ones(len(matrix)) if row_weights is None else np.asarray(row_weights, dtype=float)
    layout = matrix.layout
    spread, hardness, centre = 1.0, 2.0, 0.0
    scales: Scales | None = None
    variance = np.full(len(matrix), 0.07**2)
    start = (
        np.zeros(layout.n_subjects),
        np.zeros(layout.n_benchmarks),
        np.zeros(layout.n_benchmarks),
    )
    scatter = np.full(layout.n_benchmarks, 0.07**2)
    penalty = Penalty(1.0, 1.0, 1.0)
    for _ in range(_ROUNDS):
        penalty = Penalty(
            spread**-2, hardness**-2, SLOPE_SPREAD**-2, difficulty_centre=centre, log_slope=True
        )
        scales = _usual_unit(
            solve(
                layout,
                matrix.score,
                (keep / variance)[None],
                penalty,
                start,
                bounds=_WIDE,
                tolerance=1e-9,
            )
        )
        start = _start(scales)
        scatter, variance = _errors(matrix, scales.fitted(layout)[0], keep)
        spread, hardness, centre = _spreads(matrix, scales, variance, keep)
    if scales is None:  # pragma: no cover - _ROUNDS is positive
        raise FitError("no rounds")
    refits = None
    if draws:
        refits = _redraw(matrix, scales, penalty, variance, keep, draws, seed)
    fit = placed(Method.DEFAULT, matrix, anchors, scales, refits, np.sqrt(scatter), variance, level)
    return about_base(fit, keep, seed=seed)


def _usual_unit(scales: Scales) -> Scales:
    """The same scale with mean capability 0 and usual slope (geometric mean) 1.

    Moving all capabilities and difficulties changes no score, and neither does stretching
    them and flattening all slopes: without origin and unit, shrinking would creep along
    these directions from round to round, and draws would wander along them.
    """
    usual = scales.slope_parameter.mean(axis=1, keepdims=True)
    origin = scales.capability.mean(axis=1, keepdims=True)
    return replace(
        scales,
        capability=(scales.capability - origin) * np.exp(usual),
        difficulty=(scales.difficulty - origin) * np.exp(usual),
        slope_parameter=scales.slope_parameter - usual,
    )


_WIDE = Bounds(location=60.0, slope=(0.02, 50.0))


def _errors(matrix: ScoreMatrix, fitted: Floats, keep: Floats) -> tuple[Floats, Floats]:
    """Scatter variance of each benchmark (B,) and error variance of each row (n,)."""
    layout, count = matrix.layout, matrix.layout.n_benchmarks
    chance = matrix.chance[layout.benchmark]
    shape = scatter_shape(fitted)
    square = (matrix.score - fitted) ** 2 - item_variance(fitted, chance, matrix.items)
    excess = np.bincount(layout.benchmark, keep * square, count)
    weight = np.bincount(layout.benchmark, keep * shape, count)
    rows = np.bincount(layout.benchmark, keep, count)
    # parameters were fitted to these rows: residuals are smaller than errors
    freedom = max(1.0 - (layout.n_subjects + 2 * count) / max(keep.sum(), 1.0), 0.4)
    common = max(float(excess.sum() / weight.sum()) / freedom, 1e-4)
    usual = float(weight.sum() / rows.sum())
    scatter = (excess / freedom + _SHRINK * usual * common) / (weight + _SHRINK * usual)
    # a benchmark that fits without scatter would place every model by itself
    scatter = np.maximum(scatter, 0.1 * common)
    return scatter, error_variance(fitted, chance, matrix.items, scatter[layout.benchmark])


def _information(matrix: ScoreMatrix, scales: Scales, variance: Floats, keep: Floats) -> Floats:
    """Fisher information of each row about its distance C - D."""
    fitted = scales.fitted(matrix.layout)[0]
    slope = scales.slope[0][matrix.layout.benchmark]
    return np.asarray(keep * (slope * fitted * (1.0 - fitted)) ** 2 / variance)


def _spreads(
    matrix: ScoreMatrix, scales: Scales, variance: Floats, keep: Floats
) -> tuple[float, float, float]:
    """Spreads of the penalties on capability and difficulty, and the centre of difficulties.

    Each spread adds what is left unknown of every member, so that shrinking does not feed
    on itself (one step of expectation-maximisation).
    """
    layout = matrix.layout
    told = _information(matrix, scales, variance, keep)
    capability, difficulty = scales.capability[0], scales.difficulty[0]
    centre = float(difficulty.mean())
    subjects = np.bincount(layout.subject, told, layout.n_subjects)
    benchmarks = np.bincount(layout.benchmark, told, layout.n_benchmarks)
    first = float(np.mean(capability**2 + 1.0 / (subjects + 1.0)))
    second = float(np.mean((difficulty - centre) ** 2 + 1.0 / (benchmarks + 0.25)))
    return float(np.sqrt(first)), float(np.sqrt(second)), centre


def _redraw(
    matrix: ScoreMatrix,
    scales: Scales,
    penalty: Penalty,
    variance: Floats,
    keep: Floats,
    draws: int,
    seed: int,
) -> Scales:
    layout = matrix.layout
    share = cluster_weights(matrix.benchmarks, draws=draws, seed=seed, kind=Weights.BAYES)
    weights = share[:, layout.benchmark] * keep / variance
    random = generator("stitch", *matrix.subjects, root=seed)
    score = matrix.score + np.sqrt(variance) * random.standard_normal((draws, len(matrix)))
    spreads = [
        (layout.n_subjects, 0.0, penalty.capability),
        (layout.n_benchmarks, penalty.difficulty_centre, penalty.difficulty),
        (layout.n_benchmarks, penalty.slope_centre, penalty.slope),
    ]
    centres = np.concatenate(
        [
            middle + precision**-0.5 * random.standard_normal((draws, size))
            for size, middle, precision in spreads
        ],
        axis=1,
    )
    return _usual_unit(
        solve(
            layout,
            score,
            weights,
            penalty,
            _start(scales),
            centres=centres,
            bounds=_WIDE,
            tolerance=_ENOUGH,
            chunk=16,
        )
    )
