"""Wisps stay here: not in git, a sync or an export; what else they are they have from the ledger, whose other half they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import builders
import pytest
import warm

from gastown_hooks.core.errors import Refused
from gastown_hooks.core.paths import Beads, Wisps
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import verbs, wisps
from gastown_hooks.work.world import World

NOW = 1_750_000_000_000_000_000
BOTH = pytest.mark.parametrize("own_branch", [True, False], ids=["own-branch", "code-branch"])


def repository(folder: Path, own_branch: bool) -> Path:
    repo = builders.make_repo(folder / "proj", {"README.md": "hello\n"})
    assert warm.run("bd", "init", "-q", "--prefix", "gp", *(["--own-branch"] if own_branch else []), cwd=repo).code == 0
    return repo


def bd(repo: Path, *words: str) -> str:
    done = warm.run("bd", *words, cwd=repo)
    assert done.code == 0, done.err
    return done.out


def world(repo: Path) -> World:
    return World(Caller("me", str(repo), None))


@BOTH
def test_nothing_that_is_shared_holds_one(tmp_path: Path, own_branch: bool) -> None:
    """Pain point 16: wisps are in a file of their own that git never sees, and none goes away unless somebody deletes it."""
    repo = repository(tmp_path, own_branch)
    bd(repo, "create", "Kept", "--id", "gp-kept1")
    bd(repo, "create", "Secret", "--ephemeral", "--id", "gp-wisp-a")
    bd(repo, "create", "Was kept", "-d", "hidden text", "--id", "gp-was")
    bd(repo, "update", "gp-was", "--ephemeral")
    assert "Secret" not in bd(repo, "export") and "hidden" not in bd(repo, "export")
    bd(repo, "sync", "--no-push")
    commits = builders.git(repo, "log", "--all", "-p", "--format=%H")
    assert "Kept" in commits and "Secret" not in commits and "hidden" not in commits
    assert builders.git(repo, "status", "--porcelain", "--ignored", "--", ".beads/local").strip() in ("!! .beads/", "!! .beads/local/")
    assert {bead["id"] for bead in json.loads(bd(repo, "list", "--include-ephemeral", "--json"))} == {"gp-kept1", "gp-wisp-a", "gp-was"}


@BOTH
def test_show_says_the_same_with_the_index_and_without(tmp_path: Path, own_branch: bool) -> None:
    repo = repository(tmp_path, own_branch)
    bd(repo, "create", "Epic", "-t", "epic", "--id", "gp-e")
    bd(repo, "create", "Kept", "--parent", "gp-e")
    bd(repo, "create", "Wisp", "--ephemeral", "--id", "gp-a", "--deps", "parent-child:gp-e,gp-e.1")
    bd(repo, "create", "Step", "--parent", "gp-a")
    for name in ("gp-e", "gp-e.1", "gp-a", "gp-a.1"):
        assert bd(repo, "show", name, "--json") == bd(repo, "--json", "show", name), name  # an option before the verb is click's
    epic = json.loads(bd(repo, "show", "gp-e", "--json"))[0]
    assert [one["id"] for one in epic["dependents"]] == ["gp-a", "gp-e.1"]
    assert [one["title"] for one in json.loads(bd(repo, "show", "gp-a", "--json"))[0]["dependencies"]] == ["Epic", "Kept"]


@BOTH
def test_a_copy_counts_only_once_the_ledger_has_let_the_bead_go(tmp_path: Path, own_branch: bool) -> None:
    """A command that was killed between its two writes did nothing yet; whatever becomes of the bead then, the copy never comes up."""
    repo = repository(tmp_path, own_branch)
    bd(repo, "create", "Kept", "--id", "gp-a")
    there = world(repo)
    its = wisps.place(there, there.home(), dry_run=False)
    its.transact(lambda view: [{**(there.home().get("gp-a") or {}), "title": "Copy", "ephemeral": True}])
    assert "Kept" in bd(repo, "list", "--include-ephemeral") and "Copy" not in bd(repo, "list", "--include-ephemeral")
    assert "Kept" in bd(repo, "show", "gp-a")
    bd(repo, "delete", "gp-a", "--force")
    assert warm.run("bd", "show", "gp-a", cwd=repo).code == 1
    bd(repo, "restore", "gp-a")
    bd(repo, "update", "gp-a", "--ephemeral", "--title", "Gone")
    assert json.loads(bd(repo, "show", "gp-a", "--json"))[0]["title"] == "Gone"


def test_a_bead_that_changed_meanwhile_stays(tmp_path: Path) -> None:
    there = world(repository(tmp_path, True))
    ledger = there.home()
    verbs.create(ledger, there.caller, NOW, "One", bead_id="gp-a")

    def change(draft: object, record: dict[str, object]) -> dict[str, object]:
        verbs.update(Ledger(ledger.beads), there.caller, NOW, ["gp-a"], {"priority": 0})  # somebody else, just now
        return record

    with pytest.raises(Exception, match="changed meanwhile"):
        wisps.leave(there, ledger, ["gp-a"], NOW, change)
    assert there.of("gp-a") is ledger and ledger.get("gp-a") == Ledger(ledger.beads).get("gp-a")


def test_what_a_worker_was_given_ends_by_landing(tmp_path: Path) -> None:
    there = world(repository(tmp_path, True))
    ledger = there.home()
    verbs.create(ledger, there.caller, NOW, "One", bead_id="gp-a", values={"claim_fence": 1})
    with pytest.raises(Refused, match="given to a worker"):
        wisps.leave(there, ledger, ["gp-a"], NOW, lambda draft, record: record)
    assert not there.wisps_of(ledger)


def test_a_damaged_line_is_told_and_mended(tmp_path: Path) -> None:
    repo = repository(tmp_path, True)
    bd(repo, "create", "Wisp", "--ephemeral", "--id", "gp-wisp-a")
    path = Path(Beads(str(repo / ".beads")).wisps)
    path.write_bytes(path.read_bytes() + b'{"id":"gp-wisp-b"\n')
    found = warm.run("bd", "list", "--include-ephemeral", cwd=repo)
    assert "gp-wisp-a" in bd(repo, "show", "gp-wisp-a", "--short") and "wisps.jsonl" in found.err
    assert "gp-wisp-b is damaged: " in warm.run("bd", "show", "gp-wisp-b", cwd=repo).err
    told = warm.run("bd", "doctor", cwd=repo)
    assert told.code == 1 and "wisps: line" in told.out
    bd(repo, "doctor", "--fix")
    assert "gp-wisp-b" not in path.read_text() and "gp-wisp-a" in bd(repo, "list", "--include-ephemeral")
    assert 'gp-wisp-b' in Path(Wisps(Beads(str(repo / ".beads"))).quarantine).read_text()


def test_the_file_is_where_the_paths_say(tmp_path: Path) -> None:
    beads = Beads(str(tmp_path / ".beads"))
    its = Wisps(beads)
    assert (its.issues, its.config, its.above) == (beads.wisps, beads.config, beads)
    assert all(value == beads.config or value == beads.wisps or str(value).startswith(beads.local + os.sep)
               for name, value in vars(its).items() if name != "above")


@BOTH
@pytest.mark.parametrize("how", ["renamed there", "made twice"])
def test_they_follow_a_bead_whose_id_a_sync_changes(tmp_path: Path, own_branch: bool, how: str) -> None:
    here = repository(tmp_path, own_branch)
    builders.git(here, "remote", "add", "origin", str(builders.make_bare(tmp_path / "remote.git")))
    builders.git(here, "push", "-q", "-u", "origin", "HEAD")
    bd(here, "create", "Epic", "-t", "epic", "--id", "gp-e")
    if how == "renamed there":
        bd(here, "create", "Child", "--parent", "gp-e")
    bd(here, "sync", "--push")
    if not own_branch:
        builders.git(here, "push", "-q", "origin", "HEAD")
        bd(here, "sync", "--push")
    there = tmp_path / "there"
    builders.git(tmp_path, "clone", "-q", str(tmp_path / "remote.git"), str(there))
    bd(there, "init", "-q", *(["--own-branch"] if own_branch else []))
    if how == "renamed there":
        bd(there, "rename", "gp-e.1", "gp-new")
    else:
        bd(there, "create", "The earlier one", "--parent", "gp-e")
        bd(here, "create", "Child", "--parent", "gp-e")
    bd(here, "create", "Look at gp-e.1", "--ephemeral", "--id", "gp-wisp-a", "--deps", "gp-e.1")
    bd(there, "sync", "--push")
    bd(here, "sync")
    new = "gp-new" if how == "renamed there" else "gp-e.2"
    assert json.loads(bd(here, "show", new, "--json"))[0]["title"] == "Child"
    wisp = json.loads(bd(here, "show", "gp-wisp-a", "--json"))[0]
    assert wisp["title"] == f"Look at {new}" and [one["id"] for one in wisp["dependencies"]] == [new]
    bd(here, "doctor", "--deep")
