"""The embedded agent: it carries out the `run` of its bead as a shell script in the worker's tree, commits, and says it is done.

`python -m gastown_hooks.runtime.exec_agent`, with a worker's environment (GT_BEAD, GT_FENCE, BD_ACTOR …). It needs no model and no
account. A script that fails is a task that is not done: its end is noted on the bead and the exit code is 1. A bead without `run` is
nothing for this agent: noted, exit code 1. A script that succeeds and changes nothing closes the bead without code.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from gastown_hooks.core import clock, errors
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.core.record import noted, touched
from gastown_hooks.stores import callers, changes, git
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import lease as leases
from gastown_hooks.work.beadwrite import existing
from gastown_hooks.work.lease import Lease

if TYPE_CHECKING:
    from gastown_hooks.work import done, salvage, turns
else:  # not while the script runs: they double the memory
    done, salvage, turns = late("gastown_hooks.work.done"), late("gastown_hooks.work.salvage"), late("gastown_hooks.work.turns")


def main() -> int:
    """One turn: the exit code of the process."""
    return errors.handled("exec", lambda: work(callers.caller()))


def work(caller: Caller) -> int:
    """Do the caller's bead. Raises Fenced when the claim is gone."""
    rig, home, lease, ledger = _claim(caller)
    bead = existing(ledger, lease.bead)
    script = bead.get("run")
    if not isinstance(script, str) or not script.strip() or "\0" in script:  # no shell takes a NUL
        _note(ledger, lease, "the exec agent needs a script: bd update --run, or another agent program")
        print(f"exec: {lease.bead} has no run", file=sys.stderr)
        return 1
    title = str(bead.get("title") or lease.bead)
    if not _is_committed(home, lease, title):
        _set_aside(rig, home, lease)
        code = _run(script, home)
        if code:
            _note(ledger, lease, f"its script ended with {'signal ' if code < 0 else 'exit code '}{abs(code)}")
            return 1
        turns.commit(rig, home, lease, title)
    return _report(home, lease, caller)


def _claim(caller: Caller) -> tuple[Rig, Home, Lease, Ledger]:
    if caller.role != "polecat" or not (caller.rig and caller.name and caller.bead):
        raise BadInput("the exec agent works for a polecat", why="GT_BEAD and BD_ACTOR say for which",
                       next="gt sling BEAD RIG --agent exec")
    rig = caller.in_town().rig(caller.rig)
    home = rig.polecat(caller.name)
    lease = leases.read(home)
    if lease is None:
        raise NotFound(f"{caller.actor} has no lease", next="gt hook")
    ledger = Routes(rig.town).ledger(lease.bead, caller)
    ledger.check_claim()
    return rig, home, lease, ledger


def _is_committed(home: Home, lease: Lease, title: str) -> bool:
    """A turn before got as far as the commit: the script is not run again on its own result."""
    head, *words = git.run(home.tree, "log", "-1", "--format=%H %s").out.split()
    return head != lease.base and words == title.split() and not changes.uncommitted(home.tree)


def _set_aside(rig: Rig, home: Home, lease: Lease) -> None:
    """A script starts from the last commit: what a killed or failed try left is saved like a retired worker's work, then cleared."""
    if not changes.uncommitted(home.tree):
        return
    saved, _ = salvage.save(rig, home.name, lease.fence, lease)
    print(f"exec: what a try before left is kept: gt rescue show {rig.name}/{saved.key}", flush=True)
    git.run(home.tree, "reset", "--quiet", "--hard", "HEAD")
    git.run(home.tree, "clean", "--quiet", "-ffd")


def _run(script: str, home: Home) -> int:
    print(f"$ {script}", flush=True)
    return subprocess.run(["sh", "-c", script], cwd=home.tree, stdin=subprocess.DEVNULL, check=False).returncode


def _report(home: Home, lease: Lease, caller: Caller) -> int:
    now = clock.now()
    if git.run(home.tree, "rev-parse", "HEAD").line == lease.base:
        done.done(caller, now, no_code=True, reason="its script succeeded and changed nothing")
        print(f"exec: {lease.bead} is done without code")
        return 0
    request = done.done(caller, now)
    print(f"exec: {lease.bead} is submitted as {request['id'] if request else 'nothing'}")
    return 0


def _note(ledger: Ledger, lease: Lease, text: str) -> None:
    """Put the reason on the bead, once."""
    note = f"{lease.actor}: {text}"

    def change(view: View) -> list[dict[str, Any]]:
        bead = existing(view, lease.bead)
        return [touched(bead, {"notes": noted(bead, note)}, lease.actor, clock.now())]

    ledger.transact(change)


if __name__ == "__main__":
    sys.exit(main())
