"""The town at a glance, and each agent with the evidence for its state. Reads only."""

from __future__ import annotations

from gastown_hooks.core import clock, fsio, lock
from gastown_hooks.core.errors import GastownError, storage
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.core.system import os
from gastown_hooks.core.values import asdict, dataclass, field
from gastown_hooks.rules import agent_states as states
from gastown_hooks.rules import claims, requests, turn
from gastown_hooks.rules.liveness import Worker
from gastown_hooks.stores import beats, callers, config, known, mail, maildir, processes
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import convoy, rigs, wake
from gastown_hooks.work import lease as leases

TYPE_CHECKING = False
if TYPE_CHECKING:
    import shlex
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from gastown_hooks.work.convoy import Progress

    Record = dict[str, Any]
else:
    shlex = late("shlex")

RECENT = 24 * 3600 * clock.SECOND
TICK_MISSED = 600  # seconds: three ticks of the cron line


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent. `age`: seconds since its last beat, None without one; `evidence`: the facts behind `state`."""

    actor: str
    role: str
    rig: str | None
    state: str
    bead: str = ""
    age: int | None = None
    evidence: dict[str, object] = field(default_factory=dict)
    why: str = ""

    def as_json(self) -> Record:
        return asdict(self)


@dataclass(slots=True)
class Overview:
    """What `gt status` shows, most urgent first."""

    town: str
    mode: str
    links: list[Record] = field(default_factory=list)
    needs_you: list[Record] = field(default_factory=list)
    failed: list[Record] = field(default_factory=list)
    working: list[Record] = field(default_factory=list)
    waiting: list[Record] = field(default_factory=list)
    convoys: list[Progress] = field(default_factory=list)
    done: list[Record] = field(default_factory=list)

    def as_json(self) -> Record:
        return {**asdict(self), "convoys": [one.as_json() for one in self.convoys]}


# ---- agents -------------------------------------------------------------------------------------------------

def agents(town: Town, now: int) -> list[Agent]:
    """Every agent of the town, most urgent first."""
    found = [_role(town, town.mayor, "mayor", None, now), _role(town, town.deacon, "deacon", None, now)]
    for rig in town.rigs():
        found += [_role(town, home, role, rig, now) for role, home in (("witness", rig.witness), ("refinery", rig.refinery))
                  if os.path.isdir(home.root)]
        found += [Agent(f"{rig.name}/crew/{name}", "crew", rig.name, states.BY_HAND) for name in rigs.folders(rig.crew_root)]
        found += workers(rig, now)
    return ordered(found)


def ordered(found: Iterable[Agent]) -> list[Agent]:
    """Most urgent first."""
    return sorted(found, key=lambda agent: (states.URGENCY.index(agent.state), agent.actor))


def _role(town: Town, home: Home, role: str, rig: Rig | None, now: int) -> Agent:
    running = lock.is_held(wake.role_lock(town, role, rig.name if rig else None))
    age, evidence, _ = _beat(home, now)
    actor = f"{rig.name}/{role}" if rig else role
    return Agent(actor, role, rig.name if rig else None, states.of_role(running), age=age, evidence={"lock": running, **evidence})


def workers(rig: Rig, now: int, unsettled: list[Record] | None = None) -> Iterator[Agent]:
    """The rig's polecats: those that have a folder, and those that hold a bead. `unsettled`: its merge requests, of whoever has them."""
    try:
        ledger = Ledger(rig.beads)
        held = claims.by_worker(rig.name, known.claims(ledger))
        if unsettled is None:
            unsettled = requests.among(known.those(ledger, known.OPEN_REQUESTS).values())
        submitted = {(one.source, one.fence) for one in requests.usable(unsettled)}
        fault = ""
    except GastownError as error:
        held, submitted, fault = {}, set(), str(error)
    there, starts = set(rigs.folders(rig.polecats)), config.mode(rig.town) == "running"
    for name in sorted({*there, *held}):
        slot = _slot(rig.polecat(name), held.get(name), now) if name in there else _NO_SLOT
        claim, lease = held.get(name), slot.lease
        fence = lease.fence if lease else claim["claim_fence"] if claim else 0
        bead = lease.bead if lease else claim["id"] if claim else ""
        worker = Worker(claimed=None if fault else slot.mine or (lease is None and claim is not None), submitted=(bead, fence) in submitted,
                        home=name in there, lease=slot.state, alive=slot.alive, stalled=bool(slot.stalled), running=slot.running,
                        agents_start=starts)
        evidence = {"lock": slot.locked, "fence": fence, "lease": slot.state or "none", **slot.evidence}
        yield Agent(f"{rig.name}/polecats/{name}", "polecat", rig.name, states.of_worker(worker), bead, slot.age, evidence,
                    slot.fault or fault or slot.stalled)


