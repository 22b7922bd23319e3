"""`bd dep add|remove|list|tree|cycles|relate|unrelate`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _dep_views, _original, _shared
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.rules import fields, graph
from gastown_hooks.work import links
from gastown_hooks.work.world import World

RELATED = "relates-to"


@click.group(cls=_shared.DefaultGroup, default="add", short_help="What depends on what.")
def cli() -> None:
    """Add, remove and look at the dependencies between beads.

    \b
    Examples:
      bd dep gp-abc12 --blocks gp-def34
      bd dep list gp-abc12
      bd dep tree gp-abc12 --format mermaid
      bd dep cycles
    """


for _view in (_dep_views.list_, _dep_views.tree, _dep_views.cycles):
    cli.add_command(_view)


@cli.command(short_help="Make a bead depend on another.")
@click.argument("bead_id", metavar="ID", required=False)
@click.argument("depends_on", metavar="DEPENDS-ON", required=False)
@click.option("--depends-on", "--blocked-by", "on_option", metavar="ID", help="Instead of the second argument.")
@click.option("--blocks", metavar="ID", help="The other way round: this one waits for the first.")
@click.option("-t", "--type", "kind", default="blocks", show_default=True, help="blocks, parent-child, waits-for, related, tracks …")
@click.option("--file", metavar="FILE", help="Many: lines `ID DEPENDS-ON [TYPE]` (-: standard input).")
@_original.refused("--no-cycle-check", "edges are always checked: what waits in a circle is never ready", "the same without it")
@common.dry_run_option
@common.json_option
def add(bead_id: str | None, depends_on: str | None, on_option: str | None, blocks: str | None, kind: str, file: str | None,
        dry_run: bool, as_json: bool) -> None:
    """ID is not ready before DEPENDS-ON is closed (with -t parent-child: ID becomes its child). Cycles are refused.

    \b
    Examples:
      bd dep add gp-abc12 gp-def34
      bd dep add gp-abc12 gp-epic1 -t parent-child
      bd dep add --file edges.txt
    """
    targets = [target for target in (depends_on, on_option, blocks) if target is not None]
    if (file is None and (bead_id is None or len(targets) != 1)) or (file is not None and (bead_id is not None or targets)):
        raise BadInput("two beads, or --file, are needed", next="bd dep add ID DEPENDS-ON")
    where = _shared.world()
    if file is not None:
        wanted = [_of_line(line) for line in (common.one_text(None, from_file=file) or "").split("\n") if line.strip() and line[0] != "#"]
    else:
        wanted = [(blocks, str(bead_id), kind) if blocks else (str(bead_id), targets[0], kind)]
    edges = [(_one(where, child), _shared.target(where, on), fields.kind(how)) for child, on, how in wanted]
    links.add(where, edges, clock.now(), dry_run=dry_run)
    shown = [{"issue_id": child, "depends_on_id": on, "type": how} for child, on, how in edges]
    if as_json:
        common.emit_json({"status": "added", **(shown[0] if file is None else {"count": len(shown), "dependencies": shown})})
        return
    for child, on, how in edges:
        common.say(f"{'Would add dependency' if dry_run else '✓ Added dependency'}: {child} depends on {common.cleaned(on)} ({how})")


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
    name = _one(where, bead_id)
    existing = {edge.target for edge in graph.edges(where.of(name).get(name) or {})}
    on = depends_on if depends_on in existing else _shared.target(where, depends_on)
    links.remove(where, [(name, on, kind)], clock.now(), dry_run=dry_run)
    if as_json:
        common.emit_json({"status": "removed", "issue_id": name, "depends_on_id": on})
    else:
        done = "Would remove dependency" if dry_run else "✓ Removed dependency"
        common.say(f"{done}: {name} no longer depends on {common.cleaned(on)}")


cli.add_command(remove, "rm")


@cli.command(short_help="Say that two beads belong together.")
@click.argument("one")
@click.argument("other")
@common.dry_run_option
@common.json_option
def relate(one: str, other: str, dry_run: bool, as_json: bool) -> None:
    """Relate two beads to each other; neither waits for the other.

    \b
    Examples:
      bd dep relate gp-abc12 gp-def34
    """
    where = _shared.world()
    names = _one(where, one), _one(where, other)
    links.add(where, [(*names, RELATED), (*names[::-1], RELATED)], clock.now(), dry_run=dry_run)
    _say_pair("related", "is related to", names, dry_run, as_json)


@cli.command(short_help="Take back that two beads belong together.")
@click.argument("one")
@click.argument("other")
@common.dry_run_option
@common.json_option
def unrelate(one: str, other: str, dry_run: bool, as_json: bool) -> None:
    """Take away the relation of two beads, in both directions.

    \b
    Examples:
      bd dep unrelate gp-abc12 gp-def34
    """
    where = _shared.world()
    names = _one(where, one), _one(where, other)
    there = [(child, target) for child, target in (names, names[::-1])
             if any((edge.target, edge.kind) == (target, RELATED) for edge in graph.edges(where.of(child).get(child) or {}))]
    if not there:
        raise NotFound(f"{names[0]} and {names[1]} are not related", next=f"bd dep list {names[0]}")
    links.remove(where, [(*pair, RELATED) for pair in there], clock.now(), dry_run=dry_run)
    _say_pair("unrelated", "is no longer related to", names, dry_run, as_json)


def _one(where: World, text: str) -> str:
    """The full id of the bead that is meant."""
    return next(iter(_shared.located(where, [text])))


def _of_line(line: str) -> links.Edge:
    parts = line.split()
    if len(parts) not in (2, 3):
        raise BadInput(f"{common.cleaned(line)} is no dependency", why="a line is ID DEPENDS-ON [TYPE]")
    return parts[0], parts[1], parts[2] if len(parts) == 3 else "blocks"


def _say_pair(status: str, words: str, names: tuple[str, str], dry_run: bool, as_json: bool) -> None:
    if as_json:
        common.emit_json({"status": status, "issue_id": names[0], "related_id": names[1]})
    else:
        common.say(f"{'Would be: ' if dry_run else '✓ '}{names[0]} {words} {names[1]}")
