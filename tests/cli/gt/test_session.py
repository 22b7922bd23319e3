"""gt session, gt stop, gt peek: ends exactly the recorded processes; shows what an agent printed, made harmless."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import builders
import pytest
from workers import WorkerTown, until

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.paths import Home
from gastown_hooks.core.values import replace
from gastown_hooks.stores import beats, config, processes
from gastown_hooks.work import lease as leases
from gastown_hooks.work import wake


@pytest.fixture
def town(tmp_path: Path) -> WorkerTown:
    return WorkerTown(tmp_path)


def gt(town: WorkerTown, *words: str, **env: str) -> builders.Finished:
    return builders.run(builders.command("gt", *words), cwd=town.town.root, env=env)


def at_work(town: WorkerTown) -> Home:
    """A worker whose agent sleeps, with a stray outside of its session."""
    mark = town.path / "mark"
    town.agent("import subprocess, time\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\n"
               "open('x.txt', 'w').write('kept')\n"
               f"open({str(mark)!r}, 'w').close()\ntime.sleep(300)\n")
    town.bead()
    home = town.sling(agent="fake")
    assert gt(town, "session", "start", "gp/toast", GT_WAKE="spawn").code == 0
    until(mark.exists)
    return home


def test_stop_ends_the_worker_and_keeps_claim_and_work(town: WorkerTown) -> None:
    home = at_work(town)
    bystander = subprocess.Popen(["sleep", "300"], cwd=home.tree)  # somebody's own process in that folder
    told = gt(town, "session", "stop", "gp/toast", "--dry-run")
    assert told.code == 0 and "would stop gp/toast" in told.out and len(town.alive()) >= 3
    done = gt(town, "session", "stop", "gp/toast")
    assert done.code == 0, done.err
    assert town.alive() == [] and bystander.poll() is None and wake.runner_is_free(home)
    bystander.kill()
    bystander.wait()
    assert Path(home.tree, "x.txt").read_text() == "kept" and town.get()["assignee"] == "gp/polecats/toast"
    assert "not running" in gt(town, "session", "stop", "gp/toast").out
    assert town.work().code == 0 and town.turns(home)["stalled"] == "stopped by overseer"


def test_a_stopped_worker_goes_on_when_told_to(town: WorkerTown) -> None:
    home = at_work(town)
    assert gt(town, "session", "stop", "gp/polecats/toast").code == 0
    town.agent("print('here again')\n")
    assert gt(town, "session", "start", "gp/toast", GT_WAKE="inline").code == 0
    assert len(town.requests()) == 1 and not os.path.exists(home.root)  # what the first turn left is finalised


@pytest.mark.parametrize("which", ["init", "shell", "huge", "other"])
def test_a_forged_record_signals_nobody(town: WorkerTown, which: str) -> None:
    town.bead()
    home = town.sling()
    with subprocess.Popen(["sleep", "300"]) as other:
        me = processes.this()
        found = processes.find(other.pid)
        assert found is not None
        pid, start = {"init": (1, 0), "shell": (me.pid, me.start), "huge": (2**31, 1), "other": (found.pid, found.start)}[which]
        beats.write(home.heartbeat, beats.Beat(actor="gp/polecats/toast", session="", pid=pid, start=start, boot_id=clock.boot_id(), seq=1,
                                               progress="", state="working", bead="gp-aaaaa"))
        for words in (["session", "stop", "gp/toast"], ["stop", "--all"], ["stop", "--rig", "gp"]):
            assert gt(town, *words).code == 0
        assert other.poll() is None
        other.kill()


def test_stop_says_which(town: WorkerTown) -> None:
    assert gt(town, "stop").code == 2 and gt(town, "stop", "--all", "--rig", "gp").code == 2
    assert gt(town, "stop", "--rig", "nowhere").code == 3
    assert json.loads(gt(town, "stop", "--all", "--json").out) == []
    assert gt(town, "session", "stop", "gp/nobody").code == 3
    assert gt(town, "session", "stop", "nobody").code == 2


def test_peek_shows_the_end_and_escapes_what_is_not_text(town: WorkerTown) -> None:
    town.bead()
    home = town.sling()
    fsio.write(home.transcript, b"".join(b"line %d\n" % n for n in range(100)) + b"\x1b]0;owned\x07\x9b31m \xff end")
    shown = gt(town, "peek", "gp/toast", "2")
    assert shown.code == 0
    first, second = shown.out.splitlines()
    assert first == "line 99" and "\x1b" not in second and "\x07" not in second and "\\x1b]0;owned\\x07" in second
    assert len(gt(town, "peek", "gp/toast").out.splitlines()) == 40
    fsio.remove(home.transcript)
    empty = gt(town, "peek", "gp/toast")
    assert empty.out == "" and "gt session start gp/toast" in empty.err
    assert json.loads(gt(town, "peek", "gp/toast", "--json").out) == {"worker": "gp/toast", "lines": []}
    assert gt(town, "peek", "gp/nobody").code == 3 and gt(town, "peek", "gp/../..").code == 2


def test_a_sling_killed_before_its_start_is_completed_by_the_same_command(town: WorkerTown) -> None:
    mark = town.path / "mark"
    town.agent(f"import time\nopen({str(mark)!r}, 'a').write('x')\ntime.sleep(300)\n")
    town.bead()
    town.sling(agent="fake")  # as far as a `gt sling --start` came that was killed
    words = ("sling", "gp-aaaaa", "gp", "--start")
    first = gt(town, *words, GT_WAKE="spawn")
    assert first.code == 0 and "gp/polecats/toast (fence 1)" in first.out, first.err
    until(mark.exists)
    again = gt(town, *words, GT_WAKE="spawn")
    assert again.code != 0 and "gp-aaaaa is with gp/polecats/toast" in again.err and mark.read_text() == "x"
    assert again.err.endswith("Next: gt polecat status gp/polecats/toast\n")
    assert gt(town, "session", "stop", "gp/toast").code == 0
    assert "is with" in gt(town, *words, GT_WAKE="spawn").err and town.alive() == []  # it began: stopped on purpose is no kill


def test_of_many_who_sling_and_start_one_bead_one_owns_it(town: WorkerTown) -> None:
    mark = town.path / "mark"
    town.agent(f"import time\nopen({str(mark)!r}, 'a').write('x')\ntime.sleep(300)\n")
    town.bead()
    words = builders.command("gt", "sling", "gp-aaaaa", "gp", "--start", "--agent", "fake")
    slings = [subprocess.Popen(words, cwd=town.town.root, env={**os.environ, "GT_WAKE": "spawn"}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL) for _ in range(6)]
    assert sorted(one.wait(60) == 0 for one in slings) == [False] * 5 + [True]
    until(mark.exists)
    assert gt(town, "session", "stop", "gp/toast").code == 0 and mark.read_text() == "x"


class Follower:
    """`gt peek -f` while it runs."""

    def __init__(self, town: WorkerTown, *words: str) -> None:
        self.out = town.path / "followed"
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(builders.command("gt", "peek", "gp/toast", "-f", *words), cwd=town.town.root, stdout=out,
                                            stderr=subprocess.STDOUT)

    def until(self, *lines: str) -> None:
        until(lambda: self.out.read_text().splitlines() == list(lines))


def test_following_shows_what_comes_until_the_worker_is_gone(town: WorkerTown) -> None:
    town.bead()
    home = town.sling()
    transcript = Path(home.transcript)
    transcript.write_text("a\nb\nc\nhal")
    follower = Follower(town, "2")
    try:
        follower.until("b", "c")
        with open(transcript, "a") as file:
            file.write('f\n{"type":"assistant","message":{"content":[{"type":"text","text":"hi \\u001b"}]}}\n')
        follower.until("b", "c", "half", "hi \\x1b")
        fsio.rename(str(transcript), f"{transcript}.1")
        transcript.write_text("new file\n")
        follower.until("b", "c", "half", "hi \\x1b", "new file")
        transcript.write_text("cut\n")
        follower.until("b", "c", "half", "hi \\x1b", "new file", "cut")
        removed = gt(town, "polecat", "nuke", "gp/toast", "--force")
        assert removed.code == 0, removed.err
        assert follower.process.wait(20) == 0
        follower.until("b", "c", "half", "hi \\x1b", "new file", "cut", "gp/toast is gone")
    finally:
        follower.process.kill()
        follower.process.wait()


def test_following_ends_with_ctrl_c_and_with_another_claim_of_that_name(town: WorkerTown) -> None:
    town.bead()
    home = town.sling()
    follower = Follower(town, "--json")
    Path(home.transcript).write_text("a\n")
    follower.until('{"worker": "gp/toast", "line": "a"}')
    follower.process.send_signal(signal.SIGINT)
    assert follower.process.wait(20) == 130
    follower = Follower(town)
    follower.until("a")
    lease = leases.read(home)
    assert lease is not None
    leases.write(home, replace(lease, fence=lease.fence + 1))
    assert follower.process.wait(20) == 0 and gt(town, "peek", "gp/nobody", "-f").code == 3


@pytest.mark.parametrize(("agent", "code", "words"), [
    ("import time; time.sleep(300)", 0, "started gp/toast on gp-aaaaa; look: gt peek gp/toast\n"),
    ("raise SystemExit(3)", 0, "started gp/toast on gp-aaaaa, but its turn failed at once; it is tried again; look: gt peek"),
    ("open('x', 'w')", 0, "gp/toast worked on gp-aaaaa and ended: bd show gp-aaaaa\n"),
    ("", 5, "gp/toast stalled at once: it stops without having changed anything. Next: gt peek gp/toast, then gt session start gp/toast\n"),
    (None, 5, "gp/toast stalled at once: /gone/agent: No such file or directory. Next: gt peek gp/toast, then")])
def test_start_says_what_came_of_it(town: WorkerTown, agent: str | None, code: int, words: str) -> None:
    config.set(town.town, town.rig, "max_turns", 2)
    town.agent(agent or "")
    if agent is None:
        config.set(town.town, None, "agents.fake", {"command": "/gone/agent", "like": "claude"})
        config.set(town.town, town.rig, "permission_mode", "dontAsk")  # is not what it stalls of
    town.bead()
    town.sling(agent="fake")
    done = gt(town, "session", "start", "gp/toast", GT_WAKE="spawn")
    assert (done.code, words in done.out + done.err) == (code, True), done
    assert gt(town, "session", "stop", "gp/toast").code == (3 if "ended:" in words else 0)


def test_it_works_where_whoever_starts_it_ignores_the_ends_of_children(town: WorkerTown) -> None:
    words = [sys.executable, "-c",
             "import os, signal, sys\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nos.execv(sys.argv[1], sys.argv[1:])"]
    town.bead(run="echo x > x.txt; exit 3")
    home = town.sling()
    done = builders.run([*words, *builders.command("gt", "session", "start", "gp/toast")], cwd=town.town.root, env={"GT_WAKE": "spawn"})
    until(lambda: town.turns(home).get("failures") == 1)  # the runner, and the agent program that it starts, are told how theirs ended
    assert done.code == 0 and gt(town, "session", "stop", "gp/toast").code == 0
    programs, table = town.path / "programs", town.path / "table"
    programs.mkdir()
    (programs / "crontab").write_text(f"#!/bin/sh\n[ $1 = - ] && exec cat > {table}\necho locked >&2; exit 1\n")
    (programs / "crontab").chmod(0o755)
    done = builders.run([*words, *builders.command("gt", "daemon", "start")], cwd=town.town.root,
                        env={"PATH": f"{programs}:{os.environ['PATH']}"})
    assert done.code == 1 and "cannot read the crontab: locked" in done.err and not table.exists()


def test_start_names_a_worker_without_a_bead(town: WorkerTown) -> None:
    assert gt(town, "session", "start", "gp/toast").code == 3
