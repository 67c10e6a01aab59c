"""The page as data: an ordered tuple of sections, each built apart from any HTML.

A new section is one row of ``SECTIONS``, a name in ``SectionName`` and one template
``templates/sections/NAME.html.j2``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cegain.briefing.by_compute import build_by_compute
from cegain.briefing.changed import build_changes
from cegain.briefing.checklist import build_checklist
from cegain.briefing.citations import Citation
from cegain.briefing.compute_lines import build_compute_lines
from cegain.briefing.cost import build_costs
from cegain.briefing.curves import build_curves
from cegain.briefing.definition import BriefingDefinition, SectionName
from cegain.briefing.download import build_data
from cegain.briefing.findings import build_findings
from cegain.briefing.forest import build_forest
from cegain.briefing.meaning import build_meaning
from cegain.briefing.prose import build_limitations, build_methods
from cegain.briefing.reported import build_reported
from cegain.briefing.scope import NO_EXTRAS, Extras, View, select
from cegain.briefing.second_route import build_second_route
from cegain.briefing.stamp import Stamp
from cegain.briefing.summary import build_summary
from cegain.briefing.sure import build_sure
from cegain.briefing.table import build_table
from cegain.briefing.words import clean
from cegain.briefing.would_change import build_would_change
from cegain.records import Registry
from cegain.results import Results


@dataclass(frozen=True)
class Section:
    """How a section is made.

    Where there is nothing to show the builder returns None, and the note ``absent``
    stands in its place, so that nothing vanishes silently.
    """

    name: SectionName
    title: str
    build: Callable[[View], object | None]
    absent: str


@dataclass(frozen=True)
class Sources:
    """The numbered list of sources."""

    items: tuple[Citation, ...]


def build_sources(view: View) -> Sources | None:
    """Sources in order of first use; None where nothing in scope cites any."""
    return Sources(view.citations.items) if view.citations.items else None


SECTIONS: tuple[Section, ...] = (
    Section(
        SectionName.SUMMARY,
        "In one paragraph",
        build_summary,
        "No comparison in the scope of this briefing has a stored result, so nothing can be said "
        "about gains yet.",
    ),
    Section(
        SectionName.FINDINGS,
        "Key findings",
        build_findings,
        "There are no findings: no comparison in scope has checked numbers and a stored result.",
    ),
    Section(
        SectionName.FOREST,
        "All gains at a glance",
        build_forest,
        "There is nothing to draw: no checked comparison in scope has a gain or a bound.",
    ),
    Section(
        SectionName.TABLE,
        "Table of enhancements",
        build_table,
        "No enhancement lies in the scope of this briefing.",
    ),
    Section(
        SectionName.COST,
        "What it costs",
        build_costs,
        "No cost is known for any checked comparison in scope, so no gain can be weighed against "
        "its cost.",
    ),
    Section(
        SectionName.LINES,
        "Effective compute against thresholds",
        build_compute_lines,
        "No line is drawn in this briefing, or no base model in scope has both known training "
        "compute and an estimated gain.",
    ),
    Section(
        SectionName.MEANING,
        "What this means",
        build_meaning,
        "No gain in scope is surely above 1×, or the registry has no converters.",
    ),
    Section(
        SectionName.SURE,
        "How sure are we",
        build_sure,
        "No curve is stored for any benchmark setting in scope.",
    ),
    Section(
        SectionName.CURVES,
        "Scores against training compute",
        build_curves,
        "No benchmark setting in scope has scores of plain models with known training compute.",
    ),
    Section(
        SectionName.BY_COMPUTE,
        "Gain by size of the base model",
        build_by_compute,
        "No enhancement in scope was measured on enough base models of different size with one "
        "test, so how gains change with size is not known.",
    ),
    Section(
        SectionName.SECOND_ROUTE,
        "A second route to the gain",
        build_second_route,
        "No enhancement in scope has a stored gain through the capability scale, so there is no "
        "second route to set beside the direct gains.",
    ),
    Section(
        SectionName.REPORTED,
        "Published gains beside ours",
        build_reported,
        "No published figure for a gain is recorded for the enhancements in scope.",
    ),
    Section(
        SectionName.WOULD_CHANGE,
        "What would change this",
        build_would_change,
        "No comparison in scope has a stored result; results would change that.",
    ),
    Section(SectionName.METHODS, "How the numbers were made", build_methods, ""),
    Section(SectionName.LIMITATIONS, "What these numbers cannot tell", build_limitations, ""),
    Section(
        SectionName.CHECKLIST,
        "Reporting checklist",
        build_checklist,
        "There is nothing to check: no comparison in scope has a stored result.",
    ),
    Section(
        SectionName.CHANGES,
        "Changes since the last issue",
        build_changes,
        "No gain in the scope of this briefing has moved since the last issue, or this is the "
        "first one.",
    ),
    Section(
        SectionName.SOURCES,
        "Sources",
        build_sources,
        "No source is cited by the records in scope.",
    ),
    Section(SectionName.DATA, "Data and reproduction", build_data, ""),
)


@dataclass(frozen=True)
class PageSection:
    """One section as printed; ``content`` None means that ``absent`` is printed."""

    name: str
    title: str
    content: object | None
    absent: str


@dataclass(frozen=True)
class Page:
    """Everything on the page, without any markup."""

    title: str
    subtitle: str
    audience: str
    newest: str
    last_read: str
    stamp: Stamp
    sections: tuple[PageSection, ...]


def build_page(
    registry: Registry,
    results: Results,
    definition: BriefingDefinition,
    name: str = "",
    extras: Extras = NO_EXTRAS,
) -> Page:
    """Select the scope and build the sections the definition asks for, in their fixed order."""
    view = select(registry, results, definition, name, extras)
    return Page(
        clean(definition.title, 160),
        clean(definition.subtitle),
        clean(definition.audience),
        view.newest.isoformat() if view.newest else "none",
        view.last_read.isoformat() if view.last_read else "not noted",
        view.stamp,
        tuple(
            PageSection(section.name.value, section.title, section.build(view), section.absent)
            for section in SECTIONS
            if section.name in definition.sections
        ),
    )
