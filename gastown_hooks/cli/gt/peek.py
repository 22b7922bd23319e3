"""gt peek: what an agent printed, and prints."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

import click

from gastown_hooks.cli.common import emit_json, json_option, remark, say, town_and_caller, worker_named
from gastown_hooks.core.errors import Corrupt, NotFound
from gastown_hooks.core.paths import Home
from gastown_hooks.runtime import claude
from gastown_hooks.work import lease as leases
from gastown_hooks.work import wake

_MOST = 1 << 20
_LOOK = 0.2


@click.command(short_help="The last lines that a worker's agent printed.")
@click.argument("agent", metavar="RIG/NAME")
@click.argument("count", metavar="[N]", type=click.IntRange(1, 100_000), default=40)
@click.option("-f", "--follow", is_flag=True, help="Go on as it prints more, until the worker is gone or Ctrl-C.")
@json_option
def cli(agent: str, count: int, follow: bool, as_json: bool) -> None:
    """The last N lines (default: 40) of what a worker's agent program printed, control characters escaped.

    With --follow it ends by itself, with exit code 0, when the worker is retired; with --json it then prints one object a line.

    \b
    Examples:
      gt peek greenplace/toast
      gt peek greenplace/toast 200
      gt peek greenplace/toast -f
    """
    town, _ = town_and_caller()
    rig, name = worker_named(town, agent)
    home, who = rig.polecat(name), f"{rig.name}/{name}"
    if not os.path.isdir(home.root):
        raise NotFound(f"no worker {who}", why="it is retired, or never was", next=f"gt polecat list {rig.name}")
    if follow:
        _follow(who, Tail(home, count), as_json)
        return
    lines = _shown(last_lines(home.transcript, _MOST))[-count:]
    if as_json:
        emit_json({"worker": who, "lines": lines})
        return
    for line in lines:
        say(line)
    if not lines:
        remark(f"{who} has printed nothing yet" + (f"; start it: gt session start {who}" if wake.runner_is_free(home) else ""))


def _follow(who: str, tail: Tail, as_json: bool) -> None:
    for lines in tail.follow():
        for line in lines:
            say(json.dumps({"worker": who, "line": line}) if as_json else line)
        sys.stdout.flush()
    remark(f"{who} is gone")


def _shown(lines: list[str]) -> list[str]:
    return [shown for line in lines for shown in claude.readable(line)]


class Tail:
    """What one claim's worker prints, as it comes; a transcript that was replaced or cut is read from its beginning."""

    def __init__(self, home: Home, count: int) -> None:
        self.home, self.count, self.fence = home, count, _fence(home)
        self.file: BinaryIO | None = None
        self.rest = b""

    def follow(self) -> Iterator[list[str]]:
        """The last lines, then what comes, until the worker is gone."""
        self._open()
        if self.file is not None and (skipped := os.fstat(self.file.fileno()).st_size - _MOST) > 0:
            self.file.seek(skipped)
            self.file.readline()  # the rest of a line
        yield _shown(self._read())[-self.count:]
        while not self._is_gone():
            time.sleep(_LOOK)
            if lines := _shown(self._read()):
                yield lines
            if self._is_replaced():
                self._open()
        yield _shown(self._read())  # its last words

    def _read(self) -> list[str]:
        if self.file is None:
            return []
        *whole, self.rest = (self.rest + self.file.read()).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]

    def _open(self) -> None:
        if self.file is not None:
            self.file.close()
        self.file, self.rest = None, b""
        with contextlib.suppress(FileNotFoundError):  # nothing printed yet
            self.file = open(self.home.transcript, "rb")

    def _is_replaced(self) -> bool:
        try:
            there = os.stat(self.home.transcript)
        except FileNotFoundError:
            return False
        return self.file is None or not os.path.samestat(there, os.fstat(self.file.fileno())) or there.st_size < self.file.tell()

    def _is_gone(self) -> bool:
        """Retired; another claim under the same name is another worker."""
        fence = _fence(self.home)
        return not os.path.isdir(self.home.root) or (None not in (fence, self.fence) and fence != self.fence)


def _fence(home: Home) -> int | None:
    try:
        lease = leases.read(home)
    except Corrupt:
        return None
    return lease.fence if lease is not None else None


def last_lines(path: str, count: int) -> list[str]:
    """The file's last lines (of its last MiB); none where there is no file."""
    try:
        with open(path, "rb") as file:
            skipped = max(0, os.fstat(file.fileno()).st_size - _MOST)
            file.seek(skipped)
            data = file.read(_MOST)
            if skipped:
                data = data.partition(b"\n")[2]  # the rest of a line
    except FileNotFoundError:
        return []
    return data.decode("utf-8", "replace").rstrip("\n").split("\n")[-count:] if data else []
