"""`bd restore`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _edit, _shared
from gastown_hooks.core import clock
from gastown_hooks.work import removal


@click.command(short_help="Bring back beads that were deleted, archived or compacted.")
@click.argument("bead_ids", nargs=-1, required=True, metavar="ID...")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Bring deleted beads back as they were (what others lost with them, edges to them, is not put back), archived ones into the ledger,
    and compacted ones to their full texts. Any other bead stays as it is.

    \b
    Examples:
      bd restore gp-abc12
    """
    now, where = clock.now(), _shared.world()
    after = _shared.change(where, bead_ids, lambda ledger, names, dry: removal.restore(
        ledger, where.caller, now, names, dry_run=dry), dry_run)
    _edit.report(after, "Restored", dry_run=dry_run, as_json=as_json)
