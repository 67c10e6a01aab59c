"""Read the folders people write into one ``Registry``, with every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cegain.checks import ELSEWHERE, Finding
from cegain.checks_data import run_all_checks
from cegain.errors import Problem, RecordError
from cegain.files import patient_collector
from cegain.parse_cache import ParseCache, decoded, open_cache
from cegain.parsing import Document, build_record, dotted, parse_csv
from cegain.records import (
    BenchmarkSettings,
    Elsewhere,
    Enhancement,
    Kind,
    Model,
    Point,
    Record,
    Registry,
    Series,
    Source,
)

MODEL_COLUMNS = tuple(Model.model_fields)
POINT_COLUMNS = tuple(Point.model_fields)
MODEL_NUMBERS = frozenset({"params", "training_tokens", "training_compute_flop"})
POINT_NUMBERS = frozenset({"score", "n_items", "score_se"})
KIND_FOLDERS = tuple(kind.value for kind in Kind)


class SharedSources(Record):
    """``scaling_fits/sources.yaml``: sources cited by models.csv and points.csv."""

    sources: dict[str, Source]


@dataclass
class _Reading:
    root: Path
    cache: ParseCache
    problems: list[Problem] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    rows: dict[str, list[int]] = field(default_factory=dict)  # of each table, those that were kept

    def name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def yaml(self, path: Path) -> Document | None:
        return self.read(path, self.cache.parse)

    def csv(
        self, path: Path, columns: tuple[str, ...], numbers: frozenset[str], model: type[Record]
    ) -> Document | None:
        needed = [name for name, info in model.model_fields.items() if info.is_required()]
        return self.read(
            path, lambda content, name: parse_csv(decoded(content), name, columns, needed, numbers)
        )

    def read(self, path: Path, parse: Callable[[bytes, str], Document]) -> Document | None:
        name = self.name(path)
        try:
            return self.keep(parse(path.read_bytes(), name))
        except UnicodeDecodeError as error:
            message = f"not UTF-8 text (byte {error.start})"
            self.problems.append(Problem(name, 0, "", message, "Save the file as UTF-8."))
        except OSError as error:
            message = f"cannot be read: {error.strerror}"
            self.problems.append(Problem(name, 0, "", message, "Add the file or fix its rights."))
        return None

    def keep(self, document: Document) -> Document:
        self.documents[document.file] = document
        self.problems.extend(document.problems)
        return document


def load_registry(root: str | Path = ".") -> Registry:
    """Read a registry; raises ``RecordError`` with all problems if there are any.

    ``root`` holds ``enhancements/`` and ``scaling_fits/``.
    """
    registry, problems = read_registry(root)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or registry is None:
        raise RecordError(errors)
    return registry


def read_registry(root: str | Path = ".") -> tuple[Registry | None, tuple[Problem, ...]]:
    """Read a registry and list every error and warning; no registry if a file is broken."""
    folder = Path(root)
    if not (folder / "scaling_fits").is_dir():
        problem = Problem(
            "scaling_fits",
            0,
            "",
            "no such folder: this is not a registry",
            "Run `cegain init DIR` to start one, or name its folder with --root.",
        )
        return None, (problem,)
    with patient_collector():
        return _read(_Reading(folder, open_cache(folder)))


def _read(reading: _Reading) -> tuple[Registry | None, tuple[Problem, ...]]:
    sources = _read_sources(reading)
    models = _read_models(reading)
    benchmarks = _read_benchmarks(reading, models)
    enhancements = _read_enhancements(reading)
    registry = Registry(
        str(reading.root),
        MappingProxyType(enhancements),
        MappingProxyType(benchmarks),
        MappingProxyType(models),
        MappingProxyType(sources),
        _read_elsewhere(reading),
    )
    reading.cache.save()
    reading.problems.extend(_located(run_all_checks(registry), reading))
    unusable = any(problem.severity == "error" for problem in reading.problems)
    return (None if unusable else registry), tuple(sorted(reading.problems))


def _read_sources(reading: _Reading) -> dict[str, Source]:
    path = reading.root / "scaling_fits" / "sources.yaml"
    if not path.exists():
        return {}
    document = reading.yaml(path)
    if document is None or document.value is None:
        return {}
    shared, problems = build_record(SharedSources, document, document.value)
    reading.problems.extend(problems)
    return dict(shared.sources) if shared else {}


def _read_elsewhere(reading: _Reading) -> Elsewhere:
    path = reading.root / ELSEWHERE
    document = reading.yaml(path) if path.exists() else None
    if document is None or document.value is None:
        return Elsewhere()
    elsewhere, problems = build_record(Elsewhere, document, document.value)
    reading.problems.extend(problems)
    return elsewhere or Elsewhere()


def _read_models(reading: _Reading) -> dict[str, Model]:
    path = reading.root / "scaling_fits" / "models.csv"
    document = reading.csv(path, MODEL_COLUMNS, MODEL_NUMBERS, Model)
    models: dict[str, Model] = {}
    if document is None or not isinstance(document.value, list):
        return models
    kept = reading.rows.setdefault(document.file, [])
    for index, row in enumerate(document.value):
        at = ("row", index)
        model, problems = build_record(Model, document, row, at)
        reading.problems.extend(problems)
        if model is None:
            # later references to a faulty row are not faults of their own
            name = str(row.get("model") or "")
            if name and name not in models:
                models[name] = _placeholder(name)
                kept.append(index)
        elif model.model in models:
            reading.problems.append(
                Problem(
                    document.file,
                    document.line(at),
                    "model",
                    f"listed twice (got {model.model})",
                    "Keep one row for each model.",
                )
            )
        else:
            models[model.model] = model
            kept.append(index)
    return models


def _placeholder(name: str) -> Model:
    return Model(model=name, family=name, source="-", locator="-")


# Stands in for faulty settings, so that comparisons naming the series are not blamed too
_NO_SETTINGS = BenchmarkSettings(
    name="-", benchmark="-", domain="-", protocol="-", metric="-", chance=0.0
)


def _read_benchmarks(reading: _Reading, models: dict[str, Model]) -> dict[str, Series]:
    benchmarks: dict[str, Series] = {}
    for folder in _series_folders(reading):
        document = reading.yaml(folder / "benchmark.yaml")
        table = reading.csv(folder / "points.csv", POINT_COLUMNS, POINT_NUMBERS, Point)
        settings: BenchmarkSettings | None = None
        if document is not None and not document.problems:
            settings, problems = build_record(BenchmarkSettings, document, document.value)
            reading.problems.extend(problems)
        points: list[Point] = []
        for index, row in enumerate(_rows(table)):
            assert table is not None
            point, problems = build_record(Point, table, row, ("row", index))
            reading.problems.extend(problems)
            if point:
                points.append(point)
                reading.rows.setdefault(table.file, []).append(index)
        benchmarks[folder.name] = Series(
            folder.name, settings or _NO_SETTINGS, tuple(points), MappingProxyType(models)
        )
    return benchmarks


def _series_folders(reading: _Reading) -> Iterable[Path]:
    """Folders of series; one with nothing but the machine's own file was removed by somebody."""
    place = reading.root / "scaling_fits"
    try:
        for folder in sorted(place.iterdir()):
            place = folder
            written = ("benchmark.yaml", "points.csv")
            if any((folder / name).exists() for name in written) or not _only_results(folder):
                yield folder
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        reading.problems.append(
            Problem(reading.name(place), 0, "", message, "Restore the folder or fix its rights.")
        )


