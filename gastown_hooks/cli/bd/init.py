"""`bd init`: a ledger beside the code of a plain git repository."""

from __future__ import annotations

import os

import click

from gastown_hooks.cli import common
from gastown_hooks.core import ids
from gastown_hooks.core.errors import Conflict, NotFound, Refused
from gastown_hooks.core.paths import BEADS, Beads, nearest_beads
from gastown_hooks.stores import config
from gastown_hooks.stores.gitdir import git_dir
from gastown_hooks.stores.ledger import CODE_BRANCH, Ledger


@click.command(short_help="Make a ledger in this git repository.")
@click.option("-p", "--prefix", metavar="P", help="What the ids begin with (default: made from the folder's name).")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing when all went well.")
@common.dry_run_option
@common.json_option
def cli(prefix: str | None, quiet: bool, dry_run: bool, as_json: bool) -> None:
    """Make .beads/ at the top of this git repository. The ledger is tracked in the code's own branch, so each branch has its list.

    An issues.jsonl that lies there already (from another program of this format) is taken over as it is.

    \b
    Examples:
      bd init
      bd init --prefix web
    """
    caller = config.caller()
    if caller.town is not None and f"{caller.cwd}/".startswith(f"{caller.town.root}/"):
        raise Refused("a town has its ledgers", why=f"this is in {caller.town.root}", next="gt rig add NAME URL, or bd where")
    top = _top(caller.cwd)
    beads = Beads(f"{top}/{BEADS}")
    there = nearest_beads(caller.cwd)
    if os.path.lexists(beads.redirect) or os.path.lexists(beads.config) or (there is not None and there.root != beads.root):
        raise Conflict("a ledger is there", why=(there or beads).root, next="bd where")
    wanted = ids.prefix(prefix) if prefix is not None else _prefix_of(beads) or _prefix_from(os.path.basename(top))
    if not dry_run:
        Ledger.create_files(beads, wanted, CODE_BRANCH)
    count = len(Ledger(beads).all()) if os.path.exists(beads.issues) else 0
    if as_json:
        common.emit_json({"path": beads.root, "prefix": wanted, "mode": CODE_BRANCH, "issues": count, "dry_run": dry_run})
    elif not quiet:
        common.say(f"{'Would make' if dry_run else '✓ Made'} a ledger in {beads.root}")
        common.say(f"  Issue prefix: {wanted}\n  Ids look like: {wanted}-a3f2k" + (f"\n  Issues found: {count}" if count else ""))
        common.say('\nNext: bd create "What is to be done"')


def _top(folder: str) -> str:
    while git_dir(folder) is None or os.path.basename(folder) == ".git":
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            raise NotFound("this is no git repository", why="a ledger is kept with the code", next="git init, then bd init")
    return folder


def _prefix_of(beads: Beads) -> str | None:
    """The prefix that most beads of an existing file have."""
    if not os.path.exists(beads.issues):
        return None
    heads = [bead_id.rpartition("-")[0] for bead_id in Ledger(beads).all()]
    return max(sorted(set(heads)), key=heads.count, default="") or None


def _prefix_from(name: str) -> str:
    """A folder's name as a prefix: lower case, other characters as hyphens, at most 16."""
    text = "".join(c if c in ids.LOWER or c in ids.DIGITS else "-" for c in name.lower())
    text = "-".join(part for part in text.split("-") if part).lstrip("0123456789-")[:16].rstrip("-")
    return text or "bd"
