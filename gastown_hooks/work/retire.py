"""The one way a worker goes: its processes end, everything it made is saved and read back, then its tree is removed (I5).

`polecats/<name>/retiring.json` is the intent: who, why, when, and how far it is. A retire that was killed is completed by the
next one, whoever calls it. The tree is renamed before it is removed and looked at once more: what nobody can reach by its path
any longer, and is what was saved, may go. Anything that cannot be told (a process that may still write, a file that cannot be
read) ends the retire with everything in place.
"""

from __future__ import annotations

import os

from gastown_hooks.core import clock, fsio, ids, lock
from gastown_hooks.core.errors import Conflict, Corrupt, GastownError, NotFound, Refused
from gastown_hooks.core.lock import Lock
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.core.record import noted, touched
from gastown_hooks.core.values import asdict, dataclass, replace
from gastown_hooks.rules import claims
from gastown_hooks.stores import beats, events, git, index, known, processes, worktrees
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.work import lease as leases
from gastown_hooks.work import salvage, stashes, strays, worktree_state
from gastown_hooks.work.lease import Lease
from gastown_hooks.work.salvage import Salvage
from gastown_hooks.work.snapshot import Changed
from gastown_hooks.work.worktree_state import Facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.core.record import Record
    from gastown_hooks.stores.processes import Process

GRACE = 2.0
_ROUNDS = 4
BEGUN, SAVED, REMOVING = "begun", "saved", "removing"


@dataclass(frozen=True, slots=True)
class Intent:
    """`retiring.json`. `phase` begun, saved (and verified) or removing (nothing more to look at); `prefix` the salvage refs,
    `branch` the branch's ref and `tip` where it may be deleted."""

    by: str
    reason: str
    at: str
    force: bool
    fence: int
    bead: str = ""
    phase: str = BEGUN
    prefix: str = ""
    branch: str = ""
    tip: str = ""


def retire(rig: Rig, name: str, *, caller: Caller, now: int, reason: str, force: bool = False, held: Lock | None = None) -> Salvage:
    """Save what the worker made, prove it, and remove the worker; an unsettled claim goes back to the queue.

    A worker that is gone already gives an empty Salvage. Raises Refused while its runner or session lives (`force` ends them),
    and always when a process that is not the worker's sits in its tree or a file cannot be read; Changed when somebody keeps
    writing. Whoever runs this below the worker's runner (the runner itself, its last step) is not ended. `held`: the runner's
    lock, of a caller who saw under it that nobody is at work.
    """
    ids.name(name, "polecat")
    home = rig.polecat(name)
    with lock.acquire(rig.lock(f"retire.{name}"), timeout=60):
        fsio.remove_tree(rig.retired(name))
        if not os.path.isdir(home.root):
            return Salvage("", [], [])
        intent, lease = _intent(home), leases.read(home)
        if not force and held is None:
            check_idle(rig, home)
        if intent is None:
            intent = Intent(caller.actor, reason, clock.stamp(now), force, fence_of(rig, home, lease), lease.bead if lease else "")
            _advance(home, intent)
        try:
            _end_processes(rig, home, lease)
            mine = None if held is not None or _below_runner(home) else _runner_lock(rig, home)
        except GastownError:
            fsio.remove(home.retiring)
            raise
        try:
            return _carry_out(rig, home, lease, intent, caller, now)
        finally:
            if mine is not None:
                mine.release()


def check_idle(rig: Rig, home: Home) -> None:
    """Raises Refused while a runner, an agent or a session by hand may work there (not counting those we run below)."""
    who = f"{rig.name}/{home.name}"
    force = f"gt polecat nuke {who} --force (its work is saved first)"
    alive = _beating(home)
    if alive is None:
        raise Refused(f"cannot tell whether {who} is at work", why="its process cannot be looked at", next=force)
    if alive:
        raise Refused(f"{who} is at work", why=f"process {alive[0].pid}", next=force)
    if lock.is_held(home.runner_lock) and not _below_runner(home):
        raise Refused(f"{who} is at work", why=f"its runner lock is held by {lock.holder(home.runner_lock)}", next=force)


def fence_of(rig: Rig, home: Home, lease: Lease | None) -> int:
    """The claim's fence, from the lease, else from the name of the branch that the tree is on."""
    if lease is not None:
        return lease.fence
    admin = worktree_state.admin_dir(rig, home.tree)
    head = (fsio.read(f"{admin}/HEAD") if admin else None) or b""
    tail = head.decode("utf-8", "replace").strip().rpartition("@")[2]
    return int(tail) if tail.isdecimal() else 0


def check_there(rig: Rig, name: str) -> None:
    """Raises NotFound for a worker that is not there."""
    if not os.path.isdir(rig.polecat(name).root):
        raise NotFound(f"no polecat {rig.name}/{name}", next=f"gt polecat list {rig.name}")


