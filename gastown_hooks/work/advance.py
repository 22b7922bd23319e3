"""Going on after a close: the next step of the same molecule, or the next ready bead of all, taken by whoever closed.

Closing and taking are one transaction. Only what is in another ledger is taken after it; killed in between, the same command closes
nothing twice and goes on.
"""

from __future__ import annotations

from gastown_hooks.core.late import late
from gastown_hooks.rules import ready, states, steps
from gastown_hooks.stores import known
from gastown_hooks.stores.known import Changed, Together
from gastown_hooks.work import take, verbs
from gastown_hooks.work.beadwrite import Draft, commit, existing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from gastown_hooks.core.record import Record
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.work import beads
    from gastown_hooks.work.world import World

    Take = Callable[[Record], "Record | None"]  # the bead as it is once taken; None where it is not to be had
    T = TypeVar("T")
else:
    beads = late("gastown_hooks.work.beads")

_TRIED = 20  # of those that the index knows as ready


def close(where: World, ledger: Ledger, bead_ids: Sequence[str], reason: str | Mapping[str, str], now: int,
          onward: Callable[[Mapping[str, Record], Take], T], *, force: bool = False, session: str = "", alone: bool = False,
          dry_run: bool = False) -> tuple[list[Record], T]:
    """Close beads of one ledger, then take what `onward(closed, take)` chooses. `alone`: no close must be
    proven, and the caller wakes whom it concerns."""
    found: list[T] = []
    elsewhere: list[str] = []

    def fill(draft: Draft, landed: Mapping[str, verbs.Proof]) -> None:
        def inside(record: Record) -> Record | None:
            if where.of(record["id"]).beads.root != ledger.beads.root:
                elsewhere[:] = [record["id"]]
                return take.taken(record, where.caller.actor, now)
            there = draft.get(record["id"])
            if there is None or not take.may_take(where, draft, there, now):
                return None
            draft.put(take.taken(there, where.caller.actor, now))
            return draft.changed[record["id"]]

        elsewhere.clear()
        closing = verbs.closing(where, now, reason, landed=landed, force=force, session=session)
        for bead_id in bead_ids:
            draft.put(closing(draft, existing(draft, bead_id)))
        found[:] = [onward(dict(draft.changed), inside)]

    draft = (commit(ledger, lambda draft: fill(draft, {}), dry_run) if alone
             else beads.transact(ledger, where.caller, now, bead_ids, fill, dry_run=dry_run))
    if elsewhere and not dry_run:
        found = [onward(draft.changed, lambda record: take.first(where, [record], now, now))]
    return [draft.changed[bead_id] for bead_id in dict.fromkeys(bead_ids)], found[0]


def next_step(where: World, known: Mapping[str, Record], step: str, now: int, *,
              auto: bool) -> Callable[[Mapping[str, Record], Take], steps.Next]:
    """What follows a step; with `auto` it is the caller's and in progress then. Somebody quicker only makes it the one after."""
    def onward(closed: Mapping[str, Record], take: Take) -> steps.Next:
        records = dict(closed)  # what is not any more as `known` has it
        while True:
            found = steps.following(Together([records, known]), step, where.caller.actor, now)
            if found.step is None or not auto or ready.status(found.step) in states.CLAIMED:
                return found
            taken = take(found.step)
            if taken is not None:
                return steps.Next(found.molecule, taken, found.complete, found.why)
            seen = where.of(found.step["id"]).get(found.step["id"]) or {**found.step, "status": "tombstone"}
            # still as we saw it, but not ready in the ledger by now: this round ends with it passed over
            records[seen["id"]] = seen if seen != found.step else {**seen, "status": "blocked"}
    return onward


def next_ready(where: World, shown: Sequence[Ledger], now: int, *, again: bool) -> Callable[[Mapping[str, Record], Take], Record | None]:
    """The most urgent ready bead that is nobody's, taken. `again`: an old close, so what the caller has begun is what it took."""
    who = where.caller.actor
    begun = [bead for ledger in shown for bead in known.mine(ledger, who)] if again else []
    likely, before = where.likely(shown, now, _TRIED), Together([where.known(shown)])

    def onward(closed: Mapping[str, Record], take: Take) -> Record | None:
        if begun:
            return begun[0]
        after = Changed(before, closed)
        free = [] if likely is None else states.unblocked_by(before, after, list(closed), now)
        free = sorted([*free, *(after[name] for name in likely or () if name not in closed)], key=ready.in_order)
        for record in chosen(free, after):
            if record.get("assignee") in (None, "", who) and not ready.is_wisp(record) and (taken := take(record)) is not None:
                return taken
        return None

    def chosen(first: list[Record], after: Changed) -> Iterator[Record]:
        yield from first
        if likely is None or len(likely) >= _TRIED:
            yield from ready.ready(after, now)

    return onward
