"""Assigning under contention, by real processes: one owner, no shared name, and a stale claim that can write nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import builders
import pytest
import rigtown

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Fenced, Refused
from gastown_hooks.core.paths import Beads, Rig
from gastown_hooks.stores import config, known
from gastown_hooks.stores.callers import Writer
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import beads, sling


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    town = rigtown.make_town(tmp_path)
    project = builders.make_repo(tmp_path / "project", {"README.md": "hello\n"})
    rigtown.add(town, "green", project, prefix="gr", gates=["test -f README.md"])
    yield town.rig("green")


def make(rig: Rig, *titles: str, **fields: Any) -> list[str]:
    return [beads.create(Ledger(rig.beads), rigtown.overseer(rig.town), clock.now(), title, **fields)["id"] for title in titles]


def at_once(rig: Rig, commands: list[list[str]], tmp_path: Path) -> list[builders.Finished]:
    """Start all commands, hold each until all are there, then release them together: a fifo that nobody has opened for writing."""
    barrier, ready = tmp_path / "barrier", os.pipe()
    os.mkfifo(barrier)
    script = f'echo >&{ready[1]}; read _ < "$0"; exec "$@"'
    waiting = [subprocess.Popen(["bash", "-c", script, str(barrier), *words], cwd=rig.town.root, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, pass_fds=(ready[1],)) for words in commands]
    for _ in waiting:
        os.read(ready[0], 1)
    with open(barrier, "w", encoding="ascii") as release:
        release.write("\n" * 2 * len(commands))
        release.flush()
        with ThreadPoolExecutor(len(waiting)) as pool:
            texts = list(pool.map(lambda process: process.communicate(timeout=300), waiting))
    for fd in ready:
        os.close(fd)
    return [builders.Finished(p.returncode, out.decode(), err.decode()) for p, (out, err) in zip(waiting, texts, strict=True)]


def test_a_hundred_processes_sling_one_bead_and_one_owns_it(rig: Rig, tmp_path: Path) -> None:
    [bead] = make(rig, "Wanted by all")
    ended = at_once(rig, [builders.command("gt", "sling", bead, "green") for _ in range(100)], tmp_path)
    won = [one for one in ended if one.code == 0]
    assert len(won) == 1, [one.err for one in ended if one.code not in (0, 4)][:3]
    record = Ledger(rig.beads).get(bead) or {}
    assert record["status"] == "hooked" and record["assignee"] in won[0].out and record["claim_fence"] == 1
    for one in ended:
        if one.code:
            assert one.code == 4 and one.err.count("\n") == 1 and record["assignee"] in one.err, one.err
    assert os.listdir(rig.polecats) == [record["assignee"].rpartition("/")[2]]
    assert builders.run(["git", f"--git-dir={rig.repo}", "for-each-ref", "--format=%(refname)", "refs/heads/polecat"]).out.count("\n") == 1


def test_twenty_slings_at_once_make_twenty_workers(rig: Rig, tmp_path: Path) -> None:
    wanted = make(rig, *(f"Task {n}" for n in range(20)))
    ended = at_once(rig, [builders.command("gt", "sling", bead, "green", "--json") for bead in wanted], tmp_path)
    assert [one.err for one in ended if one.code] == []
    made = [json.loads(one.out)[0] for one in ended]
    for key in ("worker", "branch", "tree", "fence"):
        assert len({one[key] for one in made}) == 20, key
    assert {one["bead"] for one in made} == set(wanted) and len(os.listdir(rig.polecats)) == 20
    assert {(Ledger(rig.beads).get(one["bead"]) or {})["assignee"] for one in made} == {one["worker"] for one in made}


def stale_worker(rig: Rig) -> tuple[str, dict[str, str], Path]:
    """A worker whose bead was given to somebody else while it slept: its bead, its environment, its tree (still there)."""
    [bead] = make(rig, "Work")
    overseer = rigtown.overseer(rig.town)
    [first] = sling.sling(rig.town, [bead], rig, caller=overseer, now=clock.now())
    lease = sling.leases.read(rig.polecat(first.name))
    assert lease is not None
    environment = sling.worker_environment(rig, lease)
    builders.commit(Path(first.tree), {"late.txt": "late\n"}, "late work")
    beads.update(Ledger(rig.beads), overseer, clock.now(), [bead], {"status": "open", "assignee": ""})
    [second] = sling.sling(rig.town, [bead], rig, caller=overseer, now=clock.now())
    assert second.fence > first.fence and second.name != first.name
    return bead, environment, Path(first.tree)


def test_a_worker_that_wakes_late_can_write_nothing(rig: Rig, run_cli: builders.Run) -> None:
    bead, environment, tree = stale_worker(rig)
    [other] = make(rig, "Another bead")
    before = builders.run(["find", rig.beads.issues, rig.beads.journal, rig.witness.mail, rig.town.overseer.mail, "-type", "f",
                           "-exec", "sha256sum", "{}", "+"]).out
    refs = builders.run(["git", f"--git-dir={rig.repo}", "for-each-ref", "refs/gt/mr", "refs/heads/main"]).out
    for words in (("bd", "update", other, "--title", "late"), ("bd", "close", bead), ("bd", "create", "late"),
                  ("bd", "update", bead, "--notes", "x"), ("gt", "done"), ("gt", "mq", "submit", "--bead", bead),
                  ("gt", "done", "--status", "ESCALATED", "--reason", "late")):
        done = run_cli(*words, cwd=tree, env=environment)
        told = ("not the one in force", "no such claim", "does not submit by hand")
        assert done.code == (1 if words[0] == "bd" else 5 if "mq" in words else 4), (words, done)
        assert any(words in done.err for words in told), (words, done.err)
    with pytest.raises(Fenced, match="not the one in force"):
        Ledger(rig.beads, Writer(environment["BD_ACTOR"], bead, int(environment["GT_FENCE"]))).transact(lambda view: [])
    committed = builders.run(["git", "-C", str(tree), "commit", "--allow-empty", "--no-verify", "-qm", "late"], env={
        **environment, "GT_FENCE": str(int(environment["GT_FENCE"]) + 7)})
    assert committed.code != 0 and "this claim is over" in committed.err
    assert before == builders.run(["find", rig.beads.issues, rig.beads.journal, rig.witness.mail, rig.town.overseer.mail, "-type", "f",
                                   "-exec", "sha256sum", "{}", "+"]).out
    assert refs == builders.run(["git", f"--git-dir={rig.repo}", "for-each-ref", "refs/gt/mr", "refs/heads/main"]).out


def test_a_killed_sling_is_completed_by_running_it_again(rig: Rig, run_cli: builders.Run) -> None:
    """The claim was made, the process died before the slot: the same command completes it, with the same owner."""
    [bead] = make(rig, "Cut short")
    overseer = rigtown.overseer(rig.town)
    claimed, held = sling._claim(rig, Ledger(rig.beads), [bead], None, None, overseer, clock.now())
    for one in held:
        one.release()
    done = run_cli("gt", "sling", bead, "green", "--json", cwd=rig.town.root)
    assert done.code == 0, done.err
    [made] = json.loads(done.out)
    assert (made["worker"], made["fence"]) == (claimed[0]["assignee"], claimed[0]["claim_fence"])
    assert os.path.exists(f"{made['tree']}/README.md")
    again = run_cli("gt", "sling", bead, "green", cwd=rig.town.root)
    assert again.code == 4 and made["worker"] in again.err


def test_what_cannot_be_slung(rig: Rig, run_cli: builders.Run) -> None:
    first, closed = make(rig, "First", "Closed")
    [blocked] = make(rig, "Second", deps=[("blocks", first)])
    beads.close(Ledger(rig.beads), rigtown.overseer(rig.town), clock.now(), [closed], "no")
    before = Ledger(rig.beads).all()
    for words, code, told in (
            ((blocked, "green"), 5, first), ((closed, "green"), 5, "closed"), (("gr-none1", "green"), 3, "no bead"),
            ((first, "nowhere"), 3, "green"), ((first, ".."), 2, "name"), ((first, "green/-x"), 2, "name"), ((first,), 2, "rig"),
            (("a;b", "green"), 2, "bead id"), ((first, "green/a", "green"), 2, "bead id"), (("hq-abc12", "green"), 5, "town"),
            ((first, blocked, "green/toast"), 2, "one bead"), ((first, "x" * 300), 2, "name"), ((first, "#(id)"), 2, "name")):
        done = run_cli("gt", "sling", *words, cwd=rig.town.root)
        assert (done.code, done.err.count("\n")) == (code, 1) and told in done.err, (words, done)
    assert Ledger(rig.beads).all() == before and os.listdir(rig.polecats) == []


def test_a_dry_run_changes_nothing(rig: Rig, run_cli: builders.Run) -> None:
    [bead] = make(rig, "Dry")
    done = run_cli("gt", "sling", bead, "green", "--dry-run", cwd=rig.town.root)
    assert done.code == 0 and f"would give {bead} to green/polecats/" in done.out
    assert (Ledger(rig.beads).get(bead) or {})["status"] == "open" and os.listdir(rig.polecats) == []


def test_config_errors_are_one_line(rig: Rig, run_cli: builders.Run) -> None:
    [bead] = make(rig, "Broken settings")
    with open(rig.settings, "w", encoding="utf-8") as file:
        file.write('{"gatess": ["x"]}')
    done = run_cli("gt", "sling", bead, "green", cwd=rig.town.root)
    assert (done.code, done.err.count("\n")) == (7, 1) and "gatess" in done.err and "gates" in done.err
    assert config.RIG_KEYS["gates"]


@pytest.mark.parametrize("odd", [False, True])
def test_a_bead_whose_blocker_in_another_project_is_closed(rig: Rig, tmp_path: Path, odd: bool) -> None:
    """Also where the index cannot tell, since a bead has what no column can hold."""
    other = Beads(str(tmp_path / "backend/.beads"))
    Ledger.create_files(other, "be", "own-branch")
    config.set(None, rig.town.beads, "external_projects.backend", str(tmp_path / "backend"))
    [name] = make(rig, "Waits", deps=[("blocks", "external:backend:be-1")])
    if odd:
        Ledger(rig.beads).transact(lambda view: [{"id": "gr-odd", "title": "odd", "status": "closed", "created_at": "some day"}])
    assert isinstance(known.beads(Ledger(rig.beads)), dict) == odd
    caller = rigtown.overseer(rig.town)
    with pytest.raises(Refused, match="external:backend:be-1 is unknown"):
        sling.sling(rig.town, [name], rig, caller=caller, now=clock.now())
    Ledger(other).transact(lambda view: [{"id": "be-1", "title": "It", "status": "closed"}])
    assert sling.sling(rig.town, [name], rig, caller=caller, now=clock.now())[0].bead == name
