"""`bd defer`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _edit
from gastown_hooks.core import clock
from gastown_hooks.rules import edits, fields


@click.command(short_help="Put beads off.")
@click.argument("bead_ids", nargs=-1, required=True, metavar="ID...")
@click.option("--until", metavar="TIME", help="+6h, +2d, tomorrow, next monday, 2026-01-31, RFC 3339.")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], until: str | None, dry_run: bool, as_json: bool) -> None:
    """Put beads off: until a time, after which they are ready by themselves, or until bd undefer.

    \b
    Examples:
      bd defer gp-abc12 --until "next monday"
      bd defer gp-abc12 gp-def34
    """
    at = None if until is None else fields.moment(until, clock.now())
    after = _edit.edited(bead_ids, lambda record, caller, now: edits.put_off(record, at, now), dry_run=dry_run)
    _edit.report(after, "Deferred", dry_run=dry_run, as_json=as_json)
