"""The refinery's file, run as the program it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import builders
import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.rules import requests

ROLE = Path(__file__).resolve().parents[2] / "roles/refinery.py"


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return queueyard.make(tmp_path, remote=True)


def words(yard: Yard, *args: str) -> list[str]:
    return [sys.executable, str(ROLE), "patrol", "--town", yard.rig.town.root, "--rig", "gp", *args]


def test_it_is_short_and_says_its_duty() -> None:
    assert len(ROLE.read_text().splitlines()) <= 250 and os.access(ROLE, os.X_OK)
    done = builders.run([sys.executable, str(ROLE), "--help"])
    assert done.code == 0 and "must never" in done.out and "landings.jsonl" in done.out


def test_a_patrol_lands_what_can_land(yard: Yard) -> None:
    one = yard.submit("one")
    done = builders.run(words(yard))
    assert done.code == 0 and f"landed {one}" in done.out, done.err
    assert yard.get("gp-one")["status"] == "closed" and yard.remote_tip() == yard.tip()
    assert "nothing to do" in builders.run(words(yard)).out


def test_a_landing_wakes_the_witness_where_a_worker_has_no_runner(yard: Yard) -> None:
    for name in ("attended", "alone"):
        yard.submit(name)
        if name == "alone":
            Path(yard.rig.polecat("toast").root).mkdir(parents=True)
        assert builders.run(words(yard)).code == 0
        assert os.path.exists(yard.rig.town.flag("gp.witness")) == (name == "alone")


def test_a_dry_run_changes_nothing(yard: Yard) -> None:
    one, tip = yard.submit("one"), yard.tip()
    done = builders.run(words(yard, "--dry-run"))
    assert done.out == f"gate and land {one}\n" and yard.tip() == tip and yard.request(one).state == requests.QUEUED


def test_copied_alone_it_still_answers(yard: Yard, tmp_path: Path) -> None:
    copy = tmp_path / "town/gp/refinery/refinery.py"
    copy.write_text(ROLE.read_text())
    one = yard.submit("one")
    done = builders.run([sys.executable, str(copy), "patrol"], cwd=tmp_path, env={"PYTHONPATH": str(ROLE.parents[1])})
    assert f"landed {one}" in done.out, done.err


def test_two_at_once_are_one(yard: Yard) -> None:
    yard.gates(yard.counted(f"while test ! -e {yard.root}/go; do sleep 0.05; done"))
    one = yard.submit("one")
    first = subprocess.Popen(words(yard), stdout=subprocess.PIPE, text=True)
    _until(lambda: yard.runs() == 1)
    assert "running already" in builders.run(words(yard)).out
    (yard.root / "go").touch()
    assert f"landed {one}" in first.communicate(timeout=60)[0] and yard.runs() == 1


def test_killed_during_the_gate_the_next_round_ends_what_it_left_and_lands(yard: Yard) -> None:
    yard.gates(yard.counted(f"test -e {yard.root}/go || {{ setsid sleep 600 & sleep 600; }}"))
    one = yard.submit("one")
    first = subprocess.Popen(words(yard))
    _until(lambda: yard.runs() == 1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    (yard.root / "go").touch()
    assert f"landed {one}" in builders.run(words(yard)).out
    assert yard.runs() == 2 and yard.mails() == ["MERGED gp-one"]
    yard.check_green()


def test_killed_during_the_push_it_lands_once(yard: Yard) -> None:
    """The remote's hook kills the refinery: before the remote's ref has moved, and after."""
    assert yard.remote is not None
    for name in ("pre-receive", "post-receive"):
        hook = yard.remote / "hooks" / name
        one = yard.submit(name.replace("-", ""), worker=name[:3])
        hook.write_text(f"#!/bin/sh\nread old new ref\ncase $ref in refs/heads/main) kill -9 $(cat {yard.root}/pid); sleep 0.2;; esac\n")
        hook.chmod(0o755)
        code = (f"import os, runpy, sys; open({str(yard.root / 'pid')!r}, 'w').write(str(os.getpid())); sys.argv = sys.argv[1:]; "
                "runpy.run_path(sys.argv[0], run_name='__main__')")
        done = subprocess.run([sys.executable, "-c", code, *words(yard)[1:]], capture_output=True)
        assert done.returncode == -signal.SIGKILL, done
        hook.unlink()
        before = yard.runs()
        out = builders.run(words(yard)).out
        assert f"landed {one}" in out and yard.runs() == before
    assert yard.rig_git("rev-list", "--first-parent", "--count", "main") == "3"
    assert sorted(yard.mails()) == ["MERGED gp-postreceive", "MERGED gp-prereceive"]
    yard.check_green()


def _until(condition: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)
