"""Assigning work: the claim, and everything that follows from it.

The claim is one ledger transaction: status hooked, assignee, a higher fence. It is also the intent record: slot folder, lease,
branch, worktree and runner are derived from the bead, and `ensure_worker` completes them from wherever a killed sling stopped
(the witness calls it too). Whoever holds a worker's runner lock handles that worker; the owner takes it before the claim.
"""

from __future__ import annotations

import os

from gastown_hooks.core import clock, fsio, ids, lock
from gastown_hooks.core.errors import BadInput, Conflict, NotFound, Refused
from gastown_hooks.core.lock import Lock
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.core.record import touched
from gastown_hooks.core.values import dataclass
from gastown_hooks.rules import claims, names, ready
from gastown_hooks.stores import callers, config, events, git, known, stubs, worktrees
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import convoy, furnish, wake
from gastown_hooks.work import lease as leases
from gastown_hooks.work.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gastown_hooks.core.record import Record


@dataclass(frozen=True, slots=True)
class Assignment:
    """A bead and the worker it is with."""

    bead: str
    rig: str
    name: str
    fence: int
    branch: str
    tree: str
    started: bool

    @property
    def actor(self) -> str:
        return f"{self.rig}/polecats/{self.name}"


def sling(town: Town, bead_ids: list[str], rig: Rig, *, agent: str | None = None, name: str | None = None, caller: Caller, now: int,
          start: bool = False, dry_run: bool = False) -> list[Assignment]:
    """Give each bead a worker of its own on the rig; all of them or none.

    A bead that is claimed already is a Conflict naming its owner; one with open blockers is Refused. Beads that no open convoy
    tracks get one together. A sling that was killed after its claim is completed by running it again; with `start` that goes up to the
    runner, which gets the worker's lock from us: from the claim on it is never free.
    """
    config.rig_config(rig)
    config.town_id(town)
    config.mode(town)
    config.town_settings(town)
    known.beads(Ledger(town.beads))  # all that is needed later is readable, or nothing is claimed
    ledger = _ledger_for(town, bead_ids, rig, caller)
    if name is not None and len(bead_ids) > 1:
        raise BadInput(f"{rig.name}/{name} takes one bead", why="a worker has one hook", next=f"gt sling BEAD… {rig.name}")
    half_made = _half_made(rig, ledger, bead_ids, start)
    if half_made:
        if not dry_run:
            convoy.ensure(town, half_made, caller, now)
        return [_assignment(rig, bead, False) if dry_run else _complete(rig, bead, now, start) for bead in half_made]
    if dry_run:
        chosen = _choose(rig, bead_ids, name, ledger, World(caller), now)
        return [_assignment(rig, {"id": b, "assignee": f"{rig.name}/polecats/{n}", "claim_fence": 0}, False) for b, n in chosen.items()]
    claimed, held = _claim(rig, ledger, bead_ids, agent, name, caller, now)
    try:
        for record in claimed:
            events.emit(town, "sling", caller.actor, {"bead": record["id"], "target": record["assignee"],
                                                      "fence": record["claim_fence"]}, now)
        convoy.ensure(town, claimed, caller, now)
        for record in claimed:
            _prepare(rig, record, worker_home(rig, record), now)
        locks = {one.path: one for one in held}
        return [_assignment(rig, record, wake.start_runner(rig, home.name, asked=start, held=locks[home.runner_lock]))
                for record in claimed for home in [worker_home(rig, record)]]
    finally:
        for one in held:
            one.release()


def ensure_worker(rig: Rig, bead: Record, now: int) -> Home:
    """Complete the slot of a claimed bead, from wherever its sling stopped. Nothing happens while somebody else handles it."""
    home = worker_home(rig, bead)
    fsio.make_folder(home.root)
    held = lock.attempt(home.runner_lock)
    if held is not None:
        with held:
            _prepare(rig, bead, home, now)
    return home


