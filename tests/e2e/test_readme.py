"""Each line of the README's tour, run in order by one shell, as a stranger would."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

import builders

README = builders.ROOT / "README.md"


def tour() -> list[str]:
    """The lines behind a `$ ` in the README's console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_the_tour_runs_as_printed(tmp_path: Path, monkeypatch: object) -> None:
    lines = tour()
    assert len(lines) > 25
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for program in ("gt", "bd"):
        file = bin_folder / program
        words = builders.command(program)
        file.write_text(f"#!{sys.executable}\nimport sys\n{words[2]}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    script = "set -eo pipefail\n" + "\n".join(f"echo '# {n}' >&2\n{line}" for n, line in enumerate(lines))
    environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "GT_WAKE": "spawn"}
    done = builders.run(["timeout", "120", "bash", "-c", script], cwd=tmp_path, env=environment, timeout=150)
    last = int(done.err.rpartition("# ")[2].split()[0]) if "# " in done.err else 0
    assert done.code == 0, f"line {lines[last]!r} failed: {done.err[-2000:]} {done.out[-2000:]}"
    assert done.out.rstrip().splitlines().count("hello, world") >= 2  # `twice`, as pulled into the checkout


def test_the_two_commands_are_named() -> None:
    text = README.read_text(encoding="utf-8")
    assert "./install.sh --demo" in text and "./install.sh --test" in text
