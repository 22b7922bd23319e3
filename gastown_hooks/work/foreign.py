"""Commits that reached the target past the queue: seen before every landing, saved, judged, adopted or shut out.

The truth is the remote's branch where there is a remote, else the rig's own. The rig's own `refs/heads/<target>` is moved by nobody
but the refinery: whatever else it holds is saved under `refs/gt/salvage/foreign/<commit>` and put back by compare-and-swap. A
remote's tip that goes on from what landed is gated once: green is adopted, red closes the target until the tip changes, passes a
later look, or a fix lands. A remote whose history was rewritten closes the target until somebody decides.
"""

from __future__ import annotations

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Conflict, Refused
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import git
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.git import ZERO
from gastown_hooks.work import gate
from gastown_hooks.work.desk import Desk, open_desk, short

RED, REWRITTEN = "red", "rewritten"
RETEST = 3600 * clock.SECOND


def salvage_ref(commit: str) -> str:
    return f"refs/gt/salvage/foreign/{commit}"


def check(desk: Desk, seen: str) -> None:
    """Compare the target's tip `seen` with what landed last; sets the desk's tip, or stops the round."""
    landed = _landed(desk, seen)
    if not landed:
        desk.wait(f"{desk.target} has no commit")
        return
    _put_back(desk, landed)
    if not desk.remote or seen == landed:
        _stand_on(desk, landed)
    elif desk.repo().is_ancestor(landed, seen):
        _judge(desk, landed, seen)
    else:
        _save(desk, seen)
        _shut(desk, seen, REWRITTEN, f"the remote's {desk.target} is {short(seen)}, which does not contain {short(landed)}, "
              "the last landing: its history was rewritten")


def moved(desk: Desk) -> bool:
    """Whether somebody moved the rig's own target since it was looked at: that is handled before anything lands."""
    repo = desk.repo()
    return repo.resolve(desk.target_ref) != repo.resolve(desk.landed_ref)


def _landed(desk: Desk, seen: str) -> str:
    """The last landing; a rig that never landed starts from what it was added with, which the remote may have gone on from."""
    repo = desk.repo()
    landed = repo.resolve(desk.landed_ref)
    if landed is None:
        known = [desk.last_settled(), repo.resolve(desk.target_ref)]
        landed = next((one for one in known if one and repo.kind(one) == "commit" and repo.is_ancestor(one, seen)), seen) if seen else ""
        if landed:
            git.update_refs(desk.rig.repo, [(desk.landed_ref, landed, ZERO)], "gt: what the queue starts from")
    return landed


def _put_back(desk: Desk, landed: str) -> None:
    """The rig's own target ref is where the refinery left it, or is put there."""
    there = desk.repo().resolve(desk.target_ref)
    if there == landed:
        return
    if there is not None:
        _save(desk, there)
    try:
        git.update_refs(desk.rig.repo, [(desk.target_ref, landed, there or ZERO)], "gt: put back, it moves only through the merge queue")
    except Conflict:
        desk.wait(f"{desk.target} is being moved by somebody else")  # the next round looks again
        return
    if there is None:
        return
    desk.result.foreign.append(there)
    desk.event("target_put_back", {"target": desk.target, "was": there, "now": landed, "saved": salvage_ref(there)})
    desk.alarm(f"{desk.rig.name}: {desk.target} was moved past the merge queue",
               f"{desk.target} of {desk.rig.repo} was moved to {there} by somebody else than the refinery. It is back at {landed}.\n"
               f"What it held is saved as {salvage_ref(there)}. To land it: gt done, or gt mq submit, from a branch that has it.",
               key=f"put-back-{desk.target}-{there}-{landed[:12]}")


def _judge(desk: Desk, landed: str, seen: str) -> None:
    """Outsiders' commits on top of the last landing."""
    if _still_red(desk, seen):
        return
    _save(desk, seen)
    try:
        verdict = gate.confirmed(desk.rig, seen, desk.now, name=f"foreign-{short(seen)}")
    except Refused as error:
        desk.wait(str(error))
        return
    if verdict.result == gate.INFRA:
        desk.wait(f"cannot judge {short(seen)}, which others pushed to {desk.target}: {verdict.reason}")
    elif verdict.red:
        _shut(desk, seen, RED, f"{short(seen)}, pushed past the merge queue, fails the gates: {verdict.reason}")
        desk.fixes_only, desk.stop, desk.tip = True, False, seen
    else:
        adopt(desk, landed, seen)


