"""Changes since the last issue: which gains moved, from what to what, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.scope import View
from cegain.store import Change

_SHOWN = 25


@dataclass(frozen=True)
class ChangeRow:
    """One gain that moved."""

    slug: str
    name: str
    about: str
    old: str
    new: str
    why: str
    date: str


@dataclass(frozen=True)
class Changes:
    """Gains that moved, newest first, and how often each reason was given."""

    sentences: tuple[str, ...]
    rows: tuple[ChangeRow, ...]
    more: int


def build_changes(view: View) -> Changes | None:
    """Moves logged since the last issue, of gains in scope; None where there was none."""
    since = view.definition.last_issue
    first = since.isoformat() if since is not None else ""
    gains = {gain.key: gain for gain in view.gains}
    slugs = {entry.slug: entry.enhancement.name for entry in view.entries}
    found: list[tuple[Change, str]] = []
    for change in view.extras.changes:
        slug = change.gain.split("/", 1)[0]
        if slug in slugs and (not first or change.date >= first):
            found.append((change, slug))
    if not found:
        return None
    # newest first; within a day in the order of the log
    found.sort(key=lambda item: item[0].date, reverse=True)
    why = Counter(words.clean(change.why, 90) for change, _ in found)
    ranked = sorted(why.items(), key=lambda item: (-item[1], item[0]))
    keys = {change.gain for change, _ in found}
    when = f"since {first}" if first else "since results were first stored"
    gone = len(keys - set(gains))
    sentences = [
        f"{formatting.count(len(keys), 'gain')} moved {when}, "
        f"in {formatting.count(len(found), 'step')}.",
        f"Why: {'; '.join(f'{text} ({number:,})' for text, number in ranked[:4])}.",
    ]
    if gone:
        are = "is" if gone == 1 else "are"
        sentences.append(f"{gone:,} of them {are} no longer in the scope of this briefing.")
    rows = tuple(_row(change, slug, slugs[slug]) for change, slug in found[:_SHOWN])
    return Changes(tuple(sentences), rows, len(found) - len(rows))


def _row(change: Change, slug: str, name: str) -> ChangeRow:
    return ChangeRow(
        slug,
        words.name(name),
        words.clean(", ".join(change.gain.split("/")[1:]), 120),
        words.clean(change.old, 90),
        words.clean(change.new, 90),
        words.clean(change.why, 120),
        words.clean(change.date, 20) or "not noted",
    )
