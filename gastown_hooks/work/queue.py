"""The merge queue: submitting, looking, retrying and rejecting requests, which are beads in the rig's ledger (rules/requests).

The id is made from bead, fence and head, so submitting twice is submitting once. `head` is pinned under `refs/gt/mr/<id>`: what
is pushed to the branch later is another request.
"""

from __future__ import annotations

from gastown_hooks.core import clock, ids, record
from gastown_hooks.core.errors import BadInput, Corrupt, Fenced, NotFound, Refused
from gastown_hooks.core.late import late
from gastown_hooks.rules import order
from gastown_hooks.rules.requests import (
    FIX_LABEL,
    QUEUED,
    REJECTED,
    STATUS,
    SUPERSEDED,
    TYPE,
    Request,
    among,
    is_usable,
    landed_ref,
    parse,
    pin,
    usable,
)
from gastown_hooks.rules.turn import turn
from gastown_hooks.stores import events, index, known
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.config import rig_config, rig_settings
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work.beadwrite import existing
from gastown_hooks.work.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any

    from gastown_hooks.core.paths import Rig
    from gastown_hooks.rules.turn import Turn
    from gastown_hooks.stores import git, repo
    from gastown_hooks.stores.ledger import View

    Record = dict[str, Any]
    Change = Callable[[Record], Record]
else:
    git, repo = late("gastown_hooks.stores.git"), late("gastown_hooks.stores.repo")

_HEX = frozenset("0123456789abcdef")
_BAD_IN_BRANCH = frozenset(" ~^:?*[\\\x7f")


# ---- looking ------------------------------------------------------------------------------------------------

def requests(rig: Rig, *, closed: bool = False) -> list[Record]:
    """The rig's merge requests that are not settled (queued, waiting, failed, conflict); with `closed` all of them."""
    return among(known.those(Ledger(rig.beads), known.REQUESTS if closed else known.OPEN_REQUESTS).values(), closed=closed)


def of_bead(rig: Rig, bead_id: str) -> list[Record]:
    """The rig's merge requests about the bead, settled or not."""
    return known.requests_of(known.beads(Ledger(rig.beads)), bead_id)


def unfinished(rig: Rig) -> list[Record]:
    """At least the rig's merge requests that are not settled, or whose pull request is not."""
    return among(known.kept(Ledger(rig.beads)), closed=True)


def in_order(rig: Rig, now: int) -> list[Record]:
    """What waits to land, next one first. A damaged request is not among them: see `damaged`."""
    return ordered(requests(rig), now)


def ordered(unsettled: Iterable[Record], now: int) -> list[Record]:
    """Those of these requests that wait to land, next one first."""
    return order.queue_order([one.record for one in usable(unsettled) if one.open], now)


def damaged(rig: Rig) -> list[str]:
    """Open merge-request beads that cannot be used, as sentences: made by hand or by another program. They hold up nobody."""
    return faults(requests(rig))


def faults(unsettled: Iterable[Record]) -> list[str]:
    """What `damaged` says of these."""
    found = []
    for one in unsettled:
        try:
            parse(one)
        except Corrupt as error:
            found.append(str(error))
    return found


def turn_of(rig: Rig, now: int, *, size: int, tried: Collection[str] = (), fixes_only: bool = False) -> Turn:
    """Which requests are tested together next, at most `size`, and what holds the others (rules/turn)."""
    return turn(in_order(rig, now), _known(rig), now, size=size, review=rig_settings(rig).review, tried=tried, fixes_only=fixes_only)


def next_due(rig: Rig, now: int) -> Record | None:
    """The request that the next round begins with: the first that has its turn when it is alone."""
    known, review = _known(rig), rig_settings(rig).review
    return next((one for one in in_order(rig, now) if turn([one], known, now, size=1, review=review).batch), None)


def _known(rig: Rig) -> Mapping[str, Record]:
    return World(Caller("refinery", rig.root, rig.town)).known()  # what blocks a bead may be another rig's


