"""A merge request as a bead of type merge-request: its fields, its states, which ones are unsettled. Pure; work/queue acts on them.

`metadata` holds {branch, head, base, target, source, worker, fence, state, reason, landed_as, gate_log, not_before, waits,
tries, review, reviewer, pull, agent}. The state is queued or waiting (stored status open), failed or conflict (blocked; the source bead
is open again, nobody's), landed, rejected or superseded (closed).
"""

from __future__ import annotations

from gastown_hooks.core import ids
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gastown_hooks.core.record import Record

TYPE = "merge-request"
QUEUED, WAITING, FAILED, CONFLICT = "queued", "waiting", "failed", "conflict"
LANDED, REJECTED, SUPERSEDED = "landed", "rejected", "superseded"
APPROVED, HELD = "approved", "held"
STATUS = {QUEUED: "open", WAITING: "open", FAILED: "blocked", CONFLICT: "blocked",
          LANDED: "closed", REJECTED: "closed", SUPERSEDED: "closed"}
_TEXTS = ("source", "branch", "head", "target", "worker", "state")
FIX_LABEL = "fix-main"  # passes while the target is closed because it is red


@dataclass(frozen=True, slots=True)
class Request:
    """A merge request's fields, checked. `record` is the bead itself."""

    id: str
    source: str
    branch: str
    head: str
    base: str | None
    target: str
    worker: str
    fence: int
    state: str
    reason: str
    created_at: str
    record: Record

    @property
    def waits(self) -> int:
        """How often it was put off in a row."""
        return _count(self.record, "waits")

    @property
    def tries(self) -> int:
        """How often it was sent back."""
        return _count(self.record, "tries")

    @property
    def review(self) -> str:
        """A person's word about it: approved, held, or none."""
        return str(self.record["metadata"].get("review") or "")

    @property
    def reviewer(self) -> str:
        """Who gave that word."""
        return ids.shown(str(self.record["metadata"].get("reviewer") or "somebody"))

    @property
    def pull(self) -> dict[str, Any]:
        """What is known of its pull request: {number, url, state, head}, or nothing."""
        found = self.record["metadata"].get("pull")
        return found if isinstance(found, dict) else {}

    @property
    def untold(self) -> bool:
        """Whether it is closed and its pull request is still open, as far as is known."""
        return STATUS[self.state] == "closed" and self.pull.get("state") == "open"

    @property
    def is_fix(self) -> bool:
        """Whether it may land while the target is red."""
        return FIX_LABEL in (self.record.get("labels") or [])

    @property
    def open(self) -> bool:
        return self.state in (QUEUED, WAITING)


def parse(found: Record) -> Request:
    """Raises Corrupt for a merge-request bead whose metadata cannot be used."""
    data = found.get("metadata")
    if not isinstance(data, dict) or type(data.get("fence")) is not int or {type(data.get(key)) for key in _TEXTS} != {str}:
        raise Corrupt(f"merge request {found['id']} is damaged", why="a field of its metadata is missing or of the wrong kind",
                      next=f"bd show {found['id']}")
    if data["state"] not in STATUS:
        raise Corrupt(f"merge request {found['id']} is damaged", why=f"unknown state {ids.shown(data['state'])}",
                      next=f"bd show {found['id']}")
    base = data.get("base")
    return Request(found["id"], data["source"], data["branch"], data["head"], base if isinstance(base, str) else None,
                   data["target"], data["worker"], data["fence"], data["state"], str(data.get("reason") or ""),
                   str(found.get("created_at")), found)


def usable(records: Iterable[Record]) -> list[Request]:
    """Those that `parse` takes."""
    found = []
    for one in records:
        try:
            found.append(parse(one))
        except Corrupt:
            continue  # `work/queue.damaged` names it
    return found


def is_usable(found: Record) -> bool:
    """Whether `parse` takes it."""
    return bool(usable([found]))


def among(records: Iterable[Record], *, closed: bool = False) -> list[Record]:
    """The merge requests that are not settled (queued, waiting, failed, conflict); with `closed` all of them."""
    return [found for found in records if found.get("issue_type") == TYPE and found.get("status") != "tombstone"
            and (closed or found.get("status") != "closed")]


def has_work(records: Iterable[Record]) -> bool:
    """Whether a round of the refinery has something to look at: a request that is not settled, or a pull request to be told."""
    return any(found.get("status") != "closed" or (is_usable(found) and parse(found).untold) for found in among(records, closed=True))


def source(found: Record) -> str | None:
    """The bead that a merge request is about, damaged or not."""
    data = found.get("metadata")
    name = data.get("source") if isinstance(data, dict) else None
    return name if isinstance(name, str) else None


def open_claims(records: Iterable[Record]) -> dict[tuple[str, int], Record]:
    """Bead and fence to their unsettled merge request, damaged or not."""
    found: dict[tuple[str, int], Record] = {}
    for one in among(records):
        name = source(one)
        if name is not None and type(fence := one["metadata"].get("fence")) is int:
            found.setdefault((name, fence), one)
    return found


def landed_ref(target: str) -> str:
    """The ref that follows each landing."""
    return f"refs/gt/landed/{target}"


def pin(request_id: str) -> str:
    """The ref that keeps a request's commit."""
    return f"refs/gt/mr/{request_id}"


def _count(found: Record, key: str) -> int:
    value = found["metadata"].get(key)
    return value if type(value) is int and value > 0 else 0
