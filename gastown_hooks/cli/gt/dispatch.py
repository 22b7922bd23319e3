"""`gt dispatch`: give a bead to whoever has proven that they can do it."""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.gt import sling as slinging
from gastown_hooks.core import clock, ids
from gastown_hooks.core.late import late
from gastown_hooks.rules import fields
from gastown_hooks.stores import config
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import dispatch, sling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.runtime import agents
else:
    agents = late("gastown_hooks.runtime.agents")


@click.command(short_help="Give a bead to who has proven the skill.")
@click.argument("bead", metavar="BEAD")
@click.option("-s", "--prefer-skill", "skills", multiple=True, metavar="SKILL[,SKILL…]", help="What it takes (default: the bead's labels).")
@click.option("--rig", "rig_name", metavar="RIG", help="The rig (default: the one that the bead's prefix belongs to).")
@click.option("--agent", help="This agent program, whatever the history says.")
@click.option("--start", is_flag=True, help="Start the worker even in a town that is by hand (before `gt up`).")
@common.dry_run_option
@common.json_option
def cli(bead: str, skills: tuple[str, ...], rig_name: str | None, agent: str | None, start: bool, dry_run: bool, as_json: bool) -> None:
    """Choose a worker and an agent program by their work so far (bd stats, bd skills), say why, and sling the bead to them.

    The best is who did the greatest part of such tasks at the first try, few tasks proving little. Where nobody has proven anything it is
    a plain gt sling.

    \b
    Examples:
      gt dispatch gp-abc12 --prefer-skill=go
      gt dispatch gp-abc12 --dry-run --json
    """
    town, caller = common.town_and_caller()
    there = Routes(town).rig_of(ids.bead(bead))
    if there is None and rig_name is None:
        raise sling.towns_own(bead)
    rig = common.rig_named(town, rig_name) if rig_name is not None else there
    assert rig is not None
    settings = config.town_settings(town)
    if agent is not None:
        agents.check(settings, agent)

    def is_able(name: str) -> bool:
        return name in agents.known(settings) and (name != agents.EXEC or bool((Ledger(rig.beads).get(bead) or {}).get("run")))

    chosen = dispatch.choose(town, bead, rig, fields.labels(skills) if skills else [], is_able if agent is None else None)
    made, = sling.sling(town, [bead], rig, agent=agent or chosen.agent, name=chosen.name, caller=caller, now=clock.now(), start=start,
                        dry_run=dry_run)
    if as_json:
        common.emit_json({"skills": chosen.skills, "agent": agent or chosen.agent, "why": chosen.why, **slinging.row(rig, made, dry_run)})
        return
    for line in chosen.why:
        common.say(common.cleaned(line))
    slinging.tell(rig, made, dry_run)
