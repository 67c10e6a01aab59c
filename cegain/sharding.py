"""A recompute in N parts, for batch queues: each part on its own, then one merge.

A part is one file, ``part-I-of-N.json`` in ``.cegain-cache/parts/`` of the registry
unless another folder is named. Making it reads the registry and writes that file alone,
so parts can be made at once and in any order; the merge stores all of them as one
recompute would have, byte by byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cegain.errors import StoreError
from cegain.files import TEMPORARY, write_text
from cegain.planning import Plan, Step, inputs_print, line_key
from cegain.recomputing import Outcome, Progress, enter, stored_plan
from cegain.records import Registry
from cegain.results import fit_from_json, gain_from_json, to_json
from cegain.scale import scale_from_json
from cegain.scaling import FitMethod, FitStatus, curve_data, quick_status
from cegain.store import digest
from cegain.tasks import Task, TaskResult, differing, in_order, make_tasks, run_task, software

PART_FORMAT = 1
GENERATED = "Written by `cegain recompute --shard`; read by `cegain merge`."


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``total``, counted from 1."""

    index: int
    total: int

    def __str__(self) -> str:
        return f"{self.index}/{self.total}"

    @property
    def file(self) -> str:
        """Name of the file the part is written to."""
        return f"part-{self.index}-of-{self.total}.json"


@dataclass(frozen=True)
class Part:
    """One part as read back: what made it, from what, and what it found."""

    path: Path
    shard: Shard
    made_by: Mapping[str, str]
    inputs: str
    todo: str
    results: tuple[TaskResult, ...]


def parts_folder(root: str | Path) -> Path:
    """Where parts are written and looked for, unless another folder is named."""
    return Path(root) / ".cegain-cache" / "parts"


def share(tasks: Sequence[Task], shard: Shard) -> list[Task]:
    """The tasks of one shard: costly ones first, each to the shard with least to do.

    Depends on the tasks alone, ties going by name, so every process splits alike.
    """
    costs = {task.series.slug: _cost(task) for task in tasks}
    load = [0] * shard.total
    mine = set()
    for slug in sorted(costs, key=lambda name: (-costs[name], name)):
        least = load.index(min(load))
        load[least] += costs[slug]
        if least == shard.index - 1:
            mine.add(slug)
    return [task for task in tasks if task.series.slug in mine]


def _cost(task: Task) -> int:
    """About how long a task takes, in fifths of a point fitted; one where nothing is."""
    if quick_status(curve_data(task.series)) is FitStatus.UNUSABLE:
        return 1
    return 5 * len(task.series.fitted_points) + len(task.gains) + 10


def shard_steps(registry: Registry, shard: Shard) -> tuple[Step, ...]:
    """What one shard would do, in order; nothing is computed."""
    return _portion(registry, stored_plan(registry), shard)[1]


def _portion(registry: Registry, todo: Plan, shard: Shard) -> tuple[list[Task], tuple[Step, ...]]:
    """The tasks of one shard, and the stale steps they do."""
    mine = share(make_tasks(registry, todo, FitMethod.POSTERIOR), shard)
    names = {name for task in mine for name in _names(task)}
    return mine, tuple(step for step in todo.steps if (step.kind, step.name) in names)


def _names(task: Task) -> Iterable[tuple[str, str]]:
    yield "fit", task.series.slug
    yield from (("gain", ref.key) for ref in task.gains)
    yield from (("line", line_key(group)) for group in task.groups)


