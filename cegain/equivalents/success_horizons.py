"""The length of task an agent completes with a given probability, after METR's method.

For each agent success is regressed on log2 of the minutes a human needs, by logistic
regression with weights and a small ridge on the slope; the horizon at probability p is
where the curve passes p (METR 2025, "Measuring AI Ability to Complete Long Tasks").
Intervals come from resampling task families, tasks within them, and runs within those.

The objective is convex with two parameters, so it is solved here by Newton's method to
machine precision, for all agents and resamples at once. The authors' own solver stops
earlier (gradient tolerance 1e-4), which moves their printed horizons by up to 0.4 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.special import expit

from cegain.equivalents.converters import RunRow
from cegain.equivalents.distributions import Floats
from cegain.equivalents.draws import (
    Estimate,
)
from cegain.resampling import generator, interval, quantiles

RIDGE_INVERSE = 10.0  # METR's strength, for weights that sum to 1
_STEPS = 200


@dataclass(frozen=True)
class TaskTable:
    """Runs of agents on tasks: (agents, tasks) arrays, zero runs where there were none."""

    agents: tuple[str, ...]
    tasks: tuple[str, ...]
    families: tuple[str, ...]
    log2_minutes: Floats
    runs: Floats
    successes: Floats
    weights: Floats


@dataclass(frozen=True)
class Curve:
    """Success against task length of one agent: logit p = intercept + slope log2(minutes)."""

    agent: str
    slope: float
    intercept: float
    average: float

    def minutes(self, probability: float = 0.5) -> float:
        """Task length in human minutes completed with this probability."""
        return float(_horizon(np.array(self.slope), np.array(self.intercept), probability))


@dataclass(frozen=True)
class Horizon:
    """Horizon of one agent with its interval; ``within`` says whether tasks that long exist.

    ``draws`` (K,) are its minutes over the resamples, shared by all agents of a table.
    """

    agent: str
    probability: float
    minutes: Estimate
    curve: Curve
    within: bool
    draws: Floats


@dataclass(frozen=True)
class HorizonTrend:
    """Days in which the horizon of the best agents doubled, over these agents."""

    doubling_days: Estimate
    agents: tuple[str, ...]
    first: date
    last: date


def task_table(rows: Sequence[RunRow]) -> TaskTable:
    """Rows of the run table as arrays; ValueError where a task has two lengths or families."""
    agents = tuple(sorted({row.agent for row in rows}))
    known: dict[str, tuple[str, float]] = {}
    for row in rows:
        facts = (row.task_family, row.human_minutes)
        if known.setdefault(row.task, facts) != facts:
            raise ValueError(f"{row.task} has two families or two lengths")
    tasks = tuple(sorted(known))
    place = {task: index for index, task in enumerate(tasks)}
    shape = (len(agents), len(tasks))
    runs, successes, weights = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for row in rows:
        where = (agents.index(row.agent), place[row.task])
        runs[where] += row.runs
        successes[where] += row.runs * row.success_rate
        weights[where] = row.weight_per_run
    return TaskTable(
        agents,
        tasks,
        tuple(known[task][0] for task in tasks),
        np.log2([known[task][1] for task in tasks]),
        runs,
        successes,
        weights,
    )


def weighted_logistic(
    x: Floats, weight: Floats, success: Floats, *, inverse_ridge: float = RIDGE_INVERSE
) -> tuple[Floats, Floats]:
    """Slopes and intercepts of many weighted logistic regressions on one predictor.

    ``weight`` and ``success`` are (..., T): total and successful weight at each value of
    ``x``. Minimises slope^2 / 2 + inverse_ridge times the weighted log loss; the
    intercept is free. Where all succeed or all fail there is no minimum: the intercept
    is then +inf or -inf and the slope 0.
    """
    total, won = weight.sum(axis=-1), success.sum(axis=-1)
    shape = total.shape
    flat_weight = weight.reshape(-1, x.size)
    flat_success = np.broadcast_to(success, weight.shape).reshape(-1, x.size)
    usable = ((won > 0) & (won < total)).ravel()
    share = np.divide(won.ravel(), total.ravel(), out=np.full(usable.size, 0.5), where=usable)
    slope = np.zeros(usable.size)
    intercept = np.where(usable, np.log(share / (1 - share)), 0.0)
    active = np.flatnonzero(usable)
    for _ in range(_STEPS):
        if active.size == 0:
            break
        w, s = flat_weight[active], flat_success[active]
        down, across = _newton_step(x, w, s, intercept[active], slope[active], inverse_ridge)
        intercept[active] -= down
        slope[active] -= across
        size = np.abs(down) + np.abs(across)
        active = active[size > 1e-12 * (1 + np.abs(intercept[active]))]
    endless = np.where(won.ravel() > 0, np.inf, -np.inf)
    return (
        np.where(usable, slope, 0.0).reshape(shape),
        np.where(usable, intercept, endless).reshape(shape),
    )


def _newton_step(
    x: Floats, weight: Floats, success: Floats, intercept: Floats, slope: Floats, strength: float
) -> tuple[Floats, Floats]:
    """One Newton step, halved until the convex objective does not rise."""
    p = expit(intercept[:, None] + slope[:, None] * x)
    residual = strength * (weight * p - success)
    g0, g1 = residual.sum(axis=1), residual @ x + slope
    curve = strength * weight * p * (1 - p)
    h00, h01, h11 = curve.sum(axis=1), curve @ x, curve @ (x * x) + 1.0
    # the ridge keeps the determinant positive; the floor guards against underflow of p(1 - p)
    determinant = np.maximum(h00 * h11 - h01 * h01, 1e-300)
    step0, step1 = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
    before = _objective(x, weight, success, slope, intercept, strength)
    slack = 1e-12 * (1 + np.abs(before))
    for _ in range(40):
        tried = _objective(x, weight, success, slope - step1, intercept - step0, strength)
        worse = ~(tried <= before + slack)
        if not worse.any():
            break
        step0, step1 = np.where(worse, step0 / 2, step0), np.where(worse, step1 / 2, step1)
    return step0, step1


def _objective(
    x: Floats, weight: Floats, success: Floats, slope: Floats, intercept: Floats, strength: float
) -> Floats:
    eta = intercept[..., None] + slope[..., None] * x
    loss = (weight * np.logaddexp(0.0, eta) - success * eta).sum(axis=-1)
    return np.asarray(slope * slope / 2 + strength * loss)


def _horizon(slope: Floats, intercept: Floats, probability: float) -> Floats:
    """Minutes at which the curve passes a probability: 0 or infinite where it never does."""
    logit = math.log(probability / (1 - probability))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        minutes = 2.0 ** ((logit - intercept) / slope)
    # a curve that does not fall says nothing about length: all or none, by its level
    flat = np.where(intercept > logit, np.inf, 0.0)
    return np.where(slope < 0, minutes, flat)


def curves(table: TaskTable) -> tuple[Curve, ...]:
    """The fitted curve of every agent."""
    slope, intercept = weighted_logistic(
        table.log2_minutes, table.weights * table.runs, table.weights * table.successes
    )
    average = (table.weights * table.successes).sum(axis=1) / (table.weights * table.runs).sum(
        axis=1
    )
    return tuple(
        Curve(agent, float(b), float(a), float(mean))
        for agent, b, a, mean in zip(table.agents, slope, intercept, average, strict=True)
    )


def resampled_minutes(
    table: TaskTable, probability: float = 0.5, *, draws: int = 1000, seed: int = 0
) -> Floats:
    """Horizons over a hierarchical bootstrap, shape (draws, agents).

    Families are drawn with replacement, then tasks within each drawn family, then runs
    within each agent and task. A task drawn m times keeps its weight m times over, as in
    the authors' code: nothing is normalised again.
    """
    counts = _task_counts(table, draws, seed)
    random = generator("horizon runs", root=seed)
    rate = np.divide(
        table.successes, table.runs, out=np.zeros_like(table.runs), where=table.runs > 0
    )
    trials = np.rint(counts[:, None, :] * table.runs).astype(np.int64)
    won = random.binomial(trials, np.clip(rate, 0.0, 1.0))
    slope, intercept = weighted_logistic(
        table.log2_minutes, table.weights * trials, table.weights * won
    )
    return _horizon(slope, intercept, probability)


def _task_counts(table: TaskTable, draws: int, seed: int) -> Floats:
    """How often each task is drawn, shape (draws, tasks)."""
    random = generator("horizon tasks", root=seed)
    names = sorted(set(table.families))
    families = random.multinomial(len(names), [1 / len(names)] * len(names), size=draws)
    counts = np.zeros((draws, len(table.tasks)))
    for index, name in enumerate(names):
        members = [i for i, family in enumerate(table.families) if family == name]
        # m copies of a family, each with its tasks drawn anew, are one larger draw
        size = families[:, index] * len(members)
        counts[:, members] = random.multinomial(size, [1 / len(members)] * len(members))
    return counts


def horizons(
    table: TaskTable,
    probability: float = 0.5,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[Horizon, ...]:
    """Horizon and interval of every agent, in minutes of human time."""
    resampled = resampled_minutes(table, probability, draws=draws, seed=seed)
    ends = interval(resampled, level)
    longest = 2.0 ** float(table.log2_minutes.max())
    shortest = 2.0 ** float(table.log2_minutes.min())
    found = []
    for index, curve in enumerate(curves(table)):
        minutes = curve.minutes(probability)
        within = shortest <= minutes <= longest
        warnings = () if within else ("outside the lengths of the tasks: an extrapolation",)
        low, high = float(ends[0, index]), float(ends[1, index])
        estimate = Estimate(
            f"{probability:.0%} time horizon",
            "minutes",
            minutes if math.isfinite(minutes) else None,
            low if math.isfinite(low) else None,
            high if math.isfinite(high) else None,
            level,
            warnings=warnings,
        )
        found.append(
            Horizon(curve.agent, probability, estimate, curve, within, resampled[:, index])
        )
    return tuple(found)


def horizon_trend(
    found: Sequence[Horizon], released: Mapping[str, date], *, level: float = 0.95
) -> HorizonTrend:
    """Doubling time of the horizon over agents that were the best when released.

    A regression of log2 horizon on the date. Agents whose horizon lies outside the
    lengths of the tasks are left out: their horizons are extrapolations. ValueError where
    fewer than three remain.
    """
    point = {horizon.agent: horizon for horizon in found}
    ordered = sorted((day, agent) for agent, day in released.items() if agent in point)
    best: list[str] = []
    top = 0.0
    for _, agent in ordered:
        minutes = point[agent].minutes.central
        if point[agent].within and minutes is not None and minutes > top:
            best.append(agent)
            top = minutes
    if len(best) < 3:
        raise ValueError(f"a trend needs three agents that were the best (got {len(best)})")
    days = np.array([released[agent].toordinal() for agent in best], dtype=np.float64)
    resampled = np.stack([point[agent].draws for agent in best], axis=1)
    with np.errstate(divide="ignore"):
        doublings = np.log2(resampled)
    usable = np.isfinite(doublings).all(axis=1)
    rates = _slopes(days, doublings[usable])
    centre = _slopes(days, np.log2([[point[a].minutes.central or 0.0 for a in best]]))
    # a draw without growth has no doubling time: infinite, and kept as such
    doubling = np.where(rates > 0, 1 / np.where(rates > 0, rates, 1.0), np.inf)
    ends = quantiles(doubling, [(1 - level) / 2, (1 + level) / 2])
    high = float(ends[1])
    dropped = int((~usable).sum())
    warnings = (
        (f"{dropped} of {usable.size} resamples without a horizon left out",) if dropped else ()
    )
    return HorizonTrend(
        Estimate(
            "doubling time of the horizon",
            "days",
            float(1 / centre[0]),
            float(ends[0]),
            high if math.isfinite(high) else None,
            level,
            warnings=warnings,
        ),
        tuple(best),
        released[best[0]],
        released[best[-1]],
    )


def _slopes(x: Floats, rows: Floats) -> Floats:
    """Least-squares slopes of many rows on one predictor."""
    centred = x - x.mean()
    return np.asarray((rows * centred).sum(axis=1) / (centred * centred).sum())
