"""A recompute that is killed, or meets another, loses nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cegain import files, store
from cegain.errors import StoreError
from cegain.recomputing import recompute, stored_plan
from cegain.registry import load_registry
from tests.conftest import RegistryFolder, stored_results

RUN = (
    "import sys\nfrom cegain.recomputing import recompute\n"
    "from cegain.registry import load_registry\n"
    "print('ready', flush=True)\nsys.stdin.readline()\n"
    "recompute(load_registry(sys.argv[1]), date='2026-11-22')\nprint('done', flush=True)"
)


def start(root: Path) -> subprocess.Popen[str]:
    """A process that has loaded everything and waits for the word."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def kill_at_random(folder: RegistryFolder, kills: int) -> int:
    """Interrupt recomputes at random instants; returns how many died before their end."""
    root = folder.root
    recompute(load_registry(root), date="2026-11-22")
    wanted = stored_results(root)
    for name in wanted:
        (root / name).unlink()
    with start(root) as whole:
        started = time.monotonic()
        go(whole)
        assert whole.wait() == 0
        length = time.monotonic() - started
    assert stored_results(root) == wanted
    pick = random.Random(11)
    died = 0
    for _ in range(kills):
        for name in wanted:
            (root / name).unlink(missing_ok=True)
        with start(root) as process:
            go(process)
            time.sleep(pick.uniform(0.0, 1.1 * length))
            process.kill()
            died += process.wait() != 0
        registry = load_registry(root)
        stored_plan(registry)
        recompute(registry, date="2026-11-22")
        assert stored_results(root) == wanted
        assert list(root.rglob(f"{files.TEMPORARY}*")) == []
    return died


def test_a_killed_recompute_is_completed_with_the_same_bytes(folder: RegistryFolder) -> None:
    assert kill_at_random(folder, 4) >= 1


@pytest.mark.slow
def test_two_hundred_kills_corrupt_nothing(folder: RegistryFolder) -> None:
    assert kill_at_random(folder, 200) >= 100


def test_two_recomputes_at_once_are_refused_in_words(folder: RegistryFolder) -> None:
    registry = load_registry(folder.root)
    with files.locked(folder.root), pytest.raises(StoreError, match="another recompute") as caught:
        recompute(registry)
    assert str(os.getpid()) in str(caught.value)
    # nothing to do needs no lock
    recompute(registry)
    with files.locked(folder.root):
        assert recompute(registry).done == ()


def test_a_read_only_folder_is_one_clear_error(
    folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(StoreError, match=r"Read-only file system.*intact"):
        recompute(load_registry(folder.root))


def test_a_move_is_logged_once_even_if_the_log_was_written_before_the_gains(
    folder: RegistryFolder,
) -> None:
    first = store.Change("a/b/c", "1×", "2×", "points changed", "2026-11-01")
    store.append_changes(folder.root, [first])
    again = store.Change("a/b/c", "1×", "2×", "points changed", "2026-11-02")
    store.append_changes(folder.root, [again])
    assert store.read_changes(folder.root) == (first,)
    back = store.Change("a/b/c", "2×", "1×", "points changed", "2026-11-03")
    store.append_changes(folder.root, [back])
    assert store.read_changes(folder.root) == (first, back)
