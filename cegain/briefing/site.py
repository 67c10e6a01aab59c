"""A static site: an index, a page for each enhancement and one for each series.

Built from the same page data and templates as the one-file briefing. Every page reads
without a script; the index has one small script that only filters its lists.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from cegain import __version__, formatting
from cegain.briefing import words
from cegain.briefing.by_compute import ByCompute, build_by_compute
from cegain.briefing.citations import Citation
from cegain.briefing.curves import SeriesFigure, curve_status, series_figure, short_status
from cegain.briefing.definition import BriefingDefinition, Scope
from cegain.briefing.forest import Forest, build_forest
from cegain.briefing.grades import Grade
from cegain.briefing.html import environment, style_sheet
from cegain.briefing.reasons import FLAG_KEY
from cegain.briefing.reported import Reported, build_reported
from cegain.briefing.scale_page import ScalePage
from cegain.briefing.scope import NO_EXTRAS, Entry, Extras, View, select
from cegain.briefing.table import (
    Cited,
    how_known,
    model_name,
    one_time,
    running_cost,
    verdict_words,
)
from cegain.gains import Verdict
from cegain.records import Kind, Registry, Series
from cegain.results import GainRecord, Results

Explain = Callable[[Registry, Results, str], tuple[str, ...]]

SCRIPT = """\
(function () {
  var box = document.getElementById("filter"), field = document.getElementById("q");
  var said = document.getElementById("said");
  var rows = Array.prototype.slice.call(document.querySelectorAll("tbody tr[data-f]"));
  box.hidden = false;
  field.addEventListener("input", function () {
    var asked = field.value.toLowerCase().split(/\\s+/), shown = 0;
    rows.forEach(function (row) {
      var text = row.textContent.toLowerCase();
      var fits = asked.every(function (word) { return text.indexOf(word) >= 0; });
      row.hidden = !fits;
      if (fits) { shown += 1; }
    });
    said.textContent = shown + " of " + rows.length + " shown";
  });
})();
"""


@dataclass(frozen=True)
class IndexRow:
    """One enhancement or series in the index."""

    link: str
    name: str
    about: str
    count: int
    gains: str
    grade: Grade | None


@dataclass(frozen=True)
class Link:
    """A page of the site by its address from the top folder."""

    link: str
    name: str


@dataclass(frozen=True)
class Index:
    """The lists of the index."""

    enhancements: tuple[IndexRow, ...]
    series: tuple[IndexRow, ...]
    briefings: tuple[Link, ...]
    scales: tuple[Link, ...]


@dataclass(frozen=True)
class Explained:
    """One comparison from record to number; ``grade`` None where no gain can be stated."""

    anchor: str
    name: str
    other: Link
    number: str
    verdict: str
    grade: Grade | None
    costs: str
    cautions: tuple[str, ...]
    known: str
    verified: bool
    cited: Cited
    steps: tuple[str, ...]


@dataclass(frozen=True)
class EnhancementPage:
    """Everything about one enhancement."""

    name: str
    kind: str
    summary: str
    introduced: str
    spread: str
    grade: Grade | None
    forest: Forest | None
    comparisons: tuple[Explained, ...]
    by_compute: ByCompute | None
    reported: Reported | None
    sources: tuple[Citation, ...]


@dataclass(frozen=True)
class PointRow:
    """One plain model of a series."""

    model: str
    compute: str
    score: str
    fitted: str
    known: str
    cited: Cited


@dataclass(frozen=True)
class SeriesPage:
    """Everything about one series."""

    name: str
    facts: tuple[tuple[str, str], ...]
    figure: SeriesFigure | None
    points: tuple[PointRow, ...]
    comparisons: tuple[Explained, ...]
    sources: tuple[Citation, ...]


def build_site(
    registry: Registry,
    results: Results,
    explain: Explain,
    briefings: Sequence[Link] = (),
    scales: Sequence[Link] = (),
    extras: Extras = NO_EXTRAS,
) -> Iterator[tuple[str, str]]:
    """Every page as its address from the top folder and its text, the index last.

    ``explain`` gives the paragraphs from a record to its gain; ``briefings`` and
    ``scales`` are pages that stand beside these and are linked from the index. Of
    ``extras`` the sweep of choices is used.
    """
    yield "style.css", style_sheet()
    whole = select(registry, results, _DEFINITION, "", extras)
    for entry in whole.entries:
        page = enhancement_page(entry.slug, registry, results, explain, extras)
        yield enhancement_link(entry.slug), _html("enhancement", page.name, page)
    users: dict[str, list[str]] = {}
    for entry in whole.entries:
        for gain in entry.gains:
            users.setdefault(gain.series, []).append(entry.slug)
    for slug in sorted(registry.benchmarks):
        made = series_page(slug, registry, results, users.get(slug, ()), extras)
        yield series_link(slug), _html("series", made.name, made)
    index = _index(whole, briefings, scales)
    text = _html("index", "Post-training enhancements", index, top="", script=_script_hash())
    yield "index.html", text


def scale_html(page: ScalePage) -> str:
    """The page with the scale as one self-contained HTML text."""
    template = environment().get_template("site/scale.html.j2")
    return template.render(content=page, script=_script_hash(), code=SCRIPT, version=__version__)


def _script_hash() -> str:
    return base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()


def enhancement_link(slug: str) -> str:
    """Address of an enhancement's page from the top folder."""
    return f"enhancements/{slug}.html"


