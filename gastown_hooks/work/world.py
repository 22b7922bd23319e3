"""Which ledgers a caller sees, and how what a person types names a bead in one of them.

The caller's own ledger is the one of `BEADS_DIR`, else the nearest `.beads` at or above the working directory (redirects followed; a
linked worktree without one has its main worktree's), else the town's.
Every other ledger of the town is reached by the id's prefix (stores/routes).
"""

from __future__ import annotations

from gastown_hooks.core import errors, ids
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import BEADS, Beads, Wisps, follow_redirect, nearest_beads
from gastown_hooks.core.system import os
from gastown_hooks.stores.callers import Caller, variable
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.routes import Routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import fields, graph, states
    from gastown_hooks.stores import external, gitdir, index, known, touched
    from gastown_hooks.stores.index import Wanted
else:
    fields, external = late("gastown_hooks.rules.fields"), late("gastown_hooks.stores.external")
    gitdir, touched = late("gastown_hooks.stores.gitdir"), late("gastown_hooks.stores.touched")
    graph, known = late("gastown_hooks.rules.graph"), late("gastown_hooks.stores.known")
    index = late("gastown_hooks.stores.index")
    states = late("gastown_hooks.rules.states")

SHORTEST = 3  # letters of an id that may stand for it
_LARGE = 1 << 22  # bytes of a ledger that are not read to guess what somebody meant
MAIN = "main worktree of this linked one"  # which has no ledger itself


