"""The fit: its likelihood against brute force, its answers against known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cegain.curves import LINK_INDEX, LINKS, CurveData, Floats, Link
from cegain.errors import FitError
from cegain.likelihood import Curves, log_likelihood
from cegain.observations import OWN_SLOPE, Observations, calibrate_compute, observe
from cegain.posterior import LEAST_SHARE, Posterior, draw_posterior


def synthetic(
    n: int,
    seed: int,
    *,
    link: str = "richards",
    slope: float = 1.9,
    midpoint: float = 22.7,
    shape: float = 0.35,
    chance: float = 0.25,
    family_sd: float = 0.4,
    compute_sd: float = 0.06,
    centre: float = 22.8,
) -> CurveData:
    """Families of one to five sizes around a known curve."""
    rng = np.random.default_rng(seed)
    x: list[float] = []
    theta: list[float] = []
    family: list[int] = []
    while len(x) < n:
        at, offset = rng.normal(centre, 0.7), rng.normal(0.0, family_sd)
        index = family[-1] + 1 if family else 0
        for _ in range(rng.choice([1, 2, 3, 4, 5], p=[0.2, 0.3, 0.25, 0.15, 0.1])):
            x.append(at)
            family.append(index)
            theta.append(at + offset + rng.normal(0.0, 0.2))
            at += rng.uniform(0.3, 0.7)
    t = slope * (np.array(theta[:n]) - midpoint)
    share = LINKS[LINK_INDEX[link]].cdf(t, np.array(shape))
    score = rng.binomial(1000, chance + (1.0 - chance) * share) / 1000
    names = tuple(f"family-{i}" for i in range(family[n - 1] + 1))
    return CurveData(
        models=tuple(f"model-{i}" for i in range(n)),
        families=names,
        log10_compute=np.array(x[:n]) + rng.normal(0.0, compute_sd, n),
        compute_sd=np.full(n, compute_sd),
        score=score,
        n_items=np.full(n, 1000.0),
        family=np.array(family[:n], dtype=np.int64),
        chance=chance,
        ceiling=1.0,
    )


def reordered(data: CurveData, order: np.ndarray, shift: float = 0.0) -> CurveData:
    """The same models in another order, family numbers dealt anew, in another unit."""
    names = tuple(data.models[i] for i in order)
    families = tuple(reversed(data.families))
    number = {name: index for index, name in enumerate(families)}
    return CurveData(
        names,
        families,
        data.log10_compute[order] + shift,
        data.compute_sd[order],
        data.score[order],
        data.n_items[order],
        np.array([number[data.families[data.family[i]]] for i in order], dtype=np.int64),
        data.chance,
        data.ceiling,
        data.floor_rule,
    )


def curves(seen: Observations, family_sd: float, model_sd: float, slope_sd: float) -> Curves:
    one = np.ones(1)
    return Curves(
        floor=0.25 * one,
        ceiling=one,
        slope=1.9 * one,
        midpoint=(22.7 - seen.origin) * one,
        shape=0.35 * one,
        family_sd=family_sd * one,
        model_sd=model_sd * one,
        score_sd=0.007 * one,
        slope_sd=slope_sd * one,
    )


def family_grid(
    link: Link, at: Curves, seen: Observations, rows: range, *, own_slope: bool
) -> tuple[Floats, Floats, Floats]:
    """Log density of a family's slope and offset, both standardised, on a very fine grid."""
    family_sd, model_sd, slope_sd = float(at.family_sd[0]), float(at.model_sd[0]), at.slope_sd[0]
    z = np.arange(-4.5, 4.51, 0.3) if own_slope else np.zeros(1)
    u = np.arange(-6.0, 6.01, 0.08)
    joint = -0.5 * u**2 - 0.5 * z[:, None] ** 2
    for i in rows:
        sd = np.hypot(model_sd, seen.compute_sd[i])
        e = np.arange(-6.0, 6.0, 0.02)
        moved = np.expm1(slope_sd * z) * seen.within[i] if own_slope else np.zeros(1)
        theta = seen.x[i] + moved[:, None, None] + (family_sd * u)[:, None] + sd * e
        fitted = at.floor + (1.0 - at.floor) * link.cdf(at.slope * (theta - at.midpoint), at.shape)
        variance = seen.variance[i] + at.score_sd**2
        weight = np.exp(-0.5 * (fitted - seen.score[i]) ** 2 / variance - 0.5 * e**2)
        inner = weight.sum(axis=2) * 0.02 / np.sqrt(2.0 * np.pi)
        joint = joint + np.log(inner / np.sqrt(2.0 * np.pi * variance))
    return z, u, joint


