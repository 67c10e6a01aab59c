"""The second route: where enhanced models stand, its calibration, and its section."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cegain.backtest import BacktestSeries, ModelFacts
from cegain.briefing.backtests import read_routes
from cegain.briefing.definition import BriefingDefinition
from cegain.briefing.scope import Extras, select
from cegain.briefing.second_route import (
    AGREE,
    DIFFER,
    UNTOLD,
    SecondRoute,
    build_second_route,
)
from cegain.cli import main
from cegain.cli_backtest import routes_json
from cegain.curves import CurveData
from cegain.stitching.calibration import DIRECT, INDEX_ALL, INDEX_ONE, compare_routes
from cegain.stitching.documents import (
    StoredGain,
    inputs_digest,
    read_scale,
    read_via_index,
    stored_text,
)
from cegain.stitching.fit import fit_scale
from cegain.stitching.gain import IndexVerdict
from cegain.stitching.placing import enhancement_spread, model_spread, place
from cegain.stitching.results import to_document
from cegain.stitching.rows import BenchmarkFacts, ScoreRow, build_matrix

from .briefing_cases import (
    BAD_EXTRAS,
    EXTRAS,
    INDEX,
    ROUTES,
    VIA,
    bad_case,
    empty_case,
    good_case,
    via,
)
from .conftest import RegistryFolder
from .test_stitching import made_rows, with_compute

DEFINITION = BriefingDefinition(title="A", subtitle="B", audience="C")


# --- placing ----------------------------------------------------------------------------


def test_a_subject_is_placed_where_its_scores_say_and_drawn_to_its_centre() -> None:
    difficulty = np.linspace(-2, 2, 9)[None]
    slope = np.full((1, 9), 1.5)
    score = 1.0 / (1.0 + np.exp(-1.5 * (0.7 - difficulty)))
    sure, vague = np.full((1, 9), 1e6), np.full((1, 9), 1e-6)
    centre = np.array([-1.0])
    assert place(slope, difficulty, score, sure, centre, 1.0)[0] == pytest.approx(0.7, abs=1e-3)
    assert place(slope, difficulty, score, vague, centre, 1.0)[0] == pytest.approx(-1.0, abs=1e-3)


def test_no_score_moves_an_enhanced_model_towards_the_average() -> None:
    """A weak model with one score and no gain used to be drawn up to the mean of all."""
    rows, _ = made_rows(40, 12)
    weak = "model-2"
    score = next(r.score for r in rows if r.model == weak)
    bench = next(r.benchmark for r in rows if r.model == weak)
    fit = fit_scale(build_matrix([*rows, ScoreRow(weak, bench, score, 60, "nothing")]), draws=60)
    places = {m.name: m for m in fit.models}
    plain, same = places[weak], places[f"{weak} + nothing"]
    assert same.capability == pytest.approx(plain.capability, abs=0.35)
    assert plain.capability < -0.8, "the case is of a model far from the mean"
    assert same.interval is not None and plain.interval is not None
    assert np.ptp(same.interval) > np.ptp(plain.interval)
    columns = [list(places).index(name) for name in (weak, f"{weak} + nothing")]
    base, lifted = fit.capability_draws[:, columns].T
    # both share what is uncertain about the plain model
    assert np.corrcoef(base, lifted)[0, 1] > 0.1


def test_how_far_enhancements_move_is_judged_from_those_with_several_benchmarks() -> None:
    rows, _ = made_rows(40, 8)
    plain = fit_scale(build_matrix(rows), draws=0)
    assert enhancement_spread(plain) == pytest.approx(model_spread(plain))
    more = [
        ScoreRow(r.model, r.benchmark, min(r.score + 0.1, 1.0), 500, "tools")
        for r in rows
        if int(r.model.removeprefix("model-")) < 15
    ]
    moved = enhancement_spread(fit_scale(build_matrix([*rows, *more]), draws=0))
    assert 0.1 < moved < 0.8 * model_spread(plain)


# --- calibration ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def routes() -> dict[str, Any]:
    rows, models = with_compute(1.0)
    facts = {f"bench-{b}": BenchmarkFacts(n_items=2000) for b in range(10)}
    series = {}
    for bench in ("bench-4", "bench-5"):
        own = [r for r in rows if r.benchmark == bench and r.enhancement is None]
        flop = np.array([models[r.model].training_compute_flop or 0.0 for r in own])
        families = tuple(sorted({models[r.model].family or "" for r in own}))
        data = CurveData(
            tuple(r.model for r in own),
            families,
            np.log10(flop),
            np.full(len(own), 0.1),
            np.array([r.score for r in own]),
            np.full(len(own), 2000.0),
            np.array([families.index(models[r.model].family or "") for r in own]),
            0.0,
            1.0,
        )
        known = {r.model: ModelFacts(models[r.model].family or "", 1e9, 1e12) for r in own}
        series[bench] = BacktestSeries(data, known)
    found = compare_routes(rows, facts, models, series, draws=40, direct_draws=200)
    return routes_json(found)


def test_both_routes_see_the_same_siblings_with_their_family_left_out(
    routes: dict[str, Any],
) -> None:
    names = [row["name"] for row in routes["estimators"]]
    assert names == [DIRECT, INDEX_ALL, INDEX_ONE]
    assert len({row["cases"] for row in routes["estimators"]}) == 1
    assert routes["families"] == 4 and routes["cases"] >= 20
    direct, whole, one = routes["estimators"]
    assert direct["default"] and not whole["default"]
    # families here differ by a shift alone: the scale recovers what was planted
    assert abs(whole["bias_log10"]) < 0.1 and whole["rmse_log10"] < 0.25
    assert one["median_width_log10"] >= whole["median_width_log10"]
    assert whole["coverage"] > 0.8 and one["coverage"] > 0.8


def test_the_table_of_both_routes_reads_back(routes: dict[str, Any]) -> None:
    found = read_routes(json.loads(json.dumps(routes)))
    assert found.cases == routes["cases"] and found.levels == ("50 %", "80 %", "90 %", "95 %")
    assert (
        "the direct route usually misses" in found.finding
        and "left out of both routes" in found.finding
    )
    documents: list[Any] = [{}, {"estimators": []}, {"estimators": [{}], "strata": []}, []]
    for broken in documents:
        with pytest.raises(ValueError, match="cegain backtest --via-index"):
            read_routes(broken)


def test_simulated_worlds_have_no_index(folder: RegistryFolder) -> None:
    arguments = ["--root", str(folder.root), "backtest", "--simulate", "--via-index"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2 and "there is no index" in done.output


# --- stored -----------------------------------------------------------------------------


def test_a_scale_reads_back_as_it_was_stored() -> None:
    fit = fit_scale(build_matrix(made_rows(12, 5)[0]), draws=5)
    document = json.loads(json.dumps(to_document(fit)))
    scale = read_scale(document)
    assert {m.name for m in scale.models} == {m.name for m in fit.models}
    assert scale.n_scores == len(fit.matrix) and scale.anchors == ()
    with pytest.raises(ValueError, match="format 9"):
        read_scale({**document, "format": 9})
    with pytest.raises(ValueError, match="cegain stitch --json"):
        read_scale({"format": 1})
    with pytest.raises(ValueError, match="cegain capability --gains"):
        read_via_index({"format": 1, "inputs": "x", "scale": document})


def test_the_fingerprint_knows_what_a_gain_rests_on() -> None:
    rows, models = with_compute(1.0)
    facts = {"bench-1": BenchmarkFacts(chance=0.1)}
    first = inputs_digest(rows, facts, models)
    assert inputs_digest(rows[::-1], facts, models) == first
    assert inputs_digest(rows[1:], facts, models) != first
    assert inputs_digest(rows, {}, models) != first
    more = replace(models["f0-0"], training_compute_flop=1.0)
    assert inputs_digest(rows, facts, {**models, "f0-0": more}) != first


def test_stored_text_is_json_with_an_entry_a_line() -> None:
    text = stored_text({"format": 1, "gains": [{"ratio": 1.23456789}, {"ratio": None}]})
    assert json.loads(text) == {"format": 1, "gains": [{"ratio": 1.23457}, {"ratio": None}]}
    assert len(text.splitlines()) == 5


# --- the section ------------------------------------------------------------------------


def section(*gains: StoredGain, **more: Any) -> SecondRoute | None:
    extras = Extras(via_index=replace(INDEX, gains=gains), **more)
    return build_second_route(select(*good_case(), DEFINITION, "", extras))


def test_both_routes_stand_side_by_side_with_their_verdicts() -> None:
    found = build_second_route(select(*good_case(), DEFINITION, "", EXTRAS))
    assert found is not None
    rows = {row.name: row for row in found.rows}
    assert rows["Worked examples"].direct == "4.0× (90 % interval 1.6–10×), interpolated"
    assert rows["Worked examples"].index == "4.2× (1.5–12×), via index"
    assert rows["Worked examples"].judged == AGREE and rows["Worked examples"].others == "1 differ"
    assert rows["Terse answers"].judged == UNTOLD
    assert all("via index" in row.index for row in found.rows)
    assert all("via index" in row.index for row in found.lone)
    # what the direct route cannot say stands apart, marked
    assert [row.name for row in found.lone] == ["Majority vote"]
    assert found.lone[0].why == "compute not published"
    assert found.lone[0].benchmarks == "2 of 4"
    assert "1 pair with numbers that were not verified is left out." in found.sentences
    assert found.calibration is not None and found.calibration.cases == 40


@pytest.mark.parametrize(
    ("name", "model", "verdict", "interval", "judged"),
    [
        ("worked-examples/run 1", "beta-5", VIA, (2.0, 9.0), AGREE),
        ("worked-examples/run 1", "beta-5", VIA, (5.0, 9.0), DIFFER),
        ("worked-examples/run 1", "beta-5", VIA, (0.1, 90.0), UNTOLD),
        ("worked-examples/run 1", "beta-5", IndexVerdict.LOWER_BOUND, (5.0, None), DIFFER),
        ("worked-examples/run 1", "beta-5", IndexVerdict.LOWER_BOUND, (2.0, None), UNTOLD),
        # a direct lower bound of 13
        ("search-loop", "gamma-9", VIA, (20.0, 90.0), AGREE),
        ("search-loop", "gamma-9", VIA, (2.0, 9.0), DIFFER),
        ("search-loop", "gamma-9", VIA, (2.0, 90.0), UNTOLD),
        ("search-loop", "gamma-9", IndexVerdict.UPPER_BOUND, (None, 90.0), UNTOLD),
    ],
)
def test_when_routes_agree(
    name: str, model: str, verdict: IndexVerdict, interval: Any, judged: str
) -> None:
    found = section(via(name, model, verdict, interval))
    assert found is not None
    assert [row.judged for row in found.rows] == [judged]


def test_nothing_to_set_beside_is_said_in_one_sentence() -> None:
    assert section() is None
    assert section(via("calculator", "nobody", VIA, (1.0, 2.0))) is None
    assert section(via("worked-examples/run 4", "alpha-4", VIA, (1.0, 2.0))) is None
    assert build_second_route(select(*good_case(), DEFINITION)) is None
    assert build_second_route(select(*empty_case(), DEFINITION, "", EXTRAS)) is None


def test_stale_gains_say_so_and_a_missing_calibration_too() -> None:
    found = build_second_route(select(*bad_case(), DEFINITION, "", BAD_EXTRAS))
    assert found is not None and found.stale and found.calibration is None
    assert found.rows[0].judged == DIFFER  # at least 400× and at most 0.5×


def test_the_calibration_needs_its_shape() -> None:
    assert len(read_routes(ROUTES).rows) == 2
