"""Sections on cost, thresholds, trust, size, what is missing, checklist and changes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cegain.briefing import BriefingDefinition, build_briefing, render_briefing
from cegain.briefing.backtests import read_backtest
from cegain.briefing.by_compute import build_by_compute
from cegain.briefing.changed import build_changes
from cegain.briefing.checklist import build_checklist
from cegain.briefing.compute_lines import build_compute_lines, reaches
from cegain.briefing.cost import build_costs
from cegain.briefing.definition import (
    GradeLevel,
    LoweredGrade,
    check_definition,
    parse_definition,
)
from cegain.briefing.download import build_data
from cegain.briefing.findings import build_findings
from cegain.briefing.grades import Evidence, Reason, grade_body, grade_one
from cegain.briefing.scope import NO_EXTRAS, Extras, View, select
from cegain.briefing.summary import build_summary
from cegain.briefing.sure import build_sure
from cegain.briefing.table import build_table
from cegain.briefing.would_change import build_would_change
from cegain.briefing.write import read_extras
from cegain.errors import RecordError, StoreError
from cegain.gains import Verdict
from cegain.records import Registry
from cegain.results import GainRecord, Results
from cegain.store import append_changes

from .briefing_cases import BACKTEST, EXTRAS, bad_case, empty_case, good_case, large_case
from .test_briefing import DEFINITION, changed, paragraph, view
from .test_repository import registry as shipped_registry

ROOT = Path(__file__).parent.parent
INSIDE = "further-training/facts/beta-5"
REPORTS = sorted((ROOT / "reports").glob("*.yaml"))


def with_extras(case: tuple[Registry, Results], extras: Extras, **fields: object) -> View:
    return select(*case, DEFINITION.model_copy(update=fields), extras=extras)


# --- grades -----------------------------------------------------------------------------


def graded(**fields: Any) -> tuple[str, list[str]]:
    """Grade of the interpolated gain of the good case with fields changed, and its reasons."""
    made = view(good_case())
    gain = replace(good_case()[1].gains[INSIDE], reported_by="independent", interval=(4.0, 10.0))
    comparison = made.comparisons[INSIDE].model_copy(update=fields.pop("comparison", {}))
    evidence = Evidence(replace(gain, **fields), comparison, made.fit("facts"), "beta")
    grade = grade_one(evidence)
    return grade.level.value, [f"{d.reason}: {d.trigger}" for d in grade.downgrades]


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"comparison": {"paired_se": 0.01}}, "high"),
        ({}, "moderate"),
        ({"flags": ("number of items not stated (250 assumed)",)}, "low"),
        ({"flags": ("the two scores come from different sources",)}, "low"),
        ({"locator": "Figure 3, read off the plot"}, "low"),
        ({"locator": "Table 3, configuration 2"}, "moderate"),
        ({"checked": "secondary"}, "low"),
        ({"checked": "unverified"}, "very low"),
    ],
)
def test_a_grade_starts_by_how_the_numbers_were_obtained(
    fields: dict[str, Any], level: str
) -> None:
    assert graded(**fields) == (level, [])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reported_by": "developer"}, "risk of bias: reported by the developers"),
        ({"interval": (0.9, 4.0)}, "imprecision: the interval includes 1×"),
        ({"interval": (1.1, 12.0)}, "imprecision: the interval spans more than a factor of ten"),
        ({"interval": (4.0, None)}, "imprecision: the interval is open at one end"),
        ({"verdict": Verdict.EXTRAPOLATED}, "indirectness: read outside the compute range"),
        ({"verdict": Verdict.LOWER_BOUND}, "indirectness: known only as a bound"),
    ],
)
def test_every_step_down_names_its_trigger(fields: dict[str, Any], reason: str) -> None:
    level, reasons = graded(**fields)
    assert level == "low"
    assert len(reasons) == 1 and reasons[0].startswith(reason)


def test_a_curve_without_the_models_family_is_indirect() -> None:
    made = view(good_case())
    gain = replace(good_case()[1].gains[INSIDE], reported_by="independent", interval=(4.0, 10.0))
    strange = grade_one(Evidence(gain, None, made.fit("facts"), "omega"))
    assert [step.reason for step in strange.downgrades] == [Reason.INDIRECTNESS]


def test_four_steps_down_end_at_very_low() -> None:
    level, reasons = graded(
        reported_by="developer", interval=(0.5, 40.0), verdict=Verdict.EXTRAPOLATED
    )
    assert level == "very low" and len(reasons) == 3


def body(ends: list[tuple[float, float]], **fields: Any) -> set[str]:
    base = replace(good_case()[1].gains[INSIDE], reported_by="independent", **fields)
    gains = [
        replace(
            base, model=f"m{i}", source=f"s{i}", interval=pair, ratio=(pair[0] * pair[1]) ** 0.5
        )
        for i, pair in enumerate(ends)
    ]
    fits = good_case()[1].fits
    grade = grade_body([Evidence(g, None, fits["facts"], "beta") for g in gains], fits)
    assert grade is not None
    return {step.reason.value for step in grade.downgrades}


def test_gains_beside_losses_are_inconsistent() -> None:
    alike = [(2.0, 4.0), (3.0, 5.0), (2.5, 4.5)] * 3
    assert body(alike) == set()
    assert body([*alike, (0.2, 0.4)]) == {"inconsistency"}
    # two measurements are too few to disagree
    assert body([(2.0, 4.0), (0.2, 0.4)]) == set()


def test_a_prediction_that_includes_no_gain_is_inconsistent() -> None:
    assert "inconsistency" in body([(1.05, 1.2), (9.0, 11.0), (1.1, 1.3)])


def test_developers_alone_are_publication_bias_too() -> None:
    base = replace(good_case()[1].gains[INSIDE], interval=(4.0, 10.0), reported_by="developer")
    fits = good_case()[1].fits
    grade = grade_body([Evidence(base, None, fits["facts"], "beta")], fits)
    assert grade is not None
    assert [step.reason for step in grade.downgrades] == [Reason.BIAS, Reason.PUBLICATION]
    assert grade.level is GradeLevel.VERY_LOW and grade.level.symbols == "⊕○○○"


def test_ten_results_of_which_the_uncertain_are_large_are_suspect() -> None:
    sure = [(1.8 * f, 2.4 * f) for f in (1.0, 1.02, 1.04, 0.98, 0.96)]
    vague = [(2.5 * f, 10.0 * f) for f in (1.0, 1.1, 1.2, 1.3, 1.4)]
    assert "publication bias" in body(sure + vague)
    assert "publication bias" not in body(sure + vague[:4])
    even = [(1.0 * f, 4.0 * f) for f in (0.9, 1.0, 1.1, 1.2, 1.05)]
    assert "publication bias" not in body(sure + even)


def test_nothing_known_is_not_graded() -> None:
    assert "calculator" not in view(bad_case()).grades


def test_a_person_may_lower_a_grade_with_a_reason() -> None:
    case = changed(good_case(), INSIDE, reported_by="independent", interval=(4.0, 10.0))
    slug = "further-training"
    assert view(case).grades[slug].level is GradeLevel.MODERATE
    by = {slug: LoweredGrade(grade=GradeLevel.VERY_LOW, reason="Tuned on the test set.")}
    grade = with_extras(case, NO_EXTRAS, lowered_grades=by).grades[slug]
    assert grade.level is GradeLevel.VERY_LOW
    text = build_briefing(*case, DEFINITION.model_copy(update={"lowered_grades": by}))
    assert "Lowered by hand: Tuned on the test set." in text


def test_a_person_may_not_raise_a_grade() -> None:
    by = {"calculator": LoweredGrade(grade=GradeLevel.HIGH, reason="We like it.")}
    with pytest.raises(RecordError, match=r"lowered_grades\.calculator\.grade: .*never raised"):
        build_briefing(*good_case(), DEFINITION.model_copy(update={"lowered_grades": by}))


def test_a_lowered_grade_needs_a_reason_and_a_known_name() -> None:
    head = "title: T\nsubtitle: S\naudience: A\n"
    with pytest.raises(RecordError, match="reason"):
        parse_definition(head + "lowered_grades: {calculator: {grade: low}}\n", "x.yaml")
    text = head + "lowered_grades: {calculater: {grade: low, reason: R}}\n"
    with pytest.raises(RecordError, match=r"Did you mean calculator\?"):
        check_definition(parse_definition(text, "x.yaml"), good_case()[0], "x.yaml")


def test_grades_stand_in_findings_and_table_with_words_and_reasons() -> None:
    made = view(good_case())
    findings, table = build_findings(made), build_table(made)
    assert findings is not None and table is not None
    assert all(card.evidence for card in findings.cards)
    firmest = next(card for card in findings.cards if "firmest" in card.claim)
    assert firmest.grade is not None and firmest.grade.text.startswith("Starts at moderate")
    text = build_briefing(*good_case(), DEFINITION)
    assert '<span aria-hidden="true">⊕○○○</span> very low</span>: risk of bias' in text


# --- scope ------------------------------------------------------------------------------


def test_a_scope_by_one_time_cost_counts_what_it_leaves_out() -> None:
    made = view(good_case(), max_one_time_cost_share=1e-5)
    assert all((gain.one_time_cost_share or 0.0) <= 1e-5 for gain in made.gains)
    # the calculator's cost is not known
    assert made.unpriced == 1 and "calculator" not in {entry.slug for entry in made.entries}
    summary = build_summary(made)
    assert summary is not None
    assert "1 comparison of unknown cost is left out" in " ".join(summary.sentences)


def test_a_scope_by_family_keeps_its_models_and_refuses_unknown_ones() -> None:
    made = view(good_case(), families=["beta"])
    assert made.gains and {gain.model.split("-")[0] for gain in made.gains} == {"beta"}
    wrong = BriefingDefinition.model_validate(
        {**DEFINITION.model_dump(), "scope": {"families": ["betta"]}}
    )
    with pytest.raises(RecordError, match=r"Did you mean beta\?"):
        build_briefing(*good_case(), wrong)


# --- cost -------------------------------------------------------------------------------


def test_costs_are_banded_and_the_chart_says_its_finding() -> None:
    costs = build_costs(view(good_case()))
    assert costs is not None
    assert [(band.cost, band.count) for band in costs.running] == [("over 3× up to 10×", 9)]
    assert sum(band.count for band in costs.once) == 9
    assert "the gain in training compute is a larger factor" in costs.finding
    assert costs.inside.count("h0") == 4 and costs.outside.count("h0") == 1
    assert [item.slug for item in costs.front]


def test_an_enhancement_beaten_in_gain_and_cost_is_not_on_the_front() -> None:
    costs = build_costs(view(good_case()))
    assert costs is not None
    assert "terse-answers" not in {item.slug for item in costs.front}


def test_without_a_known_cost_there_is_a_note() -> None:
    registry, results = good_case()
    gains = {
        key: replace(gain, inference_cost_multiplier=None, one_time_cost_flop=None)
        for key, gain in results.gains.items()
    }
    assert build_costs(view((registry, Results(results.fits, gains)))) is None
    assert "No cost is known" in build_briefing(registry, Results(results.fits, gains), DEFINITION)


# --- thresholds -------------------------------------------------------------------------


def test_models_cross_a_line_under_their_gain() -> None:
    case = good_case()
    flop = case[1].gains[INSIDE].training_compute_flop
    assert flop is not None
    line = DEFINITION.compute_lines[1].model_copy(update={"training_compute_flop": flop * 5})
    made = select(*case, DEFINITION.model_copy(update={"compute_lines": (line,)}))
    found = build_compute_lines(made)
    assert found is not None
    # 6.3× (2.5–16×) of this model: not at the lower end, at the central and upper ones
    one = [reach for reach in reaches(made.checked)[0] if reach.model == "beta-5"]
    assert one[0].low < 5 < one[0].central < one[0].high
    assert "beta-5" in found.rows[0].crossing


def test_growth_lines_and_the_share_rule_are_counted_both_ways() -> None:
    found = build_compute_lines(view(good_case()))
    assert found is not None
    assert [row.amount for row in found.rows] == ["4.0× growth".replace(".0", ""), "10²⁵ FLOP"]
    (share,) = found.shares
    assert share.sentence.startswith("By compute spent, 0 of 9 comparisons")
    assert "(lower)" in share.sentence and "(upper)" in share.sentence


def test_a_gain_that_falls_moves_the_count() -> None:
    def central(case: tuple[Registry, Results]) -> str:
        found = build_compute_lines(view(case))
        assert found is not None
        return found.rows[0].usual

    case = good_case()
    lower = changed(case, INSIDE, ratio=0.5, interval=(0.3, 0.8))
    assert central(case) != central(lower)
    assert "would cross that line" in paragraph(case)


def test_a_line_needs_exactly_one_amount() -> None:
    entry = "{name: N, status: S, source: Q, checked: full-text, factor: 4, modification_share: 1}"
    text = f"title: T\nsubtitle: S\naudience: A\ncompute_lines: [{entry}]\n"
    with pytest.raises(RecordError, match="exactly one of"):
        parse_definition(text, "x.yaml")


def test_without_lines_or_models_there_is_a_note() -> None:
    assert build_compute_lines(select(*good_case(), DEFINITION.model_copy(
        update={"compute_lines": ()}))) is None  # fmt: skip
    nothing = {
        key: replace(gain, training_compute_flop=None) for key, gain in good_case()[1].gains.items()
    }
    assert build_compute_lines(view((good_case()[0], Results({}, nothing)))) is None


def test_nothing_spent_once_is_a_share_of_nothing_whatever_the_training_took() -> None:
    case = changed(good_case(), INSIDE, one_time_cost_flop=0.0, training_compute_flop=None)
    assert case[1].gains[INSIDE].one_time_cost_share == 0.0
    table = build_table(view(case, enhancements=["further-training"]))
    assert table is not None
    assert [row.one_time for kind in table.kinds for row in kind.rows] == ["none"]


def test_estimated_running_costs_are_counted() -> None:
    def said(case: tuple[Registry, Results]) -> str:
        found = build_findings(view(case))
        assert found is not None
        return next(c.caution for c in found.cards if c.caution.startswith("Known for"))

    assert "estimated" not in said(good_case())
    estimate = {"inference_cost_multiplier": 2.0, "inference_cost_basis": "estimated"}
    case = changed(good_case(), INSIDE, **estimate)
    assert "only estimated in 1 of them" in said(case)


# --- how sure ---------------------------------------------------------------------------


def test_other_choices_are_counted_by_what_they_change() -> None:
    sure = build_sure(view(good_case()))
    assert sure is not None
    (row,) = sure.choices
    assert (row.tried, row.verdict, row.value) == (1, "1 (100 %)", "none")
    assert "For 1 of 1 (100 %), at least one choice" in sure.sentences[0]
    moved = changed(
        good_case(),
        INSIDE,
        sensitivity={"logistic link": ("interpolated", 20.0)},
        sensitive_to=("logistic link",),
    )
    after = build_sure(view(moved))
    assert after is not None
    assert (after.choices[0].verdict, after.choices[0].value) == ("none", "1 (100 %)")


def test_fits_are_judged_with_range_and_residual() -> None:
    sure = build_sure(view(bad_case()))
    assert sure is not None
    assert [(row.status, row.count) for row in sure.fits] == [("doubtful", 1), ("not usable", 1)]
    assert sure.fits[0].span == "a factor of 3,200" and sure.fits[1].span == "–"
    assert "too few models" in sure.fits[1].reasons


def test_the_backtest_is_shown_and_its_absence_is_said() -> None:
    sure = build_sure(with_extras(good_case(), EXTRAS))
    assert sure is not None and sure.backtest is not None
    first, second = sure.backtest.rows
    assert first.name == "hierarchical (the one used here)"
    assert first.coverage == "91 % of 90 % promised" and first.error == "a factor of 2.0"
    assert (second.bias, second.coverage, second.width) == ("–", "–", "–")
    assert "No backtest is stored" in build_briefing(*good_case(), DEFINITION)


@pytest.mark.parametrize("text", ["{", "[]", '{"cases": 3}', '{"cases": 3, "estimators": [{}]}'])
def test_a_broken_backtest_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "reports" / "data" / "backtest.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"backtest\.json: .*remove the file"):
        read_extras(tmp_path)


def test_a_written_briefing_reads_backtest_and_changes(tmp_path: Path) -> None:
    registry, results = good_case()
    registry = replace(registry, root=str(tmp_path))
    append_changes(tmp_path, list(EXTRAS.changes))
    (tmp_path / "reports/data/backtest.json").write_text(json.dumps(BACKTEST))
    page = render_briefing(registry, results, DEFINITION, tmp_path / "page.html")
    text = page.read_text(encoding="utf-8")
    assert "on 40 pairs of models" in text and "points changed" in text
    render_briefing(registry, results, DEFINITION, page, changes=())
    assert "No gain in the scope of this briefing has moved" in page.read_text(encoding="utf-8")


def test_a_backtest_of_another_shape_is_no_backtest() -> None:
    with pytest.raises(ValueError, match="not a backtest"):
        read_backtest({"cases": 1, "estimators": [{"name": "x"}]})


# --- by compute -------------------------------------------------------------------------


def test_lines_say_slope_interval_and_whether_anything_is_shown() -> None:
    found = build_by_compute(view(good_case()))
    assert found is not None
    rows = {row.slug: row for row in found.rows}
    assert rows["worked-examples"].slope == "2.5× (90 % interval 2.0–3.2×)"
    assert rows["worked-examples"].judgement == "grows"
    assert rows["majority-vote"].judgement == "not shown"
    assert "grows with training compute in 1, shrinks in 0, and in 1" in found.sentences[1]
    # gains within the curve's range alone point the other way
    assert any("rests on extrapolation" in text for text in found.sentences)


def test_what_lies_far_beyond_the_models_is_not_drawn() -> None:
    found = build_by_compute(view(good_case(), enhancements=["worked-examples"]))
    assert found is not None
    (figure,) = found.figures
    assert "10²⁵ FLOP" in figure.description and "10²⁶" not in figure.description
    assert figure.line.count(" ") < 12


def test_without_lines_there_is_a_note() -> None:
    assert build_by_compute(view(bad_case())) is None


# --- what would change, checklist -------------------------------------------------------


def test_what_is_missing_is_counted_and_ordered() -> None:
    found = build_would_change(view(good_case()))
    assert found is not None
    counts = [row.count for row in found.rows]
    assert counts == sorted(counts, reverse=True) and counts[-1] > 0
    by_what = {row.what: row for row in found.rows}
    assert by_what["The training compute of the models compared"].count == 1
    assert by_what["Plain scores of larger models on the same test"].count == 3
    better = changed(
        good_case(), "majority-vote/facts/alpha-7/run 2", reasons=("no curve: only 3 models",)
    )
    after = build_would_change(view(better))
    assert after is not None
    assert "The training compute of the models compared" not in {row.what for row in after.rows}


@pytest.mark.parametrize("case", [good_case, bad_case])
def test_the_checklist_covers_every_guide_and_counts(case: Any) -> None:
    found = build_checklist(view(case()))
    assert found is not None
    titles = [group.title for group in found.groups]
    assert sum(title.startswith("STREAM") for title in titles) == 6
    assert any("NIST" in title for title in titles) and any("EU Code" in t for t in titles)
    items = [item for group in found.groups for item in group.items]
    assert {item.answer for item in items} == {"yes", "in part", "no"}
    assert f"Of {len(items)} items" in found.summary


def test_an_unstated_number_of_questions_turns_its_row() -> None:
    def answer(case: tuple[Registry, Results]) -> str:
        found = build_checklist(view(case))
        assert found is not None
        items = [item for group in found.groups for item in group.items]
        return next(item.answer for item in items if item.asked == "Number of questions")

    assert answer(good_case()) == "yes"
    assert answer(changed(good_case(), INSIDE, flags=("number of items not stated",))) == "in part"


# --- changes ----------------------------------------------------------------------------


def test_changes_are_listed_newest_first_and_only_in_scope() -> None:
    found = build_changes(with_extras(good_case(), EXTRAS))
    assert found is not None
    assert [row.date for row in found.rows] == ["2026-11-03", "2026-10-02"]
    assert found.rows[1].why == "points changed"
    later = build_changes(with_extras(good_case(), EXTRAS, last_issue=date(2026, 11, 1)))
    assert later is not None
    assert "1 gain moved since 2026-11-01" in later.sentences[0]
    assert build_changes(with_extras(good_case(), EXTRAS, last_issue=date(2027, 1, 1))) is None


def test_many_changes_are_counted_beyond_the_first() -> None:
    many = Extras(tuple(replace(EXTRAS.changes[0], new=f"> {n}×") for n in range(60)))
    found = build_changes(with_extras(good_case(), many))
    assert found is not None
    assert len(found.rows) + found.more == 60 and found.more > 0


# --- definitions, data, empty -----------------------------------------------------------


def test_three_briefings_are_shipped_and_name_only_what_exists() -> None:
    registry = shipped_registry()
    assert {path.stem for path in REPORTS} >= {
        "post-training-enhancements",
        "open-weights-actor",
        "reasoning-and-inference-time",
    }
    for path in REPORTS:
        definition = parse_definition(path.read_text(encoding="utf-8"), path.name)
        check_definition(definition, registry, path.name)
        made = select(registry, Results({}, {}), definition)
        assert made.uncomputed > 100, f"{path.name} covers next to nothing"
        assert all(line.status and line.source for line in definition.compute_lines)


def test_the_citation_is_there_for_reference_managers() -> None:
    data = build_data(view(good_case()))
    (item,) = json.loads(data.csl)
    assert item["type"] == "report" and item["issued"]["date-parts"] == [[2026, 11, 20]]


@pytest.mark.parametrize(
    "build",
    [build_costs, build_compute_lines, build_sure, build_by_compute, build_would_change,
     build_checklist, build_changes],
)  # fmt: skip
def test_with_no_records_there_is_nothing_and_no_error(build: Any) -> None:
    assert build(view(empty_case())) is None


def test_sections_stand_for_every_verdict_of_a_large_registry() -> None:
    made = view(large_case(20, 7))
    for build in (build_costs, build_compute_lines, build_sure, build_would_change):
        assert build(made) is not None
    gains: list[GainRecord] = list(made.gains)
    assert {made.grade(gain).level for gain in gains} <= set(GradeLevel)