def _only_results(folder: Path) -> bool:
    return not folder.is_dir() or {p.name for p in folder.iterdir()} <= {"fit.json"}


def _rows(table: Document | None) -> list[dict[str, object]]:
    return table.value if table is not None and isinstance(table.value, list) else []


def _read_enhancements(reading: _Reading) -> dict[str, Enhancement]:
    enhancements: dict[str, Enhancement] = {}
    folder = reading.root / "enhancements"
    for path in sorted(folder.glob("*/*.y*ml")) if folder.is_dir() else []:
        document = reading.yaml(path)
        if document is None or (document.value is None and document.problems):
            continue
        enhancement, problems = build_record(Enhancement, document, document.value)
        reading.problems.extend(problems)
        reading.problems.extend(_place_problems(path, document, enhancement))
        if enhancement is None:
            continue
        if path.stem in enhancements:
            message = f"another record is already called {path.stem}"
            reading.problems.append(
                Problem(document.file, 0, "", message, "Rename one file: the name is the key.")
            )
        enhancements[path.stem] = enhancement
    return enhancements


def _place_problems(
    path: Path, document: Document, enhancement: Enhancement | None
) -> Iterable[Problem]:
    if path.suffix != ".yaml":
        yield Problem(document.file, 0, "", "records end in .yaml", f"Rename to {path.stem}.yaml.")
    if path.parent.name not in KIND_FOLDERS:
        folders = ", ".join(KIND_FOLDERS)
        yield Problem(document.file, 0, "", "unknown folder", f"Folders are: {folders}.")
    elif enhancement is not None and enhancement.kind.value != path.parent.name:
        yield Problem(
            document.file,
            document.line(("kind",)),
            "kind",
            f"differs from its folder (got {enhancement.kind})",
            f"Move the file to enhancements/{enhancement.kind}/ or change its kind.",
        )


def _located(findings: Iterable[Finding], reading: _Reading) -> Iterable[Problem]:
    for finding in findings:
        document = reading.documents.get(finding.file)
        path = shown = finding.path
        if path[:1] == ("row",):
            # rules count the rows that were kept, people all of them
            _, row, *column = path
            path, shown = ("row", reading.rows[finding.file][int(row)], *column), tuple(column)
        line = document.line(path) if document else 0
        yield Problem(
            finding.file, line, dotted(shown), finding.message, finding.repair, finding.severity
        )
