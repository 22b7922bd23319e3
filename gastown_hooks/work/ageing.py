"""Old closed beads: moved to the archive, or kept with shorter texts while git has the long ones. `removal.restore` brings both back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gastown_hooks.core import record
from gastown_hooks.core.errors import NotFound, Refused
from gastown_hooks.core.record import touched
from gastown_hooks.rules import ageing as rules
from gastown_hooks.rules import claims
from gastown_hooks.stores import archive, git, lines
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.work import ledger_git
from gastown_hooks.work.beadwrite import each, existing
from gastown_hooks.work.world import World

Record = dict[str, Any]
PIN = "refs/gt/compacted/"


def shelve(where: World, ledger: Ledger, now: int, days: int, *, at_least: int = 1, dry_run: bool = False) -> list[Record]:
    """Move what is ripe (rules/ageing) to the archive, if it is at least so many; returns it. Again at once it finds nothing.

    The bead with the highest fence stays: the next sling counts on from it, and no fence is given twice.
    """
    own = ledger.all()
    known, last = where.around(own), max(map(claims.fence, own.values()), default=0) or None
    there = ledger.look(lambda pair: {record["id"]: line for record in rules.ripe(known, now, days) if claims.fence(record) != last
                                      and (line := pair.filed(record["id"])) is not None})
    ripe = [known[bead_id] for bead_id in there]
    if dry_run or not ripe or len(ripe) < at_least:
        return ripe if dry_run and len(ripe) >= at_least else []
    shelves: dict[str, dict[str, bytes]] = {}
    for bead in ripe:
        shelves.setdefault(rules.year(bead), {})[bead["id"]] = there[bead["id"]]

    def change(view: View) -> tuple[dict[str, bytes], dict[str, bytes]]:
        still = {year: {name: line for name, line in shelf.items() if view.line(name) == line} for year, shelf in shelves.items()}
        return archive.added(ledger.beads, still), {name: line for shelf in still.values() for name, line in shelf.items()}

    gone = set(ledger.shelve(change))
    return [bead for bead in ripe if bead["id"] in gone]


def compact(where: World, ledger: Ledger, now: int, days: int, bead_ids: Sequence[str] = (), *, dry_run: bool = False) -> list[Record]:
    """Shorten the texts of what is ripe (of these beads alone, if some are given); returns the shortened and the given ones.

    Only what a commit holds as it is; that commit is kept by a ref of its own. Raises Refused for a ledger that is not in git, and
    for a bead that is named and not ripe, or not committed.
    """
    place = ledger_git.place(ledger, where.caller)
    commit = place.resolve(place.tip)
    committed = {} if commit is None else {line for line in place.text(commit).split(b"\n") if line}
    ripe = {bead["id"]: bead for bead in rules.ripe(where.around(ledger.all()), now, days)}
    for bead_id in bead_ids:
        if bead_id not in ripe:
            raise Refused(f"{bead_id} cannot be compacted", why=f"it is not closed and unchanged for {days} days, or others need it",
                          next="bd compact --days N")
    wanted = {name: found for name in bead_ids or ripe if (found := rules.compacted(ripe[name], commit or "", now))}
    changes = ledger.look(lambda pair: {name: found for name, found in wanted.items() if pair.filed(name) in committed})
    if wanted and (not changes or (bead_ids and len(changes) < len(wanted))):
        raise Refused("nothing can be compacted", why="git does not have these beads as they are now", next="bd sync")
    if commit is not None and changes and not dry_run:
        git.update_refs(place.repo, [(f"{PIN}{commit}", commit, None)], "bd compact")
    after = each(ledger, list(changes), lambda draft, bead: (
        touched(bead, changes[bead["id"]], where.caller.actor, now) if bead == ripe[bead["id"]] else bead), dry_run) if changes else []
    return list({bead["id"]: bead for bead in [*(ripe[name] for name in bead_ids), *after]}.values())


def originals(ledger: Ledger, caller: Caller, bead_ids: Iterable[str]) -> dict[str, Record]:
    """Of those of these beads that were compacted, what git has of them. Raises NotFound where git has it no more."""
    found: dict[str, Record] = {}
    for bead_id in bead_ids:
        bead = ledger.get(bead_id) or existing(ledger, bead_id)
        if bead.get("compacted_at_commit"):
            place = ledger_git.place(ledger, caller)
            text = place.text(place.resolve(str(bead["compacted_at_commit"])))
            start, end, there = lines.find(lines.normal(text), bead_id)
            if not there:
                raise NotFound(f"the texts of {bead_id} are not here", why=f"commit {bead['compacted_at_commit']} has them",
                               next=f"git fetch origin {bead['compacted_at_commit']}")
            found[bead_id] = record.decode(lines.normal(text)[start:end])
    return found
