"""Waking: nothing left behind, no two rounds at once, nothing leaks into the role."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import run

from gastown_hooks.core import fsio, lock
from gastown_hooks.core.paths import Town
from gastown_hooks.stores import config, processes
from gastown_hooks.work import wake

# Processes are found by token on the whole machine: tests that run beside each other need towns of different names.
TOWN_ID = f"t0wn{os.getpid()}"
# A role whose round takes what is in its inbox, then has closing work to do in which new things may arrive.
ROLE = '''"""A role for tests. It must never leave anything in its inbox."""
import os, sys, time
from gastown_hooks.role import main

def patrol(one):
    """Empty the inbox."""
    base = one.town.root
    with open(base + "/log", "a") as log:
        log.write(f"begin {os.getpid()}\\n")
    for name in os.listdir(base + "/inbox"):
        os.rename(base + "/inbox/" + name, base + "/outbox/" + name)
    time.sleep(CLOSING)
    with open(base + "/log", "a") as log:
        log.write(f"end {os.getpid()}\\n")
    return 0

if __name__ == "__main__":
    sys.exit(main({"role": "witness", "reads": ["the inbox"]}, {"patrol": patrol}))
'''
WRITER = '''
import os, sys
from gastown_hooks.core.paths import Town
from gastown_hooks.work import wake
town, mine, count = Town(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    with open(f"{town.root}/inbox/{mine}-{number}", "w"):
        pass
    wake.wake(town, "witness", "gp")
'''


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def make_town(root: Path, closing: float = 0.01) -> Town:
    """The least that a role needs: a marked town and a rig; the rig's witness is the role above."""
    town = Town(str(root / "town"))
    for folder in (town.mayor.root, town.rig("gp").witness.root, f"{town.root}/inbox", f"{town.root}/outbox", town.locks):
        fsio.make_folder(folder)
    fsio.write_json(town.marker, {"type": "town", "id": TOWN_ID, "name": "town"})
    fsio.write_json(town.rig("gp").config, {"name": "gp", "beads": {"prefix": "gp"}, "default_branch": "main", "git_url": None,
                                            "local_repo": None})
    fsio.write(town.rig("gp").witness.role_file("witness"), ROLE.replace("CLOSING", str(closing)).encode())
    return town


def quiet(town: Town) -> bool:
    return not processes.with_token(f"{TOWN_ID}.", prefix=True) and not lock.is_held(wake.role_lock(town, "witness", "gp"))


def log_of(town: Town) -> list[str]:
    return Path(town.root, "log").read_text().splitlines()


@pytest.mark.parametrize("closing", [0.0, 0.001, 0.01])
def test_many_wakes_leave_nothing_behind_and_rounds_never_overlap(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closing: float) -> None:
    monkeypatch.setenv("GT_WAKE", "spawn")
    town = make_town(tmp_path, closing)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, town.root, str(number), "20"]) for number in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    until(lambda: quiet(town))
    assert os.listdir(f"{town.root}/inbox") == []
    assert len(os.listdir(f"{town.root}/outbox")) == 80
    lines = log_of(town)
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert begin.startswith("begin") and end == begin.replace("begin", "end"), "two rounds at once"
    assert not wake.is_dirty(town, "witness", "gp")
    assert json.loads(fsio.read(town.rig("gp").witness.heartbeat) or b"")["actor"] == "gp/witness"


def test_a_wake_during_the_closing_work_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GT_WAKE", "spawn")
    town = make_town(tmp_path, 0.3)
    assert wake.wake(town, "witness", "gp") is True
    until(lambda: os.path.exists(f"{town.root}/log"))
    fsio.touch(f"{town.root}/inbox/late")
    assert wake.wake(town, "witness", "gp") is False  # it runs
    until(lambda: quiet(town))
    assert os.listdir(f"{town.root}/outbox") == ["late"]
    assert len({line.split()[1] for line in log_of(town)}) == 1  # by the same process


def test_inline_waits_and_off_only_sets_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    town = make_town(tmp_path)
    fsio.touch(f"{town.root}/inbox/one")
    assert wake.wake(town, "witness", "gp") is False  # the tests' own setting is off
    assert wake.is_dirty(town, "witness", "gp") and os.listdir(f"{town.root}/inbox") == ["one"]
    monkeypatch.setenv("GT_WAKE", "inline")
    assert wake.wake(town, "witness", "gp") is True
    assert os.listdir(f"{town.root}/outbox") == ["one"] and not wake.is_dirty(town, "witness", "gp")


