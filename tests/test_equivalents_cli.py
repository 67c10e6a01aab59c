"""The commands that say what a gain means, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from cegain.cli_translate import forecast, horizon, thresholds, translate
from tests.conftest import RegistryFolder

ROOT = Path(__file__).parent.parent
COMMANDS = {"translate": translate, "thresholds": thresholds, "horizon": horizon}


def run(command: click.Command, *arguments: str, root: Path = ROOT) -> Result:
    return CliRunner().invoke(command, list(arguments), obj=root)


def document(command: click.Command, *arguments: str, root: Path = ROOT) -> dict[str, Any]:
    result = run(command, *arguments, "--json", root=root)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict) and found["format"] == 1
    return found


def numbers(value: Any) -> list[dict[str, Any]]:
    """Every quantity in a document, by the shape quantities have."""
    if isinstance(value, dict):
        own = [value] if {"value", "unit"} <= set(value) and "what" in value else []
        return own + [found for item in value.values() for found in numbers(item)]
    if isinstance(value, list):
        return [found for item in value for found in numbers(item)]
    return []


GIVEN = ("10", "--interval", "5", "20", "--at", "1e24", "--date", "2026-11-01")


def test_translate_a_number() -> None:
    found = document(translate, *GIVEN)["translation"]
    assert found["effective"]["value"] == pytest.approx(1e25, rel=1e-3)
    assert found["effective"]["unit"] == "FLOP"
    assert found["used_on"] == "2026-11-01"
    first = found["months"]["algorithms"][0]
    assert first["rate"] == "ho2024-preprint" and first["value"] == pytest.approx(26.4, abs=0.5)
    assert "arxiv.org" in first["source"]
    assert found["net"]["refused"]
    systemic = next(c for c in found["crossings"] if c["threshold"] == "eu-systemic-risk")
    assert systemic["probability"] == pytest.approx(0.5, abs=0.01)


def test_every_number_has_unit_rate_and_source() -> None:
    found = document(translate, *GIVEN, "--inference-cost", "10", "--tokens", "1e13")
    quantities = numbers(found)
    assert len(quantities) > 25
    bare = {"gross gain", "effective training compute"}
    for quantity in quantities:
        assert quantity["unit"] and quantity["statement"]
        assert quantity["what"] in bare or (quantity["rate"] and quantity["source"])


def test_translate_in_words() -> None:
    result = run(translate, *GIVEN, "--inference-cost", "10")
    assert result.exit_code == 0
    for part in ("months of algorithmic progress", "must not be added", "net gain", "Rates:"):
        assert part in result.stdout
    # all draws agree about thresholds far below and far above: likely, not certain
    for said in ("effective compute above: over 99 %", "effective compute above: under 1 %"):
        assert said in result.stdout


def test_a_bound_is_never_a_number() -> None:
    found = document(translate, "10", "--bound", "lower", "--at", "1e24")
    assert all(q["value"] is None for q in numbers(found))
    assert "at least" in run(translate, "10", "--bound", "lower").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("10", "--interval", "20", "30"), "does not enclose"),
        (("0",), "positive factor"),
        (("nan",), "positive factor"),
        (("10", "--date", "soon"), "not a date"),
        (("10", "--at", "nan"), "positive"),
        (("10", "--at", "0"), "range"),
        (("10", "--bound", "lower", "--interval", "5", "20"), "a bound has no interval"),
        (("10", "--model", "x"), "--series and --model"),
        (("chain-of-though",), "did you mean chain-of-thought"),
        (("chain-of-thought", "--interval", "5", "20"), "leave those options out"),
    ],
)
def test_misuse_is_told(arguments: tuple[str, ...], message: str) -> None:
    result = run(translate, *arguments)
    assert result.exit_code == 2 and message in result.output


def test_translate_an_enhancement(folder: RegistryFolder) -> None:
    result = run(translate, "worked-examples", "--date", "2026-11-01", root=folder.root)
    assert result.exit_code == 0, result.output
    assert "worked-examples/demo/alpha-3" in result.stdout
    assert "no converters/" in result.stderr  # said once, and the curated ones are used
    found = document(translate, "worked-examples", root=folder.root)
    assert [t["gain"]["label"] for t in found["translations"]] == ["worked-examples/demo/alpha-3"]
    assert found["crossovers"] == []
    missing = run(translate, "worked-examples", "--model", "none", root=folder.root)
    assert missing.exit_code == 2 and "No comparison matches" in missing.output


def test_thresholds() -> None:
    plain = run(thresholds)
    assert plain.exit_code == 0 and "EU AI Act" in plain.stdout and "revoked" in plain.stdout
    found = document(
        thresholds,
        "--gain",
        "10",
        "--interval",
        "5",
        "20",
        "--at",
        "2e24",
        "--registry",
        "--one-time-cost",
        "1e22",
    )
    assert {"eu-systemic-risk", "california-sb53"} <= set(found["thresholds"])
    assert found["thresholds"]["eu-systemic-risk"]["status"] == "in force"
    assert found["modification_rules"][0]["triggers"] is False
    counted = next(r for r in found["registry"] if r["threshold"] == "eu-systemic-risk")
    assert counted["enhanced"]["value"] > counted["plain"]


def test_horizon() -> None:
    found = document(
        horizon,
        "--draws",
        "100",
        "--gain",
        "10",
        "--from",
        "60",
        "--to",
        "9600",
        "--slow-after",
        "2",
    )
    agent = next(a for a in found["agents"] if a["agent"] == "Claude 3.5 Sonnet (New)")
    assert agent["value"] == pytest.approx(60.5, abs=0.1) and agent["unit"] == "minutes"
    assert found["data"]["licence"] == "MIT"
    assert found["projection"]["delay"]["value"] > 0
    text = run(horizon, "--draws", "50", "--gain", "10", "--from", "60", "--to", "9600")
    assert text.exit_code == 0 and "doubling time" in text.stdout
    assert run(horizon, "--from", "60").exit_code == 2
    assert "longer" in run(horizon, "--from", "60", "--to", "30").output


def test_forecast() -> None:
    found = document(forecast, "--threshold", "1e25", "--gain", "10", "--eras")
    assert len(found["forecasts"]) == 2 and len(found["eras"]) > 4
    plain, enhanced = (f["cumulative"]["value"] for f in found["forecasts"])
    assert enhanced > plain
    text = run(forecast, "--year", "2026", "--eras")
    assert text.exit_code == 0 and "sum of yearly quantiles" in text.stdout


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help(name: str) -> None:
    result = run(COMMANDS[name], "--help")
    assert result.exit_code == 0 and COMMANDS[name].help
