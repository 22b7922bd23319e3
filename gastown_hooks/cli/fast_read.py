"""`bd ready`, `bd list` and its kin, `bd blocked`, `bd show` and `gt hook` from the index, without click.

Each returns an exit code, or None: click does it.

None whenever the answer might be another than the whole ledger's: an unusual option, a shortened id, a line that is no bead, a bead
that waits for one in another ledger.
"""

from __future__ import annotations

from gastown_hooks.cli import fast, fast_wanted
from gastown_hooks.cli.plain import emit_json, remark, say
from gastown_hooks.core import clock, errors, paths
from gastown_hooks.core.late import late
from gastown_hooks.stores import config, index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gastown_hooks.cli.bd import _words
    from gastown_hooks.core import record
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import filters, query, ready
    from gastown_hooks.stores.index import Index
    from gastown_hooks.stores.ledger import Ledger, View
    from gastown_hooks.work import beadwrite, hook, tracking, world
    from gastown_hooks.work.world import World
else:
    _words, record = late("gastown_hooks.cli.bd._words"), late("gastown_hooks.core.record")
    query, ready = late("gastown_hooks.rules.query"), late("gastown_hooks.rules.ready")
    filters = late("gastown_hooks.rules.filters")
    beadwrite, hook, world = late("gastown_hooks.work.beadwrite"), late("gastown_hooks.work.hook"), late("gastown_hooks.work.world")
    tracking = late("gastown_hooks.work.tracking")

def run(verb: str, words: list[str]) -> int | None:
    """The verb's exit code."""
    return {"ready": bd_ready, "list": bd_list, "blocked": bd_blocked, "search": bd_search, "query": bd_query, "stale": bd_stale,
            "show": bd_show, "hook": gt_hook}[verb](words)


# ---- bd ready, bd list and its kin

def bd_ready(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | fast_wanted.FILTERS)
    if options is None or options[0]:
        return None
    given, now = options[1], clock.now()
    wanted = fast_wanted.options(given)
    if wanted is None or fast_wanted.limit(given) is None:
        return None
    rows = _Rows(given, True, lambda its, limit: its.ready(now, limit, wanted), lambda its: its.count_ready(now, wanted))
    if not rows.found:
        return None  # the reason why there is none needs a look at all
    return rows.say(lambda beads: _words.say_ready(beads, True))


def bd_list(words: list[str]) -> int | None:
    return _list(_listing(words, {}, 0))


def bd_stale(words: list[str]) -> int | None:
    options = _listing(words, {"-d": ("days", "one"), "--days": ("days", "one")}, 0)
    days = options and (options[1]["days"] or "30")
    if not options or not days or not (days.isascii() and days.isdecimal() and len(days) < 7):
        return None
    before = filters.moment(f"{days}d", clock.now())
    return _list(options, ("updated", "<", [before]), order="updated", empty="✨ No stale issues")


def bd_search(words: list[str]) -> int | None:
    options = _listing(words, {}, 1)
    if options is None or not options[0][0].strip() or "\x1f" in options[0][0]:
        return None
    return _list(options, ("everything", "holds", [options[0][0].lower()]))


def bd_query(words: list[str]) -> int | None:
    options = _listing(words, {}, 1)
    if options is None:
        return None
    text, given = options[0][0], options[1]
    try:
        wanted = fast_wanted.of_query(query.tree(text), clock.now())
    except errors.BadInput:
        return None
    given["everything"] = given["everything"] or query.is_of_all(text, given["statuses"])
    return None if wanted is None else _list(options, *wanted)


def _listing(words: list[str], more: fast.Options, arguments: int) -> tuple[list[str], dict[str, Any]] | None:
    """The words of a listing, if the index may answer them."""
    options = fast.parsed(words, fast.JSON | fast_wanted.FILTERS | fast_wanted.STATES | fast_wanted.ORDER | more)
    if options is None or len(options[0]) != arguments or (options[1]["everything"] and options[1]["statuses"]):
        return None
    return options


def _list(options: tuple[list[str], dict[str, Any]] | None, *more: tuple[str, bool | str, list[Any]], order: str = "priority",
          empty: str = "No issues found") -> int | None:
    if options is None:
        return None
    given = options[1]
    wanted, scope, order = fast_wanted.options(given), fast_wanted.scope(given), given["sort"] or order
    if wanted is None or scope is None or order not in index.ORDERS or fast_wanted.limit(given) is None:
        return None
    tests = [*wanted, *scope, *more]
    rows = _Rows(given, given["parent"] is not None,
                 lambda its, limit: its.listed(limit, tests, order, given["reverse"]), lambda its: its.count_listed(tests))
    if len(rows.ledgers) > 1 and (order, given["reverse"]) != ("priority", False):
        return None  # each is in this order, not all together
    return rows.say(lambda beads: _say_list(beads, empty))


