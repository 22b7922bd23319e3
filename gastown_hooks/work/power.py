"""Starting a town and ending it. After `down` nothing of the town runs, and it says how it knows; claims and trees stay."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial

from gastown_hooks.core import ids, lock
from gastown_hooks.core.paths import Town
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.stores import config, events, processes
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.processes import Process
from gastown_hooks.work import cron, rigs, stop, strays, wake
from gastown_hooks.work.acts import Act, carry_out

RUNNING, BY_HAND = "running", "by-hand"
TICK_PATIENCE = 90.0
LOOP_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Downed:
    """`ended`: pids that were there; `left`: what would not end; `foreign`: others' processes below the town, which are not touched."""

    acts: list[str]
    ended: list[int]
    left: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    cron: bool = False


def up(town: Town, *, with_cron: bool, caller: Caller, dry_run: bool, now: int) -> list[str]:
    """Set the town running, put the cron line in place, wake the roles of each rig; returns what was done."""
    acts = list(_up(town, with_cron))
    carry_out(acts, dry_run=dry_run)
    if not dry_run:
        events.emit(town, "up", caller.actor, {"acts": [act.text for act in acts]}, now)
    return [act.text for act in acts]


def down(town: Town, *, caller: Caller, dry_run: bool, now: int) -> Downed:
    """Back to by-hand: no cron line, no process of the town's. The caller and its ancestors are spared.

    Ours is what carries the town's token, and the loop that holds the town's daemon lock. Other processes in the town's folders
    (a person's shell) are named, not ended: one fact is not two.
    """
    acts, found = list(_down(town)), _ours(town)
    words = [act.text for act in acts] + [f"end {_words(process)}" for process in found]
    if dry_run:
        return Downed(words, [process.pid for process in found], foreign=_foreign(town), cron=bool(cron.installed(town)))
    carry_out(acts, dry_run=False)
    _end_loop(town)
    with lock.acquire(town.lock("tick"), TICK_PATIENCE):  # a tick in its middle would start roles behind our back
        stop.whole_town(town, caller=caller, now=now)
        left = _ours(town)
    events.emit(town, "down", caller.actor, {"acts": words, "left": [process.pid for process in left]}, now)
    return Downed(words, [process.pid for process in found], [_words(process) for process in left], _foreign(town),
                  bool(cron.installed(town)))


def _up(town: Town, with_cron: bool) -> Iterator[Act]:
    if config.mode(town) != RUNNING:
        yield Act("set the town running", partial(config.set_mode, town, RUNNING))
    if with_cron and cron.installed(town) is False:
        yield Act("put the cron line in place", partial(cron.start, town))
    for rig in town.rigs():
        for role in ("witness", "refinery"):
            if rigs.has_role(rig, role):
                yield Act(f"wake {rig.name}/{role}", partial(wake.wake, town, role, rig.name))


def _down(town: Town) -> Iterator[Act]:
    if config.mode(town) != BY_HAND:
        yield Act("set the town by hand", partial(config.set_mode, town, BY_HAND))
    if cron.installed(town):
        yield Act("take the cron line out", partial(cron.stop, town))


def _ours(town: Town) -> list[Process]:
    loop = _loop(town)
    return strays.of_town(town) + ([loop] if loop else [])


def _loop(town: Town) -> Process | None:
    """`gt daemon run`: it holds the town's daemon lock, which only it takes."""
    pid = lock.holder_pid(town.lock("daemon"))
    return processes.find(pid) if pid is not None and lock.is_held(town.lock("daemon")) else None


def _end_loop(town: Town) -> None:
    loop = _loop(town)
    if loop is not None and processes.send(loop, signal.SIGTERM):
        processes.await_end(loop, LOOP_PATIENCE)


def _foreign(town: Town) -> list[str]:
    ours = set(_ours(town))
    return [_words(process) for process in processes.below(town.root) if process not in ours]


def _words(process: Process) -> str:
    try:
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            words = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        words = "gone"
    return f"{process.pid} ({ids.shown(words, 100)})"
