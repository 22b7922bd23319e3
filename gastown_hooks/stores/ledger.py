"""The ledger: `issues.jsonl`, one bead a line sorted by id, and the journal of what was written since.

A write appends one line to `issues.journal` under the ledger's lock: one line is one transaction, whole or absent. Its entries
are separated by tabs: `<id> <json>` a bead's new value, before it `=<id> <json>` (or `null`) the value it had in issues.jsonl,
where the bead appears for the first time. The journal's first line names the exact file it continues, by size, mtime and inode:
a reader without a lock knows that its two files belong together, and a change from outside is seen and merged three-way.
A fold moves the journal into the file by two renames; a crash between them is finished by the next reader (`absorb`).
A ledger in `code-branch` mode (tracked beside the code) has no journal: each write replaces the file.
"""

from __future__ import annotations

from gastown_hooks.core import errors, fsio, jsons
from gastown_hooks.core.late import late
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeVar

    from gastown_hooks.core import lock, record
    from gastown_hooks.core.paths import Beads
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import merge3
    from gastown_hooks.stores import archive, audit, known, lines, pairs, quarantine
    from gastown_hooks.stores.callers import Writer
    from gastown_hooks.stores.pairs import Pair

    T = TypeVar("T")
else:
    lock, record, merge3 = late("gastown_hooks.core.lock"), late("gastown_hooks.core.record"), late("gastown_hooks.rules.merge3")
    lines, pairs = late("gastown_hooks.stores.lines"), late("gastown_hooks.stores.pairs")
    archive, known = late("gastown_hooks.stores.archive"), late("gastown_hooks.stores.known")
    quarantine, audit = late("gastown_hooks.stores.quarantine"), late("gastown_hooks.stores.audit")

CODE_BRANCH = "code-branch"
OWN_BRANCH = "own-branch"
IGNORED = b"issues.journal\nlocal/\nquarantine.log\nredirect\n.*.tmp\n"


class View:
    """What a transaction sees: the ledger as it is under the lock."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair

    def get(self, bead_id: str) -> Record | None:
        line = self._pair.line(bead_id)
        return None if line is None else lines.decoded(line, bead_id)

    def line(self, bead_id: str) -> bytes | None:
        """The bead's line as its writer wrote it."""
        return self._pair.line(bead_id)

    def lines(self) -> dict[str, bytes]:
        """Every bead's line, by id."""
        return self._pair.lines()

    def all(self) -> dict[str, Record]:
        return self._pair.records()

    def linked(self) -> Mapping[str, Record]:
        """`all`, of which each is read when it is asked for, where the index has this very moment."""
        found = known.at(self._pair)
        return self.all() if found is None else found

    def naming(self, texts: Sequence[str]) -> Iterable[str]:
        """The ids of the beads, at least, in which one of these texts stands somewhere."""
        return self._pair.naming(texts)

    def ids(self) -> set[str]:
        return set(self._pair.records())

    def count(self) -> int:
        """About how many beads there are."""
        return self._pair.count()


