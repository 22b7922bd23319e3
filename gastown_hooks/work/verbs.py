"""The verbs on beads, each one transaction of one ledger. All return the records as they stand afterwards.

`dry_run=True` computes the same from a snapshot and writes nothing. What a verb changed is told as an event: in the town's
`.events.jsonl`, or for a plain repository in the ledger's own `local/events.log`. Nothing here asks git: what a close needs
proven, the caller brings (`work/beads` looks it up). Imported at every `bd update`: lean.
"""

from __future__ import annotations

from gastown_hooks.core import clock, errors, ids, jsons
from gastown_hooks.core.late import late
from gastown_hooks.core.record import arrange, touched
from gastown_hooks.rules import fields, graph, ready, states
from gastown_hooks.work.beadwrite import Around, Draft, check_edge, check_open, commit, each, edge, existing
from gastown_hooks.work.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from gastown_hooks.core.record import Record
    from gastown_hooks.stores import known
    from gastown_hooks.stores.callers import Caller
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.work.proof import Landing

    Proofs = Mapping[str, "Proof"]
    Change = Callable[[Draft, Record], Record]  # what becomes of one bead of a draft
else:
    known = late("gastown_hooks.stores.known")

DEEPEST = 3
CLOSING = ("closed_at", "closed_by", "close_reason", "closed_by_session")


class Proof:
    """What proves that a bead's work is done, for the claim `fence` (None: whatever the claim)."""

    __slots__ = ("commit", "fence", "landing")

    def __init__(self, commit: str | None = None, landing: Landing | None = None, fence: int | None = None) -> None:
        self.commit, self.landing, self.fence = commit, landing, fence


# ---- create ------------------------------------------------------------------------------------------------

def create(ledger: Ledger, caller: Caller, now: int, title: str, *, values: Mapping[str, Any] | None = None, bead_id: str | None = None,
           parent: str | None = None, deps: Sequence[tuple[str, str]] = (), gate: str | None = None, foreign: bool = False,
           inherit: bool = False, dry_run: bool = False) -> Record:
    """A new bead with a new id (or `bead_id`, or the parent's next child number; the child of a bead in another ledger has an id of its
    own). `values`: checked fields (rules/fields). `gate`: whether what it waits for is all-children or any-children. `foreign`:
    `bead_id` may have another prefix than this ledger's. `inherit`: with the parent's labels too.

    Raises Conflict (the id is taken), NotFound (parent, dependency), Refused (closed parent, too deep).
    """
    given = {"title": fields.title(title), "priority": 2, "issue_type": "task", **(values or {})}
    if bead_id is not None and not ids.bead(bead_id).startswith(ledger.prefix + "-") and not foreign:
        raise errors.BadInput(f"{ids.shown(bead_id)} does not belong here", why=f"this ledger's ids begin with {ledger.prefix}-")
    edges = list(dict.fromkeys([*deps, *([(graph.PARENT, parent)] if parent else [])]))
    world = World(caller)
    if bead_id is not None and world.holding(world.beside(ledger), bead_id).get(bead_id) is not None:
        raise _taken(bead_id)
    around = world.beyond(ledger) if edges else None
    above = ledger
    if parent:
        above = world.of(parent) if world.routes is not None else world.holding(world.beside(ledger), parent)
    if parent and above.beads.root != ledger.beads.root:
        check_open(existing(above, parent))

    own = parent if above.beads.root == ledger.beads.root else None

    def fill(draft: Draft) -> None:
        labels = states.inherited((draft if own else above).get(parent)) if inherit and parent else []
        put_new(draft, ledger, caller, now, given | ({"labels": sorted({*given.get("labels", ()), *labels})} if labels else {}),
                bead_id=bead_id, parent=own, edges=edges, around=around, gate=gate)

    return next(iter(commit(ledger, fill, dry_run, linked=bool(edges)).changed.values()))


def put_new(draft: Draft, ledger: Ledger, caller: Caller, now: int, given: Mapping[str, Any], *, bead_id: str | None = None,
            parent: str | None = None, edges: Iterable[tuple[str, str]] = (), around: Mapping[str, Record] | None = None,
            gate: str | None = None, circles: bool = True) -> Record:
    """A new bead into a draft. `parent`: only for its id, the edge is among `edges`. `around`: beads of elsewhere that edges lead to.
    `circles`: see `check_edge`."""
    at = clock.stamp(now)
    new = {"id": _new_id(ledger, draft, bead_id, parent, wisp=bool(given.get("ephemeral"))), "status": "open", **given, "created_at": at,
           "created_by": caller.actor, "updated_at": at, "updated_by": caller.actor, "dependencies": []}
    for kind, target in edges:
        check_edge(known.Together([draft.linked(new), around or {}]), new["id"], kind, target, circles=circles)
        new["dependencies"].append(edge(new["id"], kind, target, caller, now))
        if gate is not None and kind == "waits-for":
            new["dependencies"][-1]["metadata"] = jsons.dumps({"gate": gate})
    draft.put(arrange(new))
    return draft.changed[new["id"]]


