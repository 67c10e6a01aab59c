"""The 2023 survey's headline claims, tested on the records in scope."""

from __future__ import annotations

from dataclasses import replace

from cegain.briefing import load_definition
from cegain.briefing.claims import survey_claims
from cegain.briefing.scope import View, select
from cegain.results import GainRecord, Results
from cegain.store import read_results

from .test_repository import ROOT
from .test_repository import registry as shipped_registry

DEFINITION = ROOT / "reports" / "post-training-enhancements.yaml"


def scoped(results: Results) -> View:
    return select(shipped_registry(), results, load_definition(DEFINITION), DEFINITION.name)


def shrunk(gain: GainRecord) -> GainRecord:
    """The same gain with everything that could lie above 5x taken away."""
    low, high = gain.interval
    return replace(gain, interval=(low and min(low, 2.0), high), bound=None)


def test_the_claims_stand_beside_the_counts_and_follow_them() -> None:
    results = read_results(ROOT)
    view = scoped(results)
    claims = survey_claims(view)
    assert claims is not None
    assert "2312.07413" in str(view.citations.items[claims.source - 1].link)
    said = " ".join(claims.sentences)
    assert "gain more than 5×, some more than 20×" in said
    assert "surely above 5× in at least one comparison" in said
    assert "90 % interval" in said
    assert "cost under 1 %" in said
    less = replace(results, gains={key: shrunk(gain) for key, gain in results.gains.items()})
    after = survey_claims(scoped(less))
    assert after is not None
    changed = " ".join(after.sentences)
    assert "0 (0 %, 90 % interval 0–" in changed
    assert "0 (0 %, 90 % interval 0–" not in said


def test_without_gains_nothing_is_claimed() -> None:
    assert survey_claims(scoped(Results({}, {}))) is None


def test_of_one_enhancement_no_share_is_told() -> None:
    results = read_results(ROOT)
    gains = {k: g for k, g in results.gains.items() if g.enhancement == "chain-of-thought"}
    assert survey_claims(scoped(replace(results, gains=gains))) is None
