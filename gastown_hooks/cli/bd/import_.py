"""`bd import`"""

from __future__ import annotations

import sys

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock, fsio
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.core.ids import shown
from gastown_hooks.work import interop

_SHOWN = 10


@click.command(short_help="Take beads from a file of this or another program.")
@click.argument("file", required=False)
@click.option("-i", "--input", "input_file", metavar="FILE", help="The file, instead of the argument.")
@click.option("--skip-bad", is_flag=True, help="Import the rest when lines are no bead; those lines go to quarantine.log.")
@common.dry_run_option
@common.json_option
def cli(file: str | None, input_file: str | None, skip_bad: bool, dry_run: bool, as_json: bool) -> None:
    """Read FILE (JSON lines, `-` for standard input) into this ledger, all or nothing.

    New beads keep their lines byte for byte. A bead that is there already is merged field by field: nothing that only one of the two
    has is lost, the later update stays where one value must go, and the other becomes a comment. A `deletions.jsonl` of early
    versions becomes tombstones. Importing a file twice is importing it once.

    \b
    Examples:
      bd import ~/old-project/.beads/issues.jsonl
      bd import deletions.jsonl --dry-run
      other-tracker export | bd import -
    """
    if (file is None) == (input_file is None):
        raise BadInput("one file is expected" if file is None else "the file is given twice", next="bd import FILE")
    source = file if file is not None else str(input_file)
    where = _shared.world()
    ledger = where.home()
    foreign = [prefix for prefix, beads in (where.routes.prefixes() if where.routes else {}).items() if beads.root != ledger.beads.root]
    found = interop.read(_content(source), foreign)
    done = interop.bring_in(ledger, where.caller, clock.now(), source, found, skip_bad=skip_bad, dry_run=dry_run)
    if as_json:
        common.emit_json({
            "source": source, "created": len(done.created), "updated": len(done.updated), "unchanged": done.unchanged,
            "skipped": done.skipped, "ids": [*done.created, *done.updated], "conflicts": done.conflicts, "warnings": done.warnings,
            "dry_run": dry_run})
        return
    _several("warning", done.warnings)
    _several("merged", done.conflicts)
    common.say(f"{'Would import' if dry_run else '✓ Imported'} {shown(source)}: {len(done.created)} new, {len(done.updated)} merged, "
               f"{done.unchanged} unchanged" + (f", {done.skipped} bad lines in {ledger.beads.quarantine}" if done.skipped else ""))


def _several(word: str, told: list[str]) -> None:
    for text in told[:_SHOWN]:
        common.remark(f"bd: {word}: {text}")
    if len(told) > _SHOWN:
        common.remark(f"bd: {word}: and {len(told) - _SHOWN} more; --json lists them all")


def _content(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        data = fsio.read(source)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {shown(source)}", why=getattr(error, "strerror", None) or str(error)) from None
    if data is None:
        raise NotFound(f"no file {shown(source)}")
    return data
