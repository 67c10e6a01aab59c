"""Full disks, forbidden folders and files that vanish: one clear error, and nothing lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cegain import recomputing, store
from cegain.errors import RecordError, StoreError
from cegain.files import TEMPORARY, locked, replace_file, write_text
from cegain.recomputing import recompute, stored_plan
from cegain.registry import load_registry, read_registry
from cegain.tasks import Task, TaskResult, run_task
from tests.conftest import RegistryFolder, comparison, enhancement, stored_results

DATE = "2026-11-22"
PYTHON = [sys.executable, "-W", "error", "-c"]


def no_leftovers(root: Path) -> bool:
    return list(root.rglob(f"{TEMPORARY}*")) == []


@pytest.fixture(scope="module")
def known() -> dict[str, TaskResult]:
    return {}


@pytest.fixture
def remembered(known: dict[str, TaskResult], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits and gains are worked out once and then remembered: these tests are about files."""

    def once(task: Task) -> TaskResult:
        key = repr(task)
        if key not in known:
            known[key] = run_task(task)
        return known[key]

    monkeypatch.setattr(recomputing, "run_task", once)


@pytest.fixture
def stale(two_series: RegistryFolder, remembered: None) -> RegistryFolder:
    """Results of two series and of a line, and then a change that reaches them all."""
    names = [f"{family}-{size}" for family in ("alpha", "beta") for size in (2, 3)]
    two_series.write(
        "enhancements/prompting/worked-examples.yaml",
        enhancement(*(comparison(name, baseline=0.3, enhanced=0.45) for name in names)),
    )
    recompute(load_registry(two_series.root), date=DATE)
    for name in ("demo", "other"):
        two_series.edit(f"scaling_fits/{name}/benchmark.yaml", "chance: 0.0", "chance: 0.01")
    return two_series


