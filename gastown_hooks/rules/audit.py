"""What happened to a bead, as events {ts,type,actor,payload}: told by the record before a change and after it. Pure."""

from __future__ import annotations

from gastown_hooks.core import clock, jsons
from gastown_hooks.core import record as records
from gastown_hooks.rules import states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gastown_hooks.core.record import Record

_TOLD = 1000  # longer values are named in an event, not repeated
_SHOWN = 60
_QUIET = ("updated_at", "updated_by")
_GONE = "tombstone"
RENAMED = "renamed"


def together(changes: Sequence[tuple[Record | None, Record]]) -> list[Record]:
    """The events of one transaction: of each bead its change. A bead that got another id was neither made nor deleted: `renamed`, whose
    changes are {id: [old, new]}; what happened before it under the old id happened to this bead."""
    ids = {after["id"] for _, after in changes}
    gone = {after["id"]: called for before, after in changes if before is not None and not states.renamed(before)
            and (called := states.renamed(after)) in ids}
    events: list[Record] = []
    for before, after in changes:
        old, new = after["id"], gone.get(after["id"])
        if new is not None:
            events.append(_event({**after, "id": new}, RENAMED, "deleted", {"changes": {"id": [old, new]}}))
        elif old not in gone.values():
            events += happened(before, after)
    return events


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


# ---- an event in words -------------------------------------------------------------------------------------

def symbol(event: Record) -> tuple[str, str]:
    """(kind, sign): create +, status → ✓ ✗, update →, comment →, delete ⊘."""
    kind, status = event["type"], new_status(event)
    if kind in ("created", "restored"):
        return "create", "+"
    if kind == "deleted":
        return "delete", "⊘"
    if status:
        return "status", {"closed": "✓", "blocked": "✗"}.get(status, "→")
    return "comment" if list(event["payload"].get("changes") or ()) == ["comments"] else "update", "→"


def new_status(event: Record) -> str:
    """The status that it brought; "" for none."""
    change = (event["payload"].get("changes") or {}).get("status")
    return str(change[1] or "open") if change else ""


def words(event: Record) -> str:
    """What happened, without the bead's id."""
    kind, payload = event["type"], event["payload"]
    if kind == "created":
        return f"created: {payload.get('title')}"
    if kind in ("deleted", "restored", "reopened"):
        return str(kind)
    changes = payload.get("changes")
    if not isinstance(changes, dict):
        return ", ".join([str(kind), *(f"{key} {_short(value)}" for key, value in payload.items() if key != "bead")])
    if kind == "closed":
        reason = (changes.get("close_reason") or [None, None])[1]
        return f"completed: {_short(reason)}" if reason else "completed"
    if list(changes) == ["comments"]:
        return "commented"
    status = new_status(event)
    rest = {key: change for key, change in changes.items() if key not in ("status", "started_at", "claim_fence")}
    return ", ".join([*([status] if status else []), *(f"{key} {_change(change)}" for key, change in rest.items())])


def _change(change: list[Any] | None) -> str:
    if change is None or any(isinstance(side, (dict, list)) for side in change):
        return "changed"
    old, new = change
    return f"{_short(old)} → {_short(new)}" if old not in (None, "") and new not in (None, "") else _short(new) if new else "cleared"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else jsons.dumps(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN - 1] + "…"
