"""Beads under other ids: each id's old line stays as a tombstone that names the new one, so that a merge cannot bring it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gastown_hooks.core import clock, fsio, ids
from gastown_hooks.core.errors import BadInput, Conflict, Refused
from gastown_hooks.core.record import arrange, touched
from gastown_hooks.rules import graph, ready, renames, states
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work.beadwrite import Draft, commit, existing
from gastown_hooks.work.world import World

Record = dict[str, Any]


def one(where: World, ledger: Ledger, old: str, new: str, now: int, *, dry_run: bool = False) -> dict[str, str]:
    """A bead, and the children numbered below it, to another id of the same ledger. Returns old id to new."""
    if not ids.bead(new).startswith(ledger.prefix + "-"):
        raise BadInput(f"{ids.shown(new)} does not belong here", why=f"this ledger's ids begin with {ledger.prefix}-")
    if new == old or new.startswith(f"{old}."):
        raise BadInput(f"{old} cannot become {new}", why="it is its own id or would be its own child")
    if (ledger.get(old) or {}).get("delete_reason") == _reason(new):
        return {}  # it is done
    existing(ledger, old)
    names = {bead_id: new + bead_id.removeprefix(old) for bead_id, record in ledger.all().items()
             if bead_id == old or (bead_id.startswith(f"{old}.") and ready.status(record) != states.TOMBSTONE)}
    return _rename(where, ledger, names, now, dry_run)


def prefix(where: World, ledger: Ledger, new: str, now: int, *, dry_run: bool = False) -> dict[str, str]:
    """Every bead of a plain repository's ledger to another prefix, which new beads have from then on."""
    ids.prefix(new)
    if where.routes is not None:
        raise Refused("a rig's prefix cannot change", why="the town's routes, branches and records carry it", next="bd rename OLD NEW")
    head, wisps = ledger.prefix + "-", where.wisps(ledger)
    names = {bead_id: f"{new}-{bead_id.removeprefix(head)}" for one in (ledger, wisps) if one is not None
             for bead_id, record in one.all().items()
             if bead_id.startswith(head) and ready.status(record) != states.TOMBSTONE} if new != ledger.prefix else {}
    done = _rename(where, ledger, names, now, dry_run) if names else {}
    if not dry_run:  # last: killed before, the same command finds the rest
        found = fsio.read_json(ledger.beads.config)
        fsio.write_json(ledger.beads.config, {**(found if isinstance(found, dict) else {}), "issue_prefix": new})
    return done


def _rename(where: World, ledger: Ledger, names: Mapping[str, str], now: int, dry_run: bool) -> dict[str, str]:
    """The wisps first: killed between, what they wait for is not known here until the same command has run again."""
    kept = where.beside(ledger)
    near = [one for one in (where.wisps(kept), kept) if one is not None]
    _check_others(where, near, names)

    def fill(draft: Draft, own: Mapping[str, str]) -> None:
        for old, new in names.items():
            if draft.get(new) is not None:
                raise Conflict(f"{new} is taken", next=f"bd show {new}")
            if old in own and states.needs_landing(existing(draft, old)):
                raise Refused(f"{old} cannot be renamed", why="it was given to a worker, whose branch and landing carry its id")
        for bead_id, record in list(draft.all().items()):
            changed = renames.renamed(record, names)
            if changed is record or ready.status(record) == states.TOMBSTONE:
                continue
            draft.put(touched(record, {key: value for key, value in changed.items() if key != "id"}, where.caller.actor, now)
                      if bead_id not in own else {**changed, "updated_at": clock.stamp(now), "updated_by": where.caller.actor})
            if bead_id in own:
                draft.put(tombstone(record, _reason(names[bead_id]), where.caller.actor, now))

    parts = [(there, {old: new for old, new in names.items() if where.holding(kept, old) is there}) for there in near]
    for dry in ([True] if dry_run else [True, False] if len(parts) > 1 else [False]):
        for there, own in parts:
            commit(there, partial(fill, own=own), dry)
    return dict(names)


def _check_others(where: World, near: Sequence[Ledger], names: Mapping[str, str]) -> None:
    others = [] if where.routes is None else where.with_wisps([where.at(prefix) for prefix in sorted(where.prefixes())])
    for other in others:
        for bead_id, record in other.all().items() if other not in near else ():
            named = [edge.target for edge in graph.edges(record) if edge.target in names]
            if named:
                raise Refused(f"{named[0]} cannot be renamed", why=f"{bead_id} in another ledger depends on it")


def _reason(new: str) -> str:
    return f"now {new}"


def tombstone(record: Record, reason: str, actor: str, now: int) -> Record:
    """What stays of a bead that goes on elsewhere: its id and title."""
    at = clock.stamp(now)
    return arrange({
        "id": record["id"], "title": record.get("title", ""), "status": states.TOMBSTONE, "priority": ready.priority(record),
        "created_at": record.get("created_at", at), "updated_at": at, "updated_by": actor,
        "deleted_at": at, "deleted_by": actor, "delete_reason": reason, "original_type": ready.kind(record)})
