"""How an index is brought up to its ledger: what the journal has that it has not seen, or all anew. See stores/index."""

from __future__ import annotations

from operator import itemgetter

from gastown_hooks.core import clock, fsio, jsons, lock, record
from gastown_hooks.core.late import late
from gastown_hooks.core.system import os
from gastown_hooks.rules import fields, graph, lint, ready, requests, states
from gastown_hooks.stores import index, known, lines, pairs, sqlite

TYPE_CHECKING = False
if TYPE_CHECKING:
    import zlib
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gastown_hooks.core.paths import Beads
    from gastown_hooks.core.record import Record
    from gastown_hooks.stores import external
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.stores.pairs import Pair
else:
    external, zlib = late("gastown_hooks.stores.external"), late("zlib")

_TAIL = 256  # bytes of the journal that must still stand before the place up to which it was seen
_LARGEST = 1 << 62
_MANY = 3000  # edited beads: more are not looked at one by one
_CHILDREN = "SELECT source FROM edge WHERE target = ? AND kind = ? ORDER BY source"
# Stands for a NULL of the last ten columns: for a None Python looks whether somebody adapts it, which takes four times as long.
_NULL = -_LARGEST - 1
_INSERT = f"INSERT INTO bead VALUES ({'?, ' * 15}{', '.join([f'nullif(?, {_NULL})'] * 10)})"
_LINK = "INSERT INTO edge VALUES (?, ?, ?, ?, ?, ?)"
_WAITS = graph.BLOCKING | {index.SPAWNER}
_KEEP = "INSERT OR REPLACE INTO kept VALUES (?, ?)"
_TABLES = """
CREATE TABLE state (version INTEGER, boot TEXT, base TEXT, inode INTEGER, size INTEGER, mtime INTEGER, seen INTEGER, tail BLOB,
                    odd INTEGER, ready INTEGER, external TEXT);
CREATE TABLE bead (priority INTEGER, created INTEGER, id TEXT, odd INTEGER, scope INTEGER, status TEXT, kind TEXT, assignee TEXT,
                   labels TEXT, low TEXT, pinned INTEGER, lacks INTEGER, fence INTEGER, title TEXT, doer TEXT,
                   ready_from INTEGER, blocked_from INTEGER, blocked_until INTEGER, updated INTEGER, closed INTEGER, due INTEGER,
                   defer INTEGER, held_by TEXT, estimate INTEGER, mark INTEGER,
                   PRIMARY KEY (priority, created, id)) WITHOUT ROWID;
CREATE TABLE kept (id TEXT PRIMARY KEY, line BLOB) WITHOUT ROWID;
CREATE TABLE text (id TEXT PRIMARY KEY, scope INTEGER, everything TEXT) WITHOUT ROWID;
CREATE TABLE edge (target TEXT, source TEXT, place INTEGER, kind TEXT, unknown INTEGER, closed INTEGER,
                   PRIMARY KEY (target, source, place)) WITHOUT ROWID;
"""
_INDEXES = f"""
CREATE INDEX by_id ON bead (id, status, mark);
CREATE INDEX by_urgency ON bead (priority, created, id) WHERE ready_from IS NOT NULL;
CREATE INDEX by_hold ON bead (priority, created, id, blocked_from, blocked_until) WHERE blocked_from IS NOT NULL;
CREATE INDEX by_pin ON bead (status, kind) WHERE pinned > 0;
CREATE INDEX by_kind ON bead (kind, status);
CREATE INDEX by_fence ON bead (status, fence, assignee, id, closed) WHERE fence > 0;
CREATE INDEX by_scope ON bead (scope, status, kind, assignee, closed, updated);
CREATE INDEX by_doer ON bead (doer) WHERE doer > '';
CREATE INDEX later ON bead (ready_from) WHERE ready_from > 0;
CREATE INDEX by_holder ON bead (held_by) WHERE held_by IS NOT NULL;
CREATE INDEX edge_source ON edge (source);
CREATE INDEX edge_unknown ON edge (target) WHERE unknown;
PRAGMA user_version = {index.VERSION};
"""


