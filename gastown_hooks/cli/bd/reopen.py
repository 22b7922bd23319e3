"""`bd reopen`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.rules import fields
from gastown_hooks.work import beads


@click.command(short_help="Open closed beads again.")
@click.argument("bead_ids", nargs=-1, required=True, metavar="ID...")
@click.option("-r", "--reason", metavar="TEXT", default="", help="Why; kept as a comment.")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], reason: str, dry_run: bool, as_json: bool) -> None:
    """Open closed beads again, all or none. A bead that is not closed stays as it is.

    \b
    Examples:
      bd reopen gp-abc12 --reason "it came back"
    """
    now = clock.now()
    where = _shared.world()
    why = fields.text(reason, "reason")
    after = _shared.change(where, bead_ids, lambda ledger, names, dry: beads.reopen(
        ledger, where.caller, now, names, why, dry_run=dry), dry_run)
    if as_json:
        common.emit_json(after)
        return
    for record in after:
        common.say(f"{'Would reopen' if dry_run else '↻ Reopened'} {record['id']}" + (f": {common.cleaned(why)}" if why else ""))
