"""Printing and texts, for commands of any kind. Imported at every hot command: lean.

Whatever came from a bead, a mail, git or the caller's arguments is printed through `say` or `cleaned`, which escape control
characters. JSON goes to standard output alone; remarks go to standard error.
"""

from __future__ import annotations

import sys

from gastown_hooks.core import clock, errors, fsio, ids, jsons, paths
from gastown_hooks.core.ids import shown
from gastown_hooks.core.late import late
from gastown_hooks.stores import callers
from gastown_hooks.stores.callers import variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gastown_hooks.core import record
    from gastown_hooks.core.record import Record
else:
    record = late("gastown_hooks.core.record")


def cleaned(text: str, keep: str = "") -> str:
    """The text with control and other unprintable characters escaped, but for those in `keep`."""
    rest = text
    for char in "" if text.isprintable() else keep:
        rest = rest.replace(char, "")
    if rest.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode()


def say(text: str = "") -> None:
    """A line (or several) on standard output."""
    sys.stdout.write(cleaned(text, keep="\n\t") + "\n")


def brief(bead: Record) -> str:
    """`gp-abc12: Title [P2 - open]`"""
    return cleaned(f"{bead['id']}: {bead.get('title', '')} [P{record.priority(bead)} - {record.status(bead)}]")


def remark(text: str) -> None:
    """A line on standard error that no program needs to parse."""
    sys.stderr.write(cleaned(text, keep="\n\t") + "\n")


def emit_json(value: Any, total: int | None = None) -> None:
    """One JSON value, indented by two, on standard output. `total`: how many there are of a list of which the first are shown.

    With BD_JSON_ENVELOPE=1: {"schema_version":1,"data":…}, and of such a list "total" and "truncated".
    """
    if variable("BD_JSON_ENVELOPE") == "1":
        value = {"schema_version": 1, "data": value, **({} if total is None else {"total": total, "truncated": len(value) < total})}
    sys.stdout.write(jsons.pretty(value) + "\n")


def table(rows: Iterable[Sequence[object]], header: Sequence[str]) -> None:
    """Left-aligned columns; nothing but the header when there are no rows."""
    lines = [[cleaned(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        say("  ".join([cell.ljust(width) for cell, width in zip(line, widths, strict=True)]).rstrip())


def ago(stamp: str, now: int) -> str:
    """`3m ago`, `2h ago`, `5d ago`; the text itself where it is no time."""
    try:
        seconds = max(0, now - clock.parse(stamp)) // clock.SECOND
    except ValueError:
        return stamp
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit} ago"
    return f"{seconds}s ago"


def town_and_caller() -> tuple[paths.Town, callers.Caller]:
    """The town around the caller and the caller. Raises NotATown."""
    caller = callers.caller()
    return caller.town or paths.town_at(caller.cwd), caller


def rig_named(town: paths.Town, name: str) -> paths.Rig:
    """Raises BadInput, NotFound with the known names."""
    rig = town.rig(ids.name(name, "rig"))
    if not rig.exists():
        known = ", ".join(one.name for one in town.rigs()) or "none yet"
        raise errors.NotFound(f"no rig {name}", why=f"known rigs: {known}", next="gt rig list")
    return rig


def one_text(given: str | None, *, from_stdin: bool = False, from_file: str | None = None, what: str = "text") -> str | None:
    """A text from one of its three ways in: the option, standard input (`-` as a file too), a file. Raises BadInput."""
    ways = [given is not None, from_stdin, from_file is not None]
    if sum(ways) > 1:
        raise errors.BadInput(f"the {what} is given twice", why="use one of the option, --stdin and --body-file")
    if from_stdin or from_file == "-":
        return decoded(sys.stdin.buffer.read(), "standard input").rstrip("\n")
    if from_file is not None:
        return file_text(from_file).rstrip("\n")
    return given


def file_text(path: str) -> str:
    """The UTF-8 text of a file that the caller named. Raises NotFound, BadInput."""
    try:
        data = fsio.read(path)
    except (OSError, ValueError) as error:
        raise errors.BadInput(f"cannot read {shown(path)}", why=getattr(error, "strerror", None) or str(error)) from None
    if data is None:
        raise errors.NotFound(f"no file {shown(path)}")
    return decoded(data, shown(path))


def decoded(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise errors.BadInput(f"{name} is not UTF-8 text") from None
