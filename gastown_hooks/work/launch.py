"""Launched convoys: what is ready is slung at once, the rest by the deacon's patrol as it becomes ready. And the patrol itself.

A launch is written on the convoy; everything that follows is found again from the records. A bead is started by the town once:
what came back (refused, escalated, deferred) waits for somebody's word, as its dependents do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import Conflict, GastownError, NotFound, Refused
from gastown_hooks.core.paths import Rig, Town
from gastown_hooks.core.record import touched
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import claims, ready
from gastown_hooks.rules import convoys as rules
from gastown_hooks.stores import config, known
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import convoy, sling
from gastown_hooks.work.beadwrite import Draft, each
from gastown_hooks.work.world import World

Record = dict[str, Any]
Records = Mapping[str, Record]


@dataclass(slots=True)
class Round:
    """What a round did, in words, and what it could not do."""

    done: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def is_batch(town: Town, bead_id: str) -> bool:
    """Whether the bead stands for others: a convoy or an epic."""
    found = Routes(town).ledger(bead_id, Caller("overseer", town.root, town)).get(bead_id)
    return found is not None and (rules.is_convoy(found) or ready.kind(found) == "epic")


def launch(town: Town, bead_id: str, *, agent: str | None = None, caller: Caller, now: int, start: bool = False,
           dry_run: bool = False) -> tuple[Record, list[sling.Assignment]]:
    """Launch a convoy, or the convoy of an epic (made where there is none): sling what is ready; the rest follows in a running town.

    Launched again it is the same. Raises NotFound, Refused (a closed convoy, an epic without children, a worker calls).
    """
    if caller.role == "polecat":
        raise Refused("a polecat launches nothing", why="it has one bead, its own", next="leave the convoy to the mayor")
    config.mode(town)  # a town whose mode cannot be read gets no half-made launch
    chosen = _convoy_of(town, bead_id, caller, now, dry_run)
    if not rules.is_open(chosen):
        raise Refused(f"{chosen['id']} is closed", next=f"gt convoy add {chosen['id']} BEAD opens it again")
    if not dry_run:
        chosen = _mark(town, chosen, agent, caller, now)
    where, agent = World(caller), agent or _agent(chosen)
    made = []
    for rig, beads in _by_rig(town, rules.startable([chosen], ready.ready_among(where.known(), rules.tracked(chosen), now))):
        fitting = [bead["id"] for bead in _fitting(rig, beads, where)]
        for some in [fitting] if dry_run and fitting else [[bead] for bead in fitting]:  # what is not claimed leaves its name free
            made += sling.sling(town, some, rig, agent=agent, caller=caller, now=now, start=start, dry_run=dry_run)
    return chosen, made


def patrol(town: Town, caller: Caller, now: int, *, dry_run: bool = False) -> Round:
    """One round over all convoys. One convoy's, or one rig's, trouble does not stop the others'."""
    found = Round()
    where = World(caller)
    beads, held = where.known(), _held(where)
    convoys = [one for one in where.those(known.CONVOYS).values() if rules.is_convoy(one)]
    followed = {bead for one in convoys for bead in rules.tracked(one)}
    for rig in () if dry_run else town.rigs():
        for bead in claims.unsubmitted(rig.name, held).values():
            if bead["id"] not in followed:
                convoy.ensure(town, [beads[bead["id"]]], caller, now)  # a sling that was killed after its claim
    for one in convoys:
        try:
            found.done += _tend(town, one, beads, caller, now, dry_run)
        except GastownError as error:
            found.troubles.append(f"{one['id']}: {error}")
    if config.mode(town) == "running":
        _feed(town, caller, now, dry_run, found)
    return found


def _tend(town: Town, one: Record, known: Records, caller: Caller, now: int, dry_run: bool) -> list[str]:
    if dry_run:
        return [f"would close {one['id']}: all of its beads are closed"] if rules.is_open(one) and rules.has_landed(one, known) else []
    if rules.is_open(one):
        one = convoy.follow_epic(town, one, known, caller, now)
    return [f"{one['id']} landed"] if convoy.settle(town, one, known, caller, now) else []


