"""`bd skills`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _track
from gastown_hooks.rules import track


@click.command(short_help="Show what an identity has proven that it can do.")
@click.argument("actor", metavar="WHO")
@click.option("--prefix", metavar="P", help="Only the rig with this prefix.")
@common.json_option
def cli(actor: str, prefix: str | None, as_json: bool) -> None:
    """Show an identity's skills: the labels of the beads that it finished, how many, and how many at the first try. * stands for any part
    of a name. A bead's skills are its labels and what its description lists under "## Required Skills" (bd create --skills).

    \b
    Examples:
      bd skills greenplace/polecats/toast
      bd skills 'greenplace/polecats/*' --json
    """
    rows = track.grouped(_track.found(actor, (), prefix), "tag")
    if as_json:
        keys = ("tasks", "first_try", "success_rate", "returned", "validations")
        common.emit_json([{"skill": row["tag"], **{key: row[key] for key in keys}} for row in rows])
        return
    for row in rows:
        common.say(common.cleaned(f"→ {row['tag']}: {row['tasks']} task{'s'[:row['tasks'] != 1]}, {row['first_try']} at the first try"))
    if not rows:
        common.say(common.cleaned(f"{actor} has finished nothing that has a label"))
