"""`bd undefer`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _edit
from gastown_hooks.rules import edits


@click.command(short_help="Bring deferred beads back.")
@click.argument("bead_ids", nargs=-1, required=True, metavar="ID...")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """End the deferral of beads; one that is not deferred stays as it is.

    \b
    Examples:
      bd undefer gp-abc12
    """
    after = _edit.edited(bead_ids, lambda record, caller, now: edits.taken_up(record), dry_run=dry_run)
    _edit.report(after, "No longer deferred:", dry_run=dry_run, as_json=as_json)
