"""gt mq: the merge queue, seen and told."""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, say, table, town_and_caller
from gastown_hooks.cli.gt import _words
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig, Town
from gastown_hooks.rules import requests
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import queue, wake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.work import flakes, foreign, hook, prove
    from gastown_hooks.work import submit as submitting
else:
    flakes, foreign = late("gastown_hooks.work.flakes"), late("gastown_hooks.work.foreign")
    hook, prove = late("gastown_hooks.work.hook"), late("gastown_hooks.work.prove")
    submitting = late("gastown_hooks.work.submit")

Record = dict[str, Any]


@click.group(cls=Group, short_help="The merge queue.")
def cli() -> None:
    """The merge queue: what waits to land on a rig's target branch, and what became of it.

    \b
    Examples:
      gt mq list
      gt mq list greenplace --all --json
      gt mq next greenplace
      gt mq status gp-mr-0a1b2c3d
      gt mq submit
      gt mq retry gp-mr-0a1b2c3d
      gt mq reject gp-mr-0a1b2c3d --reason "done otherwise"
      gt mq hold gp-mr-0a1b2c3d
      gt mq approve gp-mr-0a1b2c3d
      gt mq flakes greenplace
      gt mq prove greenplace
      gt mq accept 0123456789abcdef0123456789abcdef01234567 greenplace
    """


@cli.command("list", short_help="What is in the queue.")
@click.argument("rig", required=False)
@click.option("--all", "everything", is_flag=True, help="Also what landed, was rejected or superseded.")
@json_option
def list_(rig: str | None, everything: bool, as_json: bool) -> None:
    """What is in the queue of a rig (default: of all), next one first, then what was sent back."""
    town, caller = town_and_caller()
    _words.queues(town, caller, rig, everything, as_json)


@cli.command("next", short_help="The request that lands next.")
@click.argument("rig", required=False)
@json_option
def next_(rig: str | None, as_json: bool) -> None:
    """The request that the next round begins with."""
    town, caller = town_and_caller()
    _words.next_due(town, caller, rig, as_json)


@cli.command(short_help="Submit the branch you are on.")
@click.option("--bead", metavar="ID", help="The bead that the branch is the work of (default: the one on your hook).")
@click.option("--rig", metavar="RIG", help="The rig (default: the bead's).")
@dry_run_option
@json_option
def submit(bead: str | None, rig: str | None, dry_run: bool, as_json: bool) -> None:
    """Submit the branch you are on. The bead is yours from now on and closes when the work has landed.

    From a checkout outside of the town, name the town: GT_ROOT=~/gt gt mq submit --bead ID

    \b
    Examples:
      gt mq submit
      gt mq submit --bead gp-abc12
    """
    town, caller = town_and_caller()
    bead = bead or _hooked(caller)
    chosen = _words.rig_of(town, caller, rig) if rig is not None else _rig_of(town, bead)
    made = submitting.submit_branch(chosen, ids.bead(bead), caller=caller, now=clock.now(), dry_run=dry_run)
    if made is None:
        say(f"would submit the branch of {caller.cwd} as the work of {bead} to {chosen.name}")
    elif as_json:
        emit_json(_words.request(made))
    else:
        say(f"{made['id']}  queued for {made['metadata']['target']}, the work of {bead}. Next: gt mq status {made['id']}")


@cli.command(short_help="One request and what became of it.")
@click.argument("request", metavar="REQUEST|BEAD")
@json_option
def status(request: str, as_json: bool) -> None:
    """One request with all that is known of it."""
    town, _ = town_and_caller()
    rig = _rig_of(town, request)
    found = _request(rig, request)
    if as_json:
        emit_json(_words.request(found.record))
        return
    for key, value in _words.request(found.record).items():
        if value not in ("", None):
            say(f"{key:12} {value}" if key != "pull" else f"{key:12} {value.get('url')} ({value.get('state')})")
    if found.state in (requests.FAILED, requests.CONFLICT):
        say(f"Next: gt sling {found.source} {rig.name} (a new try), or gt mq retry {found.id} (the same commits again)")


@cli.command(short_help="Queue a request again.")
@click.argument("request", metavar="REQUEST|BEAD")
@dry_run_option
@json_option
def retry(request: str, dry_run: bool, as_json: bool) -> None:
    """Queue a failed, conflicting or waiting request again, while its bead was not given to somebody else."""
    town, caller = town_and_caller()
    rig = _rig_of(town, request)
    made = queue.retry(rig, _request(rig, request).id, caller=caller, now=clock.now(), dry_run=dry_run)
    if not dry_run:
        wake.wake(town, "refinery", rig.name)
    _told(made, as_json, "would be queued again" if dry_run else "queued again")


