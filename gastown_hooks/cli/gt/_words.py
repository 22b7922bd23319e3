"""What the commands that look at a town say, in words or as JSON. Without click: they are asked all day, of towns of any size."""

from __future__ import annotations

from gastown_hooks.cli.plain import ago, cleaned, emit_json, rig_named, say, table
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.late import late
from gastown_hooks.rules import convoys as rules
from gastown_hooks.rules import order, requests
from gastown_hooks.rules.agent_states import BY_HAND, STALLED
from gastown_hooks.stores import config
from gastown_hooks.stores.routes import Routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from gastown_hooks.core.paths import Rig, Town
    from gastown_hooks.stores.callers import Caller
    from gastown_hooks.work import convoy, queue, rigs, status, targets
    from gastown_hooks.work.convoy import Progress

    Record = dict[str, Any]
else:
    convoy, queue = late("gastown_hooks.work.convoy"), late("gastown_hooks.work.queue")
    rigs, status, targets = late("gastown_hooks.work.rigs"), late("gastown_hooks.work.status"), late("gastown_hooks.work.targets")

ICONS = {rules.LANDED: "✓", rules.CLOSED: "✓", "tombstone": "✓", rules.WORKING: "◐", rules.SUBMITTED: "◑", rules.SENT_BACK: "✗",
         rules.CONFLICT: "✗", rules.BLOCKED: "●", rules.READY: "○"}
_WIDTH = 10
_SHOWN = 12


# ---- gt status ----------------------------------------------------------------------------------------------

def overview(town: Town, as_json: bool) -> None:
    """The town at a glance."""
    found = status.overview(town, clock.now(), brief=not as_json)
    if as_json:
        emit_json(found.as_json())
        return
    say(f"{found.town}: {'running' if found.mode == 'running' else 'by hand (gt up starts it)'}")
    say("last seen: " + ", ".join(_links(found.links)))
    _section("Needs you", found.needs_you, lambda n: f"{n['what']}: {n['why']}. Next: {n['next']}")
    _section("Failed", [entry for entry in found.failed if entry["state"] != STALLED],  # those need you
             lambda entry: f"{_line(entry)}{_after(entry)}")
    _section("Working", [entry for entry in found.working if entry["state"] != BY_HAND], _line)
    _section("By hand", [entry for entry in found.working if entry["state"] == BY_HAND], _by_hand)
    _section("Waiting to land", found.waiting, _line)
    _section("Convoys", found.convoys, line)
    _section("Done in the last day", found.done, lambda d: f"{d['id']}  {d['title']}")
    if not (found.needs_you or found.failed or found.working or found.waiting):
        say("\nNothing is under way. " + _hint(town))


def _section(title: str, found: list[Any], words: Callable[[Any], str]) -> None:
    if found:
        say(f"\n{title} ({len(found)})")
    for one in found[:_SHOWN]:
        say(f"  {words(one)}")
    if len(found) > _SHOWN:
        say(f"  and {len(found) - _SHOWN} more")


def _links(links: list[Record]) -> Iterator[str]:
    """Tick and deacon, then each rig by the older of its two roles. The deacon is left out until it has been there."""
    oldest: dict[str, int | None] = {}
    for link in links:
        name, age = link["link"].partition("/")[0], link["age"]
        before = oldest.setdefault(name, age)
        oldest[name] = None if None in (before, age) else max(before or 0, age)
    return (f"{name} {_ago(age)}" for name, age in oldest.items() if name != "deacon" or age is not None)


def _line(entry: Record) -> str:
    who = _short(entry.get("agent") or entry.get("id"))
    age = f", last beat {_ago(entry['age'])}" if entry.get("age") is not None else ""
    why = str(entry.get("why") or entry.get("reason") or "").removeprefix("fail: ")
    return f"{who}  {entry['bead']}  {entry['state']}{age}" + (f": {why}" if why else "")


def _by_hand(entry: Record) -> str:
    who = _short(entry["agent"])
    return f"{who}  {entry['bead']}  not started by the town. Next: gt session start {who}, or gt attach {who}"


def _after(entry: Record) -> str:
    return f". Next: gt mq status {entry['id']}" if "id" in entry else f". Next: gt polecat status {_short(entry['agent'])}"


def _short(actor: object) -> str:
    """A worker as commands take it: RIG/NAME."""
    return str(actor).replace("/polecats/", "/")


def _hint(town: Town) -> str:
    found = town.rigs()
    if not found:
        return "Next: gt rig add NAME URL-OR-FOLDER"
    return f"Next: bd ready shows what can start, gt sling BEAD {found[0].name if len(found) == 1 else 'RIG'} starts it"


def _ago(seconds: object) -> str:
    if not isinstance(seconds, int):
        return "never"
    size, unit = next(((s, u) for s, u in ((86400, "d"), (3600, "h"), (60, "m")) if seconds >= s), (1, "s"))
    return f"{seconds // size}{unit} ago"


# ---- gt agents, gt polecat list -----------------------------------------------------------------------------

