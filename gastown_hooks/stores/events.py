"""What happened: `<town>/.events.jsonl`, one line an event, `{"ts","type","actor","payload"}`. Nothing is decided from it.

Written under the file's own lock, so no line is ever lost between two writers; a torn last line (a killed writer's) is cut by the
next one and not shown by readers.
"""

from __future__ import annotations

from gastown_hooks.core import clock, fsio, jsons, lock
from gastown_hooks.core.errors import Corrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gastown_hooks.core.paths import Town


def emit(town: Town | None, kind: str, actor: str, payload: dict[str, Any], now: int) -> None:
    """Append one event; outside a town there is nothing to tell. Raises StorageFailed, LockTimeout."""
    if town is None:
        return
    line = jsons.dumps_ascii({"ts": clock.stamp(now), "type": kind, "actor": actor, "payload": payload}).encode() + b"\n"
    with lock.acquire(town.lock("events")):
        fsio.append(town.events, line)


def read(town: Town) -> list[dict[str, Any]]:
    """Every event, oldest first. Raises Corrupt naming the line that does not parse."""
    return list(_parsed(town))


def _parsed(town: Town) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(fsio.whole_lines(fsio.read(town.events) or b""), 1):
        try:
            event = jsons.loads(line.decode())
            if not isinstance(event, dict):
                raise ValueError("not a JSON object")
        except ValueError as error:
            raise Corrupt(f"{town.events} line {number}", why=str(error), next=f"sed -n {number}p {town.events}") from None
        yield event
