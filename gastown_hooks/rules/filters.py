"""Which beads a listing means. One table of fields and one `condition`: the options of list, ready, count …, and `bd query` build on it.

A condition is (field, operator, text). `=` of a word knows `*` and `none` (it is empty); `=` of a text means "holds it", upper and
lower case alike; a time is compared as an instant, and a bead that has no such time passes no comparison.
"""

from __future__ import annotations

import operator

from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.ids import nearest, shown
from gastown_hooks.rules import fields, graph, ready, states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gastown_hooks.core.record import Record

    Test = Callable[[Record], bool]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_TEXTS = {"title": "title", "description": "description", "design": "design", "acceptance": "acceptance_criteria", "notes": "notes"}
_WORDS = {"id": "id", "status": "", "type": "", "parent": "", "assignee": "assignee", "owner": "owner", "created_by": "created_by",
          "updated_by": "updated_by", "spec": "spec_id", "mol_type": "mol_type", "wisp_type": "wisp_type", "external_ref": "external_ref"}
_NUMBERS = {"priority": "priority", "estimate": "estimated_minutes"}
_TIMES = {"created": "created_at", "updated": "updated_at", "started": "started_at", "closed": "closed_at", "due": "due_at",
          "defer": "defer_until"}
_FLAGS = {"pinned": "pinned", "ephemeral": "ephemeral", "template": "is_template"}
_KNOWN = {"mol_type": ("swarm", "patrol", "work"),
          "wisp_type": states.WISPS}
FIELDS = (*_WORDS, *_NUMBERS, *_TIMES, *_TEXTS, "label", *_FLAGS)
_AGO = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
DAY = 86400 * clock.SECOND


def condition(field: str, how: str, text: str, now: int) -> Test:
    """Raises BadInput for an unknown field, an operator that it does not have, or a value that it cannot have."""
    if field not in FIELDS:
        raise BadInput(f"{shown(field)} is no field", why=f"did you mean {nearest(field, list(FIELDS))}? Known: {', '.join(FIELDS)}")
    if how not in _ORDER or (how not in ("=", "!=") and field not in _NUMBERS and field not in _TIMES):
        raise BadInput(f"{field} has no {shown(how)}", why="only priority, estimate and times have an order; all fields have = and !=")
    if how == "!=":
        if field in _TIMES:
            raise BadInput(f"{field} has no !=", why="use < and >")
        same = condition(field, "=", text, now)
        return lambda record: not same(record)
    if field in _NUMBERS:
        return _number(field, how, text)
    if field in _TIMES:
        return _time(_TIMES[field], how, text, now)
    if field in _TEXTS:
        return holds(text, _TEXTS[field])
    if field in _FLAGS:
        return _flag(_FLAGS[field], text)
    return _label(text) if field == "label" else _word(field, text)


def holds(text: str, *keys: str) -> Test:
    """The text is in one of these fields."""
    wanted = text.lower()
    return lambda record: any(wanted in str(record.get(key) or "").lower() for key in keys)


def every(tests: Iterable[Test]) -> Test:
    found = list(tests)
    return lambda record: all(test(record) for test in found)


def some(tests: Iterable[Test]) -> Test:
    found = list(tests)
    return lambda record: any(test(record) for test in found)


def moment(text: str, now: int) -> int:
    """A time to compare with: as for --due, and `7d` or `24h` for so long ago."""
    count, unit = text[:-1], text[-1:]
    if count.isascii() and count.isdigit() and unit in _AGO and len(count) < 7:
        return now - int(count) * _AGO[unit] * clock.SECOND
    return clock.parse(fields.moment(text, now))


def instant(record: Record, key: str) -> int | None:
    """The time in a field; None where there is none that can be read."""
    try:
        return clock.parse(record[key])
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        return None


def labels(record: Record) -> list[str]:
    found = record.get("labels")
    return [str(label) for label in found] if isinstance(found, list) else []


def _number(field: str, how: str, text: str) -> Test:
    if field == "priority":
        wanted = fields.priority(text)
    elif text.isascii() and text.isdigit():
        wanted = int(text)
    else:
        raise BadInput(f"{shown(text)} is no number of minutes")
    compare, key = _ORDER[how], _NUMBERS[field]
    value = ready.priority if field == "priority" else lambda record: record.get(key)
    return lambda record: isinstance(value(record), int) and compare(value(record), wanted)


def _time(key: str, how: str, text: str, now: int) -> Test:
    wanted, compare = moment(text, now), _ORDER[how]
    if how == "=" and len(text) == 10:  # a date: any time on that day
        return lambda record: (at := instant(record, key)) is not None and wanted <= at < wanted + DAY
    return lambda record: (at := instant(record, key)) is not None and compare(at, wanted)


def _flag(key: str, text: str) -> Test:
    if text.lower() not in ("true", "false"):
        raise BadInput(f"{shown(text)} is neither true nor false")
    wanted = text.lower() == "true"
    return lambda record: bool(record.get(key)) == wanted


def _label(text: str) -> Test:
    if text == "none":
        return lambda record: not labels(record)
    fits = glob(text)
    return lambda record: any(fits(label) for label in labels(record))


def _word(field: str, text: str) -> Test:
    get = _reader(field)
    if text == "none":
        return lambda record: not get(record)
    if field == "status" and text != "tombstone":
        text = fields.status(text)
    if field == "type":
        text = fields.issue_type(text)
    if text not in _KNOWN.get(field, (text,)):
        raise BadInput(f"{shown(text)} is no {field.replace('_', ' ')}", why=f"known: {', '.join(_KNOWN[field])}")
    fits = glob(text)
    return lambda record: fits(get(record))


def glob(text: str) -> Callable[[str], bool]:
    """Whether a word is this one; `*` stands for any part of it."""
    first, *middle = text.split("*")
    if not middle:
        return lambda word: word == text
    last = middle.pop()

    def fits(word: str) -> bool:
        at, end = len(first), len(word) - len(last)
        if not (word.startswith(first) and word.endswith(last)):
            return False
        for part in middle:
            at = word.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return at <= end

    return fits


def _reader(field: str) -> Callable[[Record], str]:
    if field == "status":
        return ready.status
    if field == "type":
        return ready.kind
    if field == "parent":
        return lambda record: next(iter(graph.parents(record)), "")
    key = _WORDS[field]
    return lambda record: str(record.get(key) or "")