def find(rig: Rig, request_id: str) -> Request:
    """Raises NotFound when there is no merge request of this id."""
    found = Ledger(rig.beads).get(ids.bead(request_id))
    if found is None or found.get("issue_type") != TYPE or found.get("status") == "tombstone":
        raise NotFound(f"no merge request {ids.shown(request_id)}", next=f"gt mq list {rig.name}")
    return parse(found)


def source_ledger(rig: Rig, bead_id: str, caller: Caller | None = None) -> Ledger:
    """The ledger of a request's source bead: mostly the rig's own. With a caller, on the caller's claim."""
    routes = Routes(rig.town)
    beads = routes.beads_of(bead_id)
    return routes.open(beads, caller) if caller is not None else Ledger(beads)


# ---- submitting ---------------------------------------------------------------------------------------------

def submit(rig: Rig, source: Record, *, head: str, branch: str, worker: str, fence: int, target: str, caller: Caller,
           now: int, agent: str = "") -> Record:
    """Queue the commit `head` of `branch` for `target`; the same submission again returns the request that is there.

    Open requests of the same bead with another head are superseded. Raises BadInput, Refused (nothing to land, not the branch's
    commit, closed bead), Fenced.
    """
    _check_branch(branch, target)
    _check_claim(rig, source["id"], fence)
    request_id = ids.derived(f"{rig_config(rig).prefix}-mr", source["id"], str(fence), head)
    there = Ledger(rig.beads).get(request_id)
    if there is not None:
        return there  # the target may hold it by now
    start = _check_head(rig, head, branch, target)
    git.update_refs(rig.repo, [(pin(request_id), head, None)], f"gt: merge request {request_id}")
    fresh = _fresh(request_id, source, caller.actor, now, {
        "branch": branch, "head": head, "base": start, "target": target, "source": source["id"], "worker": worker,
        "fence": fence, "state": QUEUED, **({"agent": agent} if agent else {})})

    def change(view: View) -> list[Record]:
        there = view.get(request_id)
        if there is not None:
            return []
        older = [found for found in among(known.requests_of(view.linked(), source["id"])) if is_usable(found)]
        return [fresh, *(moved(found, SUPERSEDED, now, caller.actor, reason=f"superseded by {request_id}") for found in older)]

    ledger = Routes(rig.town).open(rig.beads, caller)
    index.current(ledger)  # under the ledger's lock nobody would bring it up to date
    written = ledger.transact(change)
    if written:
        events.emit(rig.town, "merge_queued", caller.actor, {"request": request_id, "bead": source["id"], "head": head}, now)
    return find(rig, request_id).record


def moved(found: Record, state: str, now: int, actor: str, *, reason: str = "", **metadata: object) -> Record:
    """The request in another state; keyword arguments go into its metadata (None removes)."""
    changes = {"state": state, "reason": reason or None, "not_before": None, **metadata}
    data = {key: value for key, value in {**found["metadata"], **changes}.items() if value is not None}
    closed = STATUS[state] == "closed"
    return record.touched(found, {
        "status": STATUS[state], "metadata": data, "closed_at": clock.stamp(now) if closed else None,
        "closed_by": actor if closed else None, "close_reason": (reason or state) if closed else None}, actor, now)


def _fresh(request_id: str, source: Record, actor: str, now: int, metadata: Record) -> Record:
    labels = ["gt:merge-request", *(label for label in source.get("labels") or [] if label == FIX_LABEL)]
    return record.arrange({
        "id": request_id, "title": f"Merge: {source.get('title', '')}"[:500], "status": STATUS[QUEUED],
        "priority": order.priority(source), "issue_type": TYPE, "created_at": clock.stamp(now), "created_by": actor,
        "updated_at": clock.stamp(now), "updated_by": actor, "metadata": metadata, "labels": labels})


def check_source(rig: Rig, source_id: str, fence: int) -> Record:
    """The source bead, if this fence is still its claim. Raises NotFound, Fenced, Refused when it is closed."""
    found = existing(source_ledger(rig, source_id), source_id)
    if (found.get("claim_fence") or 0) != fence:
        raise Fenced(f"fence {fence} of {source_id} is stale", why=f"the bead is at fence {found.get('claim_fence') or 0}",
                     next="stop; your work is kept: gt rescue list")
    if found.get("status") == "closed":
        raise Refused(f"{source_id} is closed already", next=f"bd show {source_id}")
    return found


