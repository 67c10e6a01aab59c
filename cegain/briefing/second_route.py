"""The second route: gains through the capability scale, beside direct gains, never averaged.

A direct gain is read off the curve of one benchmark. A gain via the index asks how far an
enhancement lifts a model on a scale made of many benchmarks, and what compute buys there.

The judgement: the routes agree where the direct gain lies inside the index's interval and
that interval spans at most a factor of a hundred; they differ where it lies outside;
otherwise nobody can tell. Where the direct route gives only bounds, the routes differ
where the index's interval lies beyond one, and agree where a narrow one keeps to all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.backtests import Calibration
from cegain.briefing.reasons import reason_words
from cegain.briefing.scope import View
from cegain.gains import Verdict
from cegain.results import GainRecord
from cegain.stitching.documents import StoredGain
from cegain.stitching.gain import IndexVerdict

WIDEST = 2.0  # decades; a wider interval contains almost any figure
_VAGUE = 3.0  # decades; of a wider interval no centre is told
_FEW = 14  # rows of gains that only the second route gives; more are counted
AGREE, DIFFER, UNTOLD = "agree", "differ", "cannot tell"


@dataclass(frozen=True)
class RouteRow:
    """One enhancement on the model measured on most benchmarks, both routes side by side.

    ``others`` counts the judgements of its other models; ``index`` holds the verdict.
    """

    slug: str
    name: str
    model: str
    direct: str
    index: str
    judged: str
    benchmarks: str
    others: str


@dataclass(frozen=True)
class LoneRow:
    """A gain that only the second route gives, and why the direct one cannot."""

    slug: str
    name: str
    model: str
    index: str
    benchmarks: str
    why: str


@dataclass(frozen=True)
class SecondRoute:
    """The section; ``calibration`` None means that none is stored."""

    sentences: tuple[str, ...]
    stale: bool
    level: str
    rows: tuple[RouteRow, ...]
    lone: tuple[LoneRow, ...]
    more: int
    calibration: Calibration | None


@dataclass(frozen=True)
class _Case:
    gain: StoredGain
    direct: tuple[GainRecord, ...]
    judged: str

    @property
    def rank(self) -> tuple[bool, int, float, str]:
        low, high = self.gain.interval
        wide = 99.0 if low is None or high is None else words.log10(high / low)
        answered = any(one.interval != (None, None) for one in self.direct)
        return (not answered, -self.gain.shared, wide, self.gain.model)


def build_second_route(view: View) -> SecondRoute | None:
    """From the stored second route; None where nothing in scope has a gain through it."""
    stored = view.extras.via_index
    if stored is None:
        return None
    found, unchecked = _cases(view, stored.gains)
    if not found:
        return None
    grouped: dict[str, list[_Case]] = {}
    for case in found:
        grouped.setdefault(case.gain.slug, []).append(case)
    names = {entry.slug: words.name(entry.enhancement.name) for entry in view.entries}
    both = {
        slug: sorted((c for c in cases if _answered(c)), key=lambda c: c.rank)
        for slug, cases in grouped.items()
    }
    lone = sorted((c for c in found if not _answered(c)), key=lambda c: c.rank)
    first: dict[str, _Case] = {}
    for case in lone:
        first.setdefault(case.gain.slug, case)
    shown = list(first.values())[:_FEW]
    return SecondRoute(
        tuple(_sentences(found, len(lone), unchecked, stored.rate.n_families)),
        not view.extras.index_current,
        formatting.share(stored.scale.level),
        tuple(_row(names[slug], cases) for slug, cases in both.items() if cases),
        tuple(_lone_row(names[case.gain.slug], case) for case in shown),
        len(lone) - len(shown),
        view.extras.routes,
    )


def _cases(view: View, stored: Iterable[StoredGain]) -> tuple[list[_Case], int]:
    """Gains in scope with a number or a bound, and how many rest on unchecked figures."""
    own: dict[tuple[str, str], list[GainRecord]] = {}
    for one in view.gains:
        name = f"{one.enhancement}/{one.variant}" if one.variant else one.enhancement
        own.setdefault((name, one.model), []).append(one)
    order = {entry.slug: number for number, entry in enumerate(view.entries)}
    found, unchecked = [], 0
    for gain in stored:
        direct = own.get((gain.enhancement, gain.model))
        if direct is None or gain.verdict is IndexVerdict.NOT_ESTIMABLE:
            continue
        if not all(one.headline_worthy for one in direct):
            unchecked += 1
            continue
        found.append(_Case(gain, tuple(direct), _judged(gain, direct)))
    found.sort(key=lambda case: (order[case.gain.slug], case.gain.enhancement, case.gain.model))
    return found, unchecked


def _answered(case: _Case) -> bool:
    return any(gain.verdict is not Verdict.NOT_ESTIMABLE for gain in case.direct)


def _judged(gain: StoredGain, direct: Sequence[GainRecord]) -> str:
    low, high = (None if end is None else words.log10(end) for end in gain.interval)
    ratios = [words.log10(one.ratio) for one in direct if one.has_ratio and one.ratio]
    narrow = low is not None and high is not None and high - low <= WIDEST
    if ratios:
        # several curves: their mean, as the index, too, reads all of them at once
        centre = sum(ratios) / len(ratios)
        if (low is not None and centre < low) or (high is not None and centre > high):
            return DIFFER
        return AGREE if narrow else UNTOLD
    lows = [words.log10(one.interval[0]) for one in direct if one.interval[0]]
    highs = [words.log10(one.interval[1]) for one in direct if one.interval[1]]
    least, most = max(lows, default=-math.inf), min(highs, default=math.inf)
    if (high is not None and high < least) or (low is not None and low > most):
        return DIFFER
    keeps = (not lows or (low is not None and low >= least)) and (
        not highs or (high is not None and high <= most)
    )
    return AGREE if narrow and keeps and (lows or highs) else UNTOLD


def _row(name: str, cases: Sequence[_Case]) -> RouteRow:
    case, *others = cases
    counted = Counter(other.judged for other in others)
    return RouteRow(
        case.gain.slug,
        name,
        _model(case.gain),
        words.spread(case.direct) + _single_verdict(case.direct),
        index_words(case.gain),
        case.judged,
        _benchmarks(case.gain),
        ", ".join(f"{counted[word]:,} {word}" for word in (AGREE, DIFFER, UNTOLD) if counted[word])
        or "–",
    )


def _single_verdict(gains: Sequence[GainRecord]) -> str:
    estimates = [gain for gain in gains if gain.verdict is Verdict.INTERPOLATED]
    return ", interpolated" if len(estimates) == len(gains) == 1 else ""


def _lone_row(name: str, case: _Case) -> LoneRow:
    reasons = (gain.reasons[0] if gain.reasons else "" for gain in case.direct)
    counted = Counter(reason_words(reason, short=True) for reason in reasons)
    return LoneRow(
        case.gain.slug,
        name,
        _model(case.gain),
        index_words(case.gain),
        _benchmarks(case.gain),
        "; ".join(text for text, _ in sorted(counted.items(), key=lambda i: (-i[1], i[0]))),
    )


def _model(gain: StoredGain) -> str:
    _, _, variant = gain.enhancement.partition("/")
    return words.name(f"{gain.model}, {variant}" if variant else gain.model)


def _benchmarks(gain: StoredGain) -> str:
    return (
        f"{gain.shared:,} of {gain.n_benchmarks:,}"
        if gain.shared != gain.n_benchmarks
        else (f"{gain.shared:,}")
    )


def index_words(gain: StoredGain) -> str:
    """A gain via the index with its interval and its verdict, which is never left out."""
    low, high = gain.interval
    if gain.verdict is IndexVerdict.VIA_INDEX and gain.ratio is not None:
        if low is not None and high is not None and words.log10(high / low) > _VAGUE:
            return f"somewhere in {words.span(low, high)}, {gain.verdict.value}"
        return f"{words.times(gain.ratio)} ({words.span(low, high)}), {gain.verdict.value}"
    if gain.verdict is IndexVerdict.LOWER_BOUND and low is not None:
        return f"at least {words.times(low)}, {gain.verdict.value}"
    if gain.verdict is IndexVerdict.UPPER_BOUND and high is not None:
        return f"at most {words.times(high)}, {gain.verdict.value}"
    return gain.verdict.value


def _sentences(cases: Sequence[_Case], lone: int, unchecked: int, families: int) -> Iterable[str]:
    judged = Counter(case.judged for case in cases if _answered(case))
    total = sum(judged.values())
    if total:
        yield (
            f"For {formatting.count(total, 'pair')} of enhancement and model both routes say "
            f"something: {judged[AGREE]:,} agree, {judged[DIFFER]:,} differ, and for "
            f"{judged[UNTOLD]:,} nobody can tell, because one route gives only a bound or the "
            "index’s interval spans more than a factor of a hundred."
        )
    if lone:
        yield (
            f"For {formatting.count(lone, 'more pair')} the direct route can say nothing; there "
            "the index is the only figure, and a weaker one."
        )
    single = sum(case.gain.shared == 1 for case in cases)
    if single:
        yield (
            f"{formatting.count(single, 'gain')} via the index "
            f"{'rests' if single == 1 else 'rest'} on a single benchmark: there both routes read "
            "the same two scores, so that they agree says little."
        )
    yield (
        "What compute buys on the scale is judged from "
        f"{formatting.count(families, 'family', 'families')} of models built alike."
    )
    if unchecked:
        yield (
            f"{formatting.count(unchecked, 'pair')} with numbers that were not verified "
            f"{'is' if unchecked == 1 else 'are'} left out."
        )
