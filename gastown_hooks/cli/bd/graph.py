"""`bd graph`, `bd graph check`"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _outline, _shared, _words
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import drawing, graph, ready, steps
from gastown_hooks.work import deep


@click.group(cls=_shared.DefaultGroup, default="show", short_help="Draw what waits for what.")
def cli() -> None:
    """Show beads in the order in which they can be done, or draw them, or check what they depend on.

    \b
    Examples:
      bd graph gp-epic1
      bd graph show --all --format mermaid
      bd graph check
    """


@cli.command(short_help="Show a bead and all that is connected with it.")
@click.argument("bead_id", metavar="ID", required=False)
@click.option("--all", "every", is_flag=True, help="All beads that are not closed.")
@click.option("--format", "form", type=click.Choice(["dot", "mermaid"]), help="As a drawing.")
@common.json_option
def show(bead_id: str | None, every: bool, form: str | None, as_json: bool) -> None:
    """Show a bead and what is connected with it, in waves: what is in one wave can be done at the same time."""
    if (bead_id is None) == (not every) or (as_json and form):
        raise BadInput("one of ID and --all is needed, and one of --format and --json at most", next="bd graph ID")
    where = _shared.world()
    known: Mapping[str, dict[str, Any]]
    if bead_id is None:
        own = _shared.everything(where.shown())
        names = [name for name, record in own.items() if ready.status(record) not in ("closed", "tombstone")]
        known = where.around(own)
    else:
        (name, ledger), = _shared.located(where, [bead_id], quiet=True).items()
        lines = None if as_json else _outline.connected(where, ledger, name)
        known = where.known([ledger]) if lines is None else lines
        names = graph.connected(known, name) if lines is None else list(lines)
    waves = steps.waves(known, names)
    if as_json:
        edges = [{"issue_id": one, "depends_on_id": edge.target, "type": edge.kind} for one in names for edge in graph.edges(known[one])]
        common.emit_json({"issues": [known[one] for one in names], "dependencies": edges, "layers": waves})
    elif form:
        common.say(drawing.draw([known[one] for one in names], form))
    else:
        for number, wave in enumerate(waves, 1):
            common.say("\n".join([f"Wave {number}:", *(f"  {_words.line(known[one])}" for one in wave)]))


@cli.command(short_help="Check what beads depend on.")
@common.json_option
def check(as_json: bool) -> int:
    """Look for circles, and for dependencies on beads that are not there. Exit code 1 when there are any."""
    where = _shared.world()
    circles, lost = deep.circles(where)[1], deep.missing(where)
    if as_json:
        common.emit_json({"cycles": circles, "missing": [{"issue_id": name, "depends_on_id": on} for name, on in lost]})
    else:
        for circle in circles:
            common.say(f"a cycle: {' -> '.join([*circle, circle[0]])}")
        for name, on in lost:
            common.say(f"{name} depends on {common.cleaned(on)}, which is not there")
        if circles or lost:
            common.remark(f"bd: {len(circles)} cycles, {len(lost)} missing")
        else:
            common.say("✓ No cycles, nothing missing")
    return 1 if circles or lost else 0
