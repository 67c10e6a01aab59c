"""Pooling against R's metafor, and the traps of gains that share a curve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cegain.pooling import GainToPool, pool, pool_gains, tau_squared, tau_squared_interval

REFERENCE = json.loads(
    (Path(__file__).parent / "data" / "metafor_reference.json").read_text(encoding="utf-8")
)
CASES = [
    pytest.param(name, row, id=f"{name}-{row['method']}-{row['test']}")
    for name, reference in REFERENCE["sets"].items()
    for row in reference["results"]
    if row["method"] in ("FE", "DL", "PM", "REML") and row["test"] in ("z", "knha", "adhoc")
]


def studies(name: str) -> tuple[list[float], list[float]]:
    rows = REFERENCE["sets"][name]["studies"]
    return [row["yi"] for row in rows], [row["vi"] for row in rows]


def test_the_reference_holds_what_is_compared() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize(("name", "row"), CASES)
def test_textbook_pooling_agrees_with_metafor(name: str, row: dict[str, Any]) -> None:
    y, v = studies(name)
    pooled = pool(y, v, method=row["method"], test=row["test"])
    wanted = {
        "est": pooled.estimate,
        "se": pooled.standard_error,
        "ci_lb": pooled.interval[0],
        "ci_ub": pooled.interval[1],
        "tau2": pooled.tau2,
        "I2": pooled.i2,
        "Q": pooled.q,
        "Qp": pooled.q_p,
    }
    # metafor stops its own iterations at 1e-5 of tau²; ours go to rounding error
    for field, ours in wanted.items():
        assert ours == pytest.approx(row[field], rel=1e-6, abs=1e-6), field
    if row["pi_lb_HTS_tk2"] is None:
        assert pooled.prediction is None
    else:
        assert pooled.prediction == pytest.approx(
            (row["pi_lb_HTS_tk2"], row["pi_ub_HTS_tk2"]), rel=1e-6, abs=1e-6
        )
    if row["tau2_lb_QP"] is not None:
        # metafor's root finder stops within 1.2e-4 of tau² and never looks beyond 100
        low, high = tau_squared_interval(y, v)
        assert low == pytest.approx(row["tau2_lb_QP"], abs=1.2e-4)
        assert min(high, 100.0) == pytest.approx(row["tau2_ub_QP"], abs=1.2e-4)


def test_the_q_profile_interval_solves_its_equation() -> None:
    y, v = (np.array(column) for column in studies("bcg_logRR"))
    for between, p in zip(tau_squared_interval(y, v), (0.975, 0.025), strict=True):
        target = float(stats.chi2.ppf(p, 12))
        weights = 1 / (v + between)
        mean = weights @ y / weights.sum()
        assert weights @ (y - mean) ** 2 == pytest.approx(target, rel=1e-9)


def test_homogeneous_studies_have_exactly_no_variance_between_them() -> None:
    y, v = studies("edge_k3_homog")
    for method in ("DL", "PM", "REML"):
        assert tau_squared(y, v, method) == 0.0
    truncated, plain = (pool(y, v, test=test).standard_error for test in ("adhoc", "knha"))
    assert truncated == pytest.approx(0.1273, abs=1e-4)
    assert plain == pytest.approx(0.0086, abs=1e-4)


def test_a_full_covariance_with_no_correlation_changes_nothing() -> None:
    y, v = studies("bcg_logRR")
    assert pool(y, np.diag(v)) == pool(y, v)


@pytest.mark.parametrize(
    ("y", "v"), [([1.0], [1.0]), ([1.0, np.inf], [1.0, 1.0]), ([1.0, 2.0], [1.0, 0.0])]
)
def test_bad_input_is_refused_in_words(y: list[float], v: list[float]) -> None:
    with pytest.raises(ValueError, match=r"needs at least two|must be finite|must be positive"):
        pool(y, v)


def test_fewer_than_three_studies_show_their_spread_only() -> None:
    gains = [GainToPool(g, 0.2, "doe", "demo", 0.04, "alpha", 0.0) for g in (0.1, 0.5, 0.9)]
    result = pool_gains(gains, left_out=2)
    assert result.pooled is None
    assert result.refusal == "only 1 independent study"
    assert result.spread == (0.1, 0.5, 0.9)
    assert (result.gains, result.left_out) == (3, 2)
    assert pool_gains([]).refusal == "no gain has a finite value"


def test_shared_slope_error_does_not_drag_the_mean_down() -> None:
    """Twenty equal gains on five curves whose slopes are 20 % uncertain (Peelle's puzzle)."""
    random = np.random.default_rng(5)
    truth, inside, errors = 0.7, 0, []
    for _ in range(300):
        slope = random.normal(0.0, 0.2, 5)
        gains = []
        for index in range(20):
            noise = random.normal(0.0, 0.15)
            value = truth * float(np.exp(slope[index % 5])) + noise
            sd = float(np.hypot(0.15, 0.2 * value))
            curve = f"s{index % 5}"
            gains.append(GainToPool(value, sd, f"paper-{index}", curve, 0.04, "alpha", 0.0))
        pooled = pool_gains(gains).pooled
        assert pooled is not None
        inside += pooled.interval[0] <= truth <= pooled.interval[1]
        errors.append(pooled.estimate - truth)
    assert 0.86 <= inside / 300 <= 0.97
    assert abs(float(np.mean(errors))) <= 0.03


def test_what_a_family_climbs_is_shared_by_its_gains_alone() -> None:
    """Against the mean of draws that share just that: curve by series, slope by family."""
    random = np.random.default_rng(3)
    places = [("s1", "a"), ("s1", "a"), ("s1", "b"), ("s2", "a"), ("s2", "c"), ("s3", "c")]
    truth, own, curve_sd, family_sd = 0.6, 0.05, 0.12, 0.3
    draws = np.empty((40000, len(places)))
    curves = {s: random.normal(0.0, curve_sd, len(draws)) for s in ("s1", "s2", "s3")}
    slopes = {place: random.normal(0.0, family_sd, len(draws)) for place in set(places)}
    for column, place in enumerate(places):
        noise = random.normal(0.0, own, len(draws))
        draws[:, column] = truth * (1.0 + curves[place[0]] + slopes[place]) + noise
    sds = draws.std(axis=0)
    gains = [
        GainToPool(truth, float(sd), f"paper-{k}", series, curve_sd**2, family, family_sd**2)
        for k, (sd, (series, family)) in enumerate(zip(sds, places, strict=True))
    ]
    expected = pool(np.full(len(places), truth), np.cov(draws.T))
    found = pool_gains(gains, level=0.95).pooled
    assert found is not None
    assert found.estimate == pytest.approx(expected.estimate, abs=1e-6)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.02)
