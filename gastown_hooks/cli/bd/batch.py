"""`bd batch`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.rules import batch as rules
from gastown_hooks.work import batch


@click.command(short_help="Make many changes at once, all or none.")
@click.option("-f", "--file", default="-", metavar="FILE", help="Read the operations from a file (default: standard input).")
@common.dry_run_option
@common.json_option
def cli(file: str, dry_run: bool, as_json: bool) -> None:
    """Carry out operations, one a line, as one transaction: each sees those before it, and where one fails nothing is changed.

    \b
      close ID [REASON]
      update ID KEY=VALUE…     status priority title type assignee labels description design
                               acceptance notes estimate due defer; KEY= clears
      create TYPE PRIORITY TITLE
      dep add ID DEPENDS-ON [TYPE]
      dep remove ID DEPENDS-ON [TYPE]
      # a comment

    Words are parted and quoted as in a shell. The rules are those of the single commands.

    \b
    Examples:
      bd batch --file plan.txt --dry-run
      printf 'close gp-abc12 "was the cache"\\nupdate gp-def34 priority=0 assignee=me\\n' | bd batch
    """
    now, where = clock.now(), _shared.world()
    where.home()  # before anything is read: where there is no ledger, that is what is wrong
    text = common.one_text(None, from_file=file, what="batch") or ""
    done = batch.run(where, rules.parsed(text, now), now, dry_run=dry_run)
    if as_json:
        common.emit_json({"count": len(done), "dry_run": dry_run, "operations": [
            {"line": one.line, "op": one.verb, "id": one.beads[0], **({"depends_on_id": one.beads[1]} if len(one.beads) > 1 else {})}
            for one in done]})
        return
    for one in done:
        common.say(f"  {one.line}: {one.verb} {' '.join(map(common.cleaned, one.beads))}")
    common.say(f"{'Would carry out' if dry_run else '✓ Carried out'} {len(done)} operations in one transaction")
