"""What the benches stand on: a running town of their own, and rows of figures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

Row = dict[str, str]
Town = Any  # tests/livetown.LiveTown
Condition = Callable[[], object]


def row(what: str, figure: str, goal: str = "") -> Row:
    return {"what": what, "figure": figure, "goal": goal}


def show(rows: list[Row], as_json: bool) -> None:
    """The rows as JSON, or as a Markdown table."""
    print(json.dumps(rows, ensure_ascii=False) if as_json else table(rows), flush=True)


def table(rows: Iterable[Row]) -> str:
    lines = ["| what | figure | goal |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {one['what']} | {one['figure']} | {one['goal']} |" for one in rows)])


def town(folder: Path, files: int) -> Town:
    """A running town with the rig gp, a repository of so many files, and the embedded agent."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "GT_", "BD_", "BEADS_", "XDG_"))]:
        del os.environ[name]
    config = folder / "gitconfig"
    config.write_text("[user]\n\tname = Bench\n\temail = bench@example.test\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n")
    os.environ.update(HOME=str(folder), GIT_CONFIG_GLOBAL=str(config), GIT_CONFIG_NOSYSTEM="1")
    found = import_module("livetown").LiveTown(folder)
    if files > 1:
        found.slung("Files", f"mkdir src; for n in $(seq {files - 1}); do echo $n > src/$n.txt; done; git add -A; git commit -qm Files")
        found.until(lambda: "src/1.txt" in found.files(), 120)
    return found


def closed(town: Town, beads: list[str]) -> bool:
    """Whether all of them are closed."""
    done = json.loads(town.bd("list", "--status", "closed", "--prefix", "gp", "-n", "0", "--json"))
    return set(beads) <= {bead["id"] for bead in done}
