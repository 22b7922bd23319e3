"""`bd hooks`"""

from __future__ import annotations

import os

import click

from gastown_hooks.cli import common, ledger_hooks
from gastown_hooks.cli.loader import Group
from gastown_hooks.core.errors import NotFound, Refused
from gastown_hooks.stores import callers, git
from gastown_hooks.work import acts, ledger_git_hooks


@click.group(cls=Group, short_help="git hooks that keep the ledger with the code.")
def cli() -> None:
    """git hooks for a ledger that is tracked beside the code. A hook you have goes on working; none of these ever stops git.

    \b
    pre-commit          the ledger goes into the commit as it is
    prepare-commit-msg  an agent's commits are signed: Executed-By, Role
    pre-push            a remark when the ledger has changes in no commit
    post-merge          a remark when damaged lines came along
    post-checkout       the same

    \b
    Examples:
      bd hooks install
      bd hooks list
      bd hooks uninstall
      bd hooks run pre-commit
    """


@cli.command("install")
@common.dry_run_option
@common.json_option
def install(dry_run: bool, as_json: bool) -> None:
    """Put the hooks in, each before the one that is there."""
    _carry_out(ledger_git_hooks.install(_top()), "The hooks are in", dry_run, as_json)


@cli.command("uninstall")
@common.dry_run_option
@common.json_option
def uninstall(dry_run: bool, as_json: bool) -> None:
    """Take the hooks out, and put back those that were there."""
    _carry_out(ledger_git_hooks.uninstall(_top()), "The hooks are out", dry_run, as_json)


@cli.command("list")
@common.json_option
def show(as_json: bool) -> None:
    """Show which hooks are in."""
    top = _top()
    found = ledger_git_hooks.status(top)
    if as_json:
        common.emit_json({"folder": ledger_git_hooks.folder(top), "hooks": found})
    else:
        common.table([*found.items()], ("HOOK", "STATE"))


@cli.command("run")
@click.argument("name", type=click.Choice(ledger_git_hooks.NAMES))
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run(name: str, args: tuple[str, ...]) -> None:
    """Do what the hook NAME does: for a hook manager of your own."""
    os.chdir(_top())
    ledger_hooks.main([name, *args])


def _carry_out(plan: list[acts.Act], words: str, dry_run: bool, as_json: bool) -> None:
    done = acts.carry_out(plan, dry_run=dry_run)
    if as_json:
        common.emit_json({"acts": done, "dry_run": dry_run})
        return
    for text in done:
        common.say(f"{'Would ' if dry_run else '  '}{text}")
    if not dry_run:
        common.say(f"✓ {words}")


def _top() -> str:
    caller = callers.caller()
    if caller.town is not None and f"{caller.cwd}/".startswith(f"{caller.town.root}/"):
        raise Refused("a town has hooks of its own", why=f"this is in {caller.town.root}")
    top = git.top(caller.cwd)
    if top is None:
        raise NotFound("this is no git work tree", next="git init, then bd init")
    return top
