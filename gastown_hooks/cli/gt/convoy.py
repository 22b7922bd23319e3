"""`gt convoy`: batches of work over all rigs."""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.common import cleaned, dry_run_option, json_option, say, town_and_caller
from gastown_hooks.cli.gt import _words
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.late import late
from gastown_hooks.rules import convoys as rules
from gastown_hooks.work import addresses, convoy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.cli.gt import sling
    from gastown_hooks.work import launch
else:
    sling, launch = late("gastown_hooks.cli.gt.sling"), late("gastown_hooks.work.launch")


@click.group(cls=Group, short_help="Follow batches of work over all rigs.")
def cli() -> None:
    """A convoy follows beads of any rig. It lands when the last of them is closed, and closed means landed; then it tells its subscribers.

    `gt sling` makes one for beads that have none.

    \b
    Examples:
      gt convoy create "Sign-in" gp-abc12 bl-def34 --notify --human
      gt convoy create "Sign-in" --epic hq-abc12
      gt convoy launch hq-cv-abc12
      gt convoy list --tree
      gt convoy status hq-cv-abc12
      gt convoy show hq-cv-abc12 --json
      gt convoy add hq-cv-abc12 gp-ghi56
      gt convoy close hq-cv-abc12 --force --reason "not wanted any more"
      gt convoy refresh
    """


@cli.command(short_help="Make a convoy.")
@click.argument("title")
@click.argument("beads", nargs=-1)
@click.option("--epic", metavar="ID", help="Track the work below this epic, in whatever rigs it is; its later children too.")
@click.option("--notify", multiple=True, is_flag=False, flag_value="mayor/", metavar="[ADDRESS]",
              help="Tell them when it has landed: mayor/, RIG/NAME … (without an address: the mayor).")
@click.option("--human", is_flag=True, help="Tell the person whose town this is.")
@click.option("--silent", is_flag=True, help="Print only the id.")
@dry_run_option
@json_option
def create(title: str, beads: tuple[str, ...], epic: str | None, notify: tuple[str, ...], human: bool, silent: bool,
           dry_run: bool, as_json: bool) -> None:
    """Make a convoy of beads of any rigs. It only follows them: gt sling gives them to workers, gt convoy launch does so for all."""
    if silent and as_json:
        raise BadInput("--silent and --json contradict each other")
    town, caller = town_and_caller()
    told = [*notify, *([addresses.HUMAN] if human else [])]
    made = convoy.create(town, title, [ids.bead(bead) for bead in beads], notify=told, epic=epic, caller=caller, now=clock.now(),
                         dry_run=dry_run)
    if as_json:
        common.emit_json(made)
        return
    if silent:
        say(made["id"])
        return
    count = len(rules.tracked(made))
    say(f"{'would make' if dry_run else '🚚'} {made['id']}: {cleaned(made['title'])} ({_beads(count)})")
    if not dry_run:
        say(f"Next: gt convoy launch {made['id']}" if count else f"Next: gt convoy add {made['id']} BEAD…")


@cli.command("list", short_help="Show the convoys.")
@click.option("--all", "every", is_flag=True, help="Also those that have landed.")
@click.option("--status", type=click.Choice(["open", "closed"]), help="Only these.")
@click.option("--tree", is_flag=True, help="Each with its beads.")
@json_option
def list_(every: bool, status: str | None, tree: bool, as_json: bool) -> None:
    """Show the open convoys with their progress."""
    if every and status:
        raise BadInput("--all and --status contradict each other")
    town, caller = town_and_caller()
    _words.batches(town, caller, every, status, tree, as_json)


@cli.command(short_help="One convoy, or all open ones, bead by bead.")
@click.argument("convoy_id", metavar="[CONVOY]", required=False)
@json_option
def status(convoy_id: str | None, as_json: bool) -> None:
    """Every bead of a convoy: its state, who has it, its merge request, what it waits for. Without CONVOY: of each open one."""
    town, caller = town_and_caller()
    _words.batch(town, caller, convoy_id, as_json)


cli.add_command(status, "show")


@cli.command(short_help="Track more beads.")
@click.argument("convoy_id", metavar="CONVOY")
@click.argument("beads", nargs=-1, required=True)
@dry_run_option
@json_option
def add(convoy_id: str, beads: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Track more beads. A convoy that has landed is open again."""
    town, caller = town_and_caller()
    made = convoy.add(town, convoy_id, [ids.bead(bead) for bead in beads], caller, clock.now(), dry_run)
    _told(made, as_json, f"{'would track' if dry_run else 'tracks'} {_beads(len(rules.tracked(made)))}")


@cli.command("launch", short_help="Start a convoy's or an epic's beads, each as it becomes ready.")
@click.argument("convoy_id", metavar="CONVOY|EPIC")
@click.option("--agent", help="Agent program for these workers (default: each rig's, else the town's).")
@dry_run_option
@json_option
def launch_(convoy_id: str, agent: str | None, dry_run: bool, as_json: bool) -> None:
    """Give each bead that is ready to a worker of its own rig; in a running town the others follow as they become ready.

    `gt sling CONVOY|EPIC` is the same. A bead that comes back is not started again: look at it, mend it, then gt sling it.
    """
    sling.start_batch(convoy_id, agent, asked=False, dry_run=dry_run, as_json=as_json)


@cli.command("close", short_help="Close a convoy before it has landed.")
@click.argument("convoy_id", metavar="CONVOY")
@click.option("-r", "--reason", default="Closed", metavar="TEXT")
@click.option("-f", "--force", is_flag=True, help="Although some of its beads are open.")
@dry_run_option
@json_option
def close_(convoy_id: str, reason: str, force: bool, dry_run: bool, as_json: bool) -> None:
    """Close a convoy. Its beads stay as they are; none of them is started for it any more."""
    town, caller = town_and_caller()
    made = convoy.close(town, convoy_id, reason, force=force, caller=caller, now=clock.now(), dry_run=dry_run)
    _told(made, as_json, "would be closed" if dry_run else "closed")


@cli.command(short_help="Look at all convoys now.")
@dry_run_option
@json_option
def refresh(dry_run: bool, as_json: bool) -> None:
    """What the deacon does by itself: close the convoys whose beads are all closed, tell their subscribers, start what became ready."""
    town, caller = town_and_caller()
    found = launch.patrol(town, caller, clock.now(), dry_run=dry_run)
    if as_json:
        common.emit_json({"done": found.done, "troubles": found.troubles})
    else:
        for words in [*found.done, *found.troubles] or ["nothing to do"]:
            say(cleaned(words))
    if found.troubles:
        click.get_current_context().exit(1)


def _told(made: dict[str, Any], as_json: bool, words: str) -> None:
    if as_json:
        common.emit_json(made)
    else:
        say(f"{made['id']}: {cleaned(made['title'])}  {words}")


def _beads(count: int) -> str:
    return f"{count} bead{'' if count == 1 else 's'}"
