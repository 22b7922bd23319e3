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
@click.option("--memories-only", is_flag=True, help="Only what is remembered (bd remember).")
@click.option("--export", is_flag=True, help="This text also where .beads/PRIME.md has another: to begin one with.")
@click.option("--stealth", is_flag=True, help="Say nothing of git: for a ledger that others are not to see.")
@click.option("--hook-json", is_flag=True, help="As the answer of a SessionStart hook, with the text as its additionalContext.")
@common.json_option
def cli(full: bool, mcp: bool, memories_only: bool, export: bool, stealth: bool, hook_json: bool, as_json: bool) -> None:
    """Print how beads are worked with here, what you have begun and what is ready: at most 4 kB, for the start of a session and after a
    compaction. Where there is no ledger it says nothing, so it may stand in a session hook for every project. A text of your own in
    .beads/PRIME.md is printed instead.

    \b
    Examples:
      bd prime
      bd prime --full
      bd prime --hook-json
      bd prime --export > .beads/PRIME.md
    """
    if full + mcp + memories_only > 1 or ((stealth or export) and (mcp or memories_only)):
        raise BadInput("--full, --mcp and --memories-only contradict each other, the last two also --stealth and --export")
    if hook_json and as_json:
        raise BadInput("--hook-json and --json contradict each other")
    text = ""
    if any(found is not None for _, found in discovery(callers.caller())):
        where = _shared.world()
        own = None if mcp or memories_only or export else bd_prime.own(where)
        text = (bd_prime.short() if mcp else bd_prime.memories_of(where) if memories_only
                else bd_prime.text(where, clock.now(), full=full, stealth=stealth) if own is None else own)
    if hook_json and text:
        common.emit_json({"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": text}})
    elif as_json:
        common.emit_json({"text": text})
    elif text:
        common.say(text)
