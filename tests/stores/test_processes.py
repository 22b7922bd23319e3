"""Processes: identity, signals that hit nobody else, and ends that leave nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gastown_hooks.core import clock
from gastown_hooks.stores import processes
from gastown_hooks.stores.processes import Process


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(words: list[str], **settings: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(words, **settings))  # type: ignore[call-overload]
        return started[-1]

    yield begin
    for one in started:
        one.kill()
        one.wait()
        if one.stdout is not None:
            one.stdout.close()


def sleeper(tmp_path: Path, token: str = "town.worker") -> dict[str, object]:
    return {"env": {**os.environ, "GT_TOKEN": token}, "cwd": tmp_path}


def test_the_calling_process_is_alive() -> None:
    me = processes.this()
    assert me.pid == os.getpid() and processes.is_alive(me) is True


def test_an_ended_process_and_a_zombie_are_dead(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    child = start(["sleep", "60"])
    found = processes.find(child.pid)
    assert found is not None and processes.is_alive(found) is True
    child.kill()
    until(lambda: processes.is_alive(found) is False)  # not waited for: a zombie
    assert child.wait() == -signal.SIGKILL
    assert processes.is_alive(found) is False


def test_another_boot_means_dead() -> None:
    me = processes.this()
    assert processes.is_alive(Process(me.pid, me.start, "00000000-0000-0000-0000-000000000000")) is False


@pytest.mark.parametrize("pid", [-1, 0, 1, 2**31, 2**63])
def test_an_impossible_or_forged_pid_is_never_signalled(pid: int) -> None:
    stat = processes._stat(1)
    assert stat is not None
    assert processes.send(Process(pid, stat[2], clock.boot_id()), signal.SIGTERM) is False


def test_the_caller_and_its_ancestors_are_never_signalled() -> None:
    me = processes.this()
    parent = processes.find(os.getppid())
    assert parent is not None
    assert processes.send(me, signal.SIGTERM) is False
    assert processes.send(parent, 0) is False


def test_a_reused_pid_is_not_signalled(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    child = start(["sleep", "60"])
    found = processes.find(child.pid)
    assert found is not None
    for off in (-1, 1, 100):
        assert processes.send(Process(found.pid, found.start + off, found.boot_id), signal.SIGKILL) is False
    assert child.poll() is None
    assert processes.send(found, signal.SIGKILL) is True
    assert child.wait() == -signal.SIGKILL


def test_a_process_without_the_token_is_not_signalled(start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    child = start(["sleep", "60"], **sleeper(tmp_path, "one.worker"))
    until(lambda: processes.with_token("one.worker"))
    found = processes.find(child.pid)
    assert found is not None
    assert processes.send(found, signal.SIGKILL, token="other.worker") is False
    assert processes.send(found, signal.SIGKILL, token="other.") is False
    assert child.poll() is None
    assert processes.send(found, signal.SIGKILL, token="one.") is True


def test_processes_are_found_by_token_and_by_folder(start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    inside, beside = tmp_path / "tree", tmp_path / "tree2"
    inside.mkdir()
    beside.mkdir()
    one = start(["sleep", "60"], **sleeper(inside, "t1.w"))
    two = start(["sleep", "60"], **sleeper(beside, "t12.w"))
    until(lambda: processes.with_token("t1.w") and processes.with_token("t12.w"))
    assert [p.pid for p in processes.with_token("t1.w")] == [one.pid]
    assert [p.pid for p in processes.with_token("t1.", prefix=True)] == [one.pid]
    assert {p.pid for p in processes.with_token("t1", prefix=True)} == {one.pid, two.pid}
    until(lambda: [p.pid for p in processes.below(str(inside))] == [one.pid])
    inside.rmdir()
    assert [p.pid for p in processes.below(str(inside))] == [one.pid]  # the folder is gone, its process is not


def test_a_process_is_known_by_its_token_while_it_becomes_another_program(start: Callable[..., subprocess.Popen[bytes]],
                                                                          tmp_path: Path) -> None:
    """In the middle of an exec its environment is empty."""
    (tmp_path / "again").write_text('#!/bin/sh\nexec "$0"\n')
    (tmp_path / "again").chmod(0o755)
    child = start([tmp_path / "again"], **sleeper(tmp_path, "t3.w"))
    until(lambda: processes.with_token("t3.w"))
    found = processes.find(child.pid)
    assert found is not None
    assert [look for look in range(30_000) if not processes.carries(found, "t3.w")] == []
    bare = start(["env", "-i", "sleep", "60"])
    until(lambda: b"sleep" in Path(f"/proc/{bare.pid}/cmdline").read_bytes()[:5])
    begun = time.monotonic()
    assert bare.pid not in [process.pid for process in processes.with_token("", prefix=True)] and time.monotonic() - begun < 2


def test_children_and_descendants() -> None:
    script = "import subprocess, sys; c = subprocess.Popen(['sleep', '60']); print(c.pid, flush=True); c.wait()"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert {child.pid, grandchild} <= {p.pid for p in processes.descendants_of(os.getpid())}
        os.kill(grandchild, signal.SIGKILL)


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
kinds = [dict(), dict(start_new_session=True), dict(process_group=0)]
for kind in kinds:
    subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], **kind)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            subprocess.Popen(["sleep", "60"], start_new_session=True)  # a spawner that outruns a single pass
            time.sleep(0.002)
    os._exit(0)
print("up", flush=True)
while True:
    time.sleep(1)
"""


def test_end_leaves_nothing_of_a_tree_that_resists(start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    token = f"t.{os.urandom(6).hex()}"
    child = start([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, **sleeper(tmp_path, token))
    assert child.stdout is not None and child.stdout.readline() == b"up\n"
    until(lambda: len(processes.with_token(token)) > 8)
    assert processes.end(lambda: processes.with_token(token), 0.3, meanwhile=child.poll) == []
    assert processes.with_token(token) == []


def test_end_gives_time_to_end_in_good_order(start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    token, mark = f"t.{os.urandom(6).hex()}", tmp_path / "mark"
    start(["sh", "-c", f"trap 'echo ended > {mark}; exit' TERM; echo up > {tmp_path}/up; while :; do sleep 0.02; done"],
          **sleeper(tmp_path, token))
    until((tmp_path / "up").exists)
    assert processes.end(lambda: processes.with_token(token), 10.0) == []
    assert mark.read_text() == "ended\n"


def test_await_end(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    child = start(["sleep", "60"])
    found = processes.find(child.pid)
    assert found is not None and processes.await_end(found, 0.01) is False
    child.kill()
    child.wait()
    assert processes.await_end(found, 5.0) is True
