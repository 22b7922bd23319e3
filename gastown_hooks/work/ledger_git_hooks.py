"""The git hooks of a repository whose ledger is tracked beside the code: what they do, and how they are put in and taken out.

A hook that was there goes on working: it is kept as `<name>.before-bd` and runs first. None of ours ever stops git.
"""

from __future__ import annotations

import os
from functools import partial

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import Refused
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import BEADS, TRACKED_ARCHIVE, TRACKED_LEDGER, Beads
from gastown_hooks.stores import archive, git, lines, stubs
from gastown_hooks.stores.callers import variable
from gastown_hooks.stores.gitdir import common_dir
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work.acts import Act

NAMES = ("pre-commit", "prepare-commit-msg", "pre-push", "post-merge", "post-checkout")
_TEMPLATE = "ledger"
_KEPT = ".before-bd"
_MARK = b"# Written by bd hooks install."


def folder(top: str) -> str:
    """Where git looks for this repository's hooks. Raises Refused for a folder that other repositories share."""
    found = os.path.realpath(os.path.join(top, stubs.users_folder("", top, "")))
    inside = [os.path.realpath(place) for place in (top, common_dir(top) or top)]
    if not any(f"{found}/".startswith(f"{place}/") for place in inside):
        raise Refused(f"git takes this repository's hooks from {shown(found, 200)}", why="other repositories may use that folder too",
                      next="git config core.hooksPath .githooks, or call bd hooks run NAME from your own hooks")
    return found


def status(top: str) -> dict[str, str]:
    """Per hook: `installed`, `outdated` (of another place of this program) or `missing`."""
    place, wanted = folder(top), stubs.rendered(_TEMPLATE, {})
    texts = {name: fsio.read(f"{place}/{name}") or b"" for name in NAMES}
    return {name: "installed" if text == wanted and os.access(f"{place}/{name}", os.X_OK) else "outdated" if _MARK in text else "missing"
            for name, text in texts.items()}


def install(top: str) -> list[Act]:
    """What is still to be done so that every hook is ours, with the one that was there behind it."""
    place = folder(top)
    return [Act(f"write {name}" + (f"; the one there runs first, as {name}{_KEPT}" if _is_users(f"{place}/{name}") else ""),
                partial(_put, f"{place}/{name}")) for name, state in status(top).items() if state != "installed"]


def uninstall(top: str) -> list[Act]:
    """What is to be done so that every hook is what it was."""
    place = folder(top)
    return [Act(f"put back the {name} that was there" if os.path.lexists(f"{place}/{name}{_KEPT}") else f"remove {name}",
                partial(_take_out, f"{place}/{name}")) for name, state in status(top).items() if state != "missing"]


def _is_users(path: str) -> bool:
    return os.path.lexists(path) and _MARK not in (fsio.read(path) or b"")


def _put(path: str) -> None:
    fsio.make_folder(os.path.dirname(path))
    if _is_users(path):
        if os.path.lexists(path + _KEPT):
            raise Refused(f"{shown(path, 200)} is not ours", why=f"{_KEPT[1:]} of it is there as well", next="remove one of them")
        fsio.rename(path, path + _KEPT)
    fsio.write(path, stubs.rendered(_TEMPLATE, {}), mode=0o755)


def _take_out(path: str) -> None:
    if os.path.lexists(path + _KEPT):
        fsio.rename(path + _KEPT, path)
    else:
        fsio.remove(path)


# ---- duties: each returns what there is to tell, and never fails ---------------------------------------------

def pre_commit(top: str) -> list[str]:
    """The ledger goes into the commit as it is now, with the code it belongs to."""
    index = os.path.abspath(variable("GIT_INDEX_FILE") or f"{common_dir(top)}/index")
    if os.path.basename(index).startswith("next-index"):
        return []  # `git commit PATH`: only those paths were meant
    beads = Beads(f"{top}/{BEADS}")
    files = [path for path in (beads.issues, beads.config, beads.gitignore, beads.attributes) if os.path.exists(path)]
    names = [os.path.relpath(path, top) for path in [*files, *(beads.archived(year) for year in archive.years(beads))]]
    git.run(top, "add", "--", *names, env={"GIT_INDEX_FILE": index} if variable("GIT_INDEX_FILE") else None)
    return look(top)


def look(top: str) -> list[str]:
    """post-merge, post-checkout: whether the ledger that came is whole."""
    bad = lines.parse(fsio.read(f"{top}/{TRACKED_LEDGER}") or b"").problems
    return [f"{TRACKED_LEDGER} has {len(bad)} damaged lines, such as {bad[0]}. Next: bd doctor --fix"] if bad else []


def pre_push(top: str) -> list[str]:
    if git.run(top, "status", "--porcelain", "--", f":(literal){TRACKED_LEDGER}", TRACKED_ARCHIVE).out:
        return ["the ledger has changes that are in no commit. Next: bd sync, or git commit"]
    return []


def tracked_here(top: str) -> bool:
    """Whether this work tree has a ledger that is tracked beside the code."""
    beads = Beads(f"{top}/{BEADS}")
    return os.path.exists(beads.issues) and not os.path.lexists(beads.redirect) and Ledger(beads).write_through and git.run(
        top, "check-ignore", "--quiet", "--no-index", "--", TRACKED_LEDGER, check=False).code != 0
