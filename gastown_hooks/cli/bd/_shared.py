"""What the bd commands share: which bead is meant, the filters, a bead as a line and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from gastown_hooks.cli.bd._values import change, located, target
from gastown_hooks.cli.bd._words import brief, counted, line, stub
from gastown_hooks.cli.plain import remark
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import fields, graph, ready
from gastown_hooks.stores import config
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work.world import World

Record = dict[str, Any]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_WARNINGS = 5
# Kept out of a plain list: the town's own records, not somebody's to-do.
HIDDEN = ready.NOT_WORK - {"molecule", "convoy"}


def world() -> World:
    """The caller's ledgers. Lines in them that are no bead are told at the command's end, on standard error."""
    found = World(config.caller())
    click.get_current_context().call_on_close(lambda: _warn(found.left_out()))
    return found


def _warn(left_out: list[str]) -> None:
    for words in left_out[:_WARNINGS]:
        remark(f"bd: warning: {words}; the line is kept, and left out here")
    if len(left_out) > _WARNINGS:
        remark(f"bd: warning: and {len(left_out) - _WARNINGS} more lines that are no bead")


def everything(ledgers: Iterable[Ledger]) -> dict[str, Record]:
    return {bead_id: record for ledger in ledgers for bead_id, record in ledger.all().items()}


# ---- filters -----------------------------------------------------------------------------------------------

def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filters that listings share; the command passes what it gets on to `selected`."""
    for option in reversed((
        click.option("-p", "--priority", metavar="0-4", help="Only this priority."),
        click.option("-t", "--type", "kind", metavar="TYPE", help="Only this type."),
        click.option("-a", "--assignee", metavar="WHO", help="Only beads of this assignee."),
        click.option("-u", "--unassigned", "--no-assignee", is_flag=True, help="Only beads of nobody."),
        click.option("-l", "--label", "labels", multiple=True, help="Only with this label (repeat: all of them)."),
        click.option("--label-any", "any_labels", multiple=True, help="Only with one of these labels."),
        click.option("--parent", metavar="ID", help="Only beads below this one."),
        click.option("--prefix", metavar="P", help="Only the rig with this prefix."),
        click.option("-n", "--limit", type=click.IntRange(min=0), default=100, show_default=True, help="At most so many; 0: all."),
    )):
        function = option(function)
    return function


def selected(where: World, records: Iterable[Record], *, priority: str | None, kind: str | None, assignee: str | None, unassigned: bool,
             labels: Sequence[str], any_labels: Sequence[str], parent: str | None) -> list[Record]:
    """The records that pass the filters, in their order."""
    if assignee is not None and unassigned:
        raise BadInput("--assignee and --unassigned contradict each other")
    wanted = None if priority is None else fields.priority(priority)
    type_ = None if kind is None else fields.issue_type(kind)
    every, some = set(fields.labels(tuple(labels))), set(fields.labels(tuple(any_labels)))
    below = None
    if parent is not None:
        ledger, root = where.find(parent)
        below = set(graph.descendants(where.around(ledger.all()), root))

    def fits(record: Record) -> bool:
        own = set(record.get("labels") or ())
        return ((wanted is None or ready.priority(record) == wanted) and (type_ is None or ready.kind(record) == type_)
                and (assignee is None or (record.get("assignee") or "") == assignee) and not (unassigned and record.get("assignee"))
                and every <= own and (not some or bool(some & own)) and (below is None or record["id"] in below))

    return [record for record in records if fits(record)]


def limited(records: list[Record], limit: int) -> list[Record]:
    """The first `limit`; what is left out is told on standard error."""
    if limit and len(records) > limit:
        remark(f"bd: {limit} of {len(records)} shown; -n 0 shows all")
        return records[:limit]
    return records


__all__ = ["HIDDEN", "brief", "change", "counted", "everything", "filter_options", "limited", "line", "located", "selected", "stub",
           "target", "world"]
