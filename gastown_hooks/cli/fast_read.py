"""`bd ready`, `bd show` and `gt hook` from the index, without click. Each returns an exit code, or None: click does it.

None whenever the answer might be another than the whole ledger's: an unusual option, a shortened id, a line that is no bead, a bead
that waits for one in another ledger.
"""

from __future__ import annotations

from gastown_hooks.cli import fast
from gastown_hooks.cli.plain import emit_json, remark, say
from gastown_hooks.core import clock, ids, paths
from gastown_hooks.core.late import late
from gastown_hooks.stores import config, index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gastown_hooks.cli.bd import _words
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import ready
    from gastown_hooks.stores.index import Index
    from gastown_hooks.stores.ledger import Ledger, View
    from gastown_hooks.work import beadwrite, hook, world
    from gastown_hooks.work.world import World
else:
    _words, ready = late("gastown_hooks.cli.bd._words"), late("gastown_hooks.rules.ready")
    beadwrite, hook, world = late("gastown_hooks.work.beadwrite"), late("gastown_hooks.work.hook"), late("gastown_hooks.work.world")

_COLUMNS = ("priority", "id", "issue_type", "title", "estimated_minutes", "assignee")


def run(verb: str, words: list[str]) -> int | None:
    """The verb's exit code."""
    return {"ready": bd_ready, "show": bd_show, "hook": gt_hook}[verb](words)


# ---- bd ready

def bd_ready(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | {"-n": ("limit", "one"), "--limit": ("limit", "one")})
    if options is None or options[0]:
        return None
    number = options[1]["limit"] or "100"
    if not (number.isascii() and number.isdecimal() and len(number) < 7):
        return None
    now, limit, where = clock.now(), int(number), world.World(config.caller())
    found = [(ledger, _trusted(where, ledger)) for ledger in where.shown()]
    rows: list[tuple[Any, ...]] = []
    for ledger, its in found:
        if its is None:
            return None
        rows += [(*row, ledger, its) for row in its.ready(now, limit)]
    count = sum(its.count_ready(now) for _, its in found if its)
    if not rows:
        return None  # the reason why there is none needs a look at all
    rows = sorted(rows, key=lambda row: row[:3])[:limit or None]
    beads = _whole(rows) if options[1]["as_json"] else [dict(zip(_COLUMNS, (row[0], *row[2:7]), strict=True)) for row in rows]
    if beads is None:
        return None
    if count > len(rows) and not options[1]["as_json"]:
        remark(f"bd: {limit} of {count} shown; -n 0 shows all")
    if options[1]["as_json"]:
        emit_json(beads, count)
    else:
        _words.say_ready(beads, True)
    return 0


def _trusted(where: World, ledger: Ledger) -> Index | None:
    """The ledger's index, if what it says holds for the whole town."""
    found = index.current(ledger)
    if found is None or found.odd:
        return None
    return None if any(_is_elsewhere(where, ledger, target) for target in found.unknown()) else found


def _is_elsewhere(where: World, ledger: Ledger, bead_id: str) -> bool:
    if where.routes is None:
        return False
    there = where.routes.prefixes()
    prefix = ids.prefix_of(bead_id, set(there))
    return prefix is not None and there[prefix].root != ledger.beads.root


def _whole(rows: list[tuple[Any, ...]]) -> list[Record] | None:
    """The rows' beads with the counts that listings have; None when one changed meanwhile."""
    records: dict[str, Record] = {}
    for ledger in {row[7].beads.root: row[7] for row in rows}.values():
        records |= ledger.some([row[2] for row in rows if row[7] is ledger])
    if len(records) < len(rows) or any(ready.status(record) != "open" for record in records.values()):
        return None
    return [_words.with_counts(records[row[2]], {row[2]: row[8].dependents(row[2])}) for row in rows]


# ---- bd show

def bd_show(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | {"--short": ("short", "flag")})
    if options is None or not options[0]:
        return None
    where = world.World(config.caller())
    places = [where.exact(text) for text in options[0]]
    pages = []
    for ledger, name in {place[1]: place for place in places if place}.values():
        found = index.current(ledger)
        if found is None or found.odd:
            return None
        pages.append(ledger.view(lambda view, name=name, its=found: _page(where, view, name, its)))  # type: ignore[misc]
    if None in places or (where.routes is not None and any(page.get("issue_type") == "epic" for page in pages)):
        return None  # an epic's children may be in any ledger
    if options[1]["as_json"]:
        emit_json(pages)
        return 0
    for number, page in enumerate(pages):
        if options[1]["short"]:
            say(_words.line(page))
        else:
            _words.say_page(page, first=number == 0)
    return 0


def _page(where: World, view: View, bead_id: str, found: Index) -> Record:
    above = found.dependents(bead_id)
    bead = view.get(bead_id) or {}
    if bead.get("status", "tombstone") == "tombstone":
        bead = beadwrite.existing(view, bead_id)
    plain = not above and not bead.get("dependencies")
    return _words.page(bead, {} if plain else beadwrite.Around(where, beadwrite.Draft(view)), {bead_id: above})


# ---- gt hook

def gt_hook(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON)
    if options is None or options[0]:
        return None
    caller = config.caller()
    if caller.town is None:
        paths.town_at(caller.cwd)
    say_hook(caller.actor, hook.hooked(caller), options[1]["as_json"])
    return 0


def say_hook(actor: str, found: list[Record], as_json: bool) -> None:
    """What is on a hook, in words or as JSON."""
    if as_json:
        emit_json(found)
        return
    if not found:
        say(f"{actor}: nothing on the hook. Ready work: bd ready")
    for one in found:
        say(f"{one['id']} [P{one.get('priority', 2)}] [{one.get('status')}] {one.get('title', '')}")


