"""The shape of the package: imports point one way, pure modules stay pure, all is documented."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest

import cegain
from cegain.cli import main

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cegain"

# A module may import only from rows above its own.
LAYERS = (
    ("errors",),
    ("records", "curves", "formatting", "resampling", "files"),
    ("solver_moments", "observations", "parsing"),
    ("solver_steps", "likelihood"),
    ("solver", "families"),
    ("posterior", "anchors", "bootstrap", "checks"),
    ("bounds", "checks_data"),
    ("scaling",),
    ("gains", "pooling"),
    ("scale", "sensitivity", "backtest"),
    ("results", "importers", "parse_cache"),
    ("store", "registry", "inversion", "equivalents", "stitching", "comparing"),
    ("planning", "summarising", "history"),
    ("tasks", "explaining", "registering"),
    ("recomputing", "cluster", "sweep"),
    ("sharding", "briefing"),
    ("starting", "schemas"),
    ("console",),
    ("cli_register", "cli_import", "cli_analysis", "cli_backtest", "cli_compare", "cli_report"),
    ("cli_translate", "cli_stitch", "cli_sensitivity", "cli_recompute"),
    ("cli",),
)
# Modules that may touch the disk, the terminal or the clock, beside those named cli*.
NOT_PURE = {
    *("registry", "store", "importers", "recomputing", "registering", "starting", "console"),
    *("files", "parse_cache", "sharding", "cluster", "history"),
    *("briefing/write", "equivalents/loading", "stitching/data"),
}
FORBIDDEN_CALLS = {"open", "print", "input"}
FORBIDDEN_ATTRIBUTES = re.compile(
    r"^(read_text|read_bytes|write_text|write_bytes|unlink|mkdir|glob|iterdir|now|today|"
    r"time|perf_counter|monotonic|seed|set_state)$"
)
GLOBAL_RANDOM = re.compile(r"(np|numpy)\.random\.(rand|randn|random|normal|uniform|seed|choice)\b")
LONGEST_MODULE = 400


def modules() -> dict[str, ast.Module]:
    """Every module of the package by its name, parsed."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix().removesuffix("/__init__")
        if name not in {"__init__", "__main__"}:
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def layer(name: str) -> int:
    top = name.split("/", maxsplit=1)[0]
    for index, row in enumerate(LAYERS):
        if top in row:
            return index
    raise AssertionError(f"cegain/{name}.py has no layer: add it to LAYERS where it belongs")


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("cegain."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "cegain":
            names |= {alias.name for alias in node.names if (PACKAGE / f"{alias.name}.py").exists()}
    return names


def test_imports_point_one_way() -> None:
    wrong = []
    for name, tree in modules().items():
        own = name.split("/", maxsplit=1)[0]
        for other in imported(tree) - {own}:
            if layer(other) > layer(name) or (layer(other) == layer(name) and other != own):
                wrong.append(f"{name} imports {other}: move one of them, or what they share, down")
    assert wrong == []


def test_pure_modules_touch_nothing() -> None:
    wrong = []
    for name, tree in modules().items():
        top = name.split("/", maxsplit=1)[0]
        if top in NOT_PURE or name in NOT_PURE or top.startswith("cli"):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Name) and called.id in FORBIDDEN_CALLS:
                wrong.append(f"{name}:{node.lineno} calls {called.id}()")
            if isinstance(called, ast.Attribute):
                text = ast.unparse(called)
                if FORBIDDEN_ATTRIBUTES.match(called.attr) or GLOBAL_RANDOM.search(text):
                    wrong.append(f"{name}:{node.lineno} calls {text}()")
    assert wrong == [], "disk, terminal, clock and global randomness belong in " + str(NOT_PURE)


def test_quantiles_have_one_home() -> None:
    wrong = [
        f"{path.name}:{number}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "resampling.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"(np|numpy)\.(nan)?(quantile|percentile)\(|stats\.scoreatpercentile", line)
    ]
    assert wrong == [], "use cegain.resampling.quantiles: it keeps infinite draws"


def test_modules_stay_short() -> None:
    long = {
        name: count
        for path in PACKAGE.rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_MODULE
        for name in [path.relative_to(PACKAGE).as_posix()]
    }
    assert long == {}, "look for a seam"


def test_public_names_are_pinned() -> None:
    assert sorted(name for name in dir(cegain) if not name.startswith("_")) == [
        "CegainError",
        "FitStatus",
        "GainEstimate",
        "ScalingFit",
        "Verdict",
        "estimate_gain",
        "fit_scaling",
        "load_registry",
        "recompute",
        "render_briefing",
    ]


@pytest.mark.parametrize("name", list(main.commands))
def test_every_command_is_documented(name: str) -> None:
    command = main.commands[name]
    assert isinstance(command, click.Command)
    assert command.help, f"{name} has no help"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`cegain {name}" in readme, f"README.md does not name `cegain {name}`"


def test_no_silent_excepts_and_no_machine_paths() -> None:
    wrong = []
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"except( Exception)?: *(pass)?$", line):
                wrong.append(f"{path.name}:{number} {line.strip()}")
    assert wrong == []
