"""Rules on the data themselves: numbers that are possible but that somebody should look at.

Each fires only where nothing explains the number: a note on the row, the comparison or the
model, or a setting of the series that says so, answers the warning for good.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date

from cegain.checks import ELSEWHERE, Finding, Path, check, enhancement_file, run_checks
from cegain.observations import UNKNOWN_ITEMS
from cegain.records import (
    Arm,
    Checked,
    Comparison,
    Elicitation,
    Floor,
    Point,
    Registry,
    Series,
    Source,
)

SURE = 4.0  # standard errors: one false alarm in tens of thousands of rows
SLACK = 0.02  # of a score, beyond its sampling error: rounding, harness, normalisation
# a paper's first version is dated, its tables are revised: months may pass between them
REVISION_DAYS = 366


def run_all_checks(registry: Registry) -> tuple[Finding, ...]:
    """Every finding of every rule, of this module and of ``checks``."""
    return run_checks(registry)


def sampling_error(score: float, items: int | None, published: float | None = None) -> float:
    """Standard error of a score; with items unknown a hundred are assumed."""
    if published:
        return published
    n = items or UNKNOWN_ITEMS
    share = (score * n + 0.5) / (n + 1)
    return math.sqrt(share * (1 - share) / n)


@check("warning")
def scores_lie_in_range(registry: Registry) -> Iterator[Finding]:
    """A score below chance or above the ceiling by more than its sampling error."""
    for slug, series in registry.benchmarks.items():
        for row, point in enumerate(series.points):
            said = None if point.note else _out_of_range(point, series)
            if said:
                path: Path = ("row", row, "score")
                yield Finding(f"scaling_fits/{slug}/points.csv", path, said, _RANGE_REPAIR)
    for slug, index, comparison, series in _comparisons(registry):
        for name, arm in (("baseline", comparison.baseline), ("enhanced", comparison.enhanced)):
            said = None if comparison.note else _out_of_range(arm, series)
            if said:
                yield Finding(
                    enhancement_file(registry, slug),
                    ("comparisons", index, name, "score"),
                    said,
                    _RANGE_REPAIR,
                )


_RANGE_REPAIR = (
    "Check the source; if it is right, say why in a note, or set `floor: free` in the series "
    "where no valid answer counts as wrong."
)


def _out_of_range(measured: Arm | Point, series: Series) -> str | None:
    settings, items, score = series.settings, series.items_of(measured), measured.score
    if settings.floor is not Floor.FREE:
        # guessing varies with the items, whatever error is published for repeated runs
        error = sampling_error(settings.chance, items, None if items else measured.score_se)
        if score < settings.chance - SURE * error - SLACK:
            return f"is below chance by more than its sampling error ({settings.chance:g})"
    error = sampling_error(settings.ceiling, items, measured.score_se)
    if score > settings.ceiling + SURE * error + SLACK:
        return f"is above the ceiling by more than its sampling error ({settings.ceiling:g})"
    return None


@check("warning")
def baselines_match_their_series(registry: Registry) -> Iterator[Finding]:
    """The baseline of a comparison is the point of the same model, or a note says why not."""
    for slug, index, comparison, series in _comparisons(registry):
        point = next((p for p in series.points if p.model == comparison.model), None)
        if point is None or comparison.note or point.note:
            continue
        base = comparison.baseline
        error = math.hypot(
            sampling_error(base.score, series.items_of(base), base.score_se),
            sampling_error(point.score, series.items_of(point), point.score_se),
        )
        if abs(base.score - point.score) > SURE * error + SLACK:
            yield Finding(
                enhancement_file(registry, slug),
                ("comparisons", index, "baseline", "score"),
                f"is {base.score:g} where the series has {point.score:g} for {comparison.model}",
                "Check that the baseline has the protocol of the series; say in the note what "
                "differs.",
            )


@check("warning")
def baselines_are_elicited_as_the_series(registry: Registry) -> Iterator[Finding]:
    """A baseline under another protocol than its series needs a note."""
    for slug, index, comparison, series in _comparisons(registry):
        if comparison.note:
            continue
        for name, ours, theirs in _elicited_otherwise(
            comparison.baseline.elicitation, series.settings.elicitation
        ):
            yield Finding(
                enhancement_file(registry, slug),
                ("comparisons", index, "baseline", "elicitation", name),
                f"is {ours} where the series has {theirs}",
                "Name a series of the baseline's own protocol, or say in the note what differs.",
            )


def _elicited_otherwise(ours: Elicitation, theirs: Elicitation) -> Iterator[tuple[str, str, str]]:
    # only what both state, and only what is a count or a yes-or-no: wording differs freely
    for name in ("shots", "samples"):
        pair = (getattr(ours, name), getattr(theirs, name))
        if None not in pair and pair[0] != pair[1]:
            yield name, str(pair[0]), str(pair[1])
    for name in ("tools", "fine_tuning"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine and other and (mine == "none") != (other == "none"):
            yield name, str(mine), str(other)


@check("warning")
def items_agree(registry: Registry) -> Iterator[Finding]:
    """All rows of a series are scored on the same items, or a note says why not."""
    for slug, series in registry.benchmarks.items():
        stated = series.settings.n_items
        for row, point in enumerate(series.points):
            if stated and point.n_items and point.n_items != stated and not point.note:
                yield Finding(
                    f"scaling_fits/{slug}/points.csv",
                    ("row", row, "n_items"),
                    f"is {point.n_items} where the series has {stated}",
                    _ITEMS_REPAIR,
                )
    for slug, index, comparison, series in _comparisons(registry):
        stated = series.settings.n_items
        for name, arm in (("baseline", comparison.baseline), ("enhanced", comparison.enhanced)):
            if stated and arm.n_items and arm.n_items != stated and not comparison.note:
                yield Finding(
                    enhancement_file(registry, slug),
                    ("comparisons", index, name, "n_items"),
                    f"is {arm.n_items} where the series has {stated}",
                    _ITEMS_REPAIR,
                )


_ITEMS_REPAIR = "Correct the count, or say in the note which items are left out."


@check("warning")
def series_of_a_benchmark_agree_on_items(registry: Registry) -> Iterator[Finding]:
    """Series of one benchmark have one number of items, or their notes say which subset."""
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for slug, series in registry.benchmarks.items():
        settings = series.settings
        if settings.n_items is None or settings.note:
            continue
        seen = first.setdefault((settings.benchmark, settings.metric), (slug, settings.n_items))
        if seen[1] != settings.n_items:
            yield Finding(
                f"scaling_fits/{slug}/benchmark.yaml",
                ("n_items",),
                f"is {settings.n_items} where {seen[0]}, of the same benchmark, has {seen[1]}",
                "Correct the count, or say in the series' note which items it takes.",
            )


@check("warning")
def shared_sources_are_cited(registry: Registry) -> Iterator[Finding]:
    """A shared source nobody cites is a leftover."""
    cited = {model.source for model in registry.models.values()}
    for series in registry.benchmarks.values():
        inside = {point.source for point in series.points}
        inside |= {exclusion.source for exclusion in series.settings.exclusions if exclusion.source}
        cited |= inside
        for key in series.settings.sources:
            if key not in inside:
                file = f"scaling_fits/{series.slug}/benchmark.yaml"
                yield Finding(file, ("sources", key), "is never cited", "Cite it or remove it.")
    for key in registry.sources:
        if key not in cited:
            file = "scaling_fits/sources.yaml"
            yield Finding(file, ("sources", key), "is never cited", "Cite it or remove it.")
    used = {gain.source for gain in registry.elsewhere.reported_gains}
    for key in registry.elsewhere.sources:
        if key not in used:
            yield Finding(ELSEWHERE, ("sources", key), "is never cited", "Cite it or remove it.")


@check("warning")
def models_precede_their_scores(registry: Registry) -> Iterator[Finding]:
    """A paper cannot report a model released long after the paper."""
    for slug, series in registry.benchmarks.items():
        for row, point in enumerate(series.points):
            source = series.settings.sources.get(point.source) or registry.sources.get(point.source)
            late = _days_late(point.model, source, registry)
            if late > REVISION_DAYS and not point.note:
                yield Finding(
                    f"scaling_fits/{slug}/points.csv",
                    ("row", row, "source"),
                    f"{point.source} was published {late} days before {point.model} was released",
                    _DATE_REPAIR,
                )
    for slug, index, comparison, _ in _comparisons(registry):
        sources = registry.enhancements[slug].sources
        late = _days_late(comparison.model, sources.get(comparison.source), registry)
        if late > REVISION_DAYS and not comparison.note:
            yield Finding(
                enhancement_file(registry, slug),
                ("comparisons", index, "source"),
                f"{comparison.source} was published {late} days before {comparison.model} "
                "was released",
                _DATE_REPAIR,
            )


_DATE_REPAIR = (
    "Check the model, the source and both dates; a later version of a table needs a note."
)


def _days_late(name: str, source: Source | None, registry: Registry) -> int:
    model = registry.models.get(name)
    released: date | None = model.released if model else None
    if source is None or source.published is None or released is None:
        return 0
    # tables in a repository are kept up to date: the day they were looked up counts
    kept = "github.com" in source.url and source.accessed is not None
    published = source.accessed if kept and source.accessed else source.published
    return (released - published).days


@check("warning")
def excluded_models_are_not_the_evidence(registry: Registry) -> Iterator[Finding]:
    """A comparison on a model whose own point the series leaves out as wrong needs a word."""
    for slug, index, comparison, series in _comparisons(registry):
        reason = next(
            (e.reason for e in series.settings.exclusions if e.model == comparison.model), ""
        )
        wrong = any(word in reason.lower() for word in ("wrong", "error", "contaminat", "invalid"))
        if wrong and comparison.checked is not Checked.UNVERIFIED and not comparison.note:
            yield Finding(
                enhancement_file(registry, slug),
                ("comparisons", index, "model"),
                f"{comparison.model} is left out of the series: {reason}",
                "Mark the comparison unverified, or say in the note why it stands.",
            )


def _comparisons(registry: Registry) -> Iterator[tuple[str, int, Comparison, Series]]:
    for slug, enhancement in registry.enhancements.items():
        for index, comparison in enumerate(enhancement.comparisons):
            series = registry.benchmarks.get(comparison.series)
            if series is not None:  # a dangling name is reported by another rule
                yield slug, index, comparison, series
