"""Where the program's own files are: roles/, formulas/, templates/ and the changelog as they came with it."""

from __future__ import annotations

from gastown_hooks.core.system import os

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def folder(name: str) -> str:
    """The folder of that name: in the installed package, else beside the package in a checkout."""
    installed = f"{_PACKAGE}/data/{name}"
    return installed if os.path.isdir(installed) else f"{os.path.dirname(_PACKAGE)}/{name}"


def changelog() -> str:
    """What changed, by version, the newest first."""
    installed = f"{_PACKAGE}/data/CHANGELOG.md"
    return installed if os.path.isfile(installed) else f"{os.path.dirname(_PACKAGE)}/CHANGELOG.md"