def _new_id(ledger: Ledger, draft: Draft, wanted: str | None, parent: str | None, *, wisp: bool) -> str:
    if wanted is not None:
        if draft.get(wanted) is not None:
            raise _taken(wanted)
        return wanted
    if parent is None:
        return ids.mint(ledger.prefix + "-wisp" * wisp, draft.count(), lambda new: draft.get(new) is not None)
    check_open(existing(draft, parent))
    if states.depth(parent) >= DEEPEST:
        raise errors.Refused(f"{parent} is {DEEPEST} levels deep", why="children of children end there", next="bd create TITLE --deps ID")
    return f"{parent}.{draft.next_child(parent)}"


def _taken(bead_id: str) -> errors.Conflict:
    return errors.Conflict(f"{bead_id} is taken", next=f"bd show {bead_id}")


# ---- update ------------------------------------------------------------------------------------------------

def update(ledger: Ledger, caller: Caller, now: int, bead_ids: Sequence[str], values: Mapping[str, Any] | None = None, *,
           add_labels: Iterable[str] = (), remove_labels: Iterable[str] = (), append_notes: str | None = None,
           set_metadata: Mapping[str, Any] | None = None, unset_metadata: Sequence[str] = (), parent: str | None = None,
           claim: bool = False, force: bool = False, landed: Proofs | None = None, dry_run: bool = False) -> list[Record]:
    """Set fields (None clears one); `parent` "" clears it. A status `closed` asks the same decision as `close`.

    `claim` takes the bead: open and nobody's (or the caller's already). Raises Conflict when somebody else has it.
    """
    return each(ledger, bead_ids, updating(
        World(caller), now, values, add_labels=add_labels, remove_labels=remove_labels, append_notes=append_notes,
        set_metadata=set_metadata, unset_metadata=unset_metadata, parent=parent, claim=claim, force=force, landed=landed), dry_run,
        linked=bool(parent))


def updating(world: World, now: int, values: Mapping[str, Any] | None = None, *, add_labels: Iterable[str] = (),
             remove_labels: Iterable[str] = (), append_notes: str | None = None, set_metadata: Mapping[str, Any] | None = None,
             unset_metadata: Sequence[str] = (), parent: str | None = None, claim: bool = False, force: bool = False,
             landed: Proofs | None = None) -> Change:
    """`update` of one bead of a draft."""
    values, caller = dict(values or {}), world.caller

    def one(draft: Draft, record: Record) -> Record:
        changes = dict(values)
        if set_metadata or unset_metadata:
            keys = {**_metadata(record), **(set_metadata or {})}
            changes["metadata"] = {key: value for key, value in keys.items() if key not in unset_metadata} or None
        if claim:
            changes |= _claim(record, caller, now)
        if append_notes is not None:
            changes["notes"] = "\n".join(part for part in (record.get("notes"), append_notes) if part)
        labels = _labels(changes.pop("labels", record.get("labels") or []), add_labels, remove_labels)
        if labels != (record.get("labels") or []):
            changes["labels"] = labels or None
        if parent is not None:
            changes["dependencies"] = _moved(draft, world, record, parent, now)
        if "status" in changes:
            changes = _restated(world, draft, record, changes, landed or {}, now, force)
        return touched(record, changes, caller.actor, now)

    return one


def _labels(base: list[str], add: Iterable[str], remove: Iterable[str]) -> list[str]:
    wanted = [label for label in base if label not in set(remove)]
    new = set(add) - set(wanted)
    return sorted([*wanted, *new]) if new else wanted


def _claim(record: Record, caller: Caller, now: int) -> Record:
    status, holder = ready.status(record), record.get("assignee")
    if holder == caller.actor and status in ("in_progress", "hooked"):
        return {}
    if holder not in (None, "", caller.actor) or status != "open":
        raise errors.Conflict(f"{record['id']} cannot be claimed", why=f"it is {status}" + (f", with {holder}" if holder else ""),
                              next="bd ready")
    return {"assignee": caller.actor, "status": "in_progress"}


def _restated(world: World, draft: Draft, record: Record, changes: Record, landed: Proofs, now: int, force: bool) -> Record:
    old, new = ready.status(record), changes["status"]
    why = states.illegal_change(old, new)
    if why:
        raise errors.Refused(f"{record['id']} cannot become {ids.shown(new)}", why=why)
    if new == old:
        return changes
    if new == "closed":
        _check_close(world, draft, record, landed, now, force)
        return changes | _closing(record, world.caller, now, str(changes.get("close_reason") or ""), landed.get(record["id"]))
    if old == "closed":
        changes = dict.fromkeys(CLOSING) | changes
    if new == "in_progress" and not record.get("started_at"):
        changes["started_at"] = clock.stamp(now)
    return changes


