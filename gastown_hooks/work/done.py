"""The end of a worker's task: prove the commit, pin it, push the branch, submit it, and mark the slot to be retired.

Each step looks first whether it is done, and nothing is acknowledged before the request is in the ledger; so `gt done` after a
killed `gt done` completes it. The bead stays claimed: it closes when the refinery has landed it (I4).
"""

from __future__ import annotations

from gastown_hooks.core.errors import BadInput, Conflict, Fenced, GitFailed, Refused
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.core.record import noted, touched
from gastown_hooks.rules import claims
from gastown_hooks.stores import changes, config, events, git, known, mail
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.stores.repo import Repo
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import beads, queue, wake
from gastown_hooks.work import lease as leases
from gastown_hooks.work.beadwrite import existing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.core.record import Record
    from gastown_hooks.work.lease import Lease

COMPLETED, ESCALATED, DEFERRED = "COMPLETED", "ESCALATED", "DEFERRED"


def done(caller: Caller, now: int, *, status: str = COMPLETED, no_code: bool = False, reason: str = "") -> Record | None:
    """End the calling worker's task; returns the merge request where there is one.

    COMPLETED submits the branch, or with `no_code` and a reason closes the bead without commits. ESCALATED and DEFERRED give
    the bead back (blocked, or deferred) with the reason. Raises Fenced, Refused (dirty tree, nothing to land).
    """
    rig, home, lease, ledger = _claim_of(caller)
    bead = existing(ledger, lease.bead)
    if lease.state == leases.DONE or bead.get("status") == "closed":
        leases.advance(home, lease, leases.DONE)
        return known.open_request(known.beads(Ledger(rig.beads)), bead)
    if status == COMPLETED and not no_code:
        request = _submit(rig, home, lease, bead, caller, now)
    else:
        request = None
        _give_back(rig, home, lease, ledger, caller, now, status, no_code, reason)
    _leave(rig, home, lease, caller, now, status, request)
    return request


def close_without_code(caller: Caller, now: int, bead_id: str, reason: str) -> Record:
    """A person's word that a bead nobody works on needs no code: it closes with that proof (I4). Raises Conflict when claimed."""
    town = caller.in_town()
    ledger = Routes(town).ledger(bead_id, caller)
    bead = existing(ledger, bead_id)
    if bead.get("status") in claims.CLAIMED:
        raise Conflict(f"{bead_id} is with {bead.get('assignee')}", why="it may still land", next=f"gt polecat nuke {bead.get('assignee')}")
    _need(reason)
    return beads.close(ledger, caller, now, [bead_id], reason, no_code=True, fence=bead.get("claim_fence", 0))[0]


def _claim_of(caller: Caller) -> tuple[Rig, Home, Lease, Ledger]:
    if caller.role != "polecat" or not caller.rig or not caller.name:
        raise Refused(f"{caller.actor} has no task to end", why="gt done is a polecat's word from inside its tree",
                      next="gt mq submit (a crew's branch), or bd close BEAD")
    rig = caller.in_town().rig(caller.rig)
    home = rig.polecat(caller.name)
    lease = leases.read(home)
    if lease is None or (lease.bead, lease.fence) != (caller.bead, caller.fence):
        raise Fenced(f"{caller.actor} has no such claim", why=f"{caller.bead or 'no bead'} at fence {caller.fence or 0} was given to "
                     "somebody else, or is done", next="stop; your work is kept: gt rescue list")
    ledger = Routes(rig.town).ledger(lease.bead, caller)
    ledger.check_claim()
    return rig, home, lease, ledger


def _submit(rig: Rig, home: Home, lease: Lease, bead: Record, caller: Caller, now: int) -> Record:
    dirty = changes.uncommitted(home.tree)
    if dirty:
        names = ", ".join(shown(change.path) for change in dirty[:3]) + (f" and {len(dirty) - 3} more" if len(dirty) > 3 else "")
        raise Refused(f"{lease.bead} has uncommitted changes", why=names, next="git add -A && git commit -m 'what you did', then gt done")
    head = _head(home, lease)
    pin = f"refs/gt/work/{home.name}/{lease.fence}"
    git.update_refs(rig.repo, [(pin, head, None), (f"refs/heads/{lease.branch}", head, None)], f"gt done {lease.bead}")
    _push(rig, lease, head, caller, now)
    return queue.submit(rig, bead, head=head, branch=lease.branch, worker=lease.actor, fence=lease.fence,
                        target=config.rig_config(rig).target, caller=caller, now=now, agent=lease.agent)


