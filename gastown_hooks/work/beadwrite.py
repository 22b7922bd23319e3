"""The ground under the verbs of work/beads: one transaction over several beads, and edges."""

from __future__ import annotations

from gastown_hooks.core import clock, errors, ids
from gastown_hooks.core.late import late
from gastown_hooks.core.mapping import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Protocol

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import fields, graph, ready, states
    from gastown_hooks.stores import index, known
    from gastown_hooks.stores.callers import Caller
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.work.world import World

    class Snapshot(Protocol):
        """What a verb computes from: a transaction's view, or for a dry run the ledger as it is."""

        def get(self, bead_id: str) -> Record | None: ...
        def all(self) -> dict[str, Record]: ...

    class Counted(Snapshot, Protocol):
        """One that also knows about how many beads it has, and their edges."""

        def count(self) -> int: ...
        def naming(self, texts: Sequence[str]) -> Iterable[str]: ...
        def linked(self) -> Mapping[str, Record]: ...
else:
    fields, graph = late("gastown_hooks.rules.fields"), late("gastown_hooks.rules.graph")
    ready, states = late("gastown_hooks.rules.ready"), late("gastown_hooks.rules.states")
    index, known = late("gastown_hooks.stores.index"), late("gastown_hooks.stores.known")


class Draft:
    """A snapshot and the changes made so far: the second bead of a command sees what became of the first."""

    def __init__(self, below: Counted) -> None:
        self._below = below
        self.clear()

    def clear(self) -> None:
        """Take all changes back."""
        self._all: dict[str, Record] | None = None
        self._linked: known.Changed | None = None
        self._count = 0
        self._next: dict[str, int] = {}
        self.changed: dict[str, Record] = {}

    def get(self, bead_id: str) -> Record | None:
        return self.changed.get(bead_id) or self._below.get(bead_id)

    def all(self) -> dict[str, Record]:
        if self._all is None:
            self._all = {**self._below.all(), **self.changed}
        return self._all

    def linked(self, *others: Record) -> known.Changed:
        """`all`, with these records, of which each is read when it is asked for, where the ledger's index allows it (see `commit`)."""
        if self._linked is None:
            self._below_linked = self._below.linked()
            whole = self._below_linked if isinstance(self._below_linked, graph.Linked) else known.Together([self._below_linked])
            self._linked = known.Changed(whole, self.changed)
        return known.Changed(self._linked, {record["id"]: record for record in others}) if others else self._linked

    def next_child(self, parent: str) -> int:
        """The number of the next bead below this one."""
        if parent not in self._next:
            self.linked()
            below = self._below_linked.named(f"{parent}.") if isinstance(self._below_linked, known.Known) else self._below_linked
            self._next[parent] = states.child_number([*below, *self.changed], parent)
        return self._next[parent]

    def naming(self, texts: Sequence[str]) -> list[Record]:
        """The beads, at least, in which one of these texts stands somewhere."""
        found = (self.get(name) for name in dict.fromkeys([*self._below.naming(texts), *self.changed]))
        return [record for record in found if record is not None]

    def count(self) -> int:
        """About how many beads there are."""
        self._count = self._count or self._below.count()
        return self._count + len(self.changed)

    def put(self, record: Record) -> None:
        bead_id = record["id"]
        self.changed[bead_id] = record
        if self._all is not None:
            self._all[bead_id] = record
        if self._linked is not None:
            self._linked.put(record)
        parent, _, number = bead_id.rpartition(".")
        if parent in self._next and number.isdigit():
            self._next[parent] = max(self._next[parent], int(number) + 1)


class Still:
    """A snapshot of these records."""

    def __init__(self, records: dict[str, Record]) -> None:
        self._records = records

    def get(self, bead_id: str) -> Record | None:
        return self._records.get(bead_id)

    def all(self) -> dict[str, Record]:
        return dict(self._records)

    def linked(self) -> Mapping[str, Record]:
        return self.all()

    def naming(self, texts: Sequence[str]) -> Iterable[str]:
        return self._records

    def count(self) -> int:
        return len(self._records)


