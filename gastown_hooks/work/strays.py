"""Whose a process is: everything alive that a worker, or the town, started. Always asked anew, never remembered.

By its token; and what dropped its environment, and whose parents are gone, by two facts together: it works in the town's folders, and
it has the town's mark. The mark is a soft limit on POSIX message queues that each town has its own value of: every process inherits it,
whatever it execs, and hardly anybody else sets it.
"""

from __future__ import annotations

import resource

from gastown_hooks.core.digest import sha256
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.stores import config, processes
from gastown_hooks.stores.processes import Process
from gastown_hooks.work import wake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.work.lease import Lease

_LEAST, _MARKS = 1 << 18, 1 << 19


def of_turn(rig: Rig, home: Home, lease: Lease | None) -> list[Process]:
    """What the worker's agent started: by its token; without one, by the town's mark in the worker's own folder."""
    return _once(processes.with_token(lease.token) if lease else [], processes.marked_below(home.root, mark(rig.town)))


def of_worker(rig: Rig, home: Home, lease: Lease | None) -> list[Process]:
    """That, and its runner."""
    return _once(processes.with_token(wake.runner_token(rig, home.name)), of_turn(rig, home, lease))


def of_gate(rig: Rig, tokens: str, folder: str) -> list[Process]:
    """What gates started: by what their tokens begin with; without one, by the town's mark in their trees."""
    return _once(processes.with_token(tokens, prefix=True), processes.marked_below(folder, mark(rig.town)))


def of_town(town: Town) -> list[Process]:
    """Everything that carries this town's token, or its mark in the town's folders: roles, runners, agents and their strays."""
    return _once(processes.with_token(f"{config.town_id(town)}.", prefix=True), processes.marked_below(town.root, mark(town)))


def mark(town: Town) -> int:
    """The town's mark: below the usual limit of 819,200 bytes, and enough for whoever uses such queues."""
    return _LEAST + int.from_bytes(sha256(config.town_id(town).encode()).digest()[:8], "big") % _MARKS


def carry_mark(town: Town) -> None:
    """Mark the calling process and whatever it starts from now on; where the machine allows no such limit, nothing."""
    _, most = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    if most == resource.RLIM_INFINITY or mark(town) <= most:
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (mark(town), most))


def _once(*found: list[Process]) -> list[Process]:
    return list(dict.fromkeys(process for some in found for process in some))