def _check_claim(rig: Rig, source_id: str, fence: int) -> None:
    if fence < 1:
        raise BadInput(f"{ids.shown(source_id)} was never assigned", why="its claim fence is 0",
                       next=f"gt sling {source_id} {rig.name}")
    check_source(rig, source_id, fence)


def _check_branch(branch: str, target: str) -> None:
    parts = branch.split("/")
    if (not branch or len(branch) > 200 or branch.startswith(("-", "refs/")) or branch in ("HEAD", "@", target) or ".." in branch
            or "@{" in branch or not branch.isprintable() or _BAD_IN_BRANCH & set(branch)
            or any(not part or part.startswith(".") or part.endswith((".lock", ".")) for part in parts)):
        why = "it is the target itself" if branch == target else "git would not take it, or take it for something else"
        raise BadInput(f"{ids.shown(branch)} is no branch to land", why=why, next="submit your own branch: gt done")


def _check_head(rig: Rig, head: str, branch: str, target: str) -> str:
    """The commit where the change starts: what a branch took over from the target (by a pull, a rebase) is not its work."""
    if len(head) != 40 or not _HEX.issuperset(head) or not head.strip("0"):
        raise BadInput(f"{ids.shown(head)} is no commit id", why="40 hexadecimal digits are expected")
    there = repo.Repo(rig.repo)
    kind = there.kind(head)
    if kind != "commit":
        raise Refused(f"cannot land {head[:12]}", why=f"it is a {kind}" if kind else "it is not in the repository")
    if not reachable(rig, head, branch):
        raise Refused(f"cannot land {head[:12]}", why=f"it is not a commit of branch {ids.shown(branch)}")
    known = (there.resolve(ref) for ref in (landed_ref(target), f"refs/heads/{target}", f"refs/remotes/origin/{target}"))
    tips = [tip for tip in known if tip is not None]
    if not tips:
        raise Refused(f"cannot land on {ids.shown(target)}", why="the rig has no such branch", next="gt rig status")
    starts = [start for tip in tips if (start := there.merge_base(head, tip)) is not None]
    if not starts:
        raise Refused(f"cannot land {head[:12]}", why=f"it has no common history with {ids.shown(target)}")
    start = max(starts, key=lambda one: sum(there.is_ancestor(other, one) for other in starts))  # the one nearest to the head
    if there.tree(start) == there.tree(head):
        raise Refused(f"nothing to land in {head[:12]}", why="it changes nothing", next="gt done --no-code --reason TEXT")
    return start


def reachable(rig: Rig, head: str, branch: str) -> bool:
    """Whether the branch, or a worker's pinned work, holds the commit."""
    there = repo.Repo(rig.repo)

    def holds(tip: str | None) -> bool:
        return tip is not None and (tip == head or there.is_ancestor(head, tip))

    return holds(there.resolve(f"refs/heads/{branch}")) or any(map(holds, there.refs("refs/gt/work/").values()))


# ---- a person's or the witness's word -------------------------------------------------------------------------

def retry(rig: Rig, request_id: str, *, caller: Caller, now: int, dry_run: bool = False) -> Record:
    """Queue a failed, conflicting or waiting request again, while its bead's fence is unchanged; its worker holds it again."""
    request = find(rig, request_id)
    _may(caller, request)
    if STATUS[request.state] == "closed":
        raise Refused(f"{request.id} is {request.state}", why="only what did not land and was not rejected can be retried",
                      next=f"gt mq status {request.id}")
    check_source(rig, request.source, request.fence)
    if request.state == QUEUED or dry_run:
        return request.record

    def hold(found: Record) -> Record:
        if found.get("status") != "open" or found.get("assignee"):
            return found
        return record.touched(found, {"status": "in_progress", "assignee": request.worker}, caller.actor, now)

    written = _change_both(rig, request, lambda found: moved(found, QUEUED, now, caller.actor, waits=None), hold)
    events.emit(rig.town, "merge_retried", caller.actor, {"request": request.id, "bead": request.source}, now)
    return written