def caught_up(ledger: Ledger) -> index.Index | None:
    """The index as it must be now; None where there is none to be had. Raises sqlite.Error, StorageFailed, LockTimeout."""
    beads = ledger.beads
    if not os.path.exists(beads.journal):
        return None  # nothing was written through us yet, perhaps there is no ledger at all: no file of ours goes there
    with lock.acquire(beads.index_lock):
        found = index.look(beads)
        if found is not None:
            return found  # somebody else was at it
        status = os.stat(beads.journal)
        pair = ledger.look(lambda pair: pair)
        if not pair.has_journal:
            return None
        for again in (False, True):
            try:
                return _brought_up(beads, pair, status)
            except (sqlite.Error, ValueError):  # ValueError: a line that is no bead, to be counted as such
                if again:
                    raise
                _remove(beads)
    return None


def discard(beads: Beads) -> None:
    """Away with an index that turned out to be damaged."""
    with lock.acquire(beads.index_lock):
        _remove(beads)


def _remove(beads: Beads) -> None:
    fsio.remove(beads.index)
    fsio.remove(beads.index_journal)


def _brought_up(beads: Beads, pair: Pair, status: os.stat_result) -> index.Index:
    """Apply what the index has not seen, or build it anew. `status`: the journal's, taken before the pair was read."""
    db, kept = _writable(beads), list[object]()
    try:
        row = db.execute(index.STATE).fetchone() if db.execute("PRAGMA user_version").fetchone() == (index.VERSION,) else None
        start = None if row is None else _unseen(row, pair)
        changed = None if row is None else _differing(db, pair, row) if start is None else _changed(pair.journal()[start:])
        if row is None or changed is None:
            db.close()
            _remove(beads)
            db = _writable(beads)
            db.execute("BEGIN")
            odd, now_ready, elsewhere = pairs.uncollected(lambda: _build(db, beads, pair, kept))
        else:
            db = _alone(db, beads)
            odd, now_ready, elsewhere = _apply(db, beads, pair, changed, row)
            if start is None:
                found = pair.several(changed)
                db.executemany("UPDATE bead SET mark = ? WHERE id = ?", ((zlib.crc32(line), name) for name, line in found.items()))
        seen = len(pair.journal())
        db.execute("DELETE FROM state")
        db.execute("INSERT INTO state VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (
            index.VERSION, clock.boot_id(), jsons.dumps(list(pair.base)), pair.inode, status.st_size, status.st_mtime_ns, seen,
            pair.journal()[max(0, seen - _TAIL):], odd, now_ready, elsewhere))
        db.execute("COMMIT")
        db.execute("BEGIN")
        db.execute(index.STATE).fetchone()  # from here on it stays as it is for this reader
    except BaseException:
        db.close()
        raise
    seen_of = (jsons.dumps(list(pair.base)), pair.inode, seen)
    return index.Index(beads, db, odd, now_ready, seen_of, pair.journal()[max(0, seen - _TAIL):], True, kept)


def _writable(beads: Beads) -> sqlite.Connection:
    fsio.touch(beads.index)
    db = index.connect(beads)
    db.execute("PRAGMA journal_mode = PERSIST")
    db.execute("PRAGMA synchronous = OFF")
    return db


def _alone(db: sqlite.Connection, beads: Beads) -> sqlite.Connection:
    """Begin to write. Readers are waited for no longer than a copy takes: then they keep the old file, and the copy is the index.

    Two who read, each waiting to write what the other reads, would stand still until both give up.
    """
    db.execute(f"PRAGMA busy_timeout = {1 + (os.stat(beads.index).st_size >> 20)}")
    try:
        db.execute("BEGIN EXCLUSIVE")
        return db
    except sqlite.Error:
        db.close()
    fsio.write(beads.index, fsio.read(beads.index) or b"", durable=False)
    db = _writable(beads)
    db.execute("BEGIN EXCLUSIVE")
    return db


