"""Registries and results made in memory for briefings: a good case, a bad case, any size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from cegain.briefing.backtests import read_backtest, read_routes
from cegain.briefing.scope import Extras
from cegain.gains import Verdict
from cegain.records import (
    Arm,
    BenchmarkSettings,
    BoundKind,
    Checked,
    Comparison,
    ComputeConfidence,
    Enhancement,
    GainType,
    InferenceCost,
    Kind,
    Model,
    Point,
    Registry,
    ReportedBy,
    ReportedGain,
    Series,
    Source,
)
from cegain.results import BoundRecord, CurveGrid, FitRecord, FittedModel, GainRecord, Results
from cegain.scale import ScaleRecord
from cegain.scaling import FitStatus
from cegain.stitching.documents import Rate, Scale, StoredGain, ViaIndex
from cegain.stitching.gain import IndexVerdict
from cegain.stitching.results import PlacedBenchmark, PlacedModel
from cegain.stitching.rows import Judgement, Placement
from cegain.store import Change

ANSWERED = (
    Verdict.INTERPOLATED,
    Verdict.EXTRAPOLATED,
    Verdict.LOWER_BOUND,
    Verdict.UPPER_BOUND,
    Verdict.MEASURED_BOUND,
    Verdict.NOT_ESTIMABLE,
    Verdict.NO_FINITE_EQUIVALENT,
)


def truth(x: float, midpoint: float = 23.0) -> float:
    """The curve behind every made-up series."""
    return 1 / (1 + math.exp(-1.4 * (x - midpoint)))


def source(key: str) -> Source:
    """A made-up work, described in full."""
    return Source(
        title=f"A fictional study called {key}",
        authors=("Doe, J.", "Roe, R."),
        url=f"https://example.org/{key}",
        published=date(2025, 3, 2),
        accessed=date(2026, 11, 20),
        licence="CC-BY-4.0",
    )


def models(count: int) -> dict[str, Model]:
    """Models of three families between 10^21.5 and 10^25 FLOP."""
    found = {}
    for index in range(count):
        family = ("alpha", "beta", "gamma")[index % 3]
        name = f"{family}-{index + 1}"
        found[name] = Model(
            model=name,
            family=family,
            training_compute_flop=float(f"{10 ** (21.5 + 3.5 * index / (count - 1)):.3g}"),
            compute_confidence=ComputeConfidence.REPORTED,
            source="models2025",
            locator="Table 1",
        )
    return found


def series(slug: str, table: dict[str, Model], shift: float = 0.0) -> Series:
    """A series in which every model has a score near the true curve."""
    points = tuple(
        Point(
            model=name,
            score=round(truth((model.log10_compute or 0.0) + shift) * 0.98 + 0.01, 3),
            n_items=1000,
            source="models2025",
            locator="Table 2",
            checked=Checked.FULL_TEXT,
        )
        for name, model in table.items()
    )
    settings = BenchmarkSettings(
        name=f"Made-up test {slug}, 5 examples",
        benchmark=slug,
        domain="mathematics",
        protocol="5-shot",
        metric="accuracy",
        chance=0.0,
        n_items=1000,
    )
    return Series(slug, settings, points, table)


def fit(made: Series, status: FitStatus = FitStatus.SOUND) -> FitRecord:
    """A stored fit of a made-up series, with its curve unless unusable."""
    known = [(point.model, made.models[point.model], point.score) for point in made.points]
    places = [model.log10_compute or 0.0 for _, model, _ in known]
    low, high = min(places), max(places)
    grid = [low - 1 + (high - low + 2) * step / 60 for step in range(61)]
    usable = status is not FitStatus.UNUSABLE
    reasons = {
        FitStatus.SOUND: (),
        FitStatus.DOUBTFUL: ("only 6 models",),
        FitStatus.UNUSABLE: ("only 3 models with known compute (4 are needed)",),
    }
    return FitRecord(
        made.slug,
        "posterior",
        status,
        reasons[status],
        len(known),
        3,
        (low, high),
        {"logistic": 1.0} if usable else {},
        800.0 if usable else None,
        {"slope": (1.2, 1.4, 1.7), "climb": (0.32, 0.4, 0.47)} if usable else {},
        CurveGrid(
            tuple(round(x, 4) for x in grid),
            tuple(round(truth(x - 0.25), 4) for x in grid),
            tuple(round(truth(x), 4) for x in grid),
            tuple(round(truth(x + 0.25), 4) for x in grid),
        )
        if usable
        else None,
        tuple(
            FittedModel(
                name,
                model.family,
                model.log10_compute or 0.0,
                score,
                truth(model.log10_compute or 0),
            )
            for name, model, score in known
        )
        if usable
        else (),
    )


def comparison(made: Series, model: str, gain: float, **more: object) -> Comparison:
    """A comparison whose scores lie on the true curve, ``gain`` decades apart."""
    at = made.models[model].log10_compute or 0.0
    values: dict[str, object] = {
        "series": made.slug,
        "model": model,
        "source": "doe2026",
        "locator": "Table 3, row 2",
        "checked": Checked.FULL_TEXT,
        "baseline": Arm(score=round(truth(at), 3), n_items=1000),
        "enhanced": Arm(score=round(truth(at + gain), 3), n_items=1000),
        **more,
    }
    return Comparison.model_validate(values)


def stored(
    slug: str,
    record: Enhancement,
    made: Comparison,
    table: dict[str, Model],
    gain: float,
    verdict: Verdict,
) -> GainRecord:
    """The stored gain of a comparison, with the verdict asked for."""
    ratio = float(f"{10**gain:.4g}")
    low, high = float(f"{ratio / 2.5:.4g}"), float(f"{ratio * 2.5:.4g}")
    ends: dict[Verdict, tuple[float | None, float | None]] = {
        Verdict.INTERPOLATED: (low, high),
        Verdict.EXTRAPOLATED: (low, high),
        Verdict.LOWER_BOUND: (low, None),
        Verdict.UPPER_BOUND: (None, high),
        Verdict.MEASURED_BOUND: (low, None),
        Verdict.NOT_ESTIMABLE: (None, None),
        Verdict.NO_FINITE_EQUIVALENT: (None, None),
    }
    reasons = {
        Verdict.INTERPOLATED: (),
        Verdict.EXTRAPOLATED: ("reaches beyond the largest model fitted",),
        Verdict.LOWER_BOUND: ("no upper end: over the ceiling in 12 % of draws",),
        Verdict.UPPER_BOUND: ("the enhanced score may lie under the curve's floor",),
        Verdict.MEASURED_BOUND: ("no curve: only 3 models with known compute (4 are needed)",),
        Verdict.NOT_ESTIMABLE: ("training compute of it is not known",),
        Verdict.NO_FINITE_EQUIVALENT: ("the enhanced score is at or over the ceiling",),
    }
    curve = verdict in {
        Verdict.INTERPOLATED,
        Verdict.EXTRAPOLATED,
        Verdict.LOWER_BOUND,
        Verdict.UPPER_BOUND,
    }
    probabilities = {
        str(times): round(1 / (1 + math.exp(-4.0 * (gain - math.log10(times)))), 3)
        for times in (1, 5, 20)
    }
    cost = made.inference_cost_multiplier
    return GainRecord(
        slug,
        record.name,
        record.kind.value,
        made.series,
        made.model,
        made.variant,
        table[made.model].training_compute_flop,
        made.baseline.score,
        made.enhanced.score,
        1000,
        "curve" if curve else "measured" if ends[verdict][0] is not None else "none",
        verdict,
        ratio if verdict in {Verdict.INTERPOLATED, Verdict.EXTRAPOLATED} else None,
        ends[verdict],
        0.9,
        reasons[verdict],
        (),
        BoundRecord(low, None, "alpha-1", None, None, True)
        if verdict is Verdict.MEASURED_BOUND
        else None,
        None,
        probabilities if curve else None,
        cost.value if cost else None,
        cost.basis.value if cost else None,
        made.one_time_cost_flop,
        made.reported_by.value if made.reported_by else None,
        made.checked.value,
        made.source,
        made.locator,
        sensitivity={"score anchor": ("lower bound", low)}
        if verdict is Verdict.EXTRAPOLATED
        else {},
        sensitive_to=("score anchor",) if verdict is Verdict.EXTRAPOLATED else (),
        slope_sd=0.1 if curve else None,
    )


Plan = tuple[str, Kind, tuple[tuple[str, int, float, Verdict, Checked], ...]]


def assemble(
    plans: Iterable[Plan],
    benchmarks: dict[str, Series],
    fits: dict[str, FitRecord],
    table: dict[str, Model],
    reported: Mapping[str, tuple[ReportedGain, ...]] = MappingProxyType({}),
) -> tuple[Registry, Results]:
    """A registry and its results from plans: name, kind and (series, model, gain, …) each."""
    enhancements: dict[str, Enhancement] = {}
    gains: dict[str, GainRecord] = {}
    names = list(table)
    for title, kind, wanted in plans:
        slug = title.lower().replace(" ", "-")
        made = []
        for number, (place, model, gain, _, checked) in enumerate(wanted):
            made.append(
                comparison(
                    benchmarks[place],
                    names[model],
                    gain,
                    checked=checked,
                    variant=f"run {number + 1}" if len(wanted) > 1 else None,
                    one_time_cost_flop=None if kind is Kind.TOOL_USE else 1e19,
                    inference_cost_multiplier=InferenceCost.model_validate(
                        {"value": 4, "basis": "measured-tokens"}
                    )
                    if kind is not Kind.DATA_GENERATION
                    else None,
                    reported_by=ReportedBy.DEVELOPER,
                )
            )
        record = Enhancement(
            name=title,
            kind=kind,
            gain_type=GainType.SYSTEMS,
            summary=f"What {title.lower()} does, in one sentence.",
            introduced=date(2026, 3, 2),
            sources={"doe2026": source("doe2026"), f"own-{slug}": source(f"own-{slug}")},
            comparisons=tuple(made),
            reported_gains=reported.get(slug, ()),
        )
        enhancements[slug] = record
        for one, (_, _, gain, verdict, _) in zip(made, wanted, strict=True):
            result = stored(slug, record, one, table, gain, verdict)
            gains[result.key] = result
    registry = Registry(
        ".",
        MappingProxyType(enhancements),
        MappingProxyType(benchmarks),
        MappingProxyType(table),
        MappingProxyType({"models2025": source("models2025")}),
    )
    return registry, Results(fits, gains)


def good_case() -> tuple[Registry, Results]:
    """Two sound series, every kind, every verdict, one unverified number."""
    table = models(12)
    benchmarks = {"sums": series("sums", table), "facts": series("facts", table, 0.3)}
    full, loose = Checked.FULL_TEXT, Checked.UNVERIFIED
    inside = Verdict.INTERPOLATED
    plans: list[Plan] = [
        (
            "Worked examples",
            Kind.PROMPTING,
            (
                ("sums", 4, 0.6, inside, full),
                ("facts", 5, 1.1, inside, full),
                ("sums", 9, 1.2, Verdict.EXTRAPOLATED, full),
                ("facts", 3, 2.0, inside, loose),
            ),
        ),
        ("Terse answers", Kind.PROMPTING, (("sums", 5, -0.7, inside, full),)),
        ("Calculator", Kind.TOOL_USE, (("sums", 3, 1.3, Verdict.MEASURED_BOUND, full),)),
        ("Search loop", Kind.SCAFFOLDING, (("facts", 8, 1.5, Verdict.LOWER_BOUND, full),)),
        (
            "Majority vote",
            Kind.SOLUTION_SELECTION,
            (
                ("sums", 6, 0.9, inside, full),
                ("facts", 6, 0.3, Verdict.NOT_ESTIMABLE, full),
                ("sums", 10, 0.9, Verdict.NO_FINITE_EQUIVALENT, full),
            ),
        ),
        ("Further training", Kind.DATA_GENERATION, (("facts", 4, 0.8, inside, full),)),
    ]
    claims = {
        "calculator": (
            ReportedGain(
                ratio=20,
                bound=BoundKind.LOWER,
                source="doe2026",
                locator="Table 1",
                checked=Checked.SECONDARY,
                series="sums",
                model="alpha-4",
            ),
        )
    }
    fits = {slug: fit(made) for slug, made in benchmarks.items()}
    registry, results = assemble(plans, benchmarks, fits, table, claims)
    lines = {
        made.key: made
        for made in (line("worked-examples", "sums", 0.4), line("majority-vote", "sums", 0.02))
    }
    return registry, Results(results.fits, results.gains, lines)


def line(enhancement: str, where: str, slope: float) -> ScaleRecord:
    """A stored line of gain by base compute, 4× at 10^23 FLOP."""
    grid = tuple(
        (
            x,
            float(f"{4 * 10 ** (slope * (x - 23)):.6g}"),
            float(f"{4 * 10 ** (slope * (x - 23) - 0.2 - abs(x - 23) / 10):.6g}"),
            float(f"{4 * 10 ** (slope * (x - 23) + 0.2 + abs(x - 23) / 10):.6g}"),
            x > 25.5,
        )
        for x in (21.0, 22.0, 23.0, 24.0, 25.0, 26.0)
    )
    ends = (slope - 0.1, slope + 0.1)
    return ScaleRecord(
        enhancement, where, None, 6, 0, 23.0, 4.0, (2.5, 6.3), slope, ends,
        0.99 if slope > 0.1 else 0.6, 0.1, -slope if slope > 0.1 else None, 0.9, grid,
    )  # fmt: skip


def via(
    name: str,
    model: str,
    verdict: IndexVerdict,
    interval: tuple[float | None, float | None],
    *,
    shared: int = 3,
    n_benchmarks: int = 3,
) -> StoredGain:
    """A stored gain via the index; its ratio is the middle of the interval."""
    low, high = interval
    both = low is not None and high is not None and verdict is IndexVerdict.VIA_INDEX
    ratio = math.sqrt(low * high) if both and low and high else None
    return StoredGain(
        name, model, verdict, ratio, interval, 0.9, n_benchmarks, shared, ("made up",)
    )  # fmt: skip


def placed(
    name: str,
    capability: float,
    verdict: Placement = Placement.PLACED,
    *,
    enhancement: str | None = None,
    n_benchmarks: int = 5,
    reach: float | None = 2.0,
    reason: str = "",
) -> PlacedModel:
    """A model on a made-up scale; ``name`` is the plain model's."""
    full = f"{name} + {enhancement}" if enhancement else name
    ends = None if reach is None else (capability - reach, capability + reach)
    return PlacedModel(
        full, name, enhancement, capability, ends, n_benchmarks, verdict, reason
    )  # fmt: skip


