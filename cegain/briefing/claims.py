"""What the 2023 survey claims of all enhancements together, tested on the records in scope."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.scope import View
from cegain.briefing.table import percent
from cegain.gains import Verdict
from cegain.results import GainRecord

SURVEY = "2312.07413"  # its number on arXiv, as sources name it
_Z90 = 1.645
_SEVERAL = 3  # enhancements from which on a share of them is told


@dataclass(frozen=True)
class Claims:
    """Sentences on the survey's headline claims, and its number among the sources."""

    sentences: tuple[str, ...]
    source: int


def survey_claims(view: View) -> Claims | None:
    """The survey's headline claims beside these records.

    None where nothing in scope cites the survey, or too few enhancements for a share to
    mean anything. A gain is surely above a factor where its interval's low end, or its
    measured lower bound, lies above it.
    """
    cited = (
        view.citations.number(entry.slug, key)
        for entry in view.entries
        for key, source in entry.enhancement.sources.items()
        if SURVEY in source.url
    )
    number = next((found for found in cited if found is not None), None)
    by_name: dict[str, list[GainRecord]] = {}
    for gain in view.checked:
        if gain.verdict is not Verdict.NOT_ESTIMABLE:
            by_name.setdefault(gain.enhancement, []).append(gain)
    if number is None or len(by_name) < _SEVERAL:
        return None
    total = len(by_name)
    parts = []
    for factor in (5, 20):
        anywhere = sum(any(_above(g, factor) for g in gains) for gains in by_name.values())
        mostly = sum(
            2 * sum(_above(g, factor) for g in gains) > len(gains) for gains in by_name.values()
        )
        parts.append(
            f"Of {total} enhancements with a stated gain, {_share(anywhere, total)} are surely "
            f"above {factor}× in at least one comparison, and {_share(mostly, total)} in most of "
            "theirs."
        )
    claim = (
        "The survey of 2023 (Davidson et al.) says that most of the enhancements it covers gain "
        "more than 5×, some more than 20×, and that fine-tuning typically costs under 1 % of "
        "training."
    )
    why = (
        "As far as its figures could be recovered, they come from tests on which the techniques "
        "do well, often as ratios of model sizes; here every recorded test counts, losses "
        "included."
    )
    return Claims(tuple(text for text in (claim, *parts, why, _cost(view)) if text), number)


def _above(gain: GainRecord, factor: float) -> bool:
    low = gain.interval[0]
    bound = gain.bound.lower if gain.bound is not None and gain.bound.same_family else None
    return any(end is not None and end > factor for end in (low, bound))


def _share(count: int, total: int) -> str:
    """A share with its 90 % interval (Wilson), which says how little a few records can."""
    p, z = count / total, _Z90
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    reach = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    reach /= 1 + z * z / total
    low, high = max(0.0, middle - reach), min(1.0, middle + reach)
    return f"{count} ({formatting.share(p)}, 90 % interval {100 * low:.0f}–{100 * high:.0f} %)"


def _cost(view: View) -> str:
    spent = [gain.one_time_cost_share for gain in view.checked if gain.one_time_cost_share]
    if not spent:
        return ""
    cheap = sum(part < 0.01 for part in spent)
    known = formatting.count(len(spent), "comparison")
    return (
        f"Where an enhancement needs training and its cost is known ({known}), "
        f"the middle cost is {percent(words.middle(spent))} of the model’s training; "
        f"{formatting.share(cheap / len(spent))} cost under 1 %."
    )
