"""Commands as a newcomer runs them: output, exit codes, and what stays untouched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cegain.cli import main
from tests.conftest import RegistryFolder, comparison, enhancement

SMALL = "title: A small survey\nsubtitle: One series, made up.\naudience: Readers of tests.\n"
RECORD = "enhancements/prompting/worked-examples.yaml"
NEW_RESULT = (
    "register",
    "step-by-step",
    *("--name", "Step by step", "--kind", "prompting", "--gain-type", "inference"),
    *("--summary", "Ask for the steps.", "--introduced", "2026-04-01"),
    *("--series", "demo", "--model", "beta-2"),
    *("--baseline-score", "0.30", "--enhanced-score", "0.42", "--n-items", "1000"),
    *("--source", "roe2026", "--title", "Steps", "--author", "Roe, R."),
    *("--url", "https://example.org/roe2026", "--locator", "Table 1", "--checked", "full-text"),
    *("--inference-cost", "4", "--inference-basis", "samples"),
)


def run(folder: RegistryFolder, *arguments: str, ok: int = 0, text: str | None = None) -> Result:
    result = CliRunner().invoke(main, ["--root", str(folder.root), *arguments], input=text)
    assert result.exit_code == ok, result.output + repr(result.exception)
    return result


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_help_lists_commands_in_working_order() -> None:
    result = CliRunner().invoke(main, ["--help"])
    names = [line.split()[0] for line in result.output.split("Commands:")[1].strip().splitlines()]
    wanted = ["init", "validate", "register", "fit", "recompute", "gains", "explain", "report"]
    assert [name for name in names if name in wanted] == wanted


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom cegain.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'pydantic', 'ruamel', 'jinja2', 'joblib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_validate_counts_what_is_there(folder: RegistryFolder) -> None:
    said = run(folder, "validate").output
    assert said == "1 enhancements, 1 comparisons, 1 series, 16 models: 0 errors, 0 warnings.\n"


def test_validate_in_three_formats(folder: RegistryFolder) -> None:
    folder.edit(RECORD, "model: alpha-3", "model: alpha-9")
    text = run(folder, "validate", ok=1).output
    assert f"{RECORD}:9: comparisons[0].model: no such model (got alpha-9)" in text
    problems = json.loads(run(folder, "validate", "--format", "json", ok=1).output)["problems"]
    assert set(problems[0]) == {"file", "line", "field", "message", "repair", "severity"}
    annotated = run(folder, "validate", "--format", "github", ok=1).output
    assert annotated.startswith(f"::error file={RECORD},line=9::comparisons[0].model: no such")


def test_five_faults_stop_every_command_and_change_nothing(folder: RegistryFolder) -> None:
    run(folder, "recompute")
    folder.edit(RECORD, "model: alpha-3", "model: alpha-9")
    folder.edit(RECORD, "kind: prompting", "kind: promting")
    folder.edit(RECORD, "introduced: 2026-03-02", "introduced: soon")
    folder.edit(RECORD, "score: 0.", "score: 7.")
    folder.edit("scaling_fits/demo/points.csv", "beta-2,", "beta-9,")
    before = files(folder.root)
    for command in ("recompute", "gains", "fit", "report"):
        said = run(folder, command, ok=1).output
        assert "4 problems found" in said or "5 problems found" in said
        assert said.count(f"{RECORD}:") == 3
    assert files(folder.root) == before


def test_recompute_says_why_and_then_has_nothing_to_do(two_series: RegistryFolder) -> None:
    assert "1 stale" not in run(two_series, "recompute", "--check", ok=1).output
    planned = run(two_series, "recompute", "--dry-run").output
    assert "fit demo: no result yet" in planned
    done = run(two_series, "recompute").output
    assert "4 done, 0 removed, 0 unchanged, 0 gains moved." in done
    assert run(two_series, "recompute", "--check").output == "0 stale, 4 unchanged.\n"


def test_a_changed_compute_is_named_and_moves_only_its_gains(two_series: RegistryFolder) -> None:
    run(two_series, "recompute")
    two_series.edit(
        "scaling_fits/models.csv",
        "omega-5,Doe,omega,base,,,1e12,",
        "omega-5,Doe,omega,base,,,1e12,2",
    )
    said = run(two_series, "recompute").output.splitlines()
    assert said[0] == "fit other: a model's compute changed (omega-5)"
    assert said[1].startswith("gain agent-loop/other/omega-3: the fit it rests on changed")
    assert " → " in said[2]
    assert said[3] == "2 done, 0 removed, 2 unchanged, 1 gains moved."


def test_recompute_json_has_its_shape(folder: RegistryFolder) -> None:
    document = json.loads(run(folder, "recompute", "--json").output)
    assert set(document) == {"format", "done", "removed", "unchanged", "moved"}
    assert document["done"][0] == {
        "kind": "fit",
        "name": "demo",
        "reason": "no result yet",
        "detail": "",
    }


def test_gains_as_text_json_and_csv(two_series: RegistryFolder) -> None:
    text = run(two_series, "gains").output
    assert "worked-examples/demo/alpha-3" in text
    assert text.strip().splitlines()[-1].startswith("2 gains: ")
    document = json.loads(run(two_series, "gains", "--json").output)
    expected = {
        *("enhancement", "kind", "series", "model", "training_compute_flop", "route", "ratio"),
        *("interval", "level", "verdict", "reasons", "bound", "inference_cost_multiplier"),
        *("one_time_cost_flop", "checked", "source", "locator"),
    }
    assert expected <= set(document["gains"][0])
    table = run(two_series, "gains", "--csv", "--kind", "scaffolding").output.splitlines()
    assert len(table) == 2
    assert table[1].startswith("agent-loop,scaffolding,other,omega-3")


def test_a_filter_nobody_knows_is_refused_with_the_nearest(folder: RegistryFolder) -> None:
    said = run(folder, "gains", "--enhancement", "worked-example", ok=2).output
    assert "did you mean worked-examples?" in said


def test_fit_prints_the_verdict_of_each_series(folder: RegistryFolder) -> None:
    assert run(folder, "fit").output.startswith("demo  sound  16 models, residual ")
    assert run(folder, "fit", "demo", "--json").output.startswith('{"format": 1, "fits": [')


def test_explain_walks_from_record_to_number(folder: RegistryFolder) -> None:
    said = run(folder, "explain", "worked-examples").output
    for step in ("1. The record.", "2. The curve.", "3. The inversion.", "5. The verdict."):
        assert step in said
    assert "https://example.org/doe2026" in said
    kin = "and from other sizes of alpha (alpha-1, alpha-2, alpha-4), which also tell how steeply"
    assert kin in " ".join(said.split())


def test_explain_names_no_sizes_whose_recipe_is_not_known_to_be_the_same(
    folder: RegistryFolder,
) -> None:
    folder.edit(
        "scaling_fits/models.csv", "alpha-3,Doe,alpha,base,,,1e12,", "alpha-3,Doe,alpha,base,,,,"
    )
    run(folder, "recompute")
    said = " ".join(run(folder, "explain", "worked-examples").output.split())
    assert "from its own score and compute; from there" in said


def test_register_shows_the_gain_before_it_writes(folder: RegistryFolder) -> None:
    before = files(folder.root)
    said = run(folder, *NEW_RESULT, "--dry-run").output
    assert "Gain:  " in said
    assert files(folder.root) == before
    said = run(folder, *NEW_RESULT, "--yes").output
    assert "Written: " in said
    assert "enhancements/prompting/step-by-step.yaml" in files(folder.root)
    listed = run(folder, "gains", "--enhancement", "step-by-step").output
    assert listed.startswith("step-by-step/demo/beta-2")


def test_register_adds_to_a_known_record_and_keeps_its_comments(folder: RegistryFolder) -> None:
    folder.edit(RECORD, "kind: prompting", "kind: prompting  # five kinds")
    run(
        folder,
        *("register", "worked-examples", "--series", "demo", "--model", "gamma-2"),
        *("--baseline-score", "0.2", "--enhanced-score", "0.3", "--source", "doe2026"),
        *("--locator", "Table 3", "--checked", "secondary", "--yes"),
    )
    text = (folder.root / RECORD).read_text(encoding="utf-8")
    assert "# five kinds" in text
    assert "model: gamma-2" in text
    assert "1 enhancements, 2 comparisons" in run(folder, "validate").output


def test_register_refuses_bad_values_and_writes_nothing(folder: RegistryFolder) -> None:
    before = files(folder.root)
    bad = [*NEW_RESULT, "--yes"]
    bad[bad.index("0.42")] = "42"
    bad[bad.index("beta-2")] = "beta-9"
    said = run(folder, *bad, ok=1).output
    assert "write 0.42, not 42" in said
    assert files(folder.root) == before


def test_register_without_a_terminal_lists_all_that_is_missing(folder: RegistryFolder) -> None:
    said = run(folder, "register", "worked-examples", "--series", "demo", ok=2).output
    for flag in ("--model", "--baseline-score", "--enhanced-score", "--locator", "--checked"):
        assert flag in said


def test_the_next_report_contains_a_registered_result(folder: RegistryFolder) -> None:
    folder.write("reports/post-training-enhancements.yaml", SMALL)
    run(folder, *NEW_RESULT, "--yes")
    page = folder.root / "page.html"
    run(folder, "report", "--output", str(page))
    assert "Step by step" in page.read_text(encoding="utf-8")


def test_report_check_notices_a_page_that_is_out_of_date(folder: RegistryFolder) -> None:
    folder.write("reports/post-training-enhancements.yaml", SMALL)
    run(folder, "report", "--check", ok=1)
    run(folder, "report")
    assert "up to date" in run(folder, "report", "--check").output
    folder.edit(RECORD, "locator: Table 2", "locator: Table 9")
    run(folder, "report", "--check", ok=1)


def test_report_names_the_definitions_there_are(folder: RegistryFolder) -> None:
    folder.write("reports/other.yaml", "title: Other\n")
    assert "in reports/: other.yaml" in run(folder, "report", ok=2).output


@pytest.mark.parametrize("empty", [True, False])
def test_init_starts_a_registry_that_validates(tmp_path: Path, empty: bool) -> None:
    folder = RegistryFolder.__new__(RegistryFolder)
    folder.root = tmp_path / "mine"
    arguments = ["init", str(folder.root), *(["--empty"] if empty else [])]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "0 errors" in run(folder, "validate").output
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 1
    assert "nothing was changed" in again.output


@pytest.mark.parametrize("empty", [False, True])
def test_init_without_a_curated_registry_lays_out_nothing(
    tmp_path: Path, empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "cegain"
    monkeypatch.setattr("cegain.starting.resources.files", lambda name: package)
    arguments = ["init", str(tmp_path / "mine"), *(["--empty"] if empty else [])]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "install cegain anew" in result.output
    assert not (tmp_path / "mine").exists()


def test_outside_a_registry_the_way_in_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--root", str(tmp_path), "gains"])
    assert result.exit_code == 1
    assert "cegain init DIR" in result.output


def test_scale_and_pool_speak_of_many_gains(folder: RegistryFolder) -> None:
    names = [f"{family}-{size}" for family in ("alpha", "beta", "gamma") for size in (2, 3)]
    scores = {line.split(",")[0]: float(line.split(",")[1]) for line in _rows(folder)}
    made = [
        comparison(name, baseline=scores[name], enhanced=min(scores[name] + 0.1, 0.9))
        for name in names
    ]
    folder.write(RECORD, enhancement(*made))
    said = run(folder, "scale", "worked-examples", "--at", "1e23").output
    assert "at 10²³ FLOP: " in said
    assert said.endswith("1 lines.\n")
    document = json.loads(run(folder, "scale", "--json").output)
    assert document["lines"][0]["models"] == 6
    pooled = run(folder, "pool", "--enhancement", "worked-examples").output
    assert "no mean: only 1 independent study" in pooled
    assert "spread: " in pooled
    assert json.loads(run(folder, "pool", "--json").output)["mean"] is None
    assert "no such enhancement with a line" in run(folder, "scale", "nothing", ok=2).output


def _rows(folder: RegistryFolder) -> list[str]:
    table = folder.root / "scaling_fits" / "demo" / "points.csv"
    return table.read_text(encoding="utf-8").splitlines()[1:]


def test_sensitivity_says_which_choices_move_a_gain(folder: RegistryFolder) -> None:
    said = run(folder, "sensitivity", "worked-examples").output
    assert "own family left out" in said
    assert "1 gains on a curve" in said
    document = json.loads(run(folder, "sensitivity", "--json").output)
    assert len(document["gains"][0]["alternatives"]) >= 9


def test_backtest_needs_a_broad_series(folder: RegistryFolder) -> None:
    assert "twenty models" in run(folder, "backtest", ok=2).output