def plan(rig: Rig, name: str) -> list[str]:
    """What a retire would do, in words; nothing is changed. Raises NotFound."""
    check_there(rig, name)
    home = rig.polecat(name)
    lease = leases.read(home)
    facts = worktree_state.look(rig, name, fence_of(rig, home, lease), lease)
    ended = _beating(home) or ()
    acts = [f"end process {process.pid}" for process in dict.fromkeys([*ended, *strays.of_worker(rig, home, lease)])]
    acts.append(f"save under {salvage.ROOT}/{name}/{fence_of(rig, home, lease)}: {_summary(facts)}")
    acts += [f"take out of the shared stash: {stash.message}" for stash in facts.stashes]
    acts.append(f"remove {home.tree}" + (f" and the branch {facts.branch_name}" if facts.branch else ""))
    return acts


def _summary(facts: Facts) -> str:
    if facts.files is None:
        return "commits (the tree is gone)"
    if facts.clean:
        return "commits only (nothing uncommitted)"
    found = f"commits, {len(facts.files.entries)} files, {len(facts.stashes)} stash entries"
    return found + (f"; {len(facts.files.ignored)} ignored files are listed, not saved" if facts.files.ignored else "")


# ---- the steps

def _carry_out(rig: Rig, home: Home, lease: Lease | None, intent: Intent, caller: Caller, now: int) -> Salvage:
    intent, saved = _saved(rig, home, lease, intent)
    fsio.remove_tree(home.old_tree)
    worktrees.remove(rig, home.tree)
    _drop_branch(rig, intent)
    _give_back(rig, home, lease, saved, intent, caller, now)
    payload = {"rig": rig.name, "name": home.name, "fence": intent.fence, "bead": intent.bead, "reason": intent.reason,
               "salvage": saved.key}
    events.emit(rig.town, "kill" if intent.force else "retired", caller.actor, payload, now)
    fsio.make_folder(rig.town.removed_root)
    fsio.rename(home.root, rig.retired(home.name))
    fsio.remove_tree(rig.retired(home.name))
    return saved


def _saved(rig: Rig, home: Home, lease: Lease | None, intent: Intent) -> tuple[Intent, Salvage]:
    """Everything saved and proven, the tree moved aside; after a killed retire perhaps long ago."""
    if intent.phase == REMOVING:
        fsio.remove_tree(home.old_tree)
        if not os.path.lexists(home.tree):
            saved = Salvage(intent.prefix, [], [])
            return intent, replace(saved, saved=sorted(_saved_refs(rig, saved)))
    try:
        for _ in range(_ROUNDS - 1):
            try:
                return _save(rig, home, lease, intent)
            except Changed:
                continue  # somebody wrote meanwhile: look who, and save again
        return _save(rig, home, lease, intent)
    except GastownError:
        fsio.remove(home.retiring)  # refused, not killed: the worker stays, and whoever comes next decides anew
        raise


def _save(rig: Rig, home: Home, lease: Lease | None, intent: Intent) -> tuple[Intent, Salvage]:
    """Save, verify, move the tree aside, and see that it is still what was saved. On return it may be removed."""
    _check_alone(rig, home)
    if os.path.lexists(home.old_tree) and not os.path.lexists(home.tree):
        fsio.rename(home.old_tree, home.tree)  # a retire was killed between the move and the last look
    saved, facts = salvage.save(rig, home.name, intent.fence, lease, needless=True)
    intent = replace(intent, phase=SAVED, prefix=saved.ref_prefix, tip=facts.branch or "",
                     branch=f"refs/heads/{facts.branch_name}" if facts.branch_name and _is_own(home, facts.branch_name) else "")
    _advance(home, intent)
    # Also those that an earlier, killed try saved: it may have died over the stash's lock.
    stashed = any(ref.startswith("stash/") for ref in saved.saved)
    stashes.remove(rig.repo, frozenset(oid for ref, oid in _saved_refs(rig, saved).items() if ref.startswith("stash/")) if stashed
                   else frozenset())
    if os.path.isdir(home.tree):
        fsio.rename(home.tree, home.old_tree)
        try:
            _check_alone(rig, home)
            _check_unwritten(rig, home)
            fresh = worktree_state.look(rig, home.name, intent.fence, lease, tree=home.old_tree, before=facts)
            if replace(fresh, stashes=()) != replace(facts, stashes=()) or fresh.stashes:
                raise Changed(f"{rig.name}/{home.name} changed after it was saved", why="somebody still writes there")
        except BaseException:
            fsio.rename(home.old_tree, home.tree)
            raise
    intent = replace(intent, phase=REMOVING)
    _advance(home, intent)
    return intent, saved


