"""What a gate waits for: a bead of type `gate` with `await_type`, `await_id`, `timeout` (nanoseconds). Pure.

Whatever waits for a gate waits until it is closed (rules/ready). A person may close a `human` one, and any other once what it waits for has
happened, as far as records and time can tell; before that, or where they cannot, it takes insisting.
"""

from __future__ import annotations

from gastown_hooks.core import clock
from gastown_hooks.core.late import late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import ready
else:
    ready = late("gastown_hooks.rules.ready")

TYPES = ("human", "timer", "gh:run", "gh:pr", "bead", "mail", "command")
HUMAN = "human"


def words(gate: Record) -> str:
    """`gh:pr 12`, `timer`, `human` …"""
    return f"{gate.get('await_type') or HUMAN} {gate.get('await_id') or ''}".rstrip()


def pending(records: Mapping[str, Record], gate: Record, now: int) -> str:
    """What has not happened yet, in words; "" where nothing speaks against closing the gate."""
    how = gate.get("await_type") or HUMAN
    if how == HUMAN:
        return ""
    if how == "timer":
        end = ends(gate)
        return "" if end is not None and end <= now else f"timer, until {clock.stamp(end)}" if end is not None else "timer"
    if how == "bead":
        target = records.get(str(gate.get("await_id") or "").rpartition(":")[2])
        return "" if target is not None and ready.status(target) in ("closed", "tombstone") else words(gate)
    return words(gate)


def ends(gate: Record) -> int | None:
    """When a timer is over; None for one that tells no such time."""
    try:
        return clock.parse(gate["created_at"]) + int(gate["timeout"])
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        return None