@cli.command(short_help="Close a request without landing it.")
@click.argument("request", metavar="REQUEST|BEAD")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it becomes a note of the bead.")
@dry_run_option
@json_option
def reject(request: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Close a request without landing it. Its bead is open again; its commits are kept."""
    town, caller = town_and_caller()
    rig = _rig_of(town, request)
    made = queue.reject(rig, _request(rig, request).id, reason=reason, caller=caller, now=clock.now(), dry_run=dry_run)
    if requests.parse(made).untold:
        wake.wake(town, "refinery", rig.name)  # its pull request is told
    _told(made, as_json, "would be rejected" if dry_run else "rejected")


@cli.command(short_help="Let a request land.")
@click.argument("request", metavar="REQUEST|BEAD")
@dry_run_option
@json_option
def approve(request: str, dry_run: bool, as_json: bool) -> None:
    """Let a request land once it is green: after a hold, or where the rig's review is "human", or "pr" (in place of the reviewers)."""
    _review(request, requests.APPROVED, dry_run, as_json)


@cli.command(short_help="Keep a request from landing.")
@click.argument("request", metavar="REQUEST|BEAD")
@dry_run_option
@json_option
def hold(request: str, dry_run: bool, as_json: bool) -> None:
    """Keep a request from landing until somebody approves it. It stays in the queue."""
    _review(request, requests.HELD, dry_run, as_json)


def _review(request: str, word: str, dry_run: bool, as_json: bool) -> None:
    town, caller = town_and_caller()
    rig = _rig_of(town, request)
    made = queue.review(rig, _request(rig, request).id, word, caller=caller, now=clock.now(), dry_run=dry_run)
    if not dry_run and word == requests.APPROVED:
        wake.wake(town, "refinery", rig.name)
    _told(made, as_json, f"would be {word}" if dry_run else word)


@cli.command("flakes", short_help="Tests that failed and passed on one tree.")
@click.argument("rig", required=False)
@json_option
def flakes_(rig: str | None, as_json: bool) -> None:
    """The tests that failed and then passed on the very same tree, most often first."""
    town, caller = town_and_caller()
    found = flakes.listing(_words.rig_of(town, caller, rig))
    if as_json:
        emit_json(found)
    elif not found:
        say("no gate run failed and then passed on the same tree")
    else:
        table([(one["test"], str(one["count"]), one["last"], str(len(one["trees"]))) for one in found], ("TEST", "COUNT", "LAST", "TREES"))


@cli.command("prove", short_help="Check that every landing was green.")
@click.argument("rig", required=False)
@click.option("--range", "span", metavar="A..B", help="Commits of the target (default: all since the rig was added).")
@json_option
def prove_(rig: str | None, span: str | None, as_json: bool) -> None:
    """Check again that every landing has a green gate record for exactly its tree. Asks git alone, no remote; exit code 1 if not.

    Commits that came past the queue are listed apart, and so are those within a linear landing, of which only the last is a tested tree.
    """
    town, caller = town_and_caller()
    found = prove.check(_words.rig_of(town, caller, rig), span)
    if as_json:
        emit_json(found.as_json())
    else:
        for commit, why in found.unproven:
            say(f"UNPROVEN {commit}: {why}")
        for commit, why in found.foreign:
            say(f"foreign  {commit}: {why}")
        say(f"{found.span}: {len(found.proven)} landings proven, {len(found.unproven)} not, {len(found.foreign)} foreign commits")
        if found.within:
            say(f"{len(found.within)} commits lie within a linear landing: only the last commit of each batch is a tested tree")
    if found.unproven:
        click.get_current_context().exit(1)


@cli.command(short_help="Go on from a rewritten history.")
@click.argument("commit")
@click.argument("rig", required=False)
@dry_run_option
def accept(commit: str, rig: str | None, dry_run: bool) -> None:
    """Go on from the remote's tip after its history was rewritten on purpose, once it passed the gates."""
    town, caller = town_and_caller()
    chosen = _words.rig_of(town, caller, rig)
    if caller.role == "polecat":
        raise BadInput(f"{caller.actor} may not decide that", why="a rewritten history is a person's decision",
                       next="gt done --status ESCALATED --reason TEXT")
    if dry_run:
        say(f"would test {ids.shown(commit)} by {chosen.name}'s gates and go on from it")
        return
    foreign.accept(chosen, commit, caller=caller, now=clock.now())
    wake.wake(town, "refinery", chosen.name)
    say(f"{chosen.name} goes on from {commit}")


def _hooked(caller: Caller) -> str:
    """The one bead on the caller's hook."""
    found = [str(bead["id"]) for bead in hook.hooked(caller)]
    if len(found) != 1:
        raise BadInput("say which bead this branch is the work of", next="gt mq submit --bead ID",
                       why=f"on the hook of {caller.actor}: {', '.join(found) or 'nothing'}")
    return found[0]


def _told(made: Record, as_json: bool, words: str) -> None:
    if as_json:
        emit_json(_words.request(made))
    else:
        say(f"{made['id']}  {words}")


def _request(rig: Rig, text: str) -> requests.Request:
    """The request of this id, or the last one of this bead. Raises NotFound."""
    mine = requests.usable(queue.of_bead(rig, text))
    return max(mine, key=lambda found: found.created_at) if mine else queue.find(rig, text)


def _rig_of(town: Town, bead_id: str) -> Rig:
    rig = Routes(town).rig_of(ids.bead(bead_id))
    if rig is None:
        raise BadInput(f"{ids.shown(bead_id)} is the town's own", why="only rigs have a merge queue", next="gt mq list")
    return rig

