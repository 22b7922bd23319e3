"""The text of issues.jsonl: find a bead's line by binary search, splice lines in, parse a file that somebody edited.

The file is sorted by id as plain bytes. A line that is no bead (`record.decode` tells) is carried at the end, byte for byte, and reported;
a search ends before those (`sound`), whatever id they begin with.
"""

from __future__ import annotations

from gastown_hooks.core import record
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.late import late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import merge3
else:
    merge3 = late("gastown_hooks.rules.merge3")

_WINDOW = 1 << 11  # about three lines
_ENOUGH = 1 << 14  # read as a whole


class Problem:
    """A line that is no bead: its number (from 1), why, and the line."""

    __slots__ = ("line", "number", "why")

    def __init__(self, number: int, why: str, line: bytes) -> None:
        self.number, self.why, self.line = number, why, line

    def __str__(self) -> str:
        return f"line {self.number}: {self.why}"


class Parsed:
    """A whole file: each bead's line, the lines that are none, and duplicates that lost against their twin."""

    __slots__ = ("bad", "beads", "lines", "losers", "problems")

    def __init__(self) -> None:
        self.beads: dict[str, Record] = {}
        self.lines: dict[str, bytes] = {}
        self.bad: list[bytes] = []
        self.losers: list[bytes] = []
        self.problems: list[Problem] = []

    def text(self) -> bytes:
        ordered = sorted(self.lines.items(), key=lambda item: item[0].encode())
        return b"".join(line + b"\n" for line in [*(line for _, line in ordered), *self.bad])


def parse(data: bytes) -> Parsed:
    """Read a file of any order and health. Two lines of one id are merged; what the merge drops goes to `losers`."""
    found = Parsed()
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            bead = record.decode(line)
        except ValueError as error:
            found.bad.append(line)
            found.problems.append(Problem(number, str(error), line))
            continue
        twin = found.lines.setdefault(bead["id"], line)
        found.beads.setdefault(bead["id"], bead)
        if twin != line:
            merged = merge3.merge_record(None, record.decode(twin), bead).record
            found.lines[bead["id"]] = record.encode(merged) if merged is not None else twin
            found.beads[bead["id"]] = record.decode(found.lines[bead["id"]])
            found.losers += [twin, line]
            found.problems.append(Problem(number, f"{bead['id']} stands twice", line))
    return found


def normal(data: bytes) -> bytes:
    """The file sorted, for one that any program may have written; the same bytes when it was."""
    if is_sorted(data):
        return data
    return parse(data).text()


def is_sorted(data: bytes) -> bool:
    previous: bytes | None = b""
    for line in data.split(b"\n"):
        if not line:
            continue
        key = key_of(line)
        if (previous is None and key is not None) or (key is not None and previous is not None and key <= previous):
            return False
        previous = key
    return data == b"" or data.endswith(b"\n")


def key_of(line: bytes) -> bytes | None:
    """The line's id as bytes; None for a line that is no bead (sorted behind all others)."""
    if line.startswith(b'{"id":"'):
        end = line.find(b'"', 7)
        if end > 7 and b"\\" not in line[7:end] and line.endswith(b"}"):
            return line[7:end]
    try:
        return str(record.decode(line)["id"]).encode()
    except ValueError:
        return None


def is_bead(line: bytes) -> bool:
    try:
        return bool(record.decode(line))
    except ValueError:
        return False


def decoded(line: bytes, bead_id: str) -> Record:
    """The bead in a line that was found under its id. Raises Corrupt."""
    try:
        return record.decode(line)
    except ValueError as error:
        raise Corrupt(f"bead {bead_id} is damaged", why=str(error),
                      next=f"grep -n {bead_id} .beads/issues.jsonl .beads/issues.journal, then mend the line") from None


def sound(read: Callable[[int, int], bytes], size: int) -> int:
    """Where in a file of that size, of which `read(start, length)` gives a part, the lines that are no bead begin."""
    while size:
        start, line = _line_at(read, size - 1, 0, size)
        if is_bead(line):
            break
        size = start
    return size


def sound_of(data: bytes) -> int:
    """`sound` of a file that was read."""
    return sound(lambda start, length: data[start : start + length], len(data))


def find(data: bytes, bead_id: str, end: int | None = None) -> tuple[int, int, bool]:
    """(start, end, found): the bead's line without its newline, or the place where it would stand. `end`: the file's `sound`."""
    wanted, low, high = bead_id.encode(), 0, sound_of(data) if end is None else end
    while low < high:
        start = data.rfind(b"\n", low, (low + high) // 2) + 1 or low
        stop = data.find(b"\n", start)
        stop = len(data) if stop < 0 else stop
        key = key_of(data[start:stop])
        if key == wanted:
            return start, stop, True
        if key is None or key > wanted:
            high = start
        else:
            low = min(stop + 1, len(data))
    return low, low, False


def find_in(read: Callable[[int, int], bytes], size: int, bead_id: str,
            seen: dict[int, tuple[int, bytes, bytes | None]] | None = None) -> bytes | None:
    """`find` in a file of which `read(start, length)` gives a part, up to `size`, its `sound`; only a few kilobytes are read.

    `seen`: lines that were met on the way, and their keys, by where they were looked for. Kept for the next search in the same file.
    """
    wanted, low, high, seen = bead_id.encode(), 0, size, {} if seen is None else seen
    while high - low > _ENOUGH:
        middle = (low + high) // 2
        if middle not in seen:
            start, line = _line_at(read, middle, low, high)
            seen[middle] = start, line, key_of(line)
        start, line, key = seen[middle]
        if key == wanted:
            return line
        if key is None or key > wanted:
            high = start
        else:
            low = min(start + len(line) + 1, high)
    data = read(low, high - low)
    start, end, found = find(data, bead_id, len(data))
    return data[start:end] if found else None


def _line_at(read: Callable[[int, int], bytes], middle: int, low: int, high: int) -> tuple[int, bytes]:
    """(start, line) of the line around `middle`, between two beginnings of lines."""
    span = _WINDOW
    while True:
        first, last = max(low, middle - span), min(high, middle + span)
        data = read(first, last - first)
        start, end = data.rfind(b"\n", 0, middle - first) + 1, data.find(b"\n", middle - first)
        if (start or first == low) and (end >= 0 or last == high):
            return first + start, data[start : end if end >= 0 else len(data)]
        span *= 8


def cut(data: bytes, bead_ids: Iterable[str]) -> bytes:
    """The file without these beads' lines."""
    pieces: list[bytes] = []
    at, sound_end = 0, sound_of(data)
    for bead_id in sorted(bead_ids, key=str.encode):
        start, end, found = find(data, bead_id, sound_end)
        if found:
            pieces.append(data[at:start])
            at = end + 1
    return b"".join([*pieces, data[at:]])


def splice(data: bytes, changed: dict[str, bytes]) -> bytes:
    """The file with these beads' lines in their places. A line there that is no bead goes to the end."""
    pieces: list[bytes] = []
    bad: list[bytes] = []
    at, sound_end = 0, sound_of(data)
    for bead_id in sorted(changed, key=str.encode):
        start, end, found = find(data, bead_id, sound_end)
        pieces += [data[at:start], changed[bead_id], b"\n"]
        at = end + 1 if found else start
        if found and data[start:end] != changed[bead_id] and not is_bead(data[start:end]):
            bad.append(data[start:at])
    return b"".join([*pieces, data[at:sound_end], *bad, data[sound_end:]])
