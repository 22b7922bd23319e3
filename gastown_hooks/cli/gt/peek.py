"""gt peek: the last output of an agent."""

from __future__ import annotations

import os

import click

from gastown_hooks.cli.common import say, town_and_caller
from gastown_hooks.cli.gt.session import worker_named
from gastown_hooks.core.errors import NotFound

_MOST = 1 << 20


@click.command()
@click.argument("agent", metavar="RIG/AGENT")
@click.argument("count", metavar="[N]", type=click.IntRange(1, 100_000), default=40)
def cli(agent: str, count: int) -> None:
    """The last N lines of what the agent program printed, control characters escaped."""
    town, _ = town_and_caller()
    rig, name = worker_named(town, agent)
    home = rig.polecat(name)
    if not os.path.isdir(home.root):
        raise NotFound(f"no worker {rig.name}/{name}", why="it is retired, or never was", next=f"gt polecat list {rig.name}")
    for line in last_lines(home.transcript, count):
        say(line)


def last_lines(path: str, count: int) -> list[str]:
    """The file's last lines (of its last MiB); none where there is no file."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _MOST))
            data = file.read(_MOST)
    except FileNotFoundError:
        return []
    return data.decode("utf-8", "replace").rstrip("\n").split("\n")[-count:] if data else []
