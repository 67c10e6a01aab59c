"""Start a registry: copy the curated survey, or lay out an empty one."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from cegain.errors import StoreError
from cegain.files import write_text
from cegain.records import Kind, Model

FOLDERS = ("enhancements", "scaling_fits", "reports", "converters", "capability_data")


def curated_registry() -> Path:
    """Folder of the registry this package carries (or of its own checkout)."""
    package = Path(str(resources.files("cegain")))
    for candidate in (package / "_registry", package.parent):
        if (candidate / "scaling_fits" / "models.csv").exists():
            return candidate
    raise StoreError("this installation carries no curated registry: install cegain anew")


def start_registry(folder: Path, *, empty: bool = False) -> str:
    """Lay out a registry in ``folder``; returns what was made, in words.

    Raises ``StoreError`` where a registry is already there: nothing is overwritten.
    """
    present = [name for name in FOLDERS if (folder / name).exists()]
    if present:
        raise StoreError(f"{folder} already holds {', '.join(present)}: nothing was changed.")
    origin = curated_registry()
    if empty:
        for kind in Kind:
            (folder / "enhancements" / kind.value).mkdir(parents=True)
        write_text(folder / "scaling_fits" / "models.csv", ",".join(Model.model_fields) + "\n")
        write_text(folder / "scaling_fits" / "sources.yaml", "sources: {}\n")
        definition = origin / "reports" / "post-training-enhancements.yaml"
        write_text(folder / "reports" / definition.name, definition.read_text(encoding="utf-8"))
        return "an empty registry"
    for name in FOLDERS:
        shutil.copytree(
            origin / name, folder / name, ignore=shutil.ignore_patterns("*.html", ".*", "*.pyc")
        )
    return "the curated survey, ready to be extended"
