"""`bd dep list|tree|cycles`: the dependencies to look at."""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _near, _shared, _words
from gastown_hooks.work import deep


@click.command("list", short_help="Show what beads depend on, or what depends on them.")
@click.argument("bead_ids", nargs=-1, required=True, metavar="ID...")
@click.option("--direction", type=click.Choice(["down", "up"]), default="down", show_default=True,
              help="down: what they depend on; up: what depends on them.")
@click.option("-t", "--type", "kind", help="Only this type.")
@common.json_option
def list_(bead_ids: tuple[str, ...], direction: str, kind: str | None, as_json: bool) -> None:
    """Show the dependencies of beads, one level.

    \b
    Examples:
      bd dep list gp-abc12
      bd dep list gp-abc12 --direction up -t tracks
    """
    _near.say_list(_shared.world(), bead_ids, direction, kind, as_json)


@click.command(short_help="Show what a bead depends on, level by level.")
@click.argument("bead_id", metavar="ID")
@click.option("--direction", type=click.Choice(["down", "up", "both"]), default="down", show_default=True,
              help="down: what it depends on; up: what depends on it.")
@click.option("--reverse", is_flag=True, help="The same as --direction up.")
@click.option("-s", "--status", "statuses", multiple=True, metavar="S[,S…]", help="Only in one of these states (the bead itself always).")
@click.option("--format", "form", type=click.Choice(["dot", "mermaid"]), help="As a drawing.")
@click.option("-d", "--max-depth", type=common.COUNT, default=50, show_default=True)
@click.option("--show-all-paths", is_flag=True, help=f"Open a bead again wherever it comes (at most {_near.MOST} lines).")
@common.json_option
def tree(bead_id: str, **given: Any) -> None:
    """Show the tree of dependencies of a bead. A bead that comes again is not opened again.

    \b
    Examples:
      bd dep tree gp-abc12
      bd dep tree gp-abc12 --direction up
      bd dep tree gp-abc12 --direction both --format mermaid
    """
    _near.say_tree(_shared.world(), bead_id, given)


@click.command(short_help="Show beads that wait for each other.")
@common.json_option
def cycles(as_json: bool) -> None:
    """Show circles of beads that wait for each other. New dependencies cannot make one; a merge of two clones can.

    \b
    Examples:
      bd dep cycles
    """
    where = _shared.world()
    known, found = deep.circles(where)
    if as_json:
        common.emit_json([[_words.stub(bead_id, known) for bead_id in circle] for circle in found])
        return
    for circle in found:
        common.say(" -> ".join([*circle, circle[0]]))
    if not found:
        common.say("✓ No dependency cycles")
