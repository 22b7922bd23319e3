"""What may stand in a bead's fields: each check returns the value to store, or raises BadInput in one line."""

from __future__ import annotations

from gastown_hooks.core import clock, errors
from gastown_hooks.core.ids import nearest, shown
from gastown_hooks.rules import graph, states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gastown_hooks.core.record import Record

FOREIGN = ("external:", "beads://")  # what a bead of another project begins with
LONGEST_TITLE = 500
LONGEST_NAME = 128
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DAY = 86400 * clock.SECOND
_YEAR_10000 = 253_402_300_800 * clock.SECOND
_NEAR = {"yesterday": -1, "today": 0, "tomorrow": 1}
_WEEKDAYS = ("thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday")  # as days since the epoch count


def text(value: str, what: str = "text") -> str:
    """Any text that UTF-8 can hold; control characters are data."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise errors.BadInput(f"the {what} is not UTF-8 text") from None
    return value


def script(value: str) -> str:
    """A shell script, which the shell takes as one argument."""
    if not value.strip():
        raise errors.BadInput("the script of --run is empty")
    if "\0" in value:
        raise errors.BadInput("the script of --run holds a NUL", why="no shell takes it", next="remove it: tr -d '\\000'")
    return text(value, "script")


def title(value: str) -> str:
    if not value.strip():
        raise errors.BadInput("the title is empty", next='bd create "What is to be done"')
    if len(value) > LONGEST_TITLE:
        raise errors.BadInput(f"the title has {len(value)} characters", why=f"at most {LONGEST_TITLE}",
                              next="put the rest into --description")
    return text(value, "title").strip()


def priority(value: str) -> int:
    """`0` to `4` or `P0` to `P4`."""
    digit = value[1:] if value[:1] in "pP" else value
    if digit not in ("0", "1", "2", "3", "4"):
        raise errors.BadInput(f"{shown(value)} is no priority", why="0 to 4 or P0 to P4, 0 is the most urgent")
    return int(digit)


def issue_type(value: str) -> str:
    found = states.ALIASES.get(value.lower(), value.lower())
    if found not in states.TYPES:
        raise _unknown(value, "type", states.TYPES)
    return found


def status(value: str) -> str:
    if value not in states.STATUSES:
        raise _unknown(value, "status", states.STATUSES)
    return value


def kind(value: str) -> str:
    """A dependency's type."""
    if value not in graph.KINDS:
        raise _unknown(value, "dependency type", graph.KINDS)
    return value


def assignee(value: str) -> str:
    return _name(value, "assignee")


def session(value: str) -> str:
    """An agent program's session."""
    return _name(value, "session")


def label(value: str) -> str:
    found = _name(value.strip(), "label")
    if not found or "," in found:
        raise errors.BadInput(f"{shown(value)} is no label", why="a label is not empty and has no comma")
    return found


def labels(values: list[str] | tuple[str, ...]) -> list[str]:
    """Labels from options, each possibly a comma list; sorted, each once."""
    return sorted({label(part) for value in values for part in value.split(",")})


def estimate(value: int) -> int:
    if not 0 <= value < 10 ** 9:
        raise errors.BadInput(f"an estimate of {shown(str(value))} minutes",
                              why="it cannot be negative" if value < 0 else "that is too many")
    return value


def duration(value: str) -> int:
    """`30m`, `1h`, `2d`, `1w` in nanoseconds."""
    count, unit = value[:-1], value[-1:]
    if not (count.isascii() and count.isdigit() and len(count) < 7 and unit in _UNITS and int(count)):
        raise errors.BadInput(f"{shown(value)} is no length of time", why="use 30m, 1h, 2d or 1w")
    found = int(count) * _UNITS[unit] * clock.SECOND
    if found >= 1 << 63:
        raise errors.BadInput(f"{shown(value)} is no length of time", why="it is too long")
    return found


def gate(await_type: str | None, await_id: str | None, timeout: str | None, issue_type: str) -> Record:
    """The fields of a gate that are given; "" clears one. Raises BadInput for a bead that is none."""
    given = {"await_type": await_type, "await_id": await_id, "timeout": timeout}
    found: Record = {key: text(value, key) or None for key, value in given.items() if value is not None}
    if found and issue_type != "gate":
        raise errors.BadInput("--await-type, --await-id and --timeout are of a gate", why=f"this is a {issue_type}",
                              next="bd create … -t gate")
    return {**found, **({"timeout": duration(timeout)} if timeout else {})}


def moment(value: str, now: int) -> str:
    """RFC 3339, a date, `+6h`, `-1d`, `+2w` from now, `tomorrow`, `next monday` (midnight, UTC); as RFC 3339."""
    try:
        at = _instant(value, now)
    except (ValueError, IndexError):
        at = -1
    if not 0 <= at < _YEAR_10000:
        raise errors.BadInput(f"{shown(value)} is no time",
                              why="use +6h, +1d, +2w, tomorrow, next monday, 2026-01-31 or 2026-01-31T12:00:00Z")
    return clock.stamp(at)


def _instant(value: str, now: int) -> int:
    count, unit, word = value[1:-1], value[-1:], value.lower()
    if value[:1] in ("+", "-") and count.isascii() and count.isdigit() and unit in _UNITS and len(count) < 7:
        return now + int(value[0] + count) * _UNITS[unit] * clock.SECOND
    if word == "now":
        return now
    today, day = now // _DAY, word.removeprefix("next ")
    if word in _NEAR:
        return (today + _NEAR[word]) * _DAY
    if day in _WEEKDAYS:
        return (today + ((_WEEKDAYS.index(day) - today) % 7 or 7)) * _DAY
    return clock.parse(f"{value}T00:00:00Z" if len(value) == 10 else value)


def dependency(value: str) -> tuple[str, str]:
    """`ID` or `type:ID` (also `external:…` and `beads://…`, with or without a type) as (type, target)."""
    value = value.strip()
    head, colon, rest = value.partition(":")
    if not colon or head in ("external", "beads"):
        head, rest = "blocks", value
    if not rest:
        raise errors.BadInput(f"{shown(value)} is no dependency", why="it looks like blocks:gp-abc12 or gp-abc12")
    return kind(head), rest


def is_foreign(target: str) -> bool:
    """A bead of another project; see `rules/foreign`."""
    return target.startswith(FOREIGN)


def foreign_targets(records: Iterable[Record]) -> set[str]:
    """The beads of other projects that these depend on."""
    return {target for record in records if (found := record.get("dependencies"))
            for raw in found if (target := raw.get("depends_on_id")) and is_foreign(target)}


def _unknown(value: str, what: str, known: tuple[str, ...]) -> errors.BadInput:
    return errors.BadInput(f"{shown(value)} is no {what}",
                           why=f"did you mean {nearest(value.lower(), list(known))}? Known: {', '.join(known)}")


def _name(value: str, what: str) -> str:
    if len(value) > LONGEST_NAME or not value.isprintable() or value[:1] == "-":
        raise errors.BadInput(f"{shown(value)} is no {what}",
                              why=f"at most {LONGEST_NAME} printable characters, no hyphen at the beginning")
    return value


