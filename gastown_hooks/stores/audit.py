"""What happened to a ledger's beads, as events: `local/events.log`, and what the journal holds since.

A transaction is its own event: what the journal says of a bead, before and after, is all that an event tells (`rules/audit`). So no
writer writes a second line, and no kill parts a change from its event. Who replaces a journal (the fold, the absorption of an edited
file) first keeps its events here. Each such addition ends with a line of type `mark`: {journal, to} says which journal is kept how far,
so one that is kept twice is kept once; {start, previous} where its events begin and where the mark before it ends, so a reader goes
back only as far as it must, and past what a killed writer left half; `count` numbers the events.

A ledger without a journal (`code-branch`) keeps the events before it swaps the file; its mark names the file (`base`) that the change
replaces. While that file is still there the change did not happen, and the addition is passed over. What another program wrote into the
file is no event: git tells who did that.
"""

from __future__ import annotations

import os
from itertools import islice

from gastown_hooks.core import clock, fsio, jsons, lock
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.rules import audit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gastown_hooks.core.paths import Beads
    from gastown_hooks.core.record import Record
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.stores.pairs import Pair

_MARK = b'"type":"mark"'
_RENAMED = b'"type":"renamed"'
_STEP = 1 << 12


class _Mark:
    """A mark's line, from `first` to `end`, and what it says."""

    __slots__ = ("at", "base", "count", "end", "first", "journal", "previous", "start", "to")

    def __init__(self, first: int, end: int, at: int, payload: Record) -> None:
        self.first, self.end, self.at = first, end, at
        self.count: int = payload["count"]
        self.start: int = payload["start"]
        self.previous: int = payload["previous"]
        self.journal: list[int] | None = payload.get("journal")
        self.to: int | None = payload.get("to")
        self.base: list[int] | None = payload.get("base")


class Log:
    """A ledger's events as they were at one moment."""

    def __init__(self, fd: int | None, last: _Mark | None, fresh: list[Record], path: str) -> None:
        self._fd, self._last, self._fresh, self._path = fd, last, fresh, path
        self.count = (last.count if last else 0) + len(fresh)  # how many ever happened

    def __del__(self) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def backwards(self, since: int = 0, holding: bytes = b"") -> Iterator[Record]:
        """The events, the newest first, read as far as they are asked for: none that was kept before `since`, perhaps none whose line
        does not hold these bytes. A bead is called by its last id. Raises Corrupt for a line that is no event."""
        names: dict[str, str] = {}
        sought = [holding, _RENAMED]
        for event in self._found(since, sought):
            bead = event["payload"].get("bead")
            called = names.get(bead, bead)
            if event["type"] == audit.RENAMED:
                old = str(event["payload"]["changes"]["id"][0])
                names[old] = called
                sought.append(f'"bead":{jsons.dumps_ascii(old)}'.encode())
            yield event if called == bead else {**event, "payload": {**event["payload"], "bead": called}}

    def _found(self, since: int, sought: list[bytes]) -> Iterator[Record]:
        """The events as they are written, those whose lines hold one of these."""
        yield from reversed(self._fresh)
        mark = self._last
        while mark is not None and self._fd is not None and mark.at >= since:
            text = os.pread(self._fd, mark.first - mark.start, mark.start)
            for line in reversed(fsio.whole_lines(text)):
                if any(one in line for one in sought):
                    yield _parsed(line, self._path)
            mark = _mark_before(self._fd, mark.previous)

    def after(self, count: int) -> list[Record]:
        """The events behind the first so many, the oldest first."""
        return list(islice(self.backwards(), max(0, self.count - count)))[::-1]


def look(ledger: Ledger) -> Log:
    """The ledger's events. Raises what reading the ledger raises."""
    beads = ledger.beads
    while True:
        pair = ledger.look(lambda pair: pair)  # first: what is kept meanwhile, the mark then says
        fd = _open(beads)
        last = None if fd is None else _last(fd, pair)
        if not pair.has_journal or os.stat(beads.journal).st_ino == pair.inode:
            return Log(fd, last, list(_told(pair.journal(), _kept(pair, last))), beads.events)


def state(beads: Beads) -> list[tuple[int, int, int] | None]:
    """What differs when something may have happened since: of each file its size, time and inode."""
    found: list[tuple[int, int, int] | None] = []
    for path in (beads.issues, beads.journal, beads.events):
        try:
            status = os.stat(path)
            found.append((status.st_size, status.st_mtime_ns, status.st_ino))
        except FileNotFoundError:
            found.append(None)
    return found


def keep(beads: Beads, pair: Pair) -> None:
    """Keep the events of a journal that is about to be replaced. Raises StorageFailed, LockTimeout."""
    with lock.acquire(beads.events_lock):
        _keep(beads, pair, {"journal": _origin(pair), "to": len(pair.journal())}, None)


