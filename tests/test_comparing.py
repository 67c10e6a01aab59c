"""Published gains beside ours: which comparisons match, what is agreement, and why not."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from cegain.cli_compare import compare_reported as command
from cegain.comparing import (
    Agreement,
    Basis,
    ReportedComparison,
    Why,
    compare_reported,
    judge,
    matching,
)
from cegain.gains import Verdict
from cegain.records import BoundKind, Checked, Registry, ReportedGain
from cegain.registry import load_registry
from cegain.results import BoundRecord, FitRecord, GainRecord, Results
from cegain.scaling import FitStatus
from tests.conftest import SOURCE, RegistryFolder, comparison, demo_scores, enhancement, gain_record

AGREE, DIFFER, CANNOT_TELL = Agreement.AGREE, Agreement.DIFFER, Agreement.CANNOT_TELL


def reported(ratio: float, bound: str = "point", **more: str) -> ReportedGain:
    return ReportedGain(
        ratio=ratio,
        bound=BoundKind(bound),
        source="doe2026",
        locator="Table 1",
        checked=Checked.SECONDARY,
        **more,
    )


def gain(
    low: float | None = None,
    ratio: float | None = None,
    high: float | None = None,
    *,
    verdict: Verdict = Verdict.INTERPOLATED,
    sizes: tuple[float | None, float | None] | None = None,
    **more: object,
) -> GainRecord:
    """A stored gain with this interval on the curve and these measured bounds."""
    on_curve = verdict not in (Verdict.MEASURED_BOUND, Verdict.NOT_ESTIMABLE)
    usual = {
        "route": "curve" if on_curve else "none",
        "verdict": verdict,
        "ratio": ratio,
        "interval": sizes or (None, None) if verdict is Verdict.MEASURED_BOUND else (low, high),
        "reasons": () if verdict is Verdict.INTERPOLATED else ("a reason",),
        "bound": BoundRecord(*sizes, "beta-1", "beta-2", None, same_family=True) if sizes else None,
    }
    return gain_record(**{**usual, **more})


def fit(largest: float) -> FitRecord:
    span = (20.0, largest)
    return FitRecord("demo", "posterior", FitStatus.SOUND, (), 9, 3, span, {}, None, {}, None, ())


@pytest.mark.parametrize(
    ("claim", "ours", "wanted"),
    [
        # about r: inside a closed interval, outside one, inside an open or a very wide one
        (reported(9), gain(4, 10, 20), AGREE),
        (reported(9), gain(11, 15, 20), DIFFER),
        (reported(9), gain(1, 2, 4), DIFFER),
        (reported(9), gain(5, None, None, verdict=Verdict.LOWER_BOUND), CANNOT_TELL),
        (reported(9), gain(20, None, None, verdict=Verdict.LOWER_BOUND), DIFFER),
        (reported(9), gain(0.5, 10, 200, verdict=Verdict.EXTRAPOLATED), CANNOT_TELL),
        # ten per cent are allowed: a figure of one or two digits, often a ratio of parameters
        (reported(9), gain(9.8, 15, 20), AGREE),
        (reported(67, "lower"), gain(verdict=Verdict.MEASURED_BOUND, sizes=(62.6, None)), AGREE),
        # more than r: reached by centre, low end or measured bound; missed by the high end
        (reported(20, "lower"), gain(8, 25, 80), AGREE),
        (reported(20, "lower"), gain(8, 12, 80), CANNOT_TELL),
        (reported(20, "lower"), gain(2, 5, 12), DIFFER),
        (reported(20, "lower"), gain(30, None, None, verdict=Verdict.LOWER_BOUND), AGREE),
        (reported(20, "lower"), gain(3, None, None, verdict=Verdict.LOWER_BOUND), CANNOT_TELL),
        (reported(20, "lower"), gain(None, None, 2, verdict=Verdict.UPPER_BOUND), DIFFER),
        (reported(20, "lower"), gain(verdict=Verdict.MEASURED_BOUND, sizes=(21, None)), AGREE),
        (reported(20, "lower"), gain(verdict=Verdict.MEASURED_BOUND, sizes=(None, 8)), DIFFER),
        # less than r: the mirror image
        (reported(100, "upper"), gain(8, 25, 80), AGREE),
        (reported(100, "upper"), gain(200, 300, 500), DIFFER),
        (reported(100, "upper"), gain(8, None, None, verdict=Verdict.LOWER_BOUND), CANNOT_TELL),
        # nothing to say
        (reported(9), gain(verdict=Verdict.NOT_ESTIMABLE), CANNOT_TELL),
        (reported(9, "lower"), gain(verdict=Verdict.NO_FINITE_EQUIVALENT), CANNOT_TELL),
    ],
)
def test_one_of_ours_is_judged_by_the_rule(
    claim: ReportedGain, ours: GainRecord, wanted: Agreement
) -> None:
    assert judge(claim, ours).agreement is wanted


def test_the_measured_bound_speaks_where_the_curve_is_open() -> None:
    ours = gain(11, None, None, verdict=Verdict.LOWER_BOUND, sizes=(63, None))
    assert judge(reported(67, "lower"), ours).agreement is AGREE


def test_curve_and_sizes_that_contradict_each_other_are_both_disbelieved() -> None:
    ours = gain(1, 2, 4, sizes=(30, None))
    assert judge(reported(20, "lower"), ours).agreement is CANNOT_TELL


@pytest.mark.parametrize(
    ("claim", "ours", "why"),
    [
        (
            reported(9),
            gain(11, None, None, verdict=Verdict.LOWER_BOUND, sizes=(8.5, None)),
            Why.SIZES,
        ),
        (
            reported(3900, "lower"),
            gain(verdict=Verdict.MEASURED_BOUND, sizes=(130, None)),
            Why.OUR_SIZES,
        ),
        (reported(9), gain(20, 50, 90, verdict=Verdict.EXTRAPOLATED), Why.OUR_EXTRAPOLATION),
        (reported(9), gain(5, None, None, verdict=Verdict.LOWER_BOUND), Why.ONE_SIDED),
        (reported(9), gain(0.5, 10, 200), Why.WIDE),
    ],
)
def test_the_reason_is_told(claim: ReportedGain, ours: GainRecord, why: Why) -> None:
    assert why in judge(claim, ours).reasons


def test_a_figure_beyond_every_model_measured_is_an_extrapolation() -> None:
    ours = gain(1, 2, 4)
    assert Why.EXTRAPOLATION in judge(reported(500), ours, fit(24.0)).reasons
    assert Why.EXTRAPOLATION not in judge(reported(9), ours, fit(24.5)).reasons


def test_agreement_needs_no_reason() -> None:
    assert judge(reported(9), gain(4, 10, 20)).reasons == ()


def test_not_estimable_brings_its_own_reason() -> None:
    (reason,) = judge(reported(9), gain(verdict=Verdict.NOT_ESTIMABLE)).reasons
    assert reason == f"{Why.NOT_ESTIMABLE}: a reason"


@pytest.fixture
def registry(two_series: RegistryFolder) -> Registry:
    return load_registry(two_series.root)


def test_matching_goes_from_the_same_comparison_to_all(registry: Registry) -> None:
    same = gain(1, 2, 3)
    other_model = gain(1, 2, 3, model="beta-2")
    other_series = gain(1, 2, 3, series="other", model="omega-3")
    own = (same, other_model, other_series)
    assert matching(reported(9, series="demo", model="alpha-3"), own, registry) == (
        (same,),
        Basis.SAME,
    )
    assert matching(reported(9, series="demo"), own, registry) == (
        (same, other_model),
        Basis.SERIES,
    )
    # both demonstration series are of the benchmark Demo; remarks in brackets are ignored
    named = reported(9, series="absent", benchmark="Demo (likely)", model="omega-3")
    assert matching(named, own, registry) == ((other_series,), Basis.BENCHMARK)
    assert matching(reported(9, model="beta-2"), own, registry) == (
        (other_model,),
        Basis.ENHANCEMENT,
    )
    assert matching(reported(9), own, registry) == (own, Basis.ENHANCEMENT)
    assert matching(reported(9), (), registry) == ((), Basis.NONE)


def test_the_variant_stated_is_preferred(registry: Registry) -> None:
    low, high = gain(1, 2, 3, variant="low effort"), gain(5, 9, 20, variant="high effort")
    claim = reported(9, series="demo", model="alpha-3", variant="high effort")
    assert matching(claim, (low, high), registry) == ((high,), Basis.SAME)
    assert len(matching(claim, (low,), registry)[0]) == 1


def test_checked_numbers_are_preferred_to_unverified_ones(registry: Registry) -> None:
    checked, unverified = gain(1, 2, 3), gain(5, 9, 20, checked="unverified", model="beta-2")
    assert matching(reported(9, series="demo"), (checked, unverified), registry)[0] == (checked,)
    assert matching(reported(9, series="demo"), (unverified,), registry)[0] == (unverified,)


CLAIM = (
    "reported_gains:\n  - {{ratio: {ratio}, bound: {bound}, source: doe2026, "
    "locator: Table 1, checked: secondary{more}}}\n"
)


def claimed(
    folder: RegistryFolder, ratio: float, bound: str, more: str, *gains: GainRecord
) -> ReportedComparison:
    """What is said of one claim in a record, with these gains as results."""
    text = enhancement(comparison(baseline=demo_scores(folder.models)["alpha-3"], enhanced=0.9))
    text += CLAIM.format(ratio=ratio, bound=bound, more=more)
    folder.write("enhancements/prompting/worked-examples.yaml", text)
    results = Results({}, {one.key: one for one in gains})
    (said,) = compare_reported(load_registry(folder.root), results)
    return said


def test_the_majority_decides_on_the_same_benchmark(folder: RegistryFolder) -> None:
    ours = [gain(4, 10, 20, model=name) for name in ("beta-1", "beta-2")]
    ours.append(gain(1, 2, 3, model="beta-3"))
    said = claimed(folder, 9, "point", ", series: demo", *ours)
    assert (said.agreement, said.basis, said.reasons) == (AGREE, Basis.SERIES, ())
    assert (said.count(AGREE), said.count(DIFFER)) == (2, 1)
    said = claimed(folder, 9, "point", ", series: demo", *ours[1:])
    assert said.agreement is CANNOT_TELL
    assert Why.MIXED in said.reasons


def test_only_unanimity_decides_where_no_benchmark_is_stated(folder: RegistryFolder) -> None:
    ours = [gain(4, 10, 20, model=name) for name in ("beta-1", "beta-2")]
    said = claimed(folder, 9, "point", "", *ours)
    assert said.agreement is AGREE
    assert said.reasons == (Why.OTHER_BENCHMARK,)
    said = claimed(folder, 9, "point", "", *ours, gain(1, 2, 3))
    assert said.agreement is CANNOT_TELL
    assert {Why.OTHER_BENCHMARK, Why.MIXED} <= set(said.reasons)


def test_other_models_and_unverified_numbers_are_named(folder: RegistryFolder) -> None:
    ours = gain(1, 2, 3, model="beta-1", checked="unverified")
    said = claimed(folder, 9, "point", ", series: demo, model: gamma-1", ours)
    assert said.agreement is DIFFER
    assert {Why.OTHER_MODEL, Why.UNVERIFIED} <= set(said.reasons)
    assert said.judged[0].ours.endswith("unverified")


def test_a_claim_with_nothing_beside_it_says_so(folder: RegistryFolder) -> None:
    said = claimed(folder, 9, "point", "")
    assert (said.agreement, said.basis, said.reasons) == (
        CANNOT_TELL,
        Basis.NONE,
        (Why.NO_COMPARISON,),
    )


def test_changes_to_pre_training_match_nothing_here(folder: RegistryFolder) -> None:
    folder.write(
        "enhancements/reported_elsewhere.yaml",
        f"sources:\n  roe: {SOURCE}\nreported_gains:\n  - {{subject: A training method, "
        "ratio: 7.2, bound: point, source: roe, locator: Table 1, checked: secondary}\n",
    )
    (said,) = compare_reported(load_registry(folder.root), Results({}, {}))
    assert (said.enhancement, said.subject) == (None, "A training method")
    assert (said.agreement, said.reasons) == (CANNOT_TELL, (Why.NOT_POST_TRAINING,))
    assert said.reported_text == "about 7.2×"


def run(folder: RegistryFolder, *arguments: str, ok: int = 0) -> Result:
    result = CliRunner().invoke(command, list(arguments), obj=folder.root)
    assert result.exit_code == ok, result.output + repr(result.exception)
    return result


def with_claims(folder: RegistryFolder) -> None:
    base = demo_scores(folder.models)["alpha-3"]
    folder.write(
        "enhancements/prompting/worked-examples.yaml",
        enhancement(comparison(baseline=base, enhanced=min(base + 0.15, 0.9)))
        + CLAIM.format(ratio=900, bound="lower", more=", series: demo, model: alpha-3")
        + CLAIM.format(ratio=900, bound="upper", more=", series: demo").split("\n", 1)[1],
    )


def test_the_command_prints_both_sides_and_the_reason(folder: RegistryFolder) -> None:
    with_claims(folder)
    said = run(folder).output
    assert "worked-examples  reported > 900× (alpha-3; doe2026, secondary)" in said
    assert "  differ; beside same series and base model\n" in said
    assert "    worked-examples/demo/alpha-3: " in said
    assert "  because the published figure lies beyond every unenhanced model measured" in said
    assert said.endswith("2 published gains: 1 differ, 1 agree.\n")


def test_the_command_filters_and_speaks_json(folder: RegistryFolder) -> None:
    with_claims(folder)
    document = json.loads(run(folder, "--json", "--agreement", "agree").output)
    assert document["format"] == 1
    (one,) = document["reported"]
    assert (one["agreement"], one["basis"]) == ("agree", "same series, every base model")
    assert one["reported"]["bound"] == "upper"
    assert one["ours"][0]["gain"] == "worked-examples/demo/alpha-3"
    assert run(folder, "--agreement", "cannot tell").output == "No published gains match.\n"
    assert (
        "did you mean worked-examples?"
        in run(folder, "--enhancement", "worked-example", ok=2).output
    )
