"""The witness: claimed work has a worker, a worker without a claim is retired, and doubt changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import builders
import pytest
from workers import WorkerTown, until

from gastown_hooks.core import clock, fsio, lock
from gastown_hooks.core.paths import Home
from gastown_hooks.stores import beats, config, processes
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import lease as leases


@pytest.fixture
def town(tmp_path: Path) -> WorkerTown:
    return WorkerTown(tmp_path, running=True)


def salvaged(town: WorkerTown, name: str) -> list[str]:
    return builders.git(town.rig.repo, f"--git-dir={town.rig.repo}", "for-each-ref", "--format=%(refname)",
                        f"refs/gt/salvage/{name}").split()


def snapshot(town: WorkerTown) -> tuple[list[str], dict[str, object], list[str]]:
    """Slots, ledger and refs: what a round in doubt must not change."""
    return (sorted(os.listdir(town.rig.polecats)), dict(Ledger(town.rig.beads).all()),
            builders.git(town.rig.repo, f"--git-dir={town.rig.repo}", "for-each-ref").splitlines())


def test_a_claim_whose_slot_was_never_made_gets_its_worker(town: WorkerTown) -> None:
    town.bead(run="echo x > x.txt", status="hooked", assignee="gp/polecats/toast", claim_fence=1)
    done = town.role("witness", "patrol")
    assert done.code == 0, done.err
    [request] = town.requests()
    assert request["metadata"]["source"] == "gp-aaaaa" and os.listdir(town.rig.polecats) == []
    assert town.alive() == []


def test_a_half_made_slot_is_completed(town: WorkerTown) -> None:
    town.bead(run="echo x > x.txt")
    config.set_mode(town.town, "by-hand")
    home = town.sling()
    lease = leases.read(home)
    assert lease is not None
    leases.advance(home, lease, leases.PREPARING)
    assert town.role("witness", "patrol").code == 0
    again = leases.read(home)
    assert again is not None and again.state == leases.READY
    assert town.requests() == []  # by hand: prepared, not started


def test_a_killed_runner_is_started_again_and_its_agent_ended(town: WorkerTown) -> None:
    mark = town.path / "mark"
    town.agent(f"import os, subprocess, time\nif os.path.exists({str(mark)!r}):\n    open('x.txt', 'a').write('x')\nelse:\n"
               "    subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
               f"    open({str(mark)!r}, 'w').close()\n    time.sleep(300)\n")
    town.bead()
    home = town.sling(agent="fake")
    words = [sys.executable, str(builders.ROOT / "roles/polecat.py"), "run", "--town", town.town.root, "--rig", "gp", "--name", "toast"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as runner:
        until(mark.exists)
        lease = leases.read(home)
        assert lease is not None
        before = {p.pid for p in processes.with_token(lease.token)}
        assert town.role("witness", "patrol").out == ""  # it runs: nothing to do
        assert {p.pid for p in processes.with_token(lease.token)} == before
        runner.send_signal(signal.SIGKILL)
    done = town.role("witness", "patrol")
    assert done.code == 0 and "started" in done.out, done.err
    assert town.alive() == [] and len(town.requests()) == 1


def _ran_since(process: processes.Process, before: int) -> bool:
    return (processes.switches(process) or 0) > before


def hang(town: WorkerTown, home: Home, *, ran: bool = False, seconds: int = 301) -> None:
    """Five minutes later: the witness looked then, and nothing has changed (or: the runner ran meanwhile)."""
    value = json.loads(fsio.read(town.rig.witness.observed) or b"")
    since, *sign, switches = value["workers"][home.name]
    value["workers"][home.name] = [since - seconds * clock.SECOND, *sign, switches - ran]
    fsio.write_json(town.rig.witness.observed, value)


def test_a_hung_runner_is_taken_over_by_two_facts(town: WorkerTown) -> None:
    mark, log = town.path / "mark", town.path / "log"
    town.agent(f"import os, time\nopen({str(log)!r}, 'a').write(str(os.getpid()) + ' ')\nif os.path.exists({str(mark)!r}):\n"
               f"    open('x.txt', 'a').write('x')\nelse:\n    open({str(mark)!r}, 'w').close()\n    time.sleep(300)\n")
    town.bead()
    home = town.sling(agent="fake")
    runner = town.begin()
    until(mark.exists)
    runner.send_signal(signal.SIGSTOP)
    until(lambda: "T (stopped)" in Path(f"/proc/{runner.pid}/status").read_text())
    assert town.role("witness", "patrol").out == ""  # seen for the first time: nothing is stale
    hang(town, home, seconds=200)
    assert town.role("witness", "patrol").out == ""
    hang(town, home, ran=True, seconds=200)
    assert town.role("witness", "patrol").out == ""  # the beat alone: a busy machine
    hang(town, home)
    assert town.role("witness", "patrol", "--dry-run").out == "toast: would take over\n" and runner.poll() is None
    done = town.role("witness", "patrol")
    assert "its runner hung and is ended" in done.out and "toast: started" in done.out, done.err
    assert runner.wait(10) != 0 and town.alive() == [] and len(town.requests()) == 1 and len(town.events("hung")) == 1
    first, *others = log.read_text().split()
    assert others and first not in others and not os.path.exists(f"/proc/{first}")


def test_a_runner_that_runs_is_not_taken_over_for_its_beat(town: WorkerTown) -> None:
    mark = town.path / "mark"
    town.agent(f"import time\nopen({str(mark)!r}, 'w').close()\ntime.sleep(300)\n")
    town.bead()
    home = town.sling(agent="fake")
    runner = town.begin()
    until(mark.exists)
    for _ in range(2):
        assert town.role("witness", "patrol").out == ""
        hang(town, home)
        ran = json.loads(fsio.read(town.rig.witness.observed) or b"")["workers"]["toast"][-1]
        beat = beats.read(home.heartbeat)
        assert beat is not None
        until(partial(_ran_since, beat.process(), ran))
    stopped = builders.run(builders.command("gt", "session", "stop", "gp/toast"), cwd=town.town.root)
    assert stopped.code == 0 and runner.wait(30) == 143


def test_a_slot_that_cannot_be_made_is_tried_again_later_and_told_once(town: WorkerTown) -> None:
    tries = town.path / "tries"
    config.set(town.town, town.rig, "setup", f"echo x >> {tries}; echo no such compiler; false")
    town.bead(run="echo x > x.txt", status="hooked", assignee="gp/polecats/toast", claim_fence=1)
    home = town.rig.polecat("toast")
    first = town.role("witness", "patrol")
    assert first.code == 1 and "no such compiler" in first.out
    second = town.role("witness", "patrol")
    assert second.code == 0 and "made again in" in second.out and tries.read_text() == "x\n"
    value = json.loads(fsio.read(home.restarts) or b"")
    fsio.write_json(home.restarts, {**value, "failures": [at - 31 * clock.SECOND for at in value["failures"]]})
    assert town.role("witness", "patrol").code == 1 and tries.read_text() == "x\nx\n"
    [mail] = town.mails(town.town.overseer.mail)
    assert "UNPREPARED gp/toast for gp-aaaaa" in mail and "no such compiler" in mail and len(town.mails(town.rig.witness.mail)) == 1
    config.set(town.town, town.rig, "setup", "true")
    fsio.write_json(home.restarts, {**value, "failures": []})
    assert town.role("witness", "patrol").code == 0 and len(town.requests()) == 1


def test_a_town_by_hand_starts_no_agent(town: WorkerTown) -> None:
    config.set_mode(town.town, "by-hand")
    town.bead(run="echo x > x.txt")
    home = town.sling()
    assert town.role("witness", "patrol").code == 0
    assert os.path.isdir(home.tree) and not os.path.exists(home.turns) and town.requests() == []


def test_a_town_by_hand_retires_what_is_finished(town: WorkerTown) -> None:
    config.set_mode(town.town, "by-hand")
    town.bead()
    home = town.sling()
    lease = leases.read(home)
    assert lease is not None
    leases.advance(home, lease, leases.DONE)
    done = town.role("witness", "patrol")
    assert done.code == 0 and "retired" in done.out and not os.path.exists(home.root)


def test_a_fenced_worker_is_saved_and_retired(town: WorkerTown) -> None:
    town.bead()
    home = town.sling()
    Path(home.tree, "mine.txt").write_text("work of the old claim")
    town.change("gp-aaaaa", claim_fence=99, assignee="gp/polecats/nux", status="closed")
    done = town.role("witness", "patrol")
    assert done.code == 0 and not os.path.exists(home.root), done.err
    assert salvaged(town, "toast") and town.get()["assignee"] == "gp/polecats/nux"


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"bead": 3}', b"\xff"])
def test_an_unreadable_lease_is_left_alone(town: WorkerTown, garbage: bytes) -> None:
    town.bead()
    home = town.sling()
    fsio.write(home.lease, garbage)
    before = snapshot(town)
    done = town.role("witness", "patrol")
    assert snapshot(town) == before and "cannot tell" in done.out and os.path.isdir(home.tree)


def test_an_unreadable_ledger_ends_the_round_and_nothing_else(town: WorkerTown) -> None:
    town.bead()
    home = town.sling()
    fsio.write(town.rig.beads.config, b"{")
    done = town.role("witness", "patrol")
    assert done.code != 0 and os.path.isdir(home.tree) and leases.read(home) is not None
    assert not os.path.exists(town.rig.witness.heartbeat)


def test_a_missing_bead_is_no_lost_claim(town: WorkerTown) -> None:
    town.bead()
    home = town.sling()
    fsio.remove(town.rig.beads.journal)  # what a restored backup looks like: the ledger reads well and knows nothing
    done = town.role("witness", "patrol")
    assert os.path.isdir(home.tree) and "cannot tell" in done.out


@pytest.mark.parametrize("pid", [1, -5, 2**31, 0])
def test_a_forged_heartbeat_is_nobodys_death(town: WorkerTown, pid: int) -> None:
    pid = pid or os.getpid()
    town.bead(run="echo x > x.txt")
    home = town.sling()
    beats.write(home.heartbeat, beats.Beat(actor="gp/polecats/toast", session="s", pid=pid, start=4, boot_id=clock.boot_id(), seq=1,
                                           progress="", state="working", bead="gp-aaaaa"))
    assert town.role("witness", "patrol").code == 0
    assert len(town.requests()) == 1  # that start time is nobody's: the runner was dead, and is started again


@pytest.mark.parametrize("garbage", [b"", b"{", b"null", b'{"pid": "x"}', b"\xff\xfe"])
def test_a_damaged_heartbeat_is_no_exception(town: WorkerTown, garbage: bytes) -> None:
    town.bead(run="echo x > x.txt")
    home = town.sling()
    fsio.write(home.heartbeat, garbage)
    done = town.role("witness", "patrol")
    assert "Traceback" not in done.err and town.alive() == []


def test_a_crash_loop_is_stopped_and_told_once(town: WorkerTown) -> None:
    town.bead(run="echo x > x.txt")
    home = town.sling()
    lease = leases.read(home)
    assert lease is not None
    tick = clock.since_boot()
    fsio.write_json(home.restarts, {"fence": lease.fence, "boot_id": clock.boot_id(),
                                    "times": [tick - n * clock.SECOND for n in (500, 400, 300, 200, 100)]})
    assert "crash loop" in town.role("witness", "patrol").out
    assert town.role("witness", "patrol").out == ""
    assert json.loads(fsio.read(home.turns) or b"")["stalled"] and town.requests() == []
    assert len(town.mails(town.town.overseer.mail)) == 1 and len(town.events("stalled")) == 1
    started = builders.run(builders.command("gt", "session", "start", "gp/toast"), cwd=town.town.root, env={"GT_WAKE": "inline"})
    assert started.code == 0 and len(town.requests()) == 1  # a person's word resets it


def test_a_restart_waits_for_its_backoff(town: WorkerTown) -> None:
    town.bead(run="echo x > x.txt")
    home = town.sling()
    lease = leases.read(home)
    assert lease is not None
    fsio.write_json(home.restarts, {"fence": lease.fence, "boot_id": clock.boot_id(), "times": [clock.since_boot()]})
    assert "restart in" in town.role("witness", "patrol").out and town.requests() == []
    fsio.write_json(home.restarts, {"fence": lease.fence, "boot_id": "another boot", "times": [clock.since_boot()]})
    assert "started" in town.role("witness", "patrol").out and len(town.requests()) == 1


def test_a_slot_that_somebody_handles_is_left_alone(town: WorkerTown) -> None:
    town.bead()
    home = town.sling()
    town.change("gp-aaaaa", status="closed")
    before = snapshot(town)
    with lock.acquire(home.runner_lock):
        assert town.role("witness", "patrol").code == 0
    assert snapshot(town) == before
    assert town.role("witness", "patrol").code == 0 and not os.path.exists(home.root)


def test_one_workers_trouble_does_not_stop_the_round(town: WorkerTown) -> None:
    town.bead("gp-aaaaa")
    town.bead("gp-bbbbb", run="echo x > x.txt")
    first = town.sling("gp-aaaaa")
    second = town.sling("gp-bbbbb")
    fsio.write(first.turns, b'{"no": "record"}')
    done = town.role("witness", "patrol")
    assert done.code == 1 and first.name in done.out
    assert not os.path.exists(second.root) and len(town.requests()) == 1


def test_dry_run_equals_the_real_round(town: WorkerTown) -> None:
    town.bead()
    home = town.sling()
    town.change("gp-aaaaa", status="closed")
    before = snapshot(town)
    told = town.role("witness", "patrol", "--dry-run")
    assert told.out == f"{home.name}: would retire\n" and snapshot(town) == before
    assert "retired" in town.role("witness", "patrol").out


def test_two_towns_do_not_touch_each_other(town: WorkerTown, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = WorkerTown(tmp_path / "other", running=True)
    mark = other.path / "mark"
    other.agent(f"import time\nopen({str(mark)!r}, 'w').close()\ntime.sleep(300)\n")
    other.bead()
    home = other.sling(agent="fake")
    words = [sys.executable, str(builders.ROOT / "roles/polecat.py"), "run", "--town", other.town.root, "--rig", "gp", "--name", home.name]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as runner:
        until(mark.exists)
        town.bead(run="echo x > x.txt")
        town.sling()
        assert town.role("witness", "patrol").code == 0
        stopped = builders.run(builders.command("gt", "stop", "--all"), cwd=town.town.root)
        assert stopped.code == 0 and "no worker is running" in stopped.out
        assert runner.poll() is None and len(other.alive()) >= 2
        stopped = builders.run(builders.command("gt", "stop", "--all"), cwd=other.town.root)
        assert stopped.code == 0, stopped.err
        assert runner.wait(30) == 143
    assert other.alive() == [] and os.path.isdir(home.tree) and other.get()["assignee"] == "gp/polecats/toast"
    assert other.role("witness", "patrol").out == "" and other.requests() == []  # stopped on purpose: it stays stopped


@pytest.mark.parametrize("fields", [{"assignee": "gp/polecats/toast"}, {"assignee": "gp/polecats/No Name", "claim_fence": 3}])
def test_what_a_person_wrote_by_hand_is_no_claim(town: WorkerTown, fields: dict[str, object]) -> None:
    town.bead(status="hooked", **fields)
    before = snapshot(town)
    done = town.role("witness", "patrol")
    assert done.code == 0 and done.err == "" and snapshot(town) == before
