"""The text of issues.jsonl: find a bead's line by binary search, splice lines in, parse a file that somebody edited.

The file is sorted by id as plain bytes. A line that is no bead (`record.decode` tells) is carried at the end, byte for byte, and reported;
a search ends before those (`sound`), whatever id they begin with.
"""

from __future__ import annotations

from gastown_hooks.core import errors, record
from gastown_hooks.core.late import late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gastown_hooks.core import bulk
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import merge3
else:
    bulk = late("gastown_hooks.core.bulk")
    merge3 = late("gastown_hooks.rules.merge3")

_PART = 1 << 16  # of more, each gets new pages from the kernel
_TOGETHER = 100  # lines that are decoded at once
_WINDOW = 1 << 11  # about three lines
_BLOCK = 1 << 14  # read at once


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
        return b"\n".join([*map(self.lines.__getitem__, sorted(self.lines, key=str.encode)), *self.bad, b""])


def parse(data: bytes, *, beads: bool = True) -> Parsed:
    """Read a file of any order and health. Two lines of one id are merged; what the merge drops goes to `losers`. Not `beads`: they are
    looked at and let go, which takes less time and half the memory."""
    found, every = Parsed(), data.split(b"\n")
    if not every[-1]:
        every.pop()
    for start in range(0, len(every), _TOGETHER):
        some = every[start:start + _TOGETHER]
        try:
            new = {bead["id"]: bead for bead in bulk.decode(some)}
        except ValueError:
            new = {}
        if len(new) == len(some) and found.lines.keys().isdisjoint(new):
            found.lines.update(zip(new, some, strict=True))
            if beads:
                found.beads.update(new)
        else:
            _parse(found, some, start)
    return found


def _parse(found: Parsed, some: Iterable[bytes], start: int) -> None:
    """The same of these lines, one by one; `start`: how many stand before them."""
    for number, line in enumerate(some, start + 1):
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
        if end > 7 and line.find(b"\\", 7, end) < 0 and line.endswith(b"}"):
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
        raise errors.Corrupt(f"bead {bead_id} is damaged", why=str(error),
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


def find_in(read: Callable[[int, int], bytes], size: int, bead_id: str) -> bytes | None:
    """`find` in a file of which `read(start, length)` gives a part, up to `size`, its `sound`; only some kilobytes are read.

    Most ids are random, so where one must stand can be guessed, the second time by the ids that were met. Else: always the middle.
    """
    wanted, low, high, below, above, least = bead_id.encode(), 0, size, 0.0, 1.0, 0
    head = wanted[:wanted.rfind(b"-") + 1]
    goal = _place(wanted, head, wanted)
    guesses = [_BLOCK] * 3
    while low < high:
        block = max(least, guesses.pop() if guesses else _WINDOW)
        share = (goal - below) / (above - below) if block >= _BLOCK and below <= goal <= above and below < above else 0.5
        first = max(low, min(low + int(share * (high - low)) - block // 2, high - block))
        data = read(first, min(block, high - first))
        start = 0 if first == low else data.find(b"\n") + 1
        end = len(data) if first + len(data) == high else data.rfind(b"\n") + 1
        if end <= start or (start == 0 and first > low):
            least = block * 8  # not one whole line
            continue
        data = data[start:end]
        at, stop, found = find(data, bead_id, len(data))
        if found or 0 < at < len(data):
            return data[at:stop] if found else None
        if at == 0:
            high, above = first + start, _place(key_of(data[:data.find(b"\n")]) or wanted, head, wanted)
        else:
            low, below = first + end, _place(key_of(data[data.rfind(b"\n", 0, -1) + 1:-1]) or wanted, head, wanted)
    return None


def _place(key: bytes, head: bytes, wanted: bytes) -> float:
    """Where, from 0 to 1, an id would stand among evenly spread ones that begin like the one wanted."""
    if not key.startswith(head):
        return float(key > wanted)
    found, scale = 0.0, 1.0
    for letter in key[len(head):len(head) + 6]:
        scale /= 36
        found += scale * (letter - 48 if letter < 58 else letter - 87)
    return min(max(found, 0.0), 1.0)


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


def parts(read: Callable[[int, int], bytes]) -> Iterator[bytes]:
    """A file in parts of whole lines, the last newline of each left out: none has to be held longer."""
    at, rest = 0, b""
    while part := read(at, _PART):
        at += len(part)
        data, newline, rest = (rest + part).rpartition(b"\n")
        if newline:
            yield data
    if rest:
        yield rest


def holding(read: Callable[[int, int], bytes], texts: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file in which one of these texts stands."""
    for part in parts(read):
        yield from _holding(part, texts)


def _holding(data: bytes, texts: Iterable[bytes]) -> Iterator[bytes]:
    for text in texts:
        at = data.find(text)
        while at >= 0:
            end = data.find(b"\n", at)
            yield data[data.rfind(b"\n", 0, at) + 1:end if end >= 0 else len(data)]
            at = data.find(text, end) if end >= 0 else -1


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
