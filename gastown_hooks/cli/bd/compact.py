"""`bd compact`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.work import ageing


@click.command(short_help="Shorten the texts of old closed beads.")
@click.argument("bead_ids", nargs=-1, metavar="[ID...]")
@click.option("-d", "--days", type=common.COUNT, default=30, show_default=True, help="Closed, and not changed since, for so many.")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], days: int, dry_run: bool, as_json: bool) -> None:
    """Shorten the texts of old closed beads (or of these) to the beginning of the description. No model is asked.

    Only what a commit holds in full; that commit is kept, and bd restore takes the texts from it.

    \b
    Examples:
      bd compact --dry-run
      bd compact gp-abc12 --days 0
      bd restore gp-abc12
    """
    now, where = clock.now(), _shared.world()
    if bead_ids:
        after = _shared.change(where, bead_ids, lambda ledger, names, dry: ageing.compact(
            where, ledger, now, days, names, dry_run=dry), dry_run)
    else:
        after = ageing.compact(where, where.home(), now, days, dry_run=dry_run)
    if as_json:
        common.emit_json(after)
        return
    done = [bead for bead in after if bead.get("compaction_level")]
    for bead in done:
        common.say(f"{'Would be:' if dry_run else '✓'} Compacted {bead['id']}: {bead['original_size']} bytes of text")
    if not done:
        common.say("Nothing to compact")
