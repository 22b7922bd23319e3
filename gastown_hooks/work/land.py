"""The landing protocol: one merge request at a time from the queue into the target branch, or back to where it came from.

A landing is a merge commit made before the gate runs; the journal takes the intent, then the target is moved by one compare-and-swap
(with a remote: the plain push of that commit, which the remote refuses if its branch moved), then all that follows from it is done,
each step asking first whether it is done already: the rig's refs, the bead closed with its proof, the request closed, the mail, the
worker's branch. Killed anywhere and run again, it lands once. What is nobody's change (remote away, refused by policy, a gate that
could not run) makes requests wait and closes nothing.
"""

from __future__ import annotations

from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Conflict, Fenced, GastownError, GitFailed, NotFound, Refused, RemoteRefused
from gastown_hooks.core.paths import Rig
from gastown_hooks.rules import requests
from gastown_hooks.rules.requests import Request
from gastown_hooks.stores import config, git
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import foreign, gate, proof, queue, settle, stack
from gastown_hooks.work.desk import WITNESS, Desk, RoundResult, listed, open_desk, short
from gastown_hooks.work.stack import Clash, Stack

REBUILDS = 5  # a remote that moves faster than the gates run: the rest waits for the next round
LONGEST_WAIT = 32


class Moved(Exception):
    """The target is not where it was: build again on its new tip."""


def round(rig: Rig, now: int) -> RoundResult:
    """One refinery round, under the role's lock: everything that can land now lands. The steps are those of roles/refinery.py."""
    desk = open_desk(rig, now)
    look(desk)
    recover(desk)
    check_foreign(desk)
    while (request := next_request(desk)) is not None:
        attempt(desk, request)
    hold_rest(desk)
    return desk.result


def look(desk: Desk) -> None:
    """The target's tip, where it counts. What cannot be seen stops the round and closes nothing."""
    with desk.patience():
        desk.seen = desk.tip_now()


def recover(desk: Desk) -> None:
    """Settle, finish or abort every landing that has no outcome in the journal."""
    with desk.patience():
        for intent in [] if desk.stop else desk.unsettled():
            try:
                _recover(desk, intent)
            except Moved:
                pass  # noted as aborted; the request is built again
            desk.seen = desk.tip_now()


def check_foreign(desk: Desk) -> None:
    """What came past the queue: put back, adopted, or the target is closed. Sets the commit to land on."""
    with desk.patience():
        if not desk.stop:
            foreign.check(desk, desk.seen)
        if not desk.stop and queue.in_order(desk.rig, desk.now):
            gate.commands(desk.rig)  # refuses while nobody said what the gates are


def next_request(desk: Desk) -> Request | None:
    """The next request whose turn it is; None when the round is over. While the target is red, only fixes have a turn."""
    if desk.stop:
        return None
    found = queue.next_due(desk.rig, desk.now, tried=desk.result.put_off, label=requests.FIX_LABEL if desk.fixes_only else None)
    return requests.parse(found) if found is not None else None


def hold_rest(desk: Desk) -> None:
    """What stands in the queue learns why it waits; tried again at the next round."""
    desk.result.damaged = queue.damaged(desk.rig)
    why = desk.result.waiting or desk.result.closed
    if why:
        _mark(desk, [found["id"] for found in queue.in_order(desk.rig, desk.now) if found["id"] not in desk.result.put_off], why)


def _recover(desk: Desk, intent: dict[str, Any]) -> None:
    repo, new = desk.repo(), intent["new"]
    known = repo.kind(new) == "commit"
    if known and repo.is_ancestor(new, desk.seen):
        settle.settle(desk, intent)
    elif known and desk.seen == intent["old"] and _still_wanted(desk, intent):
        _finish(desk, intent)
    else:
        desk.note("aborted", {"new": new, "why": f"{desk.target} is at {desk.seen}, or the request is not wanted any more"})


def attempt(desk: Desk, request: Request) -> None:
    """Land this request, or say what becomes of it."""
    for _ in range(REBUILDS):
        if desk.stop or (desk.fixes_only and not request.is_fix) or _refuse_stale(desk, request):
            return
        try:
            _attempt(desk, request)
            return
        except Moved:
            look(desk)
            recover(desk)
            check_foreign(desk)
        except (Refused, GitFailed) as error:
            put_off(desk, request, str(error))
            desk.wait(str(error))
            return
    put_off(desk, request, f"{desk.target} kept moving")


