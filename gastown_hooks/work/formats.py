"""Whether the ledger here, and what was installed for it, are of this version of the program."""

from __future__ import annotations

import os

from gastown_hooks.core import fsio, jsons
from gastown_hooks.core.errors import GastownError, NotATown
from gastown_hooks.stores import git
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.work import ledger_git_hooks, ledger_git_setup
from gastown_hooks.work.world import home_beads

JOURNAL = 1  # the version that a journal's first line names


def here(caller: Caller) -> dict[str, str] | None:
    """{path, mode, format, merge_driver, hooks} of the caller's ledger ("" where it has none of its own); None where there is no ledger."""
    try:
        ledger = Ledger(home_beads(caller)[0])
        ledger.view(lambda view: None)
    except NotATown:
        return None
    found = {"path": ledger.beads.root, "mode": CODE_BRANCH if ledger.write_through else OWN_BRANCH, "format": _format(ledger),
             "merge_driver": "", "hooks": ""}
    top = os.path.dirname(ledger.beads.root)
    if not ledger.write_through or ledger_git_setup.is_stealth(top) or git.top(top) != os.path.realpath(top):
        return found  # no branch of the code has it: git merges nothing of it
    driver = git.run(top, "config", "--get", ledger_git_setup.DRIVER, check=False).line
    found["merge_driver"] = "this program's" if driver == ledger_git_setup.driver_command() else (
        f"{'another' if driver else 'none'}; next: bd init")
    try:
        states = ledger_git_hooks.status(top)
    except GastownError as error:
        return {**found, "hooks": str(error)}
    behind = sorted(name for name, state in states.items() if state != "installed")
    if len(behind) < len(states):
        yes = len(states) - len(behind)
        found["hooks"] = f"{yes} of {len(states)} are this program's; next: bd hooks install" if behind else "this program's"
    return {**found, "hooks": found["hooks"] or "none; bd hooks install puts them in"}


def _format(ledger: Ledger) -> str:
    """What the files say of their format."""
    file = os.path.basename(ledger.beads.issues)
    first = (fsio.read(ledger.beads.journal) or b"").partition(b"\n")[0]
    if ledger.write_through or not first:
        return file
    try:
        version = jsons.loads(first.decode()).get("_journal")
    except (ValueError, AttributeError):
        version = None
    return f"{file}, journal {version}" if version == JOURNAL else f"{file}, a journal that this version does not know ({version})"
