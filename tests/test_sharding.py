"""A recompute in parts for batch queues: the same bytes, and no part too many or too few."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cegain import sharding, store
from cegain.cli import main
from cegain.errors import StoreError
from cegain.recomputing import recompute, stored_plan
from cegain.registry import load_registry
from cegain.scaling import FitMethod
from cegain.sharding import Shard, make_part, merge, parts_folder, share
from cegain.tasks import make_tasks, software
from tests.conftest import RegistryFolder, several_series, stored_results

DATE = "2026-11-22"
RECORD = "enhancements/prompting/worked-examples.yaml"


@pytest.fixture(scope="module")
def recomputed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A stale registry with both parts of a split in two, and what one recompute makes of it."""
    root = tmp_path_factory.mktemp("stale")
    folder = several_series(root, 2)
    recompute(load_registry(root), date="2026-11-01")
    folder.edit("scaling_fits/demo-1/points.csv", "beta-2,0.", "beta-2,0.1")
    folder.edit(
        "scaling_fits/models.csv",
        "gamma-3,Doe,gamma,base,,,1e12,",
        "gamma-3,Doe,gamma,base,,,1e12,2",
    )
    folder.edit(RECORD, "score: 0.", "score: 0.0")
    (root / "scaling_fits/demo-0/fit.json").unlink()
    serial = tmp_path_factory.mktemp("serial") / "registry"
    shutil.copytree(root, serial)
    outcome = recompute(load_registry(serial), date=DATE)
    assert len(outcome.moved) >= 8
    parts(root, 2)
    return root, stored_results(serial)


@pytest.fixture
def cut(recomputed: tuple[Path, dict[str, bytes]], tmp_path: Path) -> Path:
    """The stale registry with part 1 and part 2 of 2."""
    root = tmp_path / "registry"
    shutil.copytree(recomputed[0], root)
    return root


@pytest.fixture
def stale(cut: Path) -> Path:
    """The stale registry without any part."""
    shutil.rmtree(parts_folder(cut))
    return cut


def parts(root: Path, total: int) -> list[Path]:
    return [make_part(load_registry(root), Shard(i, total))[0] for i in range(1, total + 1)]


def made(root: Path) -> tuple[Path, Path]:
    folder = parts_folder(root)
    return folder / "part-1-of-2.json", folder / "part-2-of-2.json"


def refused(root: Path, words: str) -> None:
    """A merge is refused in these words, and stores nothing."""
    before = stored_results(root)
    with pytest.raises(StoreError, match=words) as caught:
        merge(load_registry(root), date=DATE)
    assert len(str(caught.value).splitlines()) == 1
    assert stored_results(root) == before


@pytest.mark.parametrize("total", [1, 5])
def test_merged_parts_are_byte_for_byte_one_recompute(
    stale: Path, recomputed: tuple[Path, dict[str, bytes]], total: int
) -> None:
    before = stored_results(stale)
    # in any order, and each more than once: a requeued job does its part again
    for index in [*range(total, 0, -1), 1]:
        path, _ = make_part(load_registry(stale), Shard(index, total))
        assert path == stale / ".cegain-cache" / "parts" / f"part-{index}-of-{total}.json"
    assert stored_results(stale) == before
    outcome, count = merge(load_registry(stale), date=DATE)
    assert count == total
    assert stored_results(stale) == recomputed[1]
    assert list(parts_folder(stale).iterdir()) == []
    assert not stored_plan(load_registry(stale)).stale
    log = store.read_changes(stale)
    assert len({change.gain for change in log}) == len(log) == len(outcome.moved)


def test_every_task_is_in_exactly_one_part_and_parts_are_balanced(tmp_path: Path) -> None:
    folder = several_series(tmp_path, 7)
    registry = load_registry(folder.root)
    tasks = make_tasks(registry, stored_plan(registry), FitMethod.POSTERIOR)
    costs = {task.series.slug: sharding._cost(task) for task in tasks}
    for total in (1, 2, 3, 20):
        split = [share(tasks, Shard(index, total)) for index in range(1, total + 1)]
        names = [task.series.slug for one in split for task in one]
        assert sorted(names) == sorted(costs)
        # the split hangs on names and costs, not on the order in which tasks come
        turned = [share(tasks[::-1], Shard(index, total)) for index in range(1, total + 1)]
        assert [{t.series.slug for t in one} for one in split] == [
            {t.series.slug for t in one} for one in turned
        ]
        load = [sum(costs[task.series.slug] for task in one) for one in split]
        assert max(load) - min(load) <= max(costs.values())


def test_a_missing_part_is_named_with_the_command_that_makes_it(cut: Path) -> None:
    _, second = made(cut)
    second.unlink()
    refused(cut, r"part 2 of 2 is missing in .*`cegain recompute --shard 2/2`")
    shutil.rmtree(parts_folder(cut))
    make_part(load_registry(cut), Shard(3, 4))
    refused(cut, r"parts 1, 2 and 4 of 4 are missing .*`cegain recompute --shard 1/4` and so on")
    shutil.rmtree(parts_folder(cut))
    refused(cut, r"there is no part of a recompute in .*--shard 1/N")


def test_a_doubled_part_is_refused(cut: Path) -> None:
    first, _ = made(cut)
    shutil.copy(first, first.with_name("part-1-of-2 (copy).json"))
    refused(cut, r"part 1/2 is there twice .*\(copy\)\.json and part-1-of-2\.json")


