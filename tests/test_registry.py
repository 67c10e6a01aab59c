"""Reading records: every fault is reported at once, with line and repair."""

from __future__ import annotations

from pathlib import Path

import pytest

from cegain.errors import RecordError
from cegain.parsing import parse_csv, parse_yaml
from cegain.registry import load_registry, read_registry
from tests.conftest import RegistryFolder, comparison, enhancement

RECORD = "enhancements/prompting/worked-examples.yaml"


def test_a_good_registry_loads_without_a_word(folder: RegistryFolder) -> None:
    registry, problems = read_registry(folder.root)
    assert problems == ()
    assert registry is not None
    assert len(registry.benchmarks["demo"].points) == 16
    assert [ref.key for ref in registry.comparisons()] == ["worked-examples/demo/alpha-3"]


def test_five_faults_give_five_problems_with_lines(folder: RegistryFolder) -> None:
    folder.write(
        RECORD,
        """name: Worked examples
kind: promting
gain_type: systems
summary: Show the model solved examples.
introduced: 2026-03-02
sources:
  doe2026: {title: A study, authors: ['Doe, J.'], url: 'https://example.org'}
comparisons:
  - series: demo
    model: alpha-3
    source: doe2026
    locator: Table 2
    checked: full-text
    baseline: {score: 0.3, n_items: 1000}
    enhanced: {score: 55, n_items: 1000}
    infernce_cost_multiplier: {value: 4, basis: samples}
    one_time_cost_flop: -1
    one_time_cost_flop: 0
  - series: demo
    source: doe2026
    locator: Table 2
    checked: full-text
    baseline: {score: 0.3}
    enhanced: {score: 0.4}
""",
    )
    registry, problems = read_registry(folder.root)
    assert registry is None
    assert [(p.line, p.field) for p in problems] == [
        (2, "kind"),
        (15, "comparisons[0].enhanced.score"),
        (16, "comparisons[0].infernce_cost_multiplier"),
        (17, "comparisons[0].one_time_cost_flop"),
        (18, "comparisons[0].one_time_cost_flop"),
        (19, "comparisons[1].model"),
    ]
    said = {p.field: f"{p.message} {p.repair}" for p in problems}
    assert "write 0.55, not 55" in said["comparisons[0].enhanced.score"]
    assert (
        "Did you mean `inference_cost_multiplier`?"
        in said["comparisons[0].infernce_cost_multiplier"]
    )
    assert "'prompting'" in said["kind"]


def test_an_error_reads_as_file_line_field_what_and_repair(folder: RegistryFolder) -> None:
    folder.edit(RECORD, "score: 0.3", "score: 55.3")
    with pytest.raises(RecordError) as caught:
        load_registry(folder.root)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{RECORD}:9: comparisons[0].baseline.score: must be at most 1 (got 55")
    assert second.strip().startswith("Scores are fractions: write 0.553")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("series: demo", "series: dmeo", "no such series (got dmeo)"),
        ("model: alpha-3", "model: alpha-9", "no such model (got alpha-9)"),
        ("source: doe2026", "source: roe2026", "no such source (got roe2026)"),
        ("kind: prompting", "kind: scaffolding", "differs from its folder"),
        ("introduced: 2026-03-02", "introduced: last spring", "not a date"),
        ("n_items: 1000", "n_items: '1000'", "must be a number"),
        ("n_items: 1000", "n_items: true", "must be a number"),
        ("url: 'https://example.org", "url: 'javascript:alert(1)//", "expected form"),
        ("name: Worked examples", "name: &a T\nsummary: *a\nx: 1", "aliases are not allowed"),
        ("name: Worked", "name: [Worked", "not readable as YAML"),
    ],
)
def test_each_fault_is_named(folder: RegistryFolder, old: str, new: str, expected: str) -> None:
    folder.edit(RECORD, old, new)
    _, problems = read_registry(folder.root)
    assert any(expected in p.message for p in problems), problems
    assert all(p.line > 0 for p in problems)


