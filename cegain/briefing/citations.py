"""Numbered sources: each cited work once, whatever file it was written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cegain.briefing.words import clean, listed, safe_url
from cegain.records import Enhancement, Registry, Source


@dataclass(frozen=True)
class Citation:
    """One numbered source as the page prints it; ``link`` is None if not safe to follow."""

    number: int
    authors: str
    title: str
    published: str
    link: str | None
    licence: str
    accessed: str
    used_for: str


@dataclass(frozen=True)
class Citations:
    """All sources in order of first use, and the number of each key by where it is written."""

    items: tuple[Citation, ...]
    numbers: Mapping[tuple[str, str], int]

    def number(self, place: str, key: str) -> int | None:
        """Number of a key as cited in an enhancement or series; None if nobody described it."""
        return self.numbers.get((place, key))


_SCORES = "scores"
_REPORTED = "reported gains"
_POINTS = "points of the curves"
_COMPUTE = "training compute"


def number_sources(
    registry: Registry, enhancements: Mapping[str, Enhancement], series: tuple[str, ...]
) -> Citations:
    """Number the sources that the records in scope rest on, in order of first use."""
    order: dict[tuple[str, str], int] = {}
    found: list[Source] = []
    uses: dict[int, list[str]] = {}
    numbers: dict[tuple[str, str], int] = {}
    for place, key, use, source in _cited(registry, enhancements, series):
        identity = (source.url, source.title)
        if identity not in order:
            found.append(source)
            order[identity] = len(found)
        number = order[identity]
        numbers[place, key] = number
        if use not in uses.setdefault(number, []):
            uses[number].append(use)
    return Citations(
        tuple(_citation(n, source, uses[n]) for n, source in enumerate(found, 1)), numbers
    )


def _cited(
    registry: Registry, enhancements: Mapping[str, Enhancement], series: tuple[str, ...]
) -> Iterator[tuple[str, str, str, Source]]:
    wanted = frozenset(series)
    for slug, enhancement in enhancements.items():
        own = enhancement.sources
        keys: list[tuple[str | None, str]] = []
        for comparison in enhancement.comparisons:
            if comparison.series in wanted:
                keys += [
                    (comparison.source, _SCORES),
                    (comparison.baseline.source, _SCORES),
                    (comparison.enhanced.source, _SCORES),
                ]
        keys += [(gain.source, _REPORTED) for gain in enhancement.reported_gains]
        for key, use in keys:
            source = None if key is None else own.get(key) or registry.sources.get(key)
            if key is not None and source is not None:
                yield slug, key, use, source
    for slug in series:
        benchmark = registry.benchmarks[slug]
        for point in benchmark.fitted_points:
            source = benchmark.settings.sources.get(point.source) or registry.sources.get(
                point.source
            )
            if source is not None:
                yield slug, point.source, _POINTS, source
        for model in sorted({point.model for point in benchmark.fitted_points}):
            key = registry.models[model].source
            if key in registry.sources:
                yield "models", key, _COMPUTE, registry.sources[key]


def _citation(number: int, source: Source, uses: list[str]) -> Citation:
    authors = [clean(author, 60) for author in source.authors]
    shown = f"{authors[0]} and others" if len(authors) > 3 else listed(authors)
    return Citation(
        number=number,
        authors=shown,
        title=clean(source.title, 200),
        published=source.published.isoformat() if source.published else "undated",
        link=safe_url(source.url),
        licence=clean(source.licence, 80) if source.licence else "Licence not stated",
        accessed=f"read {source.accessed.isoformat()}" if source.accessed else "date not noted",
        used_for=listed(uses),
    )
