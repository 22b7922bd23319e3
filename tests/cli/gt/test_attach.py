"""gt attach: a worker's session goes to a person and comes back, and no two agents share the tree."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import builders
import pytest
from terminal import Terminal
from workers import WorkerTown, until

from gastown_hooks.core import fsio, lock
from gastown_hooks.core.errors import LockTimeout
from gastown_hooks.core.paths import Home
from gastown_hooks.runtime import attach
from gastown_hooks.stores import beats, config
from gastown_hooks.work import lease as leases

# With a prompt it works until it may end; without one it does what the person types.
AGENT = """
import os, subprocess, sys, time
def say(text):
    with open({log!r}, "a") as log:
        log.write(text + "\\n")
if len(sys.argv) > 1:
    say("turn")
    while not os.path.exists({go!r}):
        time.sleep(0.02)
    say("turn over")
else:
    say("person")
    for line in sys.stdin:
        if line.strip() == "bye":
            break
        subprocess.run(["sh", "-c", line])
    say("person left")
"""


class Attached:
    """A worker at its first turn, and terminals of people who want its session."""

    def __init__(self, tmp_path: Path, *, running: bool = False, begun: bool = True) -> None:
        self.town = WorkerTown(tmp_path, running=running)
        self.log, self.go = tmp_path / "log", tmp_path / "go"
        self.log.touch()
        self.town.agent(AGENT.format(log=str(self.log), go=str(self.go)))
        self.town.bead()
        self.home: Home = self.town.sling(agent="fake")
        self.terminals: list[Terminal] = []
        self.runner = self.town.begin() if begun else None
        if begun:
            until(lambda: self.said("turn"))

    def said(self, *lines: str) -> bool:
        """Whether exactly this was said so far."""
        return self.log.read_text().splitlines() == list(lines)

    def attach(self, *words: str) -> Terminal:
        line = shlex.join(builders.command("gt", "-C", self.town.town.root, "attach", "gp/toast", *words))
        self.terminals.append(Terminal(f"exec {line}", {"GT_WAKE": "inline"}))
        return self.terminals[-1]

    def gt(self, *words: str) -> builders.Finished:
        return builders.run(builders.command("gt", *words), cwd=self.town.town.root)

    def close(self) -> None:
        for terminal in self.terminals:
            terminal.close()
        if self.runner is not None:
            self.gt("session", "stop", "gp/toast")
            self.runner.wait(30)


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Attached]:
    one = Attached(tmp_path)
    yield one
    one.close()


def test_the_turn_is_awaited_and_the_runner_ends_what_the_person_submitted(at_work: Attached) -> None:
    terminal = at_work.attach()
    terminal.until(lambda: b"when its turn ends" in terminal.screen and os.path.exists(at_work.home.attach))
    assert at_work.said("turn")
    at_work.go.touch()
    terminal.until(lambda: at_work.said("turn", "turn over", "person"))
    beat = beats.read(at_work.home.heartbeat)
    assert beat is not None and beat.pid == terminal.process.pid and beat.state == beats.ATTACHED
    assert "running already" in at_work.town.work().out and at_work.town.role("witness", "patrol").out == ""
    assert json.loads(at_work.gt("polecat", "status", "gp/toast", "--json").out)["state"] == "by-hand"
    other = at_work.attach()
    other.until(lambda: b"taken over already" in other.screen and other.process.poll() not in (None, 0))
    terminal.type("echo x > x.txt; git add -A; git commit -qm x && gt done")
    terminal.until(lambda: (at_work.town.path / "town/refinery-rounds").exists())  # landing does not wait for the person to leave
    assert at_work.runner is not None and at_work.runner.poll() is None and os.path.exists(at_work.home.tree)
    terminal.type("bye")
    assert at_work.runner.wait(30) == 0 and not os.path.exists(at_work.home.root)
    assert at_work.said("turn", "turn over", "person", "person left") and len(at_work.town.requests()) == 1


def test_now_ends_the_turn_and_a_killed_session_is_noticed(at_work: Attached) -> None:
    terminal = at_work.attach("--now")
    terminal.until(lambda: at_work.said("turn", "person"))
    record = at_work.town.turns(at_work.home)
    assert record["ended"] == "attached" and record["begun"] == 1 and record["failures"] == 0
    terminal.type("setsid sleep 300 &")
    lease = leases.read(at_work.home)
    assert lease is not None
    terminal.until(lambda: len(at_work.town.alive()) >= 3)
    os.kill(terminal.process.pid, signal.SIGKILL)
    until(lambda: at_work.said("turn", "person", "turn"))
    assert at_work.town.turns(at_work.home)["begun"] == 1  # what a person cut is not counted
    assert not any(b"sleep\x00300" in Path(f"/proc/{process.pid}/cmdline").read_bytes() for process in at_work.town.alive())


def test_who_gives_up_waiting_leaves_no_trace(at_work: Attached) -> None:
    terminal = at_work.attach()
    terminal.until(lambda: os.path.exists(at_work.home.attach))
    terminal.process.send_signal(signal.SIGINT)
    terminal.until(lambda: terminal.process.poll() == 130)
    assert not os.path.exists(at_work.home.attach) and at_work.said("turn")


def test_a_runner_that_dies_meanwhile_is_not_replaced_before_the_person_leaves(tmp_path: Path) -> None:
    one = Attached(tmp_path, running=True)
    terminal = one.attach("--now")
    try:
        terminal.until(lambda: one.said("turn", "person"))
        assert one.runner is not None
        one.runner.kill()
        one.runner.wait()
        assert one.town.role("witness", "patrol").out == "" and "is at work" in one.town.work().err
        assert one.said("turn", "person")
        terminal.type("bye")
        terminal.until(lambda: terminal.process.poll() == 0)
        one.go.touch()
        config.set(one.town.town, one.town.rig, "max_turns", 1)
        assert "started" in one.town.role("witness", "patrol").out and one.said("turn", "person", "person left", "turn", "turn over")
    finally:
        one.close()


def test_without_a_runner_the_session_holds_the_tree_by_itself(tmp_path: Path) -> None:
    one = Attached(tmp_path, begun=False)
    told = one.gt("attach", "gp/toast", "--print")
    assert told.out == f"cd {one.home.tree} && {sys.executable} {one.town.path / 'fake.py'}\n"
    shown = json.loads(one.gt("attach", "gp/toast", "--dry-run", "--json").out)
    assert shown["line"] == told.out.strip() and not shown["runner"] and shown["session"] is None and not os.path.exists(one.home.attach)
    terminal = one.attach()
    try:
        terminal.until(lambda: one.said("person"))
        assert b"a new session" in terminal.screen and "is at work" in one.town.work().err
        terminal.type("bye")
        terminal.until(lambda: terminal.process.poll() == 0)
    finally:
        one.close()


def test_a_dry_run_says_what_becomes_of_the_turn(at_work: Attached) -> None:
    waits, ends = (at_work.gt("attach", "gp/toast", "--dry-run", *words).out for words in ((), ("--now",)))
    assert "would wait for the end of its turn" in waits and "would end its turn" in ends and "go on afterwards" in ends
    assert at_work.said("turn")


def test_a_runner_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Attached(tmp_path, begun=False)
    monkeypatch.setattr(attach, "PATIENCE", 0.1)
    with lock.acquire(one.home.runner_lock), pytest.raises(LockTimeout, match="does not stand aside"):
        attach.take(attach.plan(one.town.rig, "toast"), at_once=True)
    assert not os.path.exists(one.home.attach)


@pytest.mark.parametrize(("agent", "state", "words", "code", "says"), [
    ("fake", "ready", [], 5, "this is no terminal"),
    ("fake", "ready", ["--json"], 2, "--print --json"),
    ("fake", "done", [], 5, "its work is submitted"),
    ("fake", "preparing", [], 5, "not prepared yet"),
    ("exec", "ready", ["--print"], 5, "works without a terminal"),
    ("fake", "", [], 3, "holds no bead")])
def test_there_may_be_nothing_to_take_over(tmp_path: Path, agent: str, state: str, words: list[str], code: int, says: str) -> None:
    town = WorkerTown(tmp_path)
    town.agent("")
    town.bead(run="true")
    home = town.sling(agent=agent)
    lease = leases.read(home)
    assert lease is not None
    leases.advance(home, lease, state) if state else fsio.remove(home.lease)
    done = builders.run(builders.command("gt", "attach", "gp/toast", *words), cwd=town.town.root)
    assert done.code == code and says in done.err and "Traceback" not in done.err
