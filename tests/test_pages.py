"""Briefing pages as readers get them: gold pages, hostile records, and a real browser.

To renew the gold pages after a wanted change, run this and look at both in a browser
before committing them:

    CEGAIN_RENEW_GOLD=1 python -m pytest tests/test_pages.py -k gold
"""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from cegain.briefing import BriefingDefinition, build_briefing
from cegain.briefing import stamp as stamp_module
from cegain.briefing.backtests import read_backtest
from cegain.briefing.scope import NO_EXTRAS, Extras
from cegain.records import Enhancement, Registry, Source
from cegain.results import Results
from cegain.store import Change

from .briefing_cases import (
    BACKTEST,
    BAD_EXTRAS,
    EXTRAS,
    bad_case,
    empty_case,
    good_case,
    large_case,
)
from .test_briefing import DEFINITION, SHIPPED

GOLD = Path(__file__).parent / "gold"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
Case = Callable[[], tuple[Registry, Results]]
CASES: dict[str, Case] = {"good": good_case, "bad": bad_case, "empty": empty_case}


def html(case: Case, definition: BriefingDefinition = DEFINITION) -> str:
    extras = {good_case: EXTRAS, bad_case: BAD_EXTRAS}.get(case, NO_EXTRAS)
    return build_briefing(*case(), definition, name="reports/made-up.yaml", extras=extras)


class Page(HTMLParser):
    """What the structural tests need of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unclosed: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    void = frozenset({"meta", "link", "br", "hr", "img", "input"})
    cells = frozenset({"td", "th"})  # end where the next one begins, or with the row

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in self.cells:
            self._end_cell()
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self._end_cell()
        if not self.open or self.open.pop() != tag:
            self.unclosed.append(tag)

    def _end_cell(self) -> None:
        if self.open and self.open[-1] in self.cells:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


# --- gold -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["good", "bad"])
def test_gold_pages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamp_module, "__version__", "0")
    made = html(CASES[name])
    path = GOLD / f"{name}.html"
    if os.environ.get("CEGAIN_RENEW_GOLD"):
        path.write_text(made, encoding="utf-8")
    assert made == path.read_text(encoding="utf-8"), (
        f"{path.name} differs. If the change is wanted, renew the gold pages as the head of this "
        "file says and look at them in a browser."
    )
    if name == "good":
        for text in (
            *("at least 13×", "more than 8.0×", "extrapolated", "not verified"),
            "Second route, via index",
        ):
            assert text in made
    else:
        for text in (
            *("No curve is drawn", "could not be estimated", "doubtful"),
            *("Records have changed since", "at most 4.0×, upper bound via index"),
        ):
            assert text in made


def test_the_same_inputs_give_the_same_bytes() -> None:
    assert html(good_case) == html(good_case)
    registry, results = good_case()
    turned = Results(
        dict(reversed(list(results.fits.items()))),
        dict(reversed(list(results.gains.items()))),
        dict(reversed(list(results.lines.items()))),
    )
    name = "reports/made-up.yaml"
    assert build_briefing(registry, turned, DEFINITION, name=name, extras=EXTRAS) == html(good_case)


# --- structure --------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(CASES))
def test_structure_of_a_page(name: str) -> None:
    page = Page(html(CASES[name]))
    assert not page.unclosed and not page.open
    assert page.all("html")[0]["lang"] == "en"
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings.count(1) == 1 and headings[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    ids = Counter(attrs["id"] for _, attrs in page.tags if "id" in attrs)
    assert [i for i, number in ids.items() if number > 1] == []
    targets = {a["href"] for _, a in page.tags if (a.get("href") or "").startswith("#")}
    assert {str(target)[1:] for target in targets} <= set(map(str, ids))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in attrs for attrs in page.all("th"))
    assert not page.all("script")


@pytest.mark.parametrize("name", list(CASES))
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    text = html(CASES[name])
    page = Page(text)
    metas = [m for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert [meta["content"] for meta in metas] == [POLICY]
    assert not re.search(r"@import|url\(", text)
    for tag, attrs in page.tags:
        assert tag not in {"img", "iframe", "object", "embed", "form"}
        assert "src" not in attrs
        assert not [attribute for attribute in attrs if attribute.startswith("on")]
        href = attrs.get("href") or ""
        if tag != "a":
            assert href.startswith(("#", "data:")) or not href


def test_every_picture_is_named_and_says_its_finding() -> None:
    text = html(good_case)
    pictures = re.findall(r"<svg[^>]*>", text)
    shown = [picture for picture in pictures if 'aria-hidden="true"' not in picture]
    assert shown and all('role="img"' in picture for picture in shown)
    named = re.findall(r'role="img"><title>([^<]+)</title><desc>([^<]+)</desc>', text)
    assert len(named) == len(shown)
    assert any("7.9× (90\u00a0% interval 3.2–20×)" in finding for _, finding in named)


def luminance(colour: str) -> float:
    """Relative luminance of #rgb or #rrggbb, as WCAG defines it."""
    digits = colour.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_can_be_told_apart_in_light_dark_and_print() -> None:
    schemes = re.findall(r":root\{([^}]*--bg:[^}]*)\}", html(good_case))
    assert len(schemes) == 3
    for scheme in schemes:
        colour = dict(re.findall(r"--(\w+):(#[0-9a-f]+)", scheme))
        # text needs 4.5 to 1, lines and marks 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11)
        for name, least in (("ink", 4.5), ("soft", 4.5), ("link", 4.5), ("second", 4.5),
                            ("mark", 3.0), ("grid", 3.0)):  # fmt: skip
            for ground in ("bg", "faint"):
                dark, light = sorted((luminance(colour[name]), luminance(colour[ground])))
                ratio = (light + 0.05) / (dark + 0.05)
                assert ratio >= least, f"{name} on {ground}: {ratio:.2f} in {scheme}"


