"""The index of one ledger: what a listing needs, so that nobody reads 100,000 beads to show twenty. Disposable.

A SQLite file that readers bring up to the ledger's journal, under a lock of its own; writers never touch it. It is used only when it
says exactly which files, which boot and which part of the journal it has seen; whatever is wrong with it, `current` gives None and
the ledger itself is read. Its one decision, since when a bead is ready, is `rules.ready.ready_from` of the beads that a change
can have reached.
"""

from __future__ import annotations

import os

from gastown_hooks.core import clock, jsons
from gastown_hooks.core.errors import LockTimeout, StorageFailed
from gastown_hooks.core.late import late
from gastown_hooks.stores import sqlite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gastown_hooks.core.paths import Beads
    from gastown_hooks.stores import indexing
    from gastown_hooks.stores.ledger import Ledger

    # (column, whether it must be one of the values or none of them, values); `label` must be there, or not.
    Wanted = Sequence[tuple[str, bool, Sequence[str | int]]]
else:
    indexing = late("gastown_hooks.stores.indexing")

VERSION = 3
COLUMNS = "priority, created, id, kind, title, estimate, assignee, status, labels"
SPAWNER = "waits-for children of"
STATE = "SELECT version, boot, base, inode, size, mtime, seen, tail, odd, ready FROM state"


class Index:
    """One look at an index that was current when it was opened."""

    def __init__(self, db: sqlite.Connection, odd: int, now_ready: int) -> None:
        self._db, self.odd, self._ready = db, odd, now_ready

    def __del__(self) -> None:
        self._db.close()  # a connection is in a circle with its cache: left alone it would keep its lock

    def ready(self, now: int, limit: int, wanted: Wanted = ()) -> list[tuple[Any, ...]]:
        """The first beads that may begin, in order, each as COLUMNS; limit 0: all."""
        tests, values = _tests(wanted)
        return self._db.execute(f"SELECT {COLUMNS} FROM bead INDEXED BY by_urgency WHERE ready_from <= ?{tests} "
                                "ORDER BY priority, created, id LIMIT ?", (now, *values, limit or -1)).fetchall()

    def count_ready(self, now: int, wanted: Wanted = ()) -> int:
        """How many `ready` has in all."""
        if wanted:
            tests, values = _tests(wanted)
            found = self._db.execute(f"SELECT count(*) FROM bead INDEXED BY by_urgency WHERE ready_from <= ?{tests}", (now, *values))
            return int(found.fetchone()[0])
        later = self._db.execute("SELECT count(*) FROM bead INDEXED BY later WHERE ready_from > 0 AND ready_from <= ?", (now,))
        return self._ready + int(later.fetchone()[0])

    def listed(self, limit: int, wanted: Wanted) -> list[tuple[Any, ...]]:
        """The first beads of which all this is true, in order of urgency, each as COLUMNS; limit 0: all."""
        tests, values = _tests(wanted)
        return self._db.execute(f"SELECT {COLUMNS} FROM bead WHERE TRUE{tests} ORDER BY priority, created, id LIMIT ?",
                                (*values, limit or -1)).fetchall()

    def count_listed(self, wanted: Wanted) -> int:
        """How many `listed` has in all."""
        tests, values = _tests(wanted)
        return int(self._db.execute(f"SELECT count(*) FROM bead WHERE TRUE{tests}", values).fetchone()[0])

    def held_by(self, actor: str) -> list[str]:
        """The ids of the beads that are on this identity's hook."""
        return [row[0] for row in self._db.execute("SELECT id FROM bead WHERE held_by = ? ORDER BY id", (actor,))]

    def dependents(self, bead_id: str) -> list[tuple[str, str]]:
        """(id, kind) of what depends on the bead, like `graph.dependents`."""
        return self._db.execute("SELECT source, kind FROM edge WHERE target = ? AND kind <> ? ORDER BY source, place",
                                (bead_id, SPAWNER)).fetchall()

    def unknown(self) -> list[str]:
        """Beads that others wait for and that are not in this ledger: perhaps in another one, of which the index knows nothing."""
        return [row[0] for row in self._db.execute("SELECT DISTINCT target FROM edge WHERE unknown")]


def current(ledger: Ledger) -> Index | None:
    """The ledger's index, brought up to date; None where there is none to be had: then read the ledger. Raises what reading it raises."""
    if ledger.write_through:
        return None
    try:
        return opened(ledger.beads) or indexing.caught_up(ledger)
    except (sqlite.Error, StorageFailed, LockTimeout):
        return None  # slow, and right


def opened(beads: Beads, *, whole: bool = True) -> Index | None:
    """The index as it is, if it has seen all that is in the ledger's files; not `whole`: all but some of the journal."""
    try:
        os.stat(beads.index)
        journal, issues = os.stat(beads.journal), os.stat(beads.issues)
    except FileNotFoundError:
        return None
    db = connect(beads)
    try:
        db.execute("BEGIN")
        row = db.execute(STATE).fetchone()
    except sqlite.Error:
        db.close()
        return None
    base = jsons.dumps([issues.st_size, issues.st_mtime_ns, issues.st_ino])
    seen = (VERSION, clock.boot_id(), base, journal.st_ino, journal.st_size, journal.st_mtime_ns)
    if row is None or row[:6 if whole else 3] != seen[:6 if whole else 3]:
        db.close()
        return None
    return Index(db, row[8], row[9])


def connect(beads: Beads) -> sqlite.Connection:
    """The file as it is, for `indexing`."""
    return sqlite.connect(beads.index, timeout=2.0, isolation_level=None)


def _tests(wanted: Wanted) -> tuple[str, list[str | int]]:
    """SQL behind a WHERE, and its values. The columns are names of ours, never words of a caller."""
    tests = ""
    found: list[str | int] = []
    for column, one_of, values in wanted:
        if column == "label":
            tests += "".join(f" AND {'' if one_of else 'NOT '}instr(labels, char(31) || ? || char(31))" for _ in values)
        else:
            tests += f" AND {column} {'' if one_of else 'NOT '}IN ({', '.join('?' * len(values))})"
        found += values
    return tests, found
