"""Errors that a user may meet, each with the place and the repair."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with something people wrote.

    ``line`` counts from 1; 0 means the problem belongs to the whole file.
    """

    file: str
    line: int
    field: str
    message: str
    repair: str
    severity: str = "error"  # error | warning

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        field = f" {self.field}:" if self.field else ""
        head = f"{place}:{field} {self.message}"
        return f"{head}\n    {self.repair}" if self.repair else head


class CegainError(Exception):
    """Base of every error this package raises on purpose."""


class RecordError(CegainError):
    """Records people wrote are wrong; ``problems`` lists all of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class FitError(CegainError):
    """A curve cannot be fitted at all (a poor fit is a verdict, not an error)."""


class StoreError(CegainError):
    """Results could not be read or written; what was stored before is intact."""


class ClusterError(CegainError):
    """Work could not be given to other machines; what was stored before is intact."""
