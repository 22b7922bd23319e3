"""After `gt down` nothing of the town runs, and `gt up` goes on where it was: all of it lands."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import builders
import livetown
import pytest
from livetown import LiveTown

from gastown_hooks.core import lock
from gastown_hooks.stores import processes

Make = Callable[..., LiveTown]
# What a script may leave behind: its own session, deaf to TERM, without the worker's environment.
STRAYS = {
    "setsid": "setsid sleep 600 &",
    "deaf": "setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' &",
    "no token": "env -i PATH=\"$PATH\" HOME=\"$HOME\" setsid sleep 600 &",
    "double fork": "(setsid sh -c 'sleep 600 & sleep 600' &) ; (cd / && setsid sleep 600 &)",
    "closed": "setsid sleep 600 <&- >&- 2>&- &",
}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with livetown.towns(tmp_path) as make:
        yield make


def down(live: LiveTown) -> None:
    begun = time.monotonic()
    done = live.run("gt", "down")
    assert done.code == 0 and live.alive() == [], (done, live.alive())
    assert time.monotonic() - begun < 40


def waiting(live: LiveTown, name: str, strays: str = "") -> str:
    """A script that says it began and goes on when it may."""
    return f"{strays}\necho $$ >> {live.path}/begun.{name}\nwhile test ! -e {live.path}/go; do sleep 0.1; done\necho x > {name}.txt\n"


def begun(live: LiveTown, *names: str) -> bool:
    return all((live.path / f"begun.{name}").exists() for name in names)


def test_agents_and_all_that_they_started_end_and_the_work_goes_on(make: Make) -> None:
    live = make()
    strays = list(STRAYS.values())
    beads = [live.slung(f"Strays {n}", waiting(live, f"w{n}", "\n".join(some))) for n, some in enumerate((strays[:3], strays[3:]))]
    live.soon(lambda: begun(live, "w0", "w1"))
    assert len(live.alive()) >= 2 * len(beads) + len(strays)
    down(live)
    down(live)  # twice is once
    held = [live.get(bead) for bead in beads]
    assert all(bead["assignee"] and bead["status"] in ("hooked", "in_progress") for bead in held)
    started = len((live.path / "begun.w0").read_text().splitlines())
    live.tick()
    live.soon(lambda: live.alive() == [])  # by hand: a tick starts its rounds and no agent
    assert len((live.path / "begun.w0").read_text().splitlines()) == started
    (live.path / "go").touch()
    live.gt("up", "--no-cron")
    live.until(lambda: live.is_closed(*beads), 60)
    assert live.files() >= {"w0.txt", "w1.txt"}
    live.check()


def test_down_in_the_middle_of_a_landing(make: Make, tmp_path: Path) -> None:
    gate = f"echo $$ >> {tmp_path}/gates; setsid sleep 600 & while test ! -e {tmp_path}/pass; do sleep 0.1; done"
    live = make(gate)
    first, second = live.slung("First", "echo x > first.txt"), live.slung("Second", "echo x > second.txt")
    live.until((tmp_path / "gates").exists)
    down(live)
    assert not live.is_closed(first) and not live.is_closed(second)
    (tmp_path / "pass").touch()
    live.gt("up", "--no-cron")
    live.until(lambda: live.is_closed(first, second))
    assert live.files() >= {"first.txt", "second.txt"} and live.landed() == sorted([first, second])
    live.check()


@pytest.mark.parametrize("kind", STRAYS)
def test_a_gate_leaves_nothing_running(make: Make, kind: str) -> None:
    """M13: also what left its session and dropped its environment is gone when the gate has ended."""
    live = make(STRAYS[kind] + "\ntrue")
    bead = live.slung("Work", "echo x > work.txt")
    live.until(lambda: live.is_closed(bead))
    live.soon(lambda: live.alive() == [])
    live.check()


def test_down_in_the_middle_of_a_push(make: Make, tmp_path: Path) -> None:
    live = make(remote=True)
    hook = Path(str(live.remote), "hooks/pre-receive")
    hook.write_text(f"#!/bin/sh\ncase $(cat) in *refs/heads/main*) ;; *) exit 0;; esac\necho x >> {tmp_path}/pushing\n"
                    f"n=0; while test ! -e {tmp_path}/pass && [ $n -lt 300 ]; do sleep 0.1; n=$((n+1)); done\n")
    hook.chmod(0o755)
    bead = live.slung("Work", "echo x > work.txt")
    live.until((tmp_path / "pushing").exists)
    down(live)
    (tmp_path / "pass").touch()
    live.gt("up", "--no-cron")
    live.until(lambda: live.is_closed(bead))
    assert "work.txt" in live.files() and live.landed() == [bead]
    live.check()


@pytest.mark.parametrize("kind", ["setsid", "deaf", "no token", "double fork", "closed"])
def test_a_worker_whose_runner_was_killed_before(make: Make, kind: str) -> None:
    """The agent and its strays are orphans; down finds them by the token, else by folder and mark, in whatever session they are."""
    live = make()
    bead = live.slung("Orphans", waiting(live, "w", STRAYS[kind]))
    live.soon(lambda: begun(live, "w"))
    beat = json.loads(Path(live.rig.polecat(live.get(bead)["assignee"].rpartition("/")[2]).heartbeat).read_text())
    os.kill(beat["pid"], signal.SIGKILL)
    down(live)
    (live.path / "go").touch()
    live.gt("up", "--no-cron")
    live.until(lambda: live.is_closed(bead), 60)
    live.check()


def test_a_person_in_the_towns_folders_is_named_and_not_ended(make: Make) -> None:
    live = make()
    shell = os.posix_spawn("/bin/sh", ["sh", "-c", f"cd {live.town.root} && exec sleep 600"], os.environ)
    try:
        live.soon(lambda: any(found.pid == shell for found in processes.below(live.town.root)))
        done = live.run("gt", "down")
        assert done.code == 0 and str(shell) in done.out + done.err and os.waitpid(shell, os.WNOHANG) == (0, 0), done
    finally:
        os.kill(shell, signal.SIGKILL)
        os.waitpid(shell, 0)


def test_down_and_up_again_and_again_lands_everything_once(make: Make) -> None:
    """Cut at moments that fall where they fall."""
    live = make("sleep 0.3")
    beads = [live.slung(f"Bead {n}", f"sleep 0.{n}; echo x > f{n}.txt") for n in range(2)]
    for pause in (0.4, 1.2):
        time.sleep(pause)  # where it cuts is of no matter, so nothing is waited for
        down(live)
        live.gt("up", "--no-cron")
    live.until(lambda: live.is_closed(*beads), 60)
    assert live.landed() == sorted(beads) and live.files() >= {"f0.txt", "f1.txt"}
    live.check()


def test_the_daemon_loop_ends_with_the_town(make: Make) -> None:
    live = make()
    words = builders.command("gt", "daemon", "run", "--every", "1")
    loop = os.posix_spawn(sys.executable, [*words[:1], *words[1:]], {**os.environ, "GT_ROOT": live.town.root})
    live.soon(lambda: lock.is_held(live.town.lock("daemon")))
    done = live.run("gt", "down")
    assert done.code == 0, done
    assert os.waitpid(loop, 0)[0] == loop and live.alive() == []
