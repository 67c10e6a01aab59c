"""A registry that grows: one change redoes one gain, nothing is quadratic, draws are let go."""

from __future__ import annotations

import gc
import json
import re
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import growth
from benchmarks.registries import Size, record_path, write_registry
from cegain import likelihood, planning, recomputing, store, tasks
from cegain.curves import LINKS
from cegain.files import locked
from cegain.gains import GainEstimate, estimate_gain
from cegain.observations import observe
from cegain.planning import Reason
from cegain.recomputing import Outcome, recompute
from cegain.registry import load_registry, read_registry
from cegain.scaling import FitMethod, ScalingFit, curve_data, fit_scaling

DATE = "2026-11-22"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of 60 records and 240 comparisons on three series, with its results."""
    root = tmp_path_factory.mktemp("large")
    write_registry(root, Size(series=3, files=60, comparisons=240))
    recompute(load_registry(root), date=DATE)
    return root


def entries(root: Path) -> dict[str, str]:
    """Every stored gain as it is written, by key."""
    lines = store.gains_path(root).read_text(encoding="utf-8").splitlines()[1:-1]
    return {store.gain_key(json.loads(line)): line for line in (x.rstrip(",") for x in lines)}


def lower_a_score(root: Path, number: int) -> None:
    """Edit the first enhanced score of a record, as a person would."""
    path = record_path(root, number)
    text = path.read_text(encoding="utf-8")
    found = re.search(r"enhanced: {score: ([0-9.]+)", text)
    assert found is not None
    lower = f"{0.97 * float(found[1]):.4f}"
    path.write_text(text[: found.start(1)] + lower + text[found.end(1) :], encoding="utf-8")


def named(outcome: Outcome) -> list[tuple[str, Reason]]:
    return [(step.name, step.reason) for step in outcome.done]


def test_the_made_up_registry_loads_without_a_word_and_is_always_the_same(
    large: Path, tmp_path: Path
) -> None:
    registry, problems = read_registry(large)
    assert problems == ()
    assert registry is not None
    assert len(registry.comparisons()) == 240
    assert len({ref.key for ref in registry.comparisons()}) == 240
    write_registry(tmp_path, Size(series=3, files=60, comparisons=240))
    again = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert {path: (large / path).read_bytes() for path in again} == again


def test_changing_one_record_touches_one_gain_and_no_other_byte(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = entries(large)
    table = store.gains_path(large).with_suffix(".csv").read_text(encoding="utf-8").splitlines()
    others = {
        path: path.read_bytes() for path in large.rglob("*.json") if path != store.gains_path(large)
    }
    refs = [
        ref for ref in load_registry(large).comparisons() if ref.enhancement.endswith("-000017")
    ]
    lower_a_score(large, 17)
    estimated: list[str] = []
    real = estimate_gain

    def watched(comparison: Any, fit: ScalingFit, **more: Any) -> GainEstimate:
        estimated.append(f"{comparison.series}/{comparison.model}")
        return real(comparison, fit, **more)

    monkeypatch.setattr(tasks, "estimate_gain", watched)
    outcome = recompute(load_registry(large), date=DATE)
    gains = [(name, why) for name, why in named(outcome) if outcome.done and "/m-" in name]
    assert gains == [(refs[0].key, Reason.COMPARISON)]
    lines = [(name, why) for name, why in named(outcome) if "/m-" not in name]
    assert all(refs[0].key.startswith(name) and why is Reason.GAINS for name, why in lines)
    # the gain itself, and those its line is drawn through
    assert 1 <= len(estimated) <= len(refs)
    after = entries(large)
    assert {key for key in before if before[key] != after[key]} == {refs[0].key}
    assert list(before) == list(after)
    drawn = store.lines_path(large)
    redrawn = set(others[drawn].splitlines()) ^ set(drawn.read_bytes().splitlines())
    assert len(redrawn) <= 2 * len(lines)
    now = store.gains_path(large).with_suffix(".csv").read_text(encoding="utf-8").splitlines()
    assert len(set(table) ^ set(now)) == 2, "one row of the table, old and new"
    fits = [path for path in others if path.name == "fit.json"]
    assert len(fits) == 3
    assert all(path.read_bytes() == others[path] for path in fits)
    assert recompute(load_registry(large), date=DATE).done == ()


def test_nothing_to_do_writes_nothing(large: Path) -> None:
    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in large.rglob("*") if path.is_file()}

    before = state()
    assert recompute(load_registry(large), date=DATE).done == ()
    assert state() == before


def counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often results are read and fingerprints taken when one record changed."""
    calls = {"digest": 0, "read_gains": 0, "read_fits": 0, "gain_parts": 0, "fit_parts": 0}

    def count(module: Any, name: str) -> None:
        real = getattr(module, name)

        def watched(*given: Any, **more: Any) -> Any:
            calls[name] += 1
            return real(*given, **more)

        patch.setattr(module, name, watched)

    lower_a_score(root, 5)
    registry = load_registry(root)
    with monkeypatch.context() as patch:
        for module, names in (
            (store, ("digest", "read_gains", "read_fits")),
            (planning, ("gain_parts", "fit_parts")),
        ):
            for name in names:
                count(module, name)
        recompute(registry, date=DATE)
    return calls


def test_work_beyond_the_gain_grows_no_faster_than_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for factor in (1, 4):
        root = tmp_path / str(factor)
        write_registry(root, Size(series=2 * factor, files=10 * factor, comparisons=30 * factor))
        recompute(load_registry(root), date=DATE)
        found.append(counted(root, monkeypatch))
    small, big = found
    assert small["read_gains"] == big["read_gains"] == 1
    assert small["read_fits"] == big["read_fits"] == 1
    assert (small["gain_parts"], big["gain_parts"]) == (30, 120)
    assert (small["fit_parts"], big["fit_parts"]) == (2, 8)
    assert 30 < small["digest"] <= big["digest"] <= 4 * small["digest"]


