"""What is stale and why: a comparison of records with the fingerprints of results.

Every result carries fingerprints of the parts it came from. The first part that
differs is the reason printed; nothing else is redone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cegain.curves import LINKS
from cegain.gains import GAIN_METHOD
from cegain.records import ComparisonRef, Registry, Series
from cegain.results import FORMAT, FitRecord, GainRecord
from cegain.scale import LEAST_MODELS, SCALE_METHOD, Group, ScaleRecord, scale_group
from cegain.scaling import FIT_METHOD, FitMethod, kin
from cegain.store import Stored, digest


class Reason(StrEnum):
    """Why a result is redone, in the words printed."""

    NEW = "no result yet"
    POINTS = "points changed"
    COMPUTE = "a model's compute changed"
    SETTINGS = "benchmark settings changed"
    CURVE = "curve family changed"
    FIT_METHOD = "fit method changed"
    COMPARISON = "comparison changed"
    FIT = "the fit it rests on changed"
    KIN = "sizes trained alike changed"
    GAIN_METHOD = "gain method changed"
    FORMAT = "result format changed"
    MISSING = "output missing"
    EDITED = "output edited by hand"
    GAINS = "a gain it rests on changed"
    SCALE_METHOD = "line method changed"
    REMOVED = "record removed"


_FIT_REASONS = {
    "format": Reason.FORMAT,
    "method": Reason.FIT_METHOD,
    "curve": Reason.CURVE,
    "points": Reason.POINTS,
    "compute": Reason.COMPUTE,
    "settings": Reason.SETTINGS,
}
_GAIN_REASONS = {
    "format": Reason.FORMAT,
    "method": Reason.GAIN_METHOD,
    "comparison": Reason.COMPARISON,
    "compute": Reason.COMPUTE,
    "fit": Reason.FIT,
    "kin": Reason.KIN,
}


_LINE_REASONS = {
    "format": Reason.FORMAT,
    "method": Reason.SCALE_METHOD,
    "gains": Reason.GAINS,
}


@dataclass(frozen=True)
class Step:
    """One thing to redo: a fit (by series), a gain or a line (by key), and why."""

    kind: str  # fit | gain | line
    name: str
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.reason}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True)
class Plan:
    """What is stale, in the order it will be done, and how much is current."""

    steps: tuple[Step, ...]
    removed: tuple[Step, ...]
    unchanged: int

    @property
    def stale(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.steps or self.removed)


def plan(
    registry: Registry,
    fits: Mapping[str, Stored[FitRecord]],
    gains: Mapping[str, Stored[GainRecord]],
    lines: Mapping[str, Stored[ScaleRecord]],
    *,
    method: FitMethod = FitMethod.POSTERIOR,
    stored_before: bool = False,
) -> Plan:
    """Compare every record with what is stored; nothing is computed or written.

    ``stored_before`` says that gains were once written here, so that one which is
    not there is missing rather than new.
    """
    steps: list[Step] = []
    unchanged = 0
    fit_prints: dict[str, str] = {}
    rested_on = {g.record.series for g in gains.values() if g.record}
    for slug, series in registry.benchmarks.items():
        parts = fit_parts(series, method)
        fit_prints[slug] = digest(parts)
        absent = Reason.MISSING if slug in rested_on else Reason.NEW
        reason = _reason(parts, fits.get(slug), _FIT_REASONS, absent)
        if reason is None:
            unchanged += 1
        else:
            steps.append(Step("fit", slug, reason, _compute_detail(reason, series, fits.get(slug))))
    # a file of gains that vanished whole took every gain with it; a single absent one is new
    absent = Reason.MISSING if stored_before and not gains else Reason.NEW
    known = registry.comparisons()
    gain_prints: dict[str, str] = {}
    for ref in known:
        parts = gain_parts(ref, registry, fit_prints[ref.comparison.series])
        gain_prints[ref.key] = digest(parts)
        reason = _reason(parts, gains.get(ref.key), _GAIN_REASONS, absent)
        if reason is None:
            unchanged += 1
        else:
            steps.append(Step("gain", ref.key, reason))
    groups = scale_groups(registry)
    absent = Reason.MISSING if stored_before and not lines and gains else Reason.NEW
    for group, members in groups.items():
        parts = line_parts(members, gain_prints)
        reason = _reason(parts, lines.get(line_key(group)), _LINE_REASONS, absent)
        if reason is None:
            unchanged += 1
        else:
            steps.append(Step("line", line_key(group), reason))
    keys = {ref.key for ref in known}
    removed = [Step("fit", s, Reason.REMOVED) for s in fits if s not in registry.benchmarks]
    removed += [Step("gain", key, Reason.REMOVED) for key in gains if key not in keys]
    wanted = {line_key(group) for group in groups}
    removed += [Step("line", key, Reason.REMOVED) for key in lines if key not in wanted]
    return Plan(tuple(steps), tuple(removed), unchanged)


def scale_groups(registry: Registry) -> dict[Group, tuple[ComparisonRef, ...]]:
    """Comparisons of one enhancement on one series, where they are enough for a line."""
    found: dict[Group, list[ComparisonRef]] = {}
    for ref in registry.comparisons():
        found.setdefault(scale_group(ref), []).append(ref)
    return {group: tuple(refs) for group, refs in found.items() if len(refs) >= LEAST_MODELS}


def line_key(group: Group) -> str:
    """``enhancement/series`` and the variant if there is one."""
    return "/".join(part for part in group if part)


def line_parts(
    members: tuple[ComparisonRef, ...], gain_prints: Mapping[str, str]
) -> dict[str, str]:
    """Fingerprints of everything a line depends on, by reason."""
    return {
        "gains": digest([gain_prints[ref.key] for ref in members]),
        "method": str(SCALE_METHOD),
        "format": str(FORMAT),
    }


def fit_parts(series: Series, method: FitMethod = FitMethod.POSTERIOR) -> dict[str, str]:
    """Fingerprints of everything a fit depends on, by reason."""
    settings = series.settings.model_dump(mode="json", exclude={"sources", "note", "curve"})
    models = {
        point.model: series.models[point.model].model_dump(
            mode="json",
            include={"family", "training_compute_flop", "compute_confidence", "released"},
        )
        for point in series.points
    }
    points = [p.model_dump(mode="json", exclude={"note", "locator"}) for p in series.points]
    curve = [series.settings.curve.value, *(f"{link.name}-{link.version}" for link in LINKS)]
    return {
        "points": digest(sorted(points, key=lambda point: str(point["model"]))),
        "compute": digest(models),
        "settings": digest(settings),
        "curve": digest(curve),
        "method": f"{method}-{FIT_METHOD}",
        "format": str(FORMAT),
    }


def gain_parts(ref: ComparisonRef, registry: Registry, fit_print: str) -> dict[str, str]:
    """Fingerprints of everything a gain depends on, by reason."""
    model = registry.models[ref.comparison.model]
    series = registry.benchmarks[ref.comparison.series]
    name = registry.enhancements[ref.enhancement].name
    return {
        "comparison": digest([name, ref.kind, ref.comparison.model_dump(mode="json")]),
        "compute": digest([model.training_compute_flop, model.compute_confidence, model.family]),
        "fit": fit_print,
        "kin": digest(kin(series, model.model)),
        "method": str(GAIN_METHOD),
        "format": str(FORMAT),
    }


def inputs_print(registry: Registry) -> str:
    """One fingerprint of every record that any fit, gain or line depends on."""
    fits = {slug: digest(fit_parts(one)) for slug, one in registry.benchmarks.items()}
    return digest([fits, gain_prints(registry, fits)])


def gain_prints(registry: Registry, fit_prints: Mapping[str, str] | None = None) -> dict[str, str]:
    """Fingerprint of everything each gain depends on, by key; ``fit_prints`` if at hand."""
    refs = registry.comparisons()
    fits = fit_prints or {
        slug: digest(fit_parts(registry.benchmarks[slug]))
        for slug in {ref.comparison.series for ref in refs}
    }
    return {ref.key: digest(gain_parts(ref, registry, fits[ref.comparison.series])) for ref in refs}


def _reason(
    parts: Mapping[str, str],
    stored: Stored[FitRecord] | Stored[GainRecord] | Stored[ScaleRecord] | None,
    reasons: Mapping[str, Reason],
    absent: Reason,
) -> Reason | None:
    if stored is None:
        return absent
    if stored.record is None and not stored.parts:
        return Reason.EDITED
    for part, reason in reasons.items():
        if stored.parts.get(part) != parts[part]:
            return reason
    return None if stored.intact else Reason.EDITED


def _compute_detail(reason: Reason, series: Series, stored: Stored[FitRecord] | None) -> str:
    """Which models' compute differs from the one the stored fit used."""
    if reason is not Reason.COMPUTE or stored is None or stored.record is None:
        return ""
    names = [
        fitted.model
        for fitted in stored.record.models
        if fitted.model in series.models
        and (now := series.models[fitted.model].log10_compute) is not None
        and abs(now - fitted.log10_compute) > 1e-4
    ]
    return ", ".join(names)
