"""Posterior draws of a curve from compute to score: the fit behind every gain.

Weak priors, the mode by quasi-Newton steps, then importance sampling from a
multivariate t around it. Three links are fitted and mixed; their disagreement away
from the data is part of the uncertainty. ``likelihood.py`` states the model.

Parameters are chosen so that they mean the same for every link and are nearly
independent: the slope at half scale in logits per decade, the compute at which the
curve passes a share typical of the data, then floor, family, model and score
scatter, the spread of slopes between families, and the shape where a link has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log, pi

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from cegain.curves import LINK_INDEX, LINKS, CurveData, CurveDraws, Floats, Link
from cegain.errors import FitError
from cegain.likelihood import Curves, log_likelihood
from cegain.observations import Observations, observe

DEFAULT_LINKS = ("logistic", "gompertz", "richards")

# Medians and standard deviations of logs; from fits to nineteen public series.
SLOPE = (1.2, 0.5)  # logits per decade at half scale
FAMILY_SD = (0.4, 0.5)  # decades
MODEL_SD = (0.2, 0.5)  # decades
SCORE_SD = (0.008, 0.5)  # score units
SHAPE = (0.4, 0.7)
SLOPE_SD = (0.25, 0.5)  # spread of the log slope between families
FLOOR_SD = {"near-chance": 0.012, "fixed": 0.0, "free": 0.05}
MOST_MODELS = 2000  # about a second per hundred; benchmarks have a few hundred
LEAST_SHARE = 0.05  # of the draws, for a link that the data speak against
LOCATION_MARGIN = 4.0  # decades beyond the data within which the location is free

_LOCATION, _LOG_SLOPE, _FLOOR, _FAMILY, _MODEL, _SCORE, _SPREAD, _SHAPE = range(8)
_LOCATION_UNIT = 0.25  # decades per unit of the internal coordinate

_FIRST, _SECOND = 240, 640  # importance draws, before and after adapting
# of the adapted proposal's covariance: few draws see too little of the tails, and ends of
# intervals came out too near the middle by up to a twentieth of the width
_WIDER = 1.4
_DEGREES = 6.0  # of the t proposal
_ENOUGH = 200.0  # effective draws; below it the second stage is repeated
_MOST_ROUNDS = 4


@dataclass(frozen=True)
class Posterior:
    """Draws of a curve and what is known about how good they are.

    ``draws`` mixes the links by ``link_weights``; ``slope_sd`` (K,) goes with its
    rows. Tuples have one entry per link in ``links``: effective sample size, log
    marginal likelihood, and in ``modes`` one row of most probable parameters.
    """

    draws: CurveDraws
    slope_sd: Floats
    links: tuple[str, ...]
    link_weights: tuple[float, ...]
    effective_draws: tuple[float, ...]
    log_evidence: tuple[float, ...]
    modes: CurveDraws


@dataclass(frozen=True)
class _Problem:
    """One link on one series: everything the target density needs."""

    link: Link
    seen: Observations
    share: float  # of floor to ceiling, at which the location is defined
    chance: float
    ceiling: float
    floor_sd: float
    low: float  # range within which the location is free, relative to the origin
    high: float

    @property
    def size(self) -> int:
        """How many parameters: a shape only where the link has one."""
        return _SHAPE + (self.link.default_shape is not None)

    def curves(self, z: Floats) -> Curves:
        """Parameters in their own units from internal coordinates (S, P)."""

        def lognormal(column: int, prior: tuple[float, float]) -> Floats:
            return np.asarray(prior[0] * np.exp(prior[1] * np.clip(z[:, column], -12.0, 12.0)))

        shape = lognormal(_SHAPE, SHAPE) if self.size > _SHAPE else np.ones(len(z))
        slope = lognormal(_LOG_SLOPE, SLOPE) * 0.25 / _steepness(self.link, shape)
        location = _LOCATION_UNIT * z[:, _LOCATION]
        middle = self.link.quantile(np.full(len(z), self.share), shape)
        return Curves(
            floor=self._floor(z[:, _FLOOR]),
            ceiling=np.full(len(z), self.ceiling),
            slope=slope,
            midpoint=location - middle / slope,
            shape=shape,
            family_sd=lognormal(_FAMILY, FAMILY_SD),
            model_sd=lognormal(_MODEL, MODEL_SD),
            score_sd=lognormal(_SCORE, SCORE_SD),
            slope_sd=lognormal(_SPREAD, SLOPE_SD),
        )

    def _floor(self, z: Floats) -> Floats:
        if self.floor_sd == 0.0:
            return np.full(z.size, self.chance)
        # a score cannot be negative: bend smoothly towards 0 within 0.2 points of it
        free = self.chance + self.floor_sd * z
        return np.minimum(0.5 * (free + np.hypot(free, 0.004)), self.ceiling - 0.05)

    def log_density(self, z: Floats, *, own_slopes: bool = True) -> Floats:
        """Log of likelihood times prior, (S,), for internal coordinates (S, P)."""
        z = np.atleast_2d(z)
        location = _LOCATION_UNIT * z[:, _LOCATION]
        outside = np.maximum(0.0, np.maximum(self.low - location, location - self.high))
        normal = np.delete(z, _LOCATION, axis=1)
        # location is flat in logits at the data's middle, as in any regression; flat in
        # decades, shallow slopes would have more room and win where data are few
        tilt = SLOPE[1] * z[:, _LOG_SLOPE]
        prior = tilt - 0.5 * np.sum(normal**2, axis=1) - 8.0 * outside**2
        likelihood = log_likelihood(self.link, self.curves(z), self.seen, own_slopes=own_slopes)
        return np.asarray(prior + likelihood)

    def start(self) -> Floats:
        """A rough fit by eye: typical scatter, location from the scores."""
        share = np.clip((self.seen.score - self.chance) / (self.ceiling - self.chance), 0.02, 0.98)
        logit = np.log(share / (1.0 - share))
        target = np.log(self.share / (1.0 - self.share))
        z = np.zeros(_SHAPE + 1)
        z[_LOCATION] = np.mean(self.seen.x + (target - logit) / SLOPE[0]) / _LOCATION_UNIT
        z[_FAMILY] = z[_MODEL] = 0.5
        return z


def _steepness(link: Link, shape: Floats) -> Floats:
    """Derivative of a link where it passes one half."""
    middle = link.quantile(np.full(shape.shape, 0.5), shape)
    step = 1e-4
    return (link.cdf(middle + step, shape) - link.cdf(middle - step, shape)) / (2.0 * step)


def _problem(data: CurveData, seen: Observations, link: Link) -> _Problem:
    share = np.clip((seen.score - data.chance) / (data.ceiling - data.chance), 0.0, 1.0)
    return _Problem(
        link=link,
        seen=seen,
        share=float(np.clip(np.mean(share), 0.1, 0.9)),
        chance=data.chance,
        ceiling=data.ceiling,
        floor_sd=FLOOR_SD[data.floor_rule],
        low=float(seen.x.min()) - LOCATION_MARGIN,
        high=float(seen.x.max()) + LOCATION_MARGIN,
    )


def _mode(problem: _Problem, start: Floats) -> tuple[Floats, Floats]:
    """Most probable coordinates and the covariance of the density around them.

    Found with one slope for all families: near enough to start sampling from.
    """
    size = problem.size
    steps = 1e-3 * np.eye(size)
    points = np.vstack([np.zeros((1, size)), steps, -steps])

    def loss(z: Floats) -> tuple[float, Floats]:
        values = -problem.log_density(z + points, own_slopes=False)
        return float(values[0]), (values[1 : size + 1] - values[size + 1 :]) / 2e-3

    found = minimize(
        loss, start[:size], jac=True, method="L-BFGS-B", options={"maxiter": 60, "ftol": 1e-7}
    )
    z = np.asarray(found.x)
    for _ in range(2):
        value, gradient, precision = _expansion(problem, z)
        covariance = _covariance(problem, precision)
        step = covariance @ gradient
        trial = z + step * min(1.0, 1.0 / float(np.max(np.abs(step)) + 1e-12))
        if float(step @ gradient) < 1e-2 or _value(problem, trial) <= value:
            break
        z = trial
    return z, covariance


def _value(problem: _Problem, z: Floats) -> float:
    return float(problem.log_density(z, own_slopes=False)[0])


def _expansion(problem: _Problem, z: Floats) -> tuple[float, Floats, Floats]:
    """Value, gradient and negative Hessian of the log density by central differences."""
    size, step = z.size, 0.1
    one = step * np.eye(size)
    row, column = np.triu_indices(size, 1)
    two = one[row] + one[column]
    points = np.vstack([np.zeros((1, size)), one, -one, two, -two])
    values = problem.log_density(z + points, own_slopes=False)
    middle, up, down = values[0], values[1 : size + 1], values[size + 1 : 2 * size + 1]
    both, neither = np.split(values[2 * size + 1 :], 2)
    hessian = np.diag(up + down - 2.0 * middle)
    mixed = 0.5 * (both + neither + 2.0 * middle - (up + down)[row] - (up + down)[column])
    hessian[row, column] = hessian[column, row] = mixed
    return float(middle), (up - down) / (2.0 * step), -hessian / step**2


def _covariance(problem: _Problem, precision: Floats) -> Floats:
    """Inverse of a precision, no direction wider than its prior."""
    scale = np.ones(len(precision))
    scale[_LOCATION] = (problem.high - problem.low) / np.sqrt(12.0) / _LOCATION_UNIT
    values, vectors = np.linalg.eigh(precision * np.outer(scale, scale))
    directions = scale[:, None] * vectors
    return np.asarray((directions / np.maximum(values, 1.0)) @ directions.T)


@dataclass(frozen=True)
class _Sample:
    """Importance draws of one link: coordinates, normalised weights and their quality."""

    z: Floats
    weight: Floats
    effective: float
    log_evidence: float


def _log_proposal(z: Floats, centre: Floats, factor: Floats) -> Floats:
    """Log density of the t proposal, up to a constant that all stages share."""
    white = np.linalg.solve(factor, (z - centre).T)
    square = np.sum(white**2, axis=0)
    size = len(centre)
    kernel = -0.5 * (_DEGREES + size) * np.log1p(square / _DEGREES)
    return np.asarray(kernel - np.sum(np.log(np.diag(factor))))


def _sample(
    problem: _Problem, centre: Floats, covariance: Floats, rng: np.random.Generator
) -> _Sample:
    """Draw, weigh, adapt the proposal, draw again until enough draws are effective.

    Draws of all stages are weighed against the mixture of all proposals, so none
    is lost, and weights are cut at mean times root of their number.
    """
    size = problem.size
    stages: list[tuple[Floats, Floats, int]] = []
    z, target = np.empty((0, size)), np.empty(0)
    count = _FIRST
    # the integral of the unnormalised t kernel, for the evidence
    constant = _log_t_integral(size)
    for _ in range(_MOST_ROUNDS + 1):
        factor = np.asarray(np.linalg.cholesky(covariance + 1e-10 * np.eye(size)), dtype=np.float64)
        normal = rng.standard_normal((count, size))
        tail = np.sqrt(_DEGREES / rng.chisquare(_DEGREES, count))
        new = centre + (normal * tail[:, None]) @ factor.T
        stages.append((centre, factor, count))
        z, target = np.vstack([z, new]), np.r_[target, problem.log_density(new)]
        share = [np.log(n / len(z)) + _log_proposal(z, c, f) for c, f, n in stages]
        ratio = target - np.logaddexp.reduce(np.array(share), axis=0)
        top = float(ratio.max())
        raw = np.exp(np.maximum(ratio - top, -300.0))
        weight = np.minimum(raw, raw.mean() * np.sqrt(raw.size))
        weight /= weight.sum()
        effective = 1.0 / float(np.sum(weight**2))
        if len(stages) > 1 and effective >= _ENOUGH:
            break
        centre = weight @ z
        gap = z - centre
        covariance = _WIDER * (0.9 * (gap.T * weight) @ gap + 0.1 * covariance)
        count = _SECOND
    return _Sample(z, weight, effective, top + float(np.log(raw.mean())) + constant)


def _log_t_integral(size: int) -> float:
    """Log integral of (1 + q^2 / df)^(-(df + size) / 2) over R^size."""
    total = 0.5 * (_DEGREES + size)
    return lgamma(0.5 * _DEGREES) + 0.5 * size * log(_DEGREES * pi) - lgamma(total)


def _systematic(weight: Floats, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of ``count`` draws taken in proportion to their weights."""
    positions = (rng.random() + np.arange(count)) / count
    edges = np.cumsum(weight)
    return np.asarray(np.minimum(np.searchsorted(edges, positions * edges[-1]), weight.size - 1))


