from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from builders import Finished, Run, commit, git, run, write_files
from workers import WorkerTown


@pytest.fixture
def town(tmp_path: Path) -> WorkerTown:
    return WorkerTown(tmp_path)


def gt(town: WorkerTown, *args: str, env: dict[str, str] | None = None) -> Finished:
    return Run(town.town.root)("gt", *args, env=env)


def with_work(town: WorkerTown) -> str:
    """A slung worker with a commit, a staged, an untracked and an ignored file and a stash entry."""
    town.bead()
    home = town.sling()
    tree = Path(home.tree)
    commit(tree, {"done.txt": "done\n", ".gitignore": "*.o\n"}, "unpushed")
    write_files(tree, {"README.md": "stashed\n"})
    git(tree, "stash", "push", "-q", "-m", "mine")
    write_files(tree, {"staged.txt": "s\n"})
    git(tree, "add", "staged.txt")
    write_files(tree, {"loose\nname": "l\n", "x.o": "o"})
    return home.name


def test_nuke_saves_and_gives_the_bead_back(town: WorkerTown) -> None:
    name = with_work(town)
    planned = gt(town, "polecat", "nuke", f"gp/{name}", "--force", "--dry-run")
    assert planned.code == 0 and "would save under refs/gt/salvage/toast/1: commits, 5 files, 1 stash entries" in planned.out
    assert town.get()["status"] == "hooked"
    done = gt(town, "polecat", "nuke", f"gp/{name}", "--force", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["salvage"] == "gp/toast/1" and told["ignored"] == ["x.o"]
    assert town.get()["status"] == "open" and "gt rescue show gp/toast/1" in town.get()["notes"]
    assert not os.path.exists(town.rig.polecat(name).root)
    assert gt(town, "polecat", "nuke", f"gp/{name}", "--force").code == 3
    assert gt(town, "sling", "gp-aaaaa", "gp").code == 0, "the bead can be slung again"
    assert town.get()["claim_fence"] == 2


@pytest.mark.parametrize("folder", ["objects", "refs"])
def test_in_a_damaged_repository_nothing_is_removed(town: WorkerTown, folder: str) -> None:
    tree = town.rig.polecat(with_work(town)).tree
    os.rename(f"{town.rig.repo}/{folder}", f"{town.rig.repo}/away")
    done = gt(town, "polecat", "nuke", "gp/toast", "--force")
    assert done.code == 6 and "not a git repository" in done.err and done.err.count("\n") == 1
    os.rename(f"{town.rig.repo}/away", f"{town.rig.repo}/{folder}")
    assert Path(tree, "done.txt").exists() and gt(town, "polecat", "nuke", "gp/toast", "--force").code == 0


def test_list_and_status(town: WorkerTown) -> None:
    name = with_work(town)
    [row] = json.loads(gt(town, "polecat", "list", "--json").out)
    assert row["actor"] == f"gp/polecats/{name}" and row["bead"] == "gp-aaaaa"
    assert f"gp/{name}" in gt(town, "polecat", "list", "gp").out
    found = json.loads(gt(town, "polecat", "status", f"gp/{name}", "--json").out)
    assert found["fence"] == 1 and found["bead"] == "gp-aaaaa" and any("save under" in act for act in found["would"])
    assert "a removal would:" in gt(town, "polecat", "status", f"gp/polecats/{name}").out


@pytest.mark.parametrize("verb, next_command", [("done", "gt done"), ("reset", "then gt sling gp-aaaaa gp")])
def test_done_and_reset_from_outside_are_refused(town: WorkerTown, verb: str, next_command: str) -> None:
    name = with_work(town)
    refused = gt(town, "polecat", verb, f"gp/{name}")
    assert refused.code == 5 and next_command in refused.err and f"gt polecat nuke gp/{name}" in refused.err
    assert os.path.isdir(town.rig.polecat(name).tree)


def test_a_polecat_removes_nobody_else(town: WorkerTown) -> None:
    name = with_work(town)
    refused = gt(town, "polecat", "nuke", f"gp/{name}", "--force", env={"BD_ACTOR": "gp/polecats/nux", "GT_ROLE": "polecat"})
    assert refused.code == 5 and "may not remove" in refused.err


@pytest.mark.parametrize("worker, code", [("gp", 2), ("gp/x/y", 2), ("nope/toast", 3), ("gp/toast", 3), ("gp/../x", 2), ("gp/--x", 2)])
def test_names_that_are_no_worker(town: WorkerTown, worker: str, code: int) -> None:
    assert gt(town, "polecat", "nuke", "--force", "--", worker).code == code


def test_rescue_brings_it_back(town: WorkerTown) -> None:
    name = with_work(town)
    tree = town.rig.polecat(name).tree
    before = run(["git", "-C", tree, "status", "--porcelain=v2", "-z", "-uall"]).out
    assert gt(town, "polecat", "nuke", f"gp/{name}", "--force").code == 0
    [row] = json.loads(gt(town, "rescue", "list", "--json").out)
    assert row["key"] == "gp/toast/1" and row["holds"] == "commits, files, 1 stash entry" and not row["landed"]
    assert "gp/toast/1" in gt(town, "rescue", "list").out and "gp/toast/1" in gt(town, "rescue", "list", "gp").out
    assert gt(town, "rescue", "list", "nope").code == 3
    shown = json.loads(gt(town, "rescue", "show", "toast/1", "--json").out)
    assert shown["staged"] == ["staged.txt"] and shown["untracked"] == ["loose\nname"] and shown["bead"] == "gp-aaaaa"
    assert shown["ignored"] == [{"path": "x.o", "size": 1}] and shown["stashes"] == ["On polecat/toast/aaaaa@1: mine"]
    plain = gt(town, "rescue", "show", "toast/1").out
    assert "untracked   loose\\nname\n" in plain and "stash       On polecat/toast" in plain
    told = gt(town, "rescue", "restore", "toast/1", "--dry-run")
    there = town.rig.rescued("toast", 1)
    assert told.out == f"would bring gp/toast/1 back in {there}\n" and not Path(there).exists()
    made = gt(town, "rescue", "restore", "toast/1")
    assert made.code == 0, made.err
    path = town.rig.rescued("toast", 1)
    assert path in made.out and run(["git", "-C", path, "status", "--porcelain=v2", "-z", "-uall"]).out == before
    assert "is already" in gt(town, "rescue", "restore", "gp/toast/1").out
    assert git(path, "stash", "list") == "stash@{0}: On polecat/toast/aaaaa@1: mine"


@pytest.mark.parametrize("key, code", [("toast", 2), ("gp/toast/x", 2), ("gp/toast/9", 3), ("../../x/1", 2)])
def test_keys_that_name_nothing(town: WorkerTown, key: str, code: int) -> None:
    assert gt(town, "rescue", "show", key).code == code
