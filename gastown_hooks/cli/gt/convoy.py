"""`gt convoy`: batches of work over all rigs."""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.common import cleaned, dry_run_option, json_option, say, town_and_caller
from gastown_hooks.cli.gt import sling
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.paths import Town
from gastown_hooks.rules import convoys as rules
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import addresses, convoy, launch
from gastown_hooks.work.convoy import Progress

ICONS = {rules.LANDED: "✓", rules.CLOSED: "✓", "tombstone": "✓", rules.WORKING: "◐", rules.SUBMITTED: "◑", rules.SENT_BACK: "✗",
         rules.CONFLICT: "✗", rules.BLOCKED: "●", rules.READY: "○"}
_WIDTH = 10


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
    found = [one for one in convoy.progress(caller, clock.now(), closed=every or status == "closed")
             if status is None or rules.is_open(one.record) == (status == "open")]
    if as_json:
        common.emit_json([_json(town, one) for one in found])
        return
    for one in found:
        say(line(one))
        if tree:
            _say_beads(town, one, indent="    ")
    if not found:
        say("No convoys. Next: gt convoy create TITLE BEAD…, or gt sling, which makes one")


@cli.command(short_help="One convoy, or all open ones, bead by bead.")
@click.argument("convoy_id", metavar="[CONVOY]", required=False)
@json_option
def status(convoy_id: str | None, as_json: bool) -> None:
    """Every bead of a convoy: its state, who has it, its merge request, what it waits for. Without CONVOY: of each open one."""
    town, caller = town_and_caller()
    wanted = convoy.find(town, convoy_id)["id"] if convoy_id is not None else None
    found = [one for one in convoy.progress(caller, clock.now()) if (one.record["id"] == wanted if wanted else rules.is_open(one.record))]
    if as_json:
        common.emit_json(_json(town, found[0]) if wanted else [_json(town, one) for one in found])
        return
    for one in found:
        _say_page(town, one)
    if not found:
        say("No open convoys. Next: gt convoy list --all")


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


# ---- showing ------------------------------------------------------------------------------------------------

def line(one: Progress) -> str:
    """`🚚 hq-cv-abc12  ███░░░  3/6  Title  (working 2, blocked 1)`"""
    total = len(one.beads)
    full = one.done * _WIDTH // total if total else 0
    rest = ", ".join(f"{state} {count}" for state, count in rules.counts(bead for bead in one.beads if not bead.over).items())
    mark = "🚚" if rules.is_open(one.record) else "✓ "
    return cleaned(f"{mark} {one.record['id']}  {'█' * full}{'░' * (_WIDTH - full)}  {one.done}/{total}  {one.record.get('title', '')}"
                   + (f"  ({rest})" if rest else ""))


def _say_page(town: Town, one: Progress) -> None:
    record = one.record
    say(f"🚚 {record['id']}: {cleaned(str(record.get('title', '')))}")
    say(f"  Status: {record.get('status')}   Progress: {one.done}/{len(one.beads)} completed   Created: {record.get('created_at', '')}")
    data = rules.data(record)
    for name, value in (("Closed", record.get("closed_at")), ("Reason", record.get("close_reason")), ("Epic", data.get("epic")),
                        ("Notify", ", ".join(map(str, data.get("notify") or []))), ("Launched", "yes" if data.get("launched") else "")):
        if value:
            say(f"  {name}: {cleaned(str(value))}")
    _say_beads(town, one, indent="  ")


def _say_beads(town: Town, one: Progress, indent: str) -> None:
    for bead in one.beads:
        rig = _rig(town, bead.id)
        who = f"  @{bead.worker}" if bead.worker else ""
        request = f"  {bead.request}" if bead.request else ""
        why = f": {'; '.join(bead.waits_for[:3])}" if bead.waits_for else ""
        say(cleaned(f"{indent}{ICONS.get(bead.state, '○')} {bead.id}  {rig}  {bead.title} [{bead.kind}]  {bead.state}{who}{request}{why}"))


def _json(town: Town, one: Progress) -> dict[str, Any]:
    found = one.as_json()
    return {**found, "beads": [{**bead, "rig": _rig(town, bead["id"])} for bead in found["beads"]]}


def _rig(town: Town, bead_id: str) -> str:
    prefix = ids.prefix_of(bead_id, set(Routes(town).prefixes()))
    rig = Routes(town).rig_of(bead_id) if prefix else None
    return rig.name if rig else "town" if prefix else "elsewhere"


def _told(made: dict[str, Any], as_json: bool, words: str) -> None:
    if as_json:
        common.emit_json(made)
    else:
        say(f"{made['id']}: {cleaned(made['title'])}  {words}")


def _beads(count: int) -> str:
    return f"{count} bead{'' if count == 1 else 's'}"