def _feed(town: Town, caller: Caller, now: int, dry_run: bool, found: Round) -> None:
    """Sling what is ready of the launched convoys."""
    where = World(caller)
    launched = [one for one in where.those(known.OPEN_CONVOYS).values() if rules.is_open(one) and rules.data(one).get("launched")]
    for rig, beads in _by_rig(town, rules.startable(launched, ready.ready_among(where.known(), rules.following(launched), now))):
        try:
            for bead in _fitting(rig, beads, where):
                agent = next(_agent(one) for one in launched if bead["id"] in rules.tracked(one))
                found.done.append(_give(town, bead["id"], rig, agent, caller, dry_run))
        except GastownError as error:
            found.troubles.append(f"{rig.name}: {error}")


def _give(town: Town, bead_id: str, rig: Rig, agent: str | None, caller: Caller, dry_run: bool) -> str:
    try:
        (made,) = sling.sling(town, [bead_id], rig, agent=agent, caller=caller, now=clock.now(), dry_run=dry_run)
    except (Conflict, Refused) as error:
        return f"{bead_id}: {error}"  # somebody was first, or the rig is full: the next round looks again
    return f"{'would give' if dry_run else 'gave'} {made.bead} to {made.actor}"


def _by_rig(town: Town, beads: Iterable[Record]) -> list[tuple[Rig, list[Record]]]:
    """The beads of each rig, in their order; the town's own chores are for people."""
    routes = Routes(town)
    sorted_out: dict[str, list[Record]] = {}
    for bead in beads:
        rig = routes.rig_of(bead["id"])
        if rig is not None:
            sorted_out.setdefault(rig.name, []).append(bead)
    return [(town.rig(name), found) for name, found in sorted_out.items()]


def _held(where: World) -> Records:
    """What tells whom a bead is with: claims and merge requests."""
    return where.claims() | where.those(known.OPEN_REQUESTS)


def _fitting(rig: Rig, beads: list[Record], where: World) -> list[Record]:
    """As many as the rig has room for."""
    return beads[:max(0, config.rig_settings(rig).max_workers - len(sling.names_in_use(rig, _held(where))))]


def _convoy_of(town: Town, bead_id: str, caller: Caller, now: int, dry_run: bool) -> Record:
    where = World(caller)
    found = where.known().get(ids.bead(bead_id))
    if found is None or not (rules.is_convoy(found) or ready.kind(found) == "epic"):
        what = f"{bead_id} is neither" if found else f"no bead {ids.shown(bead_id)}"
        raise NotFound(f"{what}", why="a convoy or an epic is launched", next="gt convoy list, bd list --type epic")
    if rules.is_convoy(found):
        return found
    mine = [one for one in where.those(known.OPEN_CONVOYS).values() if rules.is_open(one) and rules.data(one).get("epic") == bead_id]
    return mine[0] if mine else convoy.create(town, str(found.get("title") or bead_id), [], epic=bead_id, caller=caller, now=now,
                                              dry_run=dry_run)


def _mark(town: Town, chosen: Record, agent: str | None, caller: Caller, now: int) -> Record:
    def one(draft: Draft, record: Record) -> Record:
        before = rules.data(record).get("launched")
        if isinstance(before, dict) and agent in (None, before.get("agent")):
            return record
        launched = {"by": caller.actor, "at": clock.stamp(now), **({"agent": agent} if agent else {})}
        return touched(record, convoy.marked(record, launched=launched), caller.actor, now)

    return each(Routes(town).open(town.beads, caller), [chosen["id"]], one, dry_run=False)[0]


def _agent(one: Record) -> str | None:
    launched = rules.data(one).get("launched")
    found = launched.get("agent") if isinstance(launched, dict) else None
    return found if isinstance(found, str) else None
