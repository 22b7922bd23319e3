"""`bd children`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _listing, _shared
from gastown_hooks.rules import graph


@click.command(short_help="Show the children of a bead.")
@click.argument("bead_id", metavar="ID")
@click.option("--tree", "--pretty", is_flag=True, help="And their children, as a tree.")
@common.json_option
def cli(bead_id: str, tree: bool, as_json: bool) -> None:
    """Show the children of a bead, closed ones too.

    \b
    Examples:
      bd children gp-epic1
      bd children gp-epic1 --tree
    """
    where = _shared.world()
    (name, ledger), = _shared.located(where, [bead_id], quiet=True).items()
    known = where.known([ledger])
    near = graph.descendants(known, name) if tree else graph.children(known).get(name, [])
    found = _listing.Found(where, known, [known[child] for child in near])
    if tree and not as_json:
        _listing.say_tree([known[name], *found.records])
    else:
        _listing.show(found, sort="id", reverse=False, limit=0, as_json=as_json, empty=f"{name} has no children")
