"""`bd forget`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.work import memories, removal


@click.command(short_help="Drop what was kept under a key.")
@click.argument("key")
@common.dry_run_option
@common.json_option
def cli(key: str, dry_run: bool, as_json: bool) -> None:
    """Drop what bd remember kept under this key.

    \b
    Examples:
      bd forget tests
    """
    where = _shared.world()
    ledger = where.home()
    found = memories.recall(ledger, key)
    removal.delete(ledger, where.caller, clock.now(), [found["id"]], "forgotten", dry_run=dry_run)
    if as_json:
        common.emit_json({"key": found["title"], "forgotten": not dry_run})
    else:
        common.say(f"{'Would forget' if dry_run else '✓ Forgot'} {common.cleaned(found['title'])}")
