"""What happened: `<town>/.events.jsonl`, one line an event, `{"ts","type","actor","payload"}`. Nothing is decided from it.

Written under the file's own lock, so no line is ever lost between two writers; a torn last line (a killed writer's) is cut by the
next one and not shown by readers.
"""

from __future__ import annotations

from gastown_hooks.core import clock, fsio, jsons, lock
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gastown_hooks.core.paths import Town

_BLOCK = 1 << 16


def emit(town: Town | None, kind: str, actor: str, payload: dict[str, Any], now: int) -> None:
    """Append one event; outside a town there is nothing to tell. Raises StorageFailed, LockTimeout."""
    if town is None:
        return
    line = jsons.dumps_ascii({"ts": clock.stamp(now), "type": kind, "actor": actor, "payload": payload}).encode() + b"\n"
    with lock.acquire(town.lock("events")):
        fsio.append(town.events, line)


def read(town: Town) -> list[dict[str, Any]]:
    """Every event, oldest first. Raises Corrupt naming the line that does not parse."""
    return list(backwards(town))[::-1]


def backwards(town: Town, since: int = 0, holding: bytes = b"") -> Iterator[dict[str, Any]]:
    """The events, the newest first, read as far as they are asked for: all since then, perhaps older ones, perhaps none whose line does
    not hold these bytes. Raises Corrupt naming the line that does not parse."""
    try:
        fd = os.open(town.events, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        end, rest, oldest = os.fstat(fd).st_size, b"", clock.stamp(since).encode()
        while end > 0:
            low = max(0, end - _BLOCK)
            data = os.pread(fd, end - low, low) + rest
            cut = data.find(b"\n") + 1 if low else 0
            rest, lines = (data[:cut], fsio.whole_lines(data[cut:])) if cut or not low else (data, [])
            for line in reversed(lines):
                if holding in line:
                    yield _parsed(town, line)
            if lines and max(line[7:34] for line in lines) < oldest:  # one alone may be older than those before it: a long act's
                return
            end = low
    finally:
        os.close(fd)


def _parsed(town: Town, line: bytes) -> dict[str, Any]:
    try:
        event = jsons.loads(line.decode())
        if not (isinstance(event, dict) and isinstance(event.get("payload"), dict)
                and all(isinstance(event.get(key), str) for key in ("ts", "type", "actor"))):
            raise ValueError("not an event")
        return event
    except ValueError as error:
        number = fsio.whole_lines(fsio.read(town.events) or b"").index(line) + 1
        raise Corrupt(f"{town.events} line {number}", why=str(error), next=f"sed -n {number}p {town.events}") from None
