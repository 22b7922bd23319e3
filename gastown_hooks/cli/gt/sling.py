"""`gt sling`: give beads to workers."""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig, Town
from gastown_hooks.rules import convoys
from gastown_hooks.stores import config
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import lease as leases
from gastown_hooks.work import sling
from gastown_hooks.work import wake as waking
from gastown_hooks.work.beadwrite import existing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.runtime import agents
    from gastown_hooks.work import launch
else:
    agents, launch = late("gastown_hooks.runtime.agents"), late("gastown_hooks.work.launch")


@click.command(short_help="Give beads to workers, one each.")
@click.argument("words", nargs=-1, metavar="BEAD... RIG[/NAME] | CONVOY|EPIC")
@click.option("--agent", help="Agent program for these workers (default: the rig's, else the town's).")
@click.option("--start", is_flag=True, help="Start the workers even in a town that is by hand (before `gt up`).")
@common.dry_run_option
@common.json_option
def cli(words: tuple[str, ...], agent: str | None, start: bool, dry_run: bool, as_json: bool) -> None:
    """Give each bead a worker of its own on the rig: a name, a worktree, a branch from the target's tip.

    A convoy or an epic alone is launched (gt convoy launch): its ready beads now, the others as they become ready.
    All beads are assigned or none. A bead has one owner: a second sling is told who it is. In a running town the
    worker's agent starts at once; in a town by hand the line that starts it is printed.

    \b
    Examples:
      gt sling gp-abc12 greenplace
      gt sling gp-abc12 gp-def34 greenplace --agent codex
      gt sling gp-abc12 greenplace/toast --dry-run
      gt sling hq-cv-abc12
    """
    town, caller = common.town_and_caller()
    if len(words) == 1 and launch.is_batch(town, ids.bead(words[0])):
        start_batch(words[0], agent, asked=start, dry_run=dry_run, as_json=as_json)
        return
    if len(words) < 2:
        raise BadInput("a bead and a rig are needed", next=_completed(town, *words))
    rig_name, _, name = words[-1].removesuffix("/").partition("/")
    rig = town.rig(ids.name(rig_name, "rig"))
    if agent is not None:
        agents.check(config.town_settings(town), agent)
    beads = [ids.bead(word) for word in words[:-1]]
    made = sling.sling(town, beads, rig, agent=agent, name=name.removeprefix("polecats/") or None, caller=caller, now=clock.now(),
                       start=start, dry_run=dry_run)
    if as_json:
        common.emit_json([row(rig, one, dry_run) for one in made])
        return
    for assignment in made:
        tell(rig, assignment, dry_run)


def start_batch(bead_id: str, agent: str | None, *, asked: bool, dry_run: bool, as_json: bool) -> None:
    """Launch a convoy or an epic, and tell."""
    town, caller = common.town_and_caller()
    if agent is not None:
        agents.check(config.town_settings(town), agent)
    chosen, made = launch.launch(town, bead_id, agent=agent, caller=caller, now=clock.now(), start=asked, dry_run=dry_run)
    if as_json:
        common.emit_json({"convoy": chosen["id"], "dry_run": dry_run, "given": [row(town.rig(one.rig), one, dry_run) for one in made]})
        return
    for one in made:
        tell(town.rig(one.rig), one, dry_run)
    total = len(convoys.tracked(chosen))
    then = "the others follow as they become ready" if config.mode(town) == "running" else "for the others: gt up, or launch it again later"
    common.say(f"🚚 {chosen['id']}: {len(made)} of {total} {'would go' if dry_run else 'went'} to workers; {then}")
    if not dry_run:
        common.say(f"Next: gt convoy status {chosen['id']}")


def row(rig: Rig, made: sling.Assignment, dry_run: bool) -> dict[str, Any]:
    """An assignment as JSON."""
    return {"bead": made.bead, "rig": made.rig, "worker": made.actor, "fence": made.fence, "branch": made.branch, "tree": made.tree,
            "started": made.started, "by_hand": None if dry_run else _line_by_hand(rig, made), "dry_run": dry_run}


def _completed(town: Town, word: str = "BEAD") -> str:
    """The command with the rig that the bead's prefix belongs to, where it is known. Raises Refused for one of the town's own, NotFound."""
    routes = Routes(town)
    is_known = word != "BEAD" and routes.prefix_of(word) is not None
    rig = routes.rig_of(word) if is_known else None
    if is_known and rig is None:
        raise sling.towns_own(existing(Ledger(town.beads), word)["id"])
    return f"gt sling {ids.shown(word)} {rig.name}" if rig else f"gt sling {ids.shown(word)} RIG (see: bd ready, gt rig list)"


def tell(rig: Rig, made: sling.Assignment, dry_run: bool) -> None:
    """An assignment, and what comes next."""
    if dry_run:
        common.say(f"would give {made.bead} to {made.actor}")
        return
    common.say(f"✓ {made.bead} → {made.actor} (fence {made.fence})")
    who = f"{made.rig}/{made.name}"
    if _lacks_script(rig, made):
        common.say(f"  note: the exec agent carries out a bead's script, and this one has none: bd update {made.bead} --run SCRIPT")
    if made.started or not waking.runner_is_free(rig.polecat(made.name)):
        common.say(f"  {'started' if made.started else 'at work'}; look: gt peek {who}")
    elif config.mode(rig.town) == "by-hand":
        line = _line_by_hand(rig, made)
        common.say(f"  the town is by hand, so nothing was started. Next{', one of' if line else ''}:")
        if line:
            common.say(f"    {line}    # you and the agent, in this terminal")
        common.say(f"    gt session start {who}    # the agent alone (gt up: all of them)")


def _line_by_hand(rig: Rig, made: sling.Assignment) -> str | None:
    """The line that starts the worker's agent program in a terminal; None where it has none."""
    home = rig.polecat(made.name)
    return agents.by_hand(rig, home, leases.read(home))


def _lacks_script(rig: Rig, made: sling.Assignment) -> bool:
    lease = leases.read(rig.polecat(made.name))
    return lease is not None and lease.agent == agents.EXEC and not (Ledger(rig.beads).get(made.bead) or {}).get("run")