def brute_force(link: Link, at: Curves, seen: Observations) -> float:
    """The same integral by plain sums over very fine grids, one family at a time."""
    starts = [*seen.starts, *range(seen.n_shared, seen.x.size)]
    total = 0.0
    for start, end in zip(starts, [*starts[1:], seen.x.size], strict=True):
        rows = range(start, end)
        z, u, joint = family_grid(link, at, seen, rows, own_slope=len(rows) >= OWN_SLOPE)
        normal = np.exp(-0.5 * u**2 - 0.5 * z[:, None] ** 2)
        total += float(np.log(np.sum(np.exp(joint - joint.max())) / normal.sum()) + joint.max())
    return total


@pytest.fixture(scope="module")
def typical() -> tuple[CurveData, Posterior]:
    data = synthetic(40, 2)
    return data, draw_posterior(data, seed=1)


def middle(values: Floats) -> float:
    return float(np.sort(values)[values.size // 2])


@pytest.mark.parametrize(
    ("family_sd", "model_sd", "slope_sd"), [(0.4, 0.2, 0.2), (0.6, 0.15, 0.2), (0.25, 0.3, 0.35)]
)
@pytest.mark.parametrize(("centre", "seed"), [(22.8, 5), (21.3, 3)])
def test_likelihood_agrees_with_brute_force(
    family_sd: float, model_sd: float, slope_sd: float, centre: float, seed: int
) -> None:
    seen = observe(synthetic(8, seed, centre=centre))
    assert seen.n_sloped_families >= 1
    at, link = curves(seen, family_sd, model_sd, slope_sd), LINKS[LINK_INDEX["richards"]]
    fast = float(log_likelihood(link, at, seen)[0])
    assert fast == pytest.approx(brute_force(link, at, seen), abs=0.02)


def test_likelihood_of_many_parameter_vectors_is_that_of_each() -> None:
    seen = observe(synthetic(25, 4))
    rng = np.random.default_rng(0)
    single = curves(seen, 0.4, 0.2, 0.2)
    jitter = {
        name: getattr(single, name) * np.exp(rng.normal(0.0, 0.1, 40))
        for name in Curves.__dataclass_fields__
    }
    many = Curves(**jitter | {"ceiling": np.ones(40)})
    link = LINKS[LINK_INDEX["richards"]]
    together = log_likelihood(link, many, seen)
    apart = [log_likelihood(link, many.take(np.array([k])), seen)[0] for k in range(40)]
    # grids are shared by neighbours in the batch, so agreement is to their accuracy
    assert np.allclose(together, apart, atol=0.005)


def test_draws_are_complete_and_plausible(typical: tuple[CurveData, Posterior]) -> None:
    _, fit = typical
    assert len(fit.draws) == 1000 == fit.slope_sd.size
    assert sum(fit.link_weights) == pytest.approx(1.0)
    # no link decides alone, none is dropped
    assert min(fit.link_weights) >= LEAST_SHARE - 1e-9
    counts = np.bincount(fit.draws.link, minlength=3)
    assert np.allclose(counts / 1000, fit.link_weights, atol=0.002)
    assert min(fit.effective_draws) >= 200
    for name in ("slope", "family_sd", "model_sd", "score_sd", "shape"):
        assert np.all(getattr(fit.draws, name) > 0)
    assert np.all((fit.draws.floor >= 0) & (fit.draws.floor < fit.draws.ceiling))


def test_any_leading_part_of_the_rows_is_a_fair_sample(
    typical: tuple[CurveData, Posterior],
) -> None:
    _, fit = typical
    shares = np.bincount(fit.draws.link[:300], minlength=3) / 300
    assert np.allclose(shares, fit.link_weights, atol=0.1)


def test_same_seed_same_numbers(typical: tuple[CurveData, Posterior]) -> None:
    data, fit = typical
    again = draw_posterior(data, seed=np.random.SeedSequence(1))
    other = draw_posterior(data, seed=2)
    assert np.array_equal(fit.draws.midpoint, again.draws.midpoint)
    assert not np.array_equal(fit.draws.midpoint, other.draws.midpoint)


def test_a_seed_sequence_may_be_used_twice() -> None:
    data, seed = synthetic(8, 5), np.random.SeedSequence(3)
    first, second = (draw_posterior(data, draws=50, seed=seed) for _ in range(2))
    assert np.array_equal(first.draws.slope, second.draws.slope)


def test_order_of_rows_and_unit_of_compute_change_nothing() -> None:
    data = synthetic(20, 6)
    order = np.random.default_rng(0).permutation(20)
    plain = draw_posterior(data, draws=300, seed=1)
    moved = draw_posterior(reordered(data, order, shift=3.0), draws=300, seed=1)
    assert np.array_equal(plain.draws.link, moved.draws.link)
    assert np.allclose(plain.draws.midpoint + 3.0, moved.draws.midpoint, atol=1e-9)
    for name in ("floor", "slope", "shape", "family_sd", "model_sd", "score_sd"):
        assert np.allclose(getattr(plain.draws, name), getattr(moved.draws, name), rtol=1e-9)


def test_known_curve_is_recovered() -> None:
    inside = []
    grid = np.array([21.5, 22.5, 23.5, 24.5])
    truth = 0.25 + 0.75 * LINKS[2].cdf(1.9 * (grid - 22.7), np.array(0.35))
    for seed in range(2):
        data = synthetic(40, 100 + seed, family_sd=0.2)
        fit = draw_posterior(data, draws=400, seed=seed)
        scores = np.sort(fit.draws.score(np.broadcast_to(grid, (400, 4))), axis=0)
        inside.append((scores[8] < truth) & (truth < scores[392]))
        assert np.all(np.abs(scores[200] - truth) < 0.09)
    assert np.mean(inside) > 0.8


def test_scatter_is_recovered() -> None:
    fit = draw_posterior(synthetic(60, 8, family_sd=0.5), draws=400, seed=1)
    assert 0.35 < middle(fit.draws.family_sd) < 0.7
    assert 0.12 < middle(fit.draws.model_sd) < 0.28


def test_spread_of_slopes_is_learned_where_families_tell() -> None:
    def ladders(spread: float) -> CurveData:
        rng = np.random.default_rng(4)
        x = np.tile(np.linspace(-1.2, 1.2, 5), 10)
        family = np.repeat(np.arange(10), 5)
        own = np.exp(spread * rng.standard_normal(10))[family]
        theta = own * x + rng.normal(0.0, 0.3, 10)[family] + rng.normal(0.0, 0.08, 50)
        score = rng.binomial(5000, 1.0 / (1.0 + np.exp(-1.3 * theta))) / 5000
        return CurveData(
            tuple(f"m{i}" for i in range(50)),
            tuple(f"f{i}" for i in range(10)),
            22.0 + x,
            np.full(50, 0.03),
            score,
            np.full(50, 5000.0),
            family.astype(np.int64),
            0.0,
            1.0,
        )

    same = draw_posterior(ladders(0.0), links=("logistic",), draws=400, seed=1)
    varied = draw_posterior(ladders(0.35), links=("logistic",), draws=400, seed=1)
    assert middle(same.slope_sd) < 0.1
    assert 0.22 < middle(varied.slope_sd) < 0.55


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_models_give_wide_draws_not_errors(n: int) -> None:
    fit = draw_posterior(synthetic(n, 7), draws=200, seed=1)
    spread = np.sort(fit.draws.midpoint)
    assert np.all(np.isfinite(spread))
    assert spread[190] - spread[10] > 0.5


@pytest.mark.parametrize("score", [0.0, 0.25, 1.0])
def test_models_that_say_nothing_are_no_error(score: float) -> None:
    n = 6
    data = CurveData(
        tuple("abcdef"),
        ("one", "two"),
        np.linspace(21.0, 24.0, n),
        np.full(n, 0.06),
        np.full(n, score),
        np.full(n, np.nan),
        np.array([0, 0, 0, 1, 1, 1], dtype=np.int64),
        0.25,
        1.0,
    )
    fit = draw_posterior(data, draws=200, seed=1)
    assert np.all(np.isfinite(fit.draws.slope))


def test_identical_models_of_identical_compute_are_no_error() -> None:
    data = CurveData(
        ("a", "b"),
        ("one",),
        np.full(2, 22.0),
        np.full(2, 0.06),
        np.full(2, 0.5),
        np.full(2, 1000.0),
        np.zeros(2, dtype=np.int64),
        0.0,
        1.0,
    )
    assert len(draw_posterior(data, draws=100, seed=1).draws) == 100


@pytest.mark.parametrize(
    ("rule", "least", "most"),
    [("fixed", 0.0, 0.0), ("near-chance", 0.002, 0.02), ("free", 0.008, 0.08)],
)
def test_floor_rule_sets_how_far_the_floor_may_leave_chance(
    rule: str, least: float, most: float
) -> None:
    data = synthetic(12, 9, centre=23.5)
    data = replace(data, floor_rule=rule)
    floor = draw_posterior(data, draws=300, seed=1).draws.floor
    assert least <= float(np.std(floor)) <= most


def test_floor_below_nominal_chance_is_found_when_free() -> None:
    data = synthetic(60, 10, chance=0.20, centre=22.0)
    data = replace(data, chance=0.25, floor_rule="free")
    assert middle(draw_posterior(data, draws=300, seed=1).draws.floor) == pytest.approx(
        0.2, abs=0.02
    )


def test_declared_ceiling_is_kept() -> None:
    data = synthetic(10, 11)
    low = replace(data, score=0.9 * data.score, ceiling=0.93)
    assert np.all(draw_posterior(low, draws=60, seed=1).draws.ceiling == 0.93)


def test_one_link_on_request() -> None:
    fit = draw_posterior(synthetic(10, 12), links=("gompertz",), draws=60, seed=1)
    assert set(fit.draws.link) == {LINK_INDEX["gompertz"]}
    assert fit.link_weights == (1.0,)
    assert len(fit.modes) == 1


def test_calibration_leaves_good_compute_alone_and_shrinks_bad() -> None:
    x = np.linspace(21.0, 25.0, 9)
    good, _ = calibrate_compute(x, np.full(9, 0.05))
    bad, left = calibrate_compute(x, np.full(9, 0.5))
    assert np.allclose(good, x, atol=0.01)
    assert np.ptp(bad) < 0.9 * np.ptp(x)
    assert np.all(left < 0.5)
    assert bad.mean() == pytest.approx(23.0)


def test_what_cannot_be_fitted_says_so() -> None:
    data = synthetic(4, 13)
    nothing = reordered(data, np.array([], dtype=np.int64))
    with pytest.raises(FitError, match="at least one model"):
        draw_posterior(nothing, seed=1)
    broken = reordered(data, np.arange(4))
    broken.score[0] = np.nan
    with pytest.raises(FitError, match="finite"):
        draw_posterior(broken, seed=1)
    with pytest.raises(FitError, match="links must be"):
        draw_posterior(data, links=("probit",), seed=1)
    with pytest.raises(FitError, match="at least one draw"):
        draw_posterior(data, draws=0, seed=1)