def _moved(draft: Draft, world: World, record: Record, parent: str, now: int) -> list[Record] | None:
    """The dependencies with another parent (one parent only)."""
    kept = [found.raw for found in graph.edges(record) if found.kind != graph.PARENT]
    if parent and parent in graph.parents(record):
        return record.get("dependencies")
    if parent:
        around = world.beyond(world.of(record["id"]))
        check_edge(known.Together([draft.linked({**record, "dependencies": kept}), around]), record["id"], graph.PARENT, parent)
        kept = [*kept, edge(record["id"], graph.PARENT, parent, world.caller, now)]
    return kept or None


# ---- close, reopen -----------------------------------------------------------------------------------------

def close(ledger: Ledger, caller: Caller, now: int, bead_ids: Sequence[str], reason: str | Mapping[str, str], *,
          landed: Proofs | None = None, no_code: bool = False, force: bool = False, session: str = "",
          dry_run: bool = False) -> list[Record]:
    """Close beads; one that is closed already keeps its first closed_at and reason. `reason`: for all, or by id. `session`: the agent
    program's in which it happens.

    A bead given to a worker closes only with its proof in `landed`, or as `no_code` (the reason is the proof). `force` insists
    against open blockers, children, pins and gates. Raises Refused with all that speaks against it.
    """
    return each(ledger, bead_ids, closing(
        World(caller), now, reason, landed=landed, no_code=no_code, force=force, session=session), dry_run)


def closing(world: World, now: int, reason: str | Mapping[str, str], *, landed: Proofs | None = None, no_code: bool = False,
            force: bool = False, session: str = "") -> Change:
    """`close` of one bead of a draft."""
    caller, landed = world.caller, landed or {}

    def one(draft: Draft, record: Record) -> Record:
        if ready.status(record) == "closed":
            return record
        _check_close(world, draft, record, landed, now, force)
        why = reason if isinstance(reason, str) else reason[record["id"]]
        changes = {"status": "closed", **_closing(record, caller, now, why, landed.get(record["id"]))}
        if session:
            changes["closed_by_session"] = session
        if no_code:
            word = {"by": caller.actor, "reason": why, "at": clock.stamp(now), "fence": record.get("claim_fence", 0)}
            changes["metadata"] = {**_metadata(record), "no_code": word}
        return touched(record, changes, caller.actor, now)

    return one


def reopen(ledger: Ledger, caller: Caller, now: int, bead_ids: Sequence[str], reason: str = "", *, dry_run: bool = False) -> list[Record]:
    """Closed beads to open, nobody's if a worker had them, in no other's place; one that is not closed stays as it is. The reason
    becomes a comment."""
    def one(draft: Draft, record: Record) -> Record:
        if ready.status(record) == states.TOMBSTONE:
            raise errors.Refused(f"{record['id']} cannot be reopened", why="it was deleted")
        if ready.status(record) != "closed":
            return record
        kept = [found.raw for found in graph.edges(record) if found.kind not in graph.REPLACING]
        changes: Record = {**dict.fromkeys(CLOSING), "status": "open", "defer_until": None, "dependencies": kept or None}
        if states.needs_landing(record):
            changes["assignee"] = None
        if reason:
            at = clock.stamp(now)
            said = {"id": ids.derived("c", record["id"], at, reason), "issue_id": record["id"], "author": caller.actor,
                    "text": f"Reopened: {reason}", "created_at": at}
            changes["comments"] = [*(record.get("comments") or []), said]
        return touched(record, changes, caller.actor, now)

    return each(ledger, bead_ids, one, dry_run)


def _closing(record: Record, caller: Caller, now: int, reason: str, proof: Proof | None) -> Record:
    """The fields of a close besides the status."""
    changes: Record = {"closed_at": clock.stamp(now), "closed_by": caller.actor, "close_reason": fields.text(reason, "reason") or None}
    if not states.needs_landing(record) or proof is None or proof.commit is None:
        return changes
    changes["metadata"] = {**_metadata(record), "landed_as": proof.commit}
    if proof.landing is not None:
        changes["validations"] = [*(record.get("validations") or []), proof.landing.validation(now)]
    return changes


def _metadata(record: Record) -> Record:
    found = record.get("metadata")
    return found if isinstance(found, dict) else {"value": found} if found else {}


def _check_close(world: World, draft: Draft, record: Record, landed: Proofs, now: int, force: bool) -> None:
    proof = landed.get(record["id"])
    proven = proof is not None and proof.fence in (None, record.get("claim_fence"))
    against = [found for found in states.objections(Around(world, draft), record["id"], now, landed=proven) if not (force and found.force)]
    if against:
        insist = all(found.force for found in against)
        raise errors.Refused(f"{record['id']} cannot close", why="; ".join(found.text for found in against),
                      next=f"bd close {record['id']} --force" if insist else next((f.next for f in against if f.next), ""))