class Around(Mapping[str, "Record"]):
    """The beads of a draft and those of the town's other ledgers, each looked up when it is asked for; all only if they must be."""

    def __init__(self, world: World, draft: Draft) -> None:
        self._world, self._draft = world, draft
        self._found: dict[str, Record | None] = {}
        self._every: dict[str, Record] | None = None

    def __getitem__(self, bead_id: str) -> Record:
        if self._every is not None:
            return self._every[bead_id]
        if bead_id not in self._found:
            self._found[bead_id] = self._draft.get(bead_id) or self._world.elsewhere(bead_id)
        record = self._found[bead_id]
        if record is None:
            raise KeyError(bead_id)
        return record

    def _all(self) -> dict[str, Record]:
        if self._every is None:
            self._every = self._world.around(self._draft.all())
        return self._every

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def commit(ledger: Ledger, fill: Callable[[Draft], object], dry_run: bool, *, linked: bool = False) -> Draft:
    """Fill a draft under the ledger's lock and write it, all or nothing. `linked`: it will ask for edges, so first the index is brought up
    to date: under the lock nobody would."""
    drafts: list[Draft] = []
    if linked:
        index.current(ledger)

    def change(view: Counted) -> list[Record]:
        drafts[:] = [Draft(view)]
        fill(drafts[0])
        return list(drafts[0].changed.values())

    if dry_run:
        ledger.view(change)
        return drafts[0]
    ledger.transact(change)
    return drafts[0]


def each(ledger: Ledger, bead_ids: Sequence[str], one: Callable[[Draft, Record], Record],
         dry_run: bool, *, linked: bool = False) -> list[Record]:
    """Change several beads of one ledger in one transaction; the records as they stand then, in the order asked for."""
    def fill(draft: Draft) -> None:
        for bead_id in bead_ids:
            draft.put(one(draft, existing(draft, bead_id)))

    draft = commit(ledger, fill, dry_run, linked=linked)
    return [draft.changed[bead_id] for bead_id in dict.fromkeys(bead_ids)]


def existing(view: Snapshot, bead_id: str) -> Record:
    """The bead. Raises NotFound, also for a deleted one, and one that has another id now."""
    record = view.get(bead_id)
    if record is None or record.get("status") == states.TOMBSTONE:
        word, _, new = str((record or {}).get("delete_reason") or "").partition(" ")
        if word == "now" and view.get(new) is not None:
            raise errors.NotFound(f"no bead {ids.shown(bead_id)}", why=f"it is {new} now", next=f"bd show {new}")
        raise errors.NotFound(f"no bead {ids.shown(bead_id)}", why="it was deleted" if record else "", next="bd list --all")
    return record


# ---- edges -------------------------------------------------------------------------------------------------

def edge(child: str, kind: str, target: str, caller: Caller, now: int) -> Record:
    """A stored dependency."""
    return {"issue_id": child, "depends_on_id": target, "type": kind, "created_at": clock.stamp(now), "created_by": caller.actor}


def check_open(parent: Record) -> None:
    """Raises Refused for a closed bead: it could not be closed with an open child, so it gets none."""
    if ready.status(parent) == "closed":
        raise errors.Refused(f"{parent['id']} is closed", why="it takes no new children", next=f"bd reopen {parent['id']}")


def check_edge(records: Mapping[str, Record], child: str, kind: str, target: str, *, circles: bool = True) -> None:
    """Raises BadInput, NotFound or Refused for a dependency that may not be. Without `circles` somebody else looks for those."""
    if target == child:
        raise errors.BadInput(f"{child} cannot depend on itself")
    if fields.is_foreign(target):
        if kind == graph.PARENT:
            raise errors.BadInput(f"{ids.shown(target)} cannot be a parent", why="it is a bead of another project")
        return
    if target not in records or records[target].get("status") == states.TOMBSTONE:
        raise errors.NotFound(f"no bead {ids.shown(target)}", why=f"{child} cannot depend on it", next="bd list --all")
    if ready.is_wisp(records[target]) and not ready.is_wisp(records.get(child, {})):
        raise errors.Refused(f"{child} cannot depend on {target}", why=f"{target} is a wisp: no other clone has it",
                      next=f"bd update {target} --persistent")
    if kind == graph.PARENT:
        others = [parent for parent in graph.parents(records.get(child, {})) if parent != target]
        if others:
            raise errors.Refused(f"{child} has a parent", why=f"it is {others[0]}, and there is one at most",
                          next=f"bd update {child} --parent {target}")
        if ready.status(records.get(child, {})) != "closed":
            check_open(records[target])
    circle = graph.cycle_from(records, child, target, kind) if circles else None
    if circle is not None:
        raise errors.Refused(f"{child} cannot depend on {target}", why=f"a cycle: {round_of(circle)}", next=f"bd dep tree {target}")


def round_of(circle: list[str]) -> str:
    """A circle in words."""
    return " -> ".join(circle if len(circle) <= 8 else [*circle[:4], "…", *circle[-3:]])
