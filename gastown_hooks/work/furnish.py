"""What a new tree needs beside the project's files: copies and links of the rig folder's own (such as .env), then `setup`."""

from __future__ import annotations

import os

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import BadConfig, Refused
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import child
from gastown_hooks.stores.config import rig_settings

PATIENCE = 900.0


def furnish(rig: Rig, tree: str, environment: dict[str, str]) -> None:
    """Copy and link, set up. Doing it again does the same. Raises what `place` does, Refused when the set-up fails or takes too long."""
    place(rig, tree)
    command = rig_settings(rig).setup
    if not command:
        return
    said, nothing = child.memory("out"), child.memory("in")
    try:
        code = child.run(child.there(tree, "sh", "-c", command), environment, (nothing, said, said), PATIENCE)
        failed = failure(rig, tree, code, child.text(said))
    finally:
        os.close(said)
        os.close(nothing)
    if failed:
        raise failed


def place(rig: Rig, tree: str) -> None:
    """Copy and link; what is there stays. Raises BadConfig for a path that leaves the tree or is not there."""
    settings = rig_settings(rig)
    for name in [*settings.copy, *settings.link]:
        source, target = f"{rig.root}/{name}", f"{tree}/{name}"
        if os.path.isabs(name) or ".." in name.split("/") or name.split("/")[0] == ".git":
            raise BadConfig(f"{settings.path}: {shown(name)} is no path inside a tree", next="gt config explain RIG.copy")
        if not os.path.exists(source):
            raise BadConfig(f"{settings.path}: {shown(name)} is to be put into new trees", why=f"{source} is missing",
                            next="put it there, or: gt config explain RIG.copy")
        if name not in settings.link and os.path.isdir(source):
            raise BadConfig(f"{settings.path}: copy", why=f"{shown(name)} is a folder", next="name its files, or link it")
        if os.path.lexists(target):
            continue
        fsio.make_folder(os.path.dirname(target))
        fsio.link(source, target) if name in settings.link else fsio.copy(source, target)


def failure(rig: Rig, tree: str, code: int | None, said: str) -> Refused | None:
    """How a set-up command failed, if it did; code None: it took too long."""
    if code == 0:
        return None
    how = f"took more than {PATIENCE:g} s" if code is None else f"ended with {code}"
    last = said.strip().splitlines()[-1:]
    return Refused(f"the set-up command of {tree} {how}", why=shown(last[0], 200) if last else "",
                   next=f"mend it: gt config get {rig.name}.setup")
