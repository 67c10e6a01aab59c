"""The parts of a briefing as data: chart, tables, figures, words and embedded files."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import unquote

import pytest

from cegain.briefing.curves import build_curves
from cegain.briefing.download import build_data
from cegain.briefing.forest import build_forest
from cegain.briefing.page import build_page
from cegain.briefing.prose import build_methods
from cegain.briefing.reasons import FLAG_KEY, fit_reason_words, flag_letters, reason_words
from cegain.briefing.reported import build_reported
from cegain.briefing.table import SharedRow, build_table
from cegain.briefing.words import clean, portion, safe_url, spread
from cegain.gains import Verdict

from .briefing_cases import bad_case, empty_case, good_case, large_case
from .test_briefing import DEFINITION, changed, paragraph, view

# --- chart ------------------------------------------------------------------------------


def test_shapes_follow_the_verdict() -> None:
    forest = build_forest(view(good_case()))
    assert forest is not None
    shapes = {row.slug: [m.shape for m in row.marks] for g in forest.groups for row in g.rows}
    assert shapes["worked-examples"] == ["dot", "dot", "open"]
    assert shapes["calculator"] == ["over"]
    assert shapes["search-loop"] == ["least"]
    assert shapes["majority-vote"] == ["dot"]


def test_a_bound_has_no_centre_and_what_lies_between_two_bounds_has_none_either() -> None:
    key = "calculator/sums/alpha-4"
    case = changed(good_case(), key, interval=(2.0, 9.0))
    forest = build_forest(view(case))
    assert forest is not None
    row = next(r for g in forest.groups for r in g.rows if r.slug == "calculator")
    assert [(m.shape, m.x) for m in row.marks] == [("between", None)]


def test_what_is_not_drawn_is_counted_in_words() -> None:
    forest = build_forest(view(good_case()))
    assert forest is not None
    by_kind = {group.kind: group.not_drawn for group in forest.groups}
    assert "1 comparison that could not be estimated" in by_kind["solution-selection"]
    assert "1 comparison with no finite equivalent" in by_kind["solution-selection"]
    assert "1 comparison with unverified numbers" in by_kind["prompting"]


def test_an_upper_bound_points_down_and_is_counted_as_a_loss_below_one() -> None:
    case = changed(
        good_case(),
        "terse-answers/sums/gamma-6",
        verdict=Verdict.UPPER_BOUND,
        ratio=None,
        interval=(None, 0.4),
    )
    forest = build_forest(view(case))
    assert forest is not None
    row = next(r for g in forest.groups for r in g.rows if r.slug == "terse-answers")
    assert [mark.shape for mark in row.marks] == ["most"]
    assert row.words == "1 comparison: at most 0.40× (upper bound)"
    assert "In 1 it lies below 1×" in paragraph(case)


def test_an_interval_beyond_the_axis_is_cut_with_a_mark() -> None:
    case = changed(good_case(), "terse-answers/sums/gamma-6", interval=(1e-30, 1e12))
    forest = build_forest(view(case))
    assert forest is not None
    row = next(r for g in forest.groups for r in g.rows if r.slug == "terse-answers")
    assert (row.marks[0].cut_low, row.marks[0].cut_high) == (True, True)
    assert forest.axis.high <= 3


def test_hundreds_of_comparisons_stay_on_a_strip_of_bounded_height() -> None:
    forest = build_forest(view(large_case(1, 400)))
    assert forest is not None
    (row,) = (row for group in forest.groups for row in group.rows)
    assert len(row.marks) > 200
    assert row.height <= 165
    assert len(row.strokes) <= 8


def test_labels_of_close_reference_lines_are_set_apart() -> None:
    forest = build_forest(view(good_case()))
    assert forest is not None
    # 1× is labelled by the axis itself; 4× ends at its line and 6× begins at its own
    assert [line.anchor for line in forest.references] == ["none", "e", "b"]


def test_bounds_are_never_mixed_into_the_range_of_estimates() -> None:
    gains = view(good_case()).checked
    points = [g for g in gains if g.has_ratio and g.enhancement == "worked-examples"]
    bound = next(g for g in gains if g.verdict is Verdict.LOWER_BOUND)
    alone = spread(points)
    assert spread([*points, bound]).startswith(alone)
    assert "lower bound" in spread([*points, bound])


# --- tables -----------------------------------------------------------------------------


def in_short(row: SharedRow) -> int:
    return len(row.each) + sum(len(lost.each) for lost in row.lost)


def test_every_comparison_is_on_the_page_even_where_many_share_a_row() -> None:
    case = large_case(2, 90)
    table = build_table(view(case))
    assert table is not None
    rows = [row for kind in table.kinds for row in kind.rows]
    shown = sum(len(row.comparisons) + sum(map(in_short, row.shared)) for row in rows)
    assert shown == len(case[1].gains) == 180
    assert any(row.shared for row in rows)


def test_a_published_gain_stands_beside_ours() -> None:
    reported = build_reported(view(good_case()))
    assert reported is not None
    (row,) = reported.rows
    assert row.reported == "more than 20×"
    assert row.ours == "more than 8.0× (measured bound)"
    assert row.basis == "same benchmark and model"


@pytest.mark.parametrize(
    ("about", "basis"),
    [
        ({}, "all our comparisons of this enhancement"),
        ({"model": "alpha-4"}, "all our comparisons of this enhancement on the same model"),
        ({"model": "unknown"}, "all our comparisons of this enhancement"),
        ({"series": "sums", "model": "unknown"}, "same benchmark, our models"),
    ],
)
def test_what_ours_rests_on_is_said_where_the_published_gain_says_less(
    about: dict[str, str], basis: str
) -> None:
    registry, results = good_case()
    calculator = registry.enhancements["calculator"]
    (published,) = calculator.reported_gains
    told = published.model_copy(update={"series": None, "model": None, **about})
    claiming = calculator.model_copy(update={"reported_gains": (told,)})
    enhancements = MappingProxyType({**registry.enhancements, "calculator": claiming})
    reported = build_reported(view((replace(registry, enhancements=enhancements), results)))
    assert reported is not None
    assert [row.basis for row in reported.rows] == [basis]


def test_every_number_is_cited_and_sources_are_numbered_once() -> None:
    made = view(good_case())
    numbers = [item.number for item in made.citations.items]
    assert numbers == list(range(1, len(numbers) + 1))
    table = build_table(made)
    assert table is not None
    assert all(
        line.cited.number in numbers
        for kind in table.kinds
        for row in kind.rows
        for line in row.comparisons
    )


# --- figures ----------------------------------------------------------------------------


def test_an_inversion_goes_up_across_and_down_to_the_gain() -> None:
    curves = build_curves(view(good_case(), enhancements=["further-training"]))
    assert curves is not None
    (figure,) = curves.figures
    (arrow,) = figure.inversions
    assert arrow.path.startswith("M") and arrow.path.endswith("V186")
    assert "6.3× (2.5–16×)" in arrow.words


def test_an_unusable_fit_shows_points_without_a_curve_and_says_why() -> None:
    curves = build_curves(view(bad_case()))
    assert curves is not None
    figure = next(f for f in curves.figures if "facts" in f.name)
    assert figure.dots and not figure.band and not figure.inside and not figure.inversions
    assert "only 3 models with known compute" in figure.status
    assert "No curve is drawn" in figure.description


# --- words ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "no comparison"),
        (5, "few comparisons"),
        (20, "a minority of the comparisons"),
        (50, "about half of the comparisons"),
        (60, "more than half of the comparisons"),
        (70, "most comparisons"),
        (95, "nearly all comparisons"),
        (100, "all comparisons"),
    ],
)
def test_portions_in_words(part: int, text: str) -> None:
    assert portion(part, 100) == text


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.org/a", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://", False),
        ("https://exa mple.org", False),
        ("//example.org", False),
        ("https://[", False),
        (None, False),
    ],
)
def test_only_web_addresses_become_links(url: str | None, safe: bool) -> None:
    assert (safe_url(url) is not None) is safe


def test_text_from_records_is_cut_and_cannot_turn_the_reading_direction() -> None:
    assert clean("a\u202eb\x00c\n d") == "ab c d"
    assert len(clean("x" * 10_000)) == 320
    assert clean("שלום") == "\u2068שלום\u2069"


def test_every_caution_the_estimator_writes_has_a_letter_of_its_own() -> None:
    written = (
        "doubtful fit (only 6 models)",
        "baseline at the floor: its own compute places it, error about a factor 3",
        "baseline near the ceiling",
        "the two scores come from different sources",
        "number of items not stated (250 assumed)",
        "only 50 items",
        "training compute is speculative (about a factor 3)",
        "the enhanced score is below the baseline",
        "something new",
    )
    letters = flag_letters(written, sensitive=True)
    assert letters == tuple(letter for letter, _ in FLAG_KEY)


def test_an_unknown_reason_is_printed_as_it_stands() -> None:
    assert reason_words("a reason nobody foresaw") == "a reason nobody foresaw"
    assert "nobody published" in reason_words("training compute of gpt-x is not known")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("compute spans 1.2 decades", "its models span a factor of only 16 in compute"),
        ("residuals grow with release date", "newer models score above it, older ones below"),
        ("only 6 models", "only 6 models"),
    ],
)
def test_doubts_about_a_curve_in_plain_words(reason: str, text: str) -> None:
    assert fit_reason_words(reason) == text


def test_the_methods_fit_in_two_hundred_words() -> None:
    text = " ".join(build_methods(view(good_case())).paragraphs)
    assert len(text.split()) <= 200


# --- empty and download -----------------------------------------------------------------


def test_with_no_records_every_section_says_so() -> None:
    page = build_page(*empty_case(), DEFINITION)
    absent = {section.name for section in page.sections if section.content is None}
    always = {"methods", "limitations", "data"}
    assert absent == {section.name for section in page.sections} - always
    assert all(section.absent for section in page.sections if section.content is None)


def test_the_embedded_files_hold_every_gain() -> None:
    made = view(good_case())
    table, text = (file.link for file in build_data(made).files)
    rows = list(csv.DictReader(io.StringIO(unquote(table.split(",", 1)[1]))))
    assert len(rows) == len(made.gains)
    data = json.loads(base64.b64decode(text.split(",", 1)[1]))
    assert data["gains"]["enhancement"][0] == "calculator"
    assert {len(column) for column in data["gains"].values()} == {len(made.gains)}


def test_large_data_are_packed_the_same_way_every_time() -> None:
    made = view(large_case(60, 10))
    (file,) = build_data(made).files
    assert file == build_data(made).files[0]
    content = base64.b64decode(file.link.split(",", 1)[1])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["gains.csv", "gains.json"]
        assert len(json.loads(archive.read("gains.json"))["gains"]["model"]) == 600
