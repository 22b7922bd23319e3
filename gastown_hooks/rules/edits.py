"""Small changes of a bead: each takes the record and gives the fields that become different. Pure; raises where it may not be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gastown_hooks.core import clock, ids, jsons
from gastown_hooks.core.errors import BadInput, Refused
from gastown_hooks.core.ids import shown
from gastown_hooks.rules import fields, filters, ready

Record = dict[str, Any]
_KEY_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_KEY = _KEY_FIRST | frozenset("0123456789.")


def labelled(record: Record, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Record:
    before = set(filters.labels(record))
    after = (before | set(add)) - set(remove)
    return {} if after == before else {"labels": sorted(after) or None}


def commented(record: Record, author: str, text: str, now: int) -> Record:
    """A comment more. Raises BadInput for an empty one."""
    if not text.strip():
        raise BadInput("the comment is empty", next=f"bd comment {record['id']} TEXT")
    at = clock.stamp(now)
    said = {"id": ids.derived("c", record["id"], at, text), "issue_id": record["id"], "author": author,
            "text": fields.text(text, "comment"), "created_at": at}
    return {"comments": [*(record.get("comments") or []), said]}


def put_off(record: Record, until: str | None, now: int) -> Record:
    """Not ready before a time, after which it is ready by itself; without one, until somebody says so. Raises Refused, BadInput."""
    if ready.status(record) == "closed":
        raise Refused(f"{record['id']} is closed", why="there is nothing to put off", next=f"bd reopen {record['id']}")
    if until is None:
        return {"status": "deferred", "defer_until": None}
    if clock.parse(until) <= now:
        raise BadInput(f"{until} is over", why="a bead is put off until a time to come", next=f"bd undefer {record['id']}")
    return {"defer_until": until, **({"status": "open"} if ready.status(record) == "deferred" else {})}


def taken_up(record: Record) -> Record:
    """The end of a deferral."""
    return {"defer_until": None, **({"status": "open"} if ready.status(record) == "deferred" else {})}


def metadata_object(text: str) -> Record:
    """A JSON object whose keys may stand in metadata. Raises BadInput."""
    try:
        found = jsons.loads(text)
    except ValueError as error:
        raise BadInput("the metadata is no JSON", why=str(error)) from None
    if not isinstance(found, dict):
        raise BadInput("the metadata is no JSON object", why='it looks like {"team":"web"}')
    return {metadata_key(key): value for key, value in found.items()}


def metadata_key(key: str) -> str:
    if not key or key[0] not in _KEY_FIRST or not _KEY.issuperset(key) or len(key) > fields.LONGEST_NAME:
        why = f"a letter or _, then letters, digits, _ or ., at most {fields.LONGEST_NAME}"
        raise BadInput(f"{shown(key)} is no metadata key", why=why)
    return key


def metadata_pair(text: str) -> tuple[str, Any]:
    """`key=value`; a value that is JSON is that value, any other a text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f"{shown(text)} is no KEY=VALUE")
    try:
        return metadata_key(key), jsons.loads(value)
    except ValueError:
        return metadata_key(key), fields.text(value, "metadata")


def validation(passed: bool | None, kind: str, signals: Iterable[str], score: float | None, note: str | None) -> Record:
    """What somebody found about a bead's work, from options. Raises BadInput."""
    if passed is None:
        raise BadInput("a verdict is needed", next="bd validate ID --pass, or --fail")
    found = dict(metadata_pair(signal if "=" in signal else f"{signal}=true") for signal in signals)
    return {"validation_type": fields.label(kind), "outcome": "passed" if passed else "failed",
            **({"score": score} if score is not None else {}), **({"note": fields.text(note, "note")} if note else {}),
            **({"quality_signals": found} if found else {})}


def validated(record: Record, by: str, found: Record, now: int) -> Record:
    """One validation more; the same word of the same one again changes nothing. Raises Refused for one's own work."""
    if record.get("assignee") == by:
        raise Refused(f"{by} did {record['id']}", why="somebody else has to say whether it is good", next=f"bd show {record['id']}")
    there = record.get("validations") or []
    mine = [entry for entry in there if isinstance(entry, dict) and entry.get("validated_by") == by
            and entry.get("validation_type") == found["validation_type"]]
    if mine and {key: value for key, value in mine[-1].items() if key not in ("validated_by", "timestamp")} == found:
        return {}
    return {"validations": [*there, {"validated_by": by, **found, "timestamp": clock.stamp(now)}]}
