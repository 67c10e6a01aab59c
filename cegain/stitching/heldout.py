"""How well a scale predicts scores it has not seen: the default beside the reference.

Rows are dealt into folds at random; each fold is predicted by both models fitted to the
rest, so both see the same rows. Errors are in chance-corrected score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from cegain.resampling import generator, interval
from cegain.stitching.arrow import Floats
from cegain.stitching.fit import (
    REFERENCE_BENCHMARK,
    REFERENCE_CLIP,
    REFERENCE_RIDGE,
    SEED,
    fit_scale,
    reference_penalty,
)
from cegain.stitching.results import Method
from cegain.stitching.rows import ScoreMatrix
from cegain.stitching.solver import Scales, solve


@dataclass(frozen=True)
class HeldOut:
    """Predictive quality of one method over all folds.

    ``log_score`` is the mean log density of a held-out score (higher is better), ``coverage``
    the share of held-out scores inside the central 90 % of their prediction.
    """

    method: Method
    rmse: float
    mae: float
    log_score: float
    coverage: float
    n_rows: int


@dataclass(frozen=True)
class Comparison:
    """Both methods on the same folds; ``rmse_gain`` is reference minus default.

    Its interval (90 %) comes from resampling benchmarks.
    """

    reference: HeldOut
    default: HeldOut
    rmse_gain: float
    interval: tuple[float, float]
    folds: int


def compare_held_out(
    matrix: ScoreMatrix,
    *,
    anchor_benchmark: str = REFERENCE_BENCHMARK,
    folds: int = 5,
    seed: int = SEED,
) -> Comparison:
    """Predict each row from the other folds by both models."""
    random = generator("held out", *matrix.benchmarks, root=seed)
    fold = random.permutation(np.arange(len(matrix)) % folds)
    errors = np.zeros((2, len(matrix)))
    spreads = np.zeros((2, len(matrix)))
    for index in range(folds):
        out = fold == index
        keep = (~out).astype(float)
        ours, spread = _default(matrix, keep)
        theirs, common = _reference(matrix, keep, anchor_benchmark)
        errors[0, out] = (theirs - matrix.score)[out]
        errors[1, out] = (ours - matrix.score)[out]
        spreads[0, out], spreads[1, out] = common, spread[out]
    reference, default = (
        _judged(method, error, spread)
        for method, error, spread in zip(
            (Method.REFERENCE, Method.DEFAULT), errors, spreads, strict=True
        )
    )
    count = matrix.layout.n_benchmarks
    squares = np.stack([np.bincount(matrix.layout.benchmark, e**2, count) for e in errors])
    rows = np.bincount(matrix.layout.benchmark, minlength=count)
    picks = random.multinomial(count, np.full(count, 1.0 / count), size=2000)
    roots = np.sqrt((picks @ squares.T) / (picks @ rows)[:, None])
    low, high = interval(roots[:, 0] - roots[:, 1], 0.90)
    return Comparison(
        reference, default, reference.rmse - default.rmse, (float(low), float(high)), folds
    )


def _judged(method: Method, error: Floats, spread: Floats) -> HeldOut:
    return HeldOut(
        method,
        float(np.sqrt(np.mean(error**2))),
        float(np.mean(np.abs(error))),
        float(np.mean(stats.norm.logpdf(error, scale=spread))),
        float(np.mean(np.abs(error) <= stats.norm.ppf(0.95) * spread)),
        int(error.size),
    )


def _reference(matrix: ScoreMatrix, keep: Floats, anchor: str) -> tuple[Floats, float]:
    """Fitted scores of the published model, and the residual spread of what it has seen."""
    layout = matrix.layout
    penalty = reference_penalty(matrix, anchor, REFERENCE_RIDGE)
    score = np.clip(matrix.score, REFERENCE_CLIP, 1.0 - REFERENCE_CLIP)
    start = (
        np.zeros(layout.n_subjects),
        np.zeros(layout.n_benchmarks),
        np.ones(layout.n_benchmarks),
    )
    scales = solve(layout, score, keep[None], penalty, start)
    fitted = scales.fitted(layout)[0]
    seen = keep > 0
    return fitted, float(np.sqrt(np.mean((fitted - score)[seen] ** 2)))


def _default(matrix: ScoreMatrix, keep: Floats) -> tuple[Floats, Floats]:
    """Fitted scores of the default model, and the spread of a new score about each."""
    fit = fit_scale(matrix, draws=0, row_weights=keep)
    scales = Scales(
        np.array([[m.capability for m in fit.models]]),
        np.array([[b.difficulty for b in fit.benchmarks]]),
        np.array([[b.slope for b in fit.benchmarks]]),
        False,
        np.zeros(1),
        np.ones(1, dtype=bool),
    )
    if fit.row_variance is None:
        raise ValueError("the default model has a variance for every row")
    return fit.fitted, np.sqrt(fit.row_variance + _placing(matrix, scales, fit.row_variance, keep))


def _placing(matrix: ScoreMatrix, scales: Scales, variance: Floats, keep: Floats) -> Floats:
    """Variance of a prediction from not knowing the subject and the benchmark exactly.

    Each is taken as if the other were known: the leading terms of the full inverse.
    """
    layout = matrix.layout
    fitted = scales.fitted(layout)[0]
    steep = scales.slope[0][layout.benchmark] * fitted * (1.0 - fitted)
    told = keep * steep**2 / variance
    capability = np.bincount(layout.subject, told, layout.n_subjects)
    difficulty = np.bincount(layout.benchmark, told, layout.n_benchmarks)
    spread = max(float(np.var(scales.capability)), 1e-6)
    unknown = 1.0 / (capability + 1.0 / spread)[layout.subject]
    unknown += 1.0 / (difficulty + 0.25 / spread)[layout.benchmark]
    return np.asarray(steep**2 * unknown)
