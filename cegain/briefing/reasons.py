"""Why gains could not be estimated, and what to be careful about, grouped into plain words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from cegain import formatting
from cegain.briefing.words import clean
from cegain.results import GainRecord

# (beginning of a stored reason, the same to a reader, the same in a table); the first that
# fits is used, and a reason that fits none is printed as it stands
_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        "training compute of .* is not known",
        "nobody published the model’s training compute",
        "compute not published",
    ),
    (
        "no curve: only",
        "too few plain models with known training compute were measured on the benchmark",
        "too few models",
    ),
    (
        "no curve: models span",
        "the models measured are too close in size to show a trend",
        "models too close in size",
    ),
    (
        "no curve: no model is",
        "no plain model has left the level of guessing on the benchmark",
        "all models at guessing",
    ),
    (
        "no curve: scores do not rise",
        "scores of plain models do not clearly rise with compute",
        "scores do not rise",
    ),
    (
        "both scores are at the floor",
        "both scores are at the level of guessing",
        "both scores at guessing",
    ),
    (
        "the curve leaves the gain open at both",
        "the curve bounds the gain at neither end",
        "open at both ends",
    ),
)
_DOUBTS: tuple[tuple[str, str], ...] = (
    ("residuals grow with release date", "newer models score above it, older ones below"),
    ("one family only", "all its models are of one family"),
    ("effective sample size", "its uncertainty is numerically hard to draw"),
)
# (letter in the table, beginning of a stored caution, what it means to a reader)
_FLAGS: tuple[tuple[str, str, str], ...] = (
    ("a", "doubtful fit", "the curve is doubtful (few models, one family, or a short range)"),
    ("b", "baseline at the floor", "the score without the enhancement is at the level of guessing"),
    ("c", "baseline near the ceiling", "the score without it is close to the best possible"),
    ("d", "the two scores come from diff", "the two scores were published in different places"),
    ("e", "number of items not stated", "the number of questions is not stated (250 assumed)"),
    ("f", "only ", "fewer than 100 questions were asked"),
    ("g", "training compute is spec", "the figure for training compute is speculative"),
    ("h", "the enhanced score is below", "the score is lower with the enhancement than without"),
)
_SENSITIVE = (
    "i",
    "another reasonable choice of method changes the verdict or moves the value more than twofold",
)
_OTHER = ("j", "another caution, given in the data")
FLAG_KEY: tuple[tuple[str, str], ...] = (*((f[0], f[2]) for f in _FLAGS), _SENSITIVE, _OTHER)


def reason_groups(gains: Iterable[GainRecord]) -> tuple[tuple[str, int], ...]:
    """Main reasons in words with how often each applies, most frequent first."""
    words = (reason_words(gain.reasons[0] if gain.reasons else "") for gain in gains)
    return tuple(sorted(Counter(words).items(), key=lambda item: (-item[1], item[0])))


def flag_letters(flags: Iterable[str], *, sensitive: bool) -> tuple[str, ...]:
    """Letters of stored cautions; ``sensitive``: a choice of method changes the answer."""
    found = {
        next((letter for letter, start, _ in _FLAGS if flag.startswith(start)), _OTHER[0])
        for flag in flags
    }
    if sensitive:
        found.add(_SENSITIVE[0])
    return tuple(sorted(found))


def flag_groups(letters: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Cautions of several gains in words with how often each applies, most frequent first."""
    counted = Counter(letters)
    meaning = dict(FLAG_KEY)
    return tuple(
        (meaning[letter], number)
        for letter, number in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )


def reason_words(reason: str, *, short: bool = False) -> str:
    """One stored reason in plain words, for a sentence or short for a table."""
    for pattern, words, brief in _REASONS:
        if re.match(pattern, reason):
            return brief if short else words
    return clean(reason) or "no reason was stored"


def fit_reason_words(reason: str) -> str:
    """Why a curve is doubtful or not usable, in plain words."""
    spans = re.match(r"compute spans (\d+(?:\.\d+)?) decades", reason)
    if spans:
        factor = formatting.significant(10.0 ** min(float(spans[1]), 9.0))
        return f"its models span a factor of only {factor} in compute"
    known = next((words for start, words in _DOUBTS if reason.startswith(start)), None)
    return known or clean(reason, 160)
