"""Wisps: beads that are nobody's business but this place's. They are in a ledger of their own beside the other (`paths.Wisps`), which is
never synced, exported or in git.

A bead goes from the one to the other by one write, which is the moment: to the wisps by the ledger's tombstone, which says so (a copy
among the wisps does not count before), back by the ledger's new line (from then on the wisp does not). Killed before it, nothing happened;
the same command again finishes what is left to tidy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import Conflict, Refused
from gastown_hooks.core.paths import Wisps
from gastown_hooks.core.record import touched
from gastown_hooks.rules import graph, ready, states
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import rename
from gastown_hooks.work.beadwrite import Draft, Still, commit, existing
from gastown_hooks.work.world import World

if TYPE_CHECKING:
    from gastown_hooks.work.verbs import Change

Record = dict[str, Any]


class _None(Ledger):
    """Wisps that nobody has made yet."""

    def all(self) -> dict[str, Record]:
        return {}

    def view(self, take: Callable[[Any], Any]) -> Any:
        return take(Still({}))


def place(where: World, ledger: Ledger, *, dry_run: bool) -> Ledger:
    """The ledger of this one's wisps, made if there is none yet (in a dry run: that would be made)."""
    if isinstance(ledger.beads, Wisps):
        return ledger
    its = where.wisps(ledger)
    if its is None and dry_run:
        return _None(Wisps(ledger.beads))
    if its is None:
        fsio.make_folder(ledger.beads.local)
        fsio.create(ledger.beads.wisps, b"")
    return its or where.wisps(ledger) or ledger


def leave(where: World, ledger: Ledger, bead_ids: Sequence[str], now: int, change: Change, *, dry_run: bool = False) -> list[Record]:
    """Beads of a ledger, changed, to its wisps. Raises Refused where a worker had one or a bead that stays depends on it, Conflict where
    somebody changed one meanwhile."""
    there = Still(ledger.all())
    before = {bead_id: existing(there, bead_id) for bead_id in bead_ids}
    _check_leaving(before, graph.dependents(where.known([ledger])), where)

    def copy(draft: Draft) -> None:
        for record in before.values():
            draft.put(touched(change(Draft(there), record), {"ephemeral": True}, where.caller.actor, now))

    def bury(draft: Draft) -> None:
        for bead_id, record in before.items():
            if draft.get(bead_id) != record:
                raise Conflict(f"{bead_id} was changed meanwhile", next="the same again")
        _check_leaving(before, graph.dependents(draft.all()), where)
        for record in before.values():
            draft.put(rename.tombstone(record, states.EPHEMERAL, where.caller.actor, now))

    after = commit(place(where, ledger, dry_run=dry_run), copy, dry_run).changed
    commit(ledger, bury, dry_run)
    return [after[bead_id] for bead_id in before]


def _check_leaving(leaving: Mapping[str, Record], above: Mapping[str, list[tuple[str, str]]], where: World) -> None:
    for bead_id, record in leaving.items():
        if states.needs_landing({**record, "ephemeral": None, "wisp_type": None}):
            raise Refused(f"{bead_id} cannot become a wisp", why="it was given to a worker, and ends by landing")
        stays = [other for other, _ in above.get(bead_id, ()) if other not in leaving and not isinstance(where.of(other).beads, Wisps)]
        if stays:
            raise Refused(f"{bead_id} cannot become a wisp", why=f"{stays[0]}, which stays, depends on it",
                          next=f"bd update {bead_id} {stays[0]} --ephemeral")


def stay(where: World, wisps: Ledger, bead_ids: Sequence[str], now: int, change: Change, *, dry_run: bool = False) -> list[Record]:
    """Wisps, changed, to the ledger beside them, under the same ids. Raises Refused where one depends on a wisp that stays one."""
    ledger, known = where.beside(wisps), where.known([wisps])
    after: dict[str, Record] = {}

    def write(draft: Draft) -> None:
        for record in after.values():
            there = draft.get(record["id"])
            if there != record and not states.is_away(there):
                raise Conflict(f"{record['id']} is taken", why="the ledger has such a bead, which came from elsewhere")
            draft.put(record)

    def move(draft: Draft) -> None:
        after.clear()
        for bead_id in dict.fromkeys(bead_ids):
            record = change(draft, existing(draft, bead_id))
            needs = [edge.target for edge in graph.edges(record) if edge.target not in bead_ids]
            left = [target for target in needs if ready.is_wisp(known.get(target, {}))]
            if left:
                raise Refused(f"{bead_id} cannot stay", why=f"it depends on {left[0]}, which is a wisp",
                              next=f"bd update {left[0]} --persistent")
            after[bead_id] = touched(record, {"ephemeral": None, "wisp_type": None}, where.caller.actor,
                                     states.after_its_deletion(ledger.get(bead_id), now))
        commit(ledger, write, dry_run)
        for bead_id in after:
            draft.put(rename.tombstone(existing(draft, bead_id), states.PERSISTENT, where.caller.actor, now))

    commit(wisps, move, dry_run)
    return list(after.values())