class World:
    """The caller's ledgers, each opened once."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.routes = Routes(caller.town) if caller.town else None
        self._open: dict[str, Ledger] = {}
        self._beyond: dict[str, Mapping[str, Record]] = {}
        self._home: Ledger | None = None

    def touch(self, bead_id: str) -> None:
        """This is what the caller means when it names no bead, until it touches another."""
        touched.remember(self.home().beads, self.caller.actor, bead_id)

    def touched(self) -> str:
        """The bead that the caller touched last. Raises BadInput when there is none."""
        found = touched.last(self.home().beads, self.caller.actor)
        if found is None:
            raise errors.BadInput("an ID is needed", why=f"{self.caller.actor} has touched no bead here yet", next="bd list")
        return found

    def left_out(self) -> list[str]:
        """What was passed over in the ledgers that were read: lines that are no bead."""
        return [f"{ledger.beads.issues} {problem}" for ledger in self._open.values() for problem in ledger.left_out]

    def home(self) -> Ledger:
        """The caller's own ledger. Raises NotATown where there is none."""
        if self._home is None:
            self._home = self._ledger(home_beads(self.caller)[0])
        return self._home

    def at(self, prefix: str) -> Ledger:
        """The ledger of a prefix. Raises NotFound with the known prefixes."""
        known = self.prefixes()
        prefix = ids.prefix(prefix.removesuffix("-"))
        if prefix not in known:
            raise errors.NotFound(f"no ledger has the prefix {prefix}", why=f"known prefixes: {', '.join(sorted(known))}",
                           next="gt rig list" if self.routes else "bd where")
        return self.of(f"{prefix}-0") if self.routes and prefix in self.routes.prefixes() else self.home()

    def prefixes(self) -> set[str]:
        known = set(self.routes.prefixes()) if self.routes else set()
        return known or {self.home().prefix}

    def of(self, bead_id: str) -> Ledger:
        """The ledger in which a bead of this id is, or would be."""
        ids.bead(bead_id)
        if self.routes is None or self.routes.prefix_of(bead_id) is None:
            return self.holding(self.home(), bead_id)
        return self.holding(self._ledger(self.routes.beads_of(bead_id)), bead_id)

    def wisps(self, ledger: Ledger) -> Ledger | None:
        """The ledger of a ledger's wisps; None while it has none."""
        return self._ledger(Wisps(ledger.beads)) if os.path.exists(ledger.beads.wisps) else None

    def wisps_of(self, *ledgers: Ledger) -> dict[str, Record]:
        """The wisps of these ledgers, deleted ones included."""
        found: dict[str, Record] = {}
        for ledger in ledgers:
            its = self.wisps(ledger)
            there = its.all() if its else {}
            kept = ledger.some(there) if there else {}
            found |= {name: record for name, record in there.items() if states.is_away(kept.get(name))}
        return found

    def with_wisps(self, ledgers: Iterable[Ledger]) -> list[Ledger]:
        """These, and the ledgers of their wisps."""
        return [one for ledger in ledgers for one in (ledger, self.wisps(ledger)) if one is not None]

    def wisps_on(self, ledger: Ledger, bead_id: str) -> list[tuple[str, str]]:
        """(id, kind) of the ledger's wisps that depend on a bead."""
        its = self.wisps(ledger)
        found = graph.dependents(known.beads(its)).get(bead_id, ()) if its else ()
        kept = ledger.some(name for name, _ in found) if found else {}
        return [one for one in found if states.is_away(kept.get(one[0]))]

    def beside(self, ledger: Ledger) -> Ledger:
        """The ledger of which these are the wisps; any other itself."""
        return self._ledger(ledger.beads.above) if isinstance(ledger.beads, Wisps) else ledger

    def holding(self, ledger: Ledger, bead_id: str) -> Ledger:
        """Of the ledger and its wisps the one that has the bead; the ledger where neither has it."""
        its = self.wisps(ledger)
        if its is None or not states.is_away(ledger.get(bead_id)) or its.get(bead_id) is None:
            return ledger
        return its

    def shown(self, prefix: str | None = None) -> list[Ledger]:
        """The ledgers that a listing covers: one by prefix; the caller's; from the town's own level, all of them."""
        if prefix is not None:
            return [self.at(prefix)]
        home = self.home()
        if self.routes is None or self.caller.town is None or home.beads.root != self.caller.town.beads.root:
            return [home]
        others = {beads.root: self._ledger(beads) for _, beads in sorted(self.routes.prefixes().items())}
        return list({home.beads.root: home, **others}.values())

    def exact(self, text: str) -> tuple[Ledger, str] | None:
        """Like `find`, for a whole id or one without the caller's own prefix; None when there is no such bead."""
        if ":" in text and fields.is_foreign(text):
            return None  # another project's
        ledger, name = self.place(text)
        ledger = self.holding(ledger, name)
        return None if ledger.get(name) is None else (ledger, name)

    def find(self, text: str) -> tuple[Ledger, str]:
        """The ledger and full id of the bead that `text` names: its id, or the beginning of one that no other shares.

        Raises NotFound (with close ids), BadInput (several fit).
        """
        place = self.exact(text)
        if place is not None:
            return place
        if fields.is_foreign(text):
            raise errors.BadInput(f"{ids.shown(text)} is another project's bead", why="it is changed there",
                                  next=f"bd show {ids.shown(text)}")
        ledger, name = self.place(text)
        among = [ledger] if name == text else self.shown()
        known = {bead_id: there for there in among for bead_id in self._like(there, text)}
        for path, problem in ((there.beads.issues, problem) for there in self._open.values() for problem in there.left_out):
            if f'"id":"{name}"'.encode() in problem.line.replace(b" ", b""):
                raise errors.Corrupt(f"{ids.shown(name)} is damaged", why=f"{path} {problem}", next="mend the line, or bd doctor")
        fits = [bead_id for there in among for bead_id in _fitting([i for i in known if known[i] is there], text, there.prefix)]
        if len(fits) == 1:
            return self.holding(known[fits[0]], fits[0]), fits[0]
        if fits:
            raise errors.BadInput(f"{ids.shown(text)} fits {len(fits)} beads", why=", ".join(fits[:5]), next="type more of the id")
        local = {ids.local_part(bead_id, there.prefix): bead_id for bead_id, there in known.items()}
        close = [local[part] for part in ids.close(ids.local_part(name, ledger.prefix), list(local))]
        raise errors.NotFound(f"no bead {ids.shown(text)}", why=f"close: {', '.join(close)}" if close else "", next="bd list --all")

    def _like(self, ledger: Ledger, text: str) -> list[str]:
        """The ids, wisps' too, that may be what a text means: of a large ledger those that begin with it, of a small one all."""
        local = text.removeprefix(f"{ledger.prefix}-")
        is_large = len(local) >= SHORTEST and os.path.exists(ledger.beads.issues) and os.stat(ledger.beads.issues).st_size > _LARGE
        its = index.current(ledger) if is_large else None
        there = {**(ledger.all() if its is None or its.odd else {}), **self.wisps_of(ledger)}
        found = {} if its is None or its.odd else its.named(f"{ledger.prefix}-{local}") | its.named(local)
        found |= {name: record.get("status") or "" for name, record in there.items()}
        return [name for name, status in found.items() if status != states.TOMBSTONE]

    def elsewhere(self, bead_id: str) -> Record | None:
        """The bead, if its prefix leads to a ledger of the town, or it is another project's."""
        if fields.is_foreign(bead_id):
            return external.look(self._settings(), [bead_id])[bead_id]
        ledger = self._near(bead_id)
        return None if ledger is None else self.holding(ledger, bead_id).get(bead_id)

    def _near(self, bead_id: str) -> Ledger | None:
        """The ledger to which the bead's prefix leads; in a plain repository the one there is, if that has wisps, which may wait for any
        of its beads."""
        if self.routes is None:
            there_is = self._home is not None or any(found for _, found in discovery(self.caller))
            return self.home() if there_is and self.wisps(self.home()) else None
        prefix = self.routes.prefix_of(bead_id)
        return self._ledger(self.routes.at(prefix)) if prefix else None

    def around(self, records: Mapping[str, Record], extra: Iterable[str] = ()) -> dict[str, Record]:
        """The records and, where they depend on beads of the town's other ledgers, on wisps or on other projects, the records of those too.

        The town's own beads (its epics) have children in any rig: with them come all ledgers.
        """
        world, loaded = dict(records), set[str]()
        there = self.routes.prefixes() if self.routes else {}
        own = tuple(f"{prefix}-" for prefix, beads in there.items() if self.routes and beads.root == self.routes.town.beads.root)
        wanted = [*extra, *(edge.target for record in world.values() for edge in graph.edges(record))]
        wanted += [bead_id for bead_id in world if bead_id.startswith(own)][:1]
        if self.routes is None and (not wanted or self._near("") is None):
            return self._with_foreign(world)
        while wanted:
            target = wanted.pop()
            if target.startswith(own):
                return {**self.everything(), **self._with_foreign(world)}
            ledger = None if target in world else self._near(target)
            if ledger is None or ledger.beads.root in loaded:
                continue
            loaded.add(ledger.beads.root)
            for bead_id, record in {**ledger.all(), **self.wisps_of(ledger)}.items():
                if bead_id not in world:
                    world[bead_id] = record
                    wanted += [edge.target for edge in graph.edges(record)]
        return self._with_foreign(world)

    def leads_away(self, ledger: Ledger, bead_id: str) -> bool:
        """Whether the bead is, or would be, in another ledger of the town."""
        prefix = self.routes.prefix_of(bead_id) if self.routes else None
        return self.routes is not None and prefix is not None and self.routes.at(prefix).root != ledger.beads.root

    def known(self, own: Iterable[Ledger] = ()) -> Mapping[str, Record]:
        """The beads of the town, and of these ledgers, each read when it is asked for where an index tells."""
        ledgers = {ledger.beads.root: ledger for ledger in [*map(self.beside, own), *self._routed()]}.values()
        wisps = self.wisps_of(*ledgers)
        parts = [*([wisps] if wisps else []), *(known.beads(ledger) for ledger in ledgers)]
        parts = [self._with_foreign(part) if isinstance(part, dict) else part for part in parts]
        return parts[0] if len(parts) == 1 else known.Together(parts)

    def others(self, ledger: Ledger) -> list[Ledger]:
        """The other ledgers that edges of this one's may lead to, or from."""
        found = {one.beads.root: one for one in self.with_wisps([self.beside(ledger), *self._routed()])}
        return [one for root, one in found.items() if root != ledger.beads.root]

    def beyond(self, ledger: Ledger) -> Mapping[str, Record]:
        """The beads of `others`, as they are when this is asked first."""
        if ledger.beads.root not in self._beyond:
            self._beyond[ledger.beads.root] = known.Together([known.beads(one) for one in self.others(ledger)])
        return self._beyond[ledger.beads.root]

    def those(self, *wanted: Wanted) -> dict[str, Record]:
        """At least the town's beads of which all of one of these is true."""
        return {name: record for ledger in self._routed() for name, record in known.those(ledger, *wanted).items()}

    def outlook(self, names: Sequence[str], now: int) -> dict[str, tuple[Record, bool]]:
        """`index.Index.outlook` of the town's beads; nothing where one may wait for a wisp or a bead of another ledger."""
        found: dict[str, tuple[Record, bool]] = {}
        for ledger in self._routed():
            its = index.current(ledger)
            if its is None or its.odd or self.wisps(ledger) or any(self.leads_away(ledger, target) for target in its.unknown()):
                return {}
            found = {**its.outlook(names, now), **found}
        return found

    def likely(self, ledgers: Iterable[Ledger], now: int, count: int) -> list[str] | None:
        """The first beads of each of these ledgers that may begin and are nobody's or the caller's; None where no index can tell."""
        found: list[str] = []
        for ledger in ledgers:
            its = index.current(ledger)
            unknown = [] if its is None else its.unknown()  # who waits for a wisp or a bead of another ledger may be free
            if its is None or its.odd or (unknown and self.wisps(ledger)) or any(self.leads_away(ledger, one) for one in unknown):
                return None
            found += [row[2] for row in its.ready(now, count, [("assignee", True, ["", self.caller.actor])])]
        return found

    def claims(self) -> dict[str, Record]:
        """At least the town's beads that workers hold, as far as `known.claims` has them."""
        return {bead["id"]: bead for ledger in self._routed() for bead in known.claims(ledger)}

    def everything(self) -> dict[str, Record]:
        """Every bead of the town, and what of other projects they depend on."""
        return self._with_foreign({name: record for ledger in self._routed() for name, record in ledger.all().items()})

    def _routed(self) -> list[Ledger]:
        found = {beads.root: beads for beads in (self.routes.prefixes().values() if self.routes else ())}
        return [self._ledger(beads) for beads in found.values()]

    def _with_foreign(self, world: dict[str, Record]) -> dict[str, Record]:
        """The records, and those of the beads of other projects that they depend on."""
        wanted = fields.foreign_targets(world.values()) if world else ()
        return {**world, **external.look(self._settings(), wanted)} if wanted else world

    def _settings(self) -> Beads:
        """The ledger that configures the other projects."""
        return self.caller.town.beads if self.caller.town is not None else self.home().beads

    def place(self, text: str) -> tuple[Ledger, str]:
        """The ledger to look in, and the text as a whole id (the caller's prefix is put before a bare one)."""
        if self.routes is not None and self.routes.prefix_of(text):
            return self.of(text), text
        home = self.home()
        if text.startswith(home.prefix + "-") or home.get(text) is not None:
            return home, ids.bead(text)
        ids.bead(f"{home.prefix}-{text}")
        return home, text if "-" in text else f"{home.prefix}-{text}"

    def _ledger(self, beads: Beads) -> Ledger:
        if beads.root not in self._open:
            self._open[beads.root] = self.routes.open(beads, self.caller) if self.routes else Ledger(beads, self.caller.writer())
        return self._open[beads.root]


