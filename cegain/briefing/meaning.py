"""What a gain means in a policy reader's units: one well supported gain, translated."""

from __future__ import annotations

from dataclasses import dataclass

from cegain.briefing import words
from cegain.briefing.findings import firmest_gain
from cegain.briefing.scope import View
from cegain.equivalents.draws import Refusal, recorded_gain
from cegain.equivalents.page import Meaning, meaning_of


@dataclass(frozen=True)
class MeaningSection:
    """The gain that serves as the example, in words, and what it is in other units."""

    example: str
    meaning: Meaning


def build_meaning(view: View) -> MeaningSection | None:
    """Translate the firmest gain; None without such a gain or without converters."""
    converters, gain = view.extras.converters, firmest_gain(view)
    if converters is None or gain is None:
        return None
    drawn = recorded_gain(gain)
    if isinstance(drawn, Refusal):
        return None
    where = view.test(gain.series)
    example = (
        f"{words.name(gain.name)} on {words.name(gain.model)}, benchmark {where}: "
        f"{words.number(gain)}"
    )
    return MeaningSection(example, meaning_of(drawn, converters, gain.training_compute_flop))
