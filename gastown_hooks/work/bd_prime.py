"""What an agent is told of the tracker at the start of a session: how it works here, what is its own, what may begin; at most 4 kB (I11).

Titles and memories are others' words: they stand between two lines of a fence, as data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gastown_hooks.core import fsio
from gastown_hooks.core.ids import shown
from gastown_hooks.rules import ready, states
from gastown_hooks.stores import known
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import ledger_git_setup, memories
from gastown_hooks.work.prime import FENCE, LIMIT, cut
from gastown_hooks.work.world import World

Record = dict[str, Any]
_FEW = 5
_RULES = """\
What is to be done is kept as beads, not in to-do files or in your head: a bead for each piece of work, made before it is begun.
- Find work:    bd ready                       (--explain says why the rest waits)
- Look:         bd show ID    bd list    bd search TEXT
- Take it:      bd update ID --claim           (one taker wins)
- Found more:   bd create "Title" -t bug|task|feature -p 0-4 --deps discovered-from:ID
- Order:        bd dep add LATER FIRST         (bd blocked shows what waits)
- Finish:       bd close ID --reason "what was done"    (--suggest-next, --continue)
Every command: --json for programs, --dry-run where it writes, --help with an example. Never edit the ledger's files by hand."""
_FULL = """\
More:
- Plan at once: bd create --graph plan.json    bd create -f plan.md    bd batch
- Epics:        bd create "Epic" -t epic, then --parent EPIC    bd epic status    bd children ID
- Change:       bd update ID --append-notes TEXT    bd comment ID TEXT    bd label add ID L    bd defer ID --until +1d
- Elsewhere:    bd dep add ID external:PROJECT:THEIR-ID    bd external list
- Undo:         bd reopen ID    bd restore ID    bd history ID
- Remember:     bd remember TEXT --key K    bd recall K    bd memories
- Health:       bd doctor    bd where --explain    bd stats"""


def text(where: World, now: int, *, full: bool = False, stealth: bool = False) -> str:
    """The text for the caller; `stealth`: without a word of git. Raises NotATown where there is no ledger, and whatever keeps it from
    being read."""
    ledger = where.home()
    parts = [f"[BEADS] {where.caller.actor}, ledger {shown(ledger.beads.root, 200)}, ids {ledger.prefix}-…", _RULES]
    if full:
        parts.append(_FULL)
    parts.append(_end(where, ledger, stealth))
    mine, first = _mine(where, ledger), _ready(where, ledger, now)
    listed = [("Yours, begun:", mine), ("Ready:", first), ("Remembered (bd recall KEY):", _remembered(ledger))]
    room = LIMIT - sum(len(part.encode()) + 2 for part in parts)
    for title, lines in listed:
        part = "\n".join([title, FENCE, *lines, FENCE])
        if lines and len(part.encode()) + 2 <= room:
            parts.insert(-1, part)
            room -= len(part.encode()) + 2
    return "\n\n".join(parts)


def own(where: World) -> str | None:
    """What the people here want their agents to be told instead (PRIME.md), as much as there is room for; None where they said nothing."""
    found = fsio.read(where.home().beads.prime)
    if found is None:
        return None
    words = found.decode("utf-8", "backslashreplace").strip()
    if len(words.encode()) <= LIMIT:
        return words
    more = f"\n… more: {shown(where.home().beads.prime, 200)}"
    return words.encode()[:LIMIT - len(more.encode())].decode("utf-8", "ignore") + more


def short() -> str:
    """For a program that offers the commands as tools of its own, and needs only to be told that they are there."""
    return "Work is tracked as beads: bd ready, bd update ID --claim, bd close ID --reason TEXT, bd create TITLE. More: bd prime."


def memories_of(where: World) -> str:
    """What is remembered, as much as there is room for; "" where nothing is."""
    lines, room = list[str](), LIMIT - 3 * len(FENCE)
    for line in _remembered(where.home(), None):
        room -= len(line.encode()) + 1
        lines += [line] if room > 0 else []
    return "\n".join(["Remembered (bd recall KEY):", FENCE, *lines, FENCE]) if lines else ""


def _end(where: World, ledger: Ledger, stealth: bool) -> str:
    """How a session ends here."""
    if where.caller.role == "polecat":
        return "You are a worker: do what is on your hook. Your bead closes when it lands: end with gt done, not bd close. More: gt prime"
    if where.caller.town is not None:
        return "This ledger is a town's: nothing is to be committed for it. Your hook and how to go on: gt prime"
    top = ledger.beads.root.rpartition("/")[0]
    if stealth:
        return "At the end of a session: close what is done."
    if ledger.write_through and not ledger_git_setup.is_stealth(top):
        return "At the end of a session: close what is done, then bd sync, or commit .beads with the code."
    return "At the end of a session: close what is done" + (", then bd sync." if not ledger.write_through else ".")


def _mine(where: World, ledger: Ledger) -> list[str]:
    actor = where.caller.actor
    wanted = {**known.those(ledger, (("status", True, states.CLAIMED), ("assignee", True, (actor,)))), **where.wisps_of(ledger)}
    return _lines(sorted((one for one in wanted.values() if one.get("assignee") == actor and ready.status(one) in states.CLAIMED),
                         key=ready.in_order))


def _ready(where: World, ledger: Ledger, now: int) -> list[str]:
    found = {one.beads.root: (one, known.known(one)) for one in where.shown()}
    its = found[ledger.beads.root][1]
    alone = all(there is not None and not any(where.leads_away(one, target) for target in there.index.unknown())
                for one, there in found.values())
    if its is None or not alone:  # beads wait for those of other ledgers
        return _lines(one for one in ready.ready(where.around(ledger.all()), now) if where.of(one["id"]) is ledger)
    return _lines(its[row[2]] for row in its.index.ready(now, _FEW + 1))


def _remembered(ledger: Ledger, most: int | None = _FEW) -> list[str]:
    return [f"- {cut(shown(str(one['title'])), 80)}: {cut(' '.join(str(one.get('description', '')).split()), 160)}"
            for one in memories.every(ledger)[:most]]


def _lines(beads: Iterable[Record]) -> list[str]:
    found = list(beads)
    lines = [f"- {one['id']} P{ready.priority(one)} {shown(ready.kind(one))}: {cut(' '.join(str(one.get('title', '')).split()), 120)}"
             for one in found[:_FEW]]
    return lines + ["- …"] * (len(found) > _FEW)
