"""`bd export`"""

from __future__ import annotations

import os
import sys

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _original, _shared
from gastown_hooks.core import fsio, record
from gastown_hooks.core.errors import BadInput, Refused
from gastown_hooks.core.ids import shown
from gastown_hooks.rules import fields, ready, states


@click.command(short_help="Write beads as JSON lines, for any program that reads them.")
@click.option("-o", "--output", metavar="FILE", help="Into this file (replaces an export of before), not to standard output.")
@click.option("-s", "--status", metavar="S", help="Only beads of this status.")
@click.option("-t", "--type", "kind", metavar="TYPE", help="Only this type.")
@click.option("-l", "--label", metavar="L", help="Only with this label.")
@click.option("--no-tombstones", is_flag=True, help="Leave deleted beads out.")
@_original.so_anyway("--all", "--include-infra", "--include-memories")
@common.dry_run_option
@common.json_option
def cli(output: str | None, status: str | None, kind: str | None, label: str | None, no_tombstones: bool, dry_run: bool,
        as_json: bool) -> None:
    """Write this ledger's beads, one a line, sorted by id; each line exactly as it was written or imported, deleted beads included.

    \b
    Examples:
      bd export > issues.jsonl
      bd export -o backup.jsonl
      bd export --status open --json
    """
    ledger = _shared.world().home()
    beads, written, ledger.left_out = ledger.look(lambda pair: (pair.records(), pair.lines(), pair.problems))
    wanted = None
    if no_tombstones or any(value is not None for value in (status, kind, label)):
        type_ = None if kind is None else fields.issue_type(kind)
        status, label = None if status is None else fields.status(status), None if label is None else fields.label(label)
        wanted = {name for name, bead in beads.items()
                  if (not status or ready.status(bead) == status) and (not type_ or ready.kind(bead) == type_)
                  and (not label or label in (bead.get("labels") or ())) and not (no_tombstones and ready.status(bead) == states.TOMBSTONE)}
    names = sorted(beads if wanted is None else wanted, key=str.encode)
    lines = [written[name] for name in names]
    if output is None:
        if as_json:
            common.emit_json([beads[name] for name in names])
        elif not dry_run:
            sys.stdout.flush()
            sys.stdout.buffer.write(b"".join(line + b"\n" for line in lines))
        else:
            common.say(f"Would export {len(lines)} beads")
        return
    path = _path(output, ledger.beads.root)
    if not dry_run:
        fsio.write(path, b"".join(line + b"\n" for line in lines), mode=0o644)
    if as_json:
        common.emit_json({"path": path, "count": len(lines), "dry_run": dry_run})
    else:
        common.say(f"{'Would export' if dry_run else '✓ Exported'} {len(lines)} beads to {shown(output, 200)}")


def _path(output: str, root: str) -> str:
    path = os.path.realpath(output)
    if f"{path}/".startswith(f"{os.path.realpath(root)}/"):
        raise BadInput(f"{shown(output)} is inside the ledger's own folder", why="other programs would read it as a ledger")
    if os.path.isdir(path) or not os.path.isdir(os.path.dirname(path)):
        raise BadInput(f"cannot write {shown(output)}", why="it is a folder" if os.path.isdir(path) else "its folder is not there")
    if os.path.exists(path) and not os.path.isfile(path):  # a device would be replaced by a file, for everybody
        raise BadInput(f"cannot write {shown(output)}", why="it is no file", next="without -o it goes to standard output")
    if not _holds_beads(path):
        raise Refused(f"{shown(output)} holds something else", why="it would be replaced as a whole", next="name another file")
    return path


def _holds_beads(path: str) -> bool:
    """Also when there is nothing there, or nothing in it."""
    if not os.path.exists(path):
        return True
    with open(path, "rb") as file:
        first = file.readline().strip()
    try:
        return not first or bool(record.decode(first))
    except ValueError:
        return False
