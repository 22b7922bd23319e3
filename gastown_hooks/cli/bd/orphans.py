"""`bd orphans`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.rules import ready
from gastown_hooks.stores import git
from gastown_hooks.work import beads, history


@click.command(short_help="Show open beads that commits name: done, and never closed?")
@click.option("--details", is_flag=True, help="Show the commit too.")
@click.option("--fix", is_flag=True, help="Close them.")
@click.option("--prefix", metavar="P", help="Only the rig with this prefix.")
@common.dry_run_option
@common.json_option
def cli(details: bool, fix: bool, prefix: str | None, dry_run: bool, as_json: bool) -> None:
    """Show beads that are open or in progress although a commit of this repository names them.

    \b
    Examples:
      bd orphans --details
      bd orphans --fix
    """
    if dry_run and not fix:
        raise BadInput("--dry-run without --fix", why="bd orphans alone changes nothing")
    now, where = clock.now(), _shared.world()
    top = git.top(where.caller.cwd)
    if top is None:
        raise NotFound(f"{where.caller.cwd} is in no git repository", next="cd into the project")
    known = {bead_id: record for bead_id, record in _shared.everything(where.shown(prefix)).items()
             if ready.status(record) in ("open", "in_progress") and ready.kind(record) not in ready.NOT_WORK}
    found = history.named_in_log(top, known)
    if fix and found:
        _shared.change(where, sorted(found), lambda ledger, names, dry: beads.close(
            ledger, where.caller, now, names, "Named by a commit", dry_run=dry), dry_run)
    if as_json:
        common.emit_json([{"issue_id": name, "title": known[name].get("title", ""), "status": ready.status(known[name]),
                           "latest_commit": found[name][0], "latest_commit_message": found[name][1]} for name in sorted(found)])
        return
    for name in sorted(found):
        done = "" if not fix else " - would be closed" if dry_run else " - closed"
        common.say(f"{_words.brief(known[name])}{done}")
        if details:
            common.say(f"    {found[name][0][:10]} {common.cleaned(found[name][1])}")
    if not found:
        common.say("✓ No orphans")
