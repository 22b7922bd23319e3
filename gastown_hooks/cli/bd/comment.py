"""`bd comment`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _edit
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import edits, fields


@click.command(short_help="Say something about a bead.")
@click.argument("bead_id", metavar="ID")
@click.argument("text", required=False)
@click.option("-f", "--file", metavar="FILE", help="Read the text from a file (-: standard input).")
@click.option("--stdin", is_flag=True, help="Read the text from standard input.")
@click.option("-a", "--author", metavar="WHO", help="In whose name (default: yours).")
@common.dry_run_option
@common.json_option
def cli(bead_id: str, text: str | None, file: str | None, stdin: bool, author: str | None, dry_run: bool, as_json: bool) -> None:
    """Add a comment to a bead.

    \b
    Examples:
      bd comment gp-abc12 "seen on the second machine too"
      make test 2>&1 | bd comment gp-abc12 --stdin
    """
    words = common.one_text(text, from_stdin=stdin, from_file=file, what="comment")
    if words is None:
        raise BadInput("no comment is given", next="bd comment ID TEXT")
    who = fields.assignee(author) if author else None
    after, = _edit.edited([bead_id], lambda record, caller, now: edits.commented(record, who or caller.actor, words, now), dry_run=dry_run)
    if as_json:
        common.emit_json(after["comments"][-1])
    else:
        _edit.report([after], "Comment added to", dry_run=dry_run, as_json=False)
