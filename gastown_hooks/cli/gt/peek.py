"""gt peek: the last output of an agent."""

from __future__ import annotations

import os

import click

from gastown_hooks.cli.common import emit_json, json_option, remark, say, town_and_caller, worker_named
from gastown_hooks.core.errors import NotFound
from gastown_hooks.runtime import claude
from gastown_hooks.work import wake

_MOST = 1 << 20


@click.command(short_help="The last lines that a worker's agent printed.")
@click.argument("agent", metavar="RIG/NAME")
@click.argument("count", metavar="[N]", type=click.IntRange(1, 100_000), default=40)
@json_option
def cli(agent: str, count: int, as_json: bool) -> None:
    """The last N lines (default: 40) of what a worker's agent program printed, control characters escaped.

    \b
    Examples:
      gt peek greenplace/toast
      gt peek greenplace/toast 200
    """
    town, _ = town_and_caller()
    rig, name = worker_named(town, agent)
    home = rig.polecat(name)
    if not os.path.isdir(home.root):
        raise NotFound(f"no worker {rig.name}/{name}", why="it is retired, or never was", next=f"gt polecat list {rig.name}")
    lines = [shown for line in last_lines(home.transcript, _MOST) for shown in claude.readable(line)][-count:]
    if as_json:
        emit_json({"worker": f"{rig.name}/{name}", "lines": lines})
        return
    for line in lines:
        say(line)
    if not lines:
        free = wake.runner_is_free(home)
        remark(f"{rig.name}/{name} has printed nothing yet" + (f"; start it: gt session start {rig.name}/{name}" if free else ""))


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
