"""What does not land: superseded, in conflict, failed, put off. Each is written down where the next one who looks will see it."""

from __future__ import annotations

from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Fenced, NotFound, Refused
from gastown_hooks.rules import requests, turn
from gastown_hooks.rules.requests import Request
from gastown_hooks.stores import config
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.work import gate, queue, settle
from gastown_hooks.work.containment import merges
from gastown_hooks.work.desk import WITNESS, Desk, listed, short
from gastown_hooks.work.stack import Clash

LONGEST_WAIT = 32


def stale(desk: Desk, request: Request) -> bool:
    """Whether the request is not to be landed any more, or not at all; then that is written down."""
    with desk.apart(request.id):
        return _stale(desk, request)
    return True


def _stale(desk: Desk, request: Request) -> bool:
    fresh = queue.find(desk.rig, request.id)
    if not fresh.open or turn.unreviewed(fresh, config.rig_settings(desk.rig).review):
        return True
    queue.source_ledger(desk.rig, request.source)  # a bead that no ledger is known for is not a bead that was taken back
    try:
        queue.check_source(desk.rig, request.source, request.fence)
    except (NotFound, Fenced, Refused) as error:
        if not settle.elsewhere(desk, request):
            _supersede(desk, request, str(error))
        return True
    repo = desk.repo()
    pinned, there = repo.resolve(requests.pin(request.id)), repo.kind(request.head) == "commit"
    why = ("its commit is not in the repository" if not there
           else "its commit is not the one that was pinned" if pinned is not None and pinned != request.head
           else "its commit is not on its branch" if pinned is None and not queue.reachable(desk.rig, request.head, request.branch)
           else f"it is for {request.target}, not {desk.target}" if request.target != desk.target
           else "it has no common history with the target" if repo.merge_base(request.head, desk.tip) is None else "")
    if why and not settle.elsewhere(desk, request):
        fail(desk, request, why, request.head)
    return bool(why)


def _supersede(desk: Desk, request: Request, why: str) -> None:
    def change(view: View) -> list[dict[str, Any]]:
        found = view.get(request.id)
        return [queue.moved(found, requests.SUPERSEDED, desk.now, desk.caller.actor, reason=why)] if found is not None else []

    Ledger(desk.rig.beads).transact(change)
    desk.event("merge_superseded", {"request": request.id, "bead": request.source, "reason": why})
    desk.result.superseded.append(request.id)


def conflict(desk: Desk, clash: Clash) -> None:
    """No gate run: the bead goes back with what a fresh worker needs to know."""
    request = clash.request
    base = request.base or desk.repo().merge_base(request.head, clash.on) or clash.on
    why = f"conflict with {desk.target} in {listed(clash.files)}"
    note = (f"Merge request {request.id} conflicts with {desk.target}. Files: {listed(clash.files, 50)}.\n"
            f"The work is {request.head} (branch {request.branch}) and began at {base}; {desk.target} was at {clash.on}.\n"
            f"Bring the work onto the target: git cherry-pick {short(base)}..{short(request.head)}, mend, commit.")
    key = f"rework-{request.id}-{short(request.head)}-{short(clash.on)}"
    _send_back(desk, request, requests.CONFLICT, why, note, f"REWORK_REQUEST {request.id}", key)


def reject(desk: Desk, request: Request, why: str) -> None:
    """A person does not want it: closed, its bead open again."""
    note = f"Merge request {request.id} was rejected: {why}."
    _send_back(desk, request, requests.REJECTED, why, note, f"MERGE_REJECTED {request.id}", f"merge-rejected-{request.id}-{request.tries}")


def fail(desk: Desk, request: Request, why: str, commit: str, verdict: gate.Verdict | None = None, words: str = "") -> None:
    """Back to an open bead that nobody has, with the reason and the gate's last words, or a reviewer's."""
    note = f"Merge request {request.id} ({short(request.head)}) did not land: {why}." + f"\n{words}" * bool(words)
    if verdict is not None and verdict.tail:
        note += f"\nLast words of the gate (all: {verdict.log}):\n{verdict.tail}"
    key = f"merge-failed-{request.id}-{short(commit)}-{request.tries}"
    _send_back(desk, request, requests.FAILED, why, note, f"MERGE_FAILED {request.id}", key, verdict.log if verdict else None)


def _send_back(desk: Desk, request: Request, state: str, why: str, note: str, subject: str, key: str, log: str | None = None) -> None:
    """The mail first: once the request is in its new state, nobody looks at it again."""
    desk.mail(WITNESS, subject, f"Issue: {request.source}\nMR: {request.id}\nBranch: {request.branch}\nWorker: {request.worker}\n"
              f"Reason: {why}\n\n{note}\n", key)
    queue.send_back(desk.rig, request, state, reason=why, note=note, caller=desk.caller, now=desk.now, gate_log=log)
    desk.event("merge_failed", {"request": request.id, "bead": request.source, "state": state, "reason": why})
    desk.result.sent_back.append(request.id)


# ---- waiting --------------------------------------------------------------------------------------------------

def put_off(desk: Desk, waiting: list[Request], why: str) -> None:
    """These requests wait, longer each time; their places in the order stay."""
    seconds = config.rig_settings(desk.rig).resend_seconds
    for request in waiting:
        desk.result.put_off.append(request.id)
        wait = seconds * min(LONGEST_WAIT, 2 ** min(request.waits, 10))
        _mark(desk, {request.id: why}, not_before=clock.stamp(desk.now + wait * clock.SECOND), waits=request.waits + 1)


def hold_rest(desk: Desk) -> None:
    """What stands in the queue learns why it waits; tried again at the next round. What came in by another way waits no more."""
    desk.result.damaged = queue.damaged(desk.rig)
    why = desk.result.waiting or desk.result.closed
    waiting = queue.in_order(desk.rig, desk.now)
    held = queue.turn_of(desk.rig, desk.now, size=1).held
    came = _came_in(desk, [requests.parse(found) for found in waiting if found["id"] in held])
    held = {found: words for found, words in held.items() if found not in came}
    rest = {found["id"]: why for found in waiting if found["id"] not in came and found["id"] not in desk.result.put_off} if why else {}
    if desk.away:
        held = {found: f"{words}; {desk.away}" for found, words in held.items()}
    if reasons := {**rest, **held, **desk.result.aside}:
        _mark(desk, reasons)


def _came_in(desk: Desk, held: list[Request]) -> set[str]:
    """Those of the requests that a person's word or another bead holds back whose work is in the target already: closed now."""
    if not desk.tip or desk.fixes_only:
        return set()
    repo, found = desk.repo(), set()
    merged = merges(desk.rig.repo, desk.tip, list(dict.fromkeys(one.head for one in held if repo.kind(one.head) == "commit")))
    for one in held:
        with desk.apart(one.id):
            if settle.elsewhere(desk, queue.find(desk.rig, one.id), merged=merged.get(one.head)):
                found.add(one.id)
    return found


def _mark(desk: Desk, reasons: dict[str, str], **metadata: object) -> None:
    def change(view: View) -> list[dict[str, Any]]:
        known = [found for request_id in reasons if (found := view.get(request_id)) is not None and requests.is_usable(found)]
        there = [found for found in known if requests.parse(found).open]
        changed = []
        for found in there:
            data, why = found["metadata"], reasons[found["id"]]
            if metadata or (data.get("state"), data.get("reason")) != (requests.WAITING, why):
                kept = metadata or {"not_before": data.get("not_before")}
                changed.append(queue.moved(found, requests.WAITING, desk.now, desk.caller.actor, reason=why, **kept))
        return changed

    Ledger(desk.rig.beads).transact(change)