def test_dropping_the_table_leaves_no_dead_link() -> None:
    names = tuple(n for n in DEFINITION.sections if n not in {"table", "sources", "forest"})
    page = Page(html(good_case, DEFINITION.model_copy(update={"sections": names})))
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = {a["href"] for a in page.all("a") if (a["href"] or "").startswith("#")}
    assert {str(link)[1:] for link in links} <= ids


@pytest.mark.parametrize(
    ("enhancements", "each", "limit"), [(50, 3, 300_000), (500, 1, 1_000_000), (500, 2, 1_000_000)]
)
def test_size_of_large_pages(enhancements: int, each: int, limit: int) -> None:
    definition = BriefingDefinition.model_validate(
        {**DEFINITION.model_dump(), "title": "Many enhancements"}
    )
    made = build_briefing(*large_case(enhancements, each), definition)
    assert len(made.encode()) < limit


# --- hostile records --------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "x" * 10_000,
    "\u202eevil\u202c שלום",
    "javascript:alert(1)",
    "]]>--><!-- </style></svg></title>",
)


def hostile_case(text: str) -> tuple[Registry, Results]:
    """The good case with the text in every free field, checks of records set aside."""
    registry, results = good_case()

    def spoil(record: Any, fields: tuple[str, ...]) -> Any:
        return record.model_copy(update={field: text for field in fields})

    def source(old: Source) -> Source:
        changed: Source = spoil(old, ("title", "url", "licence", "note"))
        return changed.model_copy(update={"authors": (text, text)})

    enhancements: dict[str, Enhancement] = {}
    for slug, record in registry.enhancements.items():
        enhancements[slug] = spoil(record, ("name", "summary")).model_copy(
            update={
                "sources": {key: source(old) for key, old in record.sources.items()},
                "reported_gains": tuple(
                    spoil(gain, ("locator", "benchmark", "model")).model_copy(
                        update={"series": None}
                    )
                    for gain in record.reported_gains
                ),
            }
        )
    benchmarks = {}
    for slug, series in registry.benchmarks.items():
        settings = spoil(series.settings, ("name", "benchmark", "domain", "protocol", "metric"))
        benchmarks[slug] = type(series)(slug, settings, series.points, series.models)
    gains = {}
    for key, gain in results.gains.items():
        values = {field: text for field in ("name", "locator", "checked", "reported_by")}
        gains[key] = type(gain)(
            **{**gain.__dict__, **values, "reasons": (text,), "flags": (text, f"only {text}")}
        )
    fits = {
        slug: type(fit)(**{**fit.__dict__, "reasons": (text,)})
        for slug, fit in results.fits.items()
    }
    made = Registry(
        registry.root,
        MappingProxyType(enhancements),
        MappingProxyType(benchmarks),
        registry.models,
        MappingProxyType({key: source(old) for key, old in registry.sources.items()}),
    )
    lines = {key: replace(line, variant=text) for key, line in results.lines.items()}
    return made, Results(fits, gains, lines)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_shown_and_does_nothing(text: str) -> None:
    definition = DEFINITION.model_copy(
        update={
            "title": text,
            "subtitle": text,
            "audience": text,
            "reference_lines": (),
            "compute_lines": tuple(
                line.model_copy(
                    update={
                        "name": text,
                        "status": text,
                        "source": text,
                        "note": text,
                        "url": text,
                    }
                )
                for line in DEFINITION.compute_lines
            ),
        }
    )
    changes = tuple(Change(f"calculator/{text}", text, text, text, text) for _ in range(2))
    backtest = {"cases": 1, "estimators": [{**BACKTEST["estimators"][0], "name": text}]}
    extras = Extras(changes, read_backtest(backtest))
    made = build_briefing(*hostile_case(text), definition, name="reports/x.yaml", extras=extras)
    page = Page(made)
    assert not page.unclosed and not page.open
    assert not page.all("script") and not page.all("img")
    for attrs in page.all("a"):
        assert (attrs["href"] or "").startswith(
            ("#", "http://", "https://", "data:text/csv", "data:application/")
        )
    for _, attrs in page.tags:
        assert not [attribute for attribute in attrs if attribute.startswith("on")]
    assert "\u202e" not in made
    assert "49" not in "".join(page.text) or "7 * 7" not in text
    longest = max(len(word) for word in "".join(page.text).split())
    assert longest < 2_000
    assert re.sub(r'href="[^"]*"', "", made).count("x" * 400) == 0