def towns_own(bead_id: str, prefix: str = "PREFIX") -> Refused:
    """No rig's worker takes a bead of the town's own ledger."""
    return Refused(f"{bead_id} is the town's own", why="its beads are for people: there is no repository for a worker to change",
                   next=f"gt hook {bead_id} (do it yourself), or bd create TITLE --prefix {prefix} (a rig's bead)")


def worker_home(rig: Rig, bead: Record) -> Home:
    """The home of the polecat that the bead is assigned to."""
    return rig.polecat(ids.name(str(bead["assignee"]).rpartition("/")[2], "polecat"))


def worker_environment(rig: Rig, lease: leases.Lease) -> dict[str, str]:
    """What a worker's agent program finds in its environment (the seeds' table, and its claim)."""
    name, email = lease.actor.rpartition("/")[2], config.owner_email(rig.town)
    return {"GT_ROLE": "polecat", "GT_ROOT": rig.town.root, "GT_RIG": rig.name, "GT_POLECAT": name, "BD_ACTOR": lease.actor,
            **git.identity(lease.actor, email), "BEADS_DIR": rig.beads.root, "BEADS_AGENT_NAME": f"{rig.name}/{name}",
            "BEADS_NO_DAEMON": "1", "GT_BEAD": lease.bead, "GT_FENCE": str(lease.fence), "GT_TOKEN": lease.token}


def branch_of(rig: Rig, bead: Record) -> str:
    """`polecat/{name}/{issue}@{fence}`: the seeds' template, its timestamp part the fence, so no name meets old work."""
    local = ids.local_part(bead["id"], config.rig_config(rig).prefix)
    return f"polecat/{worker_home(rig, bead).name}/{local}@{bead['claim_fence']}"


# ---- claiming ----------------------------------------------------------------------------------------------

def _ledger_for(town: Town, bead_ids: list[str], rig: Rig, caller: Caller) -> Ledger:
    if caller.role == "polecat":
        raise Refused("a polecat does not sling", why="it has one bead, its own", next="bd create, and leave the new bead to the mayor")
    routes = Routes(town)
    for bead_id in bead_ids:
        there = routes.rig_of(bead_id)
        if there is None:
            raise towns_own(bead_id, config.rig_config(rig).prefix)
        if there.name != rig.name:
            raise Refused(f"{bead_id} is not {rig.name}'s", why=f"its prefix belongs to {there.name}",
                          next=f"gt sling {bead_id} {there.name}")
    return routes.open(rig.beads, caller)


def _claim(rig: Rig, ledger: Ledger, bead_ids: list[str], agent: str | None, name: str | None, caller: Caller,
           now: int) -> tuple[list[Record], list[Lock]]:
    """Names, runner locks and claims under the rig's pool lock. The caller releases the locks."""
    held: list[Lock] = []
    with lock.acquire(rig.lock("pool"), timeout=60):
        where, there = World(caller), known.beads(ledger)
        chosen = _choose(rig, bead_ids, name, ledger, where, now)
        beyond = where.around(there) if isinstance(there, dict) else where.beyond(ledger)  # before the ledger's lock is taken
        try:
            for worker in chosen.values():
                fsio.make_folder(rig.polecat(worker).root)
                mine = lock.attempt(rig.polecat(worker).runner_lock)
                if mine is None:
                    raise Conflict(f"{rig.name}/{worker} is busy", why="a runner holds it",
                                   next=f"gt polecat status {rig.name}/{worker}")
                held.append(mine)

            def change(view: View) -> list[Record]:
                own = view.linked()
                for bead_id in chosen:  # again, under the ledger's lock: others close and update too
                    _check_free(own, known.Together([own, beyond]), bead_id, now)
                fence = known.last_fence(own)
                return [_claimed(view, bead_id, f"{rig.name}/polecats/{worker}", fence + step, agent, caller, now)
                        for step, (bead_id, worker) in enumerate(chosen.items(), 1)]

            return ledger.transact(change), held
        except BaseException:
            for one in held:
                fsio.remove_tree(os.path.dirname(one.path))  # only its lock was in it
                one.release()
            raise


