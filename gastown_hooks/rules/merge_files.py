"""Three-way merge of whole ledger files, bytes in, bytes out, by the engine of merge3. Never fails on content.

The result is sorted by id; an untouched line keeps its bytes; a line that is no bead is carried at the end (3-way too).
Two beads that two clones made under one id are told apart: the earlier keeps the id, the later gets another one that every
clone finds alike, and what its own side says of it (edges, children, mentions) follows. So does what a side says that had it by the
old id and hears of the change by this merge; a tombstone "now OTHER-ID" that stayed there is no bead and makes room for one.
"""

from __future__ import annotations

import itertools

from gastown_hooks.core import ids, record
from gastown_hooks.core.jsons import canonical
from gastown_hooks.rules import merge3, states
from gastown_hooks.rules.merge3 import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gastown_hooks.core.record import Record

RENAMED = "renamed_from"
_NONE = b"\xff"  # behind every id
_TEXTS = ("title", "description", "design", "acceptance_criteria", "notes", "close_reason")
_IN_IDS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class MergedFile:
    """The merged file; what had to give way; beads that got another id; lines that are no bead."""

    __slots__ = ("bad", "conflicts", "data", "renamed")

    def __init__(self, lines: dict[bytes, bytes], conflicts: list[Conflict], renamed: dict[str, str], bad: list[bytes]) -> None:
        self.data = b"".join([*map(lines.__getitem__, sorted(lines)), *(line + b"\n" for line in bad)])
        self.conflicts, self.renamed, self.bad = conflicts, renamed, bad


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
        if merged is not None and not merged.renamed:  # a new id is chosen, and mentions are rewritten, with all beads in sight
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
    """Whether a line that one side changed is that bead, no other one made under its id, and the bead was not deleted before."""
    try:
        found = record.decode(line)
    except ValueError:
        return False
    made = str(found.get("created_at", "")).encode()
    is_it = bool(found["id"] == key.decode()) and (not base or made in base)
    return is_it and (b"tombstone" not in base or found.get("status") == states.TOMBSTONE)


def _merge(versions: list[list[bytes]], settled: dict[bytes, bytes] | None = None) -> MergedFile | None:
    """The merge of these lines, beside those that are settled; None where those must be looked at too."""
    old = _side(versions[0], {})
    one, other = (_side(lines, old.records) for lines in versions[1:])
    conflicts: list[Conflict] = []
    renamed: dict[str, str] = {}
    if _may_have_moved(old, one, other):
        if settled is not None:
            return None
        _make_room(old, one, other)
        renamed = _follow(old, one, other)
    renamed |= _part_twins(old, one, other, conflicts)
    lines = dict(settled or {})
    for bead_id in {*one.records, *other.records}:
        merged = merge3.merge_record(old.records.get(bead_id), one.records.get(bead_id), other.records.get(bead_id))
        conflicts += merged.conflicts
        if merged.record is not None:
            lines[bead_id.encode()] = _line(merged.record, one, other) + b"\n"
    bad = sorted(line for line in one.bad | other.bad if line not in old.bad or line in one.bad & other.bad)
    return MergedFile(lines, sorted(conflicts, key=str), renamed, bad)


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


# ---- two beads under one id --------------------------------------------------------------------------------