def test_faults_of_several_files_are_reported_together(folder: RegistryFolder) -> None:
    folder.edit("scaling_fits/demo/benchmark.yaml", "chance: 0.0", "chance: 25")
    folder.edit("scaling_fits/models.csv", "reported", "rumoured")
    folder.edit("scaling_fits/demo/points.csv", "alpha-2,", "alpha-7,")
    _, problems = read_registry(folder.root)
    assert [p.file for p in problems] == [
        "scaling_fits/demo/benchmark.yaml",
        "scaling_fits/demo/points.csv",
        "scaling_fits/models.csv",
    ]
    assert [p.line for p in problems] == [7, 3, 2]


def test_a_faulty_row_does_not_move_the_lines_of_those_below_it(folder: RegistryFolder) -> None:
    models = folder.root / "scaling_fits" / "models.csv"
    head, first, *others = models.read_text(encoding="utf-8").splitlines()
    others[2] = others[2].replace("doe2026", "roe2026")
    models.write_text("\n".join([head, first, first, *others]) + "\n", encoding="utf-8")
    folder.edit("scaling_fits/demo/points.csv", "alpha-1,0.", "alpha-1,7.")
    folder.edit("scaling_fits/demo/points.csv", "alpha-4,", "alpha-9,")
    _, problems = read_registry(folder.root)
    assert [(p.file, p.line, p.field) for p in problems] == [
        ("scaling_fits/demo/points.csv", 2, "score"),
        ("scaling_fits/demo/points.csv", 5, "model"),
        ("scaling_fits/models.csv", 3, "model"),
        ("scaling_fits/models.csv", 6, "source"),
    ]


def test_comparisons_that_share_series_and_model_need_a_variant(folder: RegistryFolder) -> None:
    folder.write(RECORD, enhancement(comparison(), comparison(enhanced=0.5)))
    _, problems = read_registry(folder.root)
    assert [p.message for p in problems] == ["2 comparisons share series demo and model alpha-3"]
    folder.write(RECORD, enhancement(comparison(), comparison(enhanced=0.5, variant="k = 5")))
    assert read_registry(folder.root)[1] == ()


def test_a_folder_that_is_no_registry_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cegain init"):
        load_registry(tmp_path)


def test_withdrawn_records_need_a_reason_and_leave_the_comparisons(folder: RegistryFolder) -> None:
    folder.edit(RECORD, "kind: prompting", "kind: prompting\nstatus: withdrawn")
    _, problems = read_registry(folder.root)
    assert "needs withdrawn_on and reason" in problems[0].message
    folder.edit(
        RECORD,
        "status: withdrawn",
        "status: withdrawn\nwithdrawn_on: 2026-05-01\nreason: retracted",
    )
    assert load_registry(folder.root).comparisons() == ()


def test_warnings_do_not_stop_a_registry(folder: RegistryFolder) -> None:
    folder.edit(
        RECORD,
        "sources:\n",
        f"sources:\n  unused: {'{'}title: T, authors: [A], url: 'https://e.org'{'}'}\n",
    )
    registry, problems = read_registry(folder.root)
    assert registry is not None
    assert [(p.severity, p.message) for p in problems] == [("warning", "is never cited")]


def test_yaml_keeps_the_traps_of_older_readers_out() -> None:
    document = parse_yaml("a: 1e24\nb: no\nc: 2026-03-02\nd: {u: https://e.org}\n", "x.yaml")
    assert isinstance(document.value, dict)
    assert document.value["a"] == 1e24
    assert document.value["b"] == "no"
    assert document.value["d"] == {"u": "https://e.org"}
    assert document.line(("c",)) == 3


def test_csv_rows_know_their_line_and_their_cells() -> None:
    text = '\ufeffmodel,score\n"two\nlines",0.5\n\nb,0.1,9\n'
    document = parse_csv(text, "x.csv", ["model", "score"], ["model"], frozenset({"score"}))
    assert document.value == [{"model": "two\nlines", "score": 0.5}, {"model": "b", "score": 0.1}]
    assert document.line(("row", 0)) == 2
    assert [(p.line, p.message) for p in document.problems] == [
        (5, "has 3 cells where the header has 2")
    ]


def test_unknown_and_missing_columns_are_named() -> None:
    document = parse_csv(
        "modle,score\n", "x.csv", ["model", "score"], ["model"], frozenset({"score"})
    )
    assert [(p.field, p.message) for p in document.problems] == [
        ("modle", "unknown column"),
        ("model", "column is missing"),
    ]
    assert document.problems[0].repair == "Did you mean `model`?"