def benchmark_at(
    name: str,
    difficulty: float,
    verdict: Placement = Placement.PLACED,
    *,
    slope: float = 0.1,
    reason: str = "",
    n_models: int = 9,
) -> PlacedBenchmark:
    """A benchmark on a made-up scale."""
    ends = (difficulty - 3.0, difficulty + 4.0)
    return PlacedBenchmark(name, difficulty, ends, slope, n_models, 0.1, verdict, reason)


GOOD_SCALE = Scale(
    "default",
    "index points",
    (("alpha-1", 130.0), ("alpha-6", 150.0)),
    0.9,
    0.051,
    61,
    (
        placed("alpha-1", 130.0, reach=None),
        placed("alpha-6", 150.0, reach=None),
        placed("beta-5", 141.5),
        placed("beta-2", 101.0, reach=40.0),
        placed("gamma-3", 126.0),
        placed("beta-5", 147.0, enhancement="tools", n_benchmarks=4),
        placed(
            "gamma-3", 121.0, Placement.ONE_BENCHMARK, enhancement="votes/of 5", n_benchmarks=1,
            reason="placed by one benchmark alone: its other skills are unknown",
        ),
    ),
    (
        benchmark_at("Sums", 128.0),
        benchmark_at("Facts, zero-shot", 139.0),
        benchmark_at("Proofs", 158.0),
    ),
    (),
)  # fmt: skip
BAD_SCALE = Scale(
    "default",
    "logits of a usual benchmark",
    (),
    0.9,
    0.2,
    4,
    (
        placed(
            "tiny", -3.0, Placement.BELOW, n_benchmarks=2,
            reason="no score above chance: capability is an upper bound",
        ),
        placed(
            "huge", 4.0, Placement.ABOVE, n_benchmarks=1, reach=None,
            reason="every score full: capability is a lower bound",
        ),
    ),
    (
        benchmark_at(
            "Impossible", 5.0, Placement.ABOVE,
            reason="nobody solves it: its difficulty is a lower bound",
        ),
    ),
    tuple(
        Judgement(
            f"castaway-{n}",
            Placement.NOT_CONNECTED,
            "shares no benchmark, even through other models, with the models on the scale",
        )
        for n in range(50)
    ),
)  # fmt: skip
BACKTEST: dict[str, Any] = {
    "cases": 40,
    "estimators": [
        {
            "name": "hierarchical",
            "default": True,
            "bias_log10": 0.02,
            "rmse_log10": 0.3,
            "coverage": 0.91,
            "level": 0.9,
            "median_width_log10": 0.9,
            "no_upper_bound": 0.1,
        },
        {
            "name": "pooled least squares",
            "default": False,
            "bias_log10": None,
            "rmse_log10": 0.4,
            "coverage": None,
            "level": 0.9,
            "median_width_log10": None,
            "no_upper_bound": None,
        },
    ],
}
RATE = Rate(9.6, (7.4, 12.1), (5.5, 15.8), 0.9, 7)
ROUTES: dict[str, Any] = {
    "format": 1,
    "cases": 40,
    "families": 5,
    "stratum": "informative baseline",
    "estimators": [
        {
            "name": name,
            "stratum": "informative baseline",
            "default": number == 0,
            "cases": 40,
            "bias_log10": 0.02 - 0.1 * number,
            "rmse_log10": 0.3 + 0.1 * number,
            "median_error_log10": 0.2,
            "coverage": 0.91,
            "coverage_by_level": {"0.5": 0.6, "0.8": 0.82, "0.9": 0.91, "0.95": None},
            "level": 0.9,
            "median_width_log10": 1.0 + number,
        }
        for number, name in enumerate(("direct", "via index"))
    ],
    "strata": [],
}
VIA = IndexVerdict.VIA_INDEX
INDEX = ViaIndex(
    "made up",
    GOOD_SCALE,
    RATE,
    (
        via("worked-examples/run 1", "beta-5", VIA, (1.5, 12.0)),
        via("worked-examples/run 2", "gamma-6", VIA, (0.2, 4.0), shared=1, n_benchmarks=2),
        via("terse-answers", "gamma-6", VIA, (0.05, 50.0)),
        via("search-loop", "gamma-9", IndexVerdict.LOWER_BOUND, (3.0, None)),
        via("majority-vote/run 2", "alpha-7", VIA, (1.1, 9.0), shared=2, n_benchmarks=4),
        via("worked-examples/run 4", "alpha-4", VIA, (1.0, 2.0)),
        via("further-training", "beta-5", IndexVerdict.NOT_ESTIMABLE, (None, None)),
        via("calculator", "nobody", VIA, (1.0, 2.0)),
    ),
)

