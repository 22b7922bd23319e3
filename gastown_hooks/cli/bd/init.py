"""`bd init`: a ledger in a plain git repository, or what a clone of one needs."""

from __future__ import annotations

import os

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _original
from gastown_hooks.core import ids
from gastown_hooks.core.errors import BadInput, Conflict, NotFound, Refused
from gastown_hooks.core.paths import BEADS, Beads, follow_redirect, nearest_beads
from gastown_hooks.stores import callers
from gastown_hooks.stores.gitdir import git_dir
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.work import acts, ledger_git, ledger_git_setup


@click.command(short_help="Make a ledger in this git repository, or set a clone up for it.")
@click.option("-p", "--prefix", metavar="P", help="What the ids begin with (default: made from the folder's name).")
@click.option("--own-branch", is_flag=True, help="Keep it out of the code's branches; `bd sync` keeps it on the branch `beads`.")
@click.option("--stealth", "--setup-exclude", is_flag=True, help="Keep it out of git altogether: nobody else sees it.")
@click.option("--from-jsonl", is_flag=True, help="Refuse it unless there is an issues.jsonl to be taken over.")
@click.option("--skip-merge-driver", is_flag=True, help="Do not tell this git, and its attributes, to merge the ledger with bd.")
@click.option("--force", "--reinit-local", is_flag=True, hidden=True, help="Never makes a ledger anew over one that is there.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing when all went well.")
@_original.so_anyway("--skip-hooks", "--skip-agents", "--non-interactive")
@_original.refused("--branch", "the ledger's own branch is always called beads, so that every clone finds it", "bd init --own-branch",
                   takes_value=True)
@_original.refused("--team", "there is no wizard", "bd init --own-branch, then bd sync --push")
@_original.refused("--contributor", "no other repository is written to from here", "bd init --stealth")
@common.dry_run_option
@common.json_option
def cli(prefix: str | None, own_branch: bool, stealth: bool, from_jsonl: bool, skip_merge_driver: bool, force: bool, quiet: bool,
        dry_run: bool, as_json: bool) -> None:
    """Make .beads/ at the top of this git repository. The ledger is tracked in the code's own branch, so each branch has its list,
    and git is told to merge it with `bd merge`; or see --own-branch and --stealth.

    In a clone whose repository has a ledger, do what that clone still needs; so it does no harm to repeat it. A linked worktree is led to
    the main one's ledger, where the branches do not track it. An issues.jsonl that lies there already (from another program of this
    format) is taken over as it is.

    \b
    Examples:
      bd init
      bd init --prefix web
      bd init --own-branch
      bd init --from-jsonl
    """
    caller = callers.caller()
    if own_branch and stealth:
        raise BadInput("--own-branch and --stealth contradict each other")
    if caller.town is not None and f"{caller.cwd}/".startswith(f"{caller.town.root}/"):
        raise Refused("a town has its ledgers", why=f"this is in {caller.town.root}", next="gt rig add NAME URL, or bd where")
    top = _top(caller.cwd)
    beads = Beads(f"{top}/{BEADS}")
    there = nearest_beads(caller.cwd)
    if force and (there is not None or os.path.lexists(beads.issues)):
        raise Refused("a ledger is never made anew over one that is there", why=(there or beads).root,
                      next="bd init without --force; for another prefix bd rename-prefix NEW")
    if not os.path.lexists(beads.issues) and (main := ledger_git_setup.shared(top)) is not None:
        done = acts.carry_out(ledger_git_setup.redirect(beads, main), dry_run=dry_run)
        _say_known(follow_redirect(Beads(main)), done, quiet, dry_run, as_json)
        return
    if os.path.lexists(beads.redirect) or (there is not None and there.root != beads.root):
        raise Conflict("a ledger is there", why=(there or beads).root, next="bd where")
    if from_jsonl and not os.path.lexists(beads.issues):
        raise NotFound(f"no {beads.issues}", why="--from-jsonl takes over what lies there", next="bd init, then bd import FILE")
    remote = None if stealth or os.path.lexists(beads.issues) else ledger_git.fetched_prefix(top)
    mode = OWN_BRANCH if own_branch or remote else CODE_BRANCH
    known = os.path.lexists(beads.config)
    if known:
        mode = _agrees(beads, prefix, OWN_BRANCH if own_branch else None)
    wanted = Ledger(beads).prefix if known else ids.prefix(prefix) if prefix is not None else (
        remote or _prefix_of(beads) or _prefix_from(os.path.basename(top)))
    stealth = stealth or (known and ledger_git_setup.is_stealth(top))
    done = acts.carry_out(ledger_git_setup.plan(top, beads, wanted, mode, stealth=stealth, driver=not skip_merge_driver),
                          dry_run=dry_run)
    if remote and not dry_run:
        ledger_git.adopt(Ledger(beads), top)
    if known:
        _say_known(beads, done, quiet, dry_run, as_json)
        return
    count = len(Ledger(beads).all()) if os.path.exists(beads.issues) else 0
    if as_json:
        common.emit_json({"path": beads.root, "prefix": wanted, "mode": mode, "issues": count, "acts": done, "dry_run": dry_run})
    elif not quiet:
        common.say(f"{'Would make' if dry_run else '✓ Made'} a ledger in {beads.root}")
        common.say(f"  Issue prefix: {wanted}\n  Ids look like: {wanted}-a3f2k" + (f"\n  Issues found: {count}" if count else ""))
        common.say('\nNext: bd create "What is to be done"')


def _say_known(beads: Beads, done: list[str], quiet: bool, dry_run: bool, as_json: bool) -> None:
    ledger = Ledger(beads)
    if as_json:
        mode = CODE_BRANCH if ledger.write_through else OWN_BRANCH
        common.emit_json({"path": beads.root, "prefix": ledger.prefix, "mode": mode, "issues": len(ledger.all()), "acts": done,
                          "dry_run": dry_run})
    elif not quiet:
        common.say(f"✓ The ledger in {beads.root} is set up" + "".join(f"\n  {'would ' * dry_run}{text}" for text in done))


def _agrees(beads: Beads, prefix: str | None, mode: str | None) -> str:
    """The mode of the ledger that is there. Raises Conflict when something else was asked for."""
    there = Ledger(beads)
    is_mode = CODE_BRANCH if there.write_through else OWN_BRANCH
    if prefix not in (None, there.prefix) or mode not in (None, is_mode):
        raise Conflict("a ledger is there", why=f"{beads.root}, prefix {there.prefix}, {is_mode}", next="bd where")
    return is_mode


def _top(folder: str) -> str:
    while (found := git_dir(folder)) is None or os.path.basename(folder) == ".git":
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            raise NotFound("this is no git repository", why="a ledger is kept with the code", next="git init, then bd init")
    if found == folder:
        raise Refused("a repository without a work tree has no place for a ledger", why=folder, next="git clone it, then bd init there")
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
