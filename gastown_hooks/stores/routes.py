"""Which ledger a bead is in, by its id's prefix: `<town>/.beads/routes.jsonl`, lines `{"prefix":"gp-","path":"greenplace"}`.

`path` is the folder that holds `.beads`, relative to the town; `.` is the town itself. The longest fitting prefix wins.
`BD_DEBUG_ROUTING=1` tells each decision on stderr.
"""

from __future__ import annotations

import sys

from gastown_hooks.core import errors, fsio, ids, jsons
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import BEADS, Beads, Rig, Town, follow_redirect
from gastown_hooks.stores.callers import Caller, variable
from gastown_hooks.stores.ledger import Ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.core import lock
else:
    lock = late("gastown_hooks.core.lock")


class Routes:
    """The town's routing table, read once."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._paths: dict[str, str] = {}
        for number, line in enumerate(fsio.whole_lines(fsio.read(town.beads.routes) or b""), 1):
            if line.strip() and not line.startswith(b"#"):
                prefix, path = _route(line, f"{town.beads.routes} line {number}")
                self._paths[prefix] = path

    def prefixes(self) -> dict[str, Beads]:
        """Prefix (without its hyphen) to ledger folder."""
        return {prefix: self._beads(path) for prefix, path in self._paths.items()}

    def at(self, prefix: str) -> Beads:
        """The ledger folder of a known prefix."""
        return self._beads(self._paths[prefix])

    def prefix_of(self, bead_id: str) -> str | None:
        """The known prefix of an id."""
        return ids.prefix_of(bead_id, self._paths.keys())

    def beads_of(self, bead_id: str) -> Beads:
        """Raises NotFound with the known prefixes."""
        prefix = self.prefix_of(ids.bead(bead_id))
        if prefix is None:
            raise errors.NotFound(f"no ledger for {ids.shown(bead_id)}", why=f"known prefixes: {', '.join(sorted(self._paths))}",
                           next="gt rig list")
        beads = self.at(prefix)
        if variable("BD_DEBUG_ROUTING") == "1":
            print(f"[routing] {bead_id}: prefix {prefix} -> {beads.root}", file=sys.stderr)
        return beads

    def rig_of(self, bead_id: str) -> Rig | None:
        """The rig whose ledger holds the bead; None for the town's own."""
        path = self._paths[self.prefix_of(bead_id) or ""] if self.beads_of(bead_id) else "."
        return None if path == "." else self.town.rig(path)

    def ledger(self, bead_id: str, caller: Caller) -> Ledger:
        """The bead's ledger, writing on the caller's claim."""
        return self.open(self.beads_of(bead_id), caller)

    def open(self, beads: Beads, caller: Caller) -> Ledger:
        """A ledger that checks the caller's claim, wherever the claimed bead is."""
        writer = caller.writer()
        if writer is None or not writer.bead:
            return Ledger(beads, writer)
        home = self.beads_of(writer.bead)
        return Ledger(beads, writer, None if home.root == beads.root else Ledger(home))

    def add(self, prefix: str, path: str) -> None:
        """Add a route; the same one twice is one. Raises Conflict when the prefix leads elsewhere."""
        with lock.acquire(self.town.lock("routes")):
            there = Routes(self.town)._paths.get(ids.prefix(prefix))
            if there == path:
                return
            if there is not None:
                raise errors.Conflict(f"prefix {prefix} is taken", why=f"it leads to {there}", next="choose another: --prefix P")
            line = jsons.dumps({"prefix": prefix + "-", "path": path}).encode() + b"\n"
            fsio.append(self.town.beads.routes, line)
            self._paths[prefix] = path

    def remove(self, path: str) -> None:
        """Drop every route to a rig."""
        with lock.acquire(self.town.lock("routes")):
            kept = [line for line in fsio.whole_lines(fsio.read(self.town.beads.routes) or b"")
                    if not line.strip() or line.startswith(b"#") or _route(line, self.town.beads.routes)[1] != path]
            fsio.write(self.town.beads.routes, b"".join(line + b"\n" for line in kept))
            self._paths = {prefix: there for prefix, there in self._paths.items() if there != path}

    def _beads(self, path: str) -> Beads:
        folder = self.town.root if path == "." else f"{self.town.root}/{path}"
        return follow_redirect(Beads(f"{folder}/{BEADS}"))


def _route(line: bytes, where: str) -> tuple[str, str]:
    try:
        found = jsons.loads(line.decode())
        prefix, path = ids.prefix(str(found["prefix"]).removesuffix("-")), found["path"]
        if path != ".":  # a route leads to the town or to a folder right below it, never out of it
            ids.name(path, "rig")
    except (ValueError, KeyError, TypeError, errors.BadInput) as error:
        raise errors.Corrupt(where, why=str(error), next="mend or remove that line") from None
    return prefix, path
