"""`bd doctor`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _original
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.stores import callers
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import deep, doctor
from gastown_hooks.work.world import World

_SHOWN = 50


@click.command(short_help="Find what is wrong with the ledger, and put it right.")
@click.option("--fix", is_flag=True, help="Put right what can be: bad lines go to quarantine.log, all others keep their bytes.")
@click.option("--check", "checks", multiple=True, type=click.Choice([*doctor.CHECKS, *deep.CHECKS]), help="Only this (repeat: these).")
@click.option("--deep", "is_deep", is_flag=True, help="Also what beads depend on (graph), and whether the index says what they do (index).")
@click.option("--perf", is_flag=True, help="Instead: how large the ledger is, and how long it takes to look at it.")
@_original.so_anyway("--yes", "-y")
@common.dry_run_option
@common.json_option
def cli(fix: bool, checks: tuple[str, ...], is_deep: bool, perf: bool, dry_run: bool, as_json: bool) -> int:
    """Look at this directory's ledger: lines that are no bead (with their numbers), beads that stand twice, values no reader can use,
    a damaged journal, files that look like ledgers, and what this clone's git does not know yet. Exit code 1 while something is wrong.

    \b
    Examples:
      bd doctor
      bd doctor --fix
      bd doctor --deep
      bd doctor --check lines --check graph --json
      bd doctor --perf
    """
    if dry_run and not fix:
        raise BadInput("--dry-run goes with --fix", why="without it nothing is changed")
    if (checks and is_deep) or (perf and (checks or is_deep or fix)):
        raise BadInput("--check, --deep and --perf contradict each other, --perf also --fix")
    caller = callers.caller()
    where = World(caller)
    ledger = where.home()
    ledger.text()  # a folder without a ledger is an error
    if perf:
        _say_measured(ledger, as_json)
        return 0
    wisps, only = where.wisps(ledger), checks or (*doctor.CHECKS, *(deep.CHECKS if is_deep else ()))
    findings = doctor.examine(ledger, caller, wisps, only)
    if not set(deep.CHECKS).isdisjoint(only):
        findings += deep.examine(where, ledger, clock.now(), only)
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


def _say_measured(ledger: Ledger, as_json: bool) -> None:
    found = {"path": ledger.beads.root, **deep.measured(ledger, clock.now())}
    if as_json:
        common.emit_json(found)
        return
    common.say(f"{found['path']}: {found['beads']} beads, {'with an index' if found['indexed'] else 'no index'}")
    common.table([(name, f"{size:,} bytes") for name, size in found["bytes"].items()]
                 + [(name, f"{seconds:.4f} s") for name, seconds in found["seconds"].items()], ("WHAT", "HOW MUCH"))
