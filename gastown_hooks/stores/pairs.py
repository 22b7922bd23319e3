"""One consistent look at a ledger: the journal's bytes and the open issues.jsonl that they continue.

The file is held open and read where it is needed: a swap of the file changes nothing for who holds it, and whether it was edited
in place meanwhile `steady` tells.
"""

from __future__ import annotations

from gastown_hooks.core import jsons, record
from gastown_hooks.core.late import late
from gastown_hooks.core.system import os
from gastown_hooks.stores import lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    import gc
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    from gastown_hooks.core.paths import Beads
    from gastown_hooks.core.record import Record
    from gastown_hooks.stores import archive

    Signature = tuple[int, int, int]
    T = TypeVar("T")
else:
    gc, archive, Signature = late("gc"), late("gastown_hooks.stores.archive"), tuple


_MANY = 20  # lookups in a file without a journal: to read it all is quicker
_KEPT = 4000  # lines of the file: a command asks for the same ones again and again


def signature(status: os.stat_result) -> Signature:
    """Size, mtime in nanoseconds, inode."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def header(base: Signature, folded: tuple[int, ...] = ()) -> bytes:
    """The journal's first line. `folded`: which file, and which journal up to which length, a fold made the file from."""
    return jsons.dumps({"_journal": 1, "base": list(base), **({"folded": list(folded)} if folded else {})}).encode() + b"\n"


