"""The sweep of all choices over all gains: what is stored, when it still holds, who reads it."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cegain import cli_sensitivity, sensitivity
from cegain.briefing.definition import BriefingDefinition
from cegain.briefing.scope import Extras, select
from cegain.briefing.sure import HowSure, build_sure
from cegain.briefing.would_change import build_would_change
from cegain.briefing.write import read_extras
from cegain.cli import main
from cegain.errors import ClusterError, StoreError
from cegain.recomputing import recompute
from cegain.registry import load_registry
from cegain.sweep import AXES, CHOICES, make_sweep, read_sweep, sweep_prints, vary
from tests.conftest import (
    RegistryFolder,
    comparison,
    demo_scores,
    enhancement,
    family_models,
)

GAIN = "worked-examples/demo/alpha-3"
OTHER = "agent-loop/other/omega-3"
RECORD = "enhancements/prompting/worked-examples.yaml"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of two small series with current results and a current sweep."""
    made = RegistryFolder(tmp_path_factory.mktemp("swept"))
    for slug, names in (("demo", "alpha beta"), ("other", "omega psi")):
        models = family_models(names)
        made.write_models({**made.models, **models})
        made.write_series(slug, demo_scores(models))
    base = demo_scores(family_models("alpha beta"))["alpha-3"]
    made.write(RECORD, enhancement(comparison(baseline=base, enhanced=base + 0.1)))
    base = demo_scores(family_models("omega psi"))["omega-3"]
    made.write(
        "enhancements/scaffolding/agent-loop.yaml",
        enhancement(
            comparison("omega-3", "other", base, base + 0.1), name="Loop", kind="scaffolding"
        ),
    )
    recompute(load_registry(made.root))
    assert "2 series varied; 2 gains on a curve, " in run(made, "--store")
    return made.root


@pytest.fixture
def folder(swept: Path, tmp_path: Path) -> RegistryFolder:
    """A copy of it to change."""
    made = RegistryFolder.__new__(RegistryFolder)
    made.root = tmp_path / "registry"
    shutil.copytree(swept, made.root)
    return made


def run(folder: RegistryFolder, *arguments: str, ok: int = 0) -> str:
    result = CliRunner().invoke(main, ["--root", str(folder.root), "sensitivity", *arguments])
    assert result.exit_code == ok, result.output
    return result.output


def stored(folder: RegistryFolder) -> Path:
    return cli_sensitivity.sweep_path(folder.root)


def how_sure(folder: RegistryFolder) -> HowSure:
    """What the briefing says of trust, from what is stored."""
    registry = load_registry(folder.root)
    results = recompute(registry).results
    definition = BriefingDefinition(title="T", subtitle="S", audience="A")
    found = build_sure(select(registry, results, definition, "", read_extras(folder.root)))
    assert found is not None
    return found


def test_every_axis_is_tried_and_read_back_as_stored(folder: RegistryFolder) -> None:
    text = stored(folder).read_text(encoding="utf-8")
    entries = read_sweep(json.loads(text))
    assert set(entries) == {GAIN, OTHER}
    assert len(text.splitlines()) == 1 + len(entries)
    tried = set(entries[GAIN].moved)
    assert tried <= set(CHOICES)
    for axis, choices in AXES.items():
        assert tried & set(choices), f"no choice of {axis} was tried"
    # as the command prints it
    printed = json.loads(run(folder, "--json"))["gains"]
    for row in printed:
        entry = entries[row["gain"]]
        assert (entry.verdict, list(entry.depends_on)) == (row["verdict"], row["sensitive_to"])
        assert entry.log10_value == pytest.approx(math.log10(row["ratio"]), abs=1e-3)
        for other in row["alternatives"]:
            assert entry.moved[other["choice"]] == pytest.approx(other["moved_log10"], abs=1e-3)
            assert entry.verdicts.get(other["choice"], entry.verdict) == other["verdict"]
        for level in row["levels"]:
            choice = f"{level['level']:.0%} interval"
            assert entry.verdicts.get(choice) == (level["says"] if level["changed"] else None)
            assert (entry.moved[choice] or 0) > 0


def test_only_what_is_stale_is_varied_again(folder: RegistryFolder) -> None:
    before = stored(folder).read_bytes()
    assert "0 series varied; 2 gains" in run(folder, "--store")
    assert stored(folder).read_bytes() == before
    folder.edit(RECORD, "locator: Table 2", "locator: Table 3")
    assert "1 series varied; 2 gains" in run(folder, "--store")
    old, new = (read_sweep(json.loads(t)) for t in (before, stored(folder).read_bytes()))
    assert old[OTHER] == new[OTHER]
    assert replace(old[GAIN], fingerprint=new[GAIN].fingerprint) == new[GAIN] != old[GAIN]
    # a record that is gone takes its entry with it
    (folder.root / RECORD).unlink()
    assert "0 series varied; 1 gains" in run(folder, "--store")
    # a file that nobody can read is made again
    stored(folder).write_text("[1", encoding="utf-8")
    assert "1 series varied; 1 gains" in run(folder, "--store", "--jobs", "1")


