"""Small registries on disk with a known truth."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from cegain.equivalents.converters import Converters
from cegain.equivalents.loading import load_converters
from cegain.gains import Verdict
from cegain.parse_cache import SWITCH
from cegain.results import GainRecord

SOURCE = "{title: A made-up study, authors: ['Doe, J.'], url: 'https://example.org/doe2026'}"
MODEL_HEADER = (
    "model,developer,family,model_type,released,params,training_tokens,"
    "training_compute_flop,compute_confidence,source,locator,note\n"
)
POINT_HEADER = "model,score,n_items,score_se,source,locator,checked,note\n"


def true_score(log10_compute: float, *, slope: float = 1.5, midpoint: float = 23.0) -> float:
    """The curve behind the demonstration series: logistic, no chance level."""
    return 1 / (1 + math.exp(-slope * (log10_compute - midpoint)))


def comparison(
    model: str = "alpha-3",
    series: str = "demo",
    baseline: float = 0.30,
    enhanced: float = 0.45,
    **more: str,
) -> str:
    """One comparison in YAML flow style; ``more`` adds fields as written."""
    extra = "".join(f", {name}: {value}" for name, value in more.items())
    return (
        f"{{series: {series}, model: {model}, source: doe2026, locator: Table 2, "
        f"checked: full-text, baseline: {{score: {baseline:.6g}, n_items: 1000}}, "
        f"enhanced: {{score: {enhanced:.6g}, n_items: 1000}}{extra}}}"
    )


def enhancement(*comparisons: str, name: str = "Worked examples", kind: str = "prompting") -> str:
    """An enhancement record in YAML."""
    lines = "".join(f"  - {text}\n" for text in comparisons)
    return (
        f"name: {name}\nkind: {kind}\ngain_type: systems\n"
        "summary: Show the model solved examples before the question.\n"
        f"introduced: 2026-03-02\nsources:\n  doe2026: {SOURCE}\n"
        + (f"comparisons:\n{lines}" if lines else "comparisons: []\n")
    )


def gain_record(**more: object) -> GainRecord:
    """A stored gain of ten times, read from a curve; the fields given replace the usual ones."""
    usual = GainRecord(
        enhancement="worked-examples",
        name="Worked examples",
        kind="prompting",
        series="demo",
        model="alpha-3",
        variant=None,
        training_compute_flop=1e23,
        baseline_score=0.3,
        enhanced_score=0.4,
        n_items=1000,
        route="curve",
        verdict=Verdict.INTERPOLATED,
        ratio=10.0,
        interval=(5.0, 20.0),
        level=0.9,
        reasons=(),
        flags=(),
        bound=None,
        bound_refusal=None,
        probability_above=None,
        inference_cost_multiplier=None,
        inference_cost_basis=None,
        one_time_cost_flop=None,
        reported_by=None,
        checked="full-text",
        source="doe2026",
        locator="Table 2",
    )
    return replace(usual, **more)  # type: ignore[arg-type]


class RegistryFolder:
    """A registry on disk that tests change by hand, as people would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("scaling_fits/sources.yaml", f"sources:\n  doe2026: {SOURCE}\n")
        self.models: dict[str, tuple[str, float]] = {}

    def write(self, name: str, text: str) -> Path:
        """Write a file under the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text that must be there."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def write_models(self, models: Mapping[str, tuple[str, float]]) -> None:
        """models.csv from name -> (family, training compute)."""
        self.models = dict(models)
        rows = "".join(
            f"{name},Doe,{family},base,,,1e12,{flop:.6g},reported,doe2026,Table 1,\n"
            for name, (family, flop) in models.items()
        )
        self.write("scaling_fits/models.csv", MODEL_HEADER + rows)

    def write_series(
        self, slug: str, scores: Mapping[str, float], *, settings: str = "", n_items: int = 1000
    ) -> None:
        """A series from model -> score."""
        rows = "".join(
            f"{model},{score:.6g},{n_items},,doe2026,Table 1,full-text,\n"
            for model, score in scores.items()
        )
        self.write(f"scaling_fits/{slug}/points.csv", POINT_HEADER + rows)
        chance = "" if "chance:" in settings else "chance: 0.0\n"
        self.write(
            f"scaling_fits/{slug}/benchmark.yaml",
            f"name: Demonstration {slug}\nbenchmark: Demo\ndomain: mathematics\n"
            f"protocol: zero-shot\nmetric: accuracy\nn_items: {n_items}\n{chance}{settings}",
        )


def family_models(
    names: str = "alpha beta gamma delta", size: int = 4
) -> dict[str, tuple[str, float]]:
    """Families of models between 1e21.5 and 1e24.5 FLOP."""
    models: dict[str, tuple[str, float]] = {}
    for index, family in enumerate(names.split()):
        for step in range(size):
            log10_compute = 21.5 + 0.2 * index + step * 2.4 / (size - 1)
            models[f"{family}-{step + 1}"] = (family, 10**log10_compute)
    return models


def demo_scores(models: Mapping[str, tuple[str, float]], *, seed: int = 7) -> dict[str, float]:
    """Scores of the true curve with family and model scatter, to three digits."""
    random = np.random.default_rng(seed)
    offsets = {family: random.normal(0, 0.3) for family, _ in models.values()}
    return {
        name: round(true_score(math.log10(flop) + offsets[family] + random.normal(0, 0.1)), 3)
        for name, (family, flop) in models.items()
    }


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests, and the processes they start, keep no parses in the user's own cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, str(tmp_path_factory.mktemp("parses")))
        yield


@pytest.fixture(scope="session")
def converters() -> Converters:
    """The rates, thresholds and tables of the curated registry."""
    return load_converters(Path(__file__).parent.parent)


@pytest.fixture
def folder(tmp_path: Path) -> RegistryFolder:
    """A registry with one series of sixteen models and one enhancement."""
    made = RegistryFolder(tmp_path)
    models = family_models()
    made.write_models(models)
    made.write_series("demo", demo_scores(models))
    base = demo_scores(models)["alpha-3"]
    made.write(
        "enhancements/prompting/worked-examples.yaml",
        enhancement(comparison(baseline=base, enhanced=min(base + 0.15, 0.9))),
    )
    return made


@pytest.fixture
def two_series(folder: RegistryFolder) -> RegistryFolder:
    """The same with a second series on other models and a second enhancement."""
    others = {f"omega-{i}": ("omega", 10 ** (21.5 + 0.4 * i)) for i in range(1, 8)}
    folder.write_models({**folder.models, **others})
    scores = {name: round(true_score(math.log10(f)), 3) for name, (_, f) in others.items()}
    folder.write_series("other", scores)
    folder.write(
        "enhancements/scaffolding/agent-loop.yaml",
        enhancement(
            comparison("omega-3", "other", scores["omega-3"], scores["omega-3"] + 0.1),
            name="Agent loop",
            kind="scaffolding",
        ),
    )
    return folder


def several_series(root: Path, count: int) -> RegistryFolder:
    """A registry of ``count`` series, each with five gains and a line, and one without a curve."""
    made = RegistryFolder(root)
    models = family_models()
    made.write_models(models)
    comparisons = []
    for number in range(count):
        scores = demo_scores(models, seed=number)
        made.write_series(f"demo-{number}", scores)
        comparisons += [
            comparison(name, f"demo-{number}", scores[name], min(scores[name] + 0.15, 0.95))
            for name in ("alpha-2", "alpha-3", "beta-2", "gamma-2", "delta-2")
        ]
    made.write_series("too-few", {"alpha-1": 0.1, "alpha-2": 0.2})
    made.write("enhancements/prompting/worked-examples.yaml", enhancement(*comparisons))
    return made


def stored_results(root: Path) -> dict[str, bytes]:
    """Every file a recompute writes, by its path under the root."""
    kept = [*root.rglob("fit.json"), *(root / "reports" / "data").glob("*")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(kept)}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, for tests marked ``browser``: who asks for those wants pages looked at."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("no Chromium on the path: install it to test pages in a browser")
    with sync_playwright() as started:
        found = started.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()