def home_beads(caller: Caller) -> tuple[Beads, str]:
    """The folder of the caller's own ledger, and the rule that found it. Raises NotATown."""
    for rule, found in discovery(caller):
        if found is not None:
            return follow_redirect(found), rule
    raise errors.NotATown(f"no ledger at or above {caller.cwd}", next="bd init")


def discovery(caller: Caller) -> Iterator[tuple[str, Beads | None]]:
    """Where a ledger is looked for, in order: the rule, and the folder that it finds, redirects not followed yet. The first one counts."""
    named = variable("BEADS_DIR")
    yield "BEADS_DIR", Beads(named.rstrip("/") or "/") if named else None
    found = nearest_beads(caller.cwd)
    linked = _linked_worktree(caller.cwd, found)
    main = gitdir.main_worktree(linked) if linked else None
    there = Beads(f"{main}/{BEADS}")
    yield MAIN, there if main and there.exists() else None
    yield f"nearest {BEADS} folder", found
    yield "the town's own", caller.town.beads if caller.town is not None else None


def _linked_worktree(folder: str, above: Beads | None) -> str | None:
    """The nearest folder at or above this one with a `.git` that is a file, if it is below the one that holds `above`."""
    end = os.path.dirname(above.root) if above else "/"
    while folder != end and folder != "/":
        if os.path.isfile(f"{folder}/.git"):
            return folder
        folder = os.path.dirname(folder)
    return None


def _fitting(known: list[str], text: str, prefix: str) -> list[str]:
    """The ids that begin with the text; a bead stands for its children where the text does not reach them."""
    local = text.removeprefix(prefix + "-")
    if len(local) < SHORTEST:
        return []
    fits = [bead_id for bead_id in sorted(known) if ids.local_part(bead_id, prefix).startswith(local)]
    return [bead_id for bead_id in fits
            if not any(bead_id.startswith(f"{other}.") and not local.startswith(ids.local_part(other, prefix) + ".") for other in fits)]