def _claimed(view: View, bead_id: str, actor: str, fence: int, agent: str | None, caller: Caller, now: int) -> Record:
    # The fence grows over the whole ledger, so that (name, fence) names one claim for ever: refs and branches are built from it.
    bead = view.get(bead_id) or {}
    changes: Record = {"status": "hooked", "assignee": actor, "claim_fence": fence}
    if agent:
        changes["metadata"] = {**(bead.get("metadata") or {}), "agent": agent}
    return touched(bead, changes, caller.actor, now)


def _choose(rig: Rig, bead_ids: list[str], name: str | None, ledger: Ledger, where: World, now: int) -> dict[str, str]:
    """Bead to worker name. Raises what stands in the way of any of them."""
    own, around = known.beads(ledger), where.known([ledger])  # what blocks a bead may be another rig's
    for bead_id in bead_ids:
        _check_free(own, around, bead_id, now)
    taken = names_in_use(rig, known.at_work(own))
    if len(taken) + len(bead_ids) > (limit := config.rig_settings(rig).max_workers):
        raise Refused(f"{rig.name} has {len(taken)} workers", why=f"max_workers is {limit}", next=f"gt polecat list {rig.name}")
    if name is not None and ids.name(name, "polecat") in taken:
        raise Conflict(f"{rig.name}/{name} has work already", next=f"gt polecat status {rig.name}/{name}")
    chosen: dict[str, str] = {}
    for bead_id in dict.fromkeys(bead_ids):
        chosen[bead_id] = name or names.choose(taken | set(chosen.values()))
    return chosen


def _check_free(own: Mapping[str, Record], around: Mapping[str, Record], bead_id: str, now: int) -> None:
    """Raises why the bead cannot be claimed. `own`: its ledger's beads, `around`: those of elsewhere too."""
    bead = own.get(bead_id)
    if bead is None or bead.get("status") == "tombstone":
        raise NotFound(f"no bead {ids.shown(bead_id)}", next="bd list")
    status = bead.get("status", "open")
    if status in claims.CLAIMED:
        who = str(bead.get("assignee") or "somebody")
        raise Conflict(f"{bead_id} is with {who}", why=f"status {status}",
                       next=f"gt polecat status {who}" if "/polecats/" in who else f"bd show {bead_id}")
    if status != "open":
        raise Refused(f"{bead_id} is {status}", next=f"bd reopen {bead_id}" if status == "closed" else f"bd update {bead_id} --status open")
    reasons = ready.blockers(around, bead_id, now)
    if reasons:
        raise Refused(f"{bead_id} is not ready", why="; ".join(str(reason) for reason in reasons[:3]), next=f"bd show {bead_id}")
    request = known.open_request(own, bead)
    if request is not None and request["status"] == "open":
        raise Conflict(f"{bead_id} is submitted", why=f"{request['id']} waits in the merge queue", next=f"gt mq status {request['id']}")


def names_in_use(rig: Rig, records: Mapping[str, Record]) -> set[str]:
    """Slots on disk, and the assignees of claimed beads that are not submitted yet. A slot that holds at most a runner's lock
    is what a sling left that was killed before its claim; the next one takes it."""
    taken = {name for name in os.listdir(rig.polecats) if not _is_unused(rig.polecat(name))} if os.path.isdir(rig.polecats) else set()
    return taken | set(claims.unsubmitted(rig.name, records))


def _is_unused(slot: Home) -> bool:
    return os.path.isdir(slot.root) and set(os.listdir(slot.root)) <= {os.path.basename(slot.runner_lock)}


def _half_made(rig: Rig, ledger: Ledger, bead_ids: list[str], start: bool) -> list[Record]:
    """The beads, when all are claimed by workers, of whom some were left unfinished and nobody is at any: a sling was killed."""
    found = [bead for bead in (ledger.get(bead_id) for bead_id in bead_ids) if bead is not None]
    if len(found) != len(bead_ids) or not all(claims.is_claim(rig.name, bead) for bead in found):
        return []
    left = [_is_left(rig, bead, start) for bead in found]
    return found if True in left and None not in left else []


