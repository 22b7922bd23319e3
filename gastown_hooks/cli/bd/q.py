"""`bd q`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.rules import fields
from gastown_hooks.work import beads


@click.command(short_help="Make a bead, print its id alone.")
@click.argument("title")
@click.option("-t", "--type", "kind", default="task", show_default=True)
@click.option("-p", "--priority", default="2", metavar="0-4", show_default=True)
@click.option("-l", "--label", "--labels", "labels", multiple=True, metavar="L[,L…]")
@common.dry_run_option
@common.json_option
def cli(title: str, kind: str, priority: str, labels: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Make a bead with the few options that are needed most; everything else: bd create.

    \b
    Examples:
      bd q "Fix the login" -p 1
      ID=$(bd q "Write the docs")
    """
    where = _shared.world()
    values = {"issue_type": fields.issue_type(kind), "priority": fields.priority(priority), "labels": fields.labels(labels)}
    made = beads.create(where.home(), where.caller, clock.now(), title, values=values, dry_run=dry_run)
    if as_json:
        common.emit_json({"id": made["id"]})
    else:
        common.say(made["id"])
