"""`bd dep add|remove|tree|cycles`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock
from gastown_hooks.rules import fields, graph
from gastown_hooks.work import beads


@click.group(cls=Group, short_help="What depends on what.")
def cli() -> None:
    """Add, remove and look at the dependencies between beads."""


@cli.command(short_help="Make a bead depend on another.")
@click.argument("bead_id", metavar="ID")
@click.argument("depends_on", metavar="DEPENDS-ON")
@click.option("-t", "--type", "kind", default="blocks", show_default=True, help="blocks, parent-child, waits-for, related, tracks …")
@common.dry_run_option
@common.json_option
def add(bead_id: str, depends_on: str, kind: str, dry_run: bool, as_json: bool) -> None:
    """ID is not ready before DEPENDS-ON is closed (with -t parent-child: ID becomes its child). Cycles are refused.

    \b
    Examples:
      bd dep add gp-abc12 gp-def34
      bd dep add gp-abc12 gp-epic1 -t parent-child
    """
    kind = fields.kind(kind)
    where = _shared.world()
    (name, ledger), = _shared.located(where, [bead_id]).items()
    on = _shared.target(where, depends_on)
    beads.dep_add(ledger, where.caller, clock.now(), name, on, kind, dry_run=dry_run)
    if as_json:
        common.emit_json({"status": "added", "issue_id": name, "depends_on_id": on, "type": kind})
    else:
        common.say(f"{'Would add dependency' if dry_run else '✓ Added dependency'}: {name} depends on {common.cleaned(on)} ({kind})")


@cli.command(short_help="Take a dependency away.")
@click.argument("bead_id", metavar="ID")
@click.argument("depends_on", metavar="DEPENDS-ON")
@click.option("-t", "--type", "kind", help="Only this type (default: all between the two).")
@common.dry_run_option
@common.json_option
def remove(bead_id: str, depends_on: str, kind: str | None, dry_run: bool, as_json: bool) -> None:
    """Take away what makes ID depend on DEPENDS-ON.

    \b
    Examples:
      bd dep remove gp-abc12 gp-def34
      bd dep rm gp-abc12 gp-def34 -t related
    """
    kind = None if kind is None else fields.kind(kind)
    where = _shared.world()
    (name, ledger), = _shared.located(where, [bead_id]).items()
    existing = {edge.target for edge in graph.edges(ledger.get(name) or {})}
    on = depends_on if depends_on in existing else _shared.target(where, depends_on)
    beads.dep_remove(ledger, where.caller, clock.now(), name, on, kind, dry_run=dry_run)
    if as_json:
        common.emit_json({"status": "removed", "issue_id": name, "depends_on_id": on})
    else:
        done = "Would remove dependency" if dry_run else "✓ Removed dependency"
        common.say(f"{done}: {name} no longer depends on {common.cleaned(on)}")


cli.add_command(remove, "rm")


@cli.command(short_help="Show what a bead depends on, level by level.")
@click.argument("bead_id", metavar="ID")
@click.option("--direction", type=click.Choice(["down", "up"]), default="down", show_default=True,
              help="down: what it depends on; up: what depends on it.")
@click.option("--reverse", is_flag=True, help="The same as --direction up.")
@click.option("-d", "--max-depth", type=click.IntRange(min=0), default=50, show_default=True)
@common.json_option
def tree(bead_id: str, direction: str, reverse: bool, max_depth: int, as_json: bool) -> None:
    """Show the tree of dependencies of a bead. A bead that comes again is not opened again.

    \b
    Examples:
      bd dep tree gp-abc12
      bd dep tree gp-abc12 --direction up
    """
    where = _shared.world()
    (name, ledger), = _shared.located(where, [bead_id], quiet=True).items()
    known = where.around(ledger.all())
    nodes = graph.tree(known, name, upward=reverse or direction == "up", depth=max_depth)
    if as_json:
        common.emit_json([{**_shared.stub(node.bead, known), "depth": node.depth, "parent_id": node.parent, "truncated": node.truncated,
                           "edge_from_parent": node.kind} for node in nodes])
        return
    for node in nodes:
        mark = "└─ " if node.depth else ""
        kind = f" ({common.cleaned(node.kind)})" if node.kind else ""
        more = " …" if node.truncated else ""
        common.say(f"{'   ' * max(0, node.depth - 1)}{mark}{_shared.brief(_shared.stub(node.bead, known))}{kind}{more}")


@cli.command(short_help="Show beads that wait for each other.")
@common.json_option
def cycles(as_json: bool) -> None:
    """Show circles of beads that wait for each other. New dependencies cannot make one; a merge of two clones can.

    \b
    Examples:
      bd dep cycles
    """
    where = _shared.world()
    known: dict[str, Any] = where.around(_shared.everything(where.shown()))
    found = graph.cycles(known)
    if as_json:
        common.emit_json([[_shared.stub(bead_id, known) for bead_id in circle] for circle in found])
        return
    for circle in found:
        common.say(" -> ".join([*circle, circle[0]]))
    if not found:
        common.say("✓ No dependency cycles")
