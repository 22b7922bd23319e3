"""Which merge request goes first: a hard class for P0, then priority raised by age.

Score = (4 - priority) + age in hours / tau. P0 is never overtaken by ageing; among equals the older goes first. A request of
priority p thus waits at most p * tau plus the time that drains what was before it. A retry keeps its place: it only gets a
`not_before`.
"""

from __future__ import annotations

from gastown_hooks.core import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Record = dict[str, Any]

TAU_HOURS = 1.0
LOWEST = 4
_HOUR = 3600 * clock.SECOND


def queue_order(requests: Iterable[Record], now: int, *, tau_hours: float = TAU_HOURS) -> list[Record]:
    """The requests, next one first."""
    return sorted(requests, key=lambda request: _key(request, now, tau_hours))


def score(request: Record, now: int, *, tau_hours: float = TAU_HOURS) -> float:
    """What the order goes by below P0: higher is sooner."""
    return (LOWEST - priority(request)) + max(0, now - created(request, now)) / _HOUR / tau_hours


def is_due(request: Record, now: int) -> bool:
    """Whether its `not_before` (after a wait) has passed."""
    metadata = request.get("metadata")
    text = metadata.get("not_before") if isinstance(metadata, dict) else None
    return not text or _time(text, now) <= now


def priority(request: Record) -> int:
    """0 to 4; anything else counts as the lowest."""
    value = request.get("priority")
    return value if type(value) is int and 0 <= value <= LOWEST else LOWEST


def created(request: Record, now: int) -> int:
    """When it was made; an unreadable time counts as now."""
    return _time(request.get("created_at"), now)


def closed(request: Record, now: int) -> int:
    """When it was closed; an unreadable time counts as now."""
    return _time(request.get("closed_at"), now)


def _key(request: Record, now: int, tau_hours: float) -> tuple[bool, float, int, str]:
    urgent = priority(request) == 0
    return not urgent, 0.0 if urgent else -score(request, now, tau_hours=tau_hours), created(request, now), str(request.get("id"))


def _time(text: Any, fallback: int) -> int:
    try:
        return clock.parse(text)
    except (ValueError, TypeError, AttributeError, IndexError):
        return fallback
