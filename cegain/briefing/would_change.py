"""What would change this: which missing data stand between the reader and a firmer answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cegain.briefing import words
from cegain.briefing.scope import View
from cegain.gains import Verdict
from cegain.records import ReportedBy
from cegain.results import GainRecord

_NAMED = 3


@dataclass(frozen=True)
class Missing:
    """One thing nobody published or measured: how many comparisons wait for it, and where."""

    what: str
    effect: str
    count: int
    where: str


@dataclass(frozen=True)
class WouldChange:
    """What is missing, by the number of comparisons it would help."""

    rows: tuple[Missing, ...]
    whole: int


def build_would_change(view: View) -> WouldChange | None:
    """Counted from stored verdicts and reasons; None where nothing was computed."""
    if not view.gains:
        return None
    waiting = [
        *((rule, [gain for gain in view.checked if rule.waits(gain, view)]) for rule in _RULES),
        (_ACCESS, [gain for gain in view.gains if _ACCESS.waits(gain, view)]),
    ]
    rows = [_row(rule, found, view) for rule, found in waiting if found]
    rows.sort(key=lambda row: (-row.count, row.what))
    return WouldChange(tuple(rows), len(view.gains))


def _model(gain: GainRecord, _: View) -> str:
    return words.name(gain.model)


def _test(gain: GainRecord, view: View) -> str:
    return view.test(gain.series)


def _enhancement(gain: GainRecord, _: View) -> str:
    return words.name(gain.name)


@dataclass(frozen=True)
class _Rule:
    """What is missing, what that does now, which gains wait for it, and where they are."""

    what: str
    effect: str
    waits: Callable[[GainRecord, View], bool]
    where: Callable[[GainRecord, View], str] = _enhancement


_BEYOND = frozenset({Verdict.EXTRAPOLATED, Verdict.LOWER_BOUND, Verdict.NO_FINITE_EQUIVALENT})


def _undecided(gain: GainRecord, _: View) -> bool:
    low, high = gain.interval
    return gain.verdict is Verdict.INTERPOLATED and (low or 0.0) <= 1.0 <= (high or 0.0)


def _because(pattern: str) -> Callable[[GainRecord, View], bool]:
    """Whether the first reason of a gain is of a kind."""
    return lambda gain, _: bool(gain.reasons) and re.match(pattern, gain.reasons[0]) is not None


_RULES = (
    _Rule(
        "The training compute of the models compared",
        "No gain can be stated without it.",
        _because("training compute of .* is not known"),
        _model,
    ),
    _Rule(
        "Scores of more plain models, of clearly different size, on the same test",
        "A curve could be fitted; now there is a bound or nothing.",
        _because(r"no curve: (only|models span|no model is)"),
        _test,
    ),
    _Rule(
        "Another test, on which plain models improve with training compute",
        "On these tests compute buys no score, so no gain in compute can be stated.",
        _because("no curve: scores do not rise"),
        _test,
    ),
    _Rule(
        "Plain scores of larger models on the same test",
        "The gain would be read within the range of the curve instead of beyond it.",
        lambda gain, _: gain.verdict in _BEYOND,
        _test,
    ),
    _Rule(
        "More questions, or both scores question by question",
        "The interval includes 1×: whether there is a gain or a loss stays open.",
        _undecided,
    ),
    _Rule(
        "Agreement on the choices of method named under “How sure are we”",
        "One of them changes the verdict or moves the value more than twofold.",
        lambda gain, view: bool(view.depends_on(gain)),
    ),
    _Rule(
        "Repeats by others than the developers",
        "The grade would not be lowered for it, and the gain might be smaller.",
        lambda gain, _: gain.reported_by == ReportedBy.DEVELOPER,
    ),
    _Rule(
        "The cost of an answer with and without the enhancement",
        "The gain cannot be weighed against what it costs to use.",
        lambda gain, _: gain.inference_cost_multiplier is None,
    ),
)
_ACCESS = _Rule(
    "The source of numbers nobody could check",
    "They stand in the table only.",
    lambda gain, _: not gain.headline_worthy,
)


def _row(rule: _Rule, found: Sequence[GainRecord], view: View) -> Missing:
    counted = Counter(rule.where(gain, view) for gain in found)
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    where = [f"{name} ({number:,})" for name, number in ranked[:_NAMED]]
    if len(ranked) > _NAMED:
        where.append(f"{len(ranked) - _NAMED:,} more")
    return Missing(rule.what, rule.effect, len(found), "; ".join(where))
