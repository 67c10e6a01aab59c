"""Score rows of many benchmarks as one matrix, and a verdict on everything that is in it.

A row is one score of one model on one benchmark, with or without an enhancement. A model
and the same model with an enhancement are different subjects: merging them, as a maximum
over configurations does, hides what the enhancement did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cegain.errors import FitError
from cegain.observations import UNKNOWN_ITEMS
from cegain.stitching.arrow import Floats, Layout

_SOLVED = 0.02  # chance-corrected: nearer to 0 or 1 than this, a score places nothing


@dataclass(frozen=True)
class ScoreRow:
    """One score, a fraction; ``enhancement`` names what was added to the plain model."""

    model: str
    benchmark: str
    score: float
    n_items: int | None = None
    enhancement: str | None = None

    @property
    def subject(self) -> str:
        """What is placed on the scale: the model, or the model with its enhancement."""
        return f"{self.model} + {self.enhancement}" if self.enhancement else self.model


@dataclass(frozen=True)
class BenchmarkFacts:
    """What is known of a benchmark besides its scores.

    ``corrected`` says that its scores were already rescaled to 0 at chance and 1 at the
    ceiling.
    """

    chance: float = 0.0
    ceiling: float = 1.0
    n_items: int | None = None
    corrected: bool = False


class Placement(StrEnum):
    """What a place on the scale rests on; printed beside it."""

    PLACED = "placed"
    ONE_BENCHMARK = "one benchmark"
    ABOVE = "above the scale"
    BELOW = "below the scale"
    NOT_CONNECTED = "not connected"


@dataclass(frozen=True)
class Judgement:
    """Verdict on a subject or a benchmark, with the reason in words."""

    name: str
    verdict: Placement
    reason: str = ""


@dataclass(frozen=True)
class ScoreMatrix:
    """Rows of one connected set; arrays are (n,) by row or (B,) by benchmark.

    ``score`` is chance-corrected: 0 at chance, 1 at the ceiling. ``items`` is the number of
    items behind each row. ``excluded`` lists what has no link to the largest connected set.
    """

    subjects: tuple[str, ...]
    benchmarks: tuple[str, ...]
    layout: Layout
    score: Floats
    items: Floats
    chance: Floats
    enhancement: Mapping[str, tuple[str, str]]
    subject_verdicts: tuple[Judgement, ...]
    benchmark_verdicts: tuple[Judgement, ...]
    excluded: tuple[Judgement, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.score)


def build_matrix(
    rows: Iterable[ScoreRow], facts: Mapping[str, BenchmarkFacts] | None = None
) -> ScoreMatrix:
    """Check rows, keep the largest connected set, and judge each subject and benchmark.

    Raises FitError if there is nothing to stitch: no rows, a score outside 0..1, two
    scores of a subject on one benchmark, or no benchmark with two subjects.
    """
    given = list(rows)
    if not given:
        raise FitError("no scores to stitch")
    known = facts or {}
    seen: set[tuple[str, str]] = set()
    for row in given:
        if not 0.0 <= row.score <= 1.0:
            raise FitError(
                f"{row.subject} on {row.benchmark}: score must be a fraction between 0 and 1 "
                f"(got {row.score:g})"
            )
        if (row.subject, row.benchmark) in seen:
            raise FitError(
                f"{row.subject} has two scores on {row.benchmark}: keep the one whose "
                "configuration is meant, or name the enhancement of the other"
            )
        seen.add((row.subject, row.benchmark))
    kept, excluded = _largest_set(given)
    subjects = tuple(dict.fromkeys(row.subject for row in kept))
    benchmarks = tuple(dict.fromkeys(row.benchmark for row in kept))
    at = {name: index for index, name in enumerate(subjects)}
    to = {name: index for index, name in enumerate(benchmarks)}
    layout = Layout(
        np.array([at[row.subject] for row in kept], dtype=np.intp),
        np.array([to[row.benchmark] for row in kept], dtype=np.intp),
        len(subjects),
        len(benchmarks),
    )
    if len(kept) == len(benchmarks):
        raise FitError("no benchmark has two models: there is nothing to stitch")
    about = [known.get(name, BenchmarkFacts()) for name in benchmarks]
    score = np.array([corrected(row.score, about[to[row.benchmark]]) for row in kept])
    items = [row.n_items or about[to[row.benchmark]].n_items or UNKNOWN_ITEMS for row in kept]
    return ScoreMatrix(
        subjects,
        benchmarks,
        layout,
        score,
        np.array(items, dtype=float),
        np.array([fact.chance for fact in about]),
        {row.subject: (row.model, row.enhancement) for row in kept if row.enhancement},
        _judge_subjects(subjects, layout, score),
        _judge_benchmarks(benchmarks, layout, score),
        tuple(excluded),
    )


def corrected(score: float, fact: BenchmarkFacts) -> float:
    """A score as 0 at chance and 1 at the ceiling, clipped there."""
    if fact.corrected:
        return score
    share = (score - fact.chance) / (fact.ceiling - fact.chance)
    return float(min(max(share, 0.0), 1.0))


def _largest_set(rows: list[ScoreRow]) -> tuple[list[ScoreRow], list[Judgement]]:
    """Rows of the largest set of subjects and benchmarks that hang together."""
    subjects = {name: i for i, name in enumerate(dict.fromkeys(row.subject for row in rows))}
    benchmarks = {name: i for i, name in enumerate(dict.fromkeys(row.benchmark for row in rows))}
    size = len(subjects) + len(benchmarks)
    starts = np.array([subjects[row.subject] for row in rows], dtype=np.int64)
    ends = np.array([len(subjects) + benchmarks[row.benchmark] for row in rows], dtype=np.int64)
    graph = coo_matrix((np.ones(len(rows)), (starts, ends)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    sizes = np.bincount(label[starts])
    largest = int(np.argmax(sizes))
    inside = [row for row in rows if label[subjects[row.subject]] == largest]
    lost = dict.fromkeys(name for name, index in subjects.items() if label[index] != largest)
    lost |= dict.fromkeys(
        name for name, index in benchmarks.items() if label[len(subjects) + index] != largest
    )
    reason = "shares no benchmark, even through other models, with the models on the scale"
    return inside, [Judgement(name, Placement.NOT_CONNECTED, reason) for name in lost]


def _judge_subjects(names: tuple[str, ...], layout: Layout, score: Floats) -> tuple[Judgement, ...]:
    judged = []
    for index, name in enumerate(names):
        own = score[layout.subject == index]
        if (own <= _SOLVED).all():
            verdict, reason = Placement.BELOW, "no score above chance: capability is an upper bound"
        elif (own >= 1.0 - _SOLVED).all():
            verdict, reason = Placement.ABOVE, "every score full: capability is a lower bound"
        elif own.size == 1:
            verdict = Placement.ONE_BENCHMARK
            reason = "placed by one benchmark alone: its other skills are unknown"
        else:
            verdict, reason = Placement.PLACED, ""
        judged.append(Judgement(name, verdict, reason))
    return tuple(judged)


def _judge_benchmarks(
    names: tuple[str, ...], layout: Layout, score: Floats
) -> tuple[Judgement, ...]:
    judged = []
    for index, name in enumerate(names):
        own = score[layout.benchmark == index]
        if (own <= _SOLVED).all():
            verdict, reason = Placement.ABOVE, "nobody solves it: its difficulty is a lower bound"
        elif (own >= 1.0 - _SOLVED).all():
            verdict, reason = Placement.BELOW, "all solve it: its difficulty is an upper bound"
        elif own.size == 1:
            verdict, reason = Placement.ONE_BENCHMARK, "one model only: it links nothing"
        else:
            verdict, reason = Placement.PLACED, ""
        judged.append(Judgement(name, verdict, reason))
    return tuple(judged)
