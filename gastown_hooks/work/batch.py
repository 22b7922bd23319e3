"""Many changes (rules/batch) as one transaction of one ledger: all or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.values import replace
from gastown_hooks.rules import fields
from gastown_hooks.rules.batch import Operation, told
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import beads, links, verbs
from gastown_hooks.work.beadwrite import Draft, existing
from gastown_hooks.work.world import World

Record = dict[str, Any]


def run(where: World, operations: Sequence[Operation], now: int, *, dry_run: bool = False) -> list[Operation]:
    """Carry them out in order, each seeing those before it. Returns them with whole ids, a new bead's too. Errors name the line."""
    wanted: list[Operation] = []
    ledger: Ledger | None = None
    for one in operations:
        with told(one.line):
            wanted.append(replace(one, beads=tuple(name if fields.is_foreign(name) else where.find(name)[1] for name in one.beads)))
            there = where.of(wanted[-1].beads[0]) if one.beads else where.home()
            if ledger is not None and there.beads.root != ledger.beads.root:
                raise BadInput("it is for another ledger than the lines before", why="a batch is one transaction of one ledger",
                               next="a batch for each")
            ledger = there
    assert ledger is not None, "rules/batch gives at least one"
    linked = any(len(one.beads) > 1 for one in wanted)
    if linked:
        where.beyond(ledger)  # before the lock is taken
    done: list[Operation] = []

    def fill(draft: Draft, landed: Mapping[str, verbs.Proof]) -> None:
        def each(circles: bool) -> None:
            done.clear()
            for one in wanted:
                with told(one.line):
                    done.append(_carry_out(where, ledger, draft, one, now, landed, circles))
        edges = [_edge(one) for one in wanted if one.verb == "dep add"]
        if any(one.verb == "dep remove" for one in wanted):
            each(True)
        else:
            links.without_circles(where, draft, edges, each)

    beads.transact(ledger, where.caller, now, [one.beads[0] for one in wanted if _closes(one)], fill, dry_run=dry_run,
                   linked=linked)
    return done


def _edge(one: Operation) -> links.Edge:
    child, target = one.beads
    return child, target, one.text or "blocks"


def _closes(one: Operation) -> bool:
    return one.verb == "close" or one.values.get("status") == "closed"


def _carry_out(where: World, ledger: Ledger, draft: Draft, one: Operation, now: int,
               landed: Mapping[str, verbs.Proof], circles: bool) -> Operation:
    if one.verb == "create":
        made = verbs.put_new(draft, ledger, where.caller, now, one.values)
        return replace(one, beads=(made["id"],))
    if one.verb == "dep add":
        links.link(where, draft, _edge(one), now, circles=circles)
    elif one.verb == "dep remove":
        links.unlink(where, draft, (*one.beads, one.text or None), now)  # type: ignore[arg-type]
    else:
        change = (verbs.closing(where, now, one.text, landed=landed) if one.verb == "close"
                  else verbs.updating(where, now, one.values, landed=landed))
        draft.put(change(draft, existing(draft, one.beads[0])))
    return one
