"""The mark: a second fact about what dropped its environment. Neither it nor the folder makes a process the town's alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import builders
import pytest

from gastown_hooks.core.paths import Town
from gastown_hooks.work import strays

MARK = "import os, sys; from gastown_hooks.core.paths import Town; from gastown_hooks.work import strays; "
MARK += "strays.carry_mark(Town(sys.argv[1])); os.chdir(sys.argv[2]); os.execve('/bin/sh', ['sh', '-c', 'echo; exec sleep 60'], "


def a_town(path: Path, name: str) -> Town:
    builders.write_files(path, {"mayor/town.json": json.dumps({"id": name, "name": name}), "rig/README": ""})
    return Town(str(path))


@pytest.mark.parametrize(("marked_by", "folder", "token", "ours"), [
    ("own", "own/rig", "", True),
    ("own", "elsewhere", "", False),
    ("other", "own/rig", "", False),
    ("own", "own/rig", "somebody.else", False),
])
def test_folder_and_mark_together_tell_a_stray(tmp_path: Path, marked_by: str, folder: str, token: str, ours: bool) -> None:
    towns = {name: a_town(tmp_path / name, f"strays-{name}") for name in ("own", "other")}
    (tmp_path / "elsewhere").mkdir()
    env = {"GT_TOKEN": token} if token else {}
    words = [sys.executable, "-c", f"{MARK}{env!r})", towns[marked_by].root, str(tmp_path / folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert (child.pid in [process.pid for process in strays.of_town(towns["own"])]) is ours
        assert strays.of_town(towns["other"]) == []
        child.kill()
