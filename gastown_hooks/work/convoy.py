"""Convoys as records: made, added to, closed once, their subscribers told once. What they mean is in rules/convoys.

A convoy closes in one transaction that also writes `untold`; then its subscribers get their mail, keyed by that closing; then the
mark goes. Whoever finds the mark does the rest, so a kill loses no mail and doubles none.
"""

from __future__ import annotations

from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import NotFound, Refused
from gastown_hooks.core.paths import Town
from gastown_hooks.core.record import arrange, touched
from gastown_hooks.core.values import dataclass
from gastown_hooks.rules import convoys as rules
from gastown_hooks.rules import fields, ready, states
from gastown_hooks.stores import known, mail
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import addresses
from gastown_hooks.work.beadwrite import Draft, check_edge, commit, each, edge
from gastown_hooks.work.verbs import CLOSING
from gastown_hooks.work.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Record = dict[str, Any]

PREFIX = "hq-cv"


@dataclass(frozen=True, slots=True)
class Progress:
    """A convoy and what each of its beads is up to."""

    record: Record
    beads: list[rules.Tracked]

    @property
    def done(self) -> int:
        return sum(bead.over for bead in self.beads)

    def as_json(self) -> Record:
        data = rules.data(self.record)
        return {"id": self.record["id"], "title": self.record.get("title", ""), "status": ready.status(self.record),
                "created_at": self.record.get("created_at"), "closed_at": self.record.get("closed_at"), "done": self.done,
                "total": len(self.beads), "launched": bool(data.get("launched")), "notify": data.get("notify") or [],
                "beads": [{"id": one.id, "title": one.title, "type": one.kind, "state": one.state, "worker": one.worker,
                           "request": one.request, "waits_for": one.waits_for} for one in self.beads]}


# ---- looking ------------------------------------------------------------------------------------------------

def progress(caller: Caller, now: int, *, closed: bool = True, only: str | None = None, brief: bool = False,
             queues: Mapping[str, list[Record]] | None = None) -> list[Progress]:
    """Every convoy of the town (or the one of this id), the open ones first, then the newest first. Raises NotFound.

    `queues`: the unsettled merge requests of the ledgers whose they are known. `brief`: why a bead waits need not be told.
    """
    town = caller.in_town()
    wanted = rules.is_convoy if closed else rules.is_open
    those = [find(town, only)] if only is not None else known.those(
        Ledger(town.beads), known.CONVOYS if closed else known.OPEN_CONVOYS).values()
    found = [one for one in those if wanted(one)]
    where = World(caller)
    records = where.known() if found else {}
    outlook = where.outlook(list({bead for one in found for bead in rules.tracked(one)}), now) if brief and found else {}
    queues = queues or {}
    others = {beads.root: beads for beads in Routes(town).prefixes().values() if found and beads.root not in queues}
    parts = [*queues.values(), *(known.those(Ledger(beads), known.OPEN_REQUESTS).values() for beads in others.values())]
    open_requests = rules.by_claim(one for part in parts for one in part)
    ordered = sorted(sorted(found, key=lambda one: str(one.get("created_at")), reverse=True), key=lambda one: not rules.is_open(one))

    def look(name: str) -> rules.Tracked:
        if name not in outlook:
            return rules.look(name, records, open_requests, now)
        bead, held = outlook[name]
        return rules.seen(bead, ["it is blocked"] if held else [], open_requests)

    return [Progress(one, [look(bead) for bead in rules.tracked(one)]) for one in ordered]


def find(town: Town, convoy_id: str) -> Record:
    """Raises NotFound when there is no convoy of this id."""
    found = Ledger(town.beads).get(ids.bead(convoy_id))
    if found is None or not rules.is_convoy(found):
        raise NotFound(f"no convoy {ids.shown(convoy_id)}", next="gt convoy list --all")
    return found


# ---- making -------------------------------------------------------------------------------------------------

