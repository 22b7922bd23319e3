"""`bd doctor`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.core.errors import BadInput
from gastown_hooks.stores import callers
from gastown_hooks.work import doctor
from gastown_hooks.work.world import World

_SHOWN = 50


@click.command(short_help="Find what is wrong with the ledger, and put it right.")
@click.option("--fix", is_flag=True, help="Put right what can be: bad lines go to quarantine.log, all others keep their bytes.")
@common.dry_run_option
@common.json_option
def cli(fix: bool, dry_run: bool, as_json: bool) -> int:
    """Look at this directory's ledger: lines that are no bead (with their numbers), beads that stand twice, values no reader can use,
    a damaged journal, files that look like ledgers, and what this clone's git does not know yet. Exit code 1 while something is wrong.

    \b
    Examples:
      bd doctor
      bd doctor --fix
    """
    if dry_run and not fix:
        raise BadInput("--dry-run goes with --fix", why="without it nothing is changed")
    caller = callers.caller()
    where = World(caller)
    ledger = where.home()
    wisps = where.wisps(ledger)
    findings = doctor.examine(ledger, caller, wisps)
    curable = [finding for finding in findings if finding.fix]
    left = [finding for finding in findings if not finding.remark]
    if fix and not dry_run:
        left = [finding for finding in doctor.cure(findings) if not finding.remark]
    done = "fixed" if fix and not dry_run else "would fix" if fix else "bd doctor --fix"
    if as_json:
        common.emit_json({"path": ledger.beads.root, "ok": not left, "dry_run": dry_run, "findings": [
            {"check": one.check, "text": one.text, "line": one.line, "fixable": one.fix is not None,
             "fixed": one.fix is not None and fix and not dry_run, "remark": one.remark} for one in findings]})
        return int(bool(left))
    for finding in findings[:_SHOWN]:
        place = f"line {finding.line}: " if finding.line else ""
        common.say(f"{'·' if finding.remark else '✗'} {finding.check}: {place}{finding.text}" + (f" ({done})" if finding.fix else ""))
    if len(findings) > _SHOWN:
        common.remark(f"bd: and {len(findings) - _SHOWN} more; --json lists them all")
    if any(finding.check == "lines" for finding in curable) and done == "fixed":
        common.say(f"  The lines as they were found: {ledger.beads.quarantine}")
    if wisps is not None and any(finding.check == "wisps" for finding in curable) and done == "fixed":
        common.say(f"  Those of wisps: {wisps.beads.quarantine}")
    common.say("✓ The ledger is sound" if not left else f"{len(left)} left")
    if caller.town is not None and ledger.beads.root == caller.town.beads.root and caller.town.rigs():
        common.say("  That is the town's own. Each rig's: bd -C RIG doctor")
    return int(bool(left))