def _part_twins(old: _Side, one: _Side, other: _Side, conflicts: list[Conflict]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for bead_id in sorted({*one.records} & {*other.records} - {*old.records}):
        if bead_id not in one.records or bead_id not in other.records:
            continue  # moved along with its parent
        here, there = one.records[bead_id], other.records[bead_id]
        if not _are_two(here, there):
            continue
        later = other if _birth(here) < _birth(there) else one
        new_id = _new_id(later.records[bead_id], {**old.records, **one.records, **other.records})
        moves = {name: new_id + name.removeprefix(bead_id) for name in later.records
                 if name == bead_id or (name.startswith(f"{bead_id}.") and name not in old.records)}
        _move(later, old, moves)
        renamed |= moves
        conflicts.append(Conflict(bead_id, "(id)", "the earlier bead", f"the later one, now {new_id}"))
    return renamed


def _born(found: Record) -> tuple[int, str]:
    return merge3.instant(found.get("created_at")) or 0, str(found.get("created_by"))


def _is_another(there: Record | None, found: Record) -> bool | None:
    """None: there is none."""
    if there is None:
        return None
    same = all(there.get(key) == found.get(key) for key in ("created_at", "created_by"))
    return not same and _born(there) != _born(found)


def _forwards(found: Record) -> bool:
    """Whether it is no bead, but what stays where one had its id before."""
    return bool(states.renamed(found))


def _may_have_moved(old: _Side, one: _Side, other: _Side) -> bool:
    """Whether under some id a side has another bead by now, or what stays of one."""
    return any(_is_another(side.records.get(name), found) for name, found in old.records.items() for side in (one, other)) or any(
        _is_another(other.records.get(name), found) and (_forwards(found) or _forwards(other.records[name]))
        for name, found in one.records.items())


def _make_room(*sides: _Side) -> None:
    """What only forwards goes where another bead has the id."""
    for side in sides:
        for name in [name for name, found in side.records.items() if _forwards(found)]:
            others = [there.records[name] for there in sides if name in there.records]
            if any(_is_another(there, side.records[name]) and not _forwards(there) for there in others):
                del side.records[name]
                side.lines.pop(name, None)


def _follow(old: _Side, one: _Side, other: _Side) -> dict[str, str]:
    """Beads that one side has under another id since, because theirs was another's too: what the other side says of them follows."""
    ways = [(before, _gone_to(old, before, after)) for before, after in ((one, other), (other, one))]
    for before, moves in ways:
        for side in (old, before) if moves else ():
            _rewrite(side, moves)
    return {name: new_id for _, moves in ways for name, new_id in moves.items()}


def _gone_to(old: _Side, before: _Side, after: _Side) -> dict[str, str]:
    """The ids that beads have in `after` by now, for a side that has not heard of it; and what else there makes room or goes along."""
    new: dict[tuple[int, str], list[str]] = {}
    for name, found in after.records.items():
        is_heard_of = any(_is_another(side.records.get(name), found) is False for side in (old, before))
        if not is_heard_of and isinstance(found.get("metadata"), dict) and RENAMED in found["metadata"]:
            new.setdefault(_born(found), []).append(name)
    same: dict[tuple[int, str], list[str]] = {}
    for name, found in before.records.items() if new else ():
        if not _forwards(found) and not _is_another(old.records.get(name), found):
            same.setdefault(_born(found), []).append(name)
    moves: dict[str, str] = {}
    for born, fits in new.items():
        for name in same.get(born, ()):
            its = [one for one in fits if after.records[one]["metadata"][RENAMED] == name] or (
                fits if len(same[born]) == 1 and name in old.records else [])  # changed more than once
            there = after.records.get(name)
            if len(its) == 1 and (there is None or _forwards(there) or _is_another(there, before.records[name])):
                moves[name] = its[0]
    taken = {**old.records, **before.records, **after.records}
    rooms = set(moves.values())
    for name in sorted(before.records.keys() - old.records.keys() - moves.keys(), key=lambda name: (states.depth(name), name)):
        head = name.rpartition(".")[0]
        while head and head not in moves:
            head = head.rpartition(".")[0]
        if head or name in rooms:
            there_id = moves[head] + name.removeprefix(head) if head else name
            moves[name] = _new_id({**before.records[name], "id": there_id}, taken) if there_id in taken else there_id
            taken[moves[name]] = before.records[name]
    return moves


def _are_two(one: Record, other: Record) -> bool:
    return one.get("title") != other.get("title") and _born(one) != _born(other)


def _birth(found: Record) -> tuple[int, str, str]:
    """Of two, the order; of one moment, some order."""
    return *_born(found), canonical(found)


def _new_id(found: Record, taken: Mapping[str, Record]) -> str:
    bead_id = found["id"]
    for name, there in sorted(taken.items()):
        metadata = there.get("metadata")
        if isinstance(metadata, dict) and metadata.get(RENAMED) == bead_id and _born(there) == _born(found):
            return name  # parted before, in another clone
    if states.depth(bead_id):
        parent = bead_id.rpartition(".")[0]
        return f"{parent}.{states.child_number(taken, parent)}"
    prefix, _, tail = bead_id.rpartition("-")
    parts = [bead_id, *(str(found.get(key)) for key in ("created_at", "created_by", "title"))]
    while True:
        name = ids.derived(prefix, *parts, length=max(len(tail.partition(".")[0]), ids.MIN_LENGTH))
        if name not in taken:
            return name
        parts.append("again")


def _move(side: _Side, old: _Side, moves: dict[str, str]) -> None:
    """Give the side's beads their new ids, and rewrite what its own changes say of them."""
    _rewrite(side, moves, {name for name, found in side.records.items()
                           if name in old.records and canonical(found) == canonical(old.records[name])})


def _rewrite(side: _Side, moves: dict[str, str], but: Iterable[str] = ()) -> None:
    records: dict[str, Record] = {}
    for name, found in side.records.items():
        new = found if name in but else _rewritten(found, moves)
        if name in moves and name not in but:
            before = new.get("metadata")
            new = record.updated(new, {"metadata": {**(before if isinstance(before, dict) else {}), RENAMED: name}})
        if new != found:
            side.lines.pop(name, None)
        records[new["id"]] = new
    side.records = records


def _rewritten(found: Record, moves: dict[str, str]) -> Record:
    new = dict(found)
    new["id"] = moves.get(found["id"], found["id"])
    for key in ("dependencies", "comments"):
        if isinstance(found.get(key), list):
            new[key] = [{k: moves.get(v, v) if k in ("issue_id", "depends_on_id") and isinstance(v, str) else v
                         for k, v in part.items()} if isinstance(part, dict) else part for part in found[key]]
    for key in _TEXTS:
        if isinstance(found.get(key), str) and any(name in found[key] for name in moves):
            marks = {name: f"\0{number}\0" for number, name in enumerate(sorted(moves, reverse=True))}  # one may go where another was
            for name, mark in marks.items():
                new[key] = _mentioned(new[key], name, mark)
            for name, mark in marks.items():
                new[key] = new[key].replace(mark, moves[name])
    return new


def _mentioned(text: str, name: str, other: str) -> str:
    """The text with the id replaced where it stands alone (`gp-a` not in `gp-ab`, nor in `gp-a.1`)."""
    parts = text.split(name)
    result = parts[0]
    for before, after in itertools.pairwise(parts):
        inside = bool({before[-1:], after[:1]} & _IN_IDS) or (after[:1] == "." and after[1:2].isdigit())
        result += (name if inside else other) + after
    return result