def create(town: Town, title: str, beads: Sequence[str], *, notify: Sequence[str] = (), epic: str | None = None, caller: Caller, now: int,
           dry_run: bool = False) -> Record:
    """A convoy that tracks the beads, and the work below the epic. Raises NotFound for a bead or an address that is not there."""
    known = World(caller).known()
    wanted = [*beads, *(_below(known, epic) if epic else ())]
    told = list(dict.fromkeys(addresses.mailbox(town, address)[0] for address in notify))
    metadata = {key: value for key, value in (("notify", told), ("epic", epic)) if value}
    ledger = _ledger(town, caller)

    def fill(draft: Draft) -> None:
        new = ids.mint(PREFIX, draft.count(), lambda name: draft.get(name) is not None)
        _check(known, new, wanted)
        draft.put(_fresh(new, fields.title(title), wanted, metadata, caller, now))

    return next(iter(commit(ledger, fill, dry_run).changed.values()))


def ensure(town: Town, claimed: Sequence[Record], caller: Caller, now: int) -> None:
    """One convoy for those of the beads that no open convoy tracks. Its id is made from their claims: a repeated call finds it."""
    ledger = _ledger(town, caller)
    name = ids.derived(PREFIX, *sorted(f"{bead['id']}@{bead.get('claim_fence')}" for bead in claimed))

    def fill(draft: Draft) -> None:
        left = [bead for bead in claimed if not rules.followers(draft.linked(), bead["id"])]
        if left and draft.get(name) is None:
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            draft.put(_fresh(name, f"Work: {left[0].get('title', '')}"[:480] + more, [bead["id"] for bead in left], {}, caller, now))

    commit(ledger, fill, dry_run=False, linked=True)


def add(town: Town, convoy_id: str, beads: Sequence[str], caller: Caller, now: int, dry_run: bool = False) -> Record:
    """Track more beads; a convoy that was closed is open again. The same ones again change nothing."""
    find(town, convoy_id)
    known = World(caller).known()

    def one(draft: Draft, record: Record) -> Record:
        there = set(rules.tracked(record))
        new = [bead for bead in dict.fromkeys(beads) if bead not in there]
        _check(known, convoy_id, new)
        if not new:
            return record
        edges = [*(record.get("dependencies") or []), *(edge(convoy_id, rules.TRACKS, bead, caller, now) for bead in new)]
        return touched(record, {"dependencies": edges, **reopening(record)}, caller.actor, now)

    return each(_ledger(town, caller), [convoy_id], one, dry_run)[0]


def reopening(record: Record) -> Record:
    """The change that opens a closed convoy again because it tracks more; none for anything else."""
    if not rules.is_convoy(record) or rules.is_open(record):
        return {}
    return {**dict.fromkeys(CLOSING), "status": "open", **marked(record, untold=None)}


def follow_epic(town: Town, convoy: Record, known: Mapping[str, Record], caller: Caller, now: int) -> Record:
    """The convoy with the children that its epic got since."""
    epic, there = rules.data(convoy).get("epic"), set(rules.tracked(convoy))
    new = [bead for bead in rules.children_of(known, epic) if bead not in there] if isinstance(epic, str) else []
    return add(town, convoy["id"], new, caller, now) if new else convoy


def _below(known: Mapping[str, Record], epic: str) -> list[str]:
    record = known.get(ids.bead(epic))
    if record is None or ready.status(record) == states.TOMBSTONE:
        raise NotFound(f"no bead {ids.shown(epic)}", next="bd list --type epic")
    below = rules.children_of(known, epic)
    if not below:
        raise Refused(f"{epic} has no children", why="nothing to track", next=f"bd create TITLE --parent {epic}")
    return below


def _fresh(name: str, title: str, beads: Iterable[str], metadata: Record, caller: Caller, now: int) -> Record:
    at = clock.stamp(now)
    return arrange({
        "id": name, "title": title, "status": "open", "priority": 2, "issue_type": rules.TYPE, "created_at": at, "created_by": caller.actor,
        "updated_at": at, "updated_by": caller.actor, "metadata": metadata or None, "labels": [rules.LABEL],
        "dependencies": [edge(name, rules.TRACKS, bead, caller, now) for bead in dict.fromkeys(beads)]})


def _check(known: Mapping[str, Record], convoy_id: str, beads: Iterable[str]) -> None:
    for bead in beads:
        check_edge(known, convoy_id, rules.TRACKS, bead)
        if rules.is_convoy(known.get(bead, {})):
            raise Refused(f"{convoy_id} cannot track {bead}", why="a convoy tracks work, not convoys", next=f"gt convoy status {bead}")