def series_link(slug: str) -> str:
    """Address of a series's page from the top folder."""
    return f"series/{slug}.html"


def enhancement_page(
    slug: str, registry: Registry, results: Results, explain: Explain, extras: Extras = NO_EXTRAS
) -> EnhancementPage:
    """Page data of one enhancement."""
    enhancement = registry.enhancements[slug]
    # a registry of this enhancement alone: what is looked up in it is found at once
    alone = replace(registry, enhancements=MappingProxyType({slug: enhancement}))
    view = select(alone, results, _DEFINITION, "", extras)
    (entry,) = view.entries or (Entry(slug, enhancement, ()),)
    reported = build_reported(view)
    return EnhancementPage(
        words.name(enhancement.name),
        words.KIND_WORDS[enhancement.kind][0],
        words.clean(enhancement.summary, 1000),
        enhancement.introduced.isoformat(),
        words.spread(entry.checked) if entry.checked else "no checked comparison",
        view.grades.get(slug),
        build_forest(view),
        tuple(
            _explained(
                number, gain, view, _of_series(gain, registry), explain(alone, results, gain.key)
            )
            for number, gain in enumerate(entry.gains, 1)
        ),
        build_by_compute(view),
        reported,
        view.citations.items,
    )


def series_page(
    slug: str,
    registry: Registry,
    results: Results,
    users: Sequence[str],
    extras: Extras = NO_EXTRAS,
) -> SeriesPage:
    """Page data of one series; ``users`` are the enhancements measured on it."""
    series = registry.benchmarks[slug]
    alone = replace(
        registry,
        enhancements=MappingProxyType({user: registry.enhancements[user] for user in set(users)}),
    )
    scope = Scope(series=(slug,))
    definition = _DEFINITION.model_copy(update={"scope": scope})
    view = select(alone, results, definition, "", extras)
    fit = view.fit(slug)
    fitted = {model.model: model.fitted for model in fit.models} if fit is not None else {}
    gains = [gain for entry in view.entries for gain in entry.gains]
    return SeriesPage(
        words.name(series.settings.name),
        (("Curve", curve_status(fit)), *_facts(series)),
        series_figure(series, fit, view) if series.fitted_points else None,
        tuple(_point(series, index, fitted, view) for index in range(len(series.points))),
        tuple(
            _explained(number, gain, view, _of_enhancement(gain), ())
            for number, gain in enumerate(gains, 1)
        ),
        view.citations.items,
    )


_DEFINITION = BriefingDefinition(
    title="Post-training enhancements",
    subtitle="Every enhancement and every benchmark setting of the registry.",
    audience="Everybody",
)


