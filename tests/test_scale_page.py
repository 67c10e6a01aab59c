"""The page with the scale: gold, structure, words, and a real browser.

To renew its gold pages after a wanted change, run this and look at both in a browser:

    CEGAIN_RENEW_GOLD=1 python -m pytest tests/test_scale_page.py -k gold
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cegain.briefing import site as site_module
from cegain.briefing.ruler import Place, build_ruler
from cegain.briefing.scale_page import About, ScalePage, build_scale_page
from cegain.briefing.site import scale_html
from cegain.stitching.documents import Scale
from cegain.stitching.rows import Judgement, Placement

from .briefing_cases import BAD_SCALE, GOOD_SCALE, RATE, benchmark_at, placed
from .test_pages import GOLD, HOSTILE, Page

ABOUT = About(
    "A made-up scale",
    "Nobody, Made-up scores",
    "https://example.org/scores",
    "2026-01-31",
    "CC0",
    "cegain stitch",
    {"alpha-1": date(2024, 1, 1), "alpha-6": date(2025, 1, 1), "beta-5": date(2025, 3, 1)},
    False,
)
CASES = {
    "good": (GOOD_SCALE, replace(ABOUT, apart=True), RATE),
    "bad": (BAD_SCALE, replace(ABOUT, link="javascript:alert(1)", released={}), None),
}


def made(name: str) -> ScalePage:
    scale, about, rate = CASES[name]
    return build_scale_page(scale, about, rate)


@pytest.mark.parametrize("name", list(CASES))
def test_gold_pages_of_the_scale(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "__version__", "0")
    text = scale_html(made(name))
    path = GOLD / f"scale-{name}.html"
    if os.environ.get("CEGAIN_RENEW_GOLD"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs: see the head"
    wanted = {
        "good": ("141.5 (139.5 to 143.5), placed", "without 141.5", "fixes the unit", "9.6 points"),
        "bad": ("there is nothing to draw", "at most −3.00", "at least 5.00", "and 10 more"),
    }
    for words in wanted[name]:
        assert words in text


@pytest.mark.parametrize("name", list(CASES))
def test_structure_of_the_scale_page(name: str) -> None:
    text = scale_html(made(name))
    page = Page(text)
    assert not page.unclosed and not page.open
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in attrs for attrs in page.all("th"))
    assert text.count("<script>") == 1 and "script-src 'sha256-" in text
    for attrs in page.all("a"):
        assert (attrs["href"] or "").startswith(("#", "https://"))
    shown = [s for s in re.findall(r"<svg[^>]*>", text) if 'aria-hidden="true"' not in s]
    named = re.findall(r'role="img"><title>([^<]+)</title><desc>([^<]+)</desc>', text)
    assert len(named) == len(shown)


def test_every_number_has_its_verdict_and_nothing_is_dropped() -> None:
    for name, (scale, _, _) in CASES.items():
        page = made(name)
        assert len(page.rows) == len(scale.models) + len(scale.benchmarks)
        assert all(row.verdict for row in page.rows)
        for row in page.ruler.rows if page.ruler else ():
            assert re.search(r"placed|one benchmark", row.number)
        counted = sum(group.count for group in page.left_out)
        reasons = [m.reason for m in scale.models] + [b.reason for b in scale.benchmarks]
        assert counted == sum(map(bool, reasons)) + len(scale.excluded)


def test_the_highest_comes_first_and_enhancements_keep_their_plain_model() -> None:
    page = made("good")
    assert page.ruler is not None
    assert [row.name for row in page.ruler.rows][:3] == ["Proofs", "alpha-6", "beta-5 + tools"]
    assert {row.kind for row in page.ruler.rows} == {"model", "benchmark", "enhancement"}
    lifted = next(row for row in page.ruler.rows if row.name == "beta-5 + tools")
    assert lifted.number == "147.0 (145.0 to 149.0), placed; without 141.5"
    assert [stroke.look for stroke in lifted.strokes] == ["a", "g", "o", "i"]


def test_marks_stand_where_their_numbers_are() -> None:
    ruler = build_ruler(
        [
            Place("model", "low", 0.0, (-5.0, 5.0), "0", "0"),
            Place("benchmark", "high", 100.0, None, "100", "100", span=(90.0, 110.0)),
            Place("model", "middle", 50.0, (-900.0, 60.0), "50", "50"),
            Place("model", "bound", 20.0, None, "20", "20", open_high=True),
        ]
    )
    assert ruler is not None
    assert [row.name for row in ruler.rows] == ["high", "middle", "bound", "low"]
    ends = {tick.label: tick.at for tick in ruler.ticks}
    dots = {
        row.name: int(stroke.path.removeprefix("M").split()[0]) / 10
        for row in ruler.rows
        for stroke in row.strokes
        if stroke.look in {"d", "m"}
    }
    for name, label in (("low", "0"), ("high", "100"), ("middle", "50"), ("bound", "20")):
        if label in ends:
            assert dots[name] == ends[label]
    assert dots["low"] < dots["bound"] < dots["middle"] < dots["high"]
    assert {"cut", "bound"} <= ruler.shapes
    assert build_ruler([]) is None
    single = build_ruler([Place("model", "one", 3.0, None, "3", "3")])
    assert single is not None and len(single.ticks) >= 2


def test_many_models_are_chosen_by_records_and_spread() -> None:
    models = tuple(placed(f"m{n:03}", 100.0 + n / 5, n_benchmarks=3 + n % 7) for n in range(200))
    released = {m.name: date(2020 + n // 40, 1 + n % 12, 1) for n, m in enumerate(models)}
    scale = replace(
        GOOD_SCALE,
        anchors=(("m010", 130.0),),
        models=models,
        benchmarks=tuple(benchmark_at(f"b{n}", 100.0 + n, n_models=n) for n in range(60)),
    )
    page = build_scale_page(scale, replace(ABOUT, released=released))
    assert page.ruler is not None
    names = [row.name for row in page.ruler.rows if row.kind == "model"]
    assert len(names) == 26 and {"m199", "m010"} <= set(names)
    assert sum(name < "m100" for name in names) >= 4
    assert sum(row.kind == "benchmark" for row in page.ruler.rows) == 22
    assert "26 of 200 models" in page.drawn and "22 of 60 benchmarks" in page.drawn


def test_the_published_index_claims_no_weights_it_lacks() -> None:
    default, published = (
        build_scale_page(replace(GOOD_SCALE, method=method), ABOUT)
        for method in ("default", "reference")
    )
    assert "weights for the number of questions" in default.model
    assert "weights" not in published.model
    assert "the number of their questions" in default.is_[1]
    assert "and nothing else" in published.is_[1]


def test_how_many_rest_on_one_benchmark_is_counted() -> None:
    wide = tuple(replace(m, n_benchmarks=5) for m in GOOD_SCALE.models)
    about = replace(ABOUT, apart=True)
    assert "1 of 2 were measured on one" in build_scale_page(GOOD_SCALE, about).is_not[-1]
    several = build_scale_page(replace(GOOD_SCALE, models=wide), about)
    assert "one benchmark" not in several.is_not[-1]


def test_without_draws_no_interval_is_claimed() -> None:
    models = tuple(replace(m, interval=None) for m in GOOD_SCALE.models)
    page = build_scale_page(replace(GOOD_SCALE, models=models), ABOUT)
    said = {row.name: row.interval for row in page.rows}
    assert said["alpha-1"] == "fixes the unit" and said["beta-2"] == "no interval computed"
    assert not any("training compute adds" in text for text in page.is_)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_do_nothing_on_the_scale(text: str) -> None:
    scale = replace(
        GOOD_SCALE,
        models=(placed(text, 120.0), placed("b", 110.0, enhancement=text)),
        benchmarks=(benchmark_at(text, 115.0, Placement.ONE_BENCHMARK, reason=text),),
        excluded=(Judgement(text, Placement.NOT_CONNECTED, text),),
    )
    about = replace(ABOUT, title=text, source=text, link=text, licence=text, command=text)
    found = scale_html(build_scale_page(scale, about, RATE))
    page = Page(found)
    assert not page.unclosed and not page.open
    assert len(page.all("script")) == 1 and not page.all("img")
    assert all((a["href"] or "").startswith(("#", "https://")) for a in page.all("a"))
    assert "\u202e" not in found
    assert "x" * 400 not in found


# --- in a browser -----------------------------------------------------------------------


def large() -> Scale:
    models = tuple(
        placed(f"Model number {n} (September 2024)", 60.0 + n / 2, reach=1.0 + n % 30)
        for n in range(200)
    )
    tests = tuple(
        benchmark_at(f"FrontierBench-Tier-{n}-2025-07-01-Private", 60.0 + 2 * n, n_models=n)
        for n in range(50)
    )
    enhanced = tuple(
        placed(m.name, m.capability + 8.0, enhancement=f"enhancement-{n}/variant {n} of many")
        for n, m in enumerate(models[:60:3])
    )
    return replace(GOOD_SCALE, models=(*models, *enhanced), benchmarks=tests)


@pytest.fixture(params=["good", "bad", "large"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "scale.html"
    name = request.param
    page = build_scale_page(large(), ABOUT, RATE) if name == "large" else made(name)
    path.write_text(scale_html(page), encoding="utf-8")
    return path


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_scale_fits_every_width_and_asks_for_nothing(
    browser: Any, file: Path, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme)
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (1440, 768, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert requests == [file.as_uri()]
    assert complaints == []
    page.close()


@pytest.mark.browser
def test_labels_of_the_ruler_do_not_overlap(browser: Any, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        clashes = page.evaluate(
            """() => [['.stick svg text'], ['.ruler li b, .ruler li span, .ruler li > svg']]
              .flatMap(([what]) => {
                const boxes = [...document.querySelectorAll(what)]
                  .map(e => e.getBoundingClientRect());
                return boxes.flatMap((a, i) => boxes.slice(i + 1, i + 9).filter(b =>
                  a.left < b.right - 1 && b.left < a.right - 1 &&
                  a.top < b.bottom - 1 && b.top < a.bottom - 1));
              }).length"""
        )
        assert clashes == 0
    page.close()


@pytest.mark.browser
def test_the_table_filters_with_its_script_and_stands_without(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "scale.html"
    path.write_text(scale_html(made("good")), encoding="utf-8")
    for scripts, shown in ((True, 2), (False, 10)):
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(path.as_uri())
        if scripts:
            page.fill("#q", "with enhancement")
            assert page.inner_text("#said") == "2 of 10 shown"
        assert page.locator("tr[data-f]:visible").count() == shown
        context.close()


@pytest.mark.browser
def test_the_scale_prints(browser: Any, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    content = page.pdf(prefer_css_page_size=True, tagged=True)
    assert content.startswith(b"%PDF") and b"/StructTreeRoot" in content
    page.close()