def test_parts_of_two_splits_are_not_mixed(cut: Path) -> None:
    make_part(load_registry(cut), Shard(3, 3))
    refused(cut, r"parts of 2 splits, into 2 and 3")


def test_a_part_from_other_records_is_refused(cut: Path) -> None:
    folder = RegistryFolder.__new__(RegistryFolder)
    folder.root = cut
    folder.edit("scaling_fits/demo-1/benchmark.yaml", "chance: 0.0", "chance: 0.01")
    make_part(load_registry(cut), Shard(1, 2))
    refused(cut, r"part-2-of-2\.json was made from other records .*--shard 2/2` again")


def test_a_part_by_other_software_is_refused(cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = software()
    monkeypatch.setattr("cegain.sharding.software", lambda: {**ours, "gain method": "0"})
    make_part(load_registry(cut), Shard(1, 2))
    monkeypatch.undo()
    refused(cut, r"part-1-of-2\.json was made by other software: gain method 0 instead of \d")


def test_parts_cut_from_different_stored_results_are_refused(cut: Path) -> None:
    (cut / "scaling_fits/too-few/fit.json").unlink()
    make_part(load_registry(cut), Shard(2, 2))
    refused(cut, r"made while different results were stored")


def test_a_result_that_went_stale_after_the_parts_is_not_left_out(cut: Path) -> None:
    (cut / "scaling_fits/too-few/fit.json").unlink()
    refused(cut, r"the parts do not hold fit too-few, which is stale now")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"interpolated"', '"extrapolated"', 1),
        lambda text: re.sub(r'"of": \d', '"of": "x"', text),
        lambda text: "[]",
    ],
)
def test_a_broken_part_is_refused(cut: Path, damage: Callable[[str], str]) -> None:
    _, second = made(cut)
    whole = second.read_text(encoding="utf-8")
    assert damage(whole) != whole
    second.write_text(damage(whole), encoding="utf-8")
    refused(cut, r"part-2-of-2\.json is not a whole part")


def test_an_interrupted_merge_is_completed_by_the_next(
    cut: Path, recomputed: tuple[Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    for last in ("write_fit", "append_changes", "write_gains", "write_lines"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(store, last, stop)
            merge(load_registry(cut), date=DATE)
    merge(load_registry(cut), date=DATE)
    assert stored_results(cut) == recomputed[1]


def test_parts_in_a_folder_of_ones_own_as_commands(
    stale: Path, recomputed: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    def run(*arguments: str, ok: int = 0) -> str:
        result = CliRunner().invoke(main, ["--root", str(stale), *arguments])
        assert result.exit_code == ok, result.output
        return result.stdout

    place = ("--parts", str(tmp_path / "shared"))
    planned = run("recompute", "--shard", "1/2", "--dry-run").splitlines()
    said = run("recompute", "--shard", "1/2", *place).splitlines()
    assert said[:-1] == planned[:-1]
    written = tmp_path / "shared" / "part-1-of-2.json"
    assert said[-1] == f"{len(planned) - 1} done in part 1/2. Written: {written}"
    document = json.loads(run("recompute", "--shard", "2/2", "--json", *place))
    assert (document["shard"], document["of"]) == (2, 2)
    assert document["written"].endswith("part-2-of-2.json")
    stale_now = run("recompute", "--dry-run").splitlines()[:-1]
    merged = run("merge", *place).splitlines()
    assert merged[0] == "2 parts merged."
    assert merged[1 : len(stale_now) + 1] == stale_now
    assert {
        name: text for name, text in stored_results(stale).items() if "changes" not in name
    } == {name: text for name, text in recomputed[1].items() if "changes" not in name}
    for wrong in ("0/2", "3/2", "1", "a/b", "1/0", "-1/2"):
        run("recompute", "--shard", wrong, ok=2)


def test_the_batch_script_of_the_documentation_works_as_written(
    stale: Path, recomputed: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    text = (Path(__file__).parent.parent / "docs" / "schedulers.md").read_text(encoding="utf-8")
    script, submit = re.findall(r"```sh\n((?:#!|export REGISTRY).*?)```", text, re.DOTALL)
    # the queue is ours: what it would set is set, and the command is that of this checkout
    tools = tmp_path / "bin"
    tools.mkdir()
    cegain = tools / "cegain"
    cegain.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cegain "$@"\n', encoding="utf-8")
    cegain.chmod(0o755)
    wrapped = re.search(r"--wrap '(.*)'", submit)
    assert wrapped is not None
    here = {
        **os.environ,
        "REGISTRY": str(stale),
        "PATH": f"{tools}:{os.environ['PATH']}",
        "SLURM_ARRAY_TASK_COUNT": "2",
    }
    for index in ("1", "2"):
        subprocess.run(["sh", "-c", script], env={**here, "SLURM_ARRAY_TASK_ID": index}, check=True)
    done = subprocess.run(
        ["sh", "-c", wrapped.group(1)], env=here, check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("2 parts merged.\n")
    log = "reports/data/changes.jsonl"  # stamped with today
    wanted = {name: data for name, data in recomputed[1].items() if name != log}
    found = stored_results(stale)
    assert len(found.pop(log).splitlines()) == len(recomputed[1][log].splitlines())
    assert found == wanted
