"""How a role file runs: `sys.exit(main(DUTY, TRIGGERS))` at its end.

`witness.py patrol --town DIR --rig NAME`. The town is found from `--town`, GT_ROOT, the role file's own place or the working
directory; the rig from `--rig`, GT_RIG or the place. `patrol` is the round: one at a time for a town's (rig's) role, repeated
while somebody woke it meanwhile (`gastown_hooks.work.wake`), and a good one leaves a heartbeat. Other triggers run at once and
as often as they are called.
"""

from __future__ import annotations

import fcntl
import gc
import os
import sys

from gastown_hooks.core import clock, errors, fsio, ids, lock
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.core.lock import Lock
from gastown_hooks.core.paths import Home, Rig, Town, find_town, town_at
from gastown_hooks.stores import beats, callers, processes
from gastown_hooks.work import strays, wake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Duty = dict[str, Any]
    Trigger = Callable[["Round"], int]

ROUND = "patrol"
_VALUES = ("--town", "--rig", "--name")


class Round:
    """What a trigger gets: where it runs, for whom, at what time.

    `rig` is None for a town's role, `name` is a worker's name where there is one, `args` what stood behind the trigger, `now`
    the time at which this round began, `caller` the role's own identity.
    """

    __slots__ = ("args", "caller", "dry_run", "home", "lock", "name", "now", "rig", "role", "town")

    def __init__(self, role: str, town: Town, rig: Rig | None, name: str | None, *, args: list[str], dry_run: bool,
                 now: int) -> None:
        self.role, self.town, self.rig, self.name = role, town, rig, name
        self.args, self.dry_run, self.now = args, dry_run, now
        self.lock: Lock | None = None
        self.home: Home
        if name and rig:
            self.home, actor = rig.polecat(name), f"{rig.name}/polecats/{name}"
        else:
            self.home = wake.home_of(town, role, rig.name if rig else None)
            actor = f"{rig.name}/{role}" if rig else role
        self.caller = callers.Caller(actor, town.root, town)

    def its_rig(self) -> Rig:
        """The rig, for roles that have one."""
        if self.rig is None:
            raise BadInput(f"the {self.role} needs a rig", next=f"{self.role}.py {ROUND} --rig NAME")
        return self.rig

    def say(self, text: str) -> None:
        """One line for whoever reads the log or the terminal, control characters escaped."""
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        print(line if self.dry_run else f"{clock.stamp(self.now)[:19]}Z {self.caller.actor}: {line}", flush=True)


def main(duty: Duty, triggers: dict[str, Trigger], argv: list[str] | None = None) -> int:
    """The exit code for the role file's own command line. `duty` needs `role`."""
    gc.set_threshold(100_000)  # a round is short: looking for garbage would be a tenth of its start
    gc.enable()
    args = sys.argv[1:] if argv is None else argv
    program = f"{duty['role']}.py"
    return errors.handled(program, lambda: _run(duty, triggers, args))


def _run(duty: Duty, triggers: dict[str, Trigger], args: list[str]) -> int:
    values, rest, dry_run = _parse(args)
    if not rest or "--help" in rest or "-h" in rest:
        _help(duty, triggers)
        return 0 if rest else 2
    word = rest[0]
    trigger = triggers.get(word)
    if trigger is None:
        raise BadInput(f"the {duty['role']} has no trigger {ids.shown(word)}", why=f"known: {', '.join(triggers)}")
    town, rig = _place(values, duty)
    strays.carry_mark(town)
    name = values.get("--name")
    now = clock.now()
    one = Round(duty["role"], town, rig, ids.name(name, "worker") if name else None, args=rest[1:], dry_run=dry_run, now=now)
    if dry_run or word != ROUND:
        return trigger(one)
    return _rounds(one, trigger)