def uncollected(make: Callable[[], T]) -> T:
    """What `make` returns; the collector rests meanwhile: so many new objects, none of them garbage, take twice the time with it."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return make()
    finally:
        if collects:
            gc.enable()


class Pair:
    """The journal's whole lines and the file, read in this order; `matches` tells whether they belong together."""

    def __init__(self, beads: Beads, journal: bytes, grown: Signature | None, fd: int) -> None:
        self.beads, self._journal, self._grown, self._fd = beads, journal, grown, fd
        self.has_journal, self.inode = grown is not None, grown[2] if grown else 0
        self.base = signature(os.fstat(fd))
        self._data: bytes | None = None
        self._lasts: dict[str, bytes | None] = {}
        self._found: dict[str, bytes | None] = {}
        self._names: set[bytes] | None = None  # what stands behind a `=` of the journal: the ids of all its beads are among that
        self._history: dict[str, list[bytes | None]] | None = None
        self._parsed: dict[str, bytes] | None = None
        self._sound: int | None = None
        self._sorted: bool | None = None
        self.problems: list[lines.Problem] = []  # what `records` left out

    def __del__(self) -> None:
        os.close(self._fd)

    @staticmethod
    def open(beads: Beads, *, journal: bool) -> Pair | None:
        """None when there is no issues.jsonl. The journal first: the file may then only be newer, and that shows."""
        text, grown = b"", None
        if journal:
            try:
                with open(beads.journal, "rb") as file:
                    grown = signature(os.fstat(file.fileno()))
                    text = file.read()
            except FileNotFoundError:
                pass
        try:
            return Pair(beads, text[: text.rfind(b"\n") + 1], grown, os.open(beads.issues, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return None

    def matches(self) -> bool:
        """Whether the journal continues exactly this file (no journal yet: nothing to continue)."""
        start = header(self.base)[:-2]
        return not self.has_journal or (self._journal.startswith(start) and self._journal[len(start):len(start) + 1] in (b"}", b","))

    def steady(self) -> bool:
        """Whether the file is still what it was when it was opened; if not, what was read may be neither old nor new."""
        return signature(os.fstat(self._fd)) == self.base

    def is_small(self) -> bool:
        """Whether it holds only a few of the file's lines."""
        return self._data is None and self._parsed is None

    def is_current(self) -> bool:
        """Whether both files are still there as they were when they were opened."""
        try:
            return signature(os.stat(self.beads.issues)) == self.base and (
                self._grown is None or signature(os.stat(self.beads.journal)) == self._grown)
        except FileNotFoundError:
            return False

    def same_files(self, other: Pair) -> bool:
        """Whether nobody swapped or edited either file since `other` was read; the journal may have grown."""
        return (self.inode, self.base) == (other.inode, other.base) and self._journal.startswith(other._journal)

    def issues(self) -> bytes:
        """The whole file."""
        if self._data is None:
            self._data = b""
            while part := os.pread(self._fd, max(self.base[0], 1 << 16), len(self._data)):
                self._data += part
        return self._data

    def journal(self) -> bytes:
        """The journal's whole lines."""
        return self._journal

    def count(self) -> int:
        """About how many beads there are: enough to choose the length of an id."""
        sample = self._read(self.base[0] // 2, 1 << 16)
        return self._journal.count(b"\n") + self.base[0] * (sample.count(b"\n") + 1) // max(1, len(sample))

    def history(self) -> dict[str, list[bytes | None]]:
        """Per bead of the journal: its value in the file, then each value written since."""
        if self._history is None:
            self._history = {}
            for line in self._journal.split(b"\n")[1:]:
                _collect(line, self._history)
        return self._history

    def since(self, place: int) -> dict[str, tuple[bytes | None, bytes]]:
        """Per bead that the journal writes behind that place, what it was there (None: nothing) and what it is."""
        found: dict[str, list[bytes | None]] = {}
        for line in self._journal[place:].split(b"\n"):
            _collect(line, found)
        return {name: (values[0] if values[0] is not None else self._before(name, place), values[-1])
                for name, values in found.items() if values[-1] is not None}

    def journaled(self) -> dict[str, bytes]:
        """Per bead of the journal its last value."""
        return {bead_id: values[-1] for bead_id, values in self.history().items() if values[-1] is not None}

    def line(self, bead_id: str) -> bytes | None:
        """The bead's line as it stands now, in the ledger or in its archive."""
        found = self.filed(bead_id)
        return self._shelved(bead_id) if found is None else found

    def _shelved(self, bead_id: str) -> bytes | None:
        return archive.line(self.beads, bead_id) if os.path.isdir(self.beads.archive) else None  # most ledgers have none

    def filed(self, bead_id: str) -> bytes | None:
        """The bead's line in the ledger."""
        last = self._last(bead_id)
        if last is not None:
            return last
        if bead_id not in self._found:
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[bead_id] = self._in_file(bead_id)
        return self._found[bead_id]

    def _in_file(self, bead_id: str) -> bytes | None:
        if self.has_journal or self._is_quick():
            if self._sound is None:
                self._sound = lines.sound(self._read, self.base[0])
            found = lines.find_in(self._read, self._sound, bead_id)
            if self.has_journal or found is None or lines.is_bead(found):
                return found
        return self._lines().get(bead_id)

    def _is_quick(self) -> bool:
        """Whether a bead can be searched, where no journal vouches for the file's order, and is not one of many."""
        if self._sorted is None:
            self._sorted = lines.is_sorted(self.issues())
        return self._sorted and self._parsed is None and len(self._lasts) < _MANY

    def several(self, bead_ids: Iterable[str]) -> dict[str, bytes]:
        """`line` of many: the file is read once. Only with a journal, which vouches for the file's order."""
        last, data, found = self.journaled(), self.issues(), dict[str, bytes]()
        sound = lines.sound_of(data)
        for bead_id in bead_ids:
            start, end, there = lines.find(data, bead_id, sound)
            there_now = last[bead_id] if bead_id in last else data[start:end] if there else self._shelved(bead_id)
            if there_now is not None:
                found[bead_id] = there_now
        return found

    def _last(self, bead_id: str) -> bytes | None:
        """The bead's last value in the journal."""
        if bead_id not in self._lasts:
            if self._lasts and self._names is None:  # takes as long as to search for one: not for the first
                self._names = set(_behind(self._journal, b"="))
            is_there = self._names is None or bead_id.encode() in self._names
            self._lasts[bead_id] = self._before(bead_id, len(self._journal)) if is_there else None
        return self._lasts[bead_id]

    def _before(self, bead_id: str, end: int) -> bytes | None:
        """The bead's last value before that place. JSON of ours holds neither tab nor newline, so what stands behind one is a name."""
        name = bead_id.encode() + b" "
        at = self._journal.rfind(name, 0, end)
        while at >= 0 and self._journal[at - 1] not in b"\n\t":
            at = self._journal.rfind(name, 0, at)
        if at < 0:
            return None
        at += len(name)
        end = self._journal.index(b"\n", at)
        tab = self._journal.find(b"\t", at, end)
        return self._journal[at : end if tab < 0 else tab]

    def _read(self, start: int, length: int) -> bytes:
        return os.pread(self._fd, length, start)

    def records(self) -> dict[str, Record]:
        """Every bead, by id, the archive's too."""
        found, old = uncollected(lambda: (lines.parse(self.issues()), archive.everything(self.beads)))
        self._parsed = found.lines
        return self._now(found, old)

    def marked(self, mark: Callable[[bytes], T]) -> tuple[dict[str, Record], dict[str, T]]:
        """`records`, and a mark of each one's line; the lines are read in parts and not kept."""
        found, old, before = lines.Parsed(), archive.everything(self.beads), 0
        marks = {bead_id: mark(line) for bead_id, line in old.lines.items()}
        for part in lines.parts(self._read):
            some = lines.parse(part)
            if not found.beads.keys().isdisjoint(some.beads):  # one of them stands twice
                return self.records(), {bead_id: mark(line) for bead_id, line in self.lines().items()}
            found.beads.update(some.beads)
            found.problems += [lines.Problem(before + one.number, one.why, one.line) for one in some.problems]
            marks.update(zip(some.lines, map(mark, some.lines.values()), strict=True))
            before += part.count(b"\n") + 1
        marks.update((bead_id, mark(line)) for bead_id, line in self.journaled().items())
        return self._now(found, old), marks

    def _now(self, found: lines.Parsed, old: lines.Parsed) -> dict[str, Record]:
        """What the file and the archive hold, and the journal makes of it."""
        now, self.problems = found.beads, found.problems + old.problems
        for bead_id, line in self.journaled().items():
            try:
                now[bead_id] = record.decode(line)
            except ValueError as error:
                now.pop(bead_id, None)  # what it was before is not what it is
                number = self._journal.count(b"\n", 0, self._journal.rfind(line)) + 1
                self.problems.append(lines.Problem(number, f"of {self.beads.journal}: {bead_id}: {error}", line))
        return {**now, **{bead_id: bead for bead_id, bead in old.beads.items() if bead_id not in now}} if old.beads else now

    def lines(self) -> dict[str, bytes]:
        """Every bead's line, by id, the archive's too."""
        return {**archive.everything(self.beads).lines, **self._lines(), **self.journaled()}

    def naming(self, texts: Sequence[str]) -> Iterable[str]:
        """The ids of the beads in whose lines one of these stands somewhere, the archive's too; of many, or without a journal: of all."""
        if len(texts) > _MANY or not self.has_journal or os.path.isdir(self.beads.archive):
            return list(self.records())
        now, wanted = self.journaled(), [text.encode() for text in texts]
        found = [line for line in lines.holding(self._read, wanted) if lines.is_bead(line)]
        there = {key.decode() for key in map(lines.key_of, found) if key is not None}
        late = [name for name, line in now.items() if any(text in line for text in wanted) and lines.is_bead(line)]
        return [*there.difference(now), *late]

    def _lines(self) -> dict[str, bytes]:
        if self._parsed is None:
            self._parsed = lines.parse(self.issues(), beads=False).lines
        return self._parsed

    def transaction(self, changed: dict[str, bytes]) -> bytes:
        """The journal line that writes these beads."""
        entries = []
        for bead_id, line in changed.items():
            if self._last(bead_id) is None:
                entries.append(b"=" + bead_id.encode() + b" " + _plain(self.line(bead_id) or b"null"))
            entries.append(bead_id.encode() + b" " + line)
        return b"\t".join(entries) + b"\n"

    def rest_after(self, folded: Pair, base: Signature) -> bytes:
        """The new journal once `folded` is in the file with signature `base`: what was written since, with its new bases."""
        known = {bead_id: values[-1] for bead_id, values in folded.history().items()}
        seen: set[bytes] = set()
        text = [header(base, (*folded.base, folded.inode, len(folded.journal())))]
        for line in self._journal[len(folded._journal):].split(b"\n")[:-1]:
            entries = []
            for entry in line.split(b"\t"):
                bead_id = entry.partition(b" ")[0]
                if not entry.startswith(b"="):
                    if bead_id not in seen:
                        seen.add(bead_id)
                        value = known.get(bead_id.decode()) or folded.line(bead_id.decode()) or b"null"
                        entries.append(b"=" + bead_id + b" " + _plain(value))
                    entries.append(entry)
            text.append(b"\t".join(entries) + b"\n")
        return b"".join(text)


def _behind(text: bytes, mark: bytes) -> Iterable[bytes]:
    """The words behind that letter."""
    at = text.find(mark)
    while at >= 0:
        yield text[at + 1:text.find(b" ", at)]
        at = text.find(mark, at + 1)


def _plain(line: bytes) -> bytes:
    """The line of another program that puts tabs between its words, without them: they part the journal's entries."""
    return record.encode(record.decode(line)) if b"\t" in line else line


def _collect(line: bytes, history: dict[str, list[bytes | None]]) -> None:
    for entry in line.split(b"\t") if line else ():
        name, _, value = entry.partition(b" ")
        if name.startswith(b"="):
            history.setdefault(name[1:].decode(), [None if value == b"null" else value])
        else:
            history.setdefault(name.decode(), [None]).append(value)


__all__ = ["Pair", "Signature", "header", "signature"]