def bd_blocked(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | fast_wanted.FILTERS)
    wanted = None if options is None or options[0] else fast_wanted.options(options[1])
    if options is None or wanted is None or fast_wanted.limit(options[1]) is None:
        return None
    given, now = options[1], clock.now()
    held = [*wanted, ("blocked_from", "<=", [now]), ("blocked_until", ">", [now])]
    rows = _Rows(given, True, lambda its, limit: its.listed(limit, held), lambda its: its.count_listed(held))
    if rows.found is None:
        return None
    where = world.World(config.caller())
    known = where.known(where.shown())
    reasons = {row[2]: ready.blockers(known, row[2], now) for row in rows.found}
    if not all(reasons.values()):
        return None  # one changed meanwhile
    found = [(known[name], why) for name, why in reasons.items()]
    _words.say_blocked(found, rows.count, rows.limit, given["as_json"])
    return 0


def _say_list(beads: list[Record], empty: str) -> None:
    for bead in beads:
        say(_words.line(bead))
    if not beads:
        say(empty)


class _Rows:
    """The first rows of a listing over all ledgers that it covers. `found` None: there is a ledger whose index cannot say."""

    def __init__(self, given: dict[str, Any], whole: bool, take: Callable[[Index, int], list[Any]], count: Callable[[Index], int]) -> None:
        self.limit, self._as_json = fast_wanted.limit(given) or 0, given["as_json"]
        where = world.World(config.caller())
        self.ledgers = [(ledger, trusted(where, ledger, whole)) for ledger in where.shown()]
        self.found: list[tuple[Any, ...]] | None = None
        if all(its for _, its in self.ledgers):
            rows = [(*row, ledger) for ledger, its in self.ledgers if its for row in take(its, self.limit)]
            self.found = rows if len(self.ledgers) == 1 else sorted(rows, key=lambda row: row[:3])[:self.limit or None]
            self.count = sum(count(its) for _, its in self.ledgers if its) if self.limit and len(rows) >= self.limit else len(rows)

    def say(self, in_words: Callable[[list[Record]], object]) -> int | None:
        """Print them."""
        beads = None if self.found is None else self._whole() if self._as_json else [bead_of(row) for row in self.found]
        if beads is None:
            return None
        if self._as_json:
            emit_json(beads, self.count)
            return 0
        if self.count > len(beads):
            remark(f"bd: {self.limit} of {self.count} shown; -n 0 shows all")
        in_words(beads)
        return 0

    def _whole(self) -> list[Record] | None:
        """The beads with the counts that listings have; None when one changed meanwhile."""
        rows = self.found or []
        records: dict[str, Record] = {}
        for ledger in {row[9].beads.root: row[9] for row in rows}.values():
            records |= ledger.some([row[2] for row in rows if row[9] is ledger])
        if any(row[2] not in records or bead_of(row) != bead_of(_row(records[row[2]])) for row in rows):
            return None
        above = {row[2]: [one for _, its in self.ledgers if its for one in its.dependents(row[2])] for row in rows}
        return [_words.with_counts(records[row[2]], above) for row in rows]


def bead_of(row: tuple[Any, ...]) -> Record:
    """As much of a bead as its line shows."""
    return {"priority": row[0], "id": row[2], "issue_type": row[3], "title": row[4], "estimated_minutes": row[5], "assignee": row[6],
            "status": row[7], "labels": index.labels(row[8])}


def _row(bead: Record) -> tuple[Any, ...]:
    labels = bead.get("labels") or []
    return (record.priority(bead), 0, bead["id"], record.kind(bead), bead.get("title", ""), bead.get("estimated_minutes"),
            bead.get("assignee") or "", record.status(bead), "\x1f".join(("", *labels, "")) if labels else "")


def trusted(where: World, ledger: Ledger, whole: bool) -> Index | None:
    """The ledger's index, if what it says holds; `whole`: for the whole town, where beads may wait for those of other ledgers."""
    found = index.current(ledger)
    if found is None or found.odd:
        return None
    return None if whole and any(where.leads_away(ledger, target) for target in found.unknown()) else found


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
        wisps = where.wisps_on(ledger, name)
        pages.append(ledger.view(lambda view, name=name, its=found, wisps=wisps: _page(where, view, name, its, wisps)))  # type: ignore[misc]
    if None in places or (where.routes is not None and any(page.get("issue_type") == "epic" for page in pages)):
        return None  # an epic's children may be in any ledger
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


def _page(where: World, view: View, bead_id: str, found: Index, wisps: list[tuple[str, str]]) -> Record:
    """`wisps`: those that depend on it, and how."""
    above = sorted(found.dependents(bead_id) + wisps) if wisps else found.dependents(bead_id)
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
    say_hook(caller, hook.hooked(caller), options[1]["as_json"])
    return 0


def say_hook(caller: config.Caller, found: list[Record], as_json: bool) -> None:
    """What is on a hook, in words or as JSON."""
    if as_json:
        emit_json(found)
        return
    if not found:
        say(f"{caller.actor}: nothing on the hook. Ready work: bd ready")
    for one in found:
        batches = ", ".join(tracking.convoys_of(caller.in_town(), one["id"]))
        say(f"{one['id']} [P{one.get('priority', 2)}] [{one.get('status')}] {one.get('title', '')}" + (f" ({batches})" if batches else ""))