def _unseen(row: tuple[Any, ...], pair: Pair) -> int | None:
    """Where in the journal that begins which the index has not seen; None: it is of another history."""
    version, boot, base, inode, seen, tail = *row[:4], row[6], row[7]
    if version != index.VERSION or boot != clock.boot_id():
        return None
    journal = pair.journal()
    if base == jsons.dumps(list(pair.base)) and inode == pair.inode:
        return seen if len(journal) >= seen and journal[max(0, seen - _TAIL) : seen] == tail else None
    first = journal.find(b"\n") + 1
    folded = jsons.loads(journal[:first].decode()).get("folded")
    if folded and jsons.dumps(folded[:3]) == base and folded[3] == inode and seen >= folded[4]:
        return first  # the file holds all that was seen; what it does not hold stands in this journal
    return None


def _changed(journal: bytes) -> list[str]:
    """The beads that these lines of the journal write."""
    names = (entry.partition(b" ")[0] for line in journal.split(b"\n") if line and not line.startswith(b"{") for entry in line.split(b"\t"))
    return list(dict.fromkeys(name.decode() for name in names if not name.startswith(b"=")))


def _differing(db: sqlite.Connection, pair: Pair, state: tuple[Any, ...]) -> list[str] | None:
    """The beads whose lines are not those that the index has seen: somebody edited the file. None: it is easier to build it anew."""
    if state[:2] != (index.VERSION, clock.boot_id()) or state[8]:
        return None
    now, text = pair.journaled(), [line for line in pair.issues().split(b"\n") if line]
    was = db.execute("SELECT id, mark FROM bead INDEXED BY by_id ORDER BY id").fetchall()
    for _ in range(2):  # without what is alike at the beginning, then at the end: that is nearly all of it
        both = enumerate(zip(map(zlib.crc32, text), was, strict=False))
        alike = next((at for at, (mark, (_, seen)) in both if mark != seen), min(len(text), len(was)))
        text, was = text[alike:][::-1], was[alike:][::-1]
    changed, marks = list(now), {name: mark for name, mark in was if name not in now}
    for line in text:
        key = lines.key_of(line)
        if key is None:
            return None  # no bead
        name = key.decode()
        if name not in now and marks.pop(name, None) != zlib.crc32(line):
            changed.append(name)
            try:
                record.decode(line)
            except ValueError:
                return None
    return None if marks or len(changed) > _MANY else changed  # left: beads that are in the file no more


# ---- what is in it -----------------------------------------------------------------------------------------

def _build(db: sqlite.Connection, beads: Beads, pair: Pair, kept: list[object]) -> tuple[int, int, str]:
    found, marks = pair.marked(zlib.crc32)
    records = dict(sorted(found.items()))
    edges = [edge for bead in records.values() if "dependencies" in bead or bead.get("issue_type") == requests.TYPE
             for edge in _edges(bead, records)]
    edges.sort(key=itemgetter(0))
    family = dict[str, list[str]]()
    for target, source, _, kind, *_ in edges:
        if kind == graph.PARENT:
            family.setdefault(target, []).append(source)
    wanted = {edge[0] for edge in edges if fields.is_foreign(edge[0])}
    there = external.look(beads, wanted) if wanted else {}
    around = {**records, **there} if there else records
    for statement in _TABLES.split(";"):
        db.execute(statement)
    db.executemany(_LINK, edges)
    rows = [_row(bead, marks[bead_id], *_when(around, family, bead_id)) for bead_id, bead in records.items()]
    db.executemany("INSERT INTO text VALUES (?, ?, ?)", map(_text, records.values(), map(itemgetter(4), rows)))
    lasting = [row[2] for row in rows if row[6] in known.KEPT and known.is_kept(records[row[2]])]
    db.executemany(_KEEP, pair.several(lasting).items() if lasting else ())
    rows.sort()
    db.executemany(_INSERT, rows)
    for statement in _INDEXES.split(";"):
        db.execute(statement)
    kept += (records, found, marks, rows, edges)
    return sum(row[3] for row in rows) + len(pair.problems), sum(row[15] == 0 for row in rows), index.standing(there)


