"""One scale for all benchmarks: the solver, the rows, the verdicts, the draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.special import expit

from cegain.errors import FitError
from cegain.stitching.arrow import Floats, Layout
from cegain.stitching.capability import Observation
from cegain.stitching.fit import fit_reference, fit_scale
from cegain.stitching.gain import DirectGain, IndexVerdict, index_gains, scale_rate, side_by_side
from cegain.stitching.heldout import compare_held_out
from cegain.stitching.results import Anchors, to_document
from cegain.stitching.rows import BenchmarkFacts, Placement, ScoreMatrix, ScoreRow, build_matrix
from cegain.stitching.solver import Bounds, Penalty, solve


def made_rows(
    subjects: int = 30, benchmarks: int = 12, *, seed: int = 3, noise: float = 0.02
) -> tuple[list[ScoreRow], Floats]:
    """Scores of a known scale, three quarters of the pairs, and the true capabilities."""
    random = np.random.default_rng(seed)
    capability = np.sort(random.normal(0, 1.2, subjects))
    difficulty = np.linspace(-1.5, 1.5, benchmarks)
    slope = random.uniform(1.0, 3.0, benchmarks)
    rows = []
    for m in range(subjects):
        for b in range(benchmarks):
            if random.random() < 0.75:
                score = expit(slope[b] * (capability[m] - difficulty[b]))
                score = float(np.clip(score + noise * random.standard_normal(), 0, 1))
                rows.append(ScoreRow(f"model-{m}", f"bench-{b}", score, 500))
    return rows, capability


def capabilities(matrix: ScoreMatrix, draws: int = 0) -> dict[str, float]:
    return {m.name: m.capability for m in fit_scale(matrix, draws=draws).models}


@pytest.mark.parametrize("log_slope", [False, True])
def test_the_solver_finds_what_scipy_finds(log_slope: bool) -> None:
    rows, _ = made_rows(12, 5)
    matrix = build_matrix(rows)
    layout = matrix.layout
    subjects, benchmarks = layout.n_subjects, layout.n_benchmarks
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(matrix))
    penalty = Penalty(0.01, 0.02, 0.03, 0.1, 0.2, log_slope=log_slope)
    first = np.zeros(benchmarks) if log_slope else np.ones(benchmarks)
    start = (np.zeros(subjects), np.zeros(benchmarks), first)
    found = solve(layout, matrix.score, weight[None], penalty, start, bounds=Bounds(60, (0.02, 50)))
    root = np.sqrt(np.repeat([0.01, 0.02, 0.03], [subjects, benchmarks, benchmarks]))
    centre = np.repeat([0.0, 0.1, 0.2], [subjects, benchmarks, benchmarks])

    def error(theta: Floats) -> Floats:
        c, d, q = np.split(theta, [subjects, subjects + benchmarks])
        a = np.exp(q) if log_slope else q
        z = a[layout.benchmark] * (c[layout.subject] - d[layout.benchmark])
        left = np.sqrt(weight) * (expit(z) - matrix.score)
        return np.concatenate([left, root * (theta - centre)])

    peer = least_squares(error, np.concatenate(start), xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert found.converged.all()
    assert found.objective[0] == pytest.approx(2 * peer.cost, rel=1e-9)
    assert found.capability[0] == pytest.approx(peer.x[:subjects], abs=1e-5)


def test_a_refit_does_not_depend_on_the_others_in_its_batch() -> None:
    matrix = build_matrix(made_rows(12, 5)[0])
    layout = matrix.layout
    weights = np.random.default_rng(5).exponential(size=(7, len(matrix)))
    penalty = Penalty(0.1, 0.1, 0.1, log_slope=True)
    start = (np.zeros(layout.n_subjects), np.zeros(layout.n_benchmarks), np.zeros(5))
    together = solve(layout, matrix.score, weights, penalty, start)
    alone = solve(layout, matrix.score, weights[3:4], penalty, start)
    assert alone.capability[0] == pytest.approx(together.capability[3], abs=1e-9)


def test_a_pair_may_occur_once() -> None:
    twice = np.array([0, 0])
    with pytest.raises(ValueError, match="two rows"):
        Layout(twice, twice, 1, 1)


def test_the_scale_recovers_known_capabilities() -> None:
    rows, truth = made_rows()
    matrix = build_matrix(rows)
    found = capabilities(matrix)
    guess = [found[f"model-{m}"] for m in range(len(truth))]
    assert np.corrcoef(guess, truth)[0, 1] > 0.99


def test_the_penalty_knows_no_origin() -> None:
    """Harder or easier benchmarks for all move no model relative to another."""
    rows, _ = made_rows()
    matrix = build_matrix(rows)
    anchors = Anchors("model-3", "model-25", 0.0, 1.0)
    plain = fit_scale(matrix, draws=0, anchors=anchors)
    reordered = fit_scale(build_matrix(rows[::-1]), draws=0, anchors=anchors)
    places = {m.name: m.capability for m in reordered.models}
    for model in plain.models:
        assert places[model.name] == pytest.approx(model.capability, abs=1e-4)


def test_many_items_weigh_more_than_few() -> None:
    rows, _ = made_rows()
    odd = "model-15"

    def lifted(items: int) -> float:
        changed = [
            ScoreRow(r.model, r.benchmark, min(r.score + 0.3, 1.0), items)
            if r.model == odd and r.benchmark == "bench-6"
            else r
            for r in [*rows, ScoreRow(odd, "bench-6", 0.5, items)]
            if not (r.model == odd and r.benchmark == "bench-6" and r.n_items == 500)
        ]
        return capabilities(build_matrix(changed))[odd]

    before = capabilities(build_matrix(rows))[odd]
    assert abs(lifted(10) - before) < abs(lifted(10_000) - before)


def test_draws_cover_known_capabilities() -> None:
    rows, truth = made_rows(noise=0.05)
    matrix = build_matrix(rows)
    anchors = Anchors("model-2", "model-27", float(truth[2]), float(truth[27]))
    fit = fit_scale(matrix, draws=100, anchors=anchors)
    inside = [
        m.interval[0] <= truth[int(m.name.split("-")[1])] <= m.interval[1]
        for m in fit.models
        if m.interval
    ]
    assert len(inside) == len(truth) - 2  # anchors have no interval
    assert 0.75 <= np.mean(inside) <= 1.0


def test_a_model_with_one_score_is_uncertain_and_says_so() -> None:
    rows, _ = made_rows()
    fit = fit_scale(build_matrix([*rows, ScoreRow("lonely", "bench-5", 0.5, 500)]), draws=60)
    lonely = next(m for m in fit.models if m.name == "lonely")
    usual = next(m for m in fit.models if m.name == "model-15")
    assert lonely.verdict is Placement.ONE_BENCHMARK
    assert "one benchmark" in lonely.reason
    assert lonely.interval is not None and usual.interval is not None
    assert np.diff(lonely.interval)[0] > np.diff(usual.interval)[0] > 0


def test_a_benchmark_nobody_solves_is_above_the_scale() -> None:
    rows, _ = made_rows()
    hard = [ScoreRow(f"model-{m}", "impossible", 0.0, 50) for m in range(15, 30)]
    fit = fit_scale(build_matrix([*rows, *hard]), draws=0)
    found = next(b for b in fit.benchmarks if b.name == "impossible")
    assert found.verdict is Placement.ABOVE
    assert "lower bound" in found.reason
    assert found.difficulty > max(b.difficulty for b in fit.benchmarks if b.name != "impossible")
    assert np.isfinite(found.difficulty)


def test_disconnected_sets_are_named_and_left_out() -> None:
    rows, _ = made_rows()
    island = [ScoreRow(m, "elsewhere", 0.5) for m in ("castaway-1", "castaway-2")]
    matrix = build_matrix([*rows, *island])
    assert {j.name for j in matrix.excluded} == {"castaway-1", "castaway-2", "elsewhere"}
    assert all(j.verdict is Placement.NOT_CONNECTED for j in matrix.excluded)
    assert "castaway-1" not in matrix.subjects


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no scores"),
        ([ScoreRow("a", "b", 55.0)], "fraction between 0 and 1"),
        ([ScoreRow("a", "b", 0.5), ScoreRow("a", "b", 0.6)], "two scores on b"),
        ([ScoreRow("a", "b", 0.5), ScoreRow("a", "c", 0.6)], "no benchmark has two models"),
    ],
)
def test_what_cannot_be_stitched_is_refused(rows: list[ScoreRow], message: str) -> None:
    with pytest.raises(FitError, match=message):
        build_matrix(rows)


def test_missing_anchors_are_refused() -> None:
    matrix = build_matrix(made_rows()[0])
    with pytest.raises(FitError, match="GPT-5"):
        fit_scale(matrix, draws=0, anchors=Anchors("model-1", "GPT-5"))
    with pytest.raises(FitError, match="Winogrande"):
        fit_reference(matrix, draws=0)


def test_scores_are_corrected_for_chance_once() -> None:
    rows = [ScoreRow("a", "four", 0.25), ScoreRow("b", "four", 1.0)]
    raw = build_matrix(rows, {"four": BenchmarkFacts(chance=0.25)})
    done = build_matrix(rows, {"four": BenchmarkFacts(chance=0.25, corrected=True)})
    assert raw.score.tolist() == [0.0, 1.0]
    assert done.score.tolist() == [0.25, 1.0]


def test_the_enhanced_model_is_not_the_plain_one() -> None:
    """A maximum over configurations would have hidden the enhancement."""
    rows, _ = made_rows()
    better = [
        ScoreRow(r.model, r.benchmark, min(r.score + 0.15, 1.0), 500, "tools")
        for r in rows
        if r.model == "model-12"
    ]
    fit = fit_scale(build_matrix([*rows, *better]), draws=0)
    places = {m.name: m for m in fit.models}
    assert places["model-12 + tools"].capability > places["model-12"].capability + 0.2
    assert places["model-12 + tools"].enhancement == "tools"
    before = capabilities(build_matrix(rows))["model-12"]
    assert places["model-12"].capability == pytest.approx(before, abs=0.1)


def test_the_same_seed_gives_the_same_draws() -> None:
    matrix = build_matrix(made_rows()[0])
    once, again = (fit_scale(matrix, draws=5).capability_draws for _ in range(2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, fit_scale(matrix, draws=5, seed=1).capability_draws)


def test_the_document_has_the_promised_shape() -> None:
    fit = fit_scale(build_matrix(made_rows()[0]), draws=10)
    document = to_document(fit)
    assert document["format"] == 1
    assert {"model", "capability", "interval"} <= set(document["models"][0])
    assert {"benchmark", "difficulty", "interval"} <= set(document["benchmarks"][0])
    listed = [m["capability"] for m in document["models"]]
    assert listed == sorted(listed, reverse=True)


def test_held_out_folds_are_the_same_for_both() -> None:
    rows = [
        ScoreRow(r.model, "Winogrande" if r.benchmark == "bench-0" else r.benchmark, r.score, 500)
        for r in made_rows()[0]
    ]
    found = compare_held_out(build_matrix(rows), folds=4)
    assert found.reference.n_rows == found.default.n_rows == len(rows)
    assert found.rmse_gain == pytest.approx(found.reference.rmse - found.default.rmse)
    # the noise made here is as large at the ends as halfway up, the model's is not
    assert 0.7 < found.default.coverage <= 1.0


def with_compute(rate: float) -> tuple[list[ScoreRow], dict[str, Observation]]:
    """Four families whose capability rises by ``rate`` logits per decade of compute."""
    random = np.random.default_rng(11)
    rows, models = [], {}
    for family in range(4):
        for size in range(4):
            name, log10_compute = f"f{family}-{size}", 21.5 + 0.2 * family + 0.7 * size
            models[name] = Observation(name, 0.0, 10**log10_compute, None, f"f{family}")
            ability = rate * (log10_compute - 23.0) + 0.1 * family
            for b, hard in enumerate(np.linspace(-2, 2, 10)):
                right = random.binomial(2000, expit(1.5 * (ability - hard))) / 2000
                rows.append(ScoreRow(name, f"bench-{b}", right, 2000))
                if name == "f1-2":
                    more = expit(1.5 * (ability + 0.5 * rate - hard))
                    right = random.binomial(2000, more) / 2000
                    rows.append(ScoreRow(name, f"bench-{b}", right, 2000, "tools"))
    return rows, models


def test_a_planted_gain_comes_back_via_the_index() -> None:
    rows, models = with_compute(1.0)
    rows.append(ScoreRow("f0-0", "bench-0", 0.9, 2000, "orphan"))
    rows.append(ScoreRow("unknown", "bench-0", 0.9, 2000, "tools"))
    fit = fit_scale(build_matrix(rows), draws=80)
    rate = scale_rate(fit, models)
    gains = {(g.model, g.enhancement): g for g in index_gains(fit, rate)}
    found = gains["f1-2", "tools"]
    assert found.verdict is IndexVerdict.VIA_INDEX
    assert found.log10_ratio == pytest.approx(0.5, abs=0.12)
    low, high = found.log10_interval
    assert low is not None and high is not None and low < 0.5 < high
    assert str(found).endswith("via index")
    assert gains["unknown", "tools"].verdict is IndexVerdict.NOT_ESTIMABLE
    assert "not on the scale" in gains["unknown", "tools"].reasons[0]
    assert gains["f0-0", "orphan"].flags
    direct = [
        DirectGain("f1-2", "tools", f"bench-{b}", 0.4 + 0.1 * b, (None, None)) for b in (0, 2)
    ]
    pair = side_by_side(direct, list(gains.values()))
    assert len(pair) == 1 and pair[0].n_series == 2
    assert pair[0].direct == pytest.approx(0.5) and pair[0].via_index is found
    assert list(pair[0].direct_range) == pytest.approx([0.4, 0.6])


def test_a_floored_base_gives_only_a_bound() -> None:
    rows, models = with_compute(1.0)
    rows += [ScoreRow("tiny", f"bench-{b}", 0.0, 100) for b in (8, 9)]
    rows += [ScoreRow("tiny", f"bench-{b}", 0.4, 100, "tools") for b in (8, 9)]
    fit = fit_scale(build_matrix(rows), draws=40)
    found = next(g for g in index_gains(fit, scale_rate(fit, models)) if g.model == "tiny")
    assert found.verdict is IndexVerdict.LOWER_BOUND
    assert found.log10_ratio is None and found.log10_interval[1] is None


def test_a_place_lies_within_its_interval_though_many_have_one_score() -> None:
    """Models with one score drift from draw to draw; the origin must not drift with them."""
    rows, _ = made_rows(30, 10)
    random = np.random.default_rng(8)
    lone = [
        ScoreRow(f"lone-{n}", f"bench-{n % 10}", float(random.uniform(0.05, 0.6)), 50)
        for n in range(120)
    ]
    fit = fit_scale(build_matrix([*rows, *lone]), draws=60)
    middle = [
        (m.capability - m.interval[0]) / (m.interval[1] - m.interval[0])
        for m in fit.models
        if m.interval and m.n_benchmarks > 4
    ]
    # 0.18 with the mean of all as origin
    assert 0.25 < float(np.median(middle)) < 0.75
    assert min(middle) > 0.0 and max(middle) < 1.0
