"""`bd show` of beads by their whole ids, without click (None: click does it)."""

from __future__ import annotations

from gastown_hooks.cli import fast
from gastown_hooks.cli.bd import _words
from gastown_hooks.cli.plain import emit_json, say
from gastown_hooks.core.late import late
from gastown_hooks.stores import callers, unseen
from gastown_hooks.work import world

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import graph
    from gastown_hooks.stores import known
    from gastown_hooks.stores.ledger import Ledger, View
    from gastown_hooks.work import beadwrite, tracking
    from gastown_hooks.work.world import World
else:
    beadwrite, graph = late("gastown_hooks.work.beadwrite"), late("gastown_hooks.rules.graph")
    known, tracking = late("gastown_hooks.stores.known"), late("gastown_hooks.work.tracking")


def run(words: list[str]) -> int | None:
    """The exit code of `show WORDS…`."""
    options = fast.parsed(words[1:], fast.JSON | {"--short": ("short", "flag")})
    if options is None or not options[0]:
        return None
    if any(":" in text for text in options[0]):
        return None  # another project's
    where = world.World(callers.caller())
    pages = []
    for ledger, name in {place[1]: place for place in map(where.place, options[0])}.values():
        found = _dependents(ledger, name)
        if found is None:
            return None
        wisps = where.wisps_on(ledger, name)
        above = sorted(found + wisps) if wisps else found
        page = ledger.view(lambda view, name=name, above=above: _page(where, view, name, above))  # type: ignore[misc]
        if page is None:
            return None
        if where.routes is not None and (page.get("issue_type") == "epic"  # its children may be in any ledger
                                         or any(tracking.depends(one, [name]) for one in where.others(ledger))):
            all_of_it = where.known([ledger])
            page = _words.page(all_of_it[name], all_of_it, graph.dependents(all_of_it))
        pages.append(page)
    where.touch(pages[-1]["id"])
    if options[1]["as_json"]:
        emit_json(pages)
        return 0
    for number, page in enumerate(pages):
        if options[1]["short"]:
            say(_words.line(page))
        else:
            _words.say_page(page, first=number == 0)
    return 0


def _dependents(ledger: Ledger, bead_id: str) -> list[tuple[str, str]] | None:
    """What depends on the bead in its ledger; None where no index tells."""
    its = unseen.lagging(ledger)
    if its is not None and its.whole:
        return None if its.odd else its.dependents(bead_id)
    its = None  # lets go of it: it may be written
    records = known.near(ledger)
    return None if records is None else records.above.get(bead_id, [])


def _page(where: World, view: View, bead_id: str, above: list[tuple[str, str]]) -> Record | None:
    bead = view.get(bead_id)
    if bead is None or bead.get("status") == "tombstone":
        return None  # click says why
    plain = not above and not bead.get("dependencies")
    return _words.page(bead, {} if plain else beadwrite.Around(where, beadwrite.Draft(view)), {bead_id: above})
