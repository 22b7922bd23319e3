"""heartbeat.json: a sign of life, replaced as a whole, without fsync (the last beat before a power cut says nothing anyway).

Fields: actor, session, pid, start (ticks since boot), boot_id, seq (grows with each beat), progress (changes when work moves),
state, bead, ttl (seconds within which the next beat is due), at (RFC 3339, for people only). Absent: never beat.
"""

from __future__ import annotations

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.stores.processes import Process

TTL = 300
ATTACHED = "attached"  # the state while a person has the worker's session: the process is that session's, not the runner's
_TYPES = {"actor": str, "session": str, "pid": int, "start": int, "boot_id": str, "seq": int, "progress": str, "state": str,
          "bead": str, "ttl": int}


class Beat:
    """One heartbeat."""

    __slots__ = ("actor", "bead", "boot_id", "pid", "progress", "seq", "session", "start", "state", "ttl")

    def __init__(self, *, actor: str, session: str, pid: int, start: int, boot_id: str, seq: int, progress: str, state: str,
                 bead: str, ttl: int = TTL) -> None:
        self.actor, self.session, self.bead, self.state = actor, session, bead, state
        self.pid, self.start, self.boot_id = pid, start, boot_id
        self.seq, self.progress, self.ttl = seq, progress, ttl

    def process(self) -> Process:
        """The process that wrote it."""
        return Process(self.pid, self.start, self.boot_id)


def write(path: str, beat: Beat) -> None:
    """Replace the heartbeat."""
    value = {key: getattr(beat, key) for key in _TYPES}
    fsio.write_json(path, {**value, "at": clock.stamp(clock.now())}, durable=False)


def read(path: str) -> Beat | None:
    """The last heartbeat; None where there never was one. Raises Corrupt for anything that cannot be one."""
    value = fsio.read_json(path)
    if value is None:
        return None
    if not isinstance(value, dict) or any(type(value.get(key)) is not kind for key, kind in _TYPES.items()):
        raise Corrupt(f"{path} is no heartbeat", why="a field is missing or of the wrong kind")
    return Beat(**{key: value[key] for key in _TYPES})
