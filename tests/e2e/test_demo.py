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
    done = run_cli("gt", "demo", str(place), "--json", env={"TMPDIR": str(temporary)}, timeout=240)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert set(os.listdir(tmp_path)) - before == {"demo", "tmp"} and os.listdir(temporary) == []
    assert sorted(str(path) for path in (tmp_path / "home").rglob("*")) == home
    town_id = json.loads((place / "town/mayor/town.json").read_text())["id"]
    assert processes.with_token(f"{town_id}.", prefix=True) == [] and processes.below(str(place)) == []

    town, rigs = place / "town", ("parts", "site")
    records = {rig: journal_state(town / rig / ".beads") for rig in rigs}
    beads = {name: bead for rig in rigs for name, bead in records[rig].items()}
    tasks = {name: bead for name, bead in beads.items() if bead.get("issue_type", "task") == "task"}
    assert told["beads"] == len(tasks) == 12
    assert told["closed"] == sum(bead["status"] == "closed" for bead in tasks.values()) == 12

    count = 0
    for rig in rigs:
        repo = town / rig / ".repo.git"
        landed = git(repo, "rev-list", "--first-parent", "--merges", "main").split()
        count += len(landed)
        trailers = git(repo, "log", "--first-parent", "--merges", "--format=%(trailers:key=Bead,valueonly)", "main").split()
        assert sorted(trailers) == sorted(name for name in tasks if name in records[rig]), "each bead landed exactly once, in its rig"
        gated = [json.loads(git(repo, "notes", "--ref=gates", "show", commit)) for commit in landed]
        assert {note["verdict"] for note in gated} == {"pass"}
        assert {note["tree"] for note in gated} == {git(repo, "rev-parse", f"{commit}^{{tree}}").strip() for commit in landed}
        assert os.listdir(town / rig / "polecats") == []
        git(repo, "fsck", "--strict")
        assert builders.git(place / rig, "status", "--porcelain") == ""
        never_red(repo, tmp_path / f"check-{rig}")
    assert told["landed_commits"] == count and 8 <= count <= 12, "what is submitted together may land together"

    events = [json.loads(line) for line in (town / ".events.jsonl").read_text().splitlines()]
    assert told["gate_runs"] == sum(event["type"] == "gate_run" for event in events) > count, "a red one was tested too"
    assert told["workers"] == sum(event["type"] == "sling" for event in events) == sum(bead_fences(tasks, events)) == 14
    back = {event["payload"]["bead"]: event["payload"]["state"] for event in events if event["type"] == "merge_failed"}
    assert (told["sent_back"], told["conflicts"]) == (1, 1) and sorted(back.values()) == ["conflict", "failed"]
    assert told["killed"].startswith("parts/polecats/")
    assert told["supervision_tokens"] == sum(e["payload"].get("tokens", 0) for e in events if "/polecats/" not in e["actor"]) == 0
    assert told["folder"] == str(place)

    both_sides_are_told(town / "site/.repo.git", beads, next(name for name, state in back.items() if state == "conflict"))
    dependents_waited(events, tasks)
    hq = journal_state(town / ".beads")
    [convoy] = [bead for bead in hq.values() if bead["issue_type"] == "convoy"]
    assert (convoy["id"], convoy["status"]) == (told["convoy"], "closed")
    assert all(bead.get("created_by") and bead.get("updated_by") for bead in [*beads.values(), *hq.values()])
    ends = json.loads(run_cli("bd", "audit", "-t", "closed", "-n", "0", "--actor", "*/refinery", "--json", cwd=town).out)
    assert {end["payload"]["bead"] for end in ends} >= set(tasks)
    went = json.loads(run_cli("bd", "stats", "--group-by", "agent", "--json", cwd=town).out)
    agents = [(row["agent"], row["landed"], row["sent_back"], row["validations"]) for row in went["groups"]]
    assert agents == [("exec", 12, 2, {"passed": 12, "failed": 0})]
    assert {edge["depends_on_id"] for edge in convoy["dependencies"]} == set(tasks)
    mails = [path.read_text() for path in (town / "overseer/mail/new").iterdir()]
    assert sum(f"Convoy landed: A site that greets ({convoy['id']})" in text for text in mails) == 1
    assert git(town / "site/.repo.git", "show", "main:RELEASE").split() == ["frame.sh", "greet.sh", "home.sh", "report.sh"]
    assert sorted(git(town / "site/.repo.git", "show", "main:MENU").split()) == ["about", "help", "home"]


def never_red(repo: Path, tree: Path) -> None:
    """Every tip that the target ever had passes the project's own tests."""
    builders.git(tree.parent, "clone", "-q", str(repo), str(tree))
    for commit in git(repo, "rev-list", "--first-parent", "main").split():
        builders.git(tree, "checkout", "-q", commit)
        assert subprocess.run(["sh", "check.sh"], cwd=tree, check=False).returncode == 0, commit


def bead_fences(tasks: dict[str, dict[str, Any]], events: list[dict[str, Any]]) -> list[int]:
    """How often each bead was given to a worker, by the fences that the slings told: each a number of its own in its rig."""
    given = {(name, event["payload"]["fence"]) for event in events if event["type"] == "sling" for name in [event["payload"]["bead"]]}
    assert {name for name, _ in given} == set(tasks) and all((name, bead["claim_fence"]) in given for name, bead in tasks.items())
    return [sum(name == one for one, _ in given) for name in tasks]


def both_sides_are_told(repo: Path, beads: dict[str, dict[str, Any]], bead: str) -> None:
    """The bead of the conflict names the commit of its work and the target's commit that it met, and went to one more worker."""
    notes = beads[bead]["notes"]
    [request] = [one["metadata"] for one in beads.values() if one["issue_type"] == "merge-request"
                 and one["metadata"]["source"] == bead and one["metadata"]["state"] == "superseded"]
    assert "conflicts with main. Files: MENU" in notes and request["head"] in notes
    there = notes.partition("main was at ")[2].split(".")[0]
    assert there in git(repo, "rev-list", "--first-parent", "main").split()
    landed = [one for one in beads.values() if one["issue_type"] == "merge-request" and one["metadata"]["source"] == bead
              and one["metadata"]["state"] == "landed"]
    assert len(landed) == 1


def dependents_waited(events: list[dict[str, Any]], tasks: dict[str, dict[str, Any]]) -> None:
    """No bead was given to a worker before all it depends on had landed, in whatever rig that is."""
    slung = {event["payload"]["bead"]: event["ts"] for event in reversed(events) if event["type"] == "sling"}
    across = 0
    for name, bead in tasks.items():
        for edge in bead.get("dependencies", []):
            if edge["type"] == "blocks":
                need = edge["depends_on_id"]
                across += need[:3] != name[:3]
                assert tasks[need]["closed_at"] < slung[name], (need, name)
    assert across == 2