def test_a_raised_method_makes_every_entry_stale(
    folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sweep_prints(load_registry(folder.root))
    monkeypatch.setattr("cegain.sweep.SENSITIVITY_METHOD", sensitivity.SENSITIVITY_METHOD + 1)
    after = sweep_prints(load_registry(folder.root))
    assert set(before) == set(after) == {GAIN, OTHER}
    assert before[GAIN] != after[GAIN]


def test_an_interrupted_sweep_keeps_what_it_had(
    folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stored(folder).read_bytes()
    stored(folder).unlink()
    monkeypatch.setattr(cli_sensitivity, "_STORE_EVERY", 1)

    def stop_at_other(task: Any) -> Any:
        if task.series.slug == "other":
            raise ClusterError("lost")
        return vary(task)

    with monkeypatch.context() as patch:
        patch.setattr("cegain.sweep.vary", stop_at_other)
        assert "lost" in run(folder, "--store", ok=1)
    assert set(read_sweep(json.loads(stored(folder).read_bytes()))) == {GAIN}
    assert "1 series varied; 2 gains" in run(folder, "--store", "--jobs", "2")
    assert stored(folder).read_bytes() == whole


def test_the_briefing_uses_a_sweep_that_is_current_and_says_when_it_is_not(
    folder: RegistryFolder,
) -> None:
    text = stored(folder).read_text(encoding="utf-8")
    stored(folder).unlink()
    quick = how_sure(folder)
    assert "were not tried: “cegain sensitivity --store”" in quick.sentences[-1]
    assert not any("left out" in row.choice for row in quick.choices)
    stored(folder).write_text(text, encoding="utf-8")
    whole = how_sure(folder)
    assert "include those that need new curves" in whole.sentences[-1]
    rows = {row.choice: row for row in whole.choices}
    assert {row.tried for choice, row in rows.items() if "link" not in choice} >= {2}
    assert any(choice.startswith("Any one family left out") for choice in rows)
    level = next(row for choice, row in rows.items() if choice.startswith("Intervals at 95 %"))
    assert (level.tried, level.value) == (2, "–")
    folder.edit(RECORD, "locator: Table 2", "locator: Table 3")
    stale = how_sure(folder)
    assert "out of date or missing for 1 of 2" in stale.sentences[-1]
    assert next(r for r in stale.choices if r.choice.startswith("Any one family")).tried == 1
    # the quick choices are stored with the gain, so they are current for both
    assert next(r for r in stale.choices if "its score alone" in r.choice).tried == 2


def test_the_briefing_counts_what_the_sweep_says(folder: RegistryFolder) -> None:
    registry = load_registry(folder.root)
    results = recompute(registry).results
    entries = read_sweep(json.loads(stored(folder).read_text(encoding="utf-8")))
    entry = replace(
        entries[GAIN],
        moved={"floor free": None, "ceiling 0.97": 0.4, "95% interval": 0.9},
        verdicts={"floor free": "lower bound", "95% interval": "includes 1×"},
        depends_on=("floor free", "ceiling 0.97"),
    )
    extras = Extras(sweep={GAIN: entry})
    definition = BriefingDefinition(
        title="T", subtitle="S", audience="A", scope={"enhancements": ["worked-examples"]}
    )
    view = select(registry, results, definition, "", extras)
    found = build_sure(view)
    assert found is not None
    assert [(r.tried, r.verdict, r.value) for r in found.choices] == [
        (1, "1 (100 %)", "none"),
        (1, "none", "1 (100 %)"),
        (1, "1 (100 %)", "–"),
    ]
    assert "For 1 of 1 (100 %), at least one choice" in found.sentences[0]
    # and so do its caution and what it waits for
    assert "i" in view.cautions(results.gains[GAIN])
    missing = build_would_change(view)
    assert missing is not None
    assert [row.count for row in missing.rows if row.what.startswith("Agreement")] == [1]
    firm = select(
        registry, results, definition, "", Extras(sweep={GAIN: replace(entry, depends_on=())})
    )
    assert "i" not in firm.cautions(results.gains[GAIN])


def test_a_broken_sweep_stops_the_briefing_with_the_repair(folder: RegistryFolder) -> None:
    folder.write("reports/data/sensitivity.json", '{"format": 1, "gains": [{}]}')
    with pytest.raises(StoreError, match=r"sensitivity\.json: not what .*--store` again or remove"):
        read_extras(folder.root)
    folder.write("reports/data/sensitivity.json", '{"format": 7}')
    with pytest.raises(StoreError, match="format 7 is not 1"):
        read_extras(folder.root)


def test_a_worker_of_another_version_refuses(folder: RegistryFolder) -> None:
    registry = load_registry(folder.root)
    task, _ = make_sweep(registry, registry.comparisons())
    with pytest.raises(ClusterError, match="other software"):
        vary(replace(task, made_by={**task.made_by, "scipy": "1.0"}))


def test_stances_say_whether_there_is_a_gain() -> None:
    assert sensitivity.stance((0.1, 0.5)) == "above 1×"
    assert sensitivity.stance((0.1, None)) == "above 1×"
    assert sensitivity.stance((-0.5, -0.1)) == "below 1×"
    assert sensitivity.stance((None, -0.1)) == "below 1×"
    assert sensitivity.stance((-0.1, 0.1)) == "includes 1×"
    assert sensitivity.stance((0.0, None)) == "includes 1×"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--store", "worked-examples"),
        ("--store", "--series", "demo"),
        ("--store", "--json"),
        ("--jobs", "2", "--dask", "x:1"),
    ],
)
def test_options_that_contradict_are_refused(
    folder: RegistryFolder, arguments: tuple[str, ...]
) -> None:
    run(folder, *arguments, ok=2)
