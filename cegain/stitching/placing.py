"""Place one subject on a scale whose benchmarks are known: the enhanced, and those left out.

An enhanced model starts from its plain one. With one score to its name (as most have), it
would otherwise be drawn towards the average of all models, and its gain with it: up for a
weak model, down for a strong one. So it is placed about its plain model, by as much as
enhancements with several benchmarks have been seen to move theirs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit

from cegain.resampling import generator, interval
from cegain.stitching.arrow import Floats
from cegain.stitching.results import StitchFit

HARNESS_SD = 0.005  # of a score between two runs of the same thing
_STEPS = 60
_LEAST_SHARED = 3  # benchmarks of an enhanced model that tell how far enhancements move one
_LEAST_MOVES = 10  # such models; with fewer the spread of models stands in
SEED = 20251128


def error_variance(fitted: Floats, chance: Floats, items: Floats, scatter: Floats) -> Floats:
    """Variance of a score: of its items, of models about the curve, and between runs.

    ``scatter`` is the variance of models about each row's benchmark, halfway up.
    """
    binomial = item_variance(fitted, chance, items)
    return np.asarray(binomial + scatter * scatter_shape(fitted) + HARNESS_SD**2)


def item_variance(fitted: Floats, chance: Floats, items: Floats) -> Floats:
    """Binomial variance of a score before the correction for chance, in corrected units."""
    inside = np.clip(fitted, 0.005, 0.995)
    right = chance + (1.0 - chance) * inside
    return np.asarray(right * (1.0 - right) / items / (1.0 - chance) ** 2)


def scatter_shape(fitted: Floats) -> Floats:
    """How scatter changes along a curve: models scatter along the scale, not in score."""
    return np.asarray(np.sqrt(4.0 * fitted * (1.0 - fitted)) + 0.02)


def place(
    slope: Floats, difficulty: Floats, score: Floats, weight: Floats, centre: Floats, spread: float
) -> Floats:
    """Capability (K,) of one subject from its rows (K, J), drawn to ``centre`` by ``spread``.

    Least squares in score weighted by ``weight``, as in the fit of the scale.
    """
    precision = spread**-2
    capability = np.array(centre, dtype=float)
    for _ in range(_STEPS):
        fitted = expit(slope * (capability[:, None] - difficulty))
        steep = slope * fitted * (1.0 - fitted)
        pull = (weight * (fitted - score) * steep).sum(axis=1)
        pull += precision * (capability - centre)
        step = -pull / ((weight * steep * steep).sum(axis=1) + precision)
        # far from the optimum the curvature of a flat curve promises too long a step
        step = np.clip(step, -spread, spread)
        capability += step
        if float(np.abs(step).max()) < 1e-7:
            break
    return capability


def model_spread(fit: StitchFit) -> float:
    """Spread of the plain models of a scale."""
    plain = [m.capability for m in fit.models if m.enhancement is None]
    return float(np.std(plain)) or 1.0


def about_base(fit: StitchFit, keep: Floats, *, seed: int = SEED) -> StitchFit:
    """The same scale with every enhanced subject placed about its plain model.

    ``keep`` (n,) multiplies the precision of each row; rows of weight 0 are left out.
    """
    places = {m.name: index for index, m in enumerate(fit.models)}
    pairs = [
        (index, places[m.model])
        for index, m in enumerate(fit.models)
        if m.enhancement is not None and m.model in places
    ]
    if not pairs or fit.row_variance is None:
        return fit
    spread = enhancement_spread(fit)
    models, draws = list(fit.models), fit.capability_draws.copy()
    order = np.argsort(fit.matrix.layout.subject, kind="stable")
    bounds = np.searchsorted(fit.matrix.layout.subject[order], np.arange(len(models) + 1))
    for enhanced, base in pairs:
        rows = order[bounds[enhanced] : bounds[enhanced + 1]]
        rows = rows[keep[rows] > 0]
        variance = fit.row_variance[rows] / keep[rows]
        at = fit.matrix.layout.benchmark[rows]
        score = fit.matrix.score[rows]
        found = place(
            np.array([[fit.benchmarks[b].slope for b in at]]),
            np.array([[fit.benchmarks[b].difficulty for b in at]]),
            score[None],
            1.0 / variance[None],
            np.array([models[base].capability]),
            spread,
        )
        models[enhanced] = replace(models[enhanced], capability=float(found[0]))
        if draws.size:
            drawn = draw_place(
                (fit.slope_draws[:, at], fit.difficulty_draws[:, at]),
                score,
                variance,
                draws[:, base],
                spread,
                generator("about base", models[enhanced].name, root=seed),
            )
            draws[:, enhanced] = drawn
            low, high = interval(drawn, fit.level)
            models[enhanced] = replace(models[enhanced], interval=(float(low), float(high)))
    return replace(fit, models=tuple(models), capability_draws=draws)


def draw_place(
    curves: tuple[Floats, Floats],
    score: Floats,
    variance: Floats,
    centre: Floats,
    spread: float,
    random: np.random.Generator,
    share: Floats | float = 1.0,
) -> Floats:
    """Draws (K,) of a subject's place: rows and centre are redrawn from their errors.

    ``curves`` are slopes and difficulties (K, J) by draw; ``share`` (K, J) multiplies
    the rows' precisions.
    """
    slope, difficulty = curves
    noisy = score + np.sqrt(variance) * random.standard_normal(slope.shape)
    about = centre + spread * random.standard_normal(len(slope))
    weight = np.broadcast_to(share / variance, slope.shape)
    return place(slope, difficulty, noisy, weight, about, spread)


def enhancement_spread(fit: StitchFit) -> float:
    """How far enhancements move a model, judged from those with several benchmarks."""
    places = {m.name: m for m in fit.models}
    moves = [
        m.capability - places[m.model].capability
        for m in fit.models
        if m.enhancement is not None
        and m.model in places
        and min(m.n_benchmarks, places[m.model].n_benchmarks) >= _LEAST_SHARED
    ]
    if len(moves) < _LEAST_MOVES:
        return model_spread(fit)
    return float(np.sqrt(np.mean(np.square(moves))))