def _ledger(town: Town, caller: Caller) -> Ledger:
    return Routes(town).open(town.beads, caller)


def marked(record: Record, **marks: Any) -> Record:
    """The change that sets (None removes) keys of the metadata."""
    found = {key: value for key, value in {**rules.data(record), **marks}.items() if value is not None}
    return {"metadata": found or None}


# ---- ending -------------------------------------------------------------------------------------------------

def settle(town: Town, convoy: Record, known: Mapping[str, Record], caller: Caller, now: int) -> bool:
    """Close the convoy if all its beads are closed, and tell its subscribers what was not told; whether it landed now."""
    landed = False
    if rules.is_open(convoy) and rules.has_landed(convoy, known):
        convoy = _close(town, convoy["id"], "all of its beads are closed", known, caller, now, force=False)
        landed = not rules.is_open(convoy)
    if not rules.is_open(convoy) and rules.data(convoy).get("untold"):
        _tell(town, convoy, known, caller, now)
    return landed


def close(town: Town, convoy_id: str, reason: str, *, force: bool = False, caller: Caller, now: int, dry_run: bool = False) -> Record:
    """Close a convoy by hand; its beads stay as they are, and nothing of it is started any more. Refused while beads are open,
    unless forced."""
    convoy, known = find(town, convoy_id), World(caller).known()
    left = [bead for bead in rules.tracked(convoy) if ready.status(known.get(bead, {})) not in rules.OVER]
    if left and not force:
        raise Refused(f"{convoy_id} has {len(left)} open beads", why=", ".join(left[:5]), next=f"gt convoy close {convoy_id} --force")
    if not dry_run:
        convoy = _close(town, convoy_id, reason, known, caller, now, force=True)
        settle(town, convoy, known, caller, now)
    return convoy


def _close(town: Town, convoy_id: str, reason: str, known: Mapping[str, Record], caller: Caller, now: int, *, force: bool) -> Record:
    def one(draft: Draft, record: Record) -> Record:
        if not rules.is_open(record) or not (force or rules.has_landed(record, known)):
            return record
        mark = marked(record, untold=True) if rules.data(record).get("notify") else {}
        changes = {"status": "closed", "closed_at": clock.stamp(now), "closed_by": caller.actor,
                   "close_reason": fields.text(reason, "reason"), **mark}
        return touched(record, changes, caller.actor, now)

    return each(_ledger(town, caller), [convoy_id], one, dry_run=False)[0]


def _tell(town: Town, convoy: Record, known: Mapping[str, Record], caller: Caller, now: int) -> None:
    word = "landed" if rules.has_landed(convoy, known) else "closed unfinished"
    beads = [known.get(bead, {"id": bead, "title": "(not known here)"}) for bead in rules.tracked(convoy)]
    lines = [f"  {'✓' if ready.status(bead) in rules.OVER else '○'} {bead['id']}: {bead.get('title', '')}" for bead in beads]
    body = (f"Convoy {word}: {convoy.get('title', '')} ({convoy['id']})\n\nIssues ({len(beads)}):\n" + "\n".join(lines)
            + f"\n\nReason: {convoy.get('close_reason', '')}\nDuration: {_duration(convoy)}\n")
    notify = rules.data(convoy).get("notify")
    for address in notify if isinstance(notify, list) else []:
        try:
            actor, home = addresses.mailbox(town, str(address))
        except NotFound:  # gone since: the person hears of it
            actor, home = addresses.HUMAN, town.overseer
        mail.deliver(home.mail, caller.actor, actor, f"Convoy {word}: {convoy.get('title', '')} ({convoy['id']})", body,
                     key=f"{convoy['id']}-{convoy.get('closed_at')}", now=now)

    def told(draft: Draft, record: Record) -> Record:
        same = record.get("closed_at") == convoy.get("closed_at")
        return touched(record, marked(record, untold=None), caller.actor, now) if same else record

    each(_ledger(town, caller), [convoy["id"]], told, dry_run=False)


def _duration(convoy: Record) -> str:
    try:
        seconds = (clock.parse(str(convoy["closed_at"])) - clock.parse(str(convoy["created_at"]))) // clock.SECOND
    except (ValueError, KeyError):
        return "unknown"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {seconds % 60}s"
