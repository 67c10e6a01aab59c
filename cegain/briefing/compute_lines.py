"""Effective compute against the lines that rules and policies draw.

Effective compute is training compute times gain. Rules count compute that was spent, so
this shows what would change if they counted its effect; it is no reading of the law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.definition import ComputeLine
from cegain.briefing.scope import View
from cegain.results import GainRecord

_NAMED = 6


@dataclass(frozen=True)
class Reach:
    """Effective compute of one base model: its training compute and a gain's three values."""

    model: str
    flop: float
    low: float
    central: float
    high: float


@dataclass(frozen=True)
class LineRow:
    """One line and how many base models cross it; ``usual`` and ``largest`` in words."""

    name: str
    amount: str
    status: str
    source: str
    link: str | None
    checked: str
    note: str
    below: int
    usual: str
    largest: str
    crossing: str


@dataclass(frozen=True)
class ShareRow:
    """A rule on the compute of a modification: counted by what is spent and by what it does."""

    name: str
    status: str
    source: str
    link: str | None
    checked: str
    note: str
    sentence: str


@dataclass(frozen=True)
class ComputeLines:
    """All lines of the definition against the base models in scope."""

    sentences: tuple[str, ...]
    rows: tuple[LineRow, ...]
    shares: tuple[ShareRow, ...]


def build_compute_lines(view: View) -> ComputeLines | None:
    """Models crossing each line; None without lines or without a model to count."""
    lines = view.definition.compute_lines
    usual, largest = reaches(view.checked)
    if not lines or not usual:
        return None
    rows = tuple(_row(line, usual, largest) for line in lines if line.modification_share is None)
    shares = tuple(
        _share_row(line, line.modification_share, view, usual)
        for line in lines
        if line.modification_share is not None
    )
    bounds = sum(
        gain.interval != (None, None) and not gain.has_ratio
        for gain in view.checked
        if gain.training_compute_flop is not None
    )
    sentences = [
        f"Counted: {formatting.count(len(usual), 'base model')} with known training compute "
        "and at least one estimated gain. Effective compute is training compute times "
        "gain: with the middle of a model’s gains, and with the largest of them.",
        "“Lower”, “central” and “upper” use the lower end, the middle and the upper end of the "
        "intervals.",
    ]
    if bounds:
        sentences.append(
            f"{formatting.count(bounds, 'gain')} known only as "
            f"{'a bound is' if bounds == 1 else 'bounds are'} left out, so the counts may be too "
            "low."
        )
    return ComputeLines(tuple(sentences), rows, shares)


def reaches(gains: Sequence[GainRecord]) -> tuple[list[Reach], list[Reach]]:
    """Each base model with the middle of its estimated gains, and with the largest."""
    by_model: dict[str, list[GainRecord]] = {}
    for gain in gains:
        if gain.has_ratio and gain.ratio and gain.training_compute_flop is not None:
            by_model.setdefault(gain.model, []).append(gain)
    usual, largest = [], []
    for model, own in sorted(by_model.items()):
        flop = own[0].training_compute_flop or 0.0
        lows = [gain.interval[0] for gain in own if gain.interval[0]]
        highs = [gain.interval[1] for gain in own if gain.interval[1]]
        mids = [gain.ratio for gain in own if gain.ratio]
        middle = words.middle(mids)
        usual.append(
            Reach(
                model,
                flop,
                words.middle(lows) if lows else 0.0,
                middle,
                words.middle(highs) if highs else middle,
            )
        )
        best = max(own, key=lambda gain: (gain.ratio or 0.0, gain.key))
        top = best.ratio or 0.0
        largest.append(Reach(model, flop, best.interval[0] or 0.0, top, best.interval[1] or top))
    return usual, largest


_ENDS: Mapping[str, Callable[[Reach], float]] = {
    "lower": lambda reach: reach.low,
    "central": lambda reach: reach.central,
    "upper": lambda reach: reach.high,
}


def crossing(line: ComputeLine, reach: Reach, gain: float) -> bool:
    """Whether a model below a line reaches it under a gain."""
    if line.factor is not None:
        return gain >= line.factor
    limit = line.training_compute_flop or 0.0
    return reach.flop < limit <= reach.flop * gain


def _row(line: ComputeLine, usual: Sequence[Reach], largest: Sequence[Reach]) -> LineRow:
    limit = line.training_compute_flop
    below = [reach for reach in usual if limit is None or reach.flop < limit]
    amount = (
        f"{words.plain_factor(line.factor)} growth"
        if line.factor is not None
        else f"{formatting.compute(limit or 1.0)} FLOP"
    )
    across = [reach for reach in largest if crossing(line, reach, reach.central)]
    across.sort(key=lambda reach: (-reach.flop, reach.model))
    named = [words.name(reach.model) for reach in across[:_NAMED]]
    if len(across) > _NAMED:
        named.append(f"{len(across) - _NAMED:,} more")
    return LineRow(
        words.name(line.name),
        amount,
        words.clean(line.status),
        words.clean(line.source),
        words.safe_url(line.url),
        words.CHECKED_WORDS[line.checked],
        words.clean(line.note or ""),
        len(below),
        _counts(line, usual),
        _counts(line, largest),
        words.listed(named) or "none",
    )


def _counts(line: ComputeLine, models: Sequence[Reach]) -> str:
    counts = [
        f"{sum(crossing(line, reach, end(reach)) for reach in models):,}" for end in _ENDS.values()
    ]
    return " / ".join(counts)


def _share_row(line: ComputeLine, share: float, view: View, usual: Sequence[Reach]) -> ShareRow:
    known = [s for gain in view.checked if (s := gain.one_time_cost_share) is not None]
    over = sum(spent > share for spent in known)
    effects = [
        f"{sum(end(reach) > 1.0 + share for reach in usual):,} ({name})"
        for name, end in _ENDS.items()
    ]
    limit = formatting.share(share)
    sentence = (
        f"By compute spent, {over:,} of {formatting.count(len(known), 'comparison')} with a known "
        f"one-time cost {'exceeds' if over == 1 else 'exceed'} {limit} of the original training "
        "compute. "
        if known
        else "No one-time cost is known, so compute spent cannot be set against the rule. "
    )
    sentence += (
        f"By effect, the middle gain adds more than {limit} to the effective compute of "
        f"{words.listed(effects)} of {formatting.count(len(usual), 'base model')}."
    )
    return ShareRow(
        words.name(line.name),
        words.clean(line.status),
        words.clean(line.source),
        words.safe_url(line.url),
        words.CHECKED_WORDS[line.checked],
        words.clean(line.note or ""),
        sentence,
    )
