"""Passed gate runs, found again by tree and configuration, whatever commit carries the tree: a file each in `refinery/gate-passes/`.

A rebuilt stack, a landing in another shape and a commit from outside often have a tree that was tested already. The name of a file is
made from the tree and all settings that a run depends on, so other settings find nothing. {tree, commit, seconds, at}: the commit that
the gates ran on, and when. At LIMIT of them the older half goes; losing one costs a gate run.
"""

from __future__ import annotations

import os
from typing import Any

from gastown_hooks.core import fsio, lock
from gastown_hooks.core.digest import sha256
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import config

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
else:
    json = late("json")

LIMIT = 1000


def configuration(rig: Rig) -> str:
    """A digest of what a gate run depends on beside the tree: gates, set-up, copied files with their content, links."""
    settings = config.rig_settings(rig)
    copied = {name: sha256(fsio.read(f"{rig.root}/{name}") or b"").hexdigest() for name in settings.copy
              if os.path.isfile(f"{rig.root}/{name}")}
    parts = [settings.gates, settings.setup, settings.copy, copied, settings.link]
    return str(sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32])


def find(rig: Rig, tree: str) -> dict[str, Any] | None:
    """The run that passed on this tree as the rig is configured now, within the time that a run may take now."""
    try:
        found = json.loads(fsio.read(_path(rig, tree)) or b"null")
        good = found["tree"] == tree and 0 <= found["seconds"] <= config.rig_settings(rig).gate_timeout
        return {"commit": str(found["commit"]), "seconds": found["seconds"], "at": str(found["at"])} if good else None
    except (ValueError, KeyError, TypeError):
        return None  # none, or damaged: the gates run again


def keep(rig: Rig, tree: str, commit: str, seconds: float, at: str) -> None:
    """The gates passed on the tree of this commit."""
    folder = rig.refinery.gate_passes
    fsio.make_folder(folder)
    with lock.acquire(rig.lock("gate-passes")):
        fsio.thin_out(folder, LIMIT)
        fsio.write_json(_path(rig, tree), {"tree": tree, "commit": commit, "seconds": seconds, "at": at}, durable=False)


def _path(rig: Rig, tree: str) -> str:
    return f"{rig.refinery.gate_passes}/{sha256(f'{tree} {configuration(rig)}'.encode()).hexdigest()[:32]}.json"
