"""The demo's table, derived again by plain git and a plain reading of the files, by nothing of ours."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import builders

from gastown_hooks.stores import processes


def journal_state(beads: Path) -> dict[str, dict[str, Any]]:
    """The ledger as a stranger reads it from docs/files.md: the file's lines, then the journal's entries."""
    state = {bead["id"]: bead for bead in map(json.loads, (beads / "issues.jsonl").read_bytes().splitlines())}
    journal = beads / "issues.journal"
    if journal.exists():
        for line in journal.read_bytes().split(b"\n")[1:-1]:
            for entry in line.split(b"\t"):
                name, _, value = entry.partition(b" ")
                if not name.startswith(b"="):
                    state[name.decode()] = json.loads(value)
    return state


def git(repo: Path, *args: str) -> str:
    return subprocess.run(["git", f"--git-dir={repo}", *args], check=True, capture_output=True, text=True).stdout


def test_every_number_of_the_demo_is_true(run_cli: builders.Run, tmp_path: Path) -> None:
    place = tmp_path / "demo"
    before = set(os.listdir(tmp_path))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    home = sorted(str(path) for path in (tmp_path / "home").rglob("*"))
    done = run_cli("gt", "demo", str(place), "--json", env={"TMPDIR": str(temporary)}, timeout=180)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert set(os.listdir(tmp_path)) - before == {"demo", "tmp"} and os.listdir(temporary) == []
    assert sorted(str(path) for path in (tmp_path / "home").rglob("*")) == home
    town_id = json.loads((place / "town/mayor/town.json").read_text())["id"]
    assert processes.with_token(f"{town_id}.", prefix=True) == [] and processes.below(str(place)) == []

    repo, town = place / "town/greenplace/.repo.git", place / "town"
    beads = journal_state(town / "greenplace/.beads")
    tasks = [bead for bead in beads.values() if bead.get("issue_type", "task") == "task"]
    assert told["beads"] == len(tasks) == 6
    assert told["closed"] == sum(bead["status"] == "closed" for bead in tasks) == 6

    landed = git(repo, "rev-list", "--first-parent", "--merges", "main").split()
    assert told["landed_commits"] == len(landed) and 3 <= len(landed) <= 6, "what is submitted together may land together"
    trailers = git(repo, "log", "--first-parent", "--merges", "--format=%(trailers:key=Bead,valueonly)", "main").split()
    assert sorted(trailers) == sorted(bead["id"] for bead in tasks), "each bead landed exactly once"

    gated = {json.loads(git(repo, "notes", "--ref=gates", "show", commit))["tree"] for commit in landed}
    assert gated == {git(repo, "rev-parse", f"{commit}^{{tree}}").strip() for commit in landed}

    events = [json.loads(line) for line in (town / ".events.jsonl").read_text().splitlines()]
    assert told["gate_runs"] == sum(event["type"] == "gate_run" for event in events) >= len(landed)
    assert told["workers"] == sum(event["type"] == "sling" for event in events) == 6
    assert told["killed"].startswith("greenplace/polecats/")
    assert told["supervision_tokens"] == sum(e["payload"].get("tokens", 0) for e in events if "/polecats/" not in e["actor"]) == 0
    assert told["folder"] == str(place)

    assert git(repo, "show", "main:INDEX").split() == ["all.sh", "bye.sh", "count.sh", "greet.sh", "hello.sh", "report.sh"]
    assert os.listdir(town / "greenplace/polecats") == []
    git(repo, "fsck", "--strict")
    assert builders.git(place / "project", "status", "--porcelain") == ""