def _is_left(rig: Rig, bead: Record, start: bool) -> bool | None:
    """Whether the worker lacks its slot (with `start`: or its first runner) and nobody is at it; None while somebody is."""
    home = worker_home(rig, bead)
    # The lock before the lease: the owner holds it from before its claim until its lease says ready, or its runner has it.
    if lock.is_held(home.runner_lock):
        return False if _has_begun(home) else None
    if not _lacks(rig, bead, home, start) or not os.path.isdir(home.root):
        return _lacks(rig, bead, home, start)
    held = lock.attempt(home.runner_lock)  # the kernel's table, read while a hundred locks come and go, passes over one now and then
    if held is None:
        return False if _has_begun(home) else None
    with held:
        return _lacks(rig, bead, home, start)


def _lacks(rig: Rig, bead: Record, home: Home, start: bool) -> bool:
    return not _is_ready(rig, bead) or (start and not _has_begun(home))


def _has_begun(home: Home) -> bool:
    return os.path.exists(home.heartbeat) or os.path.exists(home.turns)


def _is_ready(rig: Rig, bead: Record) -> bool:
    lease = leases.read(worker_home(rig, bead))
    return (lease is not None and lease.state != leases.PREPARING) or known.open_request(known.beads(Ledger(rig.beads)), bead) is not None


# ---- the slot ----------------------------------------------------------------------------------------------

def _complete(rig: Rig, bead: Record, now: int, start: bool) -> Assignment:
    home = ensure_worker(rig, bead, now)
    return _assignment(rig, bead, wake.start_runner(rig, home.name, asked=start))


def _assignment(rig: Rig, bead: Record, started: bool) -> Assignment:
    home = worker_home(rig, bead)
    return Assignment(bead["id"], rig.name, home.name, bead["claim_fence"], branch_of(rig, bead), home.tree, started)


def _prepare(rig: Rig, bead: Record, home: Home, now: int) -> None:
    """With the runner lock held: lease, githooks, worktree, the project's extra files; the lease says ready last."""
    lease = leases.read(home)
    if lease is not None and (lease.bead, lease.fence) != (bead["id"], bead["claim_fence"]):
        raise Conflict(f"{rig.name}/{home.name} still holds {lease.bead}", why=f"fence {lease.fence}, not retired yet",
                       next=f"gt polecat nuke {rig.name}/{home.name}")
    if lease is not None and lease.state != leases.PREPARING:
        return
    lease = lease or _lease(rig, bead, now)  # a sling that goes on after a kill keeps it: branch and processes may be there already
    leases.write(home, lease)
    fsio.make_folder(home.mail)
    fsio.copy(wake.role_file(rig.witness, "polecat"), home.role_file("polecat"))
    stubs.install(home.githooks, home, rig, config.rig_config(rig).target)
    worktrees.add(rig, home.tree, branch=lease.branch, start=lease.base, sparse=True, githooks=home.githooks, replace_unready=True,
                  user=(lease.actor, config.owner_email(rig.town)))
    furnish.furnish(rig, home.tree, callers.clean_environment(worker_environment(rig, lease)))
    leases.advance(home, lease, leases.READY)


def _lease(rig: Rig, bead: Record, now: int) -> leases.Lease:
    """A new lease for the claim, from the target's tip."""
    target = config.rig_config(rig).target
    base = git.commit(rig.repo, f"refs/heads/{target}")  # one question: the library that answers many takes longer to load
    if base is None:
        raise Refused(f"{target} has no commit", next=f"gt rig status {rig.name}")
    agent = (bead.get("metadata") or {}).get("agent") or config.rig_settings(rig).agent or config.town_settings(rig.town).default_agent
    return leases.Lease(
        bead=bead["id"], fence=bead["claim_fence"], token=f"{config.town_id(rig.town)}.{os.urandom(12).hex()}", actor=bead["assignee"],
        branch=branch_of(rig, bead), base=base,
        agent=str(agent), state=leases.PREPARING, created_at=clock.stamp(now))