def _attempt(desk: Desk, request: Request) -> None:
    built = stack.build(desk.rig, desk.tip, [request])
    if built.clashes:
        _conflict(desk, built.clashes[0])
    elif built.members[0].empty:
        settle.elsewhere(desk, request)
    elif reasons := stack.refusals(desk.rig, desk.tip, built.tip):
        _fail(desk, request, f"policy: {'; '.join(reasons[:5])}", built.tip)
    else:
        _test(desk, request, built)


def _test(desk: Desk, request: Request, built: Stack) -> None:
    verdict = gate.confirmed(desk.rig, built.tip, desk.now, name=request.id)
    if verdict.green:
        _land(desk, request, built, verdict)
    elif verdict.result == gate.INFRA:
        put_off(desk, request, f"the gate could not run: {verdict.reason}")
        desk.wait(verdict.reason)
    elif _base_is_green(desk):
        _fail(desk, request, f"{verdict.result}: {verdict.reason}", built.tip, verdict)


def _base_is_green(desk: Desk) -> bool:
    """Before anybody is blamed: what the change stands on passes. Mostly on record, since we landed it."""
    if desk.fixes_only:
        return True  # known to be red, and this fix does not mend it
    verdict = gate.confirmed(desk.rig, desk.tip, desk.now, name=f"target-{short(desk.tip)}")
    if verdict.red:
        foreign.red_base(desk, verdict.reason)
    elif verdict.result == gate.INFRA:
        desk.wait(f"cannot judge {desk.target}: {verdict.reason}")
    return verdict.green


# ---- the swap -------------------------------------------------------------------------------------------------

def _land(desk: Desk, request: Request, built: Stack, verdict: gate.Verdict) -> None:
    if _refuse_stale(desk, request):  # the gate took its time
        return
    intent = {"old": built.base, "new": built.tip, "target": desk.target, "mr": request.id, "bead": request.source,
              "fence": request.fence, "head": request.head, "branch": request.branch,
              "gate": {"verdict": verdict.result, "seconds": verdict.seconds, "flake": verdict.flake}}
    desk.note("land", intent)
    _finish(desk, intent)


def _finish(desk: Desk, intent: dict[str, Any]) -> None:
    """Swap and settle. Raises Moved; RemoteAway leaves the intent open, for the push may have arrived all the same."""
    old, new = intent["old"], intent["new"]
    try:
        if desk.remote:
            git.push(desk.rig.repo, new, desk.target_ref)
        else:
            git.update_refs(desk.rig.repo, [(desk.target_ref, new, old), (desk.landed_ref, new, old)], f"gt: land {intent['mr']}")
    except RemoteRefused as error:
        moved = error.reason == "moved"
        desk.note("aborted", {"new": new, "why": f"the remote refused: {error.why}"})
        if moved:
            raise Moved from None
        put_off(desk, queue.find(desk.rig, intent["mr"]), str(error))
        desk.wait(str(error))
        return
    except Conflict:
        desk.note("aborted", {"new": new, "why": f"{desk.target} moved"})
        raise Moved from None
    desk.tip = new
    settle.settle(desk, intent)
    desk.fixes_only = False
    foreign.reopen(desk)


def _still_wanted(desk: Desk, intent: dict[str, Any]) -> bool:
    try:
        request = queue.find(desk.rig, intent["mr"])
        queue.check_source(desk.rig, request.source, request.fence)
    except (NotFound, Fenced, Refused):
        return False
    return request.open and gate.recorded(desk.rig, intent["new"]) is not None


# ---- what does not land ---------------------------------------------------------------------------------------

def _refuse_stale(desk: Desk, request: Request) -> bool:
    """Whether the request is not to be landed any more, or not at all; then that is written down."""
    fresh = queue.find(desk.rig, request.id)
    if not fresh.open:
        return True
    repo = desk.repo()
    pinned, there = repo.resolve(requests.pin(request.id)), repo.kind(request.head) == "commit"
    if there and proof.contained_by_ancestry(desk.rig.repo, request.base, request.head, desk.tip) and settle.elsewhere(desk, request):
        return True
    try:
        queue.check_source(desk.rig, request.source, request.fence)
    except (NotFound, Fenced, Refused) as error:
        _supersede(desk, request, str(error))
        return True
    why = ("its commit is not in the repository" if not there
           else "its commit is not the one that was pinned" if pinned is not None and pinned != request.head
           else "its commit is not on its branch" if pinned is None and not queue.reachable(desk.rig, request.head, request.branch)
           else f"it is for {request.target}, not {desk.target}" if request.target != desk.target
           else "it has no common history with the target" if repo.merge_base(request.head, desk.tip) is None else "")
    if why:
        _fail(desk, request, why, request.head)
    return bool(why)


