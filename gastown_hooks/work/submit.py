"""A person's or crew member's branch into the merge queue: what `gt done` is to a polecat."""

from __future__ import annotations

from typing import Any

from gastown_hooks.core import record
from gastown_hooks.core.errors import BadInput, Conflict, Refused
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import config, git
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import View
from gastown_hooks.work import queue, wake
from gastown_hooks.work.beadwrite import existing

Record = dict[str, Any]


def submit_branch(rig: Rig, bead_id: str, *, caller: Caller, now: int, dry_run: bool = False) -> Record | None:
    """Queue the branch checked out at the caller's folder as the work of a bead; returns the request (None in a dry run).

    The bead is the caller's from now on and closes when the work has landed. The branch is brought into the rig's repository as
    `<role>/<name>/<branch>`. Raises Refused (uncommitted changes, a worker's call), BadInput, Conflict (somebody else's bead).
    """
    if caller.role == "polecat":
        raise Refused(f"{caller.actor} does not submit by hand", next="gt done")
    tree = git.top(caller.cwd)
    if tree is None:
        raise BadInput(f"{caller.cwd} is in no git repository", next="cd into your checkout")
    if git.run(tree, "status", "--porcelain", "--untracked-files=no").out:
        raise Refused(f"{tree} has uncommitted changes", next="git commit -a")
    head = git.run(tree, "rev-parse", "--verify", "HEAD").line
    branch = _branch_of(tree, caller)
    source = _claimable(existing(queue.source_ledger(rig, bead_id), bead_id), caller)
    if dry_run:
        return None
    git.run(rig.repo, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options", tree, f"+{head}:refs/heads/{branch}")
    source = _claim(rig, source, caller, now)
    target = config.rig_config(rig).target
    made = queue.submit(rig, source, head=head, branch=branch, worker=caller.actor, fence=source["claim_fence"], target=target,
                        caller=caller, now=now)
    wake.wake(rig.town, "refinery", rig.name)
    return made


def _branch_of(tree: str, caller: Caller) -> str:
    name = git.run(tree, "symbolic-ref", "--quiet", "--short", "HEAD", check=False).line
    if not name:
        raise BadInput(f"{tree} is on no branch", next="git switch -c NAME")
    return f"{caller.role}/{caller.name}/{name}" if caller.name else f"{caller.role}/{name}"


def _claimable(found: Record, caller: Caller) -> Record:
    if found.get("status") == "closed":
        raise Refused(f"{found['id']} is closed already", next=f"bd show {found['id']}")
    if found.get("assignee") not in (None, "", caller.actor):
        raise Conflict(f"{found['id']} is with {found['assignee']}", next="bd create a bead of your own")
    return found


def _claim(rig: Rig, source: Record, caller: Caller, now: int) -> Record:
    """The bead on the caller's claim; it keeps the fence it has while it is the caller's already."""
    bead_id = source["id"]

    def change(view: View) -> list[Record]:
        found = _claimable(existing(view, bead_id), caller)
        fence = found.get("claim_fence") or 0
        if found.get("assignee") == caller.actor and found.get("status") == "in_progress" and fence:
            return []
        return [record.touched(found, {"status": "in_progress", "assignee": caller.actor, "claim_fence": fence + 1}, caller.actor, now)]

    ledger = queue.source_ledger(rig, bead_id)
    ledger.transact(change)
    return existing(ledger, bead_id)