def _apply(db: sqlite.Connection, beads: Beads, pair: Pair, changed: list[str], state: tuple[Any, ...]) -> tuple[int, int, str]:
    odd, now_ready = state[8:10]
    family = known.Asked(lambda name: [row[0] for row in db.execute(_CHILDREN, (name, graph.PARENT))], list)
    records = known.Records(beads, pair, family)
    there = records.look_elsewhere({*jsons.loads(state[10]), *fields.foreign_targets(records[bead_id] for bead_id in changed)})
    moved = [name for name, was in jsons.loads(state[10]).items() if was != jsons.loads(index.standing({name: there[name]}))[name]]
    above = {row[0] for bead_id in changed for row in
             db.execute("SELECT target FROM edge WHERE source = ? AND kind = ?", (bead_id, graph.PARENT))}
    asked = "SELECT odd, ready_from, blocked_from, blocked_until FROM bead WHERE id = ?"
    before = {bead_id: row for bead_id in changed if (row := db.execute(asked, (bead_id,)).fetchone())}
    for bead_id in changed:
        db.execute("DELETE FROM edge WHERE source = ?", (bead_id,))
        db.execute("UPDATE edge SET unknown = 0 WHERE target = ? AND unknown", (bead_id,))
        db.executemany(_LINK, _edges(records[bead_id], records))
        above.update(graph.parents(records[bead_id]))
    for bead_id in _reached(db, [*changed, *moved], above):
        if fields.is_foreign(bead_id) or bead_id not in records:
            continue
        times = _when(records, family, bead_id)
        old = before.get(bead_id) or db.execute(asked, (bead_id,)).fetchone() or (0, None, None, None)
        now_ready += (times[0] == 0) - (old[1] == 0)
        if bead_id in changed:
            row = _row(records[bead_id], None, *times)
            odd += row[3] - old[0]
            db.execute("DELETE FROM bead WHERE id = ?", (bead_id,))
            db.execute(_INSERT, row)
            db.execute("INSERT OR REPLACE INTO text VALUES (?, ?, ?)", _text(records[bead_id], row[4]))
            db.execute("DELETE FROM kept WHERE id = ?", (bead_id,))
            if known.is_kept(records[bead_id]):
                db.execute(_KEEP, (bead_id, pair.line(bead_id)))
        elif times != old[1:]:
            db.execute("UPDATE bead SET ready_from = ?, blocked_from = ?, blocked_until = ? WHERE id = ?", (*times, bead_id))
    return odd, now_ready, index.standing({name: there[name] for name, _ in db.execute(index.FOREIGN) if name in there})


def _reached(db: sqlite.Connection, changed: list[str], above: set[str]) -> list[str]:
    """The beads whose readiness a change of these can have changed; `above`: the parents that they have and had."""
    marks = "SELECT source FROM edge WHERE target = ? AND kind IN (?, ?)"
    first = [*changed, *(row[0] for bead_id in changed for row in db.execute("SELECT source FROM edge WHERE target = ?", (bead_id,))),
             *(row[0] for bead_id in above for row in db.execute(marks, (bead_id, "waits-for", index.SPAWNER)))]
    found = list(dict.fromkeys(first))
    seen = set(found)
    for bead_id in found:
        new = [row[0] for row in db.execute("SELECT source FROM edge WHERE target = ? AND kind = ?", (bead_id, graph.PARENT))
               if row[0] not in seen]
        seen.update(new)
        found += new
    return found + [bead_id for bead_id in above if bead_id not in seen]


def _when(records: Mapping[str, Record], family: Mapping[str, list[str]], bead_id: str) -> tuple[int | None, int | None, int | None]:
    """(ready from, blocked from, blocked until) of a bead."""
    since, held = ready.when(records, family, bead_id)
    if held is None:
        return _time(since), None, None
    return _time(since), _time(held[0]), _LARGEST if held[1] is None else _time(held[1])


