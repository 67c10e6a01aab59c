"""Data and reproduction: the gains as files inside the page, command and citation."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from cegain.briefing.scope import View
from cegain.briefing.words import clean
from cegain.results import FORMAT, GainRecord
from cegain.store import gains_csv, public_gain

# values under other choices of method are a third of the data and nothing here is drawn from
# them; the page says which gains they change, reports/data/gains.json says how
_LEFT_OUT = frozenset({"sensitivity"})
_PLAIN = 60_000  # characters of data above which the files are packed to keep the page small


@dataclass(frozen=True)
class File:
    """A file inside the page, as a link that saves it."""

    name: str
    text: str
    link: str


@dataclass(frozen=True)
class Data:
    """Embedded files as links, the command to make the page again, and how to cite it."""

    files: tuple[File, ...]
    rows: int
    command: str
    bibtex: str
    csl: str


def build_data(view: View) -> Data:
    """Files of every gain in scope, possibly empty, and how to make the page again."""
    table = gains_csv(list(view.gains))
    text = gains_json(view.gains)
    source = view.name or "reports/NAME.yaml"
    return Data(
        _files(table, text),
        len(view.gains),
        f"cegain report {source}",
        _bibtex(view),
        _csl(view),
    )


def _files(table: str, text: str) -> tuple[File, ...]:
    if len(table) + len(text) <= _PLAIN:
        return (
            File(
                "gains.csv",
                "the gains as CSV, for spreadsheets",
                "data:text/csv;charset=utf-8," + quote(table, safe=",;:/-._~()"),
            ),
            File(
                "gains.json",
                "the gains as JSON, for programs",
                "data:application/json;base64," + _base64(text.encode()),
            ),
        )
    return (
        File(
            "gains.zip",
            "the gains as CSV, for spreadsheets, and as JSON, for programs, packed together",
            "data:application/zip;base64,"
            + _base64(_packed({"gains.csv": table, "gains.json": text})),
        ),
    )


def _packed(files: Mapping[str, str]) -> bytes:
    """A ZIP of text files that depends on their contents alone: no clock, no system."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)  # dated 1980, always
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text.encode())
    return out.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def gains_json(gains: tuple[GainRecord, ...]) -> str:
    """Gains as JSON, column by column: a third of the size of one object for each gain."""
    rows = [public_gain(gain) for gain in sorted(gains, key=lambda gain: gain.key)]
    names = [name for name in (rows[0] if rows else ()) if name not in _LEFT_OUT]
    columns = {name: [row[name] for row in rows] for name in names}
    body = {"format": FORMAT, "gains": columns}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _bibtex(view: View) -> str:
    newest = view.newest
    plain = clean(view.definition.title, 200)
    # braces and backslashes would end the field early or start a command
    title = "".join(c for c in plain if c not in "{}\\%#$&_^~\u2068\u2069")
    lines = [
        "@misc{cegain-briefing,",
        f"  title = {{{title}}},",
        "  author = {{The cegain contributors}},",
    ]
    if newest is not None:
        lines.append(f"  year = {{{(view.last_read or newest).year}}},")
    lines += [f"  note = {{Governance briefing; {view.stamp.text}}},", "}"]
    return "\n".join(lines)


def _csl(view: View) -> str:
    """The same for reference managers that read CSL-JSON."""
    item: dict[str, object] = {
        "id": "cegain-briefing",
        "type": "report",
        "title": clean(view.definition.title, 200),
        "author": [{"literal": "The cegain contributors"}],
        "note": f"Governance briefing; {view.stamp.text}",
    }
    day = view.last_read or view.newest
    if day is not None:
        item["issued"] = {"date-parts": [[day.year, day.month, day.day]]}
    return json.dumps([item], ensure_ascii=False, indent=1)
