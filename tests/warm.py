"""`gt` and `bd` in forks of an interpreter that has loaded all but the program: half the time that a new one takes.

Each command is a process with words, folder, environment and streams of its own, and imports the program afresh. What only
a new interpreter has, its environment in /proc and the entry scripts, has tests of its own.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

import builders
from builders import Finished

_server: list[tuple[socket.socket, subprocess.Popen[bytes]]] = []


def run(program: str, *args: str, cwd: Path | str, env: Mapping[str, str] | None = None, input: str | None = None,
        timeout: float = 120, by_click: bool = False) -> Finished:
    """As `builders.run`; `by_click`: without its hot verbs, click reads every command line."""
    if not by_click and any(name.startswith("PYTHON") for name in env or ()):  # for the interpreter: it needs a new one
        return builders.run(builders.command(program, *args), cwd=cwd, env=env, input=input, timeout=timeout)
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write((input or "").encode())
        stdin.seek(0)
        words = json.dumps([by_click, [program, *args], str(cwd), {**os.environ, **(env or {})}]).encode()
        server = _started()
        server.settimeout(timeout)
        socket.send_fds(server, [len(words).to_bytes(4, "big")], [stdin.fileno(), out.fileno(), err.fileno()])
        try:
            server.sendall(words)
            code = int.from_bytes(server.recv(4), "big", signed=True)
        except TimeoutError:
            _end()
            raise
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
        return Finished(code, *texts)


class Run(builders.Run):
    """As `builders.Run`."""

    def __call__(self, program: str, *args: str, cwd: Path | str | None = None, env: Mapping[str, str] | None = None,
                 input: str | None = None, timeout: float = 120) -> Finished:
        return run(program, *args, cwd=cwd or self.cwd, env=env, input=input, timeout=timeout)


def _started() -> socket.socket:
    if not _server:
        ours, theirs = socket.socketpair()
        places = [str(builders.ROOT), str(builders.ROOT / "tests")]
        start = f"import sys; sys.path[:0] = {places!r}; import warm; warm.serve({theirs.fileno()})"
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}  # not the test's, whose processes are looked for
        process = subprocess.Popen([sys.executable, "-c", start], pass_fds=[theirs.fileno()], env=environment, cwd="/", process_group=0)
        theirs.close()
        _server.append((ours, process))
        atexit.register(_end)
    return _server[0][0]


def _end() -> None:
    while _server:
        ours, process = _server.pop()
        ours.close()
        os.killpg(process.pid, signal.SIGKILL)  # and the command that took too long
        process.wait()


# ---- in the other process

def serve(fd: int) -> None:
    """Fork for each request, one after the other, and answer with the exit code, until nobody asks any more."""
    asked = socket.socket(fileno=fd)
    for name in _foreign():
        importlib.import_module(name)
    while True:
        head, fds, _, _ = socket.recv_fds(asked, 4, 3)
        if not head:
            return
        words = b""
        while len(words) < int.from_bytes(head, "big"):
            words += asked.recv(1 << 16)
        pid = os.fork()
        if pid == 0:
            asked.close()
            _child(fds, *json.loads(words))
        for one in fds:
            os.close(one)
        asked.sendall(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]).to_bytes(4, "big", signed=True))


def _foreign() -> list[str]:
    """The modules that the program imports and that are not its own."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        package = importlib.import_module("gastown_hooks")
        for found in pkgutil.walk_packages(package.__path__, "gastown_hooks."):
            importlib.import_module(found.name)
        os.write(writing, " ".join(name for name in sys.modules if not name.startswith(("gastown_hooks", "_", "warm"))).encode())
        os._exit(0)
    os.close(writing)
    os.wait()
    with open(reading, "rb") as names:
        return names.read().decode().split()


def _child(fds: list[int], by_click: bool, words: list[str], cwd: str, environment: dict[str, str]) -> None:
    code = 1
    try:
        for place, one in enumerate(fds):
            os.dup2(one, place)
            os.close(one)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        sys.stdin = open(0, encoding="utf-8", errors="surrogateescape")
        sys.stdout, sys.stderr = open(1, "w", encoding="utf-8"), open(2, "w", encoding="utf-8")
        sys.argv = words
        from gastown_hooks import front
        if by_click:
            front._fast = lambda name, words: None
        code = getattr(front, words[0])()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
