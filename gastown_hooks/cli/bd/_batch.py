"""`bd create -f FILE.md` and `bd create --graph PLAN.json`: many beads in one transaction."""

from __future__ import annotations

from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.cli.plain import emit_json, one_text, say
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.core.ids import shown
from gastown_hooks.rules import plan
from gastown_hooks.rules.plan import End
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import planned
from gastown_hooks.work.world import World


def make(where: World, ledger: Ledger, *, file: str | None, graph: str | None, dry_run: bool, silent: bool, as_json: bool) -> None:
    """Make what the one of both files says, and print it: the ids by key of a plan, the beads of a Markdown file."""
    text = one_text(None, from_file=graph or file) or ""
    wanted = plan.from_json(text) if graph is not None else plan.from_markdown(text)
    whole = plan.Plan([plan.Node(node.key, node.values, node.parent and _of(where, node.parent, f"node {shown(node.key)}"), node.refs)
                       for node in wanted.nodes],
                      [(_of(where, start, place), _of(where, end, place), kind) for number, (start, end, kind) in enumerate(wanted.edges)
                       for place in [f"edges[{number}]" if graph is not None else f"bead {start.name}"]])
    made = planned.make(where, ledger, whole, clock.now(), dry_run=dry_run)
    if as_json:
        emit_json({"ids": {key: record["id"] for key, record in made.items()}} if graph is not None else list(made.values()))
        return
    if not silent:
        say(f"{'Would create' if dry_run else '✓ Created'} {len(made)} issues:")
    for key, record in made.items():
        say(record["id"] if silent else f"  {shown(key)} -> {_words.brief(record)}" if graph is not None else f"  {_words.brief(record)}")


def _of(where: World, end: End, place: str) -> End:
    """An id of the file as the whole id of the bead that is meant. An error says where in the file it stands."""
    try:
        return end if end.is_key else End(_shared.target(where, end.name), False)
    except (BadInput, NotFound) as error:
        raise type(error)(f"{place}: {error.what}", why=error.why, next=error.next) from None
