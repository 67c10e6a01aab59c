"""Rules over several records: each fires where it should, and is silent where it should be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cegain.registry import read_registry
from tests.conftest import SOURCE, RegistryFolder, comparison, demo_scores, enhancement

RECORD = "enhancements/prompting/worked-examples.yaml"
POINTS = "scaling_fits/demo/points.csv"
SETTINGS = "scaling_fits/demo/benchmark.yaml"
BASE = "alpha-3"


def warnings(folder: RegistryFolder, text: str) -> list[str]:
    """Warnings with ``text`` in them, as printed; errors fail the test."""
    _, problems = read_registry(folder.root)
    assert [str(p) for p in problems if p.severity == "error"] == []
    return [str(p) for p in problems if text in p.message]


def baseline(folder: RegistryFolder) -> float:
    return demo_scores(folder.models)[BASE]


def record(folder: RegistryFolder, *comparisons: str, sources: str = "") -> None:
    text = enhancement(*comparisons)
    folder.write(RECORD, text.replace("comparisons:", f"{sources}comparisons:", 1))


def test_the_demonstration_has_no_warning(folder: RegistryFolder) -> None:
    assert read_registry(folder.root)[1] == ()


def low_point(folder: RegistryFolder, extra: str = "", note: str = "") -> None:
    """A series with chance 0.5 whose smallest model scores 0.30, far below it."""
    scores = dict.fromkeys(demo_scores(folder.models), 0.6)
    scores[BASE], scores["alpha-1"] = 0.55, 0.30
    folder.write_series("demo", scores, settings=f"chance: 0.5\n{extra}")
    record(folder, comparison(baseline=0.55, enhanced=0.65))
    if note:
        row = "alpha-1,0.3,1000,,doe2026,Table 1,full-text,"
        folder.edit(POINTS, row, row + note)


def test_a_point_far_below_chance_is_questioned(folder: RegistryFolder) -> None:
    low_point(folder)
    (found,) = warnings(folder, "below chance")
    assert found.startswith(f"{POINTS}:2: score: ")


@pytest.mark.parametrize(
    ("extra", "note"), [("floor: free\n", ""), ("", "no valid answer extracted")]
)
def test_a_low_point_that_is_explained_is_left_alone(
    folder: RegistryFolder, extra: str, note: str
) -> None:
    low_point(folder, extra, note)
    assert warnings(folder, "below chance") == []


def test_a_score_within_sampling_error_of_chance_is_left_alone(folder: RegistryFolder) -> None:
    low_point(folder)
    folder.edit(POINTS, "alpha-1,0.3,", "alpha-1,0.46,")
    assert warnings(folder, "below chance") == []


def test_a_score_over_the_ceiling_is_questioned(folder: RegistryFolder) -> None:
    scores = {name: min(score, 0.6) for name, score in demo_scores(folder.models).items()}
    folder.write_series("demo", scores, settings="ceiling: 0.7\n")
    record(folder, comparison(baseline=scores[BASE], enhanced=0.9))
    assert len(warnings(folder, "above the ceiling")) == 1
    record(folder, comparison(baseline=scores[BASE], enhanced=0.9, note="ceiling of experts"))
    assert warnings(folder, "above the ceiling") == []


def test_a_baseline_that_is_not_the_point_of_its_model_is_questioned(
    folder: RegistryFolder,
) -> None:
    base = baseline(folder)
    record(folder, comparison(baseline=base + 0.12, enhanced=base + 0.2))
    (found,) = warnings(folder, "where the series has")
    assert "comparisons[0].baseline.score" in found
    record(folder, comparison(baseline=base + 0.03, enhanced=base + 0.2))
    assert warnings(folder, "where the series has") == []
    record(folder, comparison(baseline=base + 0.12, enhanced=base + 0.2, note="fine-tuned base"))
    assert warnings(folder, "where the series has") == []


def elicited(folder: RegistryFolder, series: str, ours: str) -> None:
    folder.edit(SETTINGS, "protocol:", f"elicitation: {series}\nprotocol:")
    base = baseline(folder)
    text = comparison(baseline=base, enhanced=base + 0.1)
    old = f"baseline: {{score: {base:.6g}, n_items: 1000"
    assert old in text
    record(folder, text.replace(old, f"{old}, elicitation: {ours}"))


@pytest.mark.parametrize(
    ("series", "ours", "field"),
    [
        ("{shots: 8}", "{shots: 0}", "shots"),
        ("{samples: 1}", "{samples: 40}", "samples"),
        ("{tools: none}", "{tools: calculator}", "tools"),
    ],
)
def test_a_baseline_under_another_protocol_is_questioned(
    folder: RegistryFolder, series: str, ours: str, field: str
) -> None:
    elicited(folder, series, ours)
    (found,) = warnings(folder, "where the series has")
    assert f"comparisons[0].baseline.elicitation.{field}: " in found


@pytest.mark.parametrize(
    ("series", "ours"),
    [
        ("{shots: 8}", "{shots: 8}"),
        ("{shots: 8}", "{prompting: standard}"),
        ("{sampling: greedy}", "{sampling: greedy decoding}"),
        ("{tools: search}", "{tools: web search}"),
    ],
)
def test_the_same_protocol_in_other_words_is_left_alone(
    folder: RegistryFolder, series: str, ours: str
) -> None:
    elicited(folder, series, ours)
    assert warnings(folder, "where the series has") == []


def test_numbers_of_items_agree_within_a_series(folder: RegistryFolder) -> None:
    row = f"{BASE},{baseline(folder):.6g},1000,,"
    folder.edit(POINTS, row, f"{BASE},{baseline(folder):.6g},990,,")
    (found,) = warnings(folder, "is 990 where the series has 1000")
    assert "n_items" in found
    folder.edit(
        POINTS, "990,,doe2026,Table 1,full-text,", "990,,doe2026,Table 1,full-text,ten lost"
    )
    assert warnings(folder, "is 990") == []


def test_numbers_of_items_agree_in_a_comparison(folder: RegistryFolder) -> None:
    base = baseline(folder)
    text = comparison(baseline=base, enhanced=base + 0.1).replace("n_items: 1000", "n_items: 500")
    record(folder, text)
    assert len(warnings(folder, "is 500 where the series has 1000")) == 2
    record(folder, text.replace("checked:", "note: half of the items, checked:"))
    assert warnings(folder, "is 500") == []


def test_series_of_one_benchmark_agree_on_its_items(folder: RegistryFolder) -> None:
    scores = demo_scores(folder.models)
    folder.write_series("second", scores, n_items=500)
    (found,) = warnings(folder, "of the same benchmark, has 1000")
    assert found.startswith("scaling_fits/second/benchmark.yaml:")
    folder.write_series("second", scores, n_items=500, settings="note: the first half\n")
    assert warnings(folder, "of the same benchmark") == []


def test_shared_sources_are_cited(folder: RegistryFolder) -> None:
    shared = f"sources:\n  doe2026: {SOURCE}\n  spare: {SOURCE}\n"
    folder.write("scaling_fits/sources.yaml", shared)
    (found,) = warnings(folder, "is never cited")
    assert found.startswith("scaling_fits/sources.yaml:3: sources.spare: ")
    folder.edit(POINTS, "doe2026", "spare")
    assert warnings(folder, "is never cited") == []


def test_sources_of_a_series_and_of_a_record_are_cited(folder: RegistryFolder) -> None:
    folder.edit(SETTINGS, "protocol:", f"sources:\n  roe: {SOURCE}\nprotocol:")
    folder.edit(RECORD, "sources:\n", f"sources:\n  roe: {SOURCE}\n")
    files = [found.split(":")[0] for found in warnings(folder, "is never cited")]
    assert files == [RECORD, SETTINGS]


ELSEWHERE = (
    "sources:\n  roe: {source}\nreported_gains:\n"
    "  - {{subject: A training method, ratio: 7, bound: point, source: {key}, "
    "locator: Table 1, checked: secondary}}\n"
)


def test_gains_reported_elsewhere_cite_sources_of_their_file(folder: RegistryFolder) -> None:
    file = "enhancements/reported_elsewhere.yaml"
    folder.write(file, ELSEWHERE.format(source=SOURCE, key="roe"))
    assert read_registry(folder.root)[1] == ()
    folder.write(file, ELSEWHERE.format(source=SOURCE, key="poe"))
    _, problems = read_registry(folder.root)
    assert [(p.file, p.severity, p.message) for p in problems] == [
        (file, "warning", "is never cited"),
        (file, "error", "no such source (got poe)"),
    ]


def dated(folder: RegistryFolder, released: str, url: str = "https://example.org/doe2026") -> None:
    source = f"{SOURCE[:-1]}, published: 2023-06-01, accessed: 2026-01-01}}".replace(
        "https://example.org/doe2026", url
    )
    folder.write("scaling_fits/sources.yaml", f"sources:\n  doe2026: {source}\n")
    folder.edit(RECORD, f"doe2026: {SOURCE}", f"doe2026: {source}")
    folder.edit(
        "scaling_fits/models.csv", f"{BASE},Doe,alpha,base,,", f"{BASE},Doe,alpha,base,{released},"
    )


def test_a_model_released_long_after_its_source_is_questioned(folder: RegistryFolder) -> None:
    dated(folder, "2025-09-01")
    files = [found.split(":")[0] for found in warnings(folder, "was published 823 days before")]
    assert files == [RECORD, POINTS]


@pytest.mark.parametrize(
    ("released", "url"),
    [
        ("2023-11-01", "https://example.org/doe2026"),  # a revised version of the paper
        ("2025-09-01", "https://github.com/doe/tables"),  # data that are kept up to date
    ],
)
def test_revised_papers_and_kept_data_are_left_alone(
    folder: RegistryFolder, released: str, url: str
) -> None:
    dated(folder, released, url)
    assert warnings(folder, "was published") == []


def test_a_comparison_on_a_model_left_out_as_wrong_is_questioned(folder: RegistryFolder) -> None:
    folder.edit(
        SETTINGS,
        "protocol:",
        f"exclusions:\n  - {{model: {BASE}, reason: contaminated}}\nprotocol:",
    )
    assert len(warnings(folder, "is left out of the series")) == 1
    folder.edit(SETTINGS, "reason: contaminated", "reason: trained mainly on code")
    assert warnings(folder, "is left out of the series") == []


def copy_score(folder: RegistryFolder) -> None:
    base = baseline(folder)
    record(folder, comparison(baseline=base, enhanced=base))


def other_compute(folder: RegistryFolder) -> None:
    name = "scaling_fits/models.csv"
    flop = f"{folder.models[BASE][1]:.6g}"
    folder.edit(
        name, f"{BASE},Doe,alpha,base,,,1e12,{flop}", f"{BASE},Doe,alpha,base,,1e9,1e9,{flop}"
    )


@pytest.mark.parametrize(
    ("fault", "text"),
    [(copy_score, "equals the baseline"), (other_compute, "times 6 x parameters x tokens")],
)
def test_odd_numbers_without_a_note_are_questioned(
    folder: RegistryFolder, fault: Callable[[RegistryFolder], None], text: str
) -> None:
    assert warnings(folder, text) == []
    fault(folder)
    assert len(warnings(folder, text)) == 1


def test_a_model_has_one_point_in_a_series(folder: RegistryFolder) -> None:
    text = (folder.root / POINTS).read_text(encoding="utf-8")
    folder.write(POINTS, text + text.splitlines()[1] + "\n")
    _, problems = read_registry(folder.root)
    assert [p.message for p in problems] == ["has two points in this series (got alpha-1)"]
    assert problems[0].severity == "error"
