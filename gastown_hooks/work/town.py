"""A town's beginning, its start and its end: install, up, down.

`install` makes what is missing and touches nothing that is there; `mayor/town.json`, which makes the folder a town, comes
last, so a town that was killed while it was made is simply made again.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING

from gastown_hooks.core import clock, data, fsio, ids, lock
from gastown_hooks.core.errors import BadInput, Conflict, Refused
from gastown_hooks.core.paths import Beads, Home, Town, find_town
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import event_hooks, events, git, maildir
from gastown_hooks.stores.ledger import OWN_BRANCH, Ledger
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work.acts import Act, carry_out

if TYPE_CHECKING:
    from collections.abc import Iterator

HQ = "hq"
# What of a town does not belong into its own git repository: checkouts, repositories, locks, tokens.
IGNORED = """/.runtime/
/.removed/
/daemon/
/*/.repo.git*/
/*/mayor/rig*/
/*/refinery/rig*/
/*/refinery/gates/
/*/crew/*/rig/
/*/polecats/
/*/rescued/
heartbeat.json
runner.lock
*.tmp
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """A town and the acts that made it (or would make it); no acts: it was complete."""

    town: Town
    acts: list[str]


def install(path: str, *, with_git: bool = False, dry_run: bool = False, now: int) -> Installed:
    """Make the town at `path`, or complete it. Raises Refused where a town cannot be, BadInput for an impossible path."""
    town = Town(_location(path))
    _check_free(town)
    acts = list(_plan(town, with_git, now))
    if acts and not dry_run:
        fsio.make_folder(town.locks)
        with lock.acquire(town.lock("install")):
            carry_out(acts, dry_run=False)
        events.emit(town, "install", "overseer", {"acts": [act.text for act in acts]}, now)
    return Installed(town, [act.text for act in acts])


def install_role(home: Home, role: str) -> bool:
    """Copy a role file into an agent's home, once: the copy is the user's to change. False when it was there."""
    target = home.role_file(role)
    if os.path.exists(target):
        return False
    source = fsio.read(f"{data.folder('roles')}/{role}.py")
    if source is None:
        return False
    fsio.make_folder(home.root)
    return fsio.create(target, _with_interpreter(source), mode=0o700)


def home_acts(home: Home, title: str, roles: tuple[str, ...]) -> Iterator[Act]:
    """What an agent's home lacks: its folder, its mailbox, its role files."""
    if not all(os.path.isdir(f"{home.mail}/{folder}") for folder in maildir.FOLDERS):
        yield Act(f"make the home of {title}", partial(_make_home, home))
    for role in roles:
        if not os.path.exists(home.role_file(role)) and os.path.exists(f"{data.folder('roles')}/{role}.py"):
            yield Act(f"install the {role} role for {title}", partial(install_role, home, role))


def template(name: str, values: dict[str, str]) -> bytes:
    """A text of the templates folder with its `{{key}}` places filled."""
    text = (fsio.read(f"{data.folder('templates')}/{name}") or b"").decode()
    for key, value in values.items():
        text = text.replace("{{" + key + "}}", value)
    return text.encode()


def git_init(town: Town) -> None:
    """Make the town itself a git repository that ignores checkouts, locks and tokens."""
    fsio.create(town.gitignore, IGNORED.encode())
    if not os.path.exists(f"{town.root}/.git"):
        git.run(town.root, "init", "--quiet", "--initial-branch=main")


def _plan(town: Town, with_git: bool, now: int) -> Iterator[Act]:
    for folder in (town.root, town.locks, town.dirty, os.path.dirname(town.settings), os.path.dirname(town.mode),
                   town.beads.formulas):
        if not os.path.isdir(folder):
            yield Act(f"make the folder {folder}", partial(fsio.make_folder, folder))
    if not (os.path.exists(town.beads.issues) and os.path.exists(town.beads.config)):
        yield Act(f"make the ledger {HQ}", partial(Ledger.create_files, town.beads, HQ, OWN_BRANCH))
    if not _is_routed(town):
        yield Act(f"route {HQ}- to the town's ledger", partial(_add_route, town))
    if not os.path.exists(town.settings):
        yield Act(f"write {town.settings}", partial(fsio.create, town.settings, b"{}\n"))
    yield from home_acts(town.mayor, "the mayor", ("mayor",))
    yield from home_acts(town.deacon, "the deacon", ("deacon", "dog"))
    yield from home_acts(town.boot, "boot", ("boot",))
    yield from home_acts(town.overseer, "the overseer", ())
    if not os.path.exists(town.mayor.instructions):
        text = template("mayor-CLAUDE.md", {"town": os.path.basename(town.root)})
        yield Act(f"write {town.mayor.instructions}", partial(fsio.create, town.mayor.instructions, text))
    if not os.path.exists(town.mayor.own_settings):
        yield Act(f"write {town.mayor.own_settings}", partial(_write_settings, town.mayor))
    if with_git and not (os.path.exists(f"{town.root}/.git") and os.path.exists(town.gitignore)):
        yield Act("make the town a git repository", partial(git_init, town))
    if not os.path.exists(town.marker):
        yield Act(f"write {town.marker}", partial(_write_marker, town, now))


def _make_home(home: Home) -> None:
    for folder in maildir.FOLDERS:
        fsio.make_folder(f"{home.mail}/{folder}")


def _write_settings(home: Home) -> None:
    """An agent program that is started in the home is told its context and its mail."""
    fsio.make_folder(os.path.dirname(home.own_settings))
    fsio.create(home.own_settings, json.dumps({"hooks": event_hooks.hooks(home, event_hooks.RESIDENT)}, indent=2).encode() + b"\n")


def _is_routed(town: Town) -> bool:
    return os.path.exists(town.beads.routes) and HQ in Routes(town).prefixes()


def _add_route(town: Town) -> None:
    Routes(town).add(HQ, ".")


def _write_marker(town: Town, now: int) -> None:
    email = git.run(town.root, "config", "--get", "user.email", check=False).out.strip()
    record = {"type": "town", "version": 2, "id": secrets.token_hex(6), "name": os.path.basename(town.root),
              "owner": email if email.isprintable() else "", "created_at": clock.stamp(now)}
    fsio.create(town.marker, json.dumps(record, ensure_ascii=False, indent=2).encode() + b"\n")


def _with_interpreter(source: bytes) -> bytes:
    """The role with this program's interpreter in its first line, unless a kernel could not read such a line."""
    line, newline, rest = source.partition(b"\n")
    python = sys.executable.encode()
    if not line.startswith(b"#!") or not python or len(python) > 120 or any(c in python for c in b" \t"):
        return source
    return b"#!" + python + newline + rest


def _location(path: str) -> str:
    if not path or any(not c.isprintable() for c in path):
        raise BadInput(f"{ids.shown(path)} is no folder name", why="it is empty or holds control characters")
    if any(len(os.fsencode(part)) > 255 for part in path.split("/")) or len(os.fsencode(os.path.abspath(path))) > 3000:
        raise BadInput(f"{ids.shown(path)} is no folder name", why="it is too long")
    return os.path.realpath(os.path.expanduser(path))


def _check_free(town: Town) -> None:
    """A town may begin here: not in another town, not in a checkout of one, no foreign file in the way."""
    if os.path.lexists(town.root) and not os.path.isdir(town.root):
        raise Refused(f"{town.root} is a file", why="a town is a folder", next="gt install ~/gt")
    above = find_town(os.path.dirname(town.root))
    if above is not None:
        raise Refused(f"{town.root} is inside the town {above.root}", why="towns do not nest", next="gt install ~/gt2")
    container = _rig_of_checkout(town.root)
    if container:
        raise Refused(f"{town.root} is inside a checkout of the rig {container}", why="a town does not live in a worktree",
                      next="gt install ~/gt")
    for folder in (town.mayor.root, town.deacon.root, town.overseer.root, town.beads.root, town.runtime,
                   os.path.dirname(town.settings), os.path.dirname(town.mode)):
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise Refused(f"{folder} is in the way", why="it is not a folder", next=f"mv {folder} {folder}.old")
    _check_ledger(town.beads)
    ours = (town.mayor.root, town.deacon.root, town.overseer.root, town.beads.root, town.runtime, town.events,
            os.path.dirname(town.settings), os.path.dirname(town.mode))
    found = sorted(os.listdir(town.root)) if os.path.isdir(town.root) else []
    things = [name for name in found if not name.startswith(".git")]
    if things and not any(f"{town.root}/{name}" in ours for name in things):
        # Nothing of a town here: a mistyped path must not fill somebody's folder with ours.
        raise Refused(f"{town.root} holds other things", why=ids.shown(", ".join(things[:3])),
                      next=f"gt install {shlex.quote(town.root + '/gt')}")


def _check_ledger(beads: Beads) -> None:
    if not os.path.exists(beads.config):
        return
    prefix = Ledger(beads).prefix
    if prefix != HQ:
        raise Conflict(f"{beads.root} is the ledger of {ids.shown(prefix)}", why=f"a town's own ledger has the prefix {HQ}",
                       next="gt install ~/gt")


def _rig_of_checkout(folder: str) -> str | None:
    """The rig whose shared repository the linked worktree around `folder` belongs to."""
    while folder != os.path.dirname(folder):
        pointer = fsio.read(f"{folder}/.git") if os.path.isfile(f"{folder}/.git") else None
        if pointer is not None:
            common = os.fsdecode(pointer).removeprefix("gitdir: ").partition("/worktrees/")[0]
            container = os.path.dirname(common)
            return container if Town(os.path.dirname(container)).rig(os.path.basename(container)).repo == common else None
        folder = os.path.dirname(folder)
    return None