def _mixture_weights(log_evidence: Floats) -> Floats:
    """Evidence, tempered half-way to equal; no link is lost, so none decides alone.

    The square root of the evidence is half-way on its log scale. What misses real
    siblings most is the link the data speak against, when it keeps a sixth of the draws.
    """
    evidence = np.exp(0.5 * (log_evidence - log_evidence.max()))
    free = 1.0 - LEAST_SHARE * evidence.size
    return np.asarray(free * evidence / evidence.sum() + LEAST_SHARE)


def _counts(weights: Floats, draws: int) -> NDArray[np.int64]:
    """Whole numbers of draws per link, largest remainders first."""
    exact = weights * draws
    counts = np.floor(exact).astype(np.int64)
    largest = np.argsort(counts - exact, kind="stable")[: draws - int(counts.sum())]
    counts[largest] += 1
    return counts


def _as_draws(parts: list[tuple[_Problem, Curves]]) -> tuple[CurveDraws, Floats]:
    """One block of draws from several links, midpoints back in log10 FLOP."""

    def joined(name: str) -> Floats:
        return np.concatenate([getattr(curves, name) for _, curves in parts])

    draws = CurveDraws(
        link=np.concatenate(
            [np.full(curves.slope.size, LINK_INDEX[problem.link.name]) for problem, curves in parts]
        ).astype(np.int64),
        floor=joined("floor"),
        ceiling=joined("ceiling"),
        slope=joined("slope"),
        midpoint=joined("midpoint") + parts[0][0].seen.origin,
        shape=joined("shape"),
        family_sd=joined("family_sd"),
        model_sd=joined("model_sd"),
        score_sd=joined("score_sd"),
    )
    return draws, joined("slope_sd")


