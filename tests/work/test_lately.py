"""What the last day brought: commits of the ledger and reopenings, told alike with the index and without."""

from __future__ import annotations

import json
from pathlib import Path

import builders
import pytest
import warm

from gastown_hooks.core.errors import Refused
from gastown_hooks.core.paths import Beads
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import lately, removal

NOW = 1_750_000_000_000_000_000


def bd(repo: Path, *words: str) -> str:
    done = warm.run("bd", *words, cwd=repo)
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize("own_branch", [True, False])
def test_the_last_day(tmp_path: Path, own_branch: bool) -> None:
    repo = builders.make_repo(tmp_path / "proj", {"README.md": "hello\n"})
    bd(repo, "init", "-q", "--prefix", "gp", *(["--own-branch"] if own_branch else []))
    bd(repo, "create", "One", "--id", "gp-a", "-a", "ann")
    bd(repo, "sync", "--no-push")
    builders.commit(repo, {"README.md": "more\n"}, "no ledger")
    bd(repo, "create", "A message", "--id", "gp-m", "-t", "message")
    for name in ("gp-a", "gp-m", "gp-a"):
        bd(repo, "close", name)
        bd(repo, "reopen", name)
    quick, whole = json.loads(bd(repo, "stats", "--json")), json.loads(bd(repo, "--json", "stats"))
    assert quick == whole
    assert (quick["recent_activity"]["commit_count"], quick["recent_activity"]["issues_reopened"]) == (1, 2)
    assert json.loads(bd(repo, "stats", "-a", "--json"))["recent_activity"]["issues_reopened"] == 0


def test_what_is_in_no_git_has_no_commits(tmp_path: Path) -> None:
    beads = Beads(str(tmp_path / ".beads"))
    Ledger.create_files(beads, "gp", "own-branch")
    found = lately.counts([Ledger(beads)], Caller("me", str(tmp_path), None), NOW)
    assert found == {"commit_count": 0, "issues_reopened": 0}


def test_a_damaged_interaction_is_named_where_they_are_asked_for(tmp_path: Path) -> None:
    repo = builders.make_repo(tmp_path / "proj", {"README.md": "hello\n"})
    bd(repo, "init", "-q", "--prefix", "gp")
    bd(repo, "audit", "record", "--kind", "llm_call", "--model", "m1")
    with open(Beads(str(repo / ".beads")).interactions, "a") as file:
        file.write("no line of ours\n")
    bd(repo, "stats", "--json")
    found = warm.run("bd", "audit", cwd=repo)
    assert found.code == 1 and "interactions.jsonl line 2: it is no interaction" in found.err


def test_what_is_archived_is_not_deleted_without_a_trace(tmp_path: Path) -> None:
    repo = builders.make_repo(tmp_path / "proj", {"README.md": "hello\n"})
    bd(repo, "init", "-q", "--prefix", "gp", "--own-branch")
    bd(repo, "create", "One", "--id", "gp-a")
    bd(repo, "close", "gp-a")
    bd(repo, "archive", "--days", "0")
    ledger, me = Ledger(Beads(str(repo / ".beads"))), Caller("me", str(repo), None)
    assert ledger.archived(["gp-a"])
    before = ledger.view(lambda view: view.lines())
    with pytest.raises(Refused, match="in the archive"):
        removal.delete(ledger, me, NOW, ["gp-a"], hard=True)
    assert ledger.view(lambda view: view.lines()) == before
    removal.delete(ledger, me, NOW, ["gp-a"])
    with pytest.raises(Refused, match="in the archive"):
        removal.delete(ledger, me, NOW, ["gp-a"], hard=True)