@dataclass(frozen=True, slots=True)
class _Slot:
    """What a worker's folder tells. `mine`: its lease is the one of the claim; `state`: of the lease, None where that cannot be told."""

    lease: leases.Lease | None = None
    state: str | None = ""
    fault: str = ""
    locked: bool = False
    running: bool = False
    mine: bool = False
    stalled: str = ""
    alive: bool | None = False
    age: int | None = None
    evidence: dict[str, object] = field(default_factory=lambda: {"beat": "none"})


_NO_SLOT = _Slot()


def _slot(home: Home, claim: Record | None, now: int) -> _Slot:
    lease, fault, locked = None, "", lock.is_held(home.runner_lock)
    try:
        lease = leases.read(home)
        state: str | None = lease.state if lease else ""
    except GastownError as error:
        state, fault = None, str(error)
    age, evidence, alive = _beat(home, now)
    mine = lease is not None and claim is not None and (claim["id"], claim.get("claim_fence")) == (lease.bead, lease.fence)
    running = locked and evidence.get("says") != beats.ATTACHED  # a person has its session
    return _Slot(lease, state, fault, locked, running, mine, _stall(home, lease), alive, age, evidence)


def _stall(home: Home, lease: leases.Lease | None) -> str:
    """Why the worker's runner gave up on the present claim; "" when it did not."""
    found = fsio.read_json(home.turns)
    return str(found.get("stalled") or "") if isinstance(found, dict) and lease and found.get("fence") == lease.fence else ""


def _beat(home: Home, now: int) -> tuple[int | None, dict[str, object], bool | None]:
    """(age in seconds, evidence, whether the process of the last beat lives: None when that cannot be told)."""
    try:
        beat = beats.read(home.heartbeat)
    except GastownError as error:
        return None, {"beat": str(error)}, None
    if beat is None:
        return None, {"beat": "none"}, False
    alive = processes.is_alive(beat.process())
    seen: dict[str, object] = {"pid": beat.pid, "alive": alive, "seq": beat.seq, "says": beat.state,
                               "this_boot": beat.boot_id == clock.boot_id()}
    return _age(home.heartbeat, now), seen, alive


def _age(path: str, now: int) -> int | None:
    """Seconds since the file was replaced; None where there is none."""
    try:
        return max(0, now - os.stat(path).st_mtime_ns) // clock.SECOND
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage(path, error) from error


# ---- the overview -------------------------------------------------------------------------------------------

def overview(town: Town, now: int, *, brief: bool = False) -> Overview:
    """The whole town; `brief`: without why the beads of convoys wait. A part that cannot be read is itself something that needs you, and
    hides no other part."""
    found = Overview(town.root, config.mode(town))
    found.links = [{"link": name, "age": _age(path, now)} for name, path in _links(town)]
    queues: dict[str, list[Record]] = {}
    _guarded(found, "the town", lambda: _town_needs(town, found, now))
    for rig in town.rigs():
        _guarded(found, rig.name, lambda rig=rig: _rig_part(rig, found, queues, now))  # type: ignore[misc]
    caller = callers.Caller("overseer", town.root, town)
    _guarded(found, "convoys", lambda: found.convoys.extend(convoy.progress(caller, now, closed=False, brief=brief, queues=queues)))
    _guarded(found, "agents", lambda: _agent_part(town, found, queues, now))
    return found


def _links(town: Town) -> Iterator[tuple[str, str]]:
    yield "tick", town.last_tick
    yield "deacon", town.deacon.heartbeat
    for rig in town.rigs():
        yield f"{rig.name}/witness", rig.witness.heartbeat
        yield f"{rig.name}/refinery", rig.refinery.heartbeat


def _guarded(found: Overview, part: str, look: Callable[[], None]) -> None:
    try:
        look()
    except GastownError as error:
        found.needs_you.append({"what": f"{part} cannot be read", "why": str(error),
                                "next": error.next or f"ls -l {shlex.quote(found.town)}"})


