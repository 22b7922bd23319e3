"""One bead as one JSON line, byte for byte as the ecosystem's other programs write it.

Compact separators, the ecosystem's field order, its HTML-safe escapes (`&<>` and U+2028/9), UTF-8. A record is a plain dict that
keeps every unknown key in the place it was read at; a key that is new to a record goes to its place in FIELDS. A known field holds
what its name says, or null but for the title: a line with anything else there is no bead (`misfit`), to any reader.
"""

from __future__ import annotations

from gastown_hooks.core import clock, errors, jsons

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Record = dict[str, Any]

# The order of beads v0.47-0.49, then what later versions and this program add.
FIELDS = (
    "_type", "id", "title", "description", "design", "acceptance_criteria", "notes", "spec_id", "status", "priority",
    "issue_type", "assignee", "owner", "estimated_minutes", "created_at", "created_by", "updated_at", "updated_by",
    "started_at", "closed_at", "closed_by", "close_reason", "closed_by_session", "due_at", "defer_until", "external_ref", "source_system",
    "metadata", "compaction_level", "compacted_at", "compacted_at_commit", "original_size", "labels", "dependencies",
    "comments", "deleted_at", "deleted_by", "delete_reason", "original_type", "sender", "ephemeral", "no_history", "wisp_type",
    "pinned", "is_template", "bonded_from", "creator", "validations", "quality_score", "crystallizes", "await_type",
    "await_id", "timeout", "waiters", "holder", "source_formula", "source_location", "hook_bead", "role_bead", "agent_state",
    "last_activity", "role_type", "rig", "mol_type", "work_type", "event_kind", "actor", "target", "payload",
    "claim_fence", "run")
_PLACE = {field: place for place, field in enumerate(FIELDS)}
_INTEGERS = ("priority", "estimated_minutes", "compaction_level", "original_size", "timeout", "claim_fence")
_BOOLEANS = ("ephemeral", "no_history", "pinned", "is_template", "crystallizes")
_LISTS: dict[str, type] = {"labels": str, "waiters": str, "dependencies": dict, "comments": dict, "bonded_from": dict, "validations": dict}
KINDS: dict[str, type] = {**dict.fromkeys(FIELDS, str), **dict.fromkeys(_INTEGERS, int), **dict.fromkeys(_BOOLEANS, bool),
                          **dict.fromkeys(_LISTS, list), "metadata": dict, "creator": dict, "quality_score": float}
_PART_TEXTS = frozenset(("issue_id", "depends_on_id", "type", "author", "text", "created_at", "created_by"))  # in those of a list
_WORDS: dict[type, str] = {str: "text", int: "whole number", bool: "true or false", list: "list", dict: "object", float: "number"}
_HOLDERS = (dict, list)
_DEEPEST = 100
_ALWAYS = frozenset(("id", "title", "priority", "created_at", "updated_at"))
_ESCAPES = (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


def encode(record: Record) -> bytes:
    """The record's line, without the newline. Raises Corrupt for a value that JSON, UTF-8 or its field cannot hold."""
    try:
        if wrong := misfit(record):
            raise ValueError(wrong)
        text = jsons.dumps(record)
        for plain, escaped in _ESCAPES:
            if plain in text:
                text = text.replace(plain, escaped)
        return text.encode()
    except (ValueError, TypeError) as error:
        raise errors.Corrupt(f"bead {record.get('id', '?')} cannot be written", why=str(error)) from None


def decode(line: bytes) -> Record:
    """The line's record. Raises ValueError with the reason for anything but one JSON object with a usable id and fitting fields."""
    try:
        return checked(_decode(line.decode()), line)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate") from None


def checked(found: Any, line: bytes) -> Record:
    """The value of this line, if it is a bead. Raises ValueError."""
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    name = found.get("id")
    if not isinstance(name, str) or not name or " " in name or "\t" in name or "\n" in name or "\r" in name:
        raise ValueError("no usable id")
    if wrong := misfit(found):
        raise ValueError(wrong)
    if b"\\" in line and (b"\\ud" in line or b"\\uD" in line):  # to look for one byte takes a tenth of the time
        jsons.dumps(found).encode()  # a lone surrogate loads, and would then break every later write
    return found


def misfit(record: Record) -> str:
    """Which known field holds a value that it cannot hold, in words; empty: none does."""
    for key, value in record.items():
        kind = KINDS.get(key)
        if kind is type(value):
            if kind is list and _has_misfit(value, _LISTS[key]):
                return f"{key} is no list of {'texts' if _LISTS[key] is str else 'such objects'}"
            if kind is dict and _is_deep(value):
                return "nested too deeply"
        elif kind is not None and (value is not None or key == "title") and (kind is not float or type(value) is not int):
            return f"{key} is no {_WORDS[kind]}"
        elif kind is None and type(value) in _HOLDERS and _is_deep(value):
            return "nested too deeply"
    return ""


def _is_deep(value: Any) -> bool:
    """Whether it is nested so deeply that what reads it here may not be able to print or write it elsewhere."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [part for one in level for part in (one.values() if type(one) is dict else one) if type(part) in _HOLDERS]
        if not level:
            return False
    return True


def _has_misfit(parts: Any, kind: type) -> bool:
    for part in parts:
        if type(part) is not kind:
            return True
        if isinstance(part, dict):
            for key, value in part.items():
                if type(value) is not str and value is not None and (key in _PART_TEXTS or (type(value) in _HOLDERS and _is_deep(value))):
                    return True
    return False


def status(record: Record) -> str:
    return str(record.get("status") or "open")


def kind(record: Record) -> str:
    return str(record.get("issue_type") or "task")


def is_wisp(record: Record) -> bool:
    return bool(record.get("ephemeral") or record.get("wisp_type"))


def priority(record: Record) -> int:
    found = record.get("priority", 2)
    return found if isinstance(found, int) else 2


def arrange(record: Record) -> Record:
    """The record in field order, empty optional fields dropped. Unknown keys stay behind the key they followed."""
    ordered: list[tuple[int, int, str]] = []
    place = 0
    for index, key in enumerate(record):
        place = _PLACE.get(key, place)
        ordered.append((place, index, key))
    return {key: record[key] for _, _, key in sorted(ordered)
            if key in _ALWAYS or key not in _PLACE or (record[key] not in ("", None, [], False) and record[key] != 0)}


def updated(record: Record, changes: Record) -> Record:
    """A copy with the changes made; None removes a key, a new key goes to its place, all others keep theirs."""
    result = {key: value for key, value in {**record, **changes}.items() if value is not None or key not in changes}
    for key in [key for key in changes if key not in record and key in result and key in _PLACE]:
        value = result.pop(key)
        items = list(result.items())
        at = next((i for i, (other, _) in enumerate(items) if _PLACE.get(other, -1) > _PLACE[key]), len(items))
        result = dict([*items[:at], (key, value), *items[at:]])
    return result


def touched(record: Record, changes: Record, actor: str, now: int) -> Record:
    """The record with the changes and who made them when; the very same record when nothing is different."""
    real = {key: value for key, value in changes.items() if record.get(key) != value}
    return updated(record, {**real, "updated_at": clock.stamp(now), "updated_by": actor}) if real else record


def noted(record: Record, note: str) -> str:
    """The record's notes with this one behind the others, once."""
    notes = str(record.get("notes") or "")
    return notes if note in notes else f"{notes}\n\n{note}".strip()


def unique(pairs: list[tuple[str, Any]]) -> Record:
    """The object of these pairs. Raises ValueError where a key stands twice."""
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return record


_decode = jsons.decoder(unique)