def test_draws_are_let_go_from_series_to_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_registry(tmp_path, Size(series=5, files=10, comparisons=60))
    curves: list[weakref.ref[Any]] = []
    gains: list[weakref.ref[GainEstimate]] = []
    alive = {"curves": 0, "gains": 0}
    fit, estimate = fit_scaling, estimate_gain

    def living(found: list[weakref.ref[Any]]) -> int:
        return sum(one() is not None for one in found)

    def watched_fit(*given: Any, **more: Any) -> ScalingFit:
        alive["curves"] = max(alive["curves"], living(curves))
        made = fit(*given, **more)
        curves.append(weakref.ref(made.draws if made.draws is not None else made))
        return made

    def watched_estimate(*given: Any, **more: Any) -> GainEstimate:
        made = estimate(*given, **more)
        gains.append(weakref.ref(made))
        alive["gains"] = max(alive["gains"], living(gains))
        return made

    monkeypatch.setattr(tasks, "fit_scaling", watched_fit)
    monkeypatch.setattr(tasks, "estimate_gain", watched_estimate)
    registry = load_registry(tmp_path)
    gc.collect()
    gc.disable()  # draws must not wait for the collector
    try:
        outcome = recompute(registry, date=DATE)
    finally:
        gc.enable()
    assert (len(curves), len(gains)) == (5, 60)
    assert alive["curves"] == 0, "when a series is fitted, the draws of those before are gone"
    longest = max(len(refs) for refs in planning.scale_groups(registry).values())
    assert alive["gains"] <= longest + 1, "no more than one line's gains are held with their draws"
    assert living(curves) == living(gains) == 0
    assert len(outcome.results.gains) == 60


def test_a_spread_of_next_to_nothing_takes_no_gigabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grid over a family's offset is as fine as the spread between families."""
    write_registry(tmp_path, Size(series=8, files=1, comparisons=1))
    series = load_registry(tmp_path).benchmarks.values()
    data = curve_data(max(series, key=lambda one: len(one.points)))
    seen = observe(data)
    assert seen.n_shared >= 20
    count = 16
    ones = np.ones(count)
    curves = likelihood.Curves(
        floor=data.chance * ones,
        ceiling=ones,
        slope=1.5 * ones,
        midpoint=np.linspace(0.0, 1.5, count),
        shape=ones,
        family_sd=np.linspace(2e-4, 0.3, count),
        model_sd=0.2 * ones,
        score_sd=0.01 * ones,
        slope_sd=0.2 * ones,
    )
    together = likelihood.log_likelihood(LINKS[0], curves, seen)
    cells: list[int] = []
    real = likelihood._spread_on_grid

    def watched(position: Any, weight: Any, size: int) -> Any:
        cells.append(position.shape[0] * position.shape[1] * size)
        return real(position, weight, size)

    monkeypatch.setattr(likelihood, "_spread_on_grid", watched)
    monkeypatch.setattr(likelihood, "_MOST_CELLS", 1000)
    one_by_one = likelihood.log_likelihood(LINKS[0], curves, seen)
    np.testing.assert_allclose(one_by_one, together, rtol=1e-9)
    assert len(cells) >= count
    finest = replace(curves, family_sd=np.full(count, 1e-5))
    monkeypatch.setattr(likelihood, "_MOST_CELLS", 2**23)
    cells.clear()
    assert bool(np.isfinite(likelihood.log_likelihood(LINKS[0], finest, seen)).all())
    assert len(cells) >= count
    assert sum(cells) > 2**23 > max(cells)


def test_a_task_carries_its_own_models_and_no_comparisons_of_others(large: Path) -> None:
    lower_a_score(large, 3)
    registry = load_registry(large)
    todo = recomputing.stored_plan(registry)
    (task,) = tasks.make_tasks(registry, todo, FitMethod.POSTERIOR)
    named_models = {point.model for point in task.series.points}
    assert set(task.series.models) == named_models < set(registry.models)
    assert [enhancement.comparisons for enhancement in task.enhancements.values()] == [()]
    recompute(registry, date=DATE)


def test_a_result_written_meanwhile_is_seen_under_the_lock(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finishes the same work between our first look and the lock."""
    lower_a_score(large, 9)
    registry = load_registry(large)
    real = locked
    did: list[Path] = []

    def late(root: Path) -> Any:
        if not did:
            did.append(root)
            monkeypatch.setattr(recomputing, "locked", real)
            assert len(recompute(registry, date=DATE).done) >= 1
        return real(root)

    monkeypatch.setattr(recomputing, "locked", late)
    assert recompute(registry, date=DATE).done == ()


def test_the_growth_benchmark_measures_and_fits_exponents(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "SERIES", (1, 2))
    monkeypatch.setattr(growth, "RECORDS", (3,))
    chosen = ("load, first time", "recompute everything")
    monkeypatch.setattr(growth, "PARTS", {part: growth.PARTS[part] for part in chosen})
    out = tmp_path / "growth.json"
    arguments = ["--most-comparisons", "0", "--out", str(out)]
    assert growth.main(arguments) == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    assert len(record["costs"]) == 2 * len(chosen) + 2
    done = [cost["done"] for cost in record["costs"] if cost["part"] == "recompute everything"]
    assert done == [2, 4]
    assert "exponent: time" in capsys.readouterr().out
    costs = [growth.Cost("series", n, "load", 0.5 * n**2, 100.0 * n**0.5, 0) for n in (10, 100)]
    assert growth.exponents(costs) == [
        {"axis": "series", "part": "load", "seconds": 2.0, "peak_mib": 0.5}
    ]
