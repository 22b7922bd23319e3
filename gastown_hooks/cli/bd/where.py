"""`bd where`: which ledger commands act on here, and why that one."""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.core.paths import nearest_beads
from gastown_hooks.stores import config
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.work.world import World, home_beads


@click.command(short_help="Show which ledger commands act on here.")
@common.json_option
def cli(as_json: bool) -> None:
    """Show the folder of the ledger that bd uses in this directory, its prefix, and the rule that found it.

    \b
    Examples:
      bd where
    """
    caller = config.caller()
    beads, rule = home_beads(caller)
    ledger = Ledger(beads)
    ledger.view(lambda view: None)  # a folder without a ledger is an error here, not at the first bead
    found = {"path": beads.root, "prefix": ledger.prefix, "mode": CODE_BRANCH if ledger.write_through else OWN_BRANCH, "rule": rule,
             "known_prefixes": sorted(World(caller).prefixes())}
    first = nearest_beads(caller.cwd)
    if rule != "BEADS_DIR" and first is not None and first.root != beads.root:
        found["redirected_from"] = first.root
    if as_json:
        common.emit_json(found)
        return
    common.say(beads.root)
    if "redirected_from" in found:
        common.say(f"  (redirected from {found['redirected_from']})")
    common.say(f"  prefix: {ledger.prefix}\n  found as: {rule}")
