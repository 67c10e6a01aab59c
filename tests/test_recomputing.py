"""One test for each reason to recompute, and that nothing else is redone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cegain import files, gains, planning, recomputing, scaling, store
from cegain.curves import LINKS
from cegain.errors import StoreError
from cegain.planning import Reason
from cegain.recomputing import Outcome
from cegain.registry import load_registry
from tests.conftest import RegistryFolder, comparison, enhancement

GAIN = "worked-examples/demo/alpha-3"
OTHER = "agent-loop/other/omega-3"
RECORD = "enhancements/prompting/worked-examples.yaml"


def run(folder: RegistryFolder) -> Outcome:
    return recomputing.recompute(load_registry(folder.root), date="2026-11-22")


def steps(outcome: Outcome) -> dict[str, Reason]:
    return {step.name: step.reason for step in outcome.done}


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text(encoding="utf-8")
    assert change(text) != text
    path.write_text(change(text), encoding="utf-8")


def test_no_result_yet_and_then_nothing_to_do(two_series: RegistryFolder) -> None:
    first = run(two_series)
    assert set(steps(first).values()) == {Reason.NEW}
    assert set(steps(first)) == {"demo", "other", GAIN, OTHER}
    before = {p: p.read_bytes() for p in two_series.root.rglob("*.json")}
    second = run(two_series)
    assert (second.done, second.unchanged) == ((), 4)
    assert before == {p: p.read_bytes() for p in two_series.root.rglob("*.json")}


def test_points_changed(two_series: RegistryFolder) -> None:
    run(two_series)
    two_series.edit("scaling_fits/demo/points.csv", "beta-2,0.", "beta-2,0.1")
    assert steps(run(two_series)) == {"demo": Reason.POINTS, GAIN: Reason.FIT}


def test_a_models_compute_changed_reaches_exactly_its_fits_and_gains(
    two_series: RegistryFolder,
) -> None:
    run(two_series)
    two_series.edit(
        "scaling_fits/models.csv",
        "omega-5,Doe,omega,base,,,1e12,",
        "omega-5,Doe,omega,base,,,1e12,2",
    )
    outcome = run(two_series)
    assert steps(outcome) == {"other": Reason.COMPUTE, OTHER: Reason.FIT}
    assert [step.detail for step in outcome.done if step.kind == "fit"] == ["omega-5"]
    assert [(c.gain, c.why) for c in outcome.moved] == [(OTHER, str(Reason.FIT))]
    assert outcome.moved[0].old != outcome.moved[0].new
    logged = json.loads(store.changes_path(two_series.root).read_text(encoding="utf-8"))
    assert (logged["gain"], logged["date"]) == (OTHER, "2026-11-22")


def test_training_tokens_of_a_sibling_reach_the_gain_and_not_the_fit(
    two_series: RegistryFolder,
) -> None:
    # what is not known to share the recipe no longer says anything of the base model
    run(two_series)
    table = "scaling_fits/models.csv"
    two_series.edit(table, "alpha-2,Doe,alpha,base,,,1e12,", "alpha-2,Doe,alpha,base,,,3e12,")
    outcome = run(two_series)
    assert steps(outcome) == {GAIN: Reason.KIN}
    assert outcome.moved[0].old != outcome.moved[0].new
    two_series.edit(table, "beta-2,Doe,beta,base,,,1e12,", "beta-2,Doe,beta,base,,,3e12,")
    assert steps(run(two_series)) == {}


def test_the_base_models_own_compute_reaches_its_gain(folder: RegistryFolder) -> None:
    # a base model that is not among the points of the curve
    folder.write_models({**folder.models, "guest": ("guest", 1e23)})
    folder.edit(RECORD, "model: alpha-3", "model: guest")
    run(folder)
    folder.edit(
        "scaling_fits/models.csv",
        "guest,Doe,guest,base,,,1e12,1e+23",
        "guest,Doe,guest,base,,,1e12,3e23",
    )
    assert steps(run(folder)) == {GAIN.replace("alpha-3", "guest"): Reason.COMPUTE}


def test_benchmark_settings_changed(two_series: RegistryFolder) -> None:
    run(two_series)
    two_series.edit("scaling_fits/demo/benchmark.yaml", "chance: 0.0", "chance: 0.01")
    assert steps(run(two_series)) == {"demo": Reason.SETTINGS, GAIN: Reason.FIT}


def test_a_note_changes_nothing(two_series: RegistryFolder) -> None:
    run(two_series)
    two_series.edit("scaling_fits/demo/benchmark.yaml", "metric:", "note: checked twice\nmetric:")
    assert steps(run(two_series)) == {}


def test_curve_family_changed(two_series: RegistryFolder) -> None:
    run(two_series)
    two_series.edit("scaling_fits/demo/benchmark.yaml", "metric:", "curve: logistic\nmetric:")
    assert steps(run(two_series)) == {"demo": Reason.CURVE, GAIN: Reason.FIT}


def test_curve_version_raised(folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder)
    raised = (replace(LINKS[0], version=99), *LINKS[1:])
    monkeypatch.setattr(planning, "LINKS", raised)
    assert steps(run(folder))["demo"] == Reason.CURVE


def test_fit_method_raised(folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder)
    monkeypatch.setattr(planning, "FIT_METHOD", scaling.FIT_METHOD + 1)
    assert steps(run(folder)) == {"demo": Reason.FIT_METHOD, GAIN: Reason.FIT}


def test_comparison_changed(two_series: RegistryFolder) -> None:
    run(two_series)
    two_series.edit(RECORD, "locator: Table 2", "locator: Table 3")
    outcome = run(two_series)
    assert steps(outcome) == {GAIN: Reason.COMPARISON}
    assert outcome.moved == ()


def test_gain_method_raised(folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder)
    monkeypatch.setattr(planning, "GAIN_METHOD", gains.GAIN_METHOD + 1)
    assert steps(run(folder)) == {GAIN: Reason.GAIN_METHOD}


def test_result_format_changed(folder: RegistryFolder) -> None:
    run(folder)
    for path in (store.fit_path(folder.root, "demo"), store.gains_path(folder.root)):
        rewrite(path, lambda text: re.sub(r'("format": ?)\d+', r"\g<1>0", text, count=1))
    assert steps(run(folder)) == {"demo": Reason.FORMAT, GAIN: Reason.FORMAT}


def test_output_missing(two_series: RegistryFolder) -> None:
    run(two_series)
    store.fit_path(two_series.root, "demo").unlink()
    assert steps(run(two_series)) == {"demo": Reason.MISSING}
    store.gains_path(two_series.root).unlink()
    assert steps(run(two_series)) == {GAIN: Reason.MISSING, OTHER: Reason.MISSING}


def test_output_edited_by_hand(two_series: RegistryFolder) -> None:
    run(two_series)
    before = store.gains_path(two_series.root).read_bytes()
    rewrite(
        store.gains_path(two_series.root),
        lambda t: t.replace('"model":"omega-3"', '"model":"omega-3","ratio_x":1', 1),
    )
    assert steps(run(two_series)) == {OTHER: Reason.EDITED}
    rewrite(store.fit_path(two_series.root, "demo"), lambda t: t.replace("sound", "doubtful", 1))
    assert steps(run(two_series)) == {"demo": Reason.EDITED}
    store.fit_path(two_series.root, "demo").write_text("half a fi", encoding="utf-8")
    assert steps(run(two_series)) == {"demo": Reason.EDITED}
    assert store.gains_path(two_series.root).read_bytes() == before


def test_record_removed_and_its_result_goes(two_series: RegistryFolder) -> None:
    run(two_series)
    (two_series.root / RECORD).unlink()
    (two_series.root / "scaling_fits/demo/points.csv").unlink()
    (two_series.root / "scaling_fits/demo/benchmark.yaml").unlink()
    # the machine's own file is all that is left of the series
    outcome = run(two_series)
    assert {(s.kind, s.name) for s in outcome.removed} == {("fit", "demo"), ("gain", GAIN)}
    assert not store.fit_path(two_series.root, "demo").exists()
    assert list(outcome.results.gains) == [OTHER]


def test_a_new_record_redoes_nothing_else(two_series: RegistryFolder) -> None:
    run(two_series)
    text = (two_series.root / RECORD).read_text(encoding="utf-8")
    two_series.write("enhancements/prompting/second.yaml", text)
    assert steps(run(two_series)) == {GAIN.replace("worked-examples", "second"): Reason.NEW}


def test_workers_change_no_byte(two_series: RegistryFolder) -> None:
    run(two_series)
    serial = store.gains_path(two_series.root).read_bytes()
    for path in two_series.root.rglob("*.json"):
        path.unlink()
    recomputing.recompute(load_registry(two_series.root), jobs=2)
    assert store.gains_path(two_series.root).read_bytes() == serial


def test_a_broken_record_leaves_results_alone(folder: RegistryFolder) -> None:
    run(folder)
    before = store.gains_path(folder.root).read_bytes()
    folder.edit(RECORD, "score: 0.", "score: 7.")
    with pytest.raises(Exception, match="must be at most 1"):
        run(folder)
    assert store.gains_path(folder.root).read_bytes() == before


def test_a_failed_write_is_one_clear_error_and_keeps_the_old(
    folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder)
    path = store.gains_path(folder.root)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match=r"No space left on device.*intact"):
        files.write_text(path, "new")
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []


def test_lines_follow_the_gains_they_rest_on(folder: RegistryFolder) -> None:
    names = [f"{family}-{size}" for family in ("alpha", "beta") for size in (2, 3)]
    folder.write(
        RECORD,
        enhancement(
            *(
                comparison(name, baseline=0.3, enhanced=0.4 + 0.01 * i)
                for i, name in enumerate(names)
            )
        ),
    )
    line = "worked-examples/demo"
    first = run(folder)
    assert steps(first)[line] == Reason.NEW
    assert first.results.lines[line].models == 4
    assert run(folder).done == ()
    folder.edit(RECORD, "score: 0.41", "score: 0.42")
    assert steps(run(folder)) == {f"{line}/alpha-3": Reason.COMPARISON, line: Reason.GAINS}
    rewrite(store.lines_path(folder.root), lambda t: t.replace('"models":4', '"models":5'))
    assert steps(run(folder)) == {line: Reason.EDITED}
    store.lines_path(folder.root).unlink()
    assert steps(run(folder)) == {line: Reason.MISSING}
    folder.write(RECORD, enhancement(comparison()))
    assert ("line", line) in {(s.kind, s.name) for s in run(folder).removed}
    assert line not in store.read_lines(folder.root)
