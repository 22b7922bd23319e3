"""`bd dep list|tree|cycles`: the dependencies to look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _filters, _shared, _words
from gastown_hooks.rules import drawing, fields, graph, ready

_MOST = 10_000


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
    wanted = None if kind is None else fields.kind(kind)
    where = _shared.world()
    shown = []
    for name, ledger in _shared.located(where, bead_ids, quiet=True).items():
        known = where.known([ledger])
        down = [(edge.target, edge.kind) for edge in graph.edges(known[name])]
        near = down if direction == "down" else graph.dependents(known).get(name, [])
        shown += [{**_words.stub(other, known), "dependency_type": how} for other, how in near if wanted in (None, how)]
    if as_json:
        common.emit_json(shown)
        return
    for record in shown:
        common.say(f"{_words.brief(record)} ({common.cleaned(record['dependency_type'])})")
    if not shown:
        common.say(f"Nothing: {', '.join(bead_ids)} {'depends on nothing' if direction == 'down' else 'is needed by nothing'}")


@click.command(short_help="Show what a bead depends on, level by level.")
@click.argument("bead_id", metavar="ID")
@click.option("--direction", type=click.Choice(["down", "up", "both"]), default="down", show_default=True,
              help="down: what it depends on; up: what depends on it.")
@click.option("--reverse", is_flag=True, help="The same as --direction up.")
@click.option("-s", "--status", "statuses", multiple=True, metavar="S[,S…]", help="Only in one of these states (the bead itself always).")
@click.option("--format", "form", type=click.Choice(["dot", "mermaid"]), help="As a drawing.")
@click.option("-d", "--max-depth", type=click.IntRange(min=0), default=50, show_default=True)
@click.option("--show-all-paths", is_flag=True, help=f"Open a bead again wherever it comes (at most {_MOST} lines).")
@common.json_option
def tree(bead_id: str, direction: str, reverse: bool, statuses: tuple[str, ...], form: str | None, max_depth: int, show_all_paths: bool,
         as_json: bool) -> None:
    """Show the tree of dependencies of a bead. A bead that comes again is not opened again.

    \b
    Examples:
      bd dep tree gp-abc12
      bd dep tree gp-abc12 --direction up
      bd dep tree gp-abc12 --direction both --format mermaid
    """
    wanted = {fields.status(part) for part in _filters.parts(statuses)}
    where = _shared.world()
    (name, ledger), = _shared.located(where, [bead_id], quiet=True).items()
    known = where.known([ledger])
    ways = {"down": [False], "up": [True], "both": [True, False]}["up" if reverse else direction]
    nodes = []
    for upward in ways:
        found = graph.tree(known, name, upward=upward, depth=max_depth, most=_MOST if show_all_paths else 0)
        if show_all_paths and len(found) == _MOST:
            common.remark(f"bd: the first {_MOST} lines; bd dep tree without --show-all-paths shows each bead once")
        nodes.append([node for node in found if not node.depth or not wanted or ready.status(_words.stub(node.bead, known)) in wanted])
    if form:
        common.say(drawing.draw([_words.stub(bead, known) for bead in dict.fromkeys(node.bead for found in nodes for node in found)], form))
        return
    if as_json:
        common.emit_json([{**_words.stub(node.bead, known), "depth": node.depth, "parent_id": node.parent, "truncated": node.truncated,
                           "edge_from_parent": node.kind} for found in nodes for node in found])
        return
    for upward, found in zip(ways, nodes, strict=True):
        if len(ways) > 1:
            common.say("Needed by:" if upward else "\nDepends on:")
        for node in found:
            _say_node(node, known)


def _say_node(node: graph.Node, known: Mapping[str, dict[str, Any]]) -> None:
    mark = "└─ " if node.depth else ""
    kind = f" ({common.cleaned(node.kind)})" if node.kind else ""
    common.say(f"{'   ' * max(0, node.depth - 1)}{mark}{_words.brief(_words.stub(node.bead, known))}{kind}{' …' if node.truncated else ''}")


@click.command(short_help="Show beads that wait for each other.")
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
        common.emit_json([[_words.stub(bead_id, known) for bead_id in circle] for circle in found])
        return
    for circle in found:
        common.say(" -> ".join([*circle, circle[0]]))
    if not found:
        common.say("✓ No dependency cycles")
