"""What follows from a landing: every step asks first whether it is done, so a settlement that was killed is simply done again."""

from __future__ import annotations

import os
from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Conflict, Corrupt, GitFailed, NotFound
from gastown_hooks.rules import requests
from gastown_hooks.rules.requests import Request
from gastown_hooks.stores import git, worktrees
from gastown_hooks.stores.git import ZERO
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.work import beads, gate, proof, queue
from gastown_hooks.work.containment import Merged, contained
from gastown_hooks.work.desk import WITNESS, Desk, requests_of, short


def settle(desk: Desk, intent: dict[str, Any]) -> None:
    """The commit is in the target: refs; bead, mail, event, request, branch of each; refinery's tree; the journal's settled line last.

    An entry that cannot be settled now is put aside, and the landing stays unsettled until it can.
    """
    new = intent["new"]
    _follow(desk, new)
    for entry in requests_of(intent):
        with desk.apart(entry["mr"]):
            _settle(desk, entry, entry.get("commit", new), intent.get("gate", {}))
    _refresh(desk)
    if not any(entry["mr"] in desk.result.aside for entry in requests_of(intent)):
        desk.note("settled", {"new": new})


def _settle(desk: Desk, entry: dict[str, Any], commit: str, verdict: dict[str, Any]) -> None:
    request = request_of(desk, entry)
    if request is None:  # the commit is in; whoever deleted its request wanted nothing more of it
        desk.event("merged", {"request": entry["mr"], "bead": entry["bead"], "commit": commit, "head": entry["head"], "deleted": True})
        return
    if request.state != requests.LANDED:
        _close(desk, request, commit, verdict, "merged")
        desk.result.landed.append((request.id, commit))
    _drop_branch(desk, request)


def request_of(desk: Desk, entry: dict[str, Any]) -> Request | None:
    """The request of a journaled landing; None when it was deleted. Of one that is damaged the journal knows enough."""
    try:
        return queue.find(desk.rig, entry["mr"])
    except NotFound:
        return None
    except Corrupt:
        found = Ledger(desk.rig.beads).get(entry["mr"]) or {}
        kept = found.get("metadata")
        known = {"source": entry["bead"], "worker": entry.get("worker", ""), "target": desk.target, "state": requests.QUEUED,
                 **{key: entry[key] for key in ("branch", "head", "fence")}}
        return requests.parse({**found, "metadata": {**(kept if isinstance(kept, dict) else {}), **known}})


def elsewhere(desk: Desk, request: Request, commit: str | None = None, merged: Merged | None = None) -> bool:
    """Whether the work is in the target (by `commit` of it, or by its tip) already; then it is closed with that as its proof.
    `merged`: what merging the two gave, if that is known.

    Not when its bead is on another claim.
    """
    commit, repo = commit or desk.tip, desk.repo()
    source = queue.source_ledger(desk.rig, request.source).get(request.source)
    if (source is None or (source.get("claim_fence") or 0) != request.fence or repo.kind(request.head) != "commit"
            or not repo.is_ancestor(commit, desk.tip) or not contained(repo, request.base, request.head, commit, merged)):
        return False
    _close(desk, request, commit, {"verdict": "elsewhere"}, "merged_elsewhere")
    _drop_branch(desk, request)
    desk.result.landed.append((request.id, commit))
    return True


def _follow(desk: Desk, new: str) -> None:
    """The rig's own refs go to the landed commit, or stay beyond it; what somebody else put there is the next look's to judge."""
    repo = desk.repo()
    changes: list[tuple[str, str, str | None]] = []
    for ref in (desk.target_ref, desk.landed_ref, *([f"refs/remotes/origin/{desk.target}"] if desk.remote else [])):
        there = repo.resolve(ref)
        if there is None or (there != new and repo.is_ancestor(there, new)):
            changes.append((ref, new, there or ZERO))
    try:
        if changes:
            git.update_refs(desk.rig.repo, changes, f"gt: landed {short(new)}")
    except Conflict:
        desk.event("ref_moved", {"target": desk.target, "commit": new})  # seen and put back at the next look