def _supersede(desk: Desk, request: Request, why: str) -> None:
    def change(view: View) -> list[dict[str, Any]]:
        found = view.get(request.id)
        return [queue.moved(found, requests.SUPERSEDED, desk.now, desk.caller.actor, reason=why)] if found is not None else []

    Ledger(desk.rig.beads).transact(change)
    desk.event("merge_superseded", {"request": request.id, "bead": request.source, "reason": why})
    desk.result.superseded.append(request.id)


def _conflict(desk: Desk, clash: Clash) -> None:
    """No gate run: the bead goes back with what a fresh worker needs to know."""
    request = clash.request
    if proof.contained(desk.rig.repo, request.base, request.head, desk.tip) and settle.elsewhere(desk, request):
        return
    why = f"conflict with {desk.target} in {listed(clash.files)}"
    note = (f"Merge request {request.id} conflicts with {desk.target}. Files: {listed(clash.files, 50)}.\n"
            f"The work is {request.head} (branch {request.branch}), {desk.target} was at {clash.on}. "
            f"Bring the work onto the target: git cherry-pick {short(request.base or clash.on)}..{short(request.head)}, mend, commit.")
    key = f"rework-{request.id}-{short(request.head)}-{short(clash.on)}"
    _send_back(desk, request, requests.CONFLICT, why, note, f"REWORK_REQUEST {request.id}", key)


def _fail(desk: Desk, request: Request, why: str, commit: str, verdict: gate.Verdict | None = None) -> None:
    note = f"Merge request {request.id} ({short(request.head)}) did not land: {why}."
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

def put_off(desk: Desk, request: Request, why: str) -> None:
    """This request waits, longer each time; its place in the order stays."""
    desk.result.put_off.append(request.id)
    seconds = config.rig_settings(desk.rig).resend_seconds * min(LONGEST_WAIT, 2 ** min(request.waits, 10))
    until = clock.stamp(desk.now + seconds * clock.SECOND)
    _mark(desk, [request.id], why, not_before=until, waits=request.waits + 1)


def _mark(desk: Desk, request_ids: list[str], why: str, **metadata: object) -> None:
    def change(view: View) -> list[dict[str, Any]]:
        there = [found for request_id in request_ids if (found := view.get(request_id)) is not None and requests.parse(found).open]
        changed = []
        for found in there:
            data = found["metadata"]
            if metadata or (data.get("state"), data.get("reason")) != (requests.WAITING, why):
                kept = metadata or {"not_before": data.get("not_before")}
                changed.append(queue.moved(found, requests.WAITING, desk.now, desk.caller.actor, reason=why, **kept))
        return changed

    Ledger(desk.rig.beads).transact(change)


# ---- a look ahead ---------------------------------------------------------------------------------------------

def plan(rig: Rig, now: int) -> list[str]:
    """What a round would do with the queue as the rig knows the target now. Runs no gate, asks no remote, writes nothing but objects."""
    tip = rig_tip(rig)
    words = []
    for found in queue.in_order(rig, now):
        request = requests.parse(found)
        try:
            queue.check_source(rig, request.source, request.fence)
            built = stack.build(rig, tip, [request])
            words.append(f"conflict {request.id}: {listed(built.clashes[0].files)}" if built.clashes else
                         f"close {request.id}: in the target already" if built.members[0].empty else f"gate and land {request.id}")
        except GastownError as error:
            words.append(f"refuse {request.id}: {error}")
    return words


def rig_tip(rig: Rig) -> str:
    """The last landing as the rig knows it."""
    settings = config.rig_config(rig)
    repo = Repo(rig.repo)
    tip = repo.resolve(requests.landed_ref(settings.target)) or repo.resolve(f"refs/heads/{settings.target}")
    if tip is None:
        raise Refused(f"{settings.target} has no commit", next=f"gt rig status {rig.name}")
    return tip
