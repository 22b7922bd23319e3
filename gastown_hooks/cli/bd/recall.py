"""`bd recall`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.work import memories


@click.command(short_help="Show what was kept under a key.")
@click.argument("key")
@common.json_option
def cli(key: str, as_json: bool) -> None:
    """Show what bd remember kept under this key.

    \b
    Examples:
      bd recall tests
    """
    found = memories.recall(_shared.world().home(), key)
    if as_json:
        common.emit_json({"key": found["title"], "value": found.get("description", "")})
    else:
        common.say(found.get("description", ""))
