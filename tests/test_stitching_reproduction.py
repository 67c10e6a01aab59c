"""Published figures of the index, with the tolerance each is held to.

Where ours differs from a published figure beyond rounding, both numbers stand here.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from cegain.stitching.capability import exchange_rate, progress_joint, progress_two_step
from cegain.stitching.data import (
    read_benchmark_facts,
    read_post_training,
    read_published,
    read_rosetta,
    read_scores,
)
from cegain.stitching.fit import fit_reference, fit_scale
from cegain.stitching.heldout import compare_held_out
from cegain.stitching.observational import PairedGain, paired_gain
from cegain.stitching.results import Anchors
from cegain.stitching.rows import ScoreMatrix, build_matrix
from cegain.stitching.trend import find_bend, forecast

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def matrix() -> ScoreMatrix:
    return build_matrix(read_scores(ROOT), read_benchmark_facts(ROOT))


def test_the_matrix_is_that_of_august_2026(matrix: ScoreMatrix) -> None:
    assert (len(matrix), len(matrix.subjects), len(matrix.benchmarks)) == (2249, 222, 57)
    assert matrix.excluded == ()


def test_the_reference_gives_the_published_index(matrix: ScoreMatrix) -> None:
    """Mean absolute difference at most 0.05, largest at most 0.3; objective at most 13.0414.

    Ours: 0.021, 0.197, 13.041391. The published values are those of a solver that stops a
    little before the optimum (13.041399); the optimum is flat.
    """
    fit = fit_reference(matrix, draws=0)
    published = read_published(ROOT)
    off = np.array([abs(m.capability - published[m.name][0]) for m in fit.models])
    assert len(off) == 222
    assert off.mean() <= 0.05
    assert off.max() <= 0.3
    assert fit.objective <= 13.0414
    anchors = {m.name: m for m in fit.models if m.name in ("Claude 3.5 Sonnet", "GPT-5")}
    assert anchors["Claude 3.5 Sonnet"].capability == pytest.approx(130.0)
    assert anchors["GPT-5"].capability == pytest.approx(150.0)


@pytest.mark.slow
def test_five_hundred_refits_match_the_published_intervals(matrix: ScoreMatrix) -> None:
    """Widths within 10 % (median; ours 0.1 %)."""
    fit = fit_reference(matrix, draws=500)
    published = read_published(ROOT)
    ratios, ends = [], []
    for model in fit.models:
        _, low, high = published[model.name]
        if model.interval is None or low is None or high is None:
            continue
        ratios.append((model.interval[1] - model.interval[0]) / (high - low))
        ends += [abs(model.interval[0] - low), abs(model.interval[1] - high)]
    assert len(ratios) >= 215
    assert np.median(ratios) == pytest.approx(1.0, abs=0.1)
    assert np.mean(ends) <= 0.05
    assert fit.converged


@pytest.mark.slow
def test_every_refit_of_the_default_converges(matrix: ScoreMatrix) -> None:
    assert fit_scale(matrix, draws=500, anchors=Anchors()).converged


@pytest.mark.slow
def test_the_default_predicts_unseen_scores_better(matrix: ScoreMatrix) -> None:
    """RMSE .0965 against .0984, log score 1.09 against .79, coverage .89 against .82.

    The log score is the clear gain; the error alone is smaller by 2 %, which resampling
    benchmarks does not tell from nothing.
    """
    found = compare_held_out(matrix)
    assert found.default.rmse < found.reference.rmse
    assert found.default.mae < found.reference.mae
    assert found.default.log_score > found.reference.log_score + 0.2
    assert abs(found.default.coverage - 0.9) < abs(found.reference.coverage - 0.9)


def test_algorithmic_progress_by_the_authors_recipe() -> None:
    """5.84 times a year, 95 % 3.95 to 8.64; slopes .176, .205, .124 per e-fold; three digits."""
    found = progress_two_step(read_rosetta(ROOT))
    assert found.n_models == 68
    assert found.rate == pytest.approx(0.1683, abs=5e-5)
    assert found.trend == pytest.approx(0.2971, abs=5e-5)
    assert found.trend_error == pytest.approx(0.0330, abs=5e-5)
    assert found.factor == pytest.approx(5.84, abs=0.005)
    assert list(found.interval) == pytest.approx([3.95, 8.64], abs=0.005)


def test_slopes_of_the_authors_families() -> None:
    rate = exchange_rate(read_rosetta(ROOT))
    found = {f.family: f.rate / np.log(10) for f in rate.families}
    assert found["LLaMA"] == pytest.approx(0.1760, abs=1e-4)
    assert found["Llama 2"] == pytest.approx(0.2049, abs=1e-4)
    assert found["Llama 3.1"] == pytest.approx(0.1240, abs=1e-4)


def test_joint_regression_on_compute_and_date() -> None:
    """1.206 decades a year, 95 % 0.837 to 1.575; the authors' normal interval."""
    found = progress_joint(read_rosetta(ROOT))
    assert np.log10(found.factor) == pytest.approx(1.206, abs=0.002)
    assert np.log10(found.interval[0]) == pytest.approx(0.837, abs=0.005)
    assert np.log10(found.interval[1]) == pytest.approx(1.575, abs=0.005)


