"""Stored backtests in words: the method, and both routes, on cases whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cegain import formatting
from cegain.backtest import OTHER_SIZES, SMALLER_SIZES
from cegain.briefing import words
from cegain.stitching.calibration import DIRECT, INDEX_ALL, INDEX_ONE

# stored name of an estimator, a route and a set of cases -> the same to a reader
_TOLD = {
    OTHER_SIZES: "posterior anchor, told the family’s other sizes (as here where it has some)",
    SMALLER_SIZES: "posterior anchor, told the family’s smaller sizes",
}
_ROUTES = {
    DIRECT: "Direct, from the benchmark’s own curve",
    INDEX_ALL: "Via index, all benchmarks of both models",
    INDEX_ONE: "Via index, one benchmark of the larger",
}
_IN_TEXT = {
    DIRECT: "the direct route",
    INDEX_ALL: "the index route with all benchmarks of both models",
    INDEX_ONE: "the index route with one benchmark",
}
_STRATA = {
    "informative baseline": "smaller sibling above guessing",
    "gain above 1.2 decades": "of these, true ratio above 16×",
    "baseline at the floor": "smaller sibling at guessing",
}


@dataclass(frozen=True)
class EstimatorRow:
    """One estimator of the backtest, in words."""

    name: str
    bias: str
    error: str
    coverage: str
    width: str
    open_ends: str


@dataclass(frozen=True)
class Backtest:
    """Estimators on cases whose truth is known."""

    cases: int
    rows: tuple[EstimatorRow, ...]


@dataclass(frozen=True)
class CalibrationRow:
    """One route on the siblings: errors and widths as factors of compute."""

    route: str
    stratum: str
    cases: int
    bias: str
    error: str
    middle: str
    coverage: tuple[str, ...]
    width: str


@dataclass(frozen=True)
class Calibration:
    """Both routes on the same siblings, whose true ratio is known, and the finding."""

    cases: int
    families: int
    level: str
    levels: tuple[str, ...]
    rows: tuple[CalibrationRow, ...]
    finding: str


def read_backtest(document: Mapping[str, Any]) -> Backtest:
    """The backtest as stored; raises ValueError where it has another shape."""
    try:
        rows = tuple(_estimator(entry) for entry in document["estimators"])
        return Backtest(int(document["cases"]), rows)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a backtest as `cegain backtest --json` prints it: {error}") from None


def _estimator(entry: Mapping[str, Any]) -> EstimatorRow:
    level = float(entry["level"])
    stored = str(entry["name"])
    name = _TOLD.get(stored, words.name(stored))
    return EstimatorRow(
        f"{name} (the one used here)" if entry["default"] else name,
        _over_truth(entry["bias_log10"]),
        _factor(entry["rmse_log10"]),
        f"{formatting.share(float(entry['coverage']))} of {formatting.share(level)} promised"
        if entry["coverage"] is not None
        else "–",
        _factor(entry["median_width_log10"]),
        _share(entry["no_upper_bound"]),
    )


def read_routes(document: Mapping[str, Any]) -> Calibration:
    """Both routes' calibration as stored; raises ValueError where it has another shape."""
    try:
        entries = [*document["estimators"], *document["strata"]]
        levels = tuple(entries[0]["coverage_by_level"])
        rows = tuple(_calibrated(entry, levels) for entry in entries)
        return Calibration(
            int(document["cases"]),
            int(document["families"]),
            formatting.share(float(entries[0]["level"])),
            tuple(f"{100 * float(level):.0f} %" for level in levels),
            rows,
            _finding(document["estimators"], int(document["cases"])),
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"not what `cegain backtest --via-index --json` prints: {error}") from None


def _calibrated(entry: Mapping[str, Any], levels: Sequence[str]) -> CalibrationRow:
    covered = entry["coverage_by_level"]
    return CalibrationRow(
        words.name(_ROUTES.get(entry["name"], str(entry["name"]))),
        words.clean(_STRATA.get(entry["stratum"], str(entry["stratum"]))),
        int(entry["cases"]),
        _over_truth(entry["bias_log10"]),
        _factor(entry["rmse_log10"]),
        _factor(entry["median_error_log10"]),
        tuple(_share(covered.get(level)) for level in levels),
        _factor(entry["median_width_log10"]),
    )


def _share(share: float | None) -> str:
    return "–" if share is None else formatting.share(float(share))


def _over_truth(bias_log10: float | None) -> str:
    return "–" if bias_log10 is None else words.times(10.0 ** float(bias_log10))


def _factor(log10_value: float | None) -> str:
    if log10_value is None:
        return "–"
    return f"a factor of {formatting.significant(10.0 ** float(log10_value))}"


def _finding(entries: Sequence[Mapping[str, Any]], cases: int) -> str:
    ordered = sorted(entries, key=lambda entry: not entry["default"])
    parts = [
        f"{words.name(_IN_TEXT.get(entry['name'], str(entry['name'])))} usually misses by "
        f"{_factor(entry['rmse_log10'])}, and its "
        f"{formatting.share(float(entry['level']))} intervals hold the truth "
        f"{formatting.share(float(entry['coverage']))} of the time and usually span "
        f"{_factor(entry['median_width_log10'])}"
        for entry in ordered
    ]
    return (
        f"On {cases:,} pairs of sibling models, whose true ratio of compute is known and whose "
        f"family was left out of both routes: {'; '.join(parts)}."
    )
