"""gt dispatch: the history chooses, and says why; then it is a sling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import builders
import pytest
from workers import WorkerTown

from gastown_hooks.stores.ledger import Ledger


@pytest.fixture
def town(tmp_path: Path) -> WorkerTown:
    town = WorkerTown(tmp_path)
    for number, (worker, agent, state, skill) in enumerate([
            ("rust", "claude", "landed", "go"), ("rust", "claude", "landed", "go"), ("nux", "codex", "failed", "go"),
            ("nux", "codex", "landed", "py"), ("onyx", "exec", "landed", "go")]):
        name = town.bead(f"gp-old{number}", status="closed", labels=[skill], claim_fence=number + 1)
        data = {"source": name, "branch": "b", "head": "h", "target": "main", "worker": f"gp/polecats/{worker}", "fence": number + 1,
                "state": state, "agent": agent, **({"tries": 1} if state == "failed" else {})}
        town.bead(f"gp-mr-{number}", issue_type="merge-request", status="closed", metadata=data)
    town.bead(labels=["go"])
    return town


def gt(town: WorkerTown, *words: str) -> builders.Finished:
    return builders.Run(town.town.root)("gt", "dispatch", *words)


def test_it_slings_to_who_has_proven_the_skill(town: WorkerTown) -> None:
    before = town.get()
    told: dict[str, Any] = json.loads(gt(town, "gp-aaaaa", "--dry-run", "--json").out)
    assert (told["worker"], told["agent"], told["skills"]) == ("gp/polecats/rust", "claude", ["go"]) and town.get() == before
    done = gt(town, "gp-aaaaa")
    assert done.code == 0, done.err
    assert "worker rust did 2 of 2 go tasks at the first try" in done.out and "agent program claude did 2 of 2" in done.out
    assert town.get()["assignee"] == "gp/polecats/rust" and town.get()["metadata"]["agent"] == "claude"
    town.bead("gp-bbbbb", run="true")
    second = gt(town, "gp-bbbbb", "--prefer-skill=go", "--rig", "gp")
    assert "✓ gp-bbbbb → gp/polecats/onyx" in second.out and "rust is not free" in second.out
    assert town.get("gp-bbbbb")["metadata"]["agent"] == "claude", "exec may run a script, but has proven less"


def test_another_skill_and_a_given_agent(town: WorkerTown) -> None:
    done = gt(town, "gp-aaaaa", "-s", "py", "--agent", "gemini", "--dry-run")
    assert done.out.splitlines() == ["worker nux did 1 of 1 py tasks at the first try", "would give gp-aaaaa to gp/polecats/nux"]
    nobody = gt(town, "gp-aaaaa", "--prefer-skill=cobol", "--dry-run")
    assert nobody.out.splitlines()[:2] == ["no worker is preferred: nobody has finished cobol tasks",
                                           "no agent program is preferred: nobody has finished cobol tasks"]
    assert nobody.out.splitlines()[2] == "would give gp-aaaaa to gp/polecats/toast"


@pytest.mark.parametrize("words", [["hq-abc12"], ["hq-abc12", "gp"]])
def test_a_bead_of_the_towns_own_is_no_workers(town: WorkerTown, words: list[str]) -> None:
    Ledger(town.town.beads).transact(lambda view: [{"id": "hq-abc12", "title": "A chore", "status": "open"}])
    done = builders.Run(town.town.root)("gt", "sling", *words)
    assert done.code == 5 and "Next: gt hook hq-abc12 (do it yourself), or bd create TITLE --prefix" in done.err


@pytest.mark.parametrize(("words", "wanted"), [
    (["gp-nope1"], "no bead gp-nope1"), (["hq-abc12"], "is the town's own"), (["gp-aaaaa", "--rig", "none"], "no rig none"),
    (["gp-aaaaa", "--agent", "who"], "no agent program who"), (["gp-aaaaa", "-s", ""], "is no label"), (["gp-old1"], "gp-old1 is closed")])
def test_wrong_input(town: WorkerTown, words: list[str], wanted: str) -> None:
    done = gt(town, *words)
    assert done.code in (1, 2, 3, 5) and wanted in done.err and done.out == "" and done.err.count("\n") == 1
