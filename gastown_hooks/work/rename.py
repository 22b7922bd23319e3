"""Beads under other ids: each id's old line stays as a tombstone that names the new one, so that a merge cannot bring it back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gastown_hooks.core import clock, fsio, ids
from gastown_hooks.core.errors import BadInput, Conflict, Refused
from gastown_hooks.core.paths import Beads, Wisps
from gastown_hooks.core.record import arrange, touched
from gastown_hooks.rules import graph, ready, renames, states
from gastown_hooks.stores import known
from gastown_hooks.stores.ledger import Ledger, View
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
    its = known.beads(ledger)
    below = [name for name in (its.named(f"{old}.") if isinstance(its, known.Known) else its) if name.startswith(f"{old}.")]
    names = {old: new} | {name: new + name.removeprefix(old) for name in below if ready.status(its[name]) != states.TOMBSTONE}
    return _rename(where, ledger, names, now, dry_run)


def prefix(where: World, ledger: Ledger, new: str, now: int, *, repair: bool = False, dry_run: bool = False) -> dict[str, str]:
    """Every bead of a plain repository's ledger to another prefix, which new beads have from then on. `repair`: also those that have
    neither the old one nor this."""
    ids.prefix(new)
    if where.routes is not None:
        raise Refused("a rig's prefix cannot change", why="the town's routes, branches and records carry it", next="bd rename OLD NEW")
    beads = {**ledger.all(), **where.wisps_of(ledger)}
    alive = [bead_id for bead_id, record in beads.items() if ready.status(record) != states.TOMBSTONE]
    head = ledger.prefix + "-"
    own = [name for name in alive if name.startswith(head) and new != ledger.prefix and not _has_become(beads, head, new, name)]
    names = {bead_id: f"{new}-{bead_id.removeprefix(head)}" for bead_id in own}
    if repair:
        names |= _repaired([name for name in alive if not name.startswith((head, f"{new}-"))], new, {*beads, *names.values()})
    done = _rename(where, ledger, names, now, dry_run) if names else {}
    if not dry_run:  # last: killed before, the same command finds the rest
        found = fsio.read_json(ledger.beads.config)
        fsio.write_json(ledger.beads.config, {**(found if isinstance(found, dict) else {}), "issue_prefix": new})
    return done


def _has_become(beads: Mapping[str, Record], head: str, new: str, bead_id: str) -> bool:
    """Whether this is the name of a bead that was renamed by a run that was cut off: gp-a to gp-web-a, which has the old prefix too."""
    before = beads.get(head + bead_id.removeprefix(f"{new}-")) if bead_id.startswith(f"{new}-") else None
    return before is not None and before.get("delete_reason") == _reason(bead_id)


def _repaired(strangers: Sequence[str], new: str, taken: set[str]) -> dict[str, str]:
    """What comes behind the last hyphen, under this prefix, or where that is taken the whole id. Children follow their parent."""
    names: dict[str, str] = {}
    for top in sorted({bead_id.partition(".")[0] for bead_id in strangers}):
        short = f"{new}-{top.rpartition('-')[2]}"
        names[top] = ids.bead(f"{new}-{top}" if short in taken else short)
        taken.add(names[top])
    return {bead_id: names[bead_id.partition(".")[0]] + "".join(bead_id.partition(".")[1:]) for bead_id in strangers}


def _rename(where: World, ledger: Ledger, names: Mapping[str, str], now: int, dry_run: bool) -> dict[str, str]:
    """The wisps first: killed between, what they wait for is not known here until the same command has run again."""
    kept = where.beside(ledger)
    near = [one for one in (where.wisps(kept), kept) if one is not None]
    _check_others(where, near, names)

    def fill(draft: Draft, own: Mapping[str, str], in_wisps: bool, dry: bool) -> None:
        for old, new in names.items():
            _check_free(draft, old, new, is_here=old in own, in_wisps=in_wisps)
            if old in own and states.needs_landing(existing(draft, old)):
                raise Refused(f"{old} cannot be renamed", why="it was given to a worker, whose branch and landing carry its id")
        for record in () if dry else draft.naming(list(names)):  # none of them can refuse it
            bead_id, changed = record["id"], renames.renamed(record, names)
            if changed is record or ready.status(record) == states.TOMBSTONE:
                continue
            if bead_id not in own:
                draft.put(touched(record, {key: value for key, value in changed.items() if key != "id"}, where.caller.actor, now))
            else:
                at = clock.stamp(states.after_its_deletion(draft.get(changed["id"]), now))
                changed = states.with_former({**changed, "updated_at": at}, [*states.former(record), bead_id])
                draft.put(changed)  # still by who worked on it: who renamed it stands under the old id
                draft.put(tombstone(record, _reason(names[bead_id]), where.caller.actor, now))

    parts = [(there, {old: new for old, new in names.items() if where.holding(kept, old) is there}) for there in near]
    for dry in ([True] if dry_run else [True, False] if len(parts) > 1 else [False]):
        for there, own in parts:
            commit(there, partial(fill, own=own, in_wisps=isinstance(there.beads, Wisps), dry=dry), dry)
    return dict(names)


def follow(beads: Beads, names: Mapping[str, str]) -> None:
    """What the wisps of a ledger say of beads that have these ids now. Their own ids stay: they are nobody else's."""
    def change(view: View) -> list[Record]:
        found = {name: renames.renamed(record, {old: new for old, new in names.items() if old != name})
                 for name, record in view.all().items()}
        return [record for name, record in found.items() if record is not view.get(name)]

    if names and os.path.exists(beads.wisps):
        Ledger(Wisps(beads)).transact(change)


def _check_others(where: World, near: Sequence[Ledger], names: Mapping[str, str]) -> None:
    others = [] if where.routes is None else where.with_wisps([where.at(prefix) for prefix in sorted(where.prefixes())])
    for other in others:
        above = {} if other in near else graph.dependents(known.beads(other))
        for name in names:
            for bead_id, _ in above.get(name, ()):
                raise Refused(f"{name} cannot be renamed", why=f"{bead_id} in another ledger depends on it")


def _check_free(draft: Draft, old: str, new: str, *, is_here: bool, in_wisps: bool) -> None:
    """Raises Conflict where another bead has the new id, or had it; the very same one may have it back."""
    there = draft.get(new)
    if there is None:
        return
    if ready.status(there) != states.TOMBSTONE:
        raise Conflict(f"{new} is taken", next=f"bd show {new}")
    former, seen = new, set[str]()
    while former not in seen and former != old:
        seen.add(former)
        former = states.renamed(draft.get(former) or {})
    moved = there.get("delete_reason") in (states.EPHEMERAL, states.PERSISTENT)  # to the ledger beside this one, which tells
    if former != old and not moved and (is_here or not in_wisps):
        raise Conflict(f"{new} is taken", why="a bead that was deleted had it", next=f"bd rename {old} NEW")


def _reason(new: str) -> str:
    return f"now {new}"


def tombstone(record: Record, reason: str, actor: str, now: int) -> Record:
    """What stays of a bead that goes on elsewhere: its id and title."""
    at = clock.stamp(now)
    return arrange({
        "id": record["id"], "title": record.get("title", ""), "status": states.TOMBSTONE, "priority": ready.priority(record),
        "created_at": record.get("created_at", at), "updated_at": at, "updated_by": actor,
        "deleted_at": at, "deleted_by": actor, "delete_reason": reason, "original_type": ready.kind(record)})
