"""What a page was made from, as short fingerprints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cegain import __version__
from cegain.briefing.definition import BriefingDefinition
from cegain.records import Record, Registry
from cegain.results import FitRecord, GainRecord, to_json
from cegain.store import digest


@dataclass(frozen=True)
class Stamp:
    """What a page was made from: the package's version and short fingerprints."""

    version: str
    records: str
    fits: str
    gains: str
    definition: str

    @property
    def text(self) -> str:
        """The stamp in one line."""
        return (
            f"cegain {self.version}; records {self.records}; fits {self.fits}; "
            f"gains {self.gains}; definition {self.definition}"
        )


def make_stamp(
    registry: Registry,
    fits: Mapping[str, FitRecord],
    gains: Iterable[GainRecord],
    definition: BriefingDefinition,
) -> Stamp:
    """Fingerprints of everything the page rests on; the same inputs give the same stamp."""
    written = {
        "enhancements": _dumped(registry.enhancements),
        "benchmarks": {
            slug: s.settings.model_dump(mode="json") for slug, s in registry.benchmarks.items()
        },
        "points": {
            slug: [point.model_dump(mode="json") for point in series.points]
            for slug, series in registry.benchmarks.items()
        },
        "models": _dumped(registry.models),
    }
    return Stamp(
        __version__,
        digest(written)[:8],
        digest({slug: to_json(fit) for slug, fit in fits.items()})[:8],
        digest({gain.key: to_json(gain) for gain in gains})[:8],
        digest(definition.model_dump(mode="json"))[:8],
    )


def _dumped(records: Mapping[str, Record]) -> dict[str, object]:
    return {name: record.model_dump(mode="json") for name, record in records.items()}
