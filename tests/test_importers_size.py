"""Large logs and floods of bytes: bounded memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from cegain.errors import RecordError
from cegain.importers import inspect_log, jsonstream

LOGS = Path(__file__).parent / "data" / "eval_logs"
INSPECT_JSON = LOGS / "inspect" / "generated_pair_json" / "baseline.json"


def large_log(path: Path, megabytes: int, *, reductions: bool = True) -> Path:
    """An Inspect JSON log whose transcripts are full of quotes, brackets and backslashes."""
    log = json.loads(INSPECT_JSON.read_text(encoding="utf-8"))
    nasty = 'He said: "{[}]" \\ \\\\" \u00fc\n' * 40_000
    for sample in log["samples"]:
        sample["messages"] = [{"role": "user", "content": nasty}]
    body = json.dumps(log["samples"][0])
    head = {key: value for key, value in log.items() if key not in ("samples", "reductions")}
    with path.open("w", encoding="utf-8") as target:
        target.write(json.dumps(head)[:-1] + ', "samples": [')
        count = max(1, megabytes * 2**20 // len(body))
        for index in range(count):
            own = body.replace('"id": "q01"', f'"id": "s{index}"', 1)
            target.write((", " if index else "") + own)
        target.write("]")
        if reductions:
            target.write(', "reductions": ' + json.dumps(log["reductions"]))
        target.write("}")
    return path


def test_a_large_log_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = large_log(tmp_path / "large.json", 40)
    assert path.stat().st_size > 35 * 2**20
    tracemalloc.start()
    (draft,) = inspect_log.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(draft.items) == 8
    assert peak < 12 * 2**20


def test_samples_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = large_log(tmp_path / "large.json", 40, reductions=False)
    tracemalloc.start()
    (draft,) = inspect_log.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert draft.n_items is not None
    assert peak < 40 * 2**20


@pytest.mark.slow
def test_a_log_of_500_megabytes(tmp_path: Path) -> None:
    path = large_log(tmp_path / "large.json", 500)
    tracemalloc.start()
    (draft,) = inspect_log.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(draft.items) == 8
    assert peak < 12 * 2**20


@pytest.mark.parametrize("filler", [b"\\" * 2**22, b" " * 2**22, b'"' * 2**20, b"[" * 2**21])
def test_floods_of_one_byte_do_not_grow_memory(tmp_path: Path, filler: bytes) -> None:
    path = tmp_path / "flood.json"
    path.write_bytes(b'{"samples": ["' + filler)
    tracemalloc.start()
    with pytest.raises(RecordError):
        inspect_log.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 * 2**20


def test_a_wanted_value_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonstream, "MAX_VALUE", 2**20)
    path = tmp_path / "log.json"
    path.write_bytes(b'{"status": "success", "eval": {"x": "' + b"y" * 2**22 + b'"}}')
    with pytest.raises(RecordError, match="'eval' is larger than 1 MB"):
        inspect_log.read(path)
