"""What a clone needs so that its git knows the ledger: the merge driver, attributes, exclusions. Each is looked at before it is made.

`code-branch`: the ledger is tracked beside the code, each branch has its list. `own-branch`: it is kept out of the code's branches and
`bd sync` commits it to a branch of its own. Stealth: git does not see it at all.
"""

from __future__ import annotations

import os
import shlex
import sys
from functools import partial

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import Conflict
from gastown_hooks.core.paths import BEADS, TRACKED_LEDGER, Beads
from gastown_hooks.stores import git
from gastown_hooks.stores.gitdir import common_dir, main_worktree
from gastown_hooks.stores.ledger import IGNORED, OWN_BRANCH, Ledger
from gastown_hooks.work.acts import Act

DRIVER = "merge.beads.driver"
_CODE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from gastown_hooks.front import bd; sys.exit(bd())"
_ATTRIBUTES = (b"issues.jsonl -text merge=beads", b"archive/*.jsonl -text merge=beads")
_EXCLUDED = f"/{BEADS}/".encode()


def driver_command() -> str:
    """The words that git starts: this very program by absolute path, for a git that finds no `bd` (an editor's, a server's)."""
    words = [sys.executable, "-I", "-S", "-c", _START, _CODE, "merge"]
    return " ".join(shlex.quote(word).replace("%", "%%") for word in words) + " %O %A %B %P"


def plan(top: str, beads: Beads, prefix: str, mode: str, *, stealth: bool, driver: bool = True) -> list[Act]:
    """What is still to be made for the ledger in the repository at `top`. `driver`: git is told to merge it with bd. Raises Conflict for a
    tracked ledger that should not be."""
    hidden = stealth or mode == OWN_BRANCH
    if hidden and git.run(top, "ls-files", "--", f":(literal){TRACKED_LEDGER}").out:
        raise Conflict("the code's branch tracks the ledger", why=TRACKED_LEDGER, next=f"git rm --cached {TRACKED_LEDGER}, then commit")
    acts = []
    if not os.path.lexists(beads.config) or not os.path.exists(beads.issues):
        acts.append(Act(f"make the ledger in {beads.root}", partial(Ledger.create_files, beads, prefix, mode)))
    if hidden and not is_stealth(top):
        acts.append(Act("keep it out of the code's branches (info/exclude)", partial(_exclude, exclude_file(top))))
    if os.path.lexists(beads.gitignore) and _unignored(beads):
        acts.append(Act("keep bd's local files out of git (.beads/.gitignore)", partial(_ignore, beads)))
    if driver and not hidden and _unattributed(beads):
        acts.append(Act("tell git that the ledger is merged by bd (.beads/.gitattributes)", partial(_attribute, beads)))
    if driver and not hidden and git.run(top, "config", "--get", DRIVER, check=False).line != driver_command():
        acts.append(Act("set bd up as the merge driver of this clone", partial(_set_driver, top)))
    return acts


def shared(top: str) -> str | None:
    """In a linked worktree: the main one's ledger folder, where that is kept out of the code's branches and so is not here as well."""
    main = main_worktree(top)
    there = Beads(f"{main}/{BEADS}")
    return there.root if main is not None and is_stealth(top) and there.exists() else None


def redirect(beads: Beads, target: str) -> list[Act]:
    """What is still to be done so that this folder leads to the other."""
    text = os.path.relpath(target, os.path.dirname(beads.root)).encode("utf-8", "surrogateescape") + b"\n"
    return [] if fsio.read(beads.redirect) == text else [Act(f"lead to the ledger in {target}", partial(_redirect, beads, text))]


def _redirect(beads: Beads, text: bytes) -> None:
    fsio.make_folder(beads.root)
    fsio.write(beads.redirect, text, mode=0o644)


def exclude_file(top: str) -> str:
    """git's list of what this clone ignores; all its worktrees share it."""
    return f"{common_dir(top)}/info/exclude"


def is_stealth(top: str) -> bool:
    """Whether git does not see the ledger here."""
    return _EXCLUDED in (fsio.read(exclude_file(top)) or b"").splitlines()


def _exclude(path: str) -> None:
    text = fsio.read(path) or b""
    fsio.make_folder(os.path.dirname(path))
    fsio.write(path, text + (b"" if text.endswith(b"\n") or not text else b"\n") + _EXCLUDED + b"\n", mode=0o644)


def _unignored(beads: Beads) -> list[bytes]:
    """What another program's .gitignore does not know."""
    return [line for line in IGNORED.splitlines() if line not in (fsio.read(beads.gitignore) or b"").splitlines()]


def _ignore(beads: Beads) -> None:
    text = fsio.read(beads.gitignore) or b""
    lines = [text.rstrip(b"\n")] if text else []
    fsio.write(beads.gitignore, b"\n".join([*lines, *_unignored(beads), b""]), mode=0o644)


def _attribute(beads: Beads) -> None:
    fsio.write(beads.attributes, (fsio.read(beads.attributes) or b"") + b"".join(line + b"\n" for line in _unattributed(beads)), mode=0o644)


def _unattributed(beads: Beads) -> list[bytes]:
    return [line for line in _ATTRIBUTES if line not in (fsio.read(beads.attributes) or b"").splitlines()]


def _set_driver(top: str) -> None:
    git.run(top, "config", "--local", "merge.beads.name", "bd: bead by bead, field by field")
    git.run(top, "config", "--local", DRIVER, driver_command())
