"""The tick: what is due, once, each phase for itself; and the commands around it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import builders
import pytest
from workers import WorkerTown

from gastown_hooks import tick
from gastown_hooks.core import clock, fsio, lock
from gastown_hooks.stores import config, git
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import wake


@pytest.fixture
def town(tmp_path: Path) -> WorkerTown:
    return WorkerTown(tmp_path, running=True)


def gt(town: WorkerTown, *words: str, **env: str) -> builders.Finished:
    return builders.run(builders.command("gt", *words), cwd=town.town.root, env=env)


def last(town: WorkerTown) -> dict[str, object]:
    return json.loads(fsio.read(town.town.last_tick) or b"{}")


def test_one_tick_carries_claimed_work_to_the_queue(town: WorkerTown) -> None:
    town.bead(run="echo x > x.txt", status="hooked", assignee="gp/polecats/toast", claim_fence=1)
    done = gt(town, "daemon", "tick", GT_WAKE="inline")
    assert done.code == 0 and "gp.witness" in done.out and "gp.refinery" in done.out, done.err
    assert len(town.requests()) == 1 and town.alive() == []
    assert Path(town.town.root, "refinery-rounds").exists()


def test_what_is_not_due_does_not_run(town: WorkerTown) -> None:
    assert tick.tick(town.town) is not None
    second = tick.tick(town.town)
    assert second is not None and second["done"] == [] and second["failed"] == {}
    fsio.write_json(town.town.last_tick, {**last(town), "boot_id": "another boot"})
    again = tick.tick(town.town)
    assert again is not None and "gp.witness" in again["done"]


def test_a_waiting_queue_is_always_looked_at(town: WorkerTown) -> None:
    tick.tick(town.town)
    town.bead("gp-mr-aaaaaaaa", issue_type="merge-request", metadata={
        "state": "queued", "source": "gp-aaaaa", "branch": "b", "head": "0" * 40, "target": "main", "worker": "w", "fence": 1})
    report = tick.tick(town.town)
    assert report is not None and report["done"] == ["gp.refinery"]


def test_a_second_tick_ends_at_once(town: WorkerTown) -> None:
    with lock.acquire(town.town.lock("tick")):
        done = gt(town, "daemon", "tick")
    assert done.code == 0 and "already running" in done.out and not os.path.exists(town.town.last_tick)


def test_one_failing_phase_does_not_stop_the_others(town: WorkerTown) -> None:
    fsio.remove(town.rig.refinery.role_file("refinery"))
    fsio.write(town.rig.refinery.role_file("refinery"), b"this is no role\n")
    fsio.write(town.rig.beads.config, b"{")
    done = gt(town, "daemon", "tick", "--json")
    report = json.loads(done.out)
    assert done.code != 0 and "fold" in report["failed"]
    assert "gp.witness" in report["done"]
    status = gt(town, "daemon", "status")
    assert "fold failed" in status.out


def test_the_ledger_is_folded(town: WorkerTown) -> None:
    town.bead()
    before = Path(town.rig.beads.issues).read_bytes()
    assert tick.tick(town.town) is not None
    after = Path(town.rig.beads.issues).read_bytes()
    assert before != after and b'"id":"gp-aaaaa"' in after and Ledger(town.rig.beads).get("gp-aaaaa")


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"ran": 3}', b"\xff"])
def test_a_damaged_record_makes_everything_due(town: WorkerTown, garbage: bytes) -> None:
    fsio.write(town.town.last_tick, garbage)
    report = tick.tick(town.town)
    assert report is not None and "gp.witness" in report["done"]


def test_start_and_stop_without_a_crontab_program(town: WorkerTown, monkeypatch: pytest.MonkeyPatch) -> None:
    config.set_mode(town.town, "by-hand")
    empty = town.path / "empty"
    empty.mkdir()
    started = gt(town, "daemon", "start", PATH=str(empty))
    assert started.code == 0 and "gt daemon run" in started.out and config.mode(town.town) == "running"
    status = json.loads(gt(town, "daemon", "status", "--json", PATH=str(empty)).out)
    assert status["mode"] == "running" and status["cron"] is None and status["last_tick"] is None
    assert gt(town, "daemon", "stop", PATH=str(empty)).code == 0 and config.mode(town.town) == "by-hand"


def test_a_big_log_is_turned(town: WorkerTown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick, "LOG_BYTES", 10)
    fsio.write(town.town.daemon_log, b"x" * 100)
    tick.tick(town.town)
    assert os.path.getsize(f"{town.town.daemon_log}.1") == 100


def test_loose_objects_are_packed_and_none_is_lost(town: WorkerTown, monkeypatch: pytest.MonkeyPatch) -> None:
    def objects() -> set[str]:
        return set(builders.git(town.rig.repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())

    orphan = builders.git(town.rig.repo, "hash-object", "-w", town.rig.beads.issues)
    before = objects()
    monkeypatch.setattr(git, "LOOSE_OBJECTS", 0)
    assert "gp.pack" in (tick.tick(town.town) or {})["done"]
    assert objects() == before and orphan in before
    assert builders.git(town.rig.repo, "count-objects").startswith("1 "), "only what nothing refers to is loose"


def test_an_idle_tick_is_cheap(town: WorkerTown) -> None:
    tick.tick(town.town)
    begun = clock.since_boot()
    tick.tick(town.town)
    assert clock.since_boot() - begun < 500_000_000


def test_the_deacon_is_looked_for_when_somebody_asked(town: WorkerTown) -> None:
    assert "deacon" in (tick.tick(town.town) or {})["done"]
    assert (tick.tick(town.town) or {})["done"] == []
    wake.ask(town.town, "deacon")
    assert (tick.tick(town.town) or {})["done"] == ["deacon"] and not wake.is_dirty(town.town, "deacon")
