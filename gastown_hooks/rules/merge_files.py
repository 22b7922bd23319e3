"""Three-way merge of whole ledger files, bytes in, bytes out, by the engine of merge3. Never fails on content.

The result is sorted by id; an untouched line keeps its bytes; a line that is no bead is carried at the end (3-way too).
Two beads that two clones made under one id are told apart: the earlier keeps the id, the later gets another one that every
clone finds alike, and what its own side says of it (edges, children, mentions) follows. So does what a side says that had it by the
old id and hears of the change by this merge, whoever made it (`moves`); a tombstone "now OTHER-ID" that stayed there is no bead and
makes room for one.
"""

from __future__ import annotations

from gastown_hooks.core import record
from gastown_hooks.core.jsons import canonical
from gastown_hooks.core.late import late
from gastown_hooks.rules import merge3, states
from gastown_hooks.rules.moves import Moves, made

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import renames
    from gastown_hooks.rules.merge3 import Conflict
else:
    renames = late("gastown_hooks.rules.renames")

_NONE = b"\xff"  # behind every id
_FEW = 20  # ids, of which a line is looked through for each


class MergedFile:
    """The merged file; what had to give way; beads that got another id, of ours (`moved`) and of both; lines that are no bead."""

    __slots__ = ("bad", "conflicts", "data", "moved", "renamed")

    def __init__(self, lines: dict[bytes, bytes], conflicts: list[Conflict], ways: Sequence[dict[str, str]], bad: list[bytes]) -> None:
        self.moved, self.renamed = ways[0], dict(sorted({*ways[0].items(), *ways[1].items()}))
        self.data = b"".join([*map(lines.__getitem__, sorted(lines)), *(line + b"\n" for line in bad)])
        self.conflicts, self.bad = conflicts, bad


class _Side:
    """One version, read."""

    __slots__ = ("bad", "lines", "records")

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.lines: dict[str, bytes] = {}
        self.bad: set[bytes] = set()


def merge_files(base: bytes, ours: bytes, theirs: bytes) -> MergedFile:
    """The three versions of issues.jsonl as one. `merge_files(b, x, y)` equals `merge_files(b, y, x)`."""
    parted = _parted(base, ours, theirs)
    if parted is not None:
        merged = _merge(*parted)
        if merged is not None:
            return merged
    merged = _merge([data.split(b"\n") for data in (base, ours, theirs)])
    assert merged is not None
    return merged


def _parted(base: bytes, ours: bytes, theirs: bytes) -> tuple[list[list[bytes]], dict[bytes, bytes]] | None:
    """What is the engine's of the three versions, and by id the lines that are as they were, or that one side alone changed: none of
    these is read further than its id. None for a file that is empty, damaged, not sorted or unusual."""
    settled: dict[bytes, bytes] = {}
    parts: list[list[bytes]] = [[], [], []]
    at, here, there, last = 0, 0, 0, b""  # where the lines of base, ours and theirs begin
    while True:
        end = base.find(b"\n", at) + 1
        old = base[at:end] if end else base[at:]
        if end and ours.startswith(old, here) and theirs.startswith(old, there):  # most lines: nothing else is copied
            key = _key(old)
            if key <= last or key == _NONE or b"\\" in key:
                return None
            settled[key] = old
            last, at, here, there = key, end, here + len(old), there + len(old)
            continue
        three = old, _next(ours, here), _next(theirs, there)
        if not any(three):
            break
        keys = [_key(line) for line in three]
        key = min(keys)
        if key <= last or key == _NONE or b"\\" in key:
            return None
        found = [line if its == key else b"" for line, its in zip(three, keys, strict=True)]
        _settle(key, found, settled, parts)
        last, at, here, there = key, at + len(found[0]), here + len(found[1]), there + len(found[2])
    whole = all(data.endswith(b"\n") for data in (base, ours, theirs))
    return (parts, settled) if whole and settled else None


def _next(data: bytes, at: int) -> bytes:
    """The line that begins there, with its newline."""
    return data[at:data.find(b"\n", at) + 1 or None]


def _key(line: bytes) -> bytes:
    """The line's id; behind all others, of what is none."""
    return line[7:line.find(b'"', 7)] if line.startswith(b'{"id":"') and line.endswith(b"}\n") else _NONE


def _settle(key: bytes, lines: Sequence[bytes], settled: dict[bytes, bytes], parts: list[list[bytes]]) -> None:
    """One bead's three lines; none: it is not there."""
    base, mine, theirs = lines
    changed = theirs if mine == base else mine if theirs in (base, mine) else b""
    if changed and (changed == base or _may_stand(key, changed, base)):
        settled[key] = changed
        return
    for part, line in zip(parts, lines, strict=True):
        if line:
            part.append(line[:-1])