def agents(town: Town, as_json: bool) -> None:
    """Every agent with the evidence for its state."""
    found = status.agents(town, clock.now())
    if as_json:
        emit_json([agent.as_json() for agent in found])
        return
    table([(agent.actor, agent.state, agent.bead, "" if agent.age is None else f"{agent.age}s", _evidence(agent.evidence), agent.why)
           for agent in found], ("AGENT", "STATE", "BEAD", "BEAT", "EVIDENCE", ""))


def _evidence(facts: dict[str, object]) -> str:
    words = {True: "yes", False: "no", None: "cannot tell"}
    return " ".join(f"{key}={words[value] if value is None or isinstance(value, bool) else value}" for key, value in facts.items())


def workers(town: Town, rig: str | None, as_json: bool) -> None:
    """The workers of a rig, or of all."""
    chosen = [rig_named(town, rig)] if rig is not None else town.rigs()
    found = status.ordered(agent for one in chosen for agent in status.workers(one, clock.now()))
    if as_json:
        emit_json([agent.as_json() for agent in found])
        return
    if not found:
        say("no workers. Next: gt sling BEAD RIG")
        return
    table([(_short(agent.actor), agent.state, agent.bead, "" if agent.age is None else f"{agent.age}s", agent.why) for agent in found],
          ("POLECAT", "STATE", "BEAD", "BEAT", "WHY"))


# ---- gt rig list, gt rig status -----------------------------------------------------------------------------

def projects(town: Town, as_json: bool) -> None:
    """The rigs."""
    found = rigs.listing(town)
    if as_json:
        emit_json([rig.as_json() for rig in found])
        return
    if not found:
        say("no rigs yet. Next: gt rig add NAME URL-OR-FOLDER")
        return
    table([(r.name, r.prefix, r.target, r.workers, r.queued, r.open_beads, gates(r.gates), r.problem or r.url or r.source or "")
           for r in found], ("RIG", "PREFIX", "TARGET", "WORKERS", "QUEUED", "OPEN", "GATES", "FROM"))


