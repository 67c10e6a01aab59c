"""Read and write results: atomic, sorted, and stamped with what they came from.

Layout under a registry's root: ``scaling_fits/SERIES/fit.json`` for each fit,
``reports/data/gains.json`` for all gains. Both are written by the machine only.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from cegain.errors import StoreError
from cegain.files import failed, patient_collector, remove, write_text
from cegain.results import (
    FORMAT,
    FitRecord,
    GainRecord,
    Results,
    fit_from_json,
    gain_from_json,
    to_json,
)
from cegain.scale import ScaleRecord, scale_from_json

Parts = Mapping[str, str]
GENERATED = "Written by `cegain recompute`; edits are overwritten."


Record = TypeVar("Record", FitRecord, GainRecord, ScaleRecord)


@dataclass(frozen=True)
class Stored(Generic[Record]):
    """A stored result and the fingerprints of its inputs.

    ``record`` is None where the file holds another format or was edited beyond
    recognition; ``intact`` is False where it was edited by hand.
    """

    record: Record | None
    parts: Parts
    intact: bool


@dataclass(frozen=True)
class Stock:
    """All stored results of a registry, read once; ``mark`` says of which state of the files.

    ``stored_before`` says that gains were once written, though ``gains.json`` may be gone.
    """

    fits: Mapping[str, Stored[FitRecord]]
    gains: Mapping[str, Stored[GainRecord]]
    lines: Mapping[str, Stored[ScaleRecord]]
    stored_before: bool
    mark: frozenset[tuple[str, int, int, int]]


@dataclass(frozen=True)
class Change:
    """A gain that moved: what it said, what it says, why, and on which day."""

    gain: str
    old: str
    new: str
    why: str
    date: str = ""


def digest(value: object) -> str:
    """Short fingerprint of plain values, independent of key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fit_path(root: Path, series: str) -> Path:
    """Where the fit of a series is stored."""
    return root / "scaling_fits" / series / "fit.json"


def gains_path(root: Path) -> Path:
    """Where all gains are stored."""
    return root / "reports" / "data" / "gains.json"


def lines_path(root: Path) -> Path:
    """Where gains by base compute are stored."""
    return root / "reports" / "data" / "gain_by_compute.json"


def changes_path(root: Path) -> Path:
    """Where gains that moved are logged, one JSON object a line."""
    return root / "reports" / "data" / "changes.jsonl"


def read_stock(root: Path) -> Stock:
    """All results as they lie on the disk.

    Raises ``StoreError`` where a file is there and cannot be read.
    """
    # the mark first: what is replaced while the files are read shows as another mark
    mark = stock_mark(root)
    before = gains_path(root).with_suffix(".csv").exists() or gains_path(root).exists()
    with patient_collector():
        return Stock(read_fits(root), read_gains(root), read_lines(root), before, mark)


def stock_mark(root: Path) -> frozenset[tuple[str, int, int, int]]:
    """What tells one state of the files of results from another, without reading them."""
    found = set()
    for path in (gains_path(root), lines_path(root), *(root / "scaling_fits").glob("*/fit.json")):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            about = path.stat()
            found.add((str(path), about.st_ino, about.st_mtime_ns, about.st_size))
    return frozenset(found)


def read_fits(root: Path) -> dict[str, Stored[FitRecord]]:
    """Stored fits by series."""
    return {
        path.parent.name: _stored(_read_json(path), fit_from_json, "fit")
        for path in sorted((root / "scaling_fits").glob("*/fit.json"))
    }


def read_gains(root: Path) -> dict[str, Stored[GainRecord]]:
    """Stored gains by key; an entry without a readable key is left out."""
    form, entries = _entries(gains_path(root), "gains")
    stored: dict[str, Stored[GainRecord]] = {}
    for entry in entries:
        found = _stored({**entry, "format": form}, gain_from_json)
        stored[gain_key(entry) if found.record is None else found.record.key] = found
    return stored


def gain_key(entry: Mapping[str, Any]) -> str:
    """Key of a gain from its names alone, whatever else was done to the entry."""
    parts = [str(entry.get(name)) for name in ("enhancement", "series", "model")]
    return "/".join([*parts, str(entry["variant"])] if entry.get("variant") else parts)