def test_a_role_inherits_nothing_of_its_waker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    town = make_town(tmp_path)
    told = f'''"""Tells what it was given."""
import json, os, sys
from gastown_hooks.role import main
def patrol(one):
    """Tell."""
    fds = {{int(f): os.readlink(f"/proc/self/fd/{{f}}") for f in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{{f}}")}}
    json.dump({{"env": dict(os.environ), "fds": fds, "cwd": os.getcwd(), "sid": os.getsid(0), "pid": os.getpid(),
               "locked": os.get_inheritable(9)}}, open({town.root + "/told"!r}, "w"))
    return 0
if __name__ == "__main__":
    sys.exit(main({{"role": "witness"}}, {{"patrol": patrol}}))
'''
    fsio.write(town.rig("gp").witness.role_file("witness"), told.encode())
    leaking = {"GT_WAKE": "inline", "GT_TOKEN": f"{TOWN_ID}.secret", "GIT_DIR": "/nowhere", "CLAUDECODE": "1", "BD_ACTOR": "mayor"}
    for name, value in leaking.items():
        monkeypatch.setenv(name, value)
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        assert wake.wake(town, "witness", "gp") is True
    finally:
        os.close(read)
        os.close(write)
    told_of = json.loads(Path(town.root, "told").read_text())
    env = told_of["env"]
    assert env["GT_TOKEN"] == f"{TOWN_ID}.witness.gp" and env["BD_ACTOR"] == "gp/witness" and env["GT_ROOT"] == town.root
    assert "GIT_DIR" not in env and "CLAUDECODE" not in env
    assert not any("pipe" in target for target in told_of["fds"].values())
    assert told_of["fds"]["9"].endswith("gp.witness.lock") and told_of["fds"]["0"] == "/dev/null"
    assert told_of["sid"] == told_of["pid"] and told_of["cwd"] == town.root
    assert told_of["locked"] is False  # what the role starts does not get the lock


def test_a_capturing_caller_does_not_wait_for_the_role(tmp_path: Path) -> None:
    town = make_town(tmp_path, 3.0)
    begun = time.monotonic()
    script = f'exec 7>&1; "{sys.executable}" -c "$0" {town.root} w 1'
    done = run(["bash", "-c", script, WRITER], env={"GT_WAKE": "spawn"})
    assert done.code == 0, done.err
    assert time.monotonic() - begun < 2.5
    for process in processes.with_token(f"{TOWN_ID}.", prefix=True):
        processes.end(lambda one=process: [one] if processes.is_alive(one) else [], 0)


def test_a_killed_role_is_started_by_the_next_wake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GT_WAKE", "spawn")
    town = make_town(tmp_path, 30.0)
    assert wake.wake(town, "witness", "gp") is True
    until(lambda: os.path.exists(f"{town.root}/log"))
    assert processes.end(lambda: processes.with_token(f"{TOWN_ID}.witness.gp"), 0) == []
    fsio.write(town.rig("gp").witness.role_file("witness"), ROLE.replace("CLOSING", "0").encode())
    fsio.touch(f"{town.root}/inbox/one")
    assert wake.wake(town, "witness", "gp") is True
    until(lambda: quiet(town))
    assert os.listdir(f"{town.root}/outbox") == ["one"]


def test_a_role_that_is_copied_alone_answers_and_works(tmp_path: Path) -> None:
    town = make_town(tmp_path, 0)
    alone = tmp_path / "elsewhere" / "my-witness.py"
    alone.parent.mkdir()
    alone.write_bytes(fsio.read(town.rig("gp").witness.role_file("witness")) or b"")
    told = run([sys.executable, str(alone), "--help"], cwd=alone.parent)
    assert told.code == 0 and "It must never leave anything" in told.out and "Empty the inbox." in told.out and "the inbox" in told.out
    fsio.touch(f"{town.root}/inbox/one")
    assert run([sys.executable, str(alone), "patrol", "--town", town.root, "--rig", "gp"], cwd=alone.parent).code == 0
    assert os.listdir(f"{town.root}/outbox") == ["one"]
    unknown = run([sys.executable, str(alone), "dance", "--town", town.root, "--rig", "gp"], cwd=alone.parent)
    assert unknown.code == 2 and "patrol" in unknown.err
    nowhere = run([sys.executable, str(alone), "patrol"], cwd=alone.parent)
    assert nowhere.code == 3 and "not in a town" in nowhere.err


def test_a_busy_role_is_said_in_a_line(tmp_path: Path) -> None:
    town = make_town(tmp_path, 0)
    with lock.acquire(wake.role_lock(town, "witness", "gp")):
        done = run([sys.executable, town.rig("gp").witness.role_file("witness"), "patrol"], cwd=tmp_path)
    assert done.code == 0 and "running already" in done.out and not os.path.exists(f"{town.root}/log")


def test_tokens_name_the_town_first(tmp_path: Path) -> None:
    town = make_town(tmp_path)
    assert wake.role_token(town, "refinery", "gp") == f"{TOWN_ID}.refinery.gp"
    assert wake.role_token(town, "deacon", None) == f"{TOWN_ID}.deacon"
    assert wake.runner_token(town.rig("gp"), "toast") == f"{TOWN_ID}.polecat.gp.toast"
    assert config.town_id(town) == TOWN_ID
