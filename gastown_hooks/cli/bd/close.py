"""`bd close`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common, fast_write
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import states
from gastown_hooks.work import beads


@click.command(short_help="Close beads.")
@click.argument("bead_ids", nargs=-1, required=True, metavar="ID...")
@click.option("-r", "--reason", metavar="TEXT", help="Why (default: Closed).")
@click.option("--reason-file", metavar="FILE", help="Read the reason from a file (-: standard input).")
@click.option("-f", "--force", is_flag=True, help="Against open blockers, open children, a pin or a gate. Never without a landing.")
@click.option("--suggest-next", is_flag=True, help="Show what became ready.")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], reason: str | None, reason_file: str | None, force: bool, suggest_next: bool, dry_run: bool,
        as_json: bool) -> None:
    """Close beads, all or none. A bead that is closed already stays as it is.

    A bead that was given to a worker closes when its work has landed in the target branch, which the merge queue does itself.

    \b
    Examples:
      bd close gp-abc12 --reason "was the cache"
      bd close gp-abc12 gp-def34 --suggest-next
    """
    if reason is not None and reason_file is not None:
        raise BadInput("the reason is given twice", why="use one of --reason and --reason-file")
    text = common.one_text(reason, from_file=reason_file, what="reason") or "Closed"
    now = clock.now()
    where = _shared.world()
    before = where.around(_shared.everything(where.shown())) if suggest_next else {}
    after = _shared.change(where, bead_ids, lambda ledger, names, dry: beads.close(
        ledger, where.caller, now, names, text, force=force, dry_run=dry), dry_run)
    freed = states.unblocked_by(before, {**before, **{record["id"]: record for record in after}}, now) if suggest_next else []
    if as_json and suggest_next:
        common.emit_json({"closed": after, "unblocked": freed})
        return
    fast_write.say_closed(after, as_json=as_json, dry_run=dry_run)
    if freed:
        common.say("\nNewly unblocked:")
        for record in freed:
            common.say(f"  {_shared.line(record)}")