def make_part(
    registry: Registry,
    shard: Shard,
    folder: Path | None = None,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> tuple[Path, tuple[Step, ...]]:
    """Do the work of one shard and write it to its own file; returns the file and its steps.

    Shared results are read and never written, so shards may run at once. ``jobs`` and
    ``progress`` are those of ``recompute``. Raises ``StoreError`` where the part cannot
    be written.
    """
    todo = stored_plan(registry)
    mine, steps = _portion(registry, todo, shard)
    found, finished = [], 0
    stale = {(step.kind, step.name) for step in steps}
    if progress is not None and steps:
        progress("", 0, len(steps))
    for task, result in zip(mine, in_order(run_task, mine, jobs), strict=True):
        found.append(result)
        finished += sum(name in stale for name in _names(task))
        if progress is not None:
            progress(task.series.slug, finished, len(steps))
    body = {
        "made_by": software(),
        "inputs": inputs_print(registry),
        "todo": _todo_print(todo),
        "results": [_result_json(result) for result in found],
    }
    document = {
        "generated": GENERATED,
        "format": PART_FORMAT,
        "shard": shard.index,
        "of": shard.total,
        "output": digest(body),
        **body,
    }
    path = (parts_folder(registry.root) if folder is None else folder) / shard.file
    write_text(path, json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
    return path, steps


def _todo_print(todo: Plan) -> str:
    """Fingerprint of what was stale: parts of one recompute were cut from the same whole."""
    return digest(sorted((step.kind, step.name) for step in todo.steps))


def merge(
    registry: Registry,
    folder: Path | None = None,
    *,
    date: str = "",
    progress: Progress | None = None,
) -> tuple[Outcome, int]:
    """Store what all parts found as one recompute would have; returns it and their number.

    Parts are removed once everything is stored; an interrupted merge is completed by the
    next. Raises ``StoreError`` where a part is missing, doubled, broken or foreign (made
    from other records, other stored results or by other software); nothing is then stored.
    """
    place = parts_folder(registry.root) if folder is None else folder
    parts = _whole(_read_parts(place), place)
    _refuse_foreign(parts, inputs_print(registry))
    results = {result.fit.series: result for part in parts for result in part.results}

    def work(todo: Plan) -> Iterable[TaskResult]:
        chosen = _chosen(results, todo)
        return (chosen[slug] for slug in sorted(chosen))

    outcome = enter(registry, work, date=date, progress=progress)
    _remove(parts)
    if folder is None:
        # the cache's own folder: what a killed shard left half written goes too
        for left in place.glob(f"{TEMPORARY}*"):
            left.unlink(missing_ok=True)
    return outcome, len(parts)


def _remove(parts: Sequence[Part]) -> None:
    for part in parts:
        try:
            part.path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"everything is stored, but {part.path} could not be removed: {error.strerror}. "
                "Remove the parts by hand."
            ) from error


def _chosen(results: Mapping[str, TaskResult], todo: Plan) -> dict[str, TaskResult]:
    """The results a plan asks for: all of the parts, or what an interrupted merge left over."""
    wanted = {kind: {s.name for s in todo.steps if s.kind == kind} for kind in _KINDS}
    chosen = {}
    for slug, found in results.items():
        gains = {key: gain for key, gain in found.gains.items() if key in wanted["gain"]}
        lines = {key: line for key, line in found.lines.items() if key in wanted["line"]}
        if slug in wanted["fit"] or gains or lines:
            chosen[slug] = TaskResult(found.fit, gains, lines)
    given = {
        "fit": set(chosen),
        "gain": {key for found in chosen.values() for key in found.gains},
        "line": {key for found in chosen.values() for key in found.lines},
    }
    left = [step for step in todo.steps if step.name not in given[step.kind]]
    if left:
        raise StoreError(
            f"the parts do not hold {left[0].kind} {left[0].name}, which is stale now"
            f"{f' (and {len(left) - 1} more)' if len(left) > 1 else ''}: stored results changed "
            "after the parts were made. Make all parts again; nothing was stored."
        )
    return chosen


_KINDS = ("fit", "gain", "line")


def _whole(parts: Sequence[Part], folder: Path) -> list[Part]:
    """Parts 1 to N of one split, each once; raises ``StoreError`` otherwise."""
    totals = sorted({part.shard.total for part in parts})
    if len(totals) > 1:
        first = next(part for part in parts if part.shard.total == totals[0])
        raise StoreError(
            f"{folder} holds parts of {len(totals)} splits, into {_listed(totals)}. Keep those "
            f"of one: remove {first.path.name} and its like, or the others. Nothing was stored."
        )
    by_index: dict[int, Part] = {}
    for part in parts:
        other = by_index.setdefault(part.shard.index, part)
        if other is not part:
            raise StoreError(
                f"part {part.shard} is there twice in {folder}: {other.path.name} and "
                f"{part.path.name}. Remove one of them; nothing was stored."
            )
    total = totals[0]
    missing = [index for index in range(1, total + 1) if index not in by_index]
    if missing:
        what = "part" if len(missing) == 1 else "parts"
        raise StoreError(
            f"{what} {_listed(missing)} of {total} {'is' if len(missing) == 1 else 'are'} missing "
            f"in {folder}. Run `cegain recompute --shard {missing[0]}/{total}`"
            f"{'' if len(missing) == 1 else ' and so on'}, then merge; nothing was stored."
        )
    return [by_index[index] for index in range(1, total + 1)]


def _refuse_foreign(parts: Sequence[Part], inputs: str) -> None:
    ours = software()
    for part in parts:
        again = f"Run `cegain recompute --shard {part.shard}` again here; nothing was stored."
        other = differing(part.made_by, ours)
        if other:
            raise StoreError(f"{part.path} was made by other software: {other}. {again}")
        if part.inputs != inputs:
            raise StoreError(
                f"{part.path} was made from other records than those of this registry. {again}"
            )
    odd = [part for part in parts if part.todo != parts[0].todo]
    if odd:
        raise StoreError(
            f"{odd[0].path} and {parts[0].path.name} were made while different results were "
            "stored, so they do not fit together. Make all parts again; nothing was stored."
        )


def _read_parts(folder: Path) -> list[Part]:
    """Every part in a folder; raises ``StoreError`` where there is none or one is broken."""
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not paths:
        raise StoreError(
            f"there is no part of a recompute in {folder}. "
            "Make them with `cegain recompute --shard 1/N` to `N/N`, then merge."
        )
    return [_read_part(path) for path in paths]


def _read_part(path: Path) -> Part:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        shard = Shard(int(document["shard"]), int(document["of"]))
        body = {name: document[name] for name in ("made_by", "inputs", "todo", "results")}
        if document["format"] != PART_FORMAT or digest(body) != document["output"]:
            raise ValueError("other format, or edited")
        results = tuple(_result_from_json(value) for value in body["results"])
    except OSError as error:
        raise StoreError(f"{path} could not be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{path} is not a whole part of a recompute as `cegain recompute --shard` writes it. "
            "Remove it and make that part again; nothing was stored."
        ) from error
    return Part(path, shard, body["made_by"], body["inputs"], body["todo"], results)


def _result_json(result: TaskResult) -> dict[str, Any]:
    return {
        "fit": to_json(result.fit),
        "gains": {key: to_json(gain) for key, gain in result.gains.items()},
        "lines": {
            key: None if line is None else to_json(line) for key, line in result.lines.items()
        },
    }


def _result_from_json(value: Mapping[str, Any]) -> TaskResult:
    return TaskResult(
        fit_from_json(value["fit"]),
        {key: gain_from_json(gain) for key, gain in value["gains"].items()},
        {
            key: None if line is None else scale_from_json(line)
            for key, line in value["lines"].items()
        },
    )


def _listed(numbers: Sequence[int]) -> str:
    texts = [str(number) for number in numbers[:8]] + (["…"] if len(numbers) > 8 else [])
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
