"""Starting a role, or a worker's runner, once: detached, at once, never twice.

Writer: make the work durable, set the role's dirty flag, try the role's lock; got it: start the role with the held lock as
descriptor 9 and close the own copy. Role (see `gastown_hooks.role`): unlink the flag, work, look again, unlock, look once more.
A refused writer set the flag before it tried, and the holder of that moment still looks; the hand-over leaves no gap in which a
starting role is taken for a running one. Never wake while holding the ledger's lock.

The environment is rebuilt (a worker's token would get the role reaped with the worker) and stray descriptors are closed (a
caller that captures output would wait for the role to end).
"""

from __future__ import annotations

import fcntl

from gastown_hooks.core import data, errors, fsio, lock
from gastown_hooks.core.lock import Lock
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.core.system import os
from gastown_hooks.stores import callers, child, config

LOCK_FD = 9


def wake(town: Town, role: str, rig: str | None = None) -> bool:
    """Have the role look at the facts now; True when this call started it (False: it runs already and will look again).

    Called by a worker under a runner it only sets the flag: what a worker starts would end with it, or be caged with it, so the
    runner wakes the role when the turn is over. GT_WAKE=inline waits for the role's end; off only sets the flag.
    """
    ask(town, role, rig)
    mode = callers.wake_mode()
    if mode == "off" or _runner_will(town):
        return False
    return start_round(town, role, rig, wait=mode == "inline")


def ask(town: Town, role: str, rig: str | None = None) -> None:
    """Set the role's dirty flag: whoever runs or starts it next looks again."""
    fsio.make_folder(town.dirty)
    fsio.touch(town.flag(_key(role, rig)))


def start_round(town: Town, role: str, rig: str | None, *, wait: bool) -> bool:
    """Start the role's round if none runs; False when one does."""
    program = role_file(home_of(town, role, rig), role)
    held = lock.attempt(role_lock(town, role, rig))
    if held is None:
        return False
    argv = ["patrol", "--town", town.root, *(["--rig", rig] if rig else [])]
    extra = {"GT_TOKEN": role_token(town, role, rig), "GT_ROOT": town.root, "GT_ROLE": role,
             "BD_ACTOR": f"{rig}/{role}" if rig else role, **({"GT_RIG": rig} if rig else {})}
    _start(held, program, argv, extra, town.daemon_log, wait=wait)
    return True


def is_dirty(town: Town, role: str, rig: str | None = None) -> bool:
    """Whether somebody asked the role to look and it did not begin to yet."""
    return os.path.exists(town.flag(_key(role, rig)))


def start_runner(rig: Rig, name: str, *, asked: bool = False, held: Lock | None = None) -> bool:
    """Start the worker's runner; False when it runs, or when the town is by hand and nobody asked for it in so many words.

    `held`: the runner's lock, of a caller who has it; it is handed on to a runner that starts.
    """
    mode = callers.wake_mode()
    if mode == "off" or not (asked or config.mode(rig.town) == "running"):
        return False
    home = rig.polecat(name)
    if not os.path.isdir(home.root):
        raise errors.NotFound(f"no worker {rig.name}/{name}", next=f"gt polecat list {rig.name}")
    program = role_file(home, "polecat")
    held = held or lock.attempt(home.runner_lock)
    if held is None:
        return False
    argv = ["run", "--town", rig.town.root, "--rig", rig.name, "--name", name]
    extra = {"GT_TOKEN": runner_token(rig, name), "GT_ROOT": rig.town.root, "GT_ROLE": "polecat", "GT_RIG": rig.name}
    _start(held, program, argv, extra, home.runner_log, wait=mode == "inline")
    return True


def runner_is_free(home: Home) -> bool:
    """The kernel's word that no runner holds the worker's lock."""
    return not lock.is_held(home.runner_lock)


def is_unattended(rig: Rig) -> bool:
    """Whether the rig has a worker without a runner, which is the witness's business."""
    try:
        return any(runner_is_free(rig.polecat(name)) for name in os.listdir(rig.polecats))
    except FileNotFoundError:
        return False


def role_lock(town: Town, role: str, rig: str | None) -> str:
    return town.lock(_key(role, rig))


def role_token(town: Town, role: str, rig: str | None) -> str:
    """What marks the role's processes: the town's id first, as in every token."""
    return f"{config.town_id(town)}.{_key(role, rig, role_first=True)}"


def runner_token(rig: Rig, name: str) -> str:
    """What marks a runner; never the worker's own token, for the runner outlives the worker's strays."""
    return f"{config.town_id(rig.town)}.polecat.{rig.name}.{name}"


def home_of(town: Town, role: str, rig: str | None) -> Home:
    """The home of a role that is one of its kind in the town or the rig."""
    if rig is not None:
        return Home(f"{town.rig(rig).root}/{role}")
    return town.boot if role == "boot" else Home(f"{town.root}/{role}")


def role_file(home: Home, role: str) -> str:
    """The role's program: the home's own copy where there is one, else the one that came with this package."""
    places = (home.role_file(role), f"{data.folder('roles')}/{role}.py")
    for place in places:
        if os.path.isfile(place):
            return place
    raise errors.NotFound(f"no role file {role}.py", why=f"not in {' nor '.join(places)}",
                          next="./install.sh, in your checkout of gastown-hooks")


def spawn(argv: list[str], environment: dict[str, str], log: str, held: Lock | None) -> int:
    """Start a program in its own session, its output appended to `log`, the held lock as descriptor 9; returns the pid."""
    fsio.make_folder(os.path.dirname(log))
    output = _high(fsio.open_log(log))
    actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_CLOSE, fd) for fd in child.inheritable()]
    actions += [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    handed = -1
    if held is not None:
        handed = fcntl.fcntl(held.fd, fcntl.F_DUPFD_CLOEXEC, LOCK_FD + 1)
        actions.append((os.POSIX_SPAWN_DUP2, handed, LOCK_FD))
    try:
        null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        return os.posix_spawn(argv[0], argv, environment, file_actions=[null, *actions], setsid=True)
    finally:
        os.close(output)
        if handed >= 0:
            os.close(handed)


def _start(held: Lock, program: str, argv: list[str], extra: dict[str, str], log: str, *, wait: bool) -> None:
    try:
        pid = spawn([*data.role_start(program), *argv], callers.clean_environment(extra), log, held)
    finally:
        held.release()
    if wait:
        os.waitpid(pid, 0)


def _runner_will(town: Town) -> bool:
    caller = callers.caller()
    if caller.role != "polecat" or not (caller.rig and caller.name and caller.token):
        return False
    home = town.rig(caller.rig).polecat(caller.name)
    return os.path.isdir(home.root) and lock.is_held(home.runner_lock)


def _key(role: str, rig: str | None, *, role_first: bool = False) -> str:
    if rig is None:
        return role
    return f"{role}.{rig}" if role_first else f"{rig}.{role}"


def _high(fd: int) -> int:
    """The same file on a descriptor above the ones that the child's are made from."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, LOCK_FD + 1)
    finally:
        os.close(fd)
