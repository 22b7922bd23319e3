"""`bd prime`: the tracker in few words, for an agent's session."""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.stores import callers
from gastown_hooks.work import bd_prime
from gastown_hooks.work.world import discovery


@click.command(short_help="What an agent must know of the tracker here.")
@click.option("--full", is_flag=True, help="Also the rarer commands.")
@click.option("--mcp", is_flag=True, help="One line, for a program that has the commands as tools.")
@common.json_option
def cli(full: bool, mcp: bool, as_json: bool) -> None:
    """Print how beads are worked with here, what you have begun and what is ready: at most 4 kB, for the start of a session and after a
    compaction. Where there is no ledger it says nothing, so it may stand in a session hook for every project.

    \b
    Examples:
      bd prime
      bd prime --full
    """
    if full and mcp:
        raise BadInput("--full and --mcp contradict each other")
    there = any(found is not None for _, found in discovery(callers.caller()))
    text = "" if not there else bd_prime.short() if mcp else bd_prime.text(_shared.world(), clock.now(), full=full)
    if as_json:
        common.emit_json({"text": text})
    elif text:
        common.say(text)
