"""`bd create -f FILE.md` and `bd create --graph PLAN.json`: many beads in one transaction."""

from __future__ import annotations

from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.cli.plain import emit_json, one_text, say
from gastown_hooks.core import clock
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
    whole = plan.Plan([plan.Node(node.key, node.values, _whole(where, node.parent), node.refs) for node in wanted.nodes],
                      [(_of(where, start), _of(where, end), kind) for start, end, kind in wanted.edges])
    made = planned.make(where, ledger, whole, clock.now(), dry_run=dry_run)
    if as_json:
        emit_json({"ids": {key: record["id"] for key, record in made.items()}} if graph is not None else list(made.values()))
        return
    if not silent:
        say(f"{'Would create' if dry_run else '✓ Created'} {len(made)} issues:")
    for key, record in made.items():
        say(record["id"] if silent else f"  {shown(key)} -> {_words.brief(record)}" if graph is not None else f"  {_words.brief(record)}")


def _whole(where: World, end: End | None) -> End | None:
    return None if end is None else _of(where, end)


def _of(where: World, end: End) -> End:
    """An id of the file as the whole id of the bead that is meant."""
    return end if end.is_key else End(_shared.target(where, end.name), False)
