"""Many changes from one text, an operation a line, to be made at once. Pure.

`close ID [REASON]`, `update ID KEY=VALUE…`, `create TYPE PRIORITY TITLE`, `dep add|remove ID DEPENDS-ON [TYPE]`; words are parted and
quoted as in a shell, `#` begins a comment line.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gastown_hooks.core.errors import BadInput, GastownError
from gastown_hooks.core.ids import nearest, shown
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import fields

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one line wants. `beads`: those it names, as they are typed; `values`: checked fields."""

    line: int
    verb: str
    beads: tuple[str, ...] = ()
    values: Record = field(default_factory=dict)
    text: str = ""  # a close's reason, a dependency's type


@contextmanager
def told(line: int) -> Iterator[None]:
    """A failure inside names the line."""
    try:
        yield
    except GastownError as error:
        error.what = f"line {line}: {error.what}"
        raise


def parsed(text: str, now: int) -> list[Operation]:
    """The operations in order. Raises BadInput, naming the line."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            with told(number):
                found.append(_operation(number, _words(line), now))
    if not found:
        raise BadInput("there is no operation", why="a line is close, update, create or dep", next="bd batch --help")
    return found


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise BadInput("its quotes do not match", why=str(error)) from None


def _operation(number: int, words: list[str], now: int) -> Operation:
    verb, *rest = words
    if verb not in _FORMS:
        raise BadInput(f"{shown(verb)} is no operation", why=f"did you mean {nearest(verb, list(_FORMS))}? Known: {', '.join(_FORMS)}")
    form, least, make = _FORMS[verb]
    if len(rest) < least:
        raise BadInput(f"{verb} lacks a word", why=f"it is {form}")
    return make(number, rest, now)


def _close(number: int, words: list[str], now: int) -> Operation:
    return Operation(number, "close", (words[0],), text=fields.text(" ".join(words[1:]), "reason") or "Closed")


def _update(number: int, words: list[str], now: int) -> Operation:
    values: Record = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals or key not in _KEYS:
            raise BadInput(f"{shown(word)} is no KEY=VALUE", why=f"known keys: {', '.join(_KEYS)}")
        name, check = _KEYS[key]
        if name in values:
            raise BadInput(f"{key} is given twice")
        values[name] = check(value, now)
    return Operation(number, "update", (words[0],), values)


def _create(number: int, words: list[str], now: int) -> Operation:
    kind, urgency, *title = words
    return Operation(number, "create", values={"title": fields.title(" ".join(title)), "issue_type": fields.issue_type(kind),
                                               "priority": fields.priority(urgency)})


def _dep(number: int, words: list[str], now: int) -> Operation:
    act, child, target, *kind = words
    if act not in ("add", "remove") or len(kind) > 1:
        raise BadInput("that is no change of a dependency", why=f"it is {_FORMS['dep'][0]}")
    return Operation(number, f"dep {act}", (child, target), text=fields.kind(kind[0]) if kind else "")


def _text(name: str) -> Callable[[str, int], Any]:
    return lambda value, now: fields.text(value, name) or None


def _estimate(value: str, now: int) -> int | None:
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise BadInput(f"{shown(value)} is no estimate", why="a number of minutes")
    return int(value) or None


def _moment(value: str, now: int) -> str | None:
    return fields.moment(value, now) if value else None


# key of an update: (field of the record, the check); "" clears what may be empty
_KEYS: dict[str, tuple[str, Callable[[str, int], Any]]] = {
    "status": ("status", lambda value, now: fields.status(value)), "priority": ("priority", lambda value, now: fields.priority(value)),
    "title": ("title", lambda value, now: fields.title(value)), "type": ("issue_type", lambda value, now: fields.issue_type(value)),
    "assignee": ("assignee", lambda value, now: fields.assignee(value) or None),
    "labels": ("labels", lambda value, now: fields.labels([value]) if value else []),
    "description": ("description", _text("description")), "design": ("design", _text("design")),
    "acceptance": ("acceptance_criteria", _text("acceptance criteria")), "notes": ("notes", _text("notes")),
    "estimate": ("estimated_minutes", _estimate), "due": ("due_at", _moment), "defer": ("defer_until", _moment)}
# verb: (its form, how many words it needs, how it is read)
_FORMS: dict[str, tuple[str, int, Callable[[int, list[str], int], Operation]]] = {
    "close": ("close ID [REASON]", 1, _close), "update": ("update ID KEY=VALUE…", 2, _update),
    "create": ("create TYPE PRIORITY TITLE", 3, _create), "dep": ("dep add|remove ID DEPENDS-ON [TYPE]", 3, _dep)}