def review(rig: Rig, request_id: str, word: str, *, caller: Caller, now: int, dry_run: bool = False) -> Record:
    """A person's word about a request that did not land yet: APPROVED or HELD. It is about this very commit: a new one needs its own."""
    request = find(rig, request_id)
    if caller.role == "polecat":
        raise Refused(f"{caller.actor} may not review {request.id}", why="a person does", next="gt done --status ESCALATED --reason TEXT")
    if STATUS[request.state] == "closed":
        raise Refused(f"{request.id} is {request.state}", next=f"gt mq status {request.id}")
    if request.review == word or dry_run:
        return request.record

    annotate(rig, request.id, caller=caller, now=now, review=word, reviewer=caller.actor)
    events.emit(rig.town, f"merge_{word}", caller.actor, {"request": request.id, "bead": request.source, "head": request.head}, now)
    return find(rig, request.id).record


def annotate(rig: Rig, request_id: str, *, caller: Caller, now: int, **metadata: object) -> None:
    """Write this into the request's metadata (None removes), its state left as it is."""
    def change(view: View) -> list[Record]:
        found = view.get(request_id)
        if found is None or not is_usable(found):
            return []
        data = {key: value for key, value in {**found["metadata"], **metadata}.items() if value is not None}
        return [record.touched(found, {"metadata": data}, caller.actor, now)] if data != found["metadata"] else []

    Ledger(rig.beads).transact(change)


def reject(rig: Rig, request_id: str, *, reason: str, caller: Caller, now: int, dry_run: bool = False) -> Record:
    """Close a request without landing it; its bead, if still on this claim, is open again with the reason as a note."""
    request = find(rig, request_id)
    _may(caller, request)
    if not reason.strip():
        raise BadInput("a rejection needs a reason", next=f"gt mq reject {request.id} --reason TEXT")
    if request.state == REJECTED:
        return request.record
    if STATUS[request.state] == "closed":
        raise Refused(f"{request.id} is {request.state}", next=f"gt mq status {request.id}")
    if dry_run:
        return request.record
    note = f"Merge request {request.id} was rejected by {caller.actor}: {reason.strip()}"
    written = send_back(rig, request, REJECTED, reason=reason.strip(), note=note, caller=caller, now=now)
    payload = {"request": request.id, "bead": request.source, "reason": reason.strip()}
    events.emit(rig.town, "merge_rejected", caller.actor, payload, now)
    return written


def send_back(rig: Rig, request: Request, state: str, *, reason: str, note: str, caller: Caller, now: int,
              gate_log: str | None = None) -> Record:
    """The request to `state`, its source bead back to open, nobody's, with the note; a bead on another claim stays as it is."""
    def release(found: Record) -> Record:
        if (found.get("claim_fence") or 0) != request.fence or found.get("status") in ("closed", "tombstone"):
            return found
        return record.touched(found, {"status": "open", "assignee": None, "notes": record.noted(found, note)}, caller.actor, now)

    def returned(found: Record) -> Record:
        return moved(found, state, now, caller.actor, reason=reason, gate_log=gate_log, waits=None, tries=request.tries + 1)

    return _change_both(rig, request, returned, release)


def _change_both(rig: Rig, request: Request, request_change: Change, source_change: Change) -> Record:
    """Both records in one transaction where they are in one ledger, else the source first: done again, it is done."""
    ledger = Ledger(rig.beads)
    source = source_ledger(rig, request.source)
    together = source.beads.root == ledger.beads.root

    def change(view: View) -> list[Record]:
        there = view.get(request.id)
        if there is None or STATUS[parse(there).state] == "closed":
            return []
        found = view.get(request.source) if together else None
        return [request_change(there), *([source_change(found)] if found is not None else [])]

    if not together:
        source.transact(lambda view: [source_change(found) for found in [view.get(request.source)] if found is not None])
    ledger.transact(change)
    return find(rig, request.id).record


def _may(caller: Caller, request: Request) -> None:
    if caller.role == "polecat" and (caller.actor != request.worker or caller.fence != request.fence):
        raise Refused(f"{caller.actor} may not change {request.id}", why=f"it is {request.worker}'s")