def test_the_bend_in_the_record_trend() -> None:
    """Published: 2024-05-13, .364 to .614 a year, ratio 1.69; held to 90 days and 1.5.

    Ours on the stored capabilities: 2024-03-24, .353 to .689, ratio 1.95. The authors' run
    used another cut of the data (its R² is .965, ours .934), which is not stored.
    """
    found = find_bend(read_rosetta(ROOT), draws=100)
    assert abs((found.on - date(2024, 5, 13)).days) <= 90
    assert found.accelerated
    assert found.before == pytest.approx(0.364, abs=0.03)
    assert found.after == pytest.approx(0.614, abs=0.1)


def test_the_bend_of_the_published_index() -> None:
    """On the index of August 2026: 2024-03-04, 10.7 to 15.0 points a year, ratio 1.40."""
    matrix = build_matrix(read_scores(ROOT), read_benchmark_facts(ROOT))
    from cegain.stitching.data import read_models
    from cegain.stitching.gain import scale_observations

    fit = fit_reference(matrix, draws=0)
    seen, _ = scale_observations(fit, read_models(ROOT))
    found = find_bend(seen, draws=50)
    assert abs((found.on - date(2024, 3, 4)).days) <= 7
    assert found.before == pytest.approx(10.7, abs=0.1)
    assert found.after == pytest.approx(15.0, abs=0.1)
    assert not found.accelerated


def test_the_record_trend_since_2023() -> None:
    """0.559 capability a year, R² 0.907, 12 record models."""
    since = [o for o in read_rosetta(ROOT) if o.released and o.released >= date(2022, 11, 1)]
    found = forecast(since, date(2026, 1, 1))
    assert found.n_records == 12
    assert found.per_year == pytest.approx(0.559, abs=0.001)
    assert found.r_squared == pytest.approx(0.907, abs=0.001)


def gains_of(benchmark: str, plain: str, enhanced: str) -> tuple[PairedGain, ...]:
    return paired_gain(
        read_post_training(ROOT), benchmark, plain, enhanced, [22.0, 23.0, 24.0], draws=100
    )


def test_chain_of_thought_on_bbh_from_paired_curves() -> None:
    """3.1 (2.5-4.0) at 1e23 and 8.1 (4.5-11) at 1e24; ours 3.2 and 8.0; about 1 at 1e22."""
    small, middle, large = gains_of("BBH:overall", "naive_greedy", "cot_greedy")
    assert 0.7 < small.ratio < 1.2
    assert middle.ratio == pytest.approx(3.1, abs=0.3)
    assert 2.5 <= middle.ratio <= 4.0
    assert large.ratio == pytest.approx(8.1, abs=0.8)
    assert 4.5 <= large.ratio <= 11
    assert large.interval[0] == pytest.approx(4.5, rel=0.15)
    assert large.interval[1] == pytest.approx(11, rel=0.15)


def test_majority_voting_over_greedy_chain_of_thought() -> None:
    """1.05 at 1e23 and 1.4 at 1e24 over greedy; more over a single sample, the weaker baseline."""
    _, middle, large = gains_of("GSM8K-500", "cot_greedy", "cot_self_consistency5")
    assert middle.ratio == pytest.approx(1.05, abs=0.06)
    assert large.ratio == pytest.approx(1.4, abs=0.1)
    _, weak_middle, weak_large = gains_of("GSM8K-500", "cot_sample1", "cot_self_consistency5")
    assert weak_middle.ratio > middle.ratio
    assert weak_large.ratio > large.ratio
    assert weak_large.ratio == pytest.approx(2.3, abs=0.3)


def test_chain_of_thought_on_gsm8k_grows_with_scale() -> None:
    """Published 2.8, 17 and 126; ours 3.1, 12 and 40, with the floor free.

    The answer-only curve is extrapolated beyond its data here, as the source says, and its
    floor decides: held to order and to a factor of two at 1e23 only.
    """
    small, middle, large = gains_of("GSM8K-500", "naive_greedy", "cot_greedy")
    assert small.ratio < middle.ratio < large.ratio
    assert small.ratio == pytest.approx(2.8, rel=0.2)
    assert 17 / 2 < middle.ratio < 17 * 2