def read_lines(root: Path) -> dict[str, Stored[ScaleRecord]]:
    """Stored lines of gain by base compute, by key.

    A group of comparisons that allows no line is stored too, without a record.
    """
    form, entries = _entries(lines_path(root), "lines")
    stored: dict[str, Stored[ScaleRecord]] = {}
    for entry in entries:
        key, parts = str(entry.get("key", "")), entry.get("fingerprint")
        if entry.get("line") is None and form == FORMAT and isinstance(parts, dict):
            stored[key] = Stored(None, parts, True)
        else:
            stored[key] = _stored({**entry, "format": form}, scale_from_json, "line")
    return stored


def write_lines(root: Path, lines: Mapping[str, tuple[ScaleRecord | None, Parts]]) -> None:
    """Store all lines of gain by base compute, sorted by key."""
    rows = []
    for key in sorted(lines):
        record, parts = lines[key]
        body = None if record is None else to_json(record)
        entry = {"key": key, "fingerprint": dict(parts), "output": digest(body), "line": body}
        rows.append(entry)
    head = _compact({"generated": GENERATED, "format": FORMAT})[:-1]
    write_text(lines_path(root), _rows(f'{head},"lines":[\n', rows))


def read_results(root: str | Path) -> Results:
    """Stored fits and gains, as pages and tables read them."""
    folder = Path(root)
    return Results(
        {name: found.record for name, found in read_fits(folder).items() if found.record},
        {key: found.record for key, found in read_gains(folder).items() if found.record},
        {key: found.record for key, found in read_lines(folder).items() if found.record},
    )


def write_fit(root: Path, record: FitRecord, parts: Parts) -> None:
    """Store one fit."""
    body = to_json(record)
    document = {
        "generated": GENERATED,
        "format": FORMAT,
        "fingerprint": dict(parts),
        "output": digest(body),
        "fit": body,
    }
    write_text(fit_path(root, record.series), _dump(document, compact_below=3))


def write_gains(root: Path, gains: Mapping[str, tuple[GainRecord, Parts]]) -> None:
    """Store all gains, sorted by key, as JSON and beside it as CSV."""
    records = [gains[key][0] for key in sorted(gains)]
    bodies = [to_json(record) for record in records]
    write_text(gains_path(root).with_suffix(".csv"), _csv(records, bodies))
    entries = (
        {"fingerprint": dict(gains[key][1]), "output": digest(body), **body}
        for key, body in zip(sorted(gains), bodies, strict=True)
    )
    head = _compact({"generated": GENERATED, "format": FORMAT})[:-1]
    write_text(gains_path(root), _rows(f'{head},"gains":[\n', entries))


def _rows(head: str, entries: Iterable[object]) -> Iterator[str]:
    """A document with one entry on each line, piece by piece: the whole may be large."""
    yield head
    between = ""
    for entry in entries:
        yield f"{between}{_compact(entry)}"
        between = ",\n"
    yield "\n]}\n"


def append_changes(root: Path, changes: list[Change]) -> None:
    """Add gains that moved to the change log.

    A move that is already the last word on its gain is not added twice: an
    interrupted recompute may come back to it.
    """
    path = changes_path(root)
    log = _log(path)
    last = {change.gain: change for change in parse_changes(log, str(path))}
    fresh = [c for c in changes if c.gain not in last or replace(last[c.gain], date=c.date) != c]
    if fresh:
        write_text(path, [log, *(f"{_compact(asdict(change))}\n" for change in fresh)])


def read_changes(root: Path) -> tuple[Change, ...]:
    """Every gain that ever moved, oldest first.

    Raises ``StoreError`` where a line of the log cannot be read.
    """
    path = changes_path(root)
    return parse_changes(_log(path), str(path))


