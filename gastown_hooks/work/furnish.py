"""What a new tree needs beside the project's files: copies and links of the rig folder's own (such as .env), then `setup`."""

from __future__ import annotations

import os
import subprocess

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import BadConfig, Refused
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores.config import Settings, rig_settings


def furnish(rig: Rig, tree: str, environment: dict[str, str]) -> None:
    """Copy, link, set up. Raises BadConfig for a path that leaves the tree or is not there, Refused when setup fails.

    Doing it again does the same; the files are listed in git's exclude file by nobody: name what the project ignores.
    """
    settings = rig_settings(rig)
    for key in ("copy", "link"):
        for path in getattr(settings, key):
            source, target = _inside(settings, key, rig.root, path), _inside(settings, key, tree, path)
            if not os.path.exists(source):
                raise BadConfig(f"{settings.path}: {key}", why=f"{shown(path)} is not in {rig.root}",
                                next=f"put it there, or: gt config explain {key}")
            fsio.make_folder(os.path.dirname(target))
            fsio.copy(source, target) if key == "copy" else fsio.link(source, target)
    if settings.setup:
        result = subprocess.run(["sh", "-c", settings.setup], cwd=tree, env=environment, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True)
        if result.returncode != 0:
            raise Refused(f"setup failed in {tree}", why=shown((result.stderr or result.stdout).strip()[-200:], 200),
                          next=f"mend it: gt config get {rig.name}.setup")


def _inside(settings: Settings, key: str, folder: str, path: str) -> str:
    whole = os.path.normpath(os.path.join(folder, path))
    if not whole.startswith(folder + "/"):
        raise BadConfig(f"{settings.path}: {key}", why=f"{shown(path)} leaves the folder", next=f"gt config explain {key}")
    return whole
