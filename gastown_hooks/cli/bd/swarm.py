"""`bd swarm validate`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.cli.loader import Group
from gastown_hooks.rules import swarms


@click.group(cls=Group, short_help="Whether many workers can do an epic at once.")
def cli() -> None:
    """Look at an epic as work for many at once."""


@cli.command(short_help="Show in which waves an epic can be done, and what stands against it.")
@click.argument("bead_id", metavar="EPIC")
@common.json_option
def validate(bead_id: str, as_json: bool) -> int:
    """Show in which waves the beads below an epic can be done, and what speaks against it: cycles, what is not there, what waits for
    beads outside. Exit code 1 when it cannot be done.

    \b
    Examples:
      bd swarm validate gp-epic1
    """
    where = _shared.world()
    (name, ledger), = _shared.located(where, [bead_id], quiet=True).items()
    known = where.known([ledger])
    found = swarms.validated(known, name)
    if as_json:
        common.emit_json(found)
        return 0 if found["swarmable"] else 1
    common.say(f"{_words.brief(known[name])}\n{found['closed_issues']}/{found['total_issues']} closed, at most "
               f"{found['max_parallelism']} at once, {found['estimated_sessions']} to do")
    for front in found["ready_fronts"]:
        common.say(f"Wave {front['wave']}: {' '.join(front['issues'])}")
    for word in ("warnings", "errors"):
        for text in found[word]:
            common.say(f"{word[:-1]}: {common.cleaned(text)}")
    if not found["swarmable"]:
        common.remark(f"bd: {name} cannot be done as it is: {len(found['errors'])} errors")
    return 0 if found["swarmable"] else 1
