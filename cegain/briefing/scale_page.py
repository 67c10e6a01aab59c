"""The page with the scale: what it is, the ruler, the table, and what has no place on it.

Page data only; ``templates/site/scale.html.j2`` renders it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from cegain import formatting
from cegain.briefing import words
from cegain.briefing.ruler import Place, Ruler, build_ruler
from cegain.briefing.scale_table import (
    LeftOut,
    ScaleRow,
    bounded,
    left_out,
    number,
    quarters,
    reach,
    span,
    table_rows,
)
from cegain.stitching.data import DataSource
from cegain.stitching.documents import Rate, Scale
from cegain.stitching.results import Method, PlacedBenchmark, PlacedModel
from cegain.stitching.rows import Placement

MATRIX_TITLE = "Capability scale: AI models and benchmarks on one ruler"
OWN_TITLE = "The registry’s own scale: models, benchmarks and enhancements on one ruler"

_MODEL = (
    "two-parameter logistic, one dimension, after Ho et al. 2025, “A Rosetta Stone for AI "
    "Benchmarks”, and the Epoch Capabilities Index"
)
_WEIGHTS = ", with weights for the number of questions"
_MODELS, _BENCHMARKS, _ENHANCED = 26, 22, 16  # drawn at most; all are in the table


@dataclass(frozen=True)
class About:
    """What the scores are, in words: title, source, date, and how the page is made again.

    ``released`` gives release days of models; ``link`` and ``home`` are addresses or None.
    """

    title: str
    source: str
    link: str | None
    as_of: str
    licence: str
    command: str
    released: Mapping[str, date]
    apart: bool
    home: str | None = None


def matrix_about(
    source: DataSource, released: Mapping[str, date], *, reference: bool, home: str | None
) -> About:
    """About the scale of the published score matrix; ``reference``: the index as published."""
    return About(
        MATRIX_TITLE,
        source.title,
        source.url,
        source.as_of,
        source.licence,
        "cegain stitch --reference" if reference else "cegain stitch",
        released,
        False,
        home,
    )


def own_about(released: Mapping[str, date], as_of: str, home: str | None) -> About:
    """About the scale of the registry's own scores, enhanced models apart."""
    return About(
        OWN_TITLE,
        "Scores of this registry, each with its own source (pages of the benchmark settings)",
        None,
        as_of,
        "CC BY 4.0 for the compilation; rights in the sources stay with their authors",
        "cegain stitch --registry",
        released,
        True,
        home,
    )


@dataclass(frozen=True)
class ScalePage:
    """Everything on the page, without any markup."""

    title: str
    facts: tuple[tuple[str, str], ...]
    link: str | None
    home: str | None
    is_: tuple[str, ...]
    is_not: tuple[str, ...]
    ruler: Ruler | None
    drawn: str
    finding: str
    rows: tuple[ScaleRow, ...]
    left_out: tuple[LeftOut, ...]
    command: str
    model: str


def build_scale_page(scale: Scale, about: About, rate: Rate | None = None) -> ScalePage:
    """Page data of one scale; ``rate`` (None: not known) says what compute adds on it."""
    plain = [m for m in scale.models if m.enhancement is None]
    enhanced = [m for m in scale.models if m.enhancement is not None]
    places = {m.name: m for m in plain}
    shown = _notable(plain, about.released, {name for name, _ in scale.anchors})
    measured = _measured(scale, plain)
    lifted = _telling(enhanced, places)
    drawn = [
        *(_model_place(m, scale) for m in shown),
        *(_benchmark_place(b, scale) for b in measured),
        *(_enhanced_place(m, places, scale) for m in lifted),
    ]
    ruler = build_ruler(drawn)
    left = tuple(left_out(scale))
    return ScalePage(
        words.clean(about.title, 160),
        tuple(_facts(scale, about, len(plain), len(enhanced))),
        words.safe_url(about.link),
        about.home,
        tuple(_is(scale, rate)),
        tuple(_is_not(scale, about)),
        ruler,
        _drawn(shown, measured, lifted, (plain, scale.benchmarks, enhanced)),
        _finding(shown, measured, scale),
        tuple(table_rows(scale)),
        left,
        words.clean(about.command),
        _MODEL + ("" if scale.method == Method.REFERENCE else _WEIGHTS),
    )


def _facts(scale: Scale, about: About, models: int, enhanced: int) -> Sequence[tuple[str, str]]:
    size = (
        f"{formatting.count(scale.n_scores, 'score')} of {formatting.count(models, 'model')}"
        f"{f' and {enhanced:,} models with an enhancement' if enhanced else ''} on "
        f"{formatting.count(len(scale.benchmarks), 'benchmark')}"
    )
    return (
        ("Scores", size),
        ("Source", words.clean(about.source)),
        ("Data as of", about.as_of),
        ("Licence of the data", words.clean(about.licence)),
        ("Scores miss the scale by", f"usually {100 * scale.rmse:.1f} percentage points"),
    )