def draw_posterior(
    data: CurveData,
    *,
    links: tuple[str, ...] = DEFAULT_LINKS,
    draws: int = 1000,
    seed: int | np.random.SeedSequence,
) -> Posterior:
    """Fit a series and return exactly ``draws`` draws of its curve.

    Row k of the draws is one joint state of the curve: everything read from the
    series should use the same rows, so that results share their errors. Neither
    the order of the models nor the unit of compute changes a number.

    Raises ``FitError`` where there is nothing to fit: no models, more than
    ``MOST_MODELS``, or values no series can have. Few or uninformative models give
    wide draws, not an error.
    """
    if len(data) > MOST_MODELS:
        raise FitError(f"{len(data):,} models: at most {MOST_MODELS:,} can be fitted at once")
    if not links or not set(links) <= set(LINK_INDEX):
        raise FitError(f"links must be some of {', '.join(LINK_INDEX)} (got {', '.join(links)})")
    if draws < 1:
        raise FitError(f"at least one draw is needed (got {draws})")
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    seen = observe(data)
    problems, samples, modes = [], [], []
    start: Floats | None = None
    for name in links:
        problem = _problem(data, seen, LINKS[LINK_INDEX[name]])
        # coordinates mean the same for every link: begin where the last one ended
        mode, covariance = _mode(problem, problem.start() if start is None else start)
        start = np.zeros(_SHAPE + 1)
        start[:_SHAPE] = mode[:_SHAPE]
        samples.append(_sample(problem, mode, covariance, _stream(root, LINK_INDEX[name])))
        problems.append(problem)
        modes.append(mode)
    evidence = np.array([sample.log_evidence for sample in samples])
    weights = _mixture_weights(evidence)
    rng = _stream(root, len(LINKS))
    parts = []
    for problem, sample, count in zip(problems, samples, _counts(weights, draws), strict=True):
        rows = _systematic(sample.weight, int(count), rng)
        parts.append((problem, problem.curves(sample.z[rows])))
    mixed, slope_sd = _as_draws(parts)
    # any leading part of the rows is a fair sample too
    order = rng.permutation(draws)
    at_mode = [(p, p.curves(mode[None])) for p, mode in zip(problems, modes, strict=True)]
    return Posterior(
        draws=CurveDraws(*(getattr(mixed, name)[order] for name in mixed.__dataclass_fields__)),
        slope_sd=slope_sd[order],
        links=links,
        link_weights=tuple(float(weight) for weight in weights),
        effective_draws=tuple(sample.effective for sample in samples),
        log_evidence=tuple(float(value) for value in evidence),
        modes=_as_draws(at_mode)[0],
    )


def _stream(root: np.random.SeedSequence, index: int) -> np.random.Generator:
    # not spawn(): that would change the caller's sequence, and with it a second call
    key = (*root.spawn_key, index)
    return np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=key))
