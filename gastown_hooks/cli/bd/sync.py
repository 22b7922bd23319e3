"""`bd sync`"""

from __future__ import annotations

import sys

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _original, _shared
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.ids import shown
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import ledger_git, sync_pace

_SHOWN = 10


@click.command(short_help="Fetch, merge, commit and push the ledger.")
@click.option("--push", "agree", is_flag=True, help="Agree, once for this clone, that the ledger is pushed to the remote.")
@click.option("--full", is_flag=True, help="All of it now: also the push that push_seconds would put off.")
@click.option("--no-push", is_flag=True, help="Fetch, merge and commit only.")
@click.option("--no-pull", is_flag=True, help="Commit and push only: the remote must be as it was fetched last.")
@click.option("--import-only", is_flag=True, help="Fetch and merge only: no commit, no push.")
@click.option("--flush-only", "--export-only", is_flag=True, help="Only bring issues.jsonl up to date: for whoever reads the file itself.")
@click.option("--status", is_flag=True, help="Show how this clone stands to what was fetched last; change nothing, ask no network.")
@click.option("-m", "--message", default="", metavar="TEXT", help="The commit's message.")
@_original.so_anyway("--no-git-history")
@_original.refused("--from-main", "the ledger of every branch is merged with the remote's", "bd sync")
@common.dry_run_option
@common.json_option
def cli(agree: bool, full: bool, no_push: bool, no_pull: bool, import_only: bool, flush_only: bool, status: bool, message: str,
        dry_run: bool, as_json: bool) -> None:
    """Bring this ledger and its remote together, whoever wrote where. Nothing but the ledger is touched: no other file, no other entry
    of the index, no checkout, no reset. It is pushed only after you agreed once: --push, or the question on a terminal; and where
    `bd config set push_seconds N` says so, at most once in so many seconds.

    A ledger beside the code is committed on the current branch; one of `bd init --own-branch`, or of a rig, on the branch `beads`.

    \b
    Examples:
      bd sync --push
      bd sync
      bd sync --no-push -m "Plans for May"
      bd sync --full
      bd sync --status
    """
    if agree and no_push:
        raise BadInput("--push and --no-push contradict each other")
    if full and (no_push or no_pull):
        raise BadInput(f"--full and {'--no-push' if no_push else '--no-pull'} contradict each other")
    parts = {"--import-only": import_only, "--flush-only": flush_only, "--status": status}
    given = [name for name, one in parts.items() if one]
    whole = {"--push": agree, "--full": full, "--no-push": no_push, "--no-pull": no_pull, "-m": message,
             "--dry-run": dry_run and not import_only}
    if len(given) > 1 or (given and any(whole.values())):
        raise BadInput(f"{given[0]} goes alone", why=f"not with {(given[1:] + [name for name, one in whole.items() if one])[0]}")
    found = _shared.world()
    if flush_only:
        _flush(found.home(), as_json)
        return
    where = ledger_git.place(found.home(), found.caller)
    if status:
        _say_status(where, as_json)
    elif import_only:
        _say(where, ledger_git.preview(where) if dry_run else ledger_git.take_in(where), dry_run, as_json, taken=True)
    elif dry_run:
        _say(where, ledger_git.preview(where), dry_run, as_json, no_push=no_push)
    else:
        done = ledger_git.sync(where, found.caller, clock.now(), agree=agree or _asked(where, no_push, as_json), push=not no_push,
                               pull=not no_pull, full=full, message=message)
        _say(where, done, dry_run, as_json)


def _say(where: ledger_git.Place, done: ledger_git.Synced, dry_run: bool, as_json: bool, *, no_push: bool = False,
         taken: bool = False) -> None:
    received = sorted(set(done.received))
    if as_json:
        common.emit_json({"branch": where.branch, "remote": done.remote, "received": received, "sent": done.sent, "commit": done.commit,
                          "pushed": done.pushed, "notes": [*done.notes, *filter(None, [done.held_back])], "dry_run": dry_run})
        return
    names = f" ({', '.join(received[:_SHOWN])}{', …' * (len(received) > _SHOWN)})" if received else ""
    how = "sent" if done.pushed or (dry_run and done.agreed and not no_push) else "committed"
    common.say(f"{'Would sync' if dry_run else '✓ Synced'} with branch {where.branch}: {len(received)} beads received{names}"
               + ("" if taken else f", {done.sent} {how}"))
    for note in done.notes:
        common.remark(f"bd: {note}")
    if done.remote is None:
        common.say(f"  {'Nothing to fetch' if taken else 'Committed here'}: there is no remote {ledger_git.REMOTE}")
    elif done.held_back:
        common.say(f"  Not pushed to {shown(done.remote, 200)} yet: {done.held_back}")
    elif not done.agreed and not taken:
        common.say(f"  Not pushed to {shown(done.remote, 200)}: nobody agreed yet. Next: bd sync --push")


def _flush(ledger: Ledger, as_json: bool) -> None:
    done = ledger.fold()
    if as_json:
        common.emit_json({"path": ledger.beads.issues, "written": done})
    else:
        common.say(f"✓ {ledger.beads.issues} {'is written' if done else 'was up to date'}")


def _say_status(where: ledger_git.Place, as_json: bool) -> None:
    known, last = ledger_git.preview(where), sync_pace.last_push(where.ledger.beads)
    if as_json:
        common.emit_json({"branch": where.branch, "remote": known.remote, "agreed": known.agreed, "to_receive": sorted(set(known.received)),
                          "to_send": known.sent, "last_push": last})
        return
    common.say(f"Branch {where.branch}" + (f", remote {shown(known.remote, 200)}" if known.remote else ", no remote"))
    common.say(f"  To receive, as fetched last: {len(set(known.received))}\n  To send: {known.sent}")
    agreed = f"agreed; last push {last or 'never'}"
    if known.remote:
        common.say(f"  Pushing: {agreed if known.agreed else 'nobody agreed yet'}")


def _asked(where: ledger_git.Place, no_push: bool, as_json: bool) -> bool:
    """On a terminal the person is asked, until the answer is yes."""
    if no_push or as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    known = ledger_git.preview(where)
    return known.remote is not None and not known.agreed and click.confirm(
        f"May bd push this ledger to {shown(known.remote, 200)}, now and whenever you sync?", default=False)
