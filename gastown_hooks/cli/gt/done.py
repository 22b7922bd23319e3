"""`gt done`: a worker's last word."""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadInput
from gastown_hooks.work import done


@click.command(short_help="End a worker's task: submit its commits to the merge queue.")
@click.argument("bead", required=False)
@click.option("--status", default=done.COMPLETED, metavar="COMPLETED|ESCALATED|DEFERRED",
              type=click.Choice([done.COMPLETED, done.ESCALATED, done.DEFERRED], case_sensitive=False),
              help="COMPLETED submits; ESCALATED and DEFERRED give the bead back with a reason.")
@click.option("--no-code", is_flag=True, help="The task needs no commit: close the bead with this proof (needs --reason).")
@click.option("--reason", default="", help="Why; for every end that is not a plain submission.")
@common.dry_run_option
@common.json_option
def cli(bead: str | None, status: str, no_code: bool, reason: str, dry_run: bool, as_json: bool) -> None:
    """Submit the calling worker's branch to the merge queue and end its task.

    Refuses a tree with uncommitted changes and a branch that changes nothing. The bead closes when its commits are in
    the target branch, not before. A person may close an unclaimed BEAD that needs no code: gt done BEAD --no-code --reason TEXT.

    \b
    Examples:
      gt done
      gt done --no-code --reason "was fixed by gp-xyz12"
      gt done --status ESCALATED --reason "two designs fit; which one?"
    """
    _, caller = common.town_and_caller()
    if bead is not None and caller.role != "polecat":
        if not no_code:
            raise BadInput("a bead is closed from outside only with --no-code", why="code lands through the merge queue",
                           next=f"gt done {ids.bead(bead)} --no-code --reason TEXT")
        if dry_run:
            common.say(f"would close {ids.bead(bead)} without code: {reason}")
            return
        closed = done.close_without_code(caller, clock.now(), ids.bead(bead), reason)
        common.emit_json(closed) if as_json else common.say(f"✓ Closed {closed['id']}: {reason}")
        return
    if bead is not None and bead != caller.bead:
        raise BadInput(f"{ids.shown(bead)} is not your bead", why=f"yours is {caller.bead}", next="gt done")
    if dry_run:
        common.say(f"would end {caller.bead} as {status.upper()}" + (" without code" if no_code else ""))
        return
    request = done.done(caller, clock.now(), status=status.upper(), no_code=no_code, reason=reason)
    if as_json:
        common.emit_json({"bead": caller.bead, "status": status.upper(), "request": request})
    elif request is not None:
        common.say(f"✓ {caller.bead} is submitted as {request['id']}; the refinery lands it: gt mq status {request['id']}")
    else:
        common.say(f"✓ {caller.bead} ended: {status.upper()}" + (" without code" if no_code else ""))