def _text(bead: Record, scope: int) -> tuple[str, int, str]:
    """The bead's row of `text`."""
    bead_id, get = bead["id"], bead.get
    return bead_id, scope, f"{bead_id}\x1f{get('title') or ''}\x1f{get('description') or ''}".lower()


def _scope(bead: Record, status: str, kind: str) -> int:
    if status == states.TOMBSTONE:
        return index.DELETED
    if kind in ready.HIDDEN or bead.get("is_template"):
        return index.TOWN
    return index.CLOSED if status == "closed" else index.SHOWN


def _instant(text: str | None) -> int:
    """The time in a field, as `filters.instant` reads it."""
    if text is None:
        return _NULL
    try:
        return max(-_LARGEST, min(clock.parse(text), _LARGEST))
    except (ValueError, TypeError, AttributeError, IndexError):
        return _NULL


def _row(bead: Record, mark: int | None, since: int | None, begin: int | None, end: int | None) -> tuple[Any, ...]:
    """The bead's row. `mark`: its line's, None where that is not worth the time.

    Odd: a value that a column cannot hold as the bead has it; then the whole ledger is read instead."""
    priority, created, bead_id = ready.in_order(bead)
    get, status, kind = bead.get, ready.status(bead), ready.kind(bead)
    title, estimate, who, labels = get("title", ""), get("estimated_minutes"), get("assignee"), get("labels")
    fence = get("claim_fence") or 0
    at, ended = get("updated_at"), get("closed_at")  # often two or all three times are the same
    updated = created if created and at == get("created_at") else _instant(at)
    closed = updated if ended == at else _instant(ended)
    odd = (not -_LARGEST < priority < _LARGEST or not -_LARGEST < created < _LARGEST or not -_LARGEST < (estimate or 0) < _LARGEST
           or not -_LARGEST < fence < _LARGEST or abs(updated) == _LARGEST or abs(closed) == _LARGEST
           or (not created and bool(get("created_at"))) or (labels and any("\x1f" in label for label in labels))
           or bead_id.startswith(fields.FOREIGN))
    held_by = who if who and status in states.CLAIMED else _NULL
    if odd:
        priority, created, updated, closed, title, estimate, fence, who, labels = 0, 0, 0, 0, "", None, 0, None, None
    return (priority, created, bead_id, 1 if odd else 0, _scope(bead, status, kind), status, kind, who or "",
            "\x1f".join(("", *labels, "")) if labels else "", title.lower(), 1 if get("pinned") or status == "pinned" else 0,
            1 if lint.missing(bead) else 0, fence, title, states.doer(bead) if status == "closed" else "",
            _NULL if since is None else since, _NULL if begin is None else begin, _NULL if end is None else end,
            updated, closed, _instant(get("due_at")), _instant(get("defer_until")),
            held_by, _NULL if estimate is None else estimate, _NULL if mark is None else mark)


def _edges(bead: Record, known: Mapping[str, Record]) -> Sequence[tuple[Any, ...]]:
    """The bead's rows of `edge`; a deleted bead depends on nothing."""
    source = requests.source(bead) if bead.get("issue_type") == requests.TYPE else None
    if not (bead.get("dependencies") or source) or bead.get("status") == states.TOMBSTONE:
        return ()
    found = graph.targets(bead)
    if source:
        found.append((source, index.REQUEST))
    if "waits-for" in [kind for _, kind in found]:
        found += [(target, index.SPAWNER) for target in ready.watched(bead)]
    bead_id, closed = bead["id"], int(bead.get("status") == "closed")
    return [(target, bead_id, place, kind, int(target not in known and kind in _WAITS and not fields.is_foreign(target)), closed)
            for place, (target, kind) in enumerate(found)]


def _time(since: int | None) -> int | None:
    return _LARGEST if since is not None and since > _LARGEST else since