def _close(desk: Desk, request: Request, commit: str, verdict: dict[str, Any], event: str) -> None:
    """The bead with its proof, the mail, the event, then the request: a request that is closed has all of it."""
    landing = proof.Landing(commit, desk.target, request.id, desk.caller.actor, _signals(verdict, request))
    ledger = queue.source_ledger(desk.rig, request.source)
    source = ledger.get(request.source)
    ours = source is not None and (source.get("claim_fence") or 0) == request.fence
    if source is not None and ours and source.get("status") not in ("closed", "tombstone"):
        beads.close(ledger, desk.caller, desk.now, [request.source], f"Merged in {short(commit)}", proof=landing,
                    fence=request.fence)
    extra = "" if ours else f"\nThe bead is on another claim by now and stays as it is: gt mq status {request.id}"
    desk.mail(WITNESS, f"MERGED {request.source}", f"Issue: {request.source}\nMR: {request.id}\nBranch: {request.branch}\n"
              f"Worker: {request.worker}\nTarget: {desk.target}\nCommit: {commit}{extra}\n", f"merged-{request.id}-{short(commit)}")

    desk.event(event, {"request": request.id, "bead": request.source, "commit": commit, "head": request.head})

    def change(view: View) -> list[dict[str, Any]]:
        found = view.get(request.id)
        if found is None:
            return []
        if not requests.is_usable(found):
            found = {**found, "metadata": request.record["metadata"]}
        if requests.parse(found).state == requests.LANDED:
            return []  # rejected or superseded at the last moment: what is in the target has landed all the same
        return [queue.moved(found, requests.LANDED, desk.now, desk.caller.actor, reason=f"Merged in {short(commit)}", landed_as=commit)]

    Ledger(desk.rig.beads).transact(change)


def _signals(verdict: dict[str, Any], request: Request) -> dict[str, Any]:
    """`tests_passed` only where tests ran, `review_approved` only where somebody said so."""
    ran = verdict.get("verdict") == gate.PASS
    found = {"tests_passed": ran, "gate_seconds": verdict.get("seconds", 0), "flake": bool(verdict.get("flake"))} if ran else {
        "landed": str(verdict.get("verdict") or "unknown")}
    return {**found, "review_approved": True, "reviewer": request.reviewer} if request.review == requests.APPROVED else found


def _drop_branch(desk: Desk, request: Request) -> None:
    """The worker's branch, here and at the remote, once its work is in the target. A newer commit on it keeps it.

    What landed as other commits than its own stays pinned: nothing is dropped that would not be reachable.
    """
    repo, ref = desk.repo(), f"refs/heads/{request.branch}"
    tip = repo.resolve(desk.landed_ref) or desk.tip
    if request.branch == desk.target or not request.branch.startswith("polecat/"):
        return  # a person's branch is the person's
    there = repo.resolve(ref)
    held = {one.branch for one in worktrees.listed(desk.rig).values()}
    changes: list[tuple[str, str, str | None]] = []
    if there is not None and ref not in held and (there == request.head or repo.is_ancestor(there, tip)):
        changes.append((ref, "", there))
    if repo.resolve(requests.pin(request.id)) is not None and repo.is_ancestor(request.head, tip):
        changes.append((requests.pin(request.id), "", None))
    try:
        if changes:
            git.update_refs(desk.rig.repo, changes, f"gt: {request.id} landed")
        if desk.remote and git.remote_tip(desk.rig.repo, ref) == request.head:
            git.push(desk.rig.repo, "", ref, lease=request.head)
    except (GitFailed, Conflict) as error:
        desk.event("branch_kept", {"branch": request.branch, "reason": str(error)})  # only tidiness is lost


def _refresh(desk: Desk) -> None:
    """refinery/rig shows what landed last."""
    tree, commit = desk.rig.refinery.tree, desk.repo().resolve(desk.landed_ref)
    if commit is not None and os.path.isdir(tree):
        try:
            worktrees.refresh(tree, commit)
        except GitFailed as error:
            desk.event("refinery_tree_stale", {"tree": tree, "reason": str(error), "at": clock.stamp(desk.now)})