def adopt(desk: Desk, landed: str, seen: str) -> None:
    """What outsiders pushed is the target now."""
    repo = desk.repo()
    local = repo.resolve(desk.target_ref)
    git.update_refs(desk.rig.repo, [(desk.landed_ref, seen, landed), (desk.target_ref, seen, local or ZERO)], "gt: adopt foreign commits")
    commits = repo.commits(seen, landed)
    desk.result.foreign.append(seen)
    desk.event("foreign_adopted", {"target": desk.target, "from": landed, "to": seen, "commits": commits[:100], "count": len(commits)})
    _stand_on(desk, seen)


def red_base(desk: Desk, reason: str) -> None:
    """The tip that requests would stand on is red itself: nobody's change is to blame, only fixes pass."""
    _shut(desk, desk.tip, RED, f"{short(desk.tip)} itself fails the gates: {reason}")
    desk.fixes_only, desk.stop = True, False


def accept(rig: Rig, commit: str, *, caller: Caller, now: int) -> None:
    """A person's word that the remote's rewritten history is meant: landing goes on from its tip, once that passed the gates.

    Raises Refused unless `commit` is the remote's tip now and passes.
    """
    desk = open_desk(rig, now)
    seen = desk.tip_now()
    if commit != seen:
        raise Refused(f"{shown(short(commit))} is not the tip of {desk.target}", why=f"that is {seen}", next=f"gt mq accept {seen}")
    landed = desk.repo().resolve(desk.landed_ref)
    if landed == seen:
        return
    if landed is not None:
        _save(desk, landed)
    verdict = gate.confirmed(rig, seen, now, name=f"foreign-{short(seen)}")
    if not verdict.green:
        raise Refused(f"{short(seen)} does not pass the gates", why=verdict.reason, next=f"push a fix to {desk.target}")
    local = desk.repo().resolve(desk.target_ref)
    git.update_refs(rig.repo, [(desk.landed_ref, seen, landed or ZERO), (desk.target_ref, seen, local or ZERO)],
                    f"gt: {caller.actor} accepts the rewritten history")
    desk.close(None)
    desk.event("rewrite_accepted", {"target": desk.target, "from": landed, "to": seen, "by": caller.actor})


def reopen(desk: Desk) -> None:
    """The target is green again."""
    entry = desk.closed()
    if entry is not None:
        desk.close(None)
        desk.event("target_reopened", {"target": desk.target, "tip": desk.tip})
        desk.alarm(f"{desk.rig.name}: {desk.target} is open again", f"Landing goes on from {desk.tip}.",
                   key=f"reopened-{desk.target}-{desk.tip}-{entry.get('since')}")


def _stand_on(desk: Desk, commit: str) -> None:
    """The commit is fit to land on, unless it is known to be red."""
    desk.tip = commit
    if desk.closed() is not None and not _still_red(desk, commit):
        verdict = gate.confirmed(desk.rig, commit, desk.now, name=f"target-{short(commit)}")
        if verdict.red:
            red_base(desk, verdict.reason)
        elif verdict.green:
            reopen(desk)
        else:
            desk.wait(f"cannot judge {desk.target}: {verdict.reason}")


def _still_red(desk: Desk, tip: str) -> bool:
    """Whether this tip was judged red lately, under the gates in force. Then only fixes pass."""
    entry = desk.closed()
    if entry is None or entry.get("tip") != tip or entry.get("kind") != RED or entry.get("gates") != gate.commands(desk.rig):
        return False
    try:
        if desk.now - clock.parse(str(entry.get("judged"))) > RETEST:
            return False
    except ValueError:
        return False
    desk.result.closed = str(entry.get("why"))
    desk.fixes_only, desk.tip = True, tip
    return True


def _shut(desk: Desk, tip: str, kind: str, why: str) -> None:
    before = desk.closed()
    same = before is not None and before.get("tip") == tip and before.get("kind") == kind
    since = before["since"] if before is not None and same else clock.stamp(desk.now)
    gates = gate.commands(desk.rig) if kind == RED else None
    desk.close({"tip": tip, "kind": kind, "why": why, "gates": gates, "since": since, "judged": clock.stamp(desk.now)})
    desk.result.closed, desk.stop = why, True
    if not same:
        desk.event("escalation", {"severity": "CRITICAL", "target": desk.target, "tip": tip, "reason": why})
    asked = (f"Push a commit that passes to {desk.target}, or label a bead's work fix-main." if kind == RED else
             f"Restore the branch at the remote, or, if the rewrite is meant: gt mq accept {tip}")
    desk.alarm(f"{desk.rig.name}: {desk.target} is closed", f"{why}.\nNothing lands on it until this is mended. {asked}\n",
               key=f"closed-{desk.target}-{kind}-{tip}")


def _save(desk: Desk, commit: str) -> None:
    git.update_refs(desk.rig.repo, [(salvage_ref(commit), commit, None)], "gt: came past the merge queue")