def _town_needs(town: Town, found: Overview, now: int) -> None:
    ages = [age for age in (_age(town.last_tick, now), _age(town.mode, now)) if age is not None]
    if found.mode == "running" and ages and min(ages) > TICK_MISSED and not lock.is_held(town.lock("daemon")):
        found.needs_you.append({"what": "nothing ticks", "why": f"the town is up, and there was no tick for {min(ages) // 60} minutes",
                                "next": "gt daemon status"})
    for rig in rigs.half_made(town):
        found.needs_you.append({"what": f"rig {rig.name} is half made", "why": "its gt rig add did not finish",
                                "next": f"run it again, or: gt rig remove {rig.name}"})
    for message in mail.unread(town.overseer.mail):
        folder, name = message.path.split("/")[-2:]
        read, done = (shlex.quote(part) for part in (f"{folder}/{name}", f"cur/{maildir.seen(name)}"))
        found.needs_you.append({"what": message.subject, "why": f"mail from {message.sender}",
                                "next": f"cd {shlex.quote(town.overseer.mail)} && cat {read} && mv {read} {done}"})


def _rig_part(rig: Rig, found: Overview, queues: dict[str, list[Record]], now: int) -> None:
    if config.rig_settings(rig).gates is None:
        found.needs_you.append({"what": f"{rig.name} has no gates", "why": "its queue lands nothing until you choose",
                                "next": f"gt config set {rig.name}.gates COMMAND…, or none"})
    ledger = Ledger(rig.beads)
    its = known.known(ledger)
    for problem in ledger.problems()[:3] if its is None else ():  # an index that tells has met no such line
        found.needs_you.append({"what": f"{rig.beads.issues} line {problem.number} is no bead", "why": problem.why,
                                "next": f"sed -n {problem.number}p {shlex.quote(rig.beads.issues)}"})
    recent = (("status", True, ("closed",)), ("fence", True, ()), ("closed", ">", (now - RECENT,)))
    records = known.those(ledger, known.OPEN_REQUESTS, recent)
    queues[rig.beads.root] = requests.among(records.values())
    lines = rigs.request_lines(records)
    unapproved = [line["id"] for line in lines if line["state"] == requests.WAITING and line["reason"] == turn.UNAPPROVED]
    if unapproved:
        found.needs_you.append({"what": f"{len(unapproved)} to approve in {rig.name}", "why": "nothing lands there without a person's word",
                                "next": f"gt mq status {unapproved[0]}, then gt mq approve {unapproved[0]}"})
    for line in lines:
        (found.waiting if line["state"] in (requests.QUEUED, requests.WAITING) else found.failed).append({"rig": rig.name, **line})
    closed = [r for r in records.values() if r.get("status") == "closed" and claims.fence(r) > 0 and _since(r, now) < RECENT]
    found.done += [{"rig": rig.name, "id": r["id"], "title": r["title"], "closed_at": r["closed_at"]}
                   for r in sorted(closed, key=lambda r: str(r["closed_at"]), reverse=True)]


def _agent_part(town: Town, found: Overview, queues: dict[str, list[Record]], now: int) -> None:
    for agent in ordered(one for rig in town.rigs() for one in workers(rig, now, queues.get(rig.beads.root))):
        line = {"agent": agent.actor, "bead": agent.bead, "state": agent.state, "age": agent.age, "why": agent.why}
        if agent.state == states.STALLED:
            why, _, first = agent.why.partition(". Next: ")
            found.needs_you.append({"what": f"{agent.actor} is stalled on {agent.bead}", "why": why, "next": _after_stall(agent, first)})
        if agent.state in (states.STALLED, states.ZOMBIE, states.UNKNOWN):
            found.failed.append(line)
        elif agent.state != states.DONE:
            found.working.append(line)


def _after_stall(agent: Agent, first: str) -> str:
    who = agent.actor.replace("/polecats/", "/")
    first = first or ("" if agent.why.startswith("stopped by ") else f"gt peek {who}")
    return f"{first}, then gt session start {who}" if first else f"gt session start {who}"


def _since(record: Record, now: int) -> int:
    try:
        return now - clock.parse(str(record.get("closed_at")))
    except ValueError:
        return RECENT