def announce(beads: Beads, pair: Pair, changed: dict[str, bytes]) -> None:
    """Keep the events of a change that is about to replace the whole file."""
    with lock.acquire(beads.events_lock):
        _keep(beads, pair, {"base": list(pair.base)}, changed)


# ---- inside ------------------------------------------------------------------------------------------------

def _keep(beads: Beads, pair: Pair, facts: Record, changed: dict[str, bytes] | None) -> None:
    fd = fsio.open_log(beads.events)
    try:
        last, end = _last(fd, pair), _whole(fd)
    finally:
        os.close(fd)
    if changed is None:
        found = list(_told(pair.journal(), _kept(pair, last)))
    else:
        found = audit.together([(_record(pair.line(bead_id)), _record(line) or {}) for bead_id, line in changed.items()])
    if not found:
        return
    mark = {"ts": clock.stamp(clock.now()), "type": "mark", "actor": "", "payload": {
        "count": (last.count if last else 0) + len(found), "start": end, "previous": last.end if last else 0, **facts}}
    fsio.append(beads.events, b"".join(jsons.dumps_ascii(event).encode() + b"\n" for event in [*found, mark]))


def _told(journal: bytes, start: int) -> Iterator[Record]:
    """The events of a journal from there on."""
    now: dict[bytes, bytes] = {}
    at = journal.find(b"\n") + 1
    for line in journal[at:].split(b"\n")[:-1]:
        changes: list[tuple[Record | None, Record]] = []
        for entry in line.split(b"\t"):
            name, _, value = entry.partition(b" ")
            if name.startswith(b"="):
                now[name[1:]] = value
                continue
            after = _record(value) if at >= start else None
            if after is not None and isinstance(after.get("id"), str):
                changes.append((_record(now.get(name)), after))
            now[name] = value
        yield from audit.together(changes)
        at += len(line) + 1


def _record(line: bytes | None) -> Record | None:
    """The bead of a line; None for none, and for what another program left in its place."""
    try:
        found = jsons.loads(line.decode()) if line else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _origin(pair: Pair) -> list[int]:
    """Which journal this is: the file it continues, and its inode, which another has while this one is there."""
    try:
        base = list(jsons.loads(pair.journal().partition(b"\n")[0].decode())["base"])
    except (ValueError, KeyError, TypeError):
        base = []  # no journal of ours: the ledger takes the file as it is
    return [*base, pair.inode]


def _kept(pair: Pair, last: _Mark | None) -> int:
    """How much of the journal is kept already."""
    return last.to or 0 if last is not None and pair.journal() and last.journal == _origin(pair) else 0


def _open(beads: Beads) -> int | None:
    try:
        return os.open(beads.events, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _last(fd: int, pair: Pair) -> _Mark | None:
    """The last mark of something that happened."""
    mark = _mark_before(fd, os.fstat(fd).st_size)
    if mark is not None and mark.base == list(pair.base) and not pair.has_journal:
        return _mark_before(fd, mark.previous)  # its writer was killed before the swap
    return mark


def _mark_before(fd: int, end: int) -> _Mark | None:
    """The last mark whose line ends there or before."""
    span = _STEP
    while end > 0:
        low = max(0, end - span)
        data = os.pread(fd, end - low, low)
        stop = data.rfind(b"\n") + 1
        while (at := data.rfind(_MARK, 0, stop)) >= 0:
            first = data.rfind(b"\n", 0, at) + 1
            if first == 0 and low > 0:
                break
            after = data.find(b"\n", at) + 1
            found = _mark(_record(data[first:after]) or {}, low + first, low + after)
            if found is not None:
                return found
            stop = first
        if low == 0:
            break
        span *= 8
    return None


def _mark(event: Record, first: int, end: int) -> _Mark | None:
    """The event as a mark; None for any other, and for one that somebody spoilt: it stops no writer, and the mark before it counts."""
    payload = event.get("payload")
    if event.get("type") != "mark" or not isinstance(payload, dict):
        return None
    try:
        found = _Mark(first, end, clock.parse(event["ts"]), payload)
        return found if 0 <= found.previous <= found.start <= first and found.count >= 0 and (found.to or 0) >= 0 else None
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _whole(fd: int) -> int:
    """Where the file's whole lines end: the next addition begins there."""
    end = os.fstat(fd).st_size
    while end > 0:
        low = max(0, end - _STEP)
        newline = os.pread(fd, end - low, low).rfind(b"\n")
        if newline >= 0:
            return low + newline + 1
        end = low
    return 0


def _parsed(line: bytes, path: str) -> Record:
    event = _record(line) or {}
    if not isinstance(event.get("payload"), dict) or not all(isinstance(event.get(key), str) for key in ("ts", "type", "actor")):
        raise Corrupt(f"{path} is damaged", why="a line of it is no event", next=f"python3 -m json.tool --json-lines {path} > /dev/null")
    return event


__all__ = ["Log", "announce", "keep", "look", "state"]