class Ledger:
    """One ledger. `writer`: the worker on whose claim it writes; `claims`: the ledger its claim is in, if another."""

    def __init__(self, beads: Beads, writer: Writer | None = None, claims: Ledger | None = None) -> None:
        self.beads, self.writer, self.claims = beads, writer, claims
        self._settings: dict[str, str] | None = None
        self._last: Pair | None = None
        self.left_out: list[lines.Problem] = []  # the lines that the last `all` passed over

    @staticmethod
    def create_files(beads: Beads, prefix: str, mode: str) -> None:
        """Make an empty ledger; what is there already stays."""
        fsio.make_folder(beads.local)
        for path, data in ((beads.gitignore, IGNORED), (beads.issues, b""),
                           (beads.config, jsons.dumps({"issue_prefix": prefix, "ledger": mode}).encode() + b"\n")):
            fsio.create(path, data)

    @property
    def prefix(self) -> str:
        return self._config()["issue_prefix"]

    @property
    def write_through(self) -> bool:
        return self._config()["ledger"] == CODE_BRANCH

    def get(self, bead_id: str) -> Record | None:
        """The bead, tombstones included; None when there is none of this id."""
        return self.view(lambda view: view.get(bead_id))

    def all(self) -> dict[str, Record]:
        """Every bead by id, tombstones included. Lines that are no bead are passed over, and are then in `left_out`."""
        def everything(pair: Pair) -> dict[str, Record]:
            records = pair.records()
            self.left_out = pair.problems
            return records
        return self.look(everything)

    def some(self, bead_ids: Iterable[str]) -> dict[str, Record]:
        """Those of these beads that there are, all at one moment."""
        wanted = list(bead_ids)
        return self.view(lambda view: {bead_id: found for bead_id in wanted if (found := view.get(bead_id)) is not None})

    def view(self, take: Callable[[View], T]) -> T:
        """What `take` finds in the ledger as it is at one moment. It may run twice."""
        return self.look(lambda pair: take(View(pair)))

    def archived(self, bead_ids: Iterable[str]) -> set[str]:
        """Those of these beads that are in the archive and no more in the ledger itself."""
        return self.look(lambda pair: {bead_id for bead_id in bead_ids if pair.filed(bead_id) is None and pair.line(bead_id) is not None})

    def check_claim(self) -> None:
        """Raises Fenced when the writer's claim is not in force: before an act outside the ledger."""
        self.view(self._check_claim)

    def text(self) -> bytes:
        """The whole ledger as issues.jsonl would be if everybody stopped writing: each line as it was written, sorted by id."""
        return self.look(lambda pair: lines.splice(lines.normal(pair.issues()), pair.journaled()))

    def problems(self) -> list[lines.Problem]:
        """The lines of issues.jsonl that are no bead, with their numbers."""
        return lines.parse(fsio.read(self.beads.issues) or b"").problems

    def transact(self, change: Callable[[View], Iterable[Record]]) -> list[Record]:
        """Run `change` under the ledger's lock and write the records it returns, all or none, durably.

        `change` may run twice (the lock file was replaced under us), so it only computes. Returns what was really changed.
        Raises Fenced for a worker whose claim is not the bead's any more, LockTimeout, StorageFailed, Indeterminate.
        """
        records: dict[str, Record] = {}

        def encoded(view: View) -> dict[str, bytes]:
            records.clear()
            records.update((r["id"], r) for r in change(view))
            return {bead_id: record.encode(r) for bead_id, r in records.items()}

        return [records[bead_id] for bead_id in self.put(encoded)]

    def put(self, change: Callable[[View], dict[str, bytes]]) -> list[str]:
        """`transact` for lines that keep the bytes which another program gave them; the ids that really changed."""
        if not os.path.exists(self.beads.issues):
            raise self._none()  # before a folder for the lock is made in it
        while True:
            with lock.acquire(self.beads.ledger_lock) as held:
                pair = self._read_locked()
                view = View(pair)
                self._check_claim(view)
                changed = {bead_id: line for bead_id, line in change(view).items() if pair.line(bead_id) != line}
                if not changed:
                    return []
                if not held.still_ours() or not pair.steady():
                    continue
                fd = self._write_locked(pair, changed)
            if fd is not None:
                self._settle_write(fd)
            return list(changed)

    def fold(self) -> bool:
        """Move the journal into issues.jsonl; False when there was nothing to do or somebody else is at it."""
        if self.write_through:
            return False
        busy = lock.attempt(self.beads.fold_lock)
        if busy is None:
            return False
        with busy:
            before = self._read()
            if not before.journaled():
                return False
            audit.keep(self.beads, before)
            staged = fsio.stage(self.beads.issues, lines.splice(before.issues(), before.journaled()))
            try:
                return self._swap(before, staged)
            finally:
                fsio.remove(staged)

    def shelve(self, change: Callable[[View], tuple[dict[str, bytes], dict[str, bytes]]], *, known: bool = True) -> list[str]:
        """Move beads to the archive: `change` gives its new files (year: text) and the lines (by id) that leave the ledger.

        Both under the lock, and only where a bead still has that line. The archive is written first: killed between, a bead is in both,
        alike. `known`: the files bring no bead that the ledger did not have. Returns the ids that left.
        """
        while True:
            with lock.acquire(self.beads.ledger_lock) as held:
                pair = self._read_locked()
                files, wanted = change(View(pair))
                gone = {bead_id for bead_id, line in wanted.items() if pair.filed(bead_id) == line}
                if not held.still_ours() or not pair.steady():
                    continue
                archive.write(self.beads, files, 0o644 if self.write_through else 0o600)
                if (gone or (files and not known)) and not self._without(pair, gone, known):
                    continue
                return sorted(gone)

    def _without(self, pair: Pair, gone: set[str], known: bool) -> bool:
        """Under the lock: a fold that leaves these beads out; False when the file was edited meanwhile."""
        text = lines.cut(lines.splice(lines.normal(pair.issues()), pair.journaled()), gone)
        if self.write_through:
            fsio.write(self.beads.issues, text, mode=0o644)
            return True
        audit.keep(self.beads, pair)
        staged = fsio.stage(self.beads.issues, text)
        base = pairs.signature(os.stat(staged))
        journal = fsio.stage(self.beads.journal, pair.rest_after(pair, base) if known else pairs.header(base))
        try:
            if pairs.signature(os.stat(self.beads.issues)) != pair.base:
                return False
            fsio.swap(staged, self.beads.issues)
            fsio.swap(journal, self.beads.journal)
        finally:
            fsio.remove(staged)
            fsio.remove(journal)
        return True

    def mend(self) -> None:
        """Take the lines that are no bead, or a bead's second one, out of issues.jsonl into quarantine.log; the others keep their bytes."""
        for _ in range(3):
            with lock.acquire(self.beads.ledger_lock):
                self._absorb(self._open(), mending=True)
            if not self.problems():
                return
        raise self._restless()

    # ---- inside -------------------------------------------------------------------------------------------

    def _config(self) -> dict[str, str]:
        if self._settings is None:
            found = fsio.read_json(self.beads.config)
            if not isinstance(found, dict):
                found = {}
            self._settings = {"issue_prefix": str(found.get("issue_prefix") or "bd"),
                              "ledger": str(found.get("ledger") or OWN_BRANCH)}
        return self._settings

    def look(self, take: Callable[[Pair], T]) -> T:
        """What `take` finds in a matching pair; it looks again when the file was edited in place under it."""
        for _ in range(3):
            pair = self._read()
            try:
                found = take(pair)
            except (errors.Corrupt, ValueError):
                if pair.steady():
                    raise
                continue
            if pair.steady():
                if not (pair.is_small() or self.write_through):
                    self._last = None  # not kept longer than it is needed
                return found
        raise self._restless()

    def _restless(self) -> errors.Corrupt:
        return errors.Corrupt(f"{self.beads.issues} keeps changing", why="another program is writing it", next="close it, then try again")

    def _read(self) -> Pair:
        """A matching pair of file and journal, without a lock; a lasting mismatch is absorbed under it."""
        for _ in range(3):
            pair = self._open()
            if self.write_through or pair.matches():
                return pair
        with lock.acquire(self.beads.ledger_lock):
            return self._read_locked()

    def _read_locked(self) -> Pair:
        for _ in range(3):
            pair = self._open()
            if self.write_through or (pair.has_journal and pair.matches()):
                return pair
            self._absorb(pair)
        raise self._restless()

    def _open(self) -> Pair:
        """The last one again, while it is true."""
        pair = self._last
        if pair is None or not (pair.has_journal or self.write_through) or not pair.is_current():
            pair = pairs.Pair.open(self.beads, journal=not self.write_through)
            if pair is None:
                raise self._none()
            self._last = pair
        return pair

    def _none(self) -> errors.NotATown:
        return errors.NotATown(f"no ledger in {self.beads.root}", why="issues.jsonl is missing", next="bd init, or get it from git")

    def _check_claim(self, view: View) -> None:
        writer = self.writer
        if writer is None:
            return
        held = (self.claims or view).get(writer.bead) if writer.bead else None
        if held is None or held.get("claim_fence", 0) != writer.fence or held.get("assignee") != writer.actor:
            now = f"fence {held.get('claim_fence', 0)}, {held.get('assignee') or 'nobody'}" if held else "no such bead"
            raise errors.Fenced(f"{writer.actor} may not write", why=f"its claim {writer.bead or '(none)'} at fence {writer.fence} "
                         f"is not the one in force ({now})", next="stop; your work is kept: gt rescue list")

    def _write_locked(self, pair: Pair, changed: dict[str, bytes]) -> int | None:
        """Returns the journal's descriptor, for fsync after the unlock (fsync inside halves 30 writers' throughput)."""
        if self.write_through:
            audit.announce(self.beads, pair, changed)
            fsio.write(self.beads.issues, lines.splice(lines.normal(pair.issues()), changed), mode=0o644)
            return None
        fd = fsio.open_log(self.beads.journal)
        try:
            fsio.append_to(fd, self.beads.journal, pair.transaction(changed))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _settle_write(self, fd: int) -> None:
        try:
            size = os.fstat(fd).st_size
            fsio.sync(fd, self.beads.journal)
        finally:
            os.close(fd)
        if size > min(max(os.stat(self.beads.issues).st_size // 16, 64 << 10), 1 << 20):
            try:
                self.fold()
            except (errors.StorageFailed, errors.LockTimeout):
                pass  # the write itself is durable; the tick folds again, and says when it cannot

    def _swap(self, before: Pair, staged: str) -> bool:
        with lock.acquire(self.beads.ledger_lock) as held:
            now = self._open()
            if not now.same_files(before) or not held.still_ours():
                return False  # absorbed or edited meanwhile: the next fold will do
            folded = pairs.signature(os.stat(staged))
            journal = fsio.stage(self.beads.journal, now.rest_after(before, folded))
            try:
                fsio.swap(staged, self.beads.issues)  # first: a journal that continues a file not there yet would lose writes
                fsio.swap(journal, self.beads.journal)
            finally:
                fsio.remove(journal)
        return True

    def _absorb(self, pair: Pair, *, mending: bool = False) -> None:
        """Under the lock: bring a file that the journal does not continue (edited, restored, half a fold) together with it.

        Lines that are no bead stay, at the end, unless we are `mending`.
        """
        found = lines.parse(pair.issues(), beads=False)
        for bead_id, last in pair.journaled().items():
            there, history = found.lines.get(bead_id), pair.history()[bead_id]
            if there == last:
                continue
            if not lines.is_bead(last):
                found.bad += [last] if last not in found.bad else []
                continue
            if there in history or there is None:
                found.lines[bead_id] = last  # a fold died after its first rename, or a line removed that we had changed since
            else:
                found.lines[bead_id] = _merged(history[0], last, there)
        if mending:
            found.losers, found.bad = found.losers + found.bad, []
        if found.losers:
            quarantine.keep(self.beads, found.losers)
        base, text = pair.base, found.text()
        if text != pair.issues():
            staged = fsio.stage(self.beads.issues, text, mode=0o644 if self.write_through else 0o600)
            base = pairs.signature(os.stat(staged))
            if pairs.signature(os.stat(self.beads.issues)) != pair.base:
                fsio.remove(staged)  # edited again since we read it: look again
                return
            fsio.swap(staged, self.beads.issues)
        # The signature of what was read or written, not of what is there by now: an edit in between must show.
        if not self.write_through:
            if pair.has_journal:
                audit.keep(self.beads, pair)
            fsio.write(self.beads.journal, pairs.header(base))


def _merged(base: bytes | None, ours: bytes, theirs: bytes) -> bytes:
    old = record.decode(base) if base and lines.is_bead(base) else None
    merged = merge3.merge_record(old, record.decode(ours), record.decode(theirs)).record
    return record.encode(merged) if merged is not None else ours


__all__ = ["CODE_BRANCH", "OWN_BRANCH", "Ledger", "View"]
