"""Deleting beads, and bringing back those that were deleted, archived or shortened. A deleted bead stays in the ledger as a tombstone
with all that it was."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Refused
from gastown_hooks.core.record import touched
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import ageing as rules
from gastown_hooks.rules import fields, graph, ready, states
from gastown_hooks.stores import archive
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.work import ageing
from gastown_hooks.work.beadwrite import Draft, commit, existing
from gastown_hooks.work.world import World

Record = dict[str, Any]
_TEXTS = ("description", "design", "acceptance_criteria", "notes")
_NAME = re.compile(r"(?<![\w.:-])[\w-]+(?:\.\w[\w-]*)*")
_TOMB = ("deleted_at", "deleted_by", "delete_reason", "original_type")


@dataclass(slots=True)
class Removal:
    """What a deletion takes away and changes in others."""

    deleted: list[Record] = field(default_factory=list)
    dependencies_removed: int = 0
    references_updated: int = 0
    orphaned: list[str] = field(default_factory=list)


def delete(ledger: Ledger, caller: Caller, now: int, bead_ids: Sequence[str], reason: str = "", *, cascade: bool = False,
           hard: bool = False, dry_run: bool = False) -> Removal:
    """Beads to tombstones; `cascade`: also all that depends on them. Others lose their edges to them, and name them `[deleted:ID]`.
    `hard`: then not even the tombstones stay, nor those of beads that were deleted before.

    Raises Refused while a worker has one of them, a child would stay without its parent, or, `hard`, for one that is in the archive or
    that a wisp or a bead of another ledger depends on.
    """
    done = Removal()
    beyond = graph.dependents(World(caller).beyond(ledger)) if hard else {}
    buried = [bead_id for bead_id in bead_ids if hard and ready.status(ledger.get(bead_id) or {}) == states.TOMBSTONE]

    def fill(draft: Draft) -> None:
        done.__init__()  # type: ignore[misc]  # the transaction may run twice
        left = [bead_id for bead_id in bead_ids if bead_id not in buried]
        for bead_id in left:
            existing(draft, bead_id)
        above = graph.dependents(draft.linked())
        gone = dict.fromkeys(_all(above, left) if cascade else left)
        if hard:
            _check_shelves(ledger, [*gone, *buried])
            _check_beyond(beyond, [*gone, *buried])
        for bead_id in gone:
            _check(draft, above, bead_id, gone)
        near = {other for bead_id in gone for other, _ in above.get(bead_id, ())}
        near |= {edge.target for bead_id in gone for edge in graph.edges(existing(draft, bead_id))}
        for bead_id in sorted(near.difference(gone)):
            _let_go(draft, bead_id, gone, done, caller, now)
        for bead_id in gone:
            record = existing(draft, bead_id)
            changes = {"status": states.TOMBSTONE, "deleted_at": clock.stamp(now), "deleted_by": caller.actor,
                       "delete_reason": fields.text(reason, "reason") or None, "original_type": ready.kind(record)}
            draft.put(touched(record, changes, caller.actor, now))
            done.deleted.append(draft.changed[bead_id])

    commit(ledger, fill, dry_run, linked=True)
    if hard:
        done.deleted += [found for bead_id in dict.fromkeys(buried) if (found := ledger.get(bead_id))]
    if hard and not dry_run:
        _bury(ledger, {record["id"] for record in done.deleted})
    return done


def _check_shelves(ledger: Ledger, bead_ids: Sequence[str]) -> None:
    shelved = archive.everything(ledger.beads).lines
    there = next((bead_id for bead_id in bead_ids if bead_id in shelved), None)
    if there is not None:
        raise Refused(f"{there} cannot be deleted without a trace", why="it is in the archive, from which it would come back",
                      next=f"bd delete {there}, without --hard")


def _check_beyond(beyond: Mapping[str, list[tuple[str, str]]], bead_ids: Sequence[str]) -> None:
    for bead_id in bead_ids:
        for other, _ in beyond.get(bead_id, ()):
            raise Refused(f"{bead_id} cannot be deleted without a trace", why=f"{other} would depend on what is not known",
                          next=f"bd dep remove {other} {bead_id}")


def _bury(ledger: Ledger, bead_ids: set[str]) -> None:
    """The lines of these out of the ledger, if they are tombstones still. Killed before, the same command does it."""
    def change(view: View) -> tuple[dict[str, bytes], dict[str, bytes]]:
        tombs = {bead_id for bead_id in bead_ids if ready.status(view.get(bead_id) or {}) == states.TOMBSTONE}
        return {}, {bead_id: line for bead_id in tombs if (line := view.line(bead_id)) is not None}

    ledger.shelve(change, known=False)  # in no archive either: the index is to look anew


def restore(ledger: Ledger, caller: Caller, now: int, bead_ids: Sequence[str], *, dry_run: bool = False) -> list[Record]:
    """Deleted beads as they were, open or closed; archived ones back in the ledger; shortened ones with their texts. Any other stays as it
    is. Raises Refused where nothing is left of it."""
    archived = ledger.archived(bead_ids)
    texts = ageing.originals(ledger, caller, bead_ids)

    def fill(draft: Draft) -> None:
        for bead_id in bead_ids:
            record = draft.get(bead_id) or existing(draft, bead_id)
            if ready.status(record) != states.TOMBSTONE:
                again = rules.unfolded(record, texts[bead_id]) if bead_id in texts else {}
                draft.put(touched(record, {**again, "updated_at": clock.stamp(now)}, caller.actor, now)
                          if again or bead_id in archived else record)
                continue
            if not record.get("title"):
                raise Refused(f"{bead_id} cannot be restored", why="only its id was kept", next="bd list --all")
            successor = states.renamed(record)
            if successor and draft.get(successor) is not None:
                raise Refused(f"{bead_id} cannot be restored", why=f"it is {successor} now", next=f"bd show {successor}")
            kind = {} if record.get("issue_type") else {"issue_type": record.get("original_type")}
            status = "closed" if record.get("closed_at") else "open"
            draft.put(touched(record, {**dict.fromkeys(_TOMB), **kind, "status": status}, caller.actor,
                              states.after_its_deletion(record, now)))

    draft = commit(ledger, fill, dry_run)
    return [draft.changed[bead_id] for bead_id in dict.fromkeys(bead_ids)]


def _all(above: Mapping[str, list[tuple[str, str]]], bead_ids: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(bead_ids))
    seen = set(found)
    for bead_id in found:
        new = [other for other, kind in above.get(bead_id, ()) if kind in graph.BLOCKING and other not in seen]
        seen.update(new)
        found += new
    return found


def _check(draft: Draft, above: Mapping[str, list[tuple[str, str]]], bead_id: str, gone: Container[str]) -> None:
    record = existing(draft, bead_id)
    if states.needs_landing(record) and ready.status(record) in states.CLAIMED:
        raise Refused(f"{bead_id} cannot be deleted", why=f"{record.get('assignee')} works on it", next=f"bd show {bead_id}")
    children = [other for other, kind in above.get(bead_id, ()) if kind == graph.PARENT and other not in gone]
    if children:
        raise Refused(f"{bead_id} cannot be deleted", why=f"it has children: {', '.join(children[:5])}",
                      next=f"bd delete {bead_id} --cascade")


def _let_go(draft: Draft, bead_id: str, gone: Container[str], done: Removal, caller: Caller, now: int) -> None:
    record = draft.get(bead_id)
    if record is None or ready.status(record) == states.TOMBSTONE:
        return
    there = record.get("dependencies") or []
    left = [raw for raw in there if raw.get("depends_on_id") not in gone]
    changes: Record = {"dependencies": left or None} if len(left) < len(there) else {}
    done.dependencies_removed += len(there) - len(left)
    done.orphaned += [bead_id] if changes else []
    for key in _TEXTS:
        if isinstance(record.get(key), str):
            text = _NAME.sub(lambda match: f"[deleted:{match[0]}]" if match[0] in gone else match[0], record[key])
            if text != record[key]:
                changes[key] = text
                done.references_updated += 1
    draft.put(touched(record, changes, caller.actor, now))