def _facts(series: Series) -> Iterator[tuple[str, str]]:
    settings = series.settings
    yield "Benchmark", words.name(settings.benchmark)
    yield "Protocol", words.clean(settings.protocol)
    yield "Metric", words.clean(settings.metric)
    yield "Score of guessing", formatting.score(settings.chance)
    items = settings.n_items
    yield "Questions", "not stated" if items is None else f"{items:,}"
    reasons: dict[str, list[str]] = {}
    for exclusion in settings.exclusions:
        reasons.setdefault(exclusion.reason, []).append(words.name(exclusion.model))
    for reason, models in reasons.items():
        yield "Left out", f"{', '.join(models)}: {words.clean(reason)}"
    if settings.note:
        yield "Note", words.clean(settings.note, 1000)


def _point(series: Series, index: int, fitted: dict[str, float], view: View) -> PointRow:
    point = series.points[index]
    flop = series.models[point.model].training_compute_flop
    return PointRow(
        words.name(point.model),
        "not known" if flop is None else f"{formatting.compute(flop)} FLOP",
        formatting.score(point.score),
        formatting.score(fitted[point.model]) if point.model in fitted else "not in the curve",
        words.CHECKED_WORDS[point.checked],
        Cited(view.citations.number(series.slug, point.source), words.clean(point.locator, 120)),
    )


def _explained(
    number: int, gain: GainRecord, view: View, other: Link, steps: Sequence[str]
) -> Explained:
    meaning = dict(FLAG_KEY)
    costs = f"once {one_time(gain)}; an answer {running_cost(gain)}".replace("–", "not known")
    lost = gain.verdict is Verdict.NOT_ESTIMABLE
    return Explained(
        f"g{number}",
        model_name(gain),
        other,
        verdict_words(gain) if lost else words.number(gain),
        gain.verdict.value if lost else verdict_words(gain),
        None if gain.interval == (None, None) else view.grade(gain),
        costs,
        tuple(meaning[letter] for letter in view.cautions(gain)),
        how_known(gain),
        gain.headline_worthy,
        Cited(view.citations.number(gain.enhancement, gain.source), words.clean(gain.locator, 200)),
        tuple(words.clean(step, 2000) for step in steps),
    )


def _of_series(gain: GainRecord, registry: Registry) -> Link:
    name = words.name(registry.benchmarks[gain.series].settings.name)
    return Link(f"../{series_link(gain.series)}", name)


def _of_enhancement(gain: GainRecord) -> Link:
    return Link(f"../{enhancement_link(gain.enhancement)}", words.name(gain.name))


def _index(view: View, briefings: Sequence[Link], scales: Sequence[Link]) -> Index:
    kinds = {kind.value: words.KIND_WORDS[kind][0] for kind in Kind}
    enhancements = tuple(
        IndexRow(
            enhancement_link(entry.slug),
            words.name(entry.enhancement.name),
            kinds[entry.enhancement.kind.value],
            len(entry.gains),
            words.spread(entry.checked) if entry.checked else "no checked comparison",
            view.grades.get(entry.slug),
        )
        for entry in view.entries
    )
    used: dict[str, int] = {}
    for gain in view.gains:
        used[gain.series] = used.get(gain.series, 0) + 1
    series = tuple(
        IndexRow(
            series_link(slug),
            words.name(made.settings.name),
            f"{short_status(view.fit(slug))}, {formatting.count(len(made.points), 'plain score')}",
            used.get(slug, 0),
            words.name(made.settings.domain),
            None,
        )
        for slug, made in sorted(
            view.registry.benchmarks.items(), key=lambda item: item[1].settings.name.casefold()
        )
    )
    return Index(
        enhancements,
        series,
        tuple(replace(item, name=words.clean(item.name, 160)) for item in briefings),
        tuple(scales),
    )


def _html(template: str, title: str, content: object, top: str = "../", script: str = "") -> str:
    """One page; ``top`` leads to the top folder, ``script`` is the hash that may run."""
    return (
        environment()
        .get_template(f"site/{template}.html.j2")
        .render(
            title=title,
            content=content,
            top=top,
            script=script,
            code=SCRIPT if script else "",
            version=__version__,
            shown=frozenset({"sources"}),
        )
    )
