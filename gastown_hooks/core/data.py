"""Where the program's own files are: roles/, formulas/, templates/ and the changelog as they came with it; how a role's file starts."""

from __future__ import annotations

import sys

from gastown_hooks.core.system import os

ROLE = "gt-role"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def folder(name: str) -> str:
    """The folder of that name: in the installed package, else beside the package in a checkout."""
    installed = f"{_PACKAGE}/data/{name}"
    return installed if os.path.isdir(installed) else f"{os.path.dirname(_PACKAGE)}/{name}"


def changelog() -> str:
    """What changed, by version, the newest first."""
    installed = f"{_PACKAGE}/data/CHANGELOG.md"
    return installed if os.path.isfile(installed) else f"{os.path.dirname(_PACKAGE)}/CHANGELOG.md"


def role_start(file: str) -> list[str]:
    """The command that starts a role's file: in an installation without `site`, by the program of it that lies beside the interpreter."""
    program = f"{os.path.dirname(sys.executable)}/{ROLE}"
    return [sys.executable, *(("-ISXutf8", program) if os.path.exists(program) else ("-I",)), file]
