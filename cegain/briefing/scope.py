"""The part of a registry and its results that one briefing covers, selected once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from cegain.briefing import words
from cegain.briefing.backtests import Backtest, Calibration
from cegain.briefing.citations import Citations, number_sources
from cegain.briefing.definition import BriefingDefinition, Scope
from cegain.briefing.grades import Evidence, Grade, grade_body, grade_one, lower
from cegain.briefing.reasons import flag_letters
from cegain.briefing.stamp import Stamp, make_stamp
from cegain.equivalents.converters import Converters
from cegain.gains import LEVEL
from cegain.records import Comparison, ComparisonRef, Enhancement, Kind, Registry, Series, Status
from cegain.results import FitRecord, GainRecord, Results
from cegain.stitching.documents import ViaIndex
from cegain.store import Change
from cegain.sweep import Swept, sweep_prints


@dataclass(frozen=True)
class Entry:
    """One enhancement in scope with its stored gains, ordered by series and model."""

    slug: str
    enhancement: Enhancement
    gains: tuple[GainRecord, ...]

    @property
    def checked(self) -> tuple[GainRecord, ...]:
        """Gains whose numbers were checked: the only ones headlines rest on."""
        return tuple(gain for gain in self.gains if gain.headline_worthy)


@dataclass(frozen=True)
class Extras:
    """What stands beside fits and gains, each None where there is none.

    ``changes`` are moved gains, ``backtest`` and ``routes`` the stored backtests of the
    method and of both routes, ``sweep`` what ``sensitivity --store`` stored, by gain,
    ``via_index`` the stored second route and ``index_current`` whether it rests on the
    records as they are.
    """

    changes: tuple[Change, ...] = ()
    backtest: Backtest | None = None
    converters: Converters | None = None
    sweep: Mapping[str, Swept] | None = None
    via_index: ViaIndex | None = None
    index_current: bool = True
    routes: Calibration | None = None


NO_EXTRAS: Extras = Extras()


@dataclass(frozen=True)
class View:
    """Registry, results and definition, scoped: what every section is built from.

    ``name`` is the definition's file as printed in the command to regenerate.
    ``uncomputed`` counts comparisons in scope that have no stored result, ``unpriced``
    those left out because the scope asks for a one-time cost that nobody published.
    """

    registry: Registry
    results: Results
    definition: BriefingDefinition
    name: str
    entries: tuple[Entry, ...]
    uncomputed: int
    unpriced: int = 0
    extras: Extras = NO_EXTRAS

    @cached_property
    def gains(self) -> tuple[GainRecord, ...]:
        """Every stored gain in scope."""
        return tuple(gain for entry in self.entries for gain in entry.gains)

    @cached_property
    def checked(self) -> tuple[GainRecord, ...]:
        """Gains in scope whose numbers were checked."""
        return tuple(gain for gain in self.gains if gain.headline_worthy)

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """Series on which the gains in scope were measured, and those the scope names."""
        used = {gain.series for gain in self.gains} | set(self.definition.scope.series or ())
        return tuple(self.registry.benchmarks[slug] for slug in sorted(used))

    @cached_property
    def citations(self) -> Citations:
        """Numbered sources of everything in scope."""
        cited = {entry.slug: entry.enhancement for entry in self.entries}
        return number_sources(self.registry, cited, tuple(s.slug for s in self.series))

    @cached_property
    def newest(self) -> date | None:
        """Introduction date of the newest enhancement in scope."""
        return max((entry.enhancement.introduced for entry in self.entries), default=None)

    @cached_property
    def last_read(self) -> date | None:
        """The latest day on which a source in scope was read."""
        return max(
            (
                source.accessed
                for entry in self.entries
                for source in entry.enhancement.sources.values()
                if source.accessed
            ),
            default=None,
        )

    @cached_property
    def comparisons(self) -> Mapping[str, Comparison]:
        """Records of the comparisons by key."""
        return {ref.key: ref.comparison for ref in self.registry.comparisons()}

    @cached_property
    def swept(self) -> Mapping[str, Swept]:
        """Stored entries of the sweep that still rest on what the gains rest on now, by key."""
        if not self.extras.sweep:
            return {}
        prints = sweep_prints(self.registry)
        return {
            key: entry
            for key, entry in self.extras.sweep.items()
            if entry.fingerprint == prints.get(key)
        }

    def depends_on(self, gain: GainRecord) -> tuple[str, ...]:
        """Choices a gain depends on: of all of them where that is known, else of the quick ones."""
        entry = self.swept.get(gain.key)
        return gain.sensitive_to if entry is None else entry.depends_on

    def cautions(self, gain: GainRecord) -> tuple[str, ...]:
        """Letters of the cautions a gain carries, as explained by ``FLAG_KEY``."""
        return flag_letters(gain.flags, sensitive=bool(self.depends_on(gain)))

    @cached_property
    def grades(self) -> Mapping[str, Grade]:
        """Grade of the evidence on each enhancement in scope that has any.

        Raises ``RecordError`` where the definition raises a grade.
        """
        found = {}
        for entry in self.entries:
            body = [self._evidence(gain) for gain in entry.gains]
            grade = grade_body(body, self.results.fits)
            by = self.definition.lowered_grades.get(entry.slug)
            if grade is not None and by is not None:
                place = f"lowered_grades.{entry.slug}.grade"
                grade = lower(grade, by, place, self.name or "briefing")
            if grade is not None:
                found[entry.slug] = grade
        return found

    def grade(self, gain: GainRecord) -> Grade:
        """Grade of one comparison."""
        return grade_one(self._evidence(gain))

    def _evidence(self, gain: GainRecord) -> Evidence:
        model = self.registry.models.get(gain.model)
        return Evidence(
            gain,
            self.comparisons.get(gain.key),
            self.fit(gain.series),
            None if model is None else model.family,
        )

    @cached_property
    def stamp(self) -> Stamp:
        """What the page is made from."""
        return make_stamp(self.registry, self.results.fits, self.gains, self.definition)

    @cached_property
    def level(self) -> float:
        """Level of the intervals in scope."""
        return self.gains[0].level if self.gains else LEVEL

    def test(self, series: str) -> str:
        """Name of a series as printed."""
        return words.name(self.registry.benchmarks[series].settings.name)

    def fit(self, series: str) -> FitRecord | None:
        """Stored fit of a series, if there is one."""
        return self.results.fits.get(series)


def select(
    registry: Registry,
    results: Results,
    definition: BriefingDefinition,
    name: str = "",
    extras: Extras = NO_EXTRAS,
) -> View:
    """Scope the inputs once; ordered by kind, then by name of the enhancement."""
    scope = definition.scope
    refs: dict[str, list[ComparisonRef]] = {}
    unpriced = 0
    for ref in registry.comparisons():
        if not _comparison_in_scope(ref, scope, registry):
            continue
        if scope.max_one_time_cost_share is not None:
            share = _cost_share(ref.comparison, registry)
            enhancement = registry.enhancements[ref.enhancement]
            if share is None and _enhancement_in_scope(ref.enhancement, enhancement, scope):
                unpriced += 1
            if share is None or share > scope.max_one_time_cost_share:
                continue
        refs.setdefault(ref.enhancement, []).append(ref)
    kinds = list(Kind)
    ordered = sorted(
        registry.enhancements.items(),
        key=lambda item: (kinds.index(item[1].kind), item[1].name.casefold(), item[0]),
    )
    entries = []
    uncomputed = 0
    for slug, enhancement in ordered:
        if not _enhancement_in_scope(slug, enhancement, scope):
            continue
        own = refs.get(slug, [])
        # a record without comparisons still tells what was published about it
        narrowed = scope.series or scope.models or scope.families
        if not own and (
            enhancement.comparisons or narrowed or scope.max_one_time_cost_share is not None
        ):
            continue
        gains = [results.gains[ref.key] for ref in own if ref.key in results.gains]
        uncomputed += len(own) - len(gains)
        gains.sort(key=lambda gain: (gain.series, gain.model, gain.variant or ""))
        entries.append(Entry(slug, enhancement, tuple(gains)))
    return View(registry, results, definition, name, tuple(entries), uncomputed, unpriced, extras)


def _enhancement_in_scope(slug: str, enhancement: Enhancement, scope: Scope) -> bool:
    return (
        enhancement.status is Status.CURRENT
        and enhancement.kind in scope.kinds
        and (scope.enhancements is None or slug in scope.enhancements)
        and (scope.introduced_from is None or enhancement.introduced >= scope.introduced_from)
        and (scope.introduced_to is None or enhancement.introduced <= scope.introduced_to)
    )


def _comparison_in_scope(ref: ComparisonRef, scope: Scope, registry: Registry) -> bool:
    comparison = ref.comparison
    return (
        comparison.checked in scope.checked
        and (scope.series is None or comparison.series in scope.series)
        and (scope.models is None or comparison.model in scope.models)
        and (scope.families is None or registry.models[comparison.model].family in scope.families)
    )


def _cost_share(comparison: Comparison, registry: Registry) -> float | None:
    """One-time cost as a share of training; nothing spent is a share of nothing."""
    cost = comparison.one_time_cost_flop
    training = registry.models[comparison.model].training_compute_flop
    if cost == 0:
        return 0.0
    return None if cost is None or training is None else cost / training
