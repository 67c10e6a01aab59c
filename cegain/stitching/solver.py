"""Batched fit of a logistic scale: all refits of all capabilities and difficulties at once.

A row says that subject m scored s on benchmark b. The model is

    s = sigma(a_b (C_m - D_b)) + error,

with capability C, difficulty D and slope a. The sum minimised is
``sum w (fitted - s)^2 + sum p (theta - centre)^2``. Each row touches one subject, so the
normal matrix is an arrow: a diagonal for the subjects and a small dense block for the
benchmarks. Eliminating the subjects (a Schur complement) leaves a system of twice the
number of benchmarks. Steps use the exact second derivatives where these are positive
definite: the optimum of a sparse score matrix is flat, and first-order (Gauss-Newton)
curvature creeps along it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from cegain.stitching.arrow import Bools, Floats, Hessian, Ints, Layout, newton_step, sums_by

_TRIALS = 200
_TOO_STIFF = 1e14  # damping at which a refit is given up as stationary


@dataclass(frozen=True)
class Penalty:
    """Quadratic penalties: precisions and centres of C, D and the slope parameter.

    With ``log_slope`` the slope parameter is ln a, otherwise a itself. ``fixed_slope``
    is the benchmark whose slope is held at 1 (None: all are free).
    """

    capability: float
    difficulty: float
    slope: float
    difficulty_centre: float = 0.0
    slope_centre: float = 0.0
    log_slope: bool = False
    fixed_slope: int | None = None


@dataclass(frozen=True)
class Scales:
    """Fitted scales of K refits: capability (K, M), difficulty and slope parameter (K, B)."""

    capability: Floats
    difficulty: Floats
    slope_parameter: Floats
    log_slope: bool
    objective: Floats
    converged: Bools

    @property
    def slope(self) -> Floats:
        """Slopes a, whatever the parameter was."""
        return np.exp(self.slope_parameter) if self.log_slope else self.slope_parameter

    def fitted(self, layout: Layout) -> Floats:
        """Fitted scores (K, n) between chance 0 and ceiling 1."""
        distance = self.capability[:, layout.subject] - self.difficulty[:, layout.benchmark]
        return np.asarray(expit(self.slope[:, layout.benchmark] * distance))


@dataclass(frozen=True)
class Bounds:
    """Boxes of the parameters, as the reference states them."""

    location: float = 10.0
    slope: tuple[float, float] = (0.1, 10.0)


def solve(
    layout: Layout,
    score: Floats,
    weights: Floats,
    penalty: Penalty,
    start: tuple[Floats, Floats, Floats],
    *,
    centres: Floats | None = None,
    bounds: Bounds | None = None,
    tolerance: float = 1e-10,
    steps: int = _TRIALS,
    chunk: int = 64,
) -> Scales:
    """Minimise for K sets of weights (K, n) from one warm start (C, D, slope parameter).

    ``score`` is (n,) or (K, n). ``centres`` (K, M + 2B) replaces the centres of the
    penalty, one set for each refit. Stops when a step lowers the objective by less than
    ``tolerance`` of itself. Pure: the same input gives the same bits.
    """
    weights = np.atleast_2d(np.asarray(weights, dtype=float))
    draws = weights.shape[0]
    scores = np.broadcast_to(np.asarray(score, dtype=float), weights.shape)
    parts = [
        _solve_chunk(
            layout,
            scores[low : low + chunk],
            weights[low : low + chunk],
            penalty,
            None if centres is None else centres[low : low + chunk],
            start,
            bounds or Bounds(),
            tolerance,
            steps,
        )
        for low in range(0, draws, chunk)
    ]
    return Scales(
        np.concatenate([p.capability for p in parts]),
        np.concatenate([p.difficulty for p in parts]),
        np.concatenate([p.slope_parameter for p in parts]),
        penalty.log_slope,
        np.concatenate([p.objective for p in parts]),
        np.concatenate([p.converged for p in parts]),
    )


def _box(layout: Layout, penalty: Penalty, bounds: Bounds) -> tuple[Floats, Floats]:
    low, high = bounds.slope
    if penalty.log_slope:
        low, high = float(np.log(low)), float(np.log(high))
    locations = layout.n_subjects + layout.n_benchmarks
    lower = np.concatenate(
        [np.full(locations, -bounds.location), np.full(layout.n_benchmarks, low)]
    )
    upper = np.concatenate(
        [np.full(locations, bounds.location), np.full(layout.n_benchmarks, high)]
    )
    if penalty.fixed_slope is not None:
        at = locations + penalty.fixed_slope
        lower[at] = upper[at] = 0.0 if penalty.log_slope else 1.0
    return lower, upper


@dataclass(frozen=True)
class _Problem:
    """What K refits minimise: rows (K, n), and penalties with their centres (K, M + 2B)."""

    layout: Layout
    score: Floats
    weights: Floats
    log_slope: bool
    precision: Floats
    centre: Floats

    def only(self, refits: Ints) -> _Problem:
        """The same for some of the refits."""
        return replace(
            self,
            score=self.score[refits],
            weights=self.weights[refits],
            centre=self.centre[refits],
        )


def _solve_chunk(
    layout: Layout,
    score: Floats,
    weights: Floats,
    penalty: Penalty,
    centres: Floats | None,
    start: tuple[Floats, Floats, Floats],
    bounds: Bounds,
    tolerance: float,
    steps: int,
) -> Scales:
    draws = weights.shape[0]
    lower, upper = _box(layout, penalty, bounds)
    theta = np.clip(np.tile(np.concatenate(start), (draws, 1)), lower, upper)
    precision, one = _penalties(layout, penalty)
    centre = np.broadcast_to(one, theta.shape) if centres is None else centres
    problem = _Problem(layout, score, weights, penalty.log_slope, precision, centre)
    value = _objective(problem, theta)
    damping = np.full(draws, 1e-3)
    done = np.zeros(draws, dtype=bool)
    calm = np.zeros(draws, dtype=int)
    for _ in range(steps):
        live = np.flatnonzero(~done)
        if live.size == 0:
            break
        now, part = theta[live], problem.only(live)
        gradient, hessian = _derivatives(part, now)
        # a parameter that its box holds back takes no part in the step
        held = ((now <= lower) & (gradient > 0)) | ((now >= upper) & (gradient < 0))
        step = newton_step(layout, gradient, hessian, held, damping[live])
        trial = np.clip(now + step, lower, upper)
        tried = _objective(part, trial)
        better = tried < value[live]
        drop = (value[live] - tried) / np.maximum(value[live], 1e-300)
        theta[live] = np.where(better[:, None], trial, now)
        value[live] = np.where(better, tried, value[live])
        damping[live] = np.where(better, np.maximum(damping[live] / 8, 1e-12), damping[live] * 5)
        # two calm steps in a row: one small step may only be a heavily damped one
        calm[live] = np.where(better & (drop < tolerance), calm[live] + 1, 0)
        done[live] = (calm[live] >= 2) | (damping[live] > _TOO_STIFF)
    subjects, both = layout.n_subjects, layout.n_subjects + layout.n_benchmarks
    return Scales(
        theta[:, :subjects],
        theta[:, subjects:both],
        theta[:, both:],
        penalty.log_slope,
        value,
        done,
    )


def _penalties(layout: Layout, penalty: Penalty) -> tuple[Floats, Floats]:
    subjects, benchmarks = layout.n_subjects, layout.n_benchmarks
    slope = np.full(benchmarks, penalty.slope)
    if penalty.fixed_slope is not None:
        slope[penalty.fixed_slope] = 0.0
    precision = np.concatenate(
        [np.full(subjects, penalty.capability), np.full(benchmarks, penalty.difficulty), slope]
    )
    centre = np.concatenate(
        [
            np.zeros(subjects),
            np.full(benchmarks, penalty.difficulty_centre),
            np.full(benchmarks, penalty.slope_centre),
        ]
    )
    return precision, centre


def _split(problem: _Problem, theta: Floats) -> tuple[Floats, Floats]:
    """Slope and distance C - D of every row, each (K, n)."""
    layout = problem.layout
    subjects, benchmarks = layout.n_subjects, layout.n_benchmarks
    slope = theta[:, subjects + benchmarks + layout.benchmark]
    distance = theta[:, layout.subject] - theta[:, subjects + layout.benchmark]
    return (np.exp(slope) if problem.log_slope else slope), distance


def _objective(problem: _Problem, theta: Floats) -> Floats:
    slope, distance = _split(problem, theta)
    residual = expit(slope * distance) - problem.score
    penalty = ((theta - problem.centre) ** 2) @ problem.precision
    return np.asarray(np.einsum("kn,kn,kn->k", problem.weights, residual, residual) + penalty)


def _derivatives(problem: _Problem, theta: Floats) -> tuple[Floats, Hessian]:
    layout, weights, precision = problem.layout, problem.weights, problem.precision
    subjects, benchmarks, log_slope = layout.n_subjects, layout.n_benchmarks, problem.log_slope
    slope, distance = _split(problem, theta)
    fitted = expit(slope * distance)
    residual = fitted - problem.score
    spread = fitted * (1.0 - fitted)
    # z = a (C - D): derivatives of z by C, D and the slope parameter q
    z_q = slope * distance if log_slope else distance
    pull = weights * residual * spread
    first = weights * spread * spread
    second = first + pull * (1.0 - 2.0 * fitted)  # of half the square, twice by z
    z_cq = slope if log_slope else np.ones_like(slope)
    z_qq = z_q if log_slope else np.zeros_like(slope)
    gradient = np.concatenate(
        [
            sums_by(pull * slope, layout.subject, subjects),
            sums_by(-pull * slope, layout.benchmark, benchmarks),
            sums_by(pull * z_q, layout.benchmark, benchmarks),
        ],
        axis=1,
    )
    gradient += precision * (theta - problem.centre)

    def arrow(curvature: Floats, extra: Floats) -> Hessian:
        square = curvature * slope * slope
        mixed = curvature * slope * z_q + extra * z_cq
        cross = np.stack([-square, mixed])
        block = np.stack(
            [
                sums_by(square, layout.benchmark, benchmarks),
                sums_by(-mixed, layout.benchmark, benchmarks),
                sums_by(curvature * z_q * z_q + extra * z_qq, layout.benchmark, benchmarks),
            ],
            axis=1,
        )
        block[:, 0] += precision[subjects : subjects + benchmarks]
        block[:, 2] += precision[subjects + benchmarks :]
        return Hessian(
            sums_by(square, layout.subject, subjects) + precision[:subjects], cross, block
        )

    gauss = arrow(first, np.zeros_like(first))
    return gradient, replace(arrow(second, pull), gauss=gauss)
