"""The index of one ledger: what a listing needs, so that nobody reads 100,000 beads to show twenty. Disposable.

A SQLite file that readers bring up to the ledger's journal, under a lock of its own; writers never touch it. It is used only when it
says exactly which files, which boot and which part of the journal it has seen; whatever is wrong with it, `current` gives None and
the ledger itself is read. Its one decision, since when a bead is ready, is `rules.ready.when` of the beads that a change
can have reached.
"""

from __future__ import annotations

from gastown_hooks.core import clock, errors, jsons, sharing
from gastown_hooks.core.late import late
from gastown_hooks.core.system import os
from gastown_hooks.rules import states
from gastown_hooks.stores import sqlite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from gastown_hooks.core import lock
    from gastown_hooks.core.paths import Beads
    from gastown_hooks.core.record import Record
    from gastown_hooks.stores import external, indexing
    from gastown_hooks.stores.ledger import Ledger

    # (column, how, values). True: it must be one of the values, False: none of them; for `label`, they must be there, or not.
    # "<", ">=" …: a time, or a number, compared; what is none passes nothing. "holds": `low` (the title) or `everything` (id, title,
    # description) holds these, all in lower case. ("id", "below", [ID]): below that bead; ("id", "top", []): without a parent.
    # ("id", "done", []): it has children, and all are closed. ("labels", "fit", [test of a list of labels]). ("", "or", [Wanted …]): all
    # that one of these wants; ("", "not", [Wanted]): not all of this. ("fence", True, ()): it was given to a worker. ("pinned", True, ()):
    # it is, by its status or else; ("lacks", True, ()): a heading (rules/lint).
    Wanted = Sequence[tuple[str, bool | str, Sequence[Any]]]
else:
    external, indexing = late("gastown_hooks.stores.external"), late("gastown_hooks.stores.indexing")
    lock = late("gastown_hooks.core.lock")

VERSION = 15
COLUMNS = "priority, created, id, kind, title, estimate, assignee, status, labels"
DELETED, TOWN, CLOSED, SHOWN = range(4)  # scope: what no list has, only one that is asked for all, for closed ones; what a plain list has
_URGENCY = ("priority", "created", "id")
ORDERS = {"priority": _URGENCY, "created": ("created", "id"), "updated": ("ifnull(updated, 0)", "id"), "id": ("id",),
          "closed": ("ifnull(closed, 0)", "id"), "status": ("status", *_URGENCY), "type": ("kind", *_URGENCY),
          "title": ("low", "id"), "assignee": ("iif(assignee = '', '~', assignee)", *_URGENCY)}
_OUTLOOK = ("id", "title", "issue_type", "status", "assignee", "claim_fence")
_BELOW = ("id IN (WITH RECURSIVE below(id) AS (SELECT source FROM edge WHERE target = ? AND kind = 'parent-child' UNION "
          "SELECT source FROM below JOIN edge ON target = below.id WHERE kind = 'parent-child') SELECT id FROM below WHERE id <> ?)")
_TOP = "id NOT IN (SELECT source FROM edge WHERE kind = 'parent-child')"
_MANY = 1000  # beads of which each may be looked up
_COSTLY, _SCOPED = ("fit", "holds", "below", "top", "done", "or", "not"), ("scope", "status", "kind", "assignee")
_CHILDREN = "FROM edge WHERE target = bead.id AND edge.kind = 'parent-child'"
_DONE = f"(SELECT 0 {_CHILDREN} AND NOT edge.closed LIMIT 1) IS NULL AND (SELECT 1 {_CHILDREN} LIMIT 1)"  # most have one that is open
SPAWNER, REQUEST = "waits-for children of", "merge-request of"  # edges of ours, beside those that beads have
FOREIGN = "SELECT target, source FROM edge WHERE (target BETWEEN 'beads://' AND 'beads:0' OR target BETWEEN 'external:' AND 'external;')"
STATE = "SELECT version, boot, base, inode, size, mtime, seen, tail, odd, ready, external FROM state"


