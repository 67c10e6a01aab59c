"""Methods and limitations: fixed text a reader needs, and what holds for these records."""

from __future__ import annotations

from dataclasses import dataclass

from cegain import formatting
from cegain.briefing.reasons import flag_groups
from cegain.briefing.scope import View
from cegain.gains import Verdict
from cegain.scaling import FitStatus


@dataclass(frozen=True)
class Methods:
    """How the numbers were made, in under 200 words."""

    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Limitations:
    """What holds for any such study, and what holds for these records."""

    general: tuple[str, ...]
    specific: tuple[str, ...]


def build_methods(view: View) -> Methods:
    """The method in plain words; the level is that of the stored intervals."""
    return Methods(
        (
            "For every benchmark setting we collect published scores of plain models with known "
            "training compute and fit an S-shaped curve of score against compute. The fit lets "
            "model families differ in efficiency and carries the uncertainty of scores, compute "
            "and shape.",
            "For a model with and without an enhancement, the gain is the factor by which its "
            "training compute would have to grow, by the same recipe, to reach the higher score. "
            "Other sizes of its family that were trained alike, where they were measured, help to "
            "say where the model stands and how fast its family improves. "
            f"Intervals hold {view.level * 100:.0f} % of the probability; ends that nothing bounds "
            "stay open.",
            "A gain is interpolated where the enhanced score falls inside the range of measured "
            "models, extrapolated up to a factor of ten beyond it, and only a lower bound further "
            "out. Apart from any curve, a measured bound compares the enhanced model directly with "
            "larger plain ones. Where scores do not rise with compute, no gain is stated.",
            "Gains of different comparisons are shown side by side, not averaged.",
        )
    )


def build_limitations(view: View) -> Limitations:
    """Fixed cautions and counted ones."""
    return Limitations(_GENERAL, tuple(_specific(view)))


_GENERAL = (
    "A gain answers one question: how much more training would have bought the same score on this "
    "test. It does not say how useful, or how dangerous, a model becomes.",
    "Published results favour techniques that worked, on tests on which they worked.",
    "A gain measured on one model, test or size need not hold for another.",
    "Gains of two enhancements used together cannot be multiplied; that needs its own measurement.",
    "How the model was asked without the enhancement matters: a weak starting point makes the gain "
    "look larger.",
    "“More than” and “at least” mean a floor set by the models there were to compare with. It is "
    "not an estimate.",
    "Public models and public tests lag behind the newest systems.",
)


def _specific(view: View) -> list[str]:
    found = []
    gains = view.gains
    total = len(gains)
    unverified = total - len(view.checked)
    if unverified:
        found.append(
            f"{unverified:,} of {formatting.count(total, 'comparison')} rest on numbers that could "
            "not be checked. They are marked in the table and left out of every headline."
        )
    second = sum(gain.checked == "secondary" for gain in gains)
    if second:
        found.append(
            f"{second:,} of {formatting.count(total, 'comparison')} were read second-hand, not in "
            "the original publication."
        )
    far = sum(gain.verdict is Verdict.EXTRAPOLATED for gain in view.checked)
    if far:
        found.append(
            f"{formatting.count(far, 'gain')} reach beyond the measured models; they depend on the "
            "shape of the curve."
        )
    fits = [fit for s in view.series if (fit := view.fit(s.slug)) is not None]
    for status, text in (
        (FitStatus.DOUBTFUL, "judged doubtful"),
        (FitStatus.UNUSABLE, "not usable, so that only measured bounds remain there"),
    ):
        number = sum(fit.status is status for fit in fits)
        if number:
            are = "is" if number == 1 else "are"
            found.append(f"{number:,} of {formatting.count(len(fits), 'curve')} {are} {text}.")
    found += [
        f"{formatting.count(number, 'comparison')}: {text}."
        for text, number in flag_groups(c for gain in view.checked for c in view.cautions(gain))
        if not text.startswith("the curve is doubtful")
    ]
    costless = sum(gain.inference_cost_multiplier is None for gain in gains)
    if costless:
        found.append(
            f"For {costless:,} of {formatting.count(total, 'comparison')} the cost of running the "
            "enhancement is not known, so the gain cannot be weighed against it."
        )
    return found