def _is(scale: Scale, rate: Rate | None) -> Sequence[str]:
    yield_ = [
        "One number for each model and one for each benchmark, in the same unit. A model solves "
        "half of a benchmark (beyond guessing) when the two numbers are equal, more when its own "
        "is higher, less when it is lower. That places a model on tests it never took, and "
        "compares models that share no test, as long as others link them.",
        f"Intervals hold {100 * scale.level:.0f} % of the probability: they cover "
        + (
            "which of its benchmarks each model happened to be tested on, and nothing else."
            if scale.method == Method.REFERENCE
            else "which benchmarks happened to be chosen, the number of their questions, and how "
            "far models scatter about each benchmark’s curve."
        ),
    ]
    if scale.anchors:
        fixed = words.listed(f"{words.name(n)} stands at {value:g}" for n, value in scale.anchors)
        yield_.append(
            f"Two models fix the unit: {fixed}. They have no interval, because they define it."
        )
    else:
        yield_.append(
            "The unit is set by the usual benchmark: one point above its difficulty a model "
            "solves 73 % of it, two points 88 %. Zero is the average plain model, each counted "
            "as often as it was tested."
        )
    if rate is not None:
        yield_.append(
            f"Within a family of models built alike, ten times the training compute adds about "
            f"{formatting.significant(rate.mean)} points ({100 * rate.level:.0f} % interval "
            f"{span(rate.mean_interval, scale)}; for a family not yet seen "
            f"{span(rate.interval, scale)}), judged from "
            f"{formatting.count(rate.n_families, 'family', 'families')}."
        )
    return yield_


def _is_not(scale: Scale, about: About) -> Sequence[str]:
    enhanced = [m for m in scale.models if m.enhancement is not None]
    single = sum(m.n_benchmarks == 1 for m in enhanced)
    narrow = (
        f"; {single:,} of {len(enhanced):,} were measured on one benchmark alone, and their place "
        "says what they do there and little beyond"
    )
    mixed = (
        f"Each enhanced model stands apart from the plain one{narrow if single else ''}."
        if about.apart
        else "The published scores are each model’s best over its settings. Tools, thinking "
        "budgets and prompts are mixed with the model itself, so what an enhancement adds "
        "cannot be read from this page."
    )
    return (
        "It is not a measure of general intelligence, usefulness or danger. It has one dimension, "
        "made of these benchmarks; a model trained for the skills they test looks better here "
        "than it is elsewhere.",
        "It is not an exact ranking: models whose intervals overlap cannot be told apart. "
        "Questions that leaked into training and differences between test harnesses are not in "
        "the intervals.",
        "It is not a legal or policy threshold, and a step on it has no fixed value: at the "
        "lower end it rests on other tests and other models than at the upper end.",
        mixed,
    )


