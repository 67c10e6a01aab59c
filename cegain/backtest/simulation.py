"""The default estimator in made-up worlds, where every source of error is known.

Beside it, on the same worlds, what the field usually does: a least-squares logistic
curve with a case bootstrap, inverted at both scores.

Families of one to five sizes with offsets of their own around a true curve; scores
and computes recorded with errors. One scenario switches one difficulty on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from cegain.anchors import Anchor, Measurement, draw_gain
from cegain.backtest.siblings import DEFAULT_ESTIMATOR, WORST_ERROR
from cegain.bootstrap import draw_bootstrap
from cegain.curves import LINK_INDEX, CurveData, CurveDraws
from cegain.families import draw_family
from cegain.posterior import draw_posterior
from cegain.resampling import Weights, generator, quantiles, seed_for

USUAL_ESTIMATOR = "least squares, case bootstrap"


@dataclass(frozen=True)
class Scenario:
    """A made-up world: the true curve, its scatter, and what is recorded of it.

    ``slope``, ``midpoint`` and ``shape`` belong to the link; ``slope_spread`` is the
    standard deviation of the log slope between families; ``compute_sd`` the error of
    recorded compute, in decades; ``base_quantile`` where in the compute of the
    series the base model lies.
    """

    name: str
    link: str = "logistic"
    slope: float = 1.2
    midpoint: float = 23.25
    shape: float = 1.0
    slope_spread: float = 0.0
    compute_sd: float = 0.1
    base_quantile: float = 0.5
    gains: tuple[float, ...] = (0.7, 1.5)


SCENARIOS = (
    Scenario("base", gains=(0.0, 0.7, 1.5)),
    Scenario("rich", link="richards", slope=1.9, midpoint=22.684, shape=0.35),
    Scenario("near chance", base_quantile=0.05),
    Scenario("slopes differ", slope_spread=0.25),
    Scenario("compute error x3", compute_sd=float(np.log10(3.0))),
)
ESTIMATORS = (DEFAULT_ESTIMATOR, USUAL_ESTIMATOR)
_CHANCE, _ITEMS, _CENTRE = 0.25, 1000, 23.0
_FAMILY_SIZES = (0.2, 0.3, 0.25, 0.15, 0.1)  # of one to five models
_FAMILY_SD, _MODEL_SD, _SCORE_SD = 0.4, 0.2, 0.007


@dataclass(frozen=True)
class SimulatedCell:
    """One estimator in one scenario at one size and gain; its 90 % interval and errors."""

    estimator: str
    scenario: str
    models: int
    log10_gain: float
    replications: int
    coverage: float
    median_width: float
    rmse: float
    bias: float


def simulate(
    *,
    scenarios: Sequence[Scenario] = SCENARIOS,
    sizes: Sequence[int] = (6, 10, 20, 50),
    replications: int = 100,
    draws: int = 1000,
    seed: int = 0,
    jobs: int = 1,
) -> tuple[SimulatedCell, ...]:
    """Coverage, width and error of the default and the usual estimator in made-up worlds."""
    cells = []
    for scenario in scenarios:
        for size in sizes:
            found = Parallel(n_jobs=jobs)(
                delayed(_replicate)(scenario, size, draws, seed, k) for k in range(replications)
            )
            for column, (gain, estimator) in enumerate(product(scenario.gains, ESTIMATORS)):
                low, median, high = np.array([row[column] for row in found]).T
                error = np.clip(median - gain, -WORST_ERROR, WORST_ERROR)
                with np.errstate(invalid="ignore"):
                    width = np.where(low == high, 0.0, high - low)
                cells.append(
                    SimulatedCell(
                        estimator=estimator,
                        scenario=scenario.name,
                        models=size,
                        log10_gain=gain,
                        replications=replications,
                        coverage=float(np.mean((low <= gain) & (gain <= high))),
                        median_width=float(np.sort(width)[replications // 2]),
                        rmse=float(np.sqrt(np.mean(error**2))),
                        bias=float(np.mean(error)),
                    )
                )
    return tuple(cells)


def _replicate(
    scenario: Scenario, size: int, draws: int, seed: int, number: int
) -> list[tuple[float, float, float]]:
    """One made-up series; ends and median of each gain by each estimator."""
    names = (scenario.name, str(size), str(number))
    rng = generator("simulation", *names, root=seed)
    data, score_at, base = _world(scenario, size, rng)
    own_seed = seed_for("simulation fit", *names, root=seed)
    fit = draw_posterior(data, draws=draws, seed=own_seed)
    usual = draw_bootstrap(
        data, draws=draws, seed=own_seed, weights=Weights.CASE, attenuation=False
    )
    members = [data.models[row] for row in np.flatnonzero(data.family == data.family[base])]
    kin_seed = seed_for("simulation family", *names, root=seed)
    kin = draw_family(fit.draws, fit.slope_sd, data, members, seed=kin_seed)
    found = []
    for gain in scenario.gains:
        measured = Measurement(
            log10_compute=float(data.log10_compute[base]),
            compute_sd=float(data.compute_sd[base]),
            baseline=float(data.score[base]),
            enhanced=float(score_at(base, gain)),
            baseline_items=_ITEMS,
            enhanced_items=_ITEMS,
        )
        how: dict[str, Any] = {"chance": _CHANCE, "seed": own_seed}
        ours = draw_gain(fit.draws, measured, slope_sd=fit.slope_sd, family=kin, **how)
        theirs = draw_gain(usual.draws, measured, slope_sd=0.0, anchor=Anchor.SCORE, **how)
        for sample in (ours, theirs):
            low, median, high = quantiles(sample.log10_gain, (0.05, 0.5, 0.95))
            found.append((float(low), float(median), float(high)))
    return found


def _world(
    scenario: Scenario, size: int, rng: np.random.Generator
) -> tuple[CurveData, Callable[[int, float], float], int]:
    """A series, the score of a model after a gain, and the row of the base model."""
    family = np.repeat(np.arange(size), rng.choice(5, size, p=_FAMILY_SIZES) + 1)[:size]
    steps = rng.uniform(0.3, 0.7, size) * np.r_[False, family[1:] == family[:-1]]
    climbed = np.cumsum(steps)
    first = np.searchsorted(family, family)
    x = rng.normal(22.8, 0.7, size)[family] + climbed - climbed[first]
    offset = rng.normal(0.0, _FAMILY_SD, size)[family] + rng.normal(0.0, _MODEL_SD, size)
    slopes = np.exp(scenario.slope_spread * rng.standard_normal(size))[family]
    truth = _true_curve(scenario)

    def score_at(row: int, gain: float) -> float:
        position = _CENTRE + slopes[row] * (x[row] + offset[row] + gain - _CENTRE)
        exact = truth.score(np.array([position]))[0] + rng.normal(0.0, _SCORE_SD)
        return float(rng.binomial(_ITEMS, np.clip(exact, 0.0, 1.0)) / _ITEMS)

    recorded = x + rng.normal(0.0, scenario.compute_sd, size)
    data = CurveData(
        models=tuple(f"model-{row}" for row in range(size)),
        families=tuple(f"family-{index}" for index in range(int(family[-1]) + 1)),
        log10_compute=recorded,
        compute_sd=np.full(size, scenario.compute_sd),
        score=np.array([score_at(row, 0.0) for row in range(size)]),
        n_items=np.full(size, float(_ITEMS)),
        family=family.astype(np.int64),
        chance=_CHANCE,
        ceiling=1.0,
    )
    base = int(np.argsort(recorded, kind="stable")[round(scenario.base_quantile * (size - 1))])
    return data, score_at, base


def _true_curve(scenario: Scenario) -> CurveDraws:
    one, none = np.ones(1), np.zeros(1)
    return CurveDraws(
        link=np.full(1, LINK_INDEX[scenario.link], dtype=np.int64),
        floor=_CHANCE * one,
        ceiling=one,
        slope=scenario.slope * one,
        midpoint=scenario.midpoint * one,
        shape=scenario.shape * one,
        family_sd=none,
        model_sd=none,
        score_sd=none,
    )