def _may_stand(key: bytes, line: bytes, base: bytes) -> bool:
    """Whether a line that one side changed is that bead, no other one made under its id, nor under another one now, and the bead was
    not deleted before."""
    try:
        found = record.decode(line)
    except ValueError:
        return False
    begun = str(found.get("created_at", "")).encode()
    is_it = found["id"] == key.decode() and (not base or base.find(begun) >= 0)
    was_deleted, is_deleted = base.find(b"tombstone") >= 0, found.get("status") == states.TOMBSTONE
    elsewhere = (was_deleted and b'"now ' in base) or (is_deleted and states.renamed(found)) or (
        "metadata" in found and states.former(found) and states.RENAMED_FROM.encode() not in base)
    return is_it and not elsewhere and (is_deleted or not was_deleted)


def _merge(versions: list[list[bytes]], settled: dict[bytes, bytes] | None = None) -> MergedFile | None:
    """The merge of these lines, beside those that are settled; None where those must be looked at too."""
    old = _side(versions[0], {})
    one, other = (_side(lines, old.records) for lines in versions[1:])
    moved = Moves(old.records, one.records, other.records)
    if any(moved.ways) and settled is not None:  # a new id is chosen, and mentions are rewritten, with all beads in sight
        return None
    before = old.records
    for version, side in enumerate((old, one, other)):
        _make_room(side, moved)
        if moved.chains:
            _move(version, side, moved, before)
    _unite(old, one, other)
    conflicts = moved.conflicts
    lines = dict(settled or {})
    for bead_id in {*one.records, *other.records}:
        merged = merge3.merge_record(old.records.get(bead_id), one.records.get(bead_id), other.records.get(bead_id))
        conflicts += merged.conflicts
        if merged.record is not None:
            lines[bead_id.encode()] = _line(merged.record, one, other) + b"\n"
    bad = sorted(line for line in one.bad | other.bad if line not in old.bad or line in one.bad & other.bad)
    return MergedFile(lines, sorted(conflicts, key=str), moved.ways[1:], bad)


def _side(lines: list[bytes], base: dict[str, Record]) -> _Side:
    """One version, read; two lines of one id (a union merge) are merged with each other."""
    side = _Side()
    for line in lines:
        if not line.strip():
            continue
        try:
            found = record.decode(line)
        except ValueError:
            side.bad.add(line)
            continue
        bead_id = found["id"]
        if bead_id in side.records:
            twin = merge3.merge_record(base.get(bead_id), side.records[bead_id], found).record
            side.records[bead_id] = found if twin is None else twin
            side.lines.pop(bead_id, None)
        else:
            side.records[bead_id], side.lines[bead_id] = found, line
    return side


def _line(merged: Record, *sides: _Side) -> bytes:
    """The bytes that a side has for exactly this record, so that an untouched line stays as its writer wrote it."""
    encoded, bead_id = record.encode(merged), merged["id"]
    own = [side.lines[bead_id] for side in sides
           if bead_id in side.lines and side.records[bead_id] == merged and record.encode(side.records[bead_id]) == encoded]
    return min(own, default=encoded)


# ---- beads under other ids ---------------------------------------------------------------------------------

def _move(version: int, side: _Side, moved: Moves, old: Mapping[str, Record]) -> None:
    """Give the version's beads their ids, and rewrite what it says of them: what is as the base has it means the base's beads."""
    records: dict[str, Record] = {}
    words = [name.encode() for name in {*moved.ways[0], *moved.ways[version]}]
    for name, found in sorted(side.records.items(), key=lambda entry: not states.renamed(entry[1])):  # a bead counts, not what forwards
        line = side.lines.get(name) if len(words) < _FEW and name not in moved.chains else None
        if line is not None and not any(word in line for word in words):
            records[name] = found
            continue
        way = moved.ways[0 if name in old and canonical(found) == canonical(old[name]) else version]
        if forwards := states.renamed(found):
            new = {**found, "delete_reason": f"now {way.get(forwards, forwards)}"}
        else:
            new_id = moved.ways[version].get(name, name)
            new = renames.renamed(found, way if way.get(name, name) == new_id else {**way, name: new_id})
            if new_id in moved.chains:
                new = states.with_former(new, moved.chains[new_id])
        if new != found:
            side.lines.pop(name, None)
        records[new["id"]] = new
    side.records = records


def _make_room(side: _Side, moved: Moves) -> None:
    for name in [name for name, found in side.records.items() if states.renamed(found) and moved.gives_way(name, found)]:
        del side.records[name]
        side.lines.pop(name, None)


def _unite(old: _Side, one: _Side, other: _Side) -> None:
    """Of what two beads left under one id the earlier's stays."""
    for name in one.records.keys() & other.records.keys():
        here, there = one.records[name], other.records[name]
        if states.renamed(here) and states.renamed(there) and made(here) != made(there):
            earlier, later = (one, other) if made(here) < made(there) else (other, one)
            for side in (old, later):
                side.records[name] = earlier.records[name]
                side.lines.pop(name, None)
