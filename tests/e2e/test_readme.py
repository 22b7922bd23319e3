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


def run(lines: list[str], place: Path) -> builders.Finished:
    """The lines in one shell; the first that fails is named."""
    folder = place / "bin"
    folder.mkdir()
    for program in ("gt", "bd"):
        file = folder / program
        file.write_text(f"#!{sys.executable}\nimport sys\n{builders.command(program)[2]}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    script = "set -eo pipefail\n" + "\n".join(f"echo '# {n}' >&2\n{line}" for n, line in enumerate(lines))
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "GT_WAKE": "spawn"}
    done = builders.run(["timeout", "120", "bash", "-c", script], cwd=place, env=environment, timeout=150)
    last = int(done.err.rpartition("# ")[2].split()[0]) if "# " in done.err else 0
    assert done.code == 0, f"line {lines[last]!r} failed: {done.err[-2000:]} {done.out[-2000:]}"
    return done


def test_the_tour_runs_as_printed(tmp_path: Path) -> None:
    lines = tour()
    assert len(lines) > 25
    done = run(lines, tmp_path)
    assert done.out.rstrip().splitlines().count("hello, world") >= 2  # `twice`, as pulled into the checkout


def test_the_trackers_five_minutes(repo: Path, tmp_path: Path) -> None:
    """Its words in capitals stand for ids."""
    block = re.search(r"```sh\n(.*?)```", (builders.ROOT / "docs/tracker.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block
    move, init, *rest = block[1].splitlines()
    named = [re.sub(r"\b(LATER|FIRST|ID)\b", r"$\1", line.partition("#")[0]) for line in rest]
    lines = [move.replace("your-repository", str(repo)), init, "FIRST=$(bd q First); LATER=$(bd q Later); ID=$FIRST", *named]
    shown = run([*lines, "echo ====", "bd show $ID"], tmp_path).out.partition("====")[2]
    assert "was the cache" in shown and "seen on the second machine too" in shown


def test_the_two_commands_are_named() -> None:
    text = README.read_text(encoding="utf-8")
    assert "./install.sh --demo" in text and "./install.sh --test" in text
