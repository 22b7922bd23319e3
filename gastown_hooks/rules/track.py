"""What an identity has done: its jobs, told by merge requests, closed beads, validations and what turns cost. Pure.

A job is one bead by one identity. With a merge request it is `landed` or, where the request failed, met a conflict or was rejected,
`returned`; a bead that was closed without one is `closed`, by its assignee, else by who closed it, if that is known. What still waits
is no job yet. Its skills are the bead's labels (not the town's own `gt:…`; `skill:go` is `go`) and what stands under `## Required Skills`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import filters, ready, requests, states

Record = dict[str, Any]
LANDED, CLOSED, RETURNED = "landed", "closed", "returned"
_BACK = (requests.FAILED, requests.CONFLICT, requests.REJECTED)
_NO_JOBS = ready.NOT_WORK | {"epic"}
_HEADING = "## Required Skills"


@dataclass(frozen=True, slots=True)
class Job:
    """`tries`: how often it came back. `hours` from begin to close. `passed`, `failed`: what others said of it."""

    bead: str
    actor: str
    outcome: str
    skills: tuple[str, ...] = ()
    tries: int = 0
    agent: str = ""
    model: str = ""
    hours: float | None = None
    cost: float = 0.0
    tokens: int = 0
    passed: int = 0
    failed: int = 0

    @property
    def clean(self) -> bool:
        """Done, at the first try, and nobody found fault with it."""
        return self.outcome != RETURNED and not self.tries and not self.failed


@dataclass(slots=True)
class _Used:
    models: dict[str, float] = field(default_factory=dict)
    agent: str = ""
    cost: float = 0.0
    tokens: int = 0


def jobs(records: Mapping[str, Record], costs: Iterable[Record] = ()) -> list[Job]:
    """Every job that these beads tell of, by bead and identity."""
    used = _used(costs)
    ends: dict[tuple[str, str], list[tuple[str, requests.Request]]] = {}
    for outcome, request in ended(records.values()):
        if ready.status(records.get(request.source) or {}) != "tombstone":
            ends.setdefault((request.source, request.worker), []).append((outcome, request))
    found: dict[tuple[str, str], Job] = {}
    for (bead, who), requested in ends.items():
        outcome, last = max(requested, key=lambda end: (end[0] == LANDED, end[1].fence))
        tries = sum(max(request.tries, int(end == RETURNED)) for end, request in requested)
        found[bead, who] = _job(records.get(bead) or {}, bead, who, outcome, tries, used.get((bead, last.fence)),
                                str(last.record["metadata"].get("agent") or ""))
    landed = {job.bead for job in found.values() if job.outcome == LANDED}
    for bead_id, record in records.items():
        who = states.doer(record)
        if who and ready.kind(record) not in _NO_JOBS and bead_id not in landed:
            before = found.get((bead_id, who))
            found[bead_id, who] = _job(record, bead_id, who, CLOSED, before.tries if before else 0,
                                       used.get((bead_id, record.get("claim_fence") or 0)), before.agent if before else "")
    return [found[key] for key in sorted(found)]


def ended(records: Iterable[Record]) -> list[tuple[str, requests.Request]]:
    """The merge requests among these that are a job, or a try at one, and how they ended."""
    found = requests.usable(one for one in requests.among(records, closed=True) if _may_have_ended(one))
    return [(outcome, request) for request in found if (outcome := _outcome(request))]


def _may_have_ended(found: Record) -> bool:
    data = found.get("metadata")
    return (isinstance(data, dict) and data.get("state") in (requests.LANDED, *_BACK, requests.SUPERSEDED)
            and ready.status(found) != "open")


def skills(record: Record) -> tuple[str, ...]:
    """What a bead is about, as the words that name a skill."""
    named = [label.removeprefix("skill:") for label in filters.labels(record) if not label.startswith("gt:")]
    _, heading, text = str(record.get("description") or "").partition(_HEADING)
    lines = text.partition("\n## ")[0].replace(",", "\n").split("\n") if heading else []
    return tuple(dict.fromkeys(filter(None, [*named, *(line.strip(" \t-*").lower() for line in lines)])))


def among(found: Iterable[Job], actor: str = "", tags: Sequence[str] = ()) -> list[Job]:
    """The jobs of these identities (`*` stands for any part of the name) that have all these tags."""
    fits = filters.glob(actor)
    return [job for job in found if (not actor or fits(job.actor)) and set(tags) <= set(job.skills)]


GROUPS: dict[str, Callable[[Job], Sequence[str]]] = {
    "actor": lambda job: [job.actor], "agent": lambda job: [job.agent], "model": lambda job: [job.model or job.agent],
    "tag": lambda job: job.skills}


def grouped(found: Iterable[Job], by: str) -> list[dict[str, Any]]:
    """A row for each actor, agent program, model (where none was told: agent program) or tag; who did most first."""
    parts: dict[str, list[Job]] = {}
    for job in found:
        for name in GROUPS[by](job):
            parts.setdefault(name, []).append(job)
    return sorted(({by: name, **summary(part)} for name, part in parts.items()), key=lambda row: (-row["tasks"], row[by]))


def summary(found: Sequence[Job]) -> dict[str, Any]:
    """The jobs in numbers. `first_try`: done without coming back once; `success_rate`: its part of all."""
    hours = [job.hours for job in found if job.hours is not None]
    clean = sum(job.clean for job in found)
    return {"tasks": len(found), **{outcome: sum(job.outcome == outcome for job in found) for outcome in (LANDED, CLOSED, RETURNED)},
            "first_try": clean, "success_rate": round(clean / len(found), 3) if found else None,
            "sent_back": sum(job.tries for job in found),
            "validations": {"passed": sum(job.passed for job in found), "failed": sum(job.failed for job in found)},
            "average_hours": round(sum(hours) / len(hours), 1) if hours else None,
            "tokens": sum(job.tokens for job in found), "cost": round(sum(job.cost for job in found), 4)}


def standing(found: Sequence[Job]) -> float:
    """How sure it is that the next one succeeds: the part of clean ones, with one of each added, so that few prove little."""
    return (sum(job.clean for job in found) + 1) / (len(found) + 2)


def _outcome(request: requests.Request) -> str:
    if request.state == requests.LANDED:
        return LANDED
    return RETURNED if request.state in _BACK or (request.state == requests.SUPERSEDED and request.tries) else ""


def _job(record: Record, bead: str, who: str, outcome: str, tries: int, used: _Used | None, agent: str) -> Job:
    used = used or _Used()
    done = outcome != RETURNED
    words = [_verdict(entry) for entry in record.get("validations") or () if isinstance(entry, dict)] if done else []
    closed, begun = filters.instant(record, "closed_at"), filters.instant(record, "started_at") or filters.instant(record, "created_at")
    hours = (closed - begun) / (3600 * clock.SECOND) if done and closed and begun else None
    model = max(used.models, key=lambda name: used.models[name], default="")
    return Job(bead, who, outcome, skills(record), tries, agent or used.agent, model, hours, used.cost, used.tokens,
               sum(words), len(words) - sum(words))


def _verdict(entry: Record) -> bool:
    """Whether a validation speaks for the work: ours say so in `outcome`; a landing's need not."""
    return str(entry.get("outcome") or "passed").lower() in ("passed", "pass", "accepted", "approved", "success")


def _used(costs: Iterable[Record]) -> dict[tuple[str, int], _Used]:
    """What the turns of each claim used."""
    found: dict[tuple[str, int], _Used] = {}
    for entry in costs:
        part = found.setdefault((str(entry.get("bead")), entry.get("fence") or 0), _Used())
        tokens = sum(count for count in (entry.get("tokens") or {}).values() if isinstance(count, int))
        part.agent = str(entry.get("agent") or part.agent)
        part.cost += entry.get("cost") or 0.0
        part.tokens += tokens
        if entry.get("model"):
            part.models[str(entry["model"])] = part.models.get(str(entry["model"]), 0) + tokens
    return found
