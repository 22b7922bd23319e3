"""What test command a project most likely has, from the files it holds. A guess: the person is asked."""

from __future__ import annotations

import json
import re
import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# The files whose text a guess may need, relative to the project's top.
READ = ("pyproject.toml", "setup.cfg", "tox.ini", "package.json", "Makefile", "makefile", "GNUmakefile")
_PYTHON_TEST = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")
_MAKE_TEST = re.compile(r"^test[ \t]*:(?!=)", re.MULTILINE)
_NO_NPM_TEST = "no test specified"


def guess(names: Collection[str], texts: Mapping[str, str]) -> list[str]:
    """The gate commands, in the order they should run; empty when nothing is recognised.

    `names` are the project's file names relative to its top (the top folder and its test folders suffice), `texts` the
    content of those of READ that exist. A Makefile's `test` target counts only where no language's own runner is found.
    """
    found = []
    if _pytest(names, texts):
        found.append("pytest")
    if _npm(texts.get("package.json", "")):
        found.append("npm test")
    if "Cargo.toml" in names:
        found.append("cargo test")
    if "go.mod" in names:
        found.append("go test ./...")
    if not found and any(_MAKE_TEST.search(texts.get(name, "")) for name in READ if name.lower().endswith("makefile")):
        found.append("make test")
    return found


def _pytest(names: Collection[str], texts: Mapping[str, str]) -> bool:
    if {"pytest.ini", "conftest.py", "tests/conftest.py"} & set(names):
        return True
    if "[tool.pytest" in texts.get("pyproject.toml", "") or "[tool:pytest]" in texts.get("setup.cfg", ""):
        return True
    return "[pytest]" in texts.get("tox.ini", "") or any(_PYTHON_TEST.search(name) for name in names)


def _npm(package: str) -> bool:
    try:
        found = json.loads(package) if package else {}
    except ValueError:
        return False  # npm would not read it either
    scripts = found.get("scripts") if isinstance(found, dict) else None
    test = scripts.get("test") if isinstance(scripts, dict) else None
    return isinstance(test, str) and bool(test.strip()) and _NO_NPM_TEST not in test


def as_setting(commands: list[str]) -> str:
    """The commands as one shell word for `gt config set RIG.gates …`."""
    return shlex.quote(json.dumps(commands, ensure_ascii=False))
