"""The write step: read a definition, build the page, put it in place in one move."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cegain.briefing.backtests import read_backtest, read_routes
from cegain.briefing.definition import BriefingDefinition, parse_definition
from cegain.briefing.html import build_briefing
from cegain.briefing.scale_page import (
    MATRIX_TITLE,
    OWN_TITLE,
    build_scale_page,
    matrix_about,
    own_about,
    relabelled,
)
from cegain.briefing.scope import Extras
from cegain.briefing.site import Explain, Link, build_site, scale_html
from cegain.equivalents.loading import load_converters
from cegain.errors import FitError, Problem, RecordError, StoreError
from cegain.files import write_text
from cegain.records import Registry, Status
from cegain.results import Results
from cegain.stitching.capability import Observation
from cegain.stitching.data import (
    FOLDER,
    read_benchmark_facts,
    read_models,
    read_scores,
    read_source,
)
from cegain.stitching.documents import (
    VIA_INDEX_PATH,
    Rate,
    Scale,
    inputs_digest,
    rate_document,
    read_rate,
    read_scale,
    read_via_index,
)
from cegain.stitching.fit import fit_scale
from cegain.stitching.gain import scale_rate
from cegain.stitching.registry_rows import registry_observations, registry_rows
from cegain.stitching.results import Anchors, Method, StitchFit, to_document
from cegain.stitching.rows import build_matrix
from cegain.store import Change, read_changes
from cegain.sweep import read_sweep

GENERATOR = '<meta name="generator" content="cegain'
Found = TypeVar("Found")


def render_briefing(
    registry: Registry,
    results: Results,
    definition: str | Path | BriefingDefinition,
    output: str | Path | None = None,
    *,
    changes: Sequence[Change] | None = None,
) -> Path:
    """Write one briefing and return its path.

    ``definition`` is a definition or its YAML file, looked for from the registry's
    folder and then from the current one. Without ``output`` the page stands beside
    its definition under the same name, ending in ``.html``; a definition that is not
    a file needs ``output`` (ValueError). Without ``changes`` the registry's log of moved
    gains is read; what else is stored beside the results (backtests, sweep of choices,
    second route) and the converters are always read. Raises ``RecordError`` if the
    definition is wrong and ``StoreError`` if something stored cannot be read or the page
    cannot be written; an older page is then intact.
    """
    name = ""
    if isinstance(definition, BriefingDefinition):
        if output is None:
            raise ValueError("say where to write: output is needed unless definition is a file")
        target = Path(output)
    else:
        path = _found(Path(definition), Path(registry.root))
        name = _shown(path, Path(registry.root))
        definition = load_definition(path, name)
        target = Path(output) if output is not None else path.with_suffix(".html")
    extras = read_extras(Path(registry.root), changes, registry)
    write_text(target, build_briefing(registry, results, definition, name=name, extras=extras))
    return target


def write_site(
    registry: Registry,
    results: Results,
    folder: str | Path,
    *,
    explain: Explain,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Write the static site and return how many pages it has.

    Every definition in the registry's reports/ becomes a briefing of the site. Pages of
    enhancements, series and scales that are gone are removed; nothing else in the folder
    is touched. Raises ``RecordError`` and ``StoreError`` as ``render_briefing`` does.
    """
    out, root = Path(folder), Path(registry.root)
    extras = read_extras(root, None, registry)
    links = []
    for file in sorted((root / "reports").glob("*.yaml")):
        name = _shown(file, root)
        definition = load_definition(file, name)
        link = Link(f"briefings/{file.stem}.html", definition.title)
        page = build_briefing(registry, results, definition, name=name, extras=extras)
        write_text(out / link.link, page)
        links.append(link)
    scales = list(_scales(registry, out, extras))
    written = [out / link.link for link in (*links, *scales)]
    current = sum(e.status is Status.CURRENT for e in registry.enhancements.values())
    # the style and the index, beside a page for each enhancement and series
    total = len(written) + 2 + current + len(registry.benchmarks)
    for name, text in build_site(registry, results, explain, links, scales, extras):
        write_text(out / name, text)
        written.append(out / name)
        if progress is not None:
            progress(name, len(written), total)
    for pattern in ("enhancements/*.html", "series/*.html", "scale*.html"):
        for path in sorted(out.glob(pattern)):
            if path not in written and GENERATOR in path.read_text(encoding="utf-8"):
                path.unlink()
    return sum(path.suffix == ".html" for path in written)


