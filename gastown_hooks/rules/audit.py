"""What happened to a bead, as events {ts,type,actor,payload}: told by the record before a change and after it. Pure."""

from __future__ import annotations

from gastown_hooks.core import clock, jsons
from gastown_hooks.core import record as records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gastown_hooks.core.record import Record

_TOLD = 1000  # longer values are named in an event, not repeated
_QUIET = ("updated_at", "updated_by")
_GONE = "tombstone"


def happened(before: Record | None, after: Record) -> list[Record]:
    """The events of one change. A bead that came from elsewhere and was worked on there tells its creation, then its last change."""
    if before is not None:
        kind = _kind(records.status(before), records.status(after))
        changes = {key: _told(before.get(key), after.get(key)) for key in [*before, *(key for key in after if key not in before)]
                   if before.get(key) != after.get(key) and key not in _QUIET}
        return [_event(after, kind, "updated", {"changes": changes})]
    made = _event(after, "created", "created", {"title": after.get("title"), "issue_type": records.kind(after)})
    kind = _kind("open", records.status(after))
    if kind != "updated":
        return [made, _event(after, kind, "updated", {"changes": {"status": ["open", records.status(after)]}})]
    return [made]


def _event(after: Record, kind: str, whose: str, payload: Record) -> Record:
    actor = after.get(f"{whose}_by") or (after.get("deleted_by") if kind == "deleted" else None)
    return {"ts": _moment(after, f"{whose}_at"), "type": kind, "actor": str(actor or ""), "payload": {"bead": after["id"], **payload}}


def _kind(was: str, now: str) -> str:
    if was == now or (was not in ("closed", _GONE) and now not in ("closed", _GONE)):
        return "updated"
    return {"closed": "closed", _GONE: "deleted"}.get(now) or ("restored" if was == _GONE else "reopened")


def _moment(after: Record, key: str) -> str:
    """The time in a field, in the one form that sorts as text."""
    try:
        return clock.stamp(clock.parse(after[key]))
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError):
        return clock.stamp(0)  # no time that anybody can read


def _told(old: Any, new: Any) -> Any:
    """[old, new] where both are short; null says only that the field changed."""
    return [old, new] if len(jsons.dumps_ascii([old, new])) <= _TOLD else None