def _notable(
    models: Sequence[PlacedModel], released: Mapping[str, date], fixed: Collection[str]
) -> list[PlacedModel]:
    """Models that set a record when released, the anchors, and the best measured between them."""
    sound = [m for m in models if m.verdict is Placement.PLACED]
    dated = sorted(
        (m for m in sound if m.name in released),
        key=lambda m: (released[m.name], -m.capability, m.name),
    )
    best, records = -math.inf, []
    for model in dated:
        if model.capability > best:
            best = model.capability
            records.append(model)
    chosen = {m.name: m for m in sound if m.name in fixed}
    # of too many records, the latest: older ones lie lower and are filled in below
    for model in records[-(_MODELS * 2 // 3) :]:
        chosen[model.name] = model
    rest = [m for m in sound if m.name not in chosen]
    while rest and len(chosen) < _MODELS:
        taken = [m.capability for m in chosen.values()]

        def gap(model: PlacedModel, taken: Sequence[float] = taken) -> float:
            near = min((abs(model.capability - other) for other in taken), default=1.0)
            return near * math.sqrt(model.n_benchmarks)

        # far from those shown and measured on many benchmarks
        pick = max(rest, key=lambda m: (gap(m), m.name))
        chosen[pick.name] = pick
        rest.remove(pick)
    return list(chosen.values())


def _measured(scale: Scale, models: Sequence[PlacedModel]) -> list[PlacedBenchmark]:
    """Benchmarks taken by most models, of those that tell models apart at all."""
    sound = [m.capability for m in models if m.verdict is Placement.PLACED]
    reached = max(sound, default=0.0) - min(sound, default=0.0)
    steep = [
        b
        for b in scale.benchmarks
        if b.verdict is Placement.PLACED and quarters(b)[1] - quarters(b)[0] <= max(reached, 1e-9)
    ]
    return sorted(steep, key=lambda b: (-b.n_models, b.name))[:_BENCHMARKS]


def relabelled(scale: Scale, benchmarks: Mapping[str, str], names: Mapping[str, str]) -> Scale:
    """The same scale with benchmarks and enhancements by their full names instead of keys."""

    def full(model: PlacedModel) -> PlacedModel:
        if model.enhancement is None:
            return model
        slug, _, variant = model.enhancement.partition("/")
        name = f"{model.model} + {names.get(slug, slug)}{f', {variant}' if variant else ''}"
        return replace(model, name=name)

    return replace(
        scale,
        models=tuple(full(model) for model in scale.models),
        benchmarks=tuple(replace(b, name=benchmarks.get(b.name, b.name)) for b in scale.benchmarks),
        excluded=tuple(replace(e, name=benchmarks.get(e.name, e.name)) for e in scale.excluded),
    )


def _telling(
    enhanced: Sequence[PlacedModel], places: Mapping[str, PlacedModel]
) -> list[PlacedModel]:
    """One enhanced model for each enhancement, the best measured, most benchmarks first."""
    best: dict[str, PlacedModel] = {}
    for model in sorted(enhanced, key=lambda m: (-m.n_benchmarks, m.name)):
        if model.model in places and model.verdict in {Placement.PLACED, Placement.ONE_BENCHMARK}:
            best.setdefault(_slug(model), model)
    return sorted(best.values(), key=lambda m: (-m.n_benchmarks, m.name))[:_ENHANCED]


def _slug(model: PlacedModel) -> str:
    return (model.enhancement or "").split("/", maxsplit=1)[0]


def _model_place(model: PlacedModel, scale: Scale) -> Place:
    return Place(
        "model",
        words.name(model.name),
        model.capability,
        model.interval,
        _brief(model, scale),
        _told(model, scale),
    )


def _enhanced_place(model: PlacedModel, places: Mapping[str, PlacedModel], scale: Scale) -> Place:
    base = places[model.model]
    return Place(
        "enhancement",
        words.name(model.name),
        model.capability,
        model.interval,
        f"{_brief(model, scale)}; without {bounded(base, scale)}",
        f"{_told(model, scale)}; without the enhancement {bounded(base, scale)}, "
        f"{base.verdict.value}",
        origin=base.capability,
    )


def _benchmark_place(benchmark: PlacedBenchmark, scale: Scale) -> Place:
    low, high = quarters(benchmark)
    at = number(benchmark.difficulty, scale)
    ends = benchmark.interval
    return Place(
        "benchmark",
        words.name(benchmark.name),
        benchmark.difficulty,
        ends,
        f"{at} ({span(ends, scale)}), {benchmark.verdict.value}" if ends else at,
        f"half solved at {at}{f' ({_ends(ends, scale)})' if ends else ''}; a quarter to three "
        f"quarters solved from {span((low, high), scale)}; {benchmark.verdict.value} by "
        f"{formatting.count(benchmark.n_models, 'model')}",
        span=(low, high),
    )


def _brief(model: PlacedModel, scale: Scale) -> str:
    return f"{bounded(model, scale)} ({reach(model, scale)}), {model.verdict.value}"


def _told(model: PlacedModel, scale: Scale) -> str:
    ends = _ends(model.interval, scale) if model.interval else reach(model, scale)
    tests = formatting.count(model.n_benchmarks, "benchmark")
    return f"{number(model.capability, scale)} ({ends}); {model.verdict.value}, {tests}"


def _ends(ends: tuple[float, float], scale: Scale) -> str:
    return (
        f"{100 * scale.level:.0f} % interval {number(ends[0], scale)} to {number(ends[1], scale)}"
    )


def _drawn(
    models: Sequence[PlacedModel],
    benchmarks: Sequence[PlacedBenchmark],
    enhanced: Sequence[PlacedModel],
    whole: tuple[Sequence[PlacedModel], Sequence[PlacedBenchmark], Sequence[PlacedModel]],
) -> str:
    parts = [
        f"{len(models)} of {formatting.count(len(whole[0]), 'model')} (those that led when they "
        "came out, as far as release days are known, and the best measured ones in between)",
        f"{len(benchmarks)} of {formatting.count(len(whole[1]), 'benchmark')} (those taken by most "
        "models, of those that tell models apart)",
    ]
    if enhanced:
        parts.append(
            f"{len(enhanced)} of {len(whole[2]):,} models with an enhancement (one for each "
            "enhancement, those measured on most benchmarks)"
        )
    return f"Drawn: {words.listed(parts)}. All others are in the table."


def _finding(
    models: Sequence[PlacedModel], benchmarks: Sequence[PlacedBenchmark], scale: Scale
) -> str:
    if not models or not benchmarks:
        return "Too little has a firm place to say what the chart shows."
    top = max(models, key=lambda m: m.capability)
    hard = max(benchmarks, key=lambda b: b.difficulty)
    easy = min(benchmarks, key=lambda b: b.difficulty)
    kind = "plain models" if any(m.enhancement for m in scale.models) else "models"
    solved = sum(b.difficulty < top.capability for b in benchmarks)
    return (
        f"{words.name(top.name)} stands highest of the {kind} drawn, at "
        f"{number(top.capability, scale)}: above the middle of {solved} of the {len(benchmarks)} "
        f"benchmarks drawn. {words.name(hard.name)} is the hardest of these "
        f"({number(hard.difficulty, scale)}), {words.name(easy.name)} the easiest "
        f"({number(easy.difficulty, scale)})."
    )