def project(town: Town, name: str, as_json: bool) -> None:
    """One rig."""
    found = rigs.status(town.rig(ids.name(name, "rig")))
    if as_json:
        emit_json(found)
        return
    for key, value in {**found, "gates": gates(found["gates"])}.items():
        if key not in ("queue", "hooks") and value not in ("", None, []):
            say(f"{key:12} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    for hook in found["hooks"]:
        say(f"  {hook['worker']}  {hook['bead']}  {' '.join(hook['convoys'])}")
    for request in found["queue"]:
        say(f"  {request['id']}  {request['state']:9} {request['bead']}  {request['reason']}")


def gates(found: list[str] | str | None) -> str:
    return "not set: nothing lands" if found is None else found if isinstance(found, str) else "; ".join(found)


# ---- gt mq list, gt mq next ---------------------------------------------------------------------------------

def queues(town: Town, caller: Caller, rig: str | None, everything: bool, as_json: bool) -> None:
    """What is in the queue of a rig, or of all."""
    now = clock.now()
    chosen = [rig_of(town, caller, rig)] if rig is not None else town.rigs()
    found = [_queue(one, now, everything) for one in chosen]
    if as_json:
        emit_json(found if rig is None else found[0])
        return
    if not found:
        say("no rigs yet. Next: gt rig add NAME URL-OR-FOLDER")
    for one in found:
        given = "; ".join(one["gates"]) if isinstance(one["gates"], list) else one["gates"]
        say(f"{one['rig']}  target {one['target']}  gates: {given}")
        if one["closed"]:
            say(f"  CLOSED since {one['closed'].get('since')}: {one['closed'].get('why')}")
        for words in one["damaged"]:
            say(f"  {words}")
        if not one["requests"]:
            say("  nothing in the queue" if everything else "  nothing waits (--all shows what landed, too)")
            continue
        table([(r["id"], r["state"], f"P{r['priority']}", r["source"], r["worker"], ago(r["created_at"], now), r["reason"])
               for r in one["requests"]], ("ID", "STATE", "PRI", "BEAD", "WORKER", "SUBMITTED", "REASON"))


def _queue(rig: Rig, now: int, everything: bool) -> Record:
    settings = config.rig_config(rig)
    chosen = config.rig_settings(rig).gates
    every = queue.requests(rig, closed=everything)
    waiting = queue.ordered(requests.among(every), now)
    seen = {found["id"] for found in waiting}
    others = [found for found in every if found["id"] not in seen and requests.is_usable(found)]
    return {"rig": rig.name, "target": settings.target, "gates": chosen if chosen is not None else "not configured: nothing lands",
            "closed": targets.closed(rig).get(settings.target), "damaged": queue.faults(requests.among(every)),
            "requests": [request(found) for found in [*waiting, *others]]}


def next_due(town: Town, caller: Caller, rig: str | None, as_json: bool) -> None:
    """The request that the next round begins with."""
    found = queue.next_due(rig_of(town, caller, rig), clock.now())
    if as_json:
        emit_json(request(found) if found else None)
    elif found is None:
        say("nothing waits to land")
    else:
        say(f"{found['id']}  P{order.priority(found)}  {found['metadata'].get('source')}  {found['title']}")


def request(found: Record) -> Record:
    """A request's fields by their names."""
    one, data = requests.parse(found), found["metadata"]
    return {"id": one.id, "title": found.get("title", ""), "state": one.state, "reason": one.reason,
            "priority": order.priority(found), "source": one.source, "worker": one.worker, "fence": one.fence,
            "branch": one.branch, "head": one.head, "base": one.base, "target": one.target,
            "created_at": one.created_at, "not_before": data.get("not_before"), "landed_as": data.get("landed_as"),
            "gate_log": data.get("gate_log"), "review": one.review or None, "pull": one.pull or None}


def rig_of(town: Town, caller: Caller, name: str | None) -> Rig:
    """The named rig, else the caller's, the folder's, the only one."""
    inside = caller.cwd[len(town.root) + 1:].split("/")[0] if caller.cwd.startswith(town.root + "/") else ""
    known = {rig.name: rig for rig in town.rigs()}
    chosen = name if name is not None else (
        caller.rig or (inside if inside in known else None) or (next(iter(known)) if len(known) == 1 else None))
    if chosen is None:
        raise BadInput("say which rig", why=f"known: {', '.join(known) or 'none yet'}", next="gt rig list")
    return rig_named(town, chosen)


# ---- gt convoy list, gt convoy status -----------------------------------------------------------------------

def batches(town: Town, caller: Caller, every: bool, wanted: str | None, tree: bool, as_json: bool) -> None:
    """The convoys with their progress; `wanted`: only those that are open, or closed."""
    found = [one for one in convoy.progress(caller, clock.now(), closed=every or wanted == "closed", brief=not (tree or as_json))
             if wanted is None or rules.is_open(one.record) == (wanted == "open")]
    if as_json:
        emit_json([_json(town, one) for one in found])
        return
    for one in found:
        say(line(one))
        if tree:
            _say_beads(town, one, indent="    ")
    if not found:
        say("No convoys. Next: gt convoy create TITLE BEAD…, or gt sling, which makes one")


def batch(town: Town, caller: Caller, convoy_id: str | None, as_json: bool) -> None:
    """One convoy bead by bead, or each open one."""
    found = convoy.progress(caller, clock.now(), only=convoy_id, closed=convoy_id is not None)
    if as_json:
        emit_json(_json(town, found[0]) if convoy_id is not None else [_json(town, one) for one in found])
        return
    for one in found:
        _say_page(town, one)
    if not found:
        say("No open convoys. Next: gt convoy list --all")


def line(one: Progress) -> str:
    """`🚚 hq-cv-abc12  ███░░░  3/6  Title  (working 2, blocked 1)`"""
    total = len(one.beads)
    full = one.done * _WIDTH // total if total else 0
    rest = ", ".join(f"{state} {count}" for state, count in rules.counts(bead for bead in one.beads if not bead.over).items())
    mark = "🚚" if rules.is_open(one.record) else "✓ "
    return cleaned(f"{mark} {one.record['id']}  {'█' * full}{'░' * (_WIDTH - full)}  {one.done}/{total}  {one.record.get('title', '')}"
                   + (f"  ({rest})" if rest else ""))


def _say_page(town: Town, one: Progress) -> None:
    record = one.record
    say(f"🚚 {record['id']}: {cleaned(str(record.get('title', '')))}")
    say(f"  Status: {record.get('status')}   Progress: {one.done}/{len(one.beads)} completed   Created: {record.get('created_at', '')}")
    data = rules.data(record)
    for name, value in (("Closed", record.get("closed_at")), ("Reason", record.get("close_reason")), ("Epic", data.get("epic")),
                        ("Notify", ", ".join(map(str, data.get("notify") or []))), ("Launched", "yes" if data.get("launched") else "")):
        if value:
            say(f"  {name}: {cleaned(str(value))}")
    _say_beads(town, one, indent="  ")


def _say_beads(town: Town, one: Progress, indent: str) -> None:
    for bead in one.beads:
        rig = _place(town, bead.id)
        who = f"  @{bead.worker}" if bead.worker else ""
        its = f"  {bead.request}" if bead.request else ""
        why = f": {'; '.join(bead.waits_for[:3])}" if bead.waits_for else ""
        say(cleaned(f"{indent}{ICONS.get(bead.state, '○')} {bead.id}  {rig}  {bead.title} [{bead.kind}]  {bead.state}{who}{its}{why}"))


def _json(town: Town, one: Progress) -> Record:
    found = one.as_json()
    return {**found, "beads": [{**bead, "rig": _place(town, bead["id"])} for bead in found["beads"]]}


def _place(town: Town, bead_id: str) -> str:
    routes = Routes(town)
    prefix = ids.prefix_of(bead_id, set(routes.prefixes()))
    rig = routes.rig_of(bead_id) if prefix else None
    return rig.name if rig else "town" if prefix else "elsewhere"
