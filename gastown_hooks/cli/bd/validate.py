"""`bd validate`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _edit
from gastown_hooks.rules import edits


@click.command(short_help="Say whether a bead's work is good.")
@click.argument("bead_ids", nargs=-1, required=True, metavar="ID...")
@click.option("--pass/--fail", "passed", default=None, help="Whether it is.")
@click.option("-t", "--type", "kind", default="review", show_default=True, metavar="KIND",
              help="What was looked at: review, security …")
@click.option("-s", "--signal", "signals", multiple=True, metavar="KEY[=VALUE]", help="Such as lint_clean or coverage=81.5.")
@click.option("--score", type=click.FloatRange(0, 1), metavar="0-1", help="How good.")
@click.option("-m", "--note", metavar="TEXT", help="Why.")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], passed: bool | None, kind: str, signals: tuple[str, ...], score: float | None, note: str | None,
        dry_run: bool, as_json: bool) -> None:
    """Add a validation record to beads: {validated_by, validation_type, timestamp, outcome, quality_signals}. The merge queue adds one at
    each landing. Who did the work does not validate it. bd stats and gt dispatch count them.

    \b
    Examples:
      bd validate gp-abc12 --pass --signal review_approved
      bd validate gp-abc12 --fail --type security -m "the token is logged"
    """
    found = edits.validation(passed, kind, signals, score, note)
    after = _edit.edited(bead_ids, lambda record, caller, now: edits.validated(record, caller.actor, found, now), dry_run=dry_run)
    _edit.report(after, "Validation added to", dry_run=dry_run, as_json=as_json)