def _saved_refs(rig: Rig, saved: Salvage) -> dict[str, str]:
    return salvage.generation_refs(rig, saved.ref_prefix) if saved.ref_prefix else {}


def _is_own(home: Home, branch: str) -> bool:
    return branch.startswith(f"polecat/{home.name}/")


def _drop_branch(rig: Rig, intent: Intent) -> None:
    """Delete the branch where it was saved; one that moved since is left for people to see."""
    if not intent.branch or not intent.tip:
        return
    try:
        git.update_refs(rig.repo, [(intent.branch, "", intent.tip)], intent.reason)
    except Conflict:
        return  # it moved, and keeps the new commits; or it is gone


def _give_back(rig: Rig, home: Home, lease: Lease | None, saved: Salvage, intent: Intent, caller: Caller, now: int) -> None:
    """A claim that nobody works on any more, and that is not submitted, opens again; the note says where its work is."""
    if lease is None:
        return
    kept = f" Its work is kept: gt rescue show {rig.name}/{saved.key}" if saved.ref_prefix else ""
    note = f"{rig.name}/{home.name} was retired by {intent.by}: {intent.reason}.{kept}"

    def change(view: View) -> list[Record]:
        bead = view.get(lease.bead)
        if bead is None or bead.get("status") not in claims.CLAIMED or bead.get("assignee") != lease.actor:
            return []
        if bead.get("claim_fence") != lease.fence or known.open_request(view.linked(), bead) is not None:
            return []
        return [touched(bead, {"status": "open", "assignee": None, "notes": noted(bead, note)}, caller.actor, now)]

    ledger = Ledger(rig.beads)
    index.current(ledger)  # under the ledger's lock nobody would bring it up to date
    ledger.transact(change)


# ---- processes

def _end_processes(rig: Rig, home: Home, lease: Lease | None) -> None:
    """End what is recorded as the worker's, nothing else: the process in its heartbeat, and whatever is told to be its own."""

    def find() -> list[Process]:
        return list(dict.fromkeys([*(_beating(home) or ()), *strays.of_worker(rig, home, lease)]))

    left = processes.end(find, GRACE)
    if left:
        raise Refused(f"{rig.name}/{home.name} does not end", why=f"still there: {_shown(left)}",
                      next="end these processes, then try again")


def _runner_lock(rig: Rig, home: Home) -> Lock:
    held = lock.attempt(home.runner_lock)
    if held is None:
        raise Refused(f"{rig.name}/{home.name} is busy", why=f"its runner lock is held by {lock.holder(home.runner_lock)}",
                      next="try again when that process is done")
    return held


def _beating(home: Home) -> list[Process] | None:
    """The live process of the last heartbeat, unless we run below it; None when that cannot be told."""
    try:
        beat = beats.read(home.heartbeat)
    except Corrupt:
        return []  # the lock and the tokens still tell
    if beat is None:
        return []
    alive = processes.is_alive(beat.process())
    if alive is None:
        return None
    return [beat.process()] if alive and not processes.is_above(beat.process()) else []


def _below_runner(home: Home) -> bool:
    """Whether the process whose beat is the last one, the lock's holder, is ourselves or an ancestor."""
    beat = beats.read(home.heartbeat) if lock.is_held(home.runner_lock) else None
    return beat is not None and processes.is_above(beat.process())


def _check_alone(rig: Rig, home: Home) -> None:
    """No process may sit in the home: one that is not the worker's is nobody's to end, and may write."""
    left = [process for process in processes.below(home.root) if not processes.await_end(process, 1.0)]
    if left:
        raise Refused(f"{rig.name}/{home.name} is in use", why=f"working there: {_shown(left)}", next="leave that folder, then try again")


def _check_unwritten(rig: Rig, home: Home) -> None:
    """Nobody finds the tree by its path any more; who opened a file before must be done with it, or what is written then is lost."""
    left = processes.await_unwritten(home.old_tree, 1.0)
    if left:
        raise Refused(f"{rig.name}/{home.name} is in use", why=f"writing there: {_shown(left)}", next="end that program, then try again")


def _shown(found: list[Process]) -> str:
    return ", ".join(f"{process.pid} ({_command(process.pid)})" for process in found[:5])


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return ids.shown(file.read().strip())
    except OSError:
        return "gone"


# ---- the intent

def _intent(home: Home) -> Intent | None:
    value = fsio.read_json(home.retiring)
    if value is None:
        return None
    try:
        return Intent(**value)
    except TypeError as error:
        raise Corrupt(f"{home.retiring} is no retirement", why=str(error), next=f"look at it, then remove {home.retiring}") from None


def _advance(home: Home, intent: Intent) -> None:
    fsio.write_json(home.retiring, asdict(intent))