class Index:
    """One look at an index that was current when it was opened."""

    def __init__(self, beads: Beads, db: sqlite.Connection, odd: int, now_ready: int, seen: tuple[str, int, int], tail: bytes,
                 whole: bool, kept: object = None) -> None:
        self._beads, self._db, self.odd, self._ready = beads, db, odd, now_ready
        self.seen, self.tail = seen, tail  # the file, the journal's inode, how much of it; its last bytes
        self.whole = whole  # whether that was all of the journal
        self._kept = kept  # what it was just built of: to free that takes time, and most who build one end soon
        self._functions = 0
        self._beside: dict[str, tuple[int | None, int | None, tuple[Any, ...]]] = {}
        self._edges: dict[str, list[tuple[str, str]]] = {}
        self._held: dict[tuple[Any, ...], tuple[str, int]] = {}

    def __del__(self) -> None:
        self._db.close()  # a connection is in a circle with its cache: left alone it would keep its lock

    def _ask(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows. Raises StorageFailed where the file turns out to be damaged: whoever asks next has a new one."""
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite.Error as error:
            indexing.discard(self._beads)
            raise errors.StorageFailed(f"the index {self._beads.index} was damaged, and is gone", why=str(error),
                                       next="the same again") from None

    def put_beside(self, row: tuple[Any, ...], effect: str, since: int | None) -> None:
        """For `ready` without filters: a bead's COLUMNS by now, what its change does (`rules.ready.effect`), from when it may begin."""
        was = next((start for start, in self._ask("SELECT ready_from FROM bead WHERE id = ?", (row[2],))), None)
        self._beside[row[2]] = (was, was if effect == "stays" else since, row)

    def ready(self, now: int, limit: int, wanted: Wanted = ()) -> list[tuple[Any, ...]]:
        """The first beads that may begin, in order, each as COLUMNS; limit 0: all."""
        tests, values = self._tests(wanted)
        most = limit + len(self._beside) if limit else -1
        rows = self._ask(f"SELECT {COLUMNS} FROM bead INDEXED BY by_urgency WHERE ready_from <= ?{tests} "
                         "ORDER BY priority, created, id LIMIT ?", (now, *values, most))
        if not self._beside:
            return rows
        fresh = [row for _, since, row in self._beside.values() if since is not None and since <= now]
        return sorted([*(row for row in rows if row[2] not in self._beside), *fresh])[:limit or None]

    def count_ready(self, now: int, wanted: Wanted = ()) -> int:
        """How many `ready` has in all."""
        if wanted:
            tests, values = self._tests(wanted)
            return int(self._ask(f"SELECT count(*) FROM bead INDEXED BY by_urgency WHERE ready_from <= ?{tests}", (now, *values))[0][0])
        later = self._ask("SELECT count(*) FROM bead INDEXED BY later WHERE ready_from > 0 AND ready_from <= ?", (now,))
        moved = sum((since is not None and since <= now) - (was is not None and was <= now) for was, since, _ in self._beside.values())
        return self._ready + int(later[0][0]) + moved

    def listed(self, limit: int, wanted: Wanted, order: str = "priority", reverse: bool = False) -> list[tuple[Any, ...]]:
        """The first beads of which all this is true, in one of ORDERS, each as COLUMNS; limit 0: all."""
        tests, values = self._tests(wanted)
        by = ", ".join(f"{column} DESC" if reverse else column for column in ORDERS[order])
        return self._ask(f"SELECT {COLUMNS} FROM bead WHERE TRUE{tests} ORDER BY {by} LIMIT ?", (*values, limit or -1))

    def ids(self, wanted: Wanted) -> list[str]:
        """The ids of the beads of which all this is true."""
        return [row[0] for row in self.columns("id", wanted)]

    def columns(self, names: str, wanted: Wanted) -> list[tuple[Any, ...]]:
        """These columns of the beads of which all this is true."""
        tests, values = self._tests(wanted)
        return self._ask(f"SELECT {names} FROM bead WHERE TRUE{tests.replace('+', '')}", values)

    def lines(self, wanted: Wanted) -> list[tuple[str, bytes | None]]:
        """(id, line) of the beads of which all this is true; of those that nobody asks for all the time the line is None."""
        tests, values = self._tests(wanted)
        tests = tests.replace("+", "")
        return self._ask(f"SELECT id, line FROM bead LEFT JOIN kept USING (id) WHERE TRUE{tests}", values)

    def named(self, head: str) -> dict[str, str]:
        """The ids that begin so, those of deleted beads too, and the beads' states."""
        return dict(self._ask("SELECT id, status FROM bead INDEXED BY by_id WHERE id >= ? AND id < ?", (head, f"{head}\U0010ffff")))

    def kept(self) -> list[bytes]:
        """The lines of the beads that everybody asks for all the time."""
        return [row[0] for row in self._ask("SELECT line FROM kept")]

    def claims(self) -> list[tuple[str, str, str, int]]:
        """(id, status, assignee, fence) of the beads that workers may hold."""
        marks = ", ".join("?" * len(states.CLAIMED))
        return self._ask(f"SELECT id, status, assignee, fence FROM bead INDEXED BY by_fence WHERE fence > 0 AND status IN ({marks})",
                         states.CLAIMED)

    def last_fence(self) -> int:
        """The highest fence of all; 0 where there is none."""
        statuses = ("WITH RECURSIVE found(one) AS (SELECT min(status) FROM bead WHERE fence > 0 UNION ALL SELECT (SELECT min(status) FROM "
                    "bead WHERE fence > 0 AND status > one) FROM found WHERE one IS NOT NULL) SELECT one FROM found")  # one step each
        highest = f"SELECT max((SELECT max(fence) FROM bead INDEXED BY by_fence WHERE fence > 0 AND status = one)) FROM ({statuses})"
        return self._ask(highest)[0][0] or 0

    def outlook(self, names: Sequence[str], now: int) -> dict[str, tuple[Record, bool]]:
        """Of these beads, where it can tell: as much as says what it is up to, and whether others hold an open one."""
        found = {}
        for some in _several(names):
            for *values, ready, held in self._ask(
                    "SELECT id, title, kind, status, assignee, fence, ready_from <= ?, blocked_from <= ? AND blocked_until > ? FROM bead "
                    f"WHERE id IN ({', '.join('?' * len(some))})", (now, now, now, *some)):
                bead = dict(zip(_OUTLOOK, values, strict=True))
                if (ready or held) if bead["status"] == "open" else (bead["status"] != "closed" or not bead["claim_fence"]):
                    found[bead["id"]] = (bead, bool(held))
        return found

    def count_listed(self, wanted: Wanted) -> int:
        """How many `listed` has in all."""
        others = [one for one in wanted if one[0] != "scope"]
        if len(others) == 1 and others[0][:2] == ("everything", "holds"):
            return self._holding(others[0][2][0], _scopes(wanted))[1]
        return self._counted("'all'", wanted, "").get("all", 0)

    def counts(self, by: str, wanted: Wanted) -> dict[Any, int]:
        """How many `listed` has for each value of this column."""
        return self._counted(by, wanted, f"GROUP BY {', '.join(_SCOPED[:_SCOPED.index(by) + 1]) if by in _SCOPED else by}")

    def _counted(self, by: str, wanted: Wanted, grouped: str) -> dict[Any, int]:
        tests, values = self._tests(wanted)
        table = "bead"
        if _is_scoped(wanted) and (not grouped or by in _SCOPED):
            tests = tests.replace("+", "")  # the index alone answers
            if any(column == "scope" for column, *_ in wanted):
                table += " INDEXED BY by_scope"
        found: dict[Any, int] = {}
        for value, count in self._ask(f"SELECT {by}, count(*) FROM {table} WHERE TRUE{tests} {grouped}", values):
            found[value] = found.get(value, 0) + count
        return found

    def count_recent(self, wanted: Wanted, since: int) -> tuple[int, int, int]:
        """How many of them were created, closed and updated since."""
        tests, values = self._tests(wanted)
        found = self._ask("SELECT ifnull(sum(created >= ?), 0), ifnull(sum(closed >= ?), 0), ifnull(sum(updated >= ?), 0) "
                          "FROM bead INDEXED BY by_scope WHERE (updated >= ? OR created >= ? OR closed >= ?)"
                          f"{tests}", (*[since] * 6, *values))[0]
        return found[0], found[1], found[2]

    def leads(self, wanted: Wanted) -> tuple[int, int, int]:
        """Of those that are closed: how many tell when they were begun and ended, how long they took in all, the last end."""
        tests, values = self._tests(wanted)
        second = clock.SECOND  # the sum of nanoseconds may be more than SQLite counts
        row = self._ask("SELECT count(*), "
                        f"sum((closed - created) / {second}), sum((closed - created) % {second}), max(closed) FROM bead "
                        f"INDEXED BY by_scope WHERE scope IN ({DELETED}, {TOWN}, {CLOSED}, {SHOWN}) AND status = 'closed' "
                        f"AND closed <> 0 AND created <> 0{tests}", values)[0]
        return row[0], (row[1] or 0) * second + (row[2] or 0), row[3] or 0

    def count_blocked(self, wanted: Wanted, now: int) -> int:
        """How many of them others hold back now."""
        tests, values = self._tests(wanted)
        return int(self._ask("SELECT count(*) FROM bead INDEXED BY by_hold WHERE blocked_from IS NOT NULL AND blocked_from <= ? "
                             f"AND blocked_until > ?{tests}", (now, now, *values))[0][0])

    def progress(self, wanted: Wanted) -> list[tuple[Any, ...]]:
        """The beads of which all this is true, in order, each as COLUMNS and how many children it has, and how many of them are closed."""
        tests, values = self._tests(wanted)
        return self._ask(f"SELECT {COLUMNS}, (SELECT count(*) {_CHILDREN}), (SELECT ifnull(sum(edge.closed), 0) {_CHILDREN}) "
                         f"FROM bead WHERE TRUE{tests.replace('+', '')} ORDER BY priority, created, id", values)

    def held_by(self, actor: str) -> list[str]:
        """The ids of the beads that are on this identity's hook."""
        return [row[0] for row in self._ask("SELECT id FROM bead WHERE held_by = ? ORDER BY id", (actor,))]

    def statuses(self, names: Sequence[str]) -> dict[str, str]:
        """The states of those of these beads that it has."""
        return dict(row for some in _several(names) for row in self._ask(
            f"SELECT id, status FROM bead INDEXED BY by_id WHERE id IN ({', '.join('?' * len(some))})", some))

    def edges_to(self, names: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """`dependents` of each of these."""
        for some in _several([name for name in names if name not in self._edges]):
            self._edges |= {name: [] for name in some}
            for target, source, kind in self._ask(f"SELECT target, source, kind FROM edge WHERE target IN ({', '.join('?' * len(some))}) "
                                                  "AND kind NOT IN (?, ?) ORDER BY target, source, place", (*some, SPAWNER, REQUEST)):
                self._edges[target].append((source, kind))
        return self._edges

    def dependents(self, bead_id: str) -> list[tuple[str, str]]:
        """(id, kind) of what depends on the bead, like `graph.dependents`."""
        return self._edges[bead_id] if bead_id in self._edges else self.edges_to((bead_id,))[bead_id]

    def watchers(self, bead_id: str) -> list[str]:
        """The ids of what waits for its children by an edge that names it beside its target (rules.ready.watched)."""
        return [row[0] for row in self._ask("SELECT source FROM edge WHERE target = ? AND kind = ?", (bead_id, SPAWNER))]

    def children(self, bead_id: str) -> list[str]:
        """The ids of its children, like `graph.children`."""
        return [source for source, kind in self.dependents(bead_id) if kind == "parent-child"]

    def edges(self, names: str, test: str = "TRUE", values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """These columns of the edges that beads have, of which this is true."""
        return self._ask(f"SELECT {names} FROM edge WHERE kind NOT IN (?, ?) AND {test}", (SPAWNER, REQUEST, *values))

    def requests(self, bead_id: str) -> list[str]:
        """The ids of the merge requests about it, settled or not."""
        return [row[0] for row in self._ask("SELECT source FROM edge WHERE target = ? AND kind = ?", (bead_id, REQUEST))]

    def unknown(self) -> list[str]:
        """Beads that others wait for and that are not in this ledger: perhaps in another one, of which the index knows nothing."""
        return [row[0] for row in self._ask("SELECT DISTINCT target FROM edge WHERE unknown")]

    def foreign(self) -> list[tuple[str, str]]:
        """(reference, bead): the beads of other projects, and who depends on them."""
        return self._ask(f"{FOREIGN} ORDER BY target, source")

    def _tests(self, wanted: Wanted) -> tuple[str, list[Any]]:
        """SQL behind a WHERE, and its values. The columns are names of ours, never words of a caller.

        `+`: no reason to leave the order of the beads, which a list is wanted in, for that of an index. What takes longest stands last.
        """
        tests = ""
        found: list[Any] = []
        for column, how, values in sorted(wanted, key=lambda one: one[1] in _COSTLY):
            if how in ("or", "not"):
                parts = [self._tests(one) for one in values]
                either = " OR ".join(part[5:] if _is_scoped(one) and len(one) == 1 else f"ifnull(TRUE{part}, FALSE)"
                                     for one, (part, _) in zip(values, parts, strict=True)) or "FALSE"
                tests += f" AND {'NOT ' if how == 'not' else ''}({either})"
                found += [value for _, of in parts for value in of]
                continue
            found += values
            if how == "fit":
                self._functions += 1
                self._db.create_function(f"fits{self._functions}", 1, _fits(found.pop()))
                none = int(values[0]([]))  # most beads have no label: not asked one by one
                tests += f" AND iif(labels = '', {none}, fits{self._functions}(labels))"
            elif how == "top":
                tests += f" AND {_TOP}"
            elif how == "done":
                tests += f" AND {_DONE}"
            elif how == "below":
                tests += f" AND {_BELOW}"
                found += values
            elif how == "holds" and column == "everything":
                tests += "".join(f" AND {self._holding(found.pop(), _scopes(wanted))[0]}" for _ in values)
            elif how == "holds":
                tests += "".join(f" AND instr({column}, ?)" for _ in values)
            elif isinstance(how, str):
                tests += f" AND {column} {how} ?" + (" AND created" if column == "created" else "")
            elif column in ("fence", "pinned", "lacks"):
                tests += f" AND {column} {'>' if how else '='} 0"  # in these words: it has an index of its own
            elif column == "label":
                tests += "".join(f" AND {'' if how else 'NOT '}instr(labels, char(31) || ? || char(31))" for _ in values)
            else:
                mark = "" if column in ("id", "priority") else "+"
                tests += f" AND {mark}{column} {'' if how else 'NOT '}IN ({', '.join('?' * len(values))})"
        return tests, found

    def _holding(self, text: str, scopes: Sequence[int]) -> tuple[str, int]:
        """The test that a bead of these scopes holds a text somewhere, and how many do; to look takes longer than all else: once."""
        key = (text, *scopes)
        if key not in self._held:
            table = f"temp.held{len(self._held)}"
            self._ask("PRAGMA temp_store = MEMORY")
            self._ask(f"CREATE TABLE {table} (id TEXT PRIMARY KEY) WITHOUT ROWID")
            marks = ", ".join("?" * len(scopes))
            self._ask(f"INSERT INTO {table} SELECT id FROM text WHERE scope IN ({marks}) AND instr(everything, ?)", (*scopes, text))
            count = self._ask("SELECT changes()")[0][0]
            self._held[key] = f"{'+' if count > _MANY else ''}id IN {table}", count
        return self._held[key]


def _several(names: Sequence[str]) -> Iterable[Sequence[str]]:
    """As many at once as one question may ask about."""
    return (names[at:at + _MANY] for at in range(0, len(names), _MANY))


def _scopes(wanted: Wanted) -> Sequence[int]:
    """Those that it means, at least."""
    return next((values for column, how, values in wanted if column == "scope" and how is True), range(4))


def current(ledger: Ledger) -> Index | None:
    """The ledger's index, brought up to date; None where there is none to be had: then read the ledger. Raises what reading it raises."""
    try:
        return None if ledger.write_through else opened(ledger.beads) or indexing.caught_up(ledger)
    except (sqlite.Error, errors.StorageFailed, errors.LockTimeout):
        return None  # slow, and right


def opened(beads: Beads, *, whole: bool = True, patience: float = 0.0) -> Index | None:
    """The index as it is, if it has seen all that is in the ledger's files; not `whole`: all but some of the journal. `patience`: seconds
    to wait for who writes it. Nobody does meanwhile, or puts a copy in its place: who opens the old file would take the new one's
    journal for its own."""
    held: Any = sharing.share(beads.index_lock)
    try:
        if held is None and patience and os.path.exists(beads.index):
            held = lock.acquire(beads.index_lock, patience)
    except errors.LockTimeout:
        pass
    if held is None:
        return None
    with held:
        return look(beads, whole)


def look(beads: Beads, whole: bool = True) -> Index | None:
    """The same for who has the lock."""
    try:
        os.stat(beads.index)
        journal, issues = os.stat(beads.journal), os.stat(beads.issues)
    except FileNotFoundError:
        return None
    try:
        db = connect(beads)
    except sqlite.Error:
        return None
    try:
        db.execute("BEGIN")
        row = db.execute(STATE).fetchone()
    except sqlite.Error:
        db.close()
        return None
    base = jsons.dumps([issues.st_size, issues.st_mtime_ns, issues.st_ino])
    seen = (VERSION, clock.boot_id(), base, journal.st_ino, journal.st_size, journal.st_mtime_ns)
    if row is None or row[:6 if whole else 3] != seen[:6 if whole else 3] or (
            row[10] != "{}" and row[10] != standing(external.look(beads, jsons.loads(row[10])))):
        db.close()
        return None
    return Index(beads, db, row[8], row[9], (row[2], row[3], row[6]), row[7], row[:6] == seen[:6])


def standing(foreign: Mapping[str, Record]) -> str:
    """How these beads of other projects stand, as the index remembers it."""
    return jsons.dumps({name: [foreign[name].get("status"), foreign[name].get("close_reason")] for name in sorted(foreign)})


def connect(beads: Beads) -> sqlite.Connection:
    """The file as it is, for `indexing`."""
    return sqlite.connect(beads.index, timeout=2.0, isolation_level=None, check_same_thread=False)  # let go of in any thread


def _fits(test: Callable[[list[str]], bool]) -> Callable[[str], bool]:
    return lambda text: test(labels(text))


def _is_scoped(wanted: Wanted) -> bool:
    return all(column in _SCOPED or (how == "or" and all(map(_is_scoped, values))) for column, how, values in wanted)


def labels(text: str) -> list[str]:
    """The labels of a bead, from its column."""
    return text.split("\x1f")[1:-1]
