"""The registry in this repository: it loads, it is complete, its results are current."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

from cegain.recomputing import stored_plan
from cegain.records import Checked, Kind, Registry, Status
from cegain.registry import load_registry, read_registry
from cegain.scaling import FitStatus
from cegain.schemas import SCHEMAS, schema_text
from cegain.store import read_results

ROOT = Path(__file__).parent.parent


@cache
def registry() -> Registry:
    return load_registry(ROOT)


def test_every_record_is_in_order() -> None:
    _, problems = read_registry(ROOT)
    assert [str(p) for p in problems if p.severity == "error"] == []


def test_results_are_current() -> None:
    plan = stored_plan(registry())
    assert [str(step) for step in (*plan.steps, *plan.removed)][:20] == [], (
        "run `cegain recompute` and commit what it writes"
    )


def test_schemas_are_current() -> None:
    for name in SCHEMAS:
        path = ROOT / "reports" / "data" / f"{name}.schema.json"
        assert path.read_text(encoding="utf-8") == schema_text(name), "run `cegain schemas`"


def test_the_survey_covers_every_kind() -> None:
    kinds = Counter(enhancement.kind for enhancement in registry().enhancements.values())
    assert set(kinds) == set(Kind)
    assert min(kinds.values()) >= 5
    assert len(registry().comparisons()) >= 150


def test_the_enhancements_of_the_2023_survey_are_there() -> None:
    wanted = {
        *("toolformer", "webgpt-browsing", "few-shot-prompting", "chain-of-thought", "lats"),
        *("trained-verifier", "majority-voting", "alphacode-large-scale-sampling"),
        *("instructgpt-rlhf", "minerva-math-data", "star"),
    }
    assert wanted <= set(registry().enhancements)


def test_many_series_have_enough_models() -> None:
    large = [s for s in registry().benchmarks.values() if len(s.fitted_points) >= 8]
    assert len(large) >= 20


def test_every_number_has_a_source() -> None:
    for slug, record in registry().enhancements.items():
        for one in record.comparisons:
            arms = (one.baseline, one.enhanced)
            assert {one.source, *(a.source for a in arms if a.source)} <= set(record.sources), slug
            # an arm from elsewhere says where it stands there
            assert all(arm.locator for arm in arms if arm.source), (slug, one.series, one.model)
        assert {gain.source for gain in record.reported_gains} <= set(record.sources), slug
    for slug, series in registry().benchmarks.items():
        known = {*registry().sources, *series.settings.sources}
        assert {point.source for point in series.points} <= known, slug
    assert {model.source for model in registry().models.values()} <= set(registry().sources)


PLACE = re.compile(
    r"\b(tables?|figures?|sections?|appendix|p\.|pp\.|ranks?) ?[A-Z]?\.?\d|\btable\b|section \w"
    r"|row |column |folder|README|abstract|logs/|model card|\.(csv|jsonl?)\b",
    re.IGNORECASE,
)


def test_what_was_checked_names_its_place() -> None:
    """A place that only repeats the name of the source cannot be looked up."""
    seen = {Checked.AUTHORS_DATA, Checked.FULL_TEXT}
    places = [
        (ref.key, ref.comparison.locator)
        for ref in registry().comparisons()
        if ref.comparison.checked in seen
    ]
    places += [
        (f"{slug}/{point.model}", point.locator)
        for slug, series in registry().benchmarks.items()
        for point in series.points
        if point.checked in seen
    ]
    assert len(places) > 1000
    assert [(name, place) for name, place in places if not PLACE.search(place)] == []


def test_records_name_no_machine() -> None:
    folders = ("enhancements", "scaling_fits", "capability_data", "converters")
    files = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in {".yaml", ".csv", ".md"}
    ]
    assert len(files) > 800
    found = re.compile(r"(?<![\w.])/(work|tmp|home|opt|root)/|shared/data")
    assert [str(p) for p in files if found.search(p.read_text(encoding="utf-8"))] == []


def test_the_readme_counts_what_is_there() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    records, standing = registry().enhancements, registry().comparisons()
    by_kind = Counter(record.kind for record in records.values())
    compared = Counter(ref.kind for ref in standing)
    for kind in Kind:
        assert f"| {kind} | {by_kind[kind]} | {compared[kind]:,} |" in readme
    assert f"| all | {len(records)} | {len(standing):,} |" in readme
    results = read_results(ROOT)
    usable = sum(fit.status is not FitStatus.UNUSABLE for fit in results.fits.values())
    assert f"{len(registry().benchmarks)} series, {usable} of them with a usable curve" in readme
    years = sorted(record.introduced.year for record in records.values())
    assert (
        f"{len(registry().models)} models; techniques introduced from {years[0]} to {years[-1]}"
        in readme
    )
    verdicts = Counter(str(gain.verdict) for gain in results.gains.values()).most_common()
    assert f"Verdicts: {', '.join(f'{n} {verdict}' for verdict, n in verdicts)}." in readme
    tiers = Counter(ref.comparison.checked for ref in standing)
    assert ", ".join(f"{tiers[tier]:,} {tier}" for tier in Checked) in readme
    (gone,) = (record for record in records.values() if record.status is not Status.CURRENT)
    assert f"One {gone.kind} record is withdrawn" in readme
    assert f"its {len(gone.comparisons)} comparisons do not" in readme


def test_only_bounded_statements_are_stored_without_a_ratio() -> None:
    results = read_results(ROOT)
    assert len(results.gains) == len(registry().comparisons())
    for gain in results.gains.values():
        assert (gain.ratio is not None) == gain.has_ratio, gain.key
        if gain.has_ratio:
            low, high = gain.interval
            assert low is not None
            assert high is not None
            assert low <= (gain.ratio or 0) <= high
        else:
            assert gain.reasons, gain.key