def whole_run(stale: RegistryFolder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed recompute writes."""
    copy = tmp_path_factory.mktemp("whole") / "copy"
    shutil.copytree(stale.root, copy)
    outcome = recompute(load_registry(copy), date=DATE)
    assert outcome.moved
    return stored_results(copy)


class Failing:
    """A call of the operating system that fails the n-th time; counts all."""

    def __init__(self, real: Callable[..., Any], at: int, number: int) -> None:
        self.real, self.at, self.number, self.calls = real, at, number, 0

    def __call__(self, *given: Any, **more: Any) -> Any:
        self.calls += 1
        if self.calls == self.at:
            raise OSError(self.number, os.strerror(self.number))
        return self.real(*given, **more)


class _FullFile:
    """A file that takes half of what is written and then has no room."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __enter__(self) -> _FullFile:
        return self

    def __exit__(self, *ending: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, part: bytes) -> int:
        self.file.write(part[: len(part) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


CALLS: dict[str, tuple[str, Callable[..., Any], int]] = {
    "making a file": ("tempfile.mkstemp", tempfile.mkstemp, errno.ENOSPC),
    "waiting for the disk": ("os.fsync", os.fsync, errno.ENOSPC),
    "an error of the disk": ("os.fsync", os.fsync, errno.EIO),
    "setting rights": ("os.fchmod", os.fchmod, errno.EPERM),
    "renaming": ("pathlib.Path.replace", Path.replace, errno.EROFS),
}


def bound(call: Failing) -> Any:
    """A function, which a class binds to its objects as it binds its own."""

    def plain(*given: Any, **more: Any) -> Any:
        return call(*given, **more)

    return plain


@pytest.mark.parametrize("what", list(CALLS))
def test_whichever_write_fails_old_or_new_results_stand_and_the_next_run_finishes(
    stale: RegistryFolder,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    root, registry = stale.root, load_registry(stale.root)
    old, wanted = stored_results(root), whole_run(stale, tmp_path_factory)
    name, real, number = CALLS[what]
    failures = 0
    for at in range(1, 20):
        shutil.rmtree(root / "reports")
        for path, text in old.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text)
        with monkeypatch.context() as patch:
            patch.setattr(name, bound(Failing(real, at, number)))
            if at > failures + 1:
                break
            try:
                recompute(registry, date=DATE)
            except StoreError as error:
                failures += 1
                said = str(error)
        if failures < at:
            break
        assert os.strerror(number) in said
        assert "intact" in said
        assert said.count("\n") == 0
        found = stored_results(root)
        assert all(found[path] in {old.get(path), wanted[path]} for path in found)
        assert set(old) <= set(found)
        assert no_leftovers(root)
        assert stored_plan(load_registry(root)).stale
        recompute(registry, date=DATE)
        assert stored_results(root) == wanted
    # two fits, the log, the table, the gains and the lines are six files
    assert failures == 6


def test_a_disk_that_fills_in_the_middle_of_a_file(
    stale: RegistryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, old, real = load_registry(stale.root), stored_results(stale.root), os.fdopen
    with monkeypatch.context() as patch:
        patch.setattr("os.fdopen", lambda *given: _FullFile(real(*given)))
        with pytest.raises(StoreError, match=r"fit.json could not be written: No space left"):
            recompute(registry, date=DATE)
    assert stored_results(stale.root) == old
    assert no_leftovers(stale.root)


def test_an_interruption_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")

    def parts() -> Iterator[str]:
        yield "half of the "
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_text(path, parts())
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_files_are_readable_by_all_unless_private(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "open.txt", ["two ", "parts\n"])
    replace_file(tmp_path / "b" / "own.txt", [b"x"], prefix=TEMPORARY, private=True)
    assert (tmp_path / "a" / "open.txt").read_text(encoding="utf-8") == "two parts\n"
    modes = [p.stat().st_mode & 0o777 for p in (tmp_path / "a/open.txt", tmp_path / "b/own.txt")]
    assert modes == [0o644, 0o600]
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0


def command(root: Path, before: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
    """``cegain recompute`` in a process of its own, after a line of preparation."""
    code = (
        "import os, resource, sys\n"
        "from cegain.cli import main\n"
        f"root = sys.argv[1]\n{before}\nmain(['--root', root, 'recompute'])"
    )
    environment = {**os.environ, "CEGAIN_CACHE": "off"}
    return subprocess.run(
        [*PYTHON, code, str(root)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        **more,
    )


def one_message(ran: subprocess.CompletedProcess[str]) -> str:
    """The one line a failed command says, for people."""
    assert ran.returncode == 1, ran
    assert "Traceback" not in ran.stderr
    lines = ran.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_limit_on_the_size_of_files_is_a_full_disk(folder: RegistryFolder) -> None:
    recompute(load_registry(folder.root), date=DATE)
    old = stored_results(folder.root)
    folder.edit("scaling_fits/demo/benchmark.yaml", "chance: 0.0", "chance: 0.01")
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    said = one_message(command(folder.root, limit))
    assert "fit.json could not be written: File too large" in said
    assert stored_results(folder.root) == old
    assert no_leftovers(folder.root)
    ran = command(folder.root)
    assert ran.returncode == 0, ran
    assert not stored_plan(load_registry(folder.root)).stale


@pytest.mark.slow  # needs the right to mount; failing every single write, above, needs none
def test_a_disk_that_is_really_full(folder: RegistryFolder, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    tmpfs = f"mount -t tmpfs -o size=96k none {disk}"
    recompute(load_registry(folder.root), date=DATE)
    folder.edit("scaling_fits/demo/benchmark.yaml", "chance: 0.0", "chance: 0.01")
    code = "import sys\nfrom cegain.cli import main\nmain(['--root', sys.argv[1], 'recompute'])"
    script = (
        f"{tmpfs} || exit; cp -r {folder.root}/enhancements {folder.root}/scaling_fits "
        f"{folder.root}/reports {disk} && cd {disk} && find . -type f | sort | xargs cksum > "
        f"{tmp_path}/before; head -c 200000 /dev/zero > {disk}/filler 2>/dev/null; "
        f'{sys.executable} -c "{code}" {disk}; echo "exit $?"; rm -f {disk}/filler; '
        f"find . -type f -not -path './.cegain-cache/*' | sort | xargs cksum > {tmp_path}/after; "
        f'{sys.executable} -c "{code}" {disk} > /dev/null; echo "then $?"'
    )
    ran = subprocess.run([*mount, script], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == ["exit 1", "then 0"], ran
    assert len(ran.stderr.strip().splitlines()) == 1, ran.stderr
    assert "No space left on device" in ran.stderr
    before, after = ((tmp_path / name).read_text("utf-8") for name in ("before", "after"))
    assert before == after


def _as_nobody(closed: str) -> str:
    """Lines that give up root's rights, where there are any, and close a folder.

    Once with all rights on a copy: nobody may not even read the libraries.
    """
    return (
        "main(['--root', root + '-first', 'recompute'], standalone_mode=False)\n"
        f"os.chmod(os.path.join(root, {closed!r}), 0o555)\n"
        "os.geteuid() == 0 and os.seteuid(65534)"
    )


@pytest.mark.parametrize("closed", ["scaling_fits/demo", "reports/data", "."])
def test_a_folder_nobody_may_write_to_is_one_clear_error(
    folder: RegistryFolder, closed: str
) -> None:
    recompute(load_registry(folder.root), date=DATE)
    old = stored_results(folder.root)
    folder.edit("scaling_fits/demo/benchmark.yaml", "chance: 0.0", "chance: 0.01")
    # pytest's own folders are closed to others than the user who runs the tests
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        root = Path(place) / "registry"
        shutil.copytree(folder.root, root)
        shutil.copytree(folder.root, Path(place) / "registry-first")
        if closed == ".":
            shutil.rmtree(root / ".cegain-cache")
        for path in [root, *root.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)
        said = one_message(command(root, _as_nobody(closed)))
        assert "Permission denied" in said
        assert "intact" in said
        assert no_leftovers(root)
        found = stored_results(root)
        assert set(found) == set(old)
        assert found["reports/data/gains.json"] == old["reports/data/gains.json"]
        if closed != "reports/data":
            assert found == old
        (root / closed).chmod(0o777)


@pytest.mark.parametrize("name", ["reports", "reports/data", "scaling_fits/demo/fit.json"])
def test_something_in_the_way_is_one_clear_error(folder: RegistryFolder, name: str) -> None:
    path = folder.root / name
    if name.endswith(".json"):
        path.mkdir()  # a folder where a file should be
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(StoreError, match=r"could not be (read|written): (Not|Is) a directory") as e:
        recompute(load_registry(folder.root), date=DATE)
    assert "run the same command again" in str(e.value)
    assert no_leftovers(folder.root)
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()
    assert recompute(load_registry(folder.root), date=DATE).done


def test_a_lock_that_cannot_be_made_is_one_clear_error(
    folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.root / ".cegain-cache").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="lock could not be opened"):
        recompute(load_registry(folder.root), date=DATE)
    (folder.root / ".cegain-cache").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", Failing(lambda *a: None, 1, errno.ENOLCK))
        with pytest.raises(StoreError, match="lock could not be locked: No locks available"):
            recompute(load_registry(folder.root), date=DATE)
    # a full disk cannot hold the number of the process: the lock holds all the same
    with monkeypatch.context() as patch:
        patch.setattr("os.write", Failing(os.write, 1, errno.ENOSPC))
        with locked(folder.root), pytest.raises(StoreError, match="process unknown"):
            recompute(load_registry(folder.root), date=DATE)


VANISHING: dict[str, Callable[[Path], None]] = {
    "points": lambda root: (root / "scaling_fits/other/points.csv").unlink(),
    "a fit just stored": lambda root: (root / "scaling_fits/demo/fit.json").unlink(),
    "all gains": lambda root: (root / "reports/data/gains.json").unlink(missing_ok=True),
    "all results": lambda root: shutil.rmtree(root / "reports", ignore_errors=True),
    "a whole series": lambda root: shutil.rmtree(root / "scaling_fits/other"),
    "a record": lambda root: shutil.rmtree(root / "enhancements"),
}


@pytest.mark.parametrize("vanish", VANISHING.values(), ids=list(VANISHING))
def test_files_that_vanish_during_a_recompute_do_not_stop_it(
    stale: RegistryFolder,
    tmp_path_factory: pytest.TempPathFactory,
    vanish: Callable[[Path], None],
) -> None:
    wanted, registry = whole_run(stale, tmp_path_factory), load_registry(stale.root)
    gone: list[str] = []

    def progress(name: str, done: int, total: int) -> None:
        if name and not gone:  # the first call comes before anything is done
            gone.append(name)
            vanish(stale.root)

    recompute(registry, date=DATE, progress=progress)
    assert gone == ["demo"]
    # it had read everything, and stores what it was asked for
    found = stored_results(stale.root)
    assert found["reports/data/gains.json"] == wanted["reports/data/gains.json"]
    assert no_leftovers(stale.root)
    # whatever had been stored and vanished is missing, and comes back
    recompute(registry, date=DATE)
    again = stored_results(stale.root)
    log = "reports/data/changes.jsonl"
    assert {k: v for k, v in again.items() if k != log} == {
        k: v for k, v in wanted.items() if k != log
    }


def test_a_file_that_vanishes_while_it_is_loaded_is_one_problem(
    folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_bytes

    def vanishing(path: Path) -> bytes:
        if path.name == "points.csv":
            path.unlink()
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", vanishing)
    with pytest.raises(RecordError) as caught:
        load_registry(folder.root)
    first = caught.value.problems[0]
    assert (first.file, first.message) == (
        "scaling_fits/demo/points.csv",
        "cannot be read: No such file or directory",
    )


def test_a_folder_that_vanishes_or_is_closed_while_it_is_listed_is_one_problem(
    folder: RegistryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.root / "scaling_fits/empty").mkdir()
    for number in (errno.ENOENT, errno.EACCES):
        with monkeypatch.context() as patch:
            # the first listing is that of scaling_fits itself
            patch.setattr(Path, "iterdir", bound(Failing(Path.iterdir, 2, number)))
            _, problems = read_registry(folder.root)
        assert ("scaling_fits/empty", f"cannot be read: {os.strerror(number)}") in {
            (p.file, p.message) for p in problems
        }


BROKEN = {
    "binary": b"\xff\xfe\x00" * 20,
    "nested too deep": b"[" * 100_000,
    "a number": b"7",
    "entries that are none": b'{"format":1,"gains":[1,null,"x",[]],"lines":[1],"fit":[]}',
    "no list": b'{"format":1,"gains":7,"lines":{"a":1},"fit":"x"}',
    "fingerprints that are none": b'{"format":1,"fingerprint":[],"fit":{},"output":1,'
    b'"gains":[{"fingerprint":7}],"lines":[{"key":7,"fingerprint":7}]}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=list(BROKEN))
def test_results_broken_in_any_way_are_redone(stale: RegistryFolder, text: bytes) -> None:
    root = stale.root
    recompute(load_registry(root), date=DATE)
    wanted = stored_results(root)
    for path in (store.gains_path(root), store.lines_path(root), store.fit_path(root, "demo")):
        path.write_bytes(text)
    recompute(load_registry(root), date=DATE)
    assert stored_results(root) == wanted


def test_a_log_of_changes_that_cannot_be_read_is_one_clear_error(folder: RegistryFolder) -> None:
    path = store.changes_path(folder.root)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="not UTF-8 text: restore it"):
        store.read_changes(folder.root)
    path.unlink()
    assert store.read_changes(folder.root) == ()
    path.mkdir()
    with pytest.raises(StoreError, match="could not be read: Is a directory"):
        store.read_changes(folder.root)
