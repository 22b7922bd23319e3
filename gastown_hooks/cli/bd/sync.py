"""`bd sync`"""

from __future__ import annotations

import sys

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.ids import shown
from gastown_hooks.work import ledger_git

_SHOWN = 10


@click.command(short_help="Fetch, merge, commit and push the ledger.")
@click.option("--push", "agree", is_flag=True, help="Agree, once for this clone, that the ledger is pushed to the remote.")
@click.option("--no-push", is_flag=True, help="Fetch, merge and commit only.")
@click.option("-m", "--message", default="", metavar="TEXT", help="The commit's message.")
@common.dry_run_option
@common.json_option
def cli(agree: bool, no_push: bool, message: str, dry_run: bool, as_json: bool) -> None:
    """Bring this ledger and its remote together, whoever wrote where. Nothing but the ledger is touched: no other file, no other entry
    of the index, no checkout, no reset. It is pushed only after you agreed once: --push, or the question on a terminal.

    A ledger beside the code is committed on the current branch; one of `bd init --own-branch`, or of a rig, on the branch `beads`.

    \b
    Examples:
      bd sync --push
      bd sync
      bd sync --no-push -m "Plans for May"
    """
    if agree and no_push:
        raise BadInput("--push and --no-push contradict each other")
    found = _shared.world()
    where = ledger_git.place(found.home(), found.caller)
    if dry_run:
        done = ledger_git.preview(where)
    else:
        done = ledger_git.sync(where, found.caller, clock.now(), agree=agree or _asked(where, no_push, as_json), push=not no_push,
                               message=message)
    if as_json:
        common.emit_json({"branch": where.branch, "remote": done.remote, "received": sorted(set(done.received)), "sent": done.sent,
                          "commit": done.commit, "pushed": done.pushed, "notes": done.notes, "dry_run": dry_run})
        return
    received = sorted(set(done.received))
    names = f" ({', '.join(received[:_SHOWN])}{', …' * (len(received) > _SHOWN)})" if received else ""
    how = "sent" if done.pushed or (dry_run and done.agreed and not no_push) else "committed"
    common.say(f"{'Would sync' if dry_run else '✓ Synced'} with branch {where.branch}: {len(received)} beads received{names}, "
               f"{done.sent} {how}")
    for note in done.notes:
        common.remark(f"bd: {note}")
    if done.remote is None:
        common.say(f"  Committed here: there is no remote {ledger_git.REMOTE}")
    elif not done.agreed:
        common.say(f"  Not pushed to {shown(done.remote, 200)}: nobody agreed yet. Next: bd sync --push")


def _asked(where: ledger_git.Place, no_push: bool, as_json: bool) -> bool:
    """On a terminal the person is asked, until the answer is yes."""
    if no_push or as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    known = ledger_git.preview(where)
    return known.remote is not None and not known.agreed and click.confirm(
        f"May bd push this ledger to {shown(known.remote, 200)}, now and whenever you sync?", default=False)
