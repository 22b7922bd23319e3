"""`bd memories`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.work import memories


@click.command(short_help="Show all that was kept.")
@click.argument("text", default="")
@common.json_option
def cli(text: str, as_json: bool) -> None:
    """Show all that bd remember kept, or what holds a text.

    \b
    Examples:
      bd memories
      bd memories race --json
    """
    found = memories.every(_shared.world().home(), text)
    if as_json:
        common.emit_json({record["title"]: record.get("description", "") for record in found})
        return
    for record in found:
        common.say(f"{common.cleaned(record['title'])}: {common.cleaned(str(record.get('description', '')))}")
    if not found:
        common.say("Nothing is remembered")
