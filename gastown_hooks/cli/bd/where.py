"""`bd where`: which ledger commands act on here, and why that one."""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.core.errors import NotATown
from gastown_hooks.core.paths import Beads, redirects
from gastown_hooks.stores import callers
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.work.world import World, discovery, home_beads


@click.command(short_help="Show which ledger commands act on here.")
@click.option("--explain", is_flag=True, help="Show each rule in the order in which they are asked, what it finds, and which one counts.")
@common.json_option
def cli(explain: bool, as_json: bool) -> None:
    """Show the folder of the ledger that bd uses in this directory, its prefix, and the rule that found it.

    \b
    Examples:
      bd where
      bd where --explain
    """
    caller = callers.caller()
    if explain:
        _explain(caller, as_json)
        return
    beads, rule = home_beads(caller)
    ledger = Ledger(beads)
    ledger.view(lambda view: None)  # a folder without a ledger is an error here, not at the first bead
    found = {"path": beads.root, "prefix": ledger.prefix, "mode": CODE_BRANCH if ledger.write_through else OWN_BRANCH, "rule": rule,
             "known_prefixes": sorted(World(caller).prefixes())}
    first = next(there for _, there in discovery(caller) if there is not None)
    if first.root != beads.root:
        found["redirected_from"] = first.root
    if as_json:
        common.emit_json(found)
        return
    common.say(beads.root)
    if "redirected_from" in found:
        common.say(f"  (redirected from {found['redirected_from']})")
    common.say(f"  prefix: {ledger.prefix}\n  found as: {rule}")


def _explain(caller: callers.Caller, as_json: bool) -> None:
    """Each rule, also where the one that counts leads nowhere: that is what one wants to see then."""
    told: list[dict[str, Any]] = []
    for rule, there in discovery(caller):
        told.append({"rule": rule, "counts": there is not None and not any(one["counts"] for one in told), **_followed(there)})
    if as_json:
        common.emit_json(told)
        return
    for number, one in enumerate(told, 1):
        what = " -> ".join(one["folders"]) or "finds nothing"
        common.say(f"{'→' if one['counts'] else ' '} {number}. {one['rule']}: {what}" + (f" ({one['why']})" if one["why"] else ""))
    if not any(one["counts"] for one in told):
        common.say("No ledger here. Next: bd init")


def _followed(there: Beads | None) -> dict[str, Any]:
    """The folders from the first to where the redirects lead, and what is wrong there."""
    if there is None:
        return {"folders": [], "why": ""}
    try:
        folders = [one.root for one in redirects(there)]
    except NotATown as error:
        return {"folders": [there.root], "why": f"{error.what}: {error.why}"}
    try:
        Ledger(Beads(folders[-1])).view(lambda view: None)
    except NotATown as error:
        return {"folders": folders, "why": error.why}
    return {"folders": folders, "why": ""}