EXTRAS = Extras(
    (
        Change("calculator/sums/alpha-4", "> 4.0×", "> 8.0×", "points changed", "2026-10-02"),
        Change("gone/sums/alpha-4", "2.0× (90%: 1.5–3.0×)", "none", "records", "2026-11-02"),
        Change(
            "terse-answers/sums/gamma-6",
            "1.2× (90%: 0.8–1.5×)",
            "0.20× (90%: 0.080–0.50×)",
            "the record changed",
            "2026-11-03",
        ),
    ),
    read_backtest(BACKTEST),
    via_index=INDEX,
    routes=read_routes(ROUTES),
)
# gains of records that have changed since, a bound alone, no calibration
BAD_EXTRAS = Extras(
    via_index=ViaIndex(
        "made up",
        BAD_SCALE,
        RATE,
        (
            via("calculator", "alpha-4", IndexVerdict.UPPER_BOUND, (None, 4.0), shared=1),
            via("worked-examples/run 2", "gamma-6", IndexVerdict.UPPER_BOUND, (None, 0.5)),
        ),
    ),
    index_current=False,
)


def bad_case() -> tuple[Registry, Results]:
    """Unusable and doubtful fits, open intervals, everything extrapolated or lost."""
    table = models(6)
    benchmarks = {"sums": series("sums", table), "facts": series("facts", table, -2.5)}
    full = Checked.FULL_TEXT
    plans: list[Plan] = [
        (
            "Worked examples",
            Kind.PROMPTING,
            (
                ("sums", 4, 1.2, Verdict.EXTRAPOLATED, full),
                ("sums", 5, 3.0, Verdict.LOWER_BOUND, full),
                ("sums", 3, -1.5, Verdict.UPPER_BOUND, full),
                ("facts", 1, 0.3, Verdict.NOT_ESTIMABLE, full),
                ("facts", 2, 0.3, Verdict.NOT_ESTIMABLE, Checked.UNVERIFIED),
            ),
        ),
        ("Calculator", Kind.TOOL_USE, (("facts", 3, 1.3, Verdict.NOT_ESTIMABLE, full),)),
        ("Planning loop", Kind.SCAFFOLDING, ()),
    ]
    fits = {
        "sums": fit(benchmarks["sums"], FitStatus.DOUBTFUL),
        "facts": fit(benchmarks["facts"], FitStatus.UNUSABLE),
    }
    return assemble(plans, benchmarks, fits, table)


def empty_case() -> tuple[Registry, Results]:
    """No records at all."""
    return assemble([], {}, {}, {})


def large_case(enhancements: int, each: int) -> tuple[Registry, Results]:
    """Many enhancements over twenty series, with every verdict in turn."""
    table = models(24)
    benchmarks = {f"test-{i:02}": series(f"test-{i:02}", table, i / 20) for i in range(20)}
    kinds = list(Kind)
    plans: list[Plan] = []
    for number in range(enhancements):
        wanted = tuple(
            (
                f"test-{(number * 7 + turn * 3) % 20:02}",
                (number + turn * 5) % 20,
                ((number * 13 + turn * 29) % 40) / 16 - 0.5,
                ANSWERED[(number + turn) % len(ANSWERED)] if turn % 3 else Verdict.INTERPOLATED,
                Checked.UNVERIFIED if (number + turn) % 17 == 0 else Checked.FULL_TEXT,
            )
            for turn in range(each)
        )
        plans.append((f"Enhancement number {number:03}", kinds[number % 5], wanted))
    return assemble(plans, benchmarks, {s: fit(b) for s, b in benchmarks.items()}, table)