def parse_changes(text: str, name: str) -> tuple[Change, ...]:
    """A change log from its text; raises ``StoreError`` with place ``name`` as ``read_changes``."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            found.append(Change(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise StoreError(f"{name}:{number} is no change of a gain: remove the line.") from error
    return tuple(found)


def _log(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} is not UTF-8 text: restore it from version control.") from error
    except OSError as error:
        raise StoreError(
            f"{path} could not be read: {error.strerror or error}. Fix its rights; it cannot be "
            "computed anew."
        ) from error


def public_gain(record: GainRecord) -> dict[str, Any]:
    """One gain in the stable shape other programs read."""
    body = to_json(record)
    body["interval"] = list(record.interval)
    for name in ("reasons", "flags", "sensitive_to"):
        body[name] = list(body[name])
    body["sensitivity"] = {name: list(other) for name, other in record.sensitivity.items()}
    body["bound"] = {
        name: None if record.bound is None else getattr(record.bound, name)
        for name in ("lower", "upper", "same_family")
    }
    return body


def gains_csv(records: list[GainRecord]) -> str:
    """Gains as a flat CSV table, one row a comparison, sorted by key."""
    ordered = sorted(records, key=lambda gain: gain.key)
    return _csv(ordered, [to_json(record) for record in ordered])


def _csv(records: Sequence[GainRecord], bodies: Sequence[Mapping[str, Any]]) -> str:
    columns = [
        *("enhancement", "kind", "series", "model", "variant", "training_compute_flop"),
        *("baseline_score", "enhanced_score", "verdict", "route", "ratio", "low", "high", "level"),
        *("bound_lower", "bound_upper", "inference_cost_multiplier", "one_time_cost_flop"),
        *("checked", "source", "locator", "reasons"),
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record, body in zip(records, bodies, strict=True):
        bound = record.bound
        row = {
            **body,
            "low": record.interval[0],
            "high": record.interval[1],
            "bound_lower": bound.lower if bound else None,
            "bound_upper": bound.upper if bound else None,
            "reasons": "; ".join(record.reasons),
        }
        writer.writerow(row)
    return out.getvalue()


def remove_fit(root: Path, series: str) -> None:
    """Remove the stored fit of a series that is no longer in the registry."""
    path = fit_path(root, series)
    remove(path)
    try:
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()
    except OSError as error:
        raise failed("removed", path.parent, error) from error


def _entries(path: Path, name: str) -> tuple[object, list[dict[str, Any]]]:
    """Format and entries of a file of results; what is no entry is left out, and so redone."""
    value = _read_json(path)
    document = value if isinstance(value, dict) else {}
    entries = document.get(name)
    found = (
        [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
    return document.get("format"), found


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return None  # not JSON any more: read as edited, and redone
    except OSError as error:
        raise _unread(path, error) from error


def _unread(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path} could not be read: {error.strerror or error}. Fix its rights or remove it, "
        "then run the same command again: what is missing is computed anew."
    )


def _stored(
    value: object, read: Callable[[Mapping[str, Any]], Record], inside: str | None = None
) -> Stored[Record]:
    if not isinstance(value, dict):
        return Stored(None, {}, False)
    if value.get("format") != FORMAT:
        return Stored(None, {"format": str(value.get("format"))}, True)
    body = dict(value)
    parts, output = body.pop("fingerprint", {}), body.pop("output", "")
    body.pop("format")
    body = body.get(inside, {}) if inside else body
    if not isinstance(parts, dict):
        return Stored(None, {}, False)
    try:
        return Stored(read(body), parts, digest(body) == output)
    except (KeyError, TypeError, ValueError, AttributeError):
        # edited beyond recognition: kept as a result that is not intact, so that it is redone
        return Stored(None, {}, False)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _dump(value: Mapping[str, Any], compact_below: int) -> str:
    """JSON with one line per entry down to a depth, so that diffs stay readable."""

    def lines(item: object, depth: int) -> str:
        pad, end = "  " * depth, "  " * (depth - 1)
        if depth > compact_below or not isinstance(item, (dict, list, tuple)) or not item:
            return _compact(item)
        if isinstance(item, dict):
            rows = [f"{pad}{_compact(k)}: {lines(v, depth + 1)}" for k, v in item.items()]
            return "{\n" + ",\n".join(rows) + f"\n{end}}}"
        return "[\n" + ",\n".join(f"{pad}{lines(v, depth + 1)}" for v in item) + f"\n{end}]"

    return lines(dict(value), 1) + "\n"