def _rounds(one: Round, trigger: Trigger) -> int:
    """The wake protocol's reading side: no request is left behind, no two rounds overlap."""
    town, key = one.town, one.rig.name if one.rig else None
    path, flag = wake.role_lock(town, one.role, key), town.flag(f"{key}.{one.role}" if key else one.role)
    held = taken(path)
    if held is None:
        one.say("a round is running already")
        return 0
    os.chdir(town.root)
    one.lock, code = held, 0
    while True:
        fsio.remove(flag)
        one.now = clock.now()
        code = max(code, trigger(one))
        if code == 0:
            _beat(one)
        if code == 0 and os.path.exists(flag):
            continue
        held.release()
        if code or not os.path.exists(flag):
            return code
        again = lock.attempt(path)
        if again is None:
            return code  # the new holder looks
        one.lock = held = again


def taken(path: str) -> Lock | None:
    """The lock: the one that the waker handed over, else a free one; None when somebody else holds it."""
    handed = lock.adopt(path, wake.LOCK_FD)
    if handed is None:
        return lock.attempt(path)
    try:
        fcntl.flock(handed.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return handed


def _beat(one: Round) -> None:
    before = None
    try:
        before = beats.read(one.home.heartbeat)
    except errors.Corrupt:
        pass  # replaced by a good one now
    me = processes.this()
    fsio.make_folder(one.home.root)
    beats.write(one.home.heartbeat, beats.Beat(
        actor=one.caller.actor, session="", pid=me.pid, start=me.start, boot_id=me.boot_id, seq=before.seq + 1 if before else 1,
        progress=clock.stamp(one.now), state="idle", bead="", ttl=beats.TTL))


def _parse(args: list[str]) -> tuple[dict[str, str], list[str], bool]:
    values: dict[str, str] = {}
    rest: list[str] = []
    queue = list(args)
    dry_run = False
    while queue:
        word = queue.pop(0)
        option, equals, value = word.partition("=")
        if option in _VALUES:
            if not equals and not queue:
                raise BadInput(f"{option} needs a value")
            values[option] = value if equals else queue.pop(0)
        elif word == "--dry-run":
            dry_run = True
        elif word == "--":
            rest += queue
            break
        else:
            rest.append(word)
    return values, rest, dry_run


def _place(values: dict[str, str], duty: Duty) -> tuple[Town, Rig | None]:
    """The town and the rig: told, else by the role file's own place, else by the working directory."""
    program = os.path.dirname(os.path.abspath(sys.argv[0]))
    told = values.get("--town") or callers.variable("GT_ROOT")
    town = town_at(told) if told else find_town(program) or town_at(os.getcwd())
    if duty.get("scope", "rig") == "town":
        return town, None
    name = values.get("--rig") or callers.variable("GT_RIG") or _rig_at(town, program) or _rig_at(town, os.getcwd())
    if not name:
        raise BadInput(f"which rig? The {duty['role']} serves one", next=f"add --rig {_known(town, '|') or 'NAME'}")
    rig = town.rig(ids.name(name, "rig"))
    if not rig.exists():
        raise NotFound(f"no rig {name}", why=f"known rigs: {_known(town, ', ') or 'none yet'}", next="gt rig list")
    return town, rig


def _known(town: Town, between: str) -> str:
    return between.join(rig.name for rig in town.rigs())


def _rig_at(town: Town, folder: str) -> str | None:
    if not folder.startswith(town.root + "/"):
        return None
    name = folder[len(town.root) + 1:].split("/")[0]
    return name if town.rig(name).exists() else None


def _help(duty: Duty, triggers: dict[str, Trigger]) -> None:
    """The role file's docstring, its triggers with their first line, and its duty table."""
    print((sys.modules["__main__"].__doc__ or "").strip())
    print(f"\nusage: {duty['role']}.py TRIGGER [--town DIR] [--rig NAME] [--dry-run]\n\ntriggers")
    for word, trigger in triggers.items():
        print(f"  {word:<20} {(trigger.__doc__ or '').strip().splitlines()[0] if trigger.__doc__ else ''}")
    for key, value in duty.items():
        if isinstance(value, (list, tuple)):
            print(f"\n{key}")
            print("\n".join(f"  {item}" for item in value))
        elif isinstance(value, dict):
            print(f"\n{key}")
            print("\n".join(f"  {word:<20} {item}" for word, item in value.items()))
