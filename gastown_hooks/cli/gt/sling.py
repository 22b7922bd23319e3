"""`gt sling`: give beads to workers."""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import config
from gastown_hooks.work import sling
from gastown_hooks.work import wake as waking


@click.command(short_help="Give beads to workers, one each.")
@click.argument("words", nargs=-1, metavar="BEAD... RIG[/NAME]")
@click.option("--agent", help="Agent program for these workers (default: the rig's, else the town's).")
@click.option("--start", is_flag=True, help="Start the workers even in a town that is by hand (before `gt up`).")
@common.dry_run_option
@common.json_option
def cli(words: tuple[str, ...], agent: str | None, start: bool, dry_run: bool, as_json: bool) -> None:
    """Give each bead a worker of its own on the rig: a name, a worktree, a branch from the target's tip.

    All beads are assigned or none. A bead has one owner: a second sling is told who it is. In a running town the
    worker's agent starts at once; in a town by hand the line to start it is printed.

    \b
    Examples:
      gt sling gp-abc12 greenplace
      gt sling gp-abc12 gp-def34 greenplace --agent codex
      gt sling gp-abc12 greenplace/toast --dry-run
    """
    if len(words) < 2:
        raise BadInput("a bead and a rig are needed", next="gt sling BEAD RIG, see: bd ready, gt rig list")
    town, caller = common.town_and_caller()
    rig_name, _, name = words[-1].removesuffix("/").partition("/")
    rig = town.rig(ids.name(rig_name, "rig"))
    beads = [ids.bead(word) for word in words[:-1]]
    made = sling.sling(town, beads, rig, agent=agent, name=name.removeprefix("polecats/") or None, caller=caller, now=clock.now(),
                       start=start, dry_run=dry_run)
    if as_json:
        common.emit_json([{"bead": a.bead, "rig": a.rig, "worker": a.actor, "fence": a.fence, "branch": a.branch, "tree": a.tree,
                           "started": a.started, "dry_run": dry_run} for a in made])
        return
    for assignment in made:
        _tell(rig, assignment, dry_run)


def _tell(rig: Rig, made: sling.Assignment, dry_run: bool) -> None:
    if dry_run:
        common.say(f"would give {made.bead} to {made.actor}")
        return
    common.say(f"✓ {made.bead} → {made.actor} (fence {made.fence})")
    if made.started or not waking.runner_is_free(rig.polecat(made.name)):
        common.say(f"  working; look: gt peek {made.rig}/{made.name}")
    elif config.mode(rig.town) == "by-hand":
        common.say(f"  the town is by hand; start it: gt session start {made.rig}/{made.name}, or all: gt up")