def _head(home: Home, lease: Lease) -> str:
    """The tree's commit, proven to hold work on top of the lease's base."""
    repo = Repo(home.tree)
    head = repo.resolve("HEAD")
    if head is None:
        raise Refused(f"{lease.bead} has nothing to land", why=f"{home.tree} is on no commit", next="git checkout " + lease.branch)
    if not repo.is_ancestor(lease.base, head):
        raise Refused(f"cannot submit {head[:12]}", why=f"it does not contain {lease.base[:12]}, the commit the branch started from",
                      next=f"git rebase --onto {lease.base[:12]} ROOT, or gt done --status ESCALATED --reason TEXT")
    if head == lease.base or repo.tree(head) == repo.tree(lease.base):
        raise Refused(f"{lease.bead} has nothing to land", why="no commit on the branch changes anything",
                      next="commit your work, or: gt done --no-code --reason TEXT")
    return head


def _push(rig: Rig, lease: Lease, head: str, caller: Caller, now: int) -> None:
    """The branch for people to look at. The queue lands from the rig's own repository, so a missing remote only is noted."""
    if config.rig_config(rig).url is None:
        return
    try:
        git.push(rig.repo, head, f"refs/heads/{lease.branch}")
    except GitFailed as error:
        events.emit(rig.town, "push_failed", caller.actor, {"branch": lease.branch, "reason": str(error)}, now)


def _give_back(rig: Rig, home: Home, lease: Lease, ledger: Ledger, caller: Caller, now: int, status: str, no_code: bool,
               reason: str) -> None:
    _need(reason)
    if no_code:
        if git.run(home.tree, "rev-parse", "HEAD").line != lease.base or changes.uncommitted(home.tree):
            raise Refused(f"{lease.bead} has changes", why="--no-code says that there are none", next="gt done, or drop them first")
        beads.close(ledger, caller, now, [lease.bead], reason, no_code=True, fence=lease.fence)
        return
    wanted = {ESCALATED: "blocked", DEFERRED: "deferred"}.get(status)
    if wanted is None:
        raise BadInput(f"--status {shown(status)}", why=f"known: {COMPLETED}, {ESCALATED}, {DEFERRED}")
    note = f"{status} by {caller.actor}: {reason}"
    if status == ESCALATED:  # first: once the bead is given back, this claim says nothing any more
        key = f"escalated-{lease.bead}-{lease.fence}"
        for mailbox, who in ((rig.witness.mail, f"{rig.name}/witness"), (rig.town.overseer.mail, "overseer")):
            mail.deliver(mailbox, caller.actor, who, f"ESCALATED {lease.bead}", note, key=key, now=now)

    def change(view: View) -> list[Record]:
        bead = view.get(lease.bead) or {}
        return [touched(bead, {"status": wanted, "assignee": None, "notes": noted(bead, note)}, caller.actor, now)]

    ledger.transact(change)


def _need(reason: str) -> None:
    if not reason.strip():
        raise BadInput("a reason is needed", next="gt done … --reason TEXT")


def _leave(rig: Rig, home: Home, lease: Lease, caller: Caller, now: int, status: str, request: Record | None) -> None:
    if request is not None:
        wake.ask(rig.town, "refinery", rig.name)  # the runner looks for it as soon as the lease says done
    leases.advance(home, lease, leases.DONE)
    events.emit(rig.town, "done", caller.actor, {"bead": lease.bead, "branch": lease.branch, "status": status,
                                                 "request": request["id"] if request else None}, now)
    if request is not None:
        wake.wake(rig.town, "refinery", rig.name)
    if wake.runner_is_free(home):  # by hand: nobody waits for this slot's end but the witness
        wake.wake(rig.town, "witness", rig.name)
