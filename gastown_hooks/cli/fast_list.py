"""`bd list` and its kin, and `bd blocked`, from the index, without click (None: click does it)."""

from __future__ import annotations

from gastown_hooks.cli import fast, fast_wanted
from gastown_hooks.cli.fast_rows import Rows
from gastown_hooks.cli.plain import say
from gastown_hooks.core import clock, errors
from gastown_hooks.core.late import late
from gastown_hooks.stores import callers, index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gastown_hooks.cli.bd import _words
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import filters, query, ready
    from gastown_hooks.work import world
else:
    _words, world = late("gastown_hooks.cli.bd._words"), late("gastown_hooks.work.world")
    query, ready = late("gastown_hooks.rules.query"), late("gastown_hooks.rules.ready")
    filters = late("gastown_hooks.rules.filters")


def run(words: list[str]) -> int | None:
    """The exit code of a verb and its words."""
    return {"list": bd_list, "blocked": bd_blocked, "search": bd_search, "query": bd_query, "stale": bd_stale}[words[0]](words[1:])


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
    limit = fast_wanted.limit(given)
    if wanted is None or scope is None or order not in index.ORDERS or limit is None:
        return None
    tests = [*wanted, *scope, *more]
    rows = Rows(limit, given["as_json"], given["parent"] is not None,
                lambda its, most: its.listed(most, tests, order, given["reverse"]), lambda its: its.count_listed(tests))
    if len(rows.ledgers) > 1 and (order, given["reverse"]) != ("priority", False):
        return None  # each is in this order, not all together
    return rows.say(lambda beads: _say_list(beads, empty))


def bd_blocked(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | fast_wanted.FILTERS)
    wanted = None if options is None or options[0] else fast_wanted.options(options[1])
    limit = None if options is None else fast_wanted.limit(options[1])
    if options is None or wanted is None or limit is None:
        return None
    given, now = options[1], clock.now()
    held = [*wanted, ("blocked_from", "<=", [now]), ("blocked_until", ">", [now])]
    rows = Rows(limit, given["as_json"], True, lambda its, most: its.listed(most, held), lambda its: its.count_listed(held))
    if rows.found is None:
        return None
    where = world.World(callers.caller())
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