def _scales(registry: Registry, out: Path, extras: Extras) -> Iterator[Link]:
    """Pages with a scale, for a registry that has the scores or the stored gains for one."""
    root = Path(registry.root)
    if (root / FOLDER).is_dir():
        matrix = build_matrix(read_scores(root), read_benchmark_facts(root))
        fit = fit_scale(matrix, anchors=Anchors())
        write_matrix_page(root, fit, out / "scale.html", home="index.html")
        yield Link("scale.html", MATRIX_TITLE)
    index = extras.via_index
    if index is not None and extras.index_current:
        page = out / "scale-registry.html"
        _write_own(registry, index.scale, index.rate, page, "index.html")
        yield Link("scale-registry.html", OWN_TITLE)


def read_extras(
    root: Path, changes: Sequence[Change] | None = None, registry: Registry | None = None
) -> Extras:
    """The log of moved gains and what is stored beside the results, where there is any.

    With ``registry`` the stored second route is compared with its records. Raises
    ``StoreError`` where a result is there and cannot be read, and ``RecordError`` for
    converters that are wrong.
    """
    converters = load_converters(root) if (root / "converters").is_dir() else None
    log = read_changes(root) if changes is None else tuple(changes)
    data = root / "reports" / "data"
    backtest = _stored(data / "backtest.json", "the backtest", read_backtest)
    sweep = _stored(data / "sensitivity.json", "`cegain sensitivity --store`", read_sweep)
    routes = _stored(
        data / "backtest_routes.json", "`cegain backtest --via-index --store`", read_routes
    )
    index = _stored(root / VIA_INDEX_PATH, "`cegain capability --gains --store`", read_via_index)
    current = (
        registry is None
        or index is None
        or index.inputs == inputs_digest(*registry_rows(registry), registry_observations(registry))
    )
    return Extras(log, backtest, converters, sweep, index, current, routes)


def _stored(path: Path, again: str, read: Callable[[Mapping[str, Any]], Found]) -> Found | None:
    """What ``read`` makes of a stored document, or None where there is no file."""
    try:
        return read(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} could not be read: {error.strerror}.") from error
    except ValueError as error:
        raise StoreError(f"{path}: {error}. Run {again} again or remove the file.") from error


def write_matrix_page(root: Path, fit: StitchFit, target: Path, *, home: str | None = None) -> None:
    """Write the page with the scale of the published score matrix.

    ``home`` is the address of the site's index, if there is one. Raises ``StoreError``
    if the page cannot be written and ``FitError`` without the tables of capability_data/.
    """
    models = read_models(root)
    about = matrix_about(
        read_source(root),
        {name: one.released for name, one in models.items() if one.released},
        reference=fit.method is Method.REFERENCE,
        home=home,
    )
    page = build_scale_page(read_scale(to_document(fit)), about, _rate(fit, models))
    write_text(target, scale_html(page))


def write_own_page(registry: Registry, fit: StitchFit, target: Path) -> None:
    """Write the page with the scale of the registry's own scores; raises ``StoreError``."""
    rate = _rate(fit, registry_observations(registry))
    _write_own(registry, read_scale(to_document(fit)), rate, target, None)


def _write_own(
    registry: Registry, scale: Scale, rate: Rate | None, target: Path, home: str | None
) -> None:
    models = registry.models.items()
    released = {name: model.released for name, model in models if model.released}
    read = [
        source.accessed
        for sources in (registry.sources, *(e.sources for e in registry.enhancements.values()))
        for source in sources.values()
        if source.accessed
    ]
    as_of = max(read).isoformat() if read else "not noted"
    named = relabelled(
        scale,
        {slug: series.settings.name for slug, series in registry.benchmarks.items()},
        {slug: enhancement.name for slug, enhancement in registry.enhancements.items()},
    )
    write_text(target, scale_html(build_scale_page(named, own_about(released, as_of, home), rate)))


def _rate(fit: StitchFit, models: Mapping[str, Observation]) -> Rate | None:
    """The exchange rate, or None where a scale has no draws or too few families."""
    try:
        return read_rate(rate_document(scale_rate(fit, models)))
    except FitError:
        return None  # the page then says nothing about compute


def load_definition(path: Path, name: str = "") -> BriefingDefinition:
    """Read a definition; raises ``RecordError`` with every problem in it."""
    shown = name or path.name
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start})"
        raise RecordError([Problem(shown, 0, "", message, "Save the file as UTF-8.")]) from error
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        repair = "Name a definition such as reports/post-training-enhancements.yaml."
        raise RecordError([Problem(shown, 0, "", message, repair)]) from error
    return parse_definition(text, shown)


def _found(path: Path, root: Path) -> Path:
    return root / path if not path.is_absolute() and (root / path).exists() else path


def _shown(path: Path, root: Path) -> str:
    """The path as typed from the registry's folder; never a place on this machine."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.name
