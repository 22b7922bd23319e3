"""Launched convoys: what is ready is slung at once, the rest by the deacon's patrol as it becomes ready. And the patrol itself.

A launch is written on the convoy; everything that follows is found again from the records. A bead is started by the town once:
what came back (refused, escalated, deferred) waits for somebody's word, as its dependents do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import GastownError, NotFound, Refused
from gastown_hooks.core.paths import Rig, Town
from gastown_hooks.core.record import touched
from gastown_hooks.rules import claims, ready
from gastown_hooks.rules import convoys as rules
from gastown_hooks.stores import config
from gastown_hooks.stores.config import Caller
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import convoy, sling
from gastown_hooks.work.beadwrite import Draft, each
from gastown_hooks.work.world import World

Record = dict[str, Any]
Records = Mapping[str, Record]


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
    chosen = _convoy_of(town, bead_id, caller, now, dry_run)
    if not rules.is_open(chosen):
        raise Refused(f"{chosen['id']} is closed", next=f"gt convoy add {chosen['id']} BEAD opens it again")
    if not dry_run:
        chosen = _mark(town, chosen, agent, caller, now)
    known = World(caller).everything()
    made = []
    for bead, rig in _next(town, known, [chosen], now):
        made += sling.sling(town, [bead["id"]], rig, agent=agent or _agent(chosen), caller=caller, now=now, start=start, dry_run=dry_run)
    return chosen, made


def patrol(town: Town, caller: Caller, now: int, *, dry_run: bool = False) -> list[str]:
    """One round over all convoys; what was done, in words. One convoy's trouble does not stop the others'."""
    done: list[str] = []
    known = World(caller).everything()
    for rig in town.rigs():
        if not dry_run:
            for bead in claims.unsubmitted(rig.name, known).values():
                convoy.ensure(town, [bead], caller, now)  # a sling that was killed after its claim
    for one in [one for one in known.values() if rules.is_convoy(one)]:
        try:
            done += _tend(town, one, known, caller, now, dry_run)
        except GastownError as error:
            done.append(f"{one['id']}: {error}")
    if config.mode(town) == "running":
        done += _feed(town, caller, now, dry_run)
    return done


def _tend(town: Town, one: Record, known: Records, caller: Caller, now: int, dry_run: bool) -> list[str]:
    if dry_run:
        return [f"would close {one['id']}: all of its beads are closed"] if rules.is_open(one) and rules.has_landed(one, known) else []
    if rules.is_open(one):
        one = convoy.follow_epic(town, one, known, caller, now)
    return [f"{one['id']} landed"] if convoy.settle(town, one, known, caller, now) else []


def _feed(town: Town, caller: Caller, now: int, dry_run: bool) -> list[str]:
    """Sling what is ready of the launched convoys."""
    done = []
    known = World(caller).everything()
    launched = [one for one in known.values() if rules.is_open(one) and rules.data(one).get("launched")]
    for bead, rig in _next(town, known, launched, now):
        agent = next(_agent(one) for one in launched if bead["id"] in rules.tracked(one))
        try:
            made = sling.sling(town, [bead["id"]], rig, agent=agent, caller=caller, now=clock.now(), dry_run=dry_run)
            done += [f"{'would give' if dry_run else 'gave'} {one.bead} to {one.actor}" for one in made]
        except GastownError as error:
            done.append(f"{bead['id']}: {error}")
    return done


def _next(town: Town, known: Records, convoys: Iterable[Record], now: int) -> list[tuple[Record, Rig]]:
    """What can be slung now, the most urgent first, as many as the rigs have room for."""
    routes, room, chosen = Routes(town), dict[str, int](), []
    for bead in rules.startable(convoys, ready.ready(known, now)):
        rig = routes.rig_of(bead["id"])
        if rig is None:
            continue  # the town's own chores are for people
        if rig.name not in room:
            room[rig.name] = config.rig_settings(rig).max_workers - len(sling.names_in_use(rig, dict(known)))
        if room[rig.name] > 0:
            room[rig.name] -= 1
            chosen.append((bead, rig))
    return chosen


def _convoy_of(town: Town, bead_id: str, caller: Caller, now: int, dry_run: bool) -> Record:
    known = World(caller).everything()
    found = known.get(ids.bead(bead_id))
    if found is None or not (rules.is_convoy(found) or ready.kind(found) == "epic"):
        what = f"{bead_id} is neither" if found else f"no bead {ids.shown(bead_id)}"
        raise NotFound(f"{what}", why="a convoy or an epic is launched", next="gt convoy list, bd list --type epic")
    if rules.is_convoy(found):
        return found
    mine = [one for one in known.values() if rules.is_open(one) and rules.data(one).get("epic") == bead_id]
    return mine[0] if mine else convoy.create(town, str(found.get("title") or bead_id), [], epic=bead_id, caller=caller, now=now,
                                              dry_run=dry_run)


def _mark(town: Town, chosen: Record, agent: str | None, caller: Caller, now: int) -> Record:
    def one(draft: Draft, record: Record) -> Record:
        before = rules.data(record).get("launched")
        if isinstance(before, dict) and agent in (None, before.get("agent")):
            return record
        launched = {"by": caller.actor, "at": clock.stamp(now), **({"agent": agent} if agent else {})}
        return touched(record, convoy.marked(record, launched=launched), caller.actor, now)

    return each(Routes(town).open(town.beads, caller), caller, now, [chosen["id"]], one, dry_run=False)[0]


def _agent(one: Record) -> str | None:
    launched = rules.data(one).get("launched")
    found = launched.get("agent") if isinstance(launched, dict) else None
    return found if isinstance(found, str) else None