# --- in a browser -----------------------------------------------------------------------


@pytest.fixture(params=list(CASES))
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    definition = SHIPPED.read_text(encoding="utf-8")
    path.write_text(build_briefing(*CASES[request.param](), definition), encoding="utf-8")
    return path


@pytest.mark.browser
def test_opening_a_page_asks_for_nothing_and_complains_of_nothing(browser: Any, file: Path) -> None:
    page = browser.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    assert requests == [file.as_uri()]
    assert complaints == []
    page.close()


@pytest.mark.browser
def test_a_page_reads_the_same_without_scripts(browser: Any, file: Path) -> None:
    texts = []
    for enabled in (True, False):
        context = browser.new_context(java_script_enabled=enabled)
        page = context.new_page()
        page.goto(file.as_uri())
        texts.append(page.locator("body").inner_text())
        context.close()
    assert texts[0] == texts[1]


@pytest.mark.browser
def test_no_page_scrolls_sideways(browser: Any, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (1440, 768, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.browser
def test_labels_of_the_chart_do_not_overlap_on_a_phone(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    definition = SHIPPED.read_text(encoding="utf-8")
    path.write_text(build_briefing(*large_case(70, 2), definition), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(path.as_uri())
    clashes = page.evaluate(
        """() => [...document.querySelectorAll('.axis svg')].flatMap(svg => {
          const boxes = [...svg.querySelectorAll('text')].map(t => t.getBoundingClientRect());
          return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
            a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
        }).length"""
    )
    rows = page.evaluate(
        """() => { const boxes = [...document.querySelectorAll('.forest li > *')]
          .map(e => e.getBoundingClientRect());
          return boxes.filter((a, i) => i && a.top < boxes[i - 1].bottom - 1).length; }"""
    )
    assert (clashes, rows) == (0, 0)
    page.close()


@pytest.mark.browser
def test_a_page_prints_with_its_folded_parts(browser: Any, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    content = page.pdf(prefer_css_page_size=True, tagged=True)
    assert content.startswith(b"%PDF") and b"/StructTreeRoot" in content
    page.emulate_media(media="print")
    hidden = page.evaluate(
        """() => [...document.querySelectorAll('details table')]
          .filter(t => t.getBoundingClientRect().height === 0).length"""
    )
    assert hidden == 0
    page.close()
