"""Key findings: one claim each, with number, likelihood words, caution and evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.definition import GradeLevel
from cegain.briefing.grades import Grade, Reason
from cegain.briefing.likelihood import SCALES, Band, likelihood
from cegain.briefing.reasons import FLAG_KEY, reason_groups
from cegain.briefing.scope import View
from cegain.briefing.summary import bounded, middles, wholly_above, wholly_below
from cegain.briefing.table import percent
from cegain.gains import Verdict
from cegain.records import CostBasis
from cegain.resampling import quantiles
from cegain.results import GainRecord

_COUNT = "not graded: this counts what the records say and estimates no effect."


@dataclass(frozen=True)
class Finding:
    """One card. ``likelihood`` is empty where no stored probability bears on the claim.

    ``grade`` is that of the one comparison a claim is about; where it is about many,
    None with their grades counted in ``evidence``.
    """

    claim: str
    number: str
    meaning: str
    likelihood: str
    grade: Grade | None
    evidence: str
    caution: str
    section: str
    anchor: str
    link_text: str


@dataclass(frozen=True)
class Findings:
    """The cards, and the key to the likelihood words they use."""

    cards: tuple[Finding, ...]
    scale: str
    key: tuple[Band, ...]


def build_findings(view: View) -> Findings | None:
    """Up to seven cards, each only where the data bear it; None where nothing was computed."""
    if not view.checked:
        return None
    cards = [card for rule in _RULES if (card := rule(view)) is not None]
    scale = SCALES[view.definition.likelihood_scale]
    key = scale.bands if any(card.likelihood for card in cards) else ()
    return Findings(tuple(cards), scale.name, key)


def mean_probability(gains: Sequence[GainRecord], factor: int) -> tuple[float, int] | None:
    """Mean stored probability that a gain exceeds 1, 5 or 20, and over how many gains."""
    stored = [g.probability_above[str(factor)] for g in gains if g.probability_above is not None]
    return (sum(stored) / len(stored), len(stored)) if stored else None


def _typical(view: View, factor: int) -> str:
    chance = mean_probability(view.checked, factor)
    if chance is None:
        return ""
    return (
        f"For a comparison picked at random among the {chance[1]:,} read off a curve, a gain above "
        f"{factor}× is {likelihood(chance[0], view.definition.likelihood_scale)}."
    )


def _together(view: View, gains: Sequence[GainRecord]) -> str:
    """Grades of many comparisons: how many of each, and what lowered most of them."""
    grades = [view.grade(gain) for gain in gains]
    levels = Counter(grade.level for grade in grades)
    parts = [f"{levels[level]:,} {level}" for level in GradeLevel if levels[level]]
    reasons = Counter(step.reason for grade in grades for step in grade.downgrades)
    order = list(Reason)
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], order.index(item[0])))
    text = f"of {formatting.count(len(grades), 'comparison')}, {words.listed(parts)}"
    if ranked:
        text += "; lowered most often for " + words.listed(
            f"{reason} ({number:,})" for reason, number in ranked[:2]
        )
    return f"{text}."


def _alone(view: View, gain: GainRecord) -> tuple[Grade, str]:
    grade = view.grade(gain)
    return grade, grade.text


def _direction(view: View) -> Finding | None:
    answered = bounded(view.checked)
    if not answered:
        return None
    whole = len(answered)
    above = sum(wholly_above(gain, 1.0) for gain in answered)
    verb = "shows" if above == 0 or whole == 1 else "show"
    claim = f"{words.sentence(words.portion(above, whole))} {verb} a clear gain"
    text = _typical(view, 1)
    return Finding(
        claim,
        f"{above:,} of {whole:,}",
        f"The whole interval, or the bound, lies above 1× in {formatting.share(above / whole)} "
        "of the comparisons with an interval or a bound.",
        text,
        None,
        _together(view, answered),
        "Published comparisons favour techniques that worked; failed attempts are seldom printed.",
        "forest",
        "forest",
        "See the chart of all gains",
    )


def _size(view: View) -> Finding | None:
    inside = middles(view)
    if len(inside) < 4:
        return None
    ends = quantiles([words.log10(ratio) for ratio in inside], [0.25, 0.5, 0.75])
    low, mid, high = (float(10.0**end) for end in ends)
    text = _typical(view, 5)
    return Finding(
        f"The usual enhancement gains about {words.times(mid)}",
        f"{words.times(low)} to {words.times(high)}",
        f"Each of the {len(inside):,} enhancements with gains inside the range of measured models "
        "is represented by its middle gain. Half of these lie between the two numbers above. "
        "Gains depend on benchmark, model and technique, so one figure for all would mislead.",
        text,
        None,
        _together(view, [g for g in view.checked if g.verdict is Verdict.INTERPOLATED]),
        "This describes what was published; it is not an average effect. Bounds and "
        "extrapolations are left out of it.",
        "forest",
        "forest",
        "See the chart of all gains",
    )


def firmest_gain(view: View) -> GainRecord | None:
    """The best supported gain above 1×; None where none is surely above it."""
    firm = [
        gain
        for gain in view.checked
        if gain.verdict is Verdict.INTERPOLATED and (gain.interval[0] or 0.0) > 1.0
    ]
    # a gain that carries no caution goes before any that does
    firm = [gain for gain in firm if not view.cautions(gain)] or firm
    # and then one with better evidence before any with worse
    return max(
        firm,
        key=lambda gain: (-view.grade(gain).level.rank, gain.interval[0] or 0.0, gain.key),
        default=None,
    )


def _established(view: View) -> Finding | None:
    best = firmest_gain(view)
    if best is None:
        return None
    who = f"{words.name(best.name)} on {words.name(best.model)}"
    where = view.test(best.series)
    above = best.probability_above or {}
    text = ""
    if "5" in above:
        scale = view.definition.likelihood_scale
        text = (
            f"That this gain exceeds 5× is {likelihood(above['5'], scale)}; "
            f"that it exceeds 20× is {likelihood(above['20'], scale)}."
        )
    meaning = dict(FLAG_KEY)
    cautions = [meaning[letter] for letter in view.cautions(best)]
    return Finding(
        f"The firmest gain read off a curve is at least {words.times(best.interval[0] or 1.0)}",
        words.number(best),
        f"{who}, benchmark {where}: from {formatting.score(best.baseline_score)} to "
        f"{formatting.score(best.enhanced_score)}. "
        + (
            "No other gain inside the range of measured models with evidence of this grade has a "
            "higher lower end."
            if cautions
            else "No other gain inside the range of measured models, without a caution and with "
            "evidence of this grade, has a higher lower end."
        )
        + _strongest_bound(view),
        text,
        *_alone(view, best),
        words.sentence(f"{'; '.join(cautions)}.")
        if cautions
        else "It holds for this model and test only.",
        "table",
        f"c-{best.enhancement}",
        "See its comparisons",
    )


def _strongest_bound(view: View) -> str:
    bounds = [
        gain
        for gain in view.checked
        if gain.verdict is Verdict.MEASURED_BOUND and (gain.interval[0] or 0.0) > 1.0
    ]
    if not bounds:
        return ""
    best = max(bounds, key=lambda gain: (gain.interval[0] or 0.0, gain.key))
    return (
        " Without any curve, comparing measured models alone, the strongest bound is more than "
        f"{words.times(best.interval[0] or 1.0)} ({words.name(best.name)} on "
        f"{words.name(best.model)})."
    )


def _losses(view: View) -> Finding | None:
    answered = bounded(view.checked)
    worse = [gain for gain in answered if wholly_below(gain, 1.0)]
    if not worse:
        return None
    inside = [gain for gain in worse if gain.verdict is Verdict.INTERPOLATED]
    worst = min(inside or worse, key=lambda gain: (gain.interval[1] or 0.0, gain.key))
    names = sorted({gain.enhancement for gain in worse})
    where = view.test(worst.series)
    return Finding(
        "Some enhancements made the score worse",
        f"{len(worse):,} of {len(answered):,}",
        f"In these comparisons, of {formatting.count(len(names), 'enhancement')}, the whole "
        f"interval lies below 1×. The clearest{' inside the measured range' if inside else ''}: "
        f"{words.name(worst.name)} on {words.name(worst.model)}, benchmark {where}, "
        f"{words.number(worst)}.",
        "",
        *_alone(view, worst),
        "A loss on one test or one size need not carry over to others.",
        "table",
        f"c-{worst.enhancement}",
        "See its comparisons",
    )


def _one_time(view: View) -> Finding | None:
    by_entry = {}
    for entry in view.entries:
        shares = [s for gain in entry.checked if (s := gain.one_time_cost_share) is not None]
        if shares:
            by_entry[entry.slug] = max(shares)
    if not by_entry:
        return None
    cheap = sum(share < 0.01 for share in by_entry.values())
    whole = len(by_entry)
    who = words.sentence(words.portion(cheap, whole, "enhancement"))
    claim = f"{who} with a known one-time cost took under 1 % of the training compute"
    dearest = max(by_entry.values())
    return Finding(
        claim,
        f"{cheap:,} of {whole:,}",
        "One-time cost is the compute spent once to build the enhancement, for example to train "
        f"it in. The dearest known here is {percent(dearest)} of the model’s training compute.",
        "",
        None,
        _COUNT,
        f"The cost is recorded for {whole:,} of {len(view.entries):,} enhancements; what costs "
        "nothing once may cost more at each use.",
        "table",
        "table",
        "See costs in the table",
    )


def _inference(view: View) -> Finding | None:
    known = sorted(
        gain.inference_cost_multiplier
        for gain in view.checked
        if gain.inference_cost_multiplier is not None
    )
    if not known:
        return None
    estimated = sum(
        gain.inference_cost_multiplier is not None
        and gain.inference_cost_basis == CostBasis.ESTIMATED
        for gain in view.checked
    )
    dear = sum(value > 10 for value in known)
    verb = "is" if dear == 0 or len(known) == 1 else "are"
    claim = (
        f"{words.sentence(words.portion(dear, len(known)))} with a known running cost {verb} more "
        "than ten times as expensive to run"
    )
    return Finding(
        claim,
        f"{words.times(known[0])} to {words.times(known[-1])}"
        if known[-1] > known[0]
        else words.times(known[0]),
        f"Cost of one answer with the enhancement over one without it, in "
        f"{formatting.count(len(known), 'comparison')}; the middle value is "
        f"{words.times(words.middle(known))}. A gain bought this way is paid at every use.",
        "",
        None,
        _COUNT,
        f"Known for {formatting.share(len(known) / len(view.checked))} of the comparisons"
        + (f", and only estimated in {estimated:,} of them" if estimated else "")
        + "; the table says how each was obtained.",
        "table",
        "table",
        "See costs in the table",
    )


def _gaps(view: View) -> Finding | None:
    lost = [gain for gain in view.checked if gain.verdict is Verdict.NOT_ESTIMABLE]
    soft = [
        gain
        for gain in view.checked
        if gain.verdict in {Verdict.EXTRAPOLATED, Verdict.LOWER_BOUND, Verdict.UPPER_BOUND}
    ]
    whole = len(view.checked)
    if not lost and not soft:
        return None
    main = f" The most frequent reason: {reason_groups(lost)[0][0]}." if lost else ""
    return Finding(
        f"For {formatting.share(len(lost) / whole)} of the comparisons no gain can be stated"
        if lost
        else "Every comparison says something, but not all of it is firm",
        f"{len(lost):,} of {whole:,}",
        f"{len(lost):,} could not be estimated and {len(soft):,} more reach beyond the largest "
        f"or smallest model measured.{main}",
        "",
        None,
        _COUNT,
        "That a gain could not be estimated does not mean that there was none.",
        "table",
        "table",
        "See the reasons in the table",
    )


_RULES: tuple[Callable[[View], Finding | None], ...] = (
    _direction,
    _size,
    _established,
    _losses,
    _one_time,
    _inference,
    _gaps,
)
