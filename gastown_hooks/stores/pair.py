"""One consistent look at a ledger: the journal's bytes and the open issues.jsonl that they continue."""

from __future__ import annotations

import json
import os

from gastown_hooks.core import record
from gastown_hooks.stores import lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.core.paths import Beads
    from gastown_hooks.core.record import Record

    Signature = tuple[int, int, int]
else:
    Signature = tuple


def signature(status: os.stat_result) -> Signature:
    """Size, mtime in nanoseconds, inode."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def header(base: Signature) -> bytes:
    """The journal's first line."""
    return json.dumps({"_journal": 1, "base": list(base)}, separators=(",", ":")).encode() + b"\n"


class Pair:
    """The journal's whole lines and the file, read in this order; `matches` tells whether they belong together."""

    def __init__(self, journal: bytes, inode: int, has_journal: bool, data: bytes, base: Signature) -> None:
        self._journal, self._inode, self.has_journal, self._data, self.base = journal, inode, has_journal, data, base
        self._history: dict[str, list[bytes | None]] | None = None
        self._parsed: dict[str, bytes] | None = None
        self.problems: list[lines.Problem] = []  # what `records` left out

    @staticmethod
    def open(beads: Beads, *, journal: bool) -> Pair | None:
        """None when there is no issues.jsonl. The journal first: the file may then only be newer, and that shows."""
        text, inode, there = b"", 0, False
        if journal:
            try:
                with open(beads.journal, "rb") as file:
                    inode, there = os.fstat(file.fileno()).st_ino, True
                    text = file.read()
            except FileNotFoundError:
                pass
        try:
            with open(beads.issues, "rb") as file:
                return Pair(text[: text.rfind(b"\n") + 1], inode, there, file.read(), signature(os.fstat(file.fileno())))
        except FileNotFoundError:
            return None

    def matches(self) -> bool:
        """Whether the journal continues exactly this file (no journal yet: nothing to continue)."""
        return not self.has_journal or self._journal.startswith(header(self.base))

    def same_files(self, other: Pair) -> bool:
        """Whether nobody swapped or edited either file since `other` was read; the journal may have grown."""
        return (self._inode, self.base) == (other._inode, other.base) and self._journal.startswith(other._journal)

    def issues(self) -> bytes:
        return self._data

    def history(self) -> dict[str, list[bytes | None]]:
        """Per bead of the journal: its value in the file, then each value written since."""
        if self._history is None:
            self._history = {}
            for line in self._journal.split(b"\n")[1:]:
                _collect(line, self._history)
        return self._history

    def journaled(self) -> dict[str, bytes]:
        """Per bead of the journal its last value."""
        return {bead_id: values[-1] for bead_id, values in self.history().items() if values[-1] is not None}

    def line(self, bead_id: str) -> bytes | None:
        """The bead's line as it stands now."""
        values = self.history().get(bead_id)
        if values:
            return values[-1]
        if not self.has_journal:  # nobody vouches for the file's order
            return self._lines().get(bead_id)
        start, end, found = lines.find(self._data, bead_id)
        return self._data[start:end] if found else None

    def records(self) -> dict[str, Record]:
        """Every bead, by id."""
        return {bead_id: record.decode(line) for bead_id, line in {**self._lines(), **self.journaled()}.items()}

    def _lines(self) -> dict[str, bytes]:
        if self._parsed is None:
            found = lines.parse(self._data)
            self._parsed, self.problems = found.lines, found.problems
        return self._parsed

    def transaction(self, changed: dict[str, bytes]) -> bytes:
        """The journal line that writes these beads."""
        entries = []
        for bead_id, line in changed.items():
            if bead_id not in self.history():
                entries.append(b"=" + bead_id.encode() + b" " + (self.line(bead_id) or b"null"))
            entries.append(bead_id.encode() + b" " + line)
        return b"\t".join(entries) + b"\n"

    def rest_after(self, folded: Pair, base: Signature) -> bytes:
        """The new journal once `folded` is in the file with signature `base`: what was written since, with its new bases."""
        known = {bead_id: values[-1] for bead_id, values in folded.history().items()}
        seen: set[bytes] = set()
        text = [header(base)]
        for line in self._journal[len(folded._journal):].split(b"\n")[:-1]:
            entries = []
            for entry in line.split(b"\t"):
                bead_id = entry.partition(b" ")[0]
                if not entry.startswith(b"="):
                    if bead_id not in seen:
                        seen.add(bead_id)
                        value = known.get(bead_id.decode()) or folded.line(bead_id.decode()) or b"null"
                        entries.append(b"=" + bead_id + b" " + value)
                    entries.append(entry)
            text.append(b"\t".join(entries) + b"\n")
        return b"".join(text)


def _collect(line: bytes, history: dict[str, list[bytes | None]]) -> None:
    for entry in line.split(b"\t") if line else ():
        name, _, value = entry.partition(b" ")
        if name.startswith(b"="):
            history.setdefault(name[1:].decode(), [None if value == b"null" else value])
        else:
            history.setdefault(name.decode(), [None]).append(value)


__all__ = ["Pair", "Signature", "header", "signature"]
