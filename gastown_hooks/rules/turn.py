"""Whose turn it is in the merge queue: which requests are tested together next, and what holds the others. Pure.

Taken in the queue's order. A request is held by a person's word (or the lack of it, where the rig asks for a review), and by a bead
that blocks its own: unless that one is in the same stack before it. A request that was put off is stacked with a quarter as many
others each time: one that cannot be tested is alone soon and holds up nobody.
"""

from __future__ import annotations

from gastown_hooks.core import ids
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import order, ready, requests
from gastown_hooks.rules.pulls import MERGED
from gastown_hooks.rules.requests import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from gastown_hooks.core.record import Record

HUMAN, PULL = "human", "pr"
UNAPPROVED = "waits for a person's approval"
_NOT_BY_LANDING = ("unknown", "condition", "conditional-blocks")  # blockers that a landing does not take away


@dataclass(slots=True)
class Turn:
    """`batch` is tested together now, in this order; `held` says for each request that may not land yet what it waits for."""

    batch: list[Request] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)


def turn(waiting: Iterable[Record], records: Mapping[str, Record], now: int, *, size: int, review: str = "none",
         tried: Collection[str] = (), fixes_only: bool = False) -> Turn:
    """From the requests that wait, in the queue's order. `tried` had their turn; while the target is red only fixes have one."""
    found, most = Turn(), size
    for request in map(requests.parse, waiting):
        why = unreviewed(request, review) or _blocked(request, records, {other.source for other in found.batch}, now)
        if why:
            found.held[request.id] = why
        elif request.id not in tried and order.is_due(request.record, now) and (request.is_fix or not fixes_only):
            most = max(1, min(most, size >> 2 * request.waits))
            if len(found.batch) < most:
                found.batch.append(request)
    return found


def unreviewed(request: Request, review: str) -> str:
    """Why a person's word keeps it from landing, or the lack of it; "" when it may land."""
    if request.review == requests.HELD:
        return f"held by {request.reviewer}"
    if review not in (HUMAN, PULL) or request.review == requests.APPROVED:
        return ""
    if review == HUMAN:
        return UNAPPROVED
    url = ids.shown(str(request.pull.get("url", "")))
    return ("waits for a pull request" if not request.pull else f"{url} was merged, but git does not find its work in the target"
            if request.pull.get("state") == MERGED else f"waits for the approval of {url}" if request.pull.get("head") == request.head
            else f"{url} is at another commit than was submitted")


def _blocked(request: Request, records: Mapping[str, Record], before: Collection[str], now: int) -> str:
    source = records.get(request.source)
    if source is None or not source.get("dependencies"):
        return ""
    for reason in ready.blockers(records, request.source, now):
        if reason.rule != "child" and (reason.bead not in before or reason.rule in _NOT_BY_LANDING):
            return f"behind {reason.bead or request.source}: {reason.text}"
    return ""
