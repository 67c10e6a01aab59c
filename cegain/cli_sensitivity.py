"""The ``sensitivity`` command: how far gains move with choices nobody can settle."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cegain.console import Progress, parallel, refuse_unknown

if TYPE_CHECKING:
    from cegain.records import ComparisonRef, Registry
    from cegain.sweep import SweepTask, Swept, Varied

_STORE_EVERY = 10  # series: a sweep that is interrupted keeps most of its work


@click.command()
@click.argument("enhancement", required=False)
@click.option("--series", help="Only gains on one series.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes to use; 1 unless said.")
@click.option("--dask", metavar="ADDRESS", help="Work on the Dask cluster of this scheduler.")
@click.option("--store", "stored", is_flag=True, help="Keep what is stale in reports/data/.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--events", is_flag=True, help="Progress as lines of JSON on standard error.")
@click.pass_obj
def sensitivity(
    root: Path,
    enhancement: str | None,
    series: str | None,
    jobs: int | None,
    dask: str | None,
    stored: bool,
    as_json: bool,
    events: bool,
) -> None:
    """Recompute gains under other choices and say how far each one moves.

    Choices: each link alone, score and model anchor, pooled least squares, floor
    fixed or free, a ceiling of 97 %, errors of compute doubled, the base model's own
    family or any one family left out of the curve, intervals at 80 and 95 %. One or
    all enhancements; all takes many minutes. --store keeps all of it for the briefing
    and redoes what is stale alone.
    """
    from cegain.registry import load_registry
    from cegain.sweep import make_sweep

    if jobs is not None and dask is not None:
        raise click.UsageError("--jobs is for processes here, --dask for a cluster: leave out one")
    if stored and (enhancement or series or as_json):
        raise click.UsageError("--store is about every gain and prints none: use it alone")
    registry = load_registry(root)
    if stored:
        _store(registry, jobs, dask, events)
        return
    refuse_unknown("enhancement", [enhancement] if enhancement else [], registry.enhancements)
    refuse_unknown("series", [series] if series else [], registry.benchmarks)
    refs = [
        ref
        for ref in registry.comparisons()
        if enhancement in (None, ref.enhancement) and series in (None, ref.comparison.series)
    ]
    rows: list[Varied] = []
    _vary(make_sweep(registry, refs), jobs, dask, lambda _, found: rows.extend(found), events)
    if as_json:
        click.echo(json.dumps({"format": 1, "gains": [_json(row) for row in rows]}))
    else:
        _print(rows)


def _vary(
    tasks: Sequence[SweepTask],
    jobs: int | None,
    dask: str | None,
    take: Callable[[int, Sequence[Varied]], None],
    events: bool,
) -> None:
    """Vary the gains of each task, with progress; ``take`` gets how many are done, and them."""
    from cegain.sweep import run_sweep

    with Progress("varying", events=events) as progress, parallel(jobs, dask) as count:
        progress("", 0, len(tasks))
        for done, (task, found) in enumerate(zip(tasks, run_sweep(tasks, count), strict=True), 1):
            take(done, found)
            progress(task.series.slug, done, len(tasks))


def _store(registry: Registry, jobs: int | None, dask: str | None, events: bool) -> None:
    """Sweep the series whose entries are stale, and store the entries of all."""
    from cegain.files import write_text
    from cegain.sweep import make_sweep, sweep_json, sweep_prints, swept

    path = sweep_path(registry.root)
    prints, old = sweep_prints(registry), _read_old(path)
    kept = {key: entry for key, entry in old.items() if entry.fingerprint == prints.get(key)}
    tasks = make_sweep(registry, _stale(registry, set(kept)))

    def write() -> None:
        text = json.dumps(sweep_json(kept), ensure_ascii=False, separators=(",", ":"))
        # one line an entry, so that differences stay readable
        write_text(path, text.replace('{"gain":', '\n{"gain":') + "\n")

    def keep(done: int, found: Sequence[Varied]) -> None:
        kept.update((row.key, swept(row, prints[row.key])) for row in found)
        if done % _STORE_EVERY == 0:
            write()

    _vary(tasks, jobs, dask, keep, events)
    if tasks or set(kept) != set(old):
        write()
    steady = sum(not entry.depends_on for entry in kept.values())
    click.echo(
        f"{path}: {len(tasks)} series varied; {len(kept)} gains on a curve, "
        f"{steady} keep verdict and factor of two under every choice."
    )


def sweep_path(root: str | Path) -> Path:
    """Where the sweep is stored."""
    return Path(root) / "reports" / "data" / "sensitivity.json"


def _read_old(path: Path) -> dict[str, Swept]:
    from cegain.sweep import read_sweep

    try:
        return read_sweep(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}  # none, another format, or edited beyond recognition: everything is redone


def _stale(registry: Registry, current: set[str]) -> list[ComparisonRef]:
    """Comparisons on series with a curve of which any lacks a current entry."""
    from cegain.scaling import FitStatus, curve_data, quick_status

    refs = registry.comparisons()
    series = {ref.comparison.series for ref in refs if ref.key not in current}
    curved = {
        slug
        for slug in series
        if quick_status(curve_data(registry.benchmarks[slug])) is not FitStatus.UNUSABLE
    }
    return [ref for ref in refs if ref.comparison.series in curved]


def _json(row: Varied) -> dict[str, Any]:
    from cegain.sensitivity import as_printed, moved, sensitive_to

    own = as_printed(row.gain)
    return {
        "gain": row.key,
        "verdict": row.gain.verdict.value,
        "ratio": row.gain.ratio,
        "alternatives": [
            {
                "choice": other.choice,
                "detail": other.detail,
                "verdict": other.verdict.value,
                "value": _factor(other.value),
                "moved_log10": moved(other, own),
            }
            for other in row.alternatives
        ],
        "levels": [
            {
                "level": level.level,
                "interval": [_factor(end) for end in level.ends],
                "says": level.says,
                "changed": level.changed,
            }
            for level in row.levels
        ],
        "sensitive_to": list(sensitive_to(row.gain, row.alternatives)),
    }


def _factor(log10_value: float | None) -> float | None:
    from cegain.formatting import stored_factor

    return None if log10_value is None else stored_factor(log10_value)


def _print(rows: Sequence[Varied]) -> None:
    from collections import Counter

    from cegain.formatting import interval, ratio
    from cegain.sensitivity import sensitive_to

    moved: Counter[str] = Counter()
    for row in rows:
        named = sensitive_to(row.gain, row.alternatives)
        moved.update(named)
        click.echo(f"{row.key}: {row.gain}")
        for other in row.alternatives:
            value = "" if other.value is None else f"{ratio(other.value)}, "
            mark = "  <-" if other.choice in named else ""
            which = f" ({other.detail})" if other.detail else ""
            click.echo(f"    {other.choice:24} {value}{other.verdict}{which}{mark}")
        for level in row.levels:
            mark = "  <-" if level.changed else ""
            click.echo(f"    {level.choice:24} {interval(*level.ends)}, {level.says}{mark}")
            moved.update([level.choice] if level.changed else [])
    steady = sum(not sensitive_to(row.gain, row.alternatives) for row in rows)
    click.echo(
        f"{len(rows)} gains on a curve; {steady} keep verdict and factor of two under every choice."
    )
    for choice, number in moved.most_common():
        click.echo(f"    {choice:24} moves {number}")
