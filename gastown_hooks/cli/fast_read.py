"""`bd ready`, `bd list`, `bd blocked`, `bd show` and `gt hook` from the index, without click.

Each returns an exit code, or None: click does it.

None whenever the answer might be another than the whole ledger's: an unusual option, a shortened id, a line that is no bead, a bead
that waits for one in another ledger.
"""

from __future__ import annotations

from gastown_hooks.cli import fast
from gastown_hooks.cli.plain import emit_json, remark, say
from gastown_hooks.core import clock, errors, ids, paths
from gastown_hooks.core.late import late
from gastown_hooks.stores import config, index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gastown_hooks.cli.bd import _words
    from gastown_hooks.core import record
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import fields, filters, ready
    from gastown_hooks.stores.index import Index
    from gastown_hooks.stores.ledger import Ledger, View
    from gastown_hooks.work import beadwrite, hook, world
    from gastown_hooks.work.world import World
else:
    _words, record = late("gastown_hooks.cli.bd._words"), late("gastown_hooks.core.record")
    fields, ready = late("gastown_hooks.rules.fields"), late("gastown_hooks.rules.ready")
    filters = late("gastown_hooks.rules.filters")
    beadwrite, hook, world = late("gastown_hooks.work.beadwrite"), late("gastown_hooks.work.hook"), late("gastown_hooks.work.world")

_FILTERS: fast.Options = {
    "-n": ("limit", "one"), "--limit": ("limit", "one"), "-p": ("priority", "many"), "--priority": ("priority", "many"),
    "-t": ("type", "many"), "--type": ("type", "many"), "-a": ("assignee", "one"), "--assignee": ("assignee", "one"),
    "-u": ("unassigned", "flag"), "--unassigned": ("unassigned", "flag"), "-l": ("labels", "many"), "--label": ("labels", "many")}
_BOUNDS = {f"{name}_{word}": (name, how) for name in ("created", "updated", "closed", "due", "defer")
           for word, how in (("after", ">="), ("before", "<"))}
_FILTERS |= {f"--{name.replace('_', '-')}": (name, "one") for name in (*_BOUNDS, "parent", "title", "title_contains")}
_FILTERS |= {f"--{name.replace('_', '-')}": (name, "many") for name in ("label_any", "label_pattern", "exclude_label")}
_FILTERS |= {"--overdue": ("overdue", "flag"), "--labels": ("labels", "many")}
_STATES: fast.Options = {"-s": ("status", "many"), "--status": ("status", "many"), "--all": ("all", "flag"),
                         "--sort": ("sort", "one"), "-r": ("reverse", "flag"), "--reverse": ("reverse", "flag")}


def run(verb: str, words: list[str]) -> int | None:
    """The verb's exit code."""
    return {"ready": bd_ready, "list": bd_list, "blocked": bd_blocked, "show": bd_show, "hook": gt_hook}[verb](words)


# ---- bd ready, bd list

def bd_ready(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | _FILTERS)
    if options is None or options[0]:
        return None
    given, now = options[1], clock.now()
    wanted = _wanted(given)
    if wanted is None:
        return None
    rows = _Rows(given, True, lambda its, limit: its.ready(now, limit, wanted), lambda its: its.count_ready(now, wanted))
    if not rows.found:
        return None  # the reason why there is none needs a look at all
    return rows.say(lambda beads: _words.say_ready(beads, True))


def bd_list(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | _FILTERS | _STATES)
    if options is None or options[0] or (options[1]["all"] and options[1]["status"]):
        return None
    given = options[1]
    wanted, shown, order = _wanted(given), _shown(given), given["sort"] or "priority"
    if wanted is None or shown is None or order not in index.ORDERS:
        return None
    tests = [*wanted, *shown]
    rows = _Rows(given, given["parent"] is not None,
                 lambda its, limit: its.listed(limit, tests, order, given["reverse"]), lambda its: its.count_listed(tests))
    if len(rows.ledgers) > 1 and (order, given["reverse"]) != ("priority", False):
        return None  # each is in this order, not all together
    return rows.say(_say_list)


def bd_blocked(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | _FILTERS)
    wanted = None if options is None or options[0] else _wanted(options[1])
    if options is None or wanted is None:
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
    _words.say_blocked(found, rows.count, int(given["limit"] or "100"), given["as_json"])
    return 0


def _say_list(beads: list[Record]) -> None:
    for bead in beads:
        say(_words.line(bead))
    if not beads:
        say("No issues found")


def _wanted(given: dict[str, Any]) -> list[tuple[str, bool | str, list[Any]]] | None:
    """The filters as the index takes them; None where click must look: patterns, contradictions, what is no such value."""
    number = given["limit"] or "100"
    if not (number.isascii() and number.isdecimal() and len(number) < 7) or (given["unassigned"] and given["assignee"] is not None):
        return None
    try:
        found: list[tuple[str, bool | str, list[Any]]] = [*_times(given), *_texts(given)]
        if given["priority"]:
            found.append(("priority", True, [fields.priority(part) for part in _parts(given["priority"])]))
        if given["type"]:
            found.append(("kind", True, [fields.issue_type(part) for part in _parts(given["type"])]))
    except errors.BadInput:
        return None
    if given["parent"] is not None:
        place = world.World(config.caller()).exact(given["parent"])
        if place is None:
            return None
        found.append(("id", "below", [place[1]]))
    labels = _parts(given["labels"])
    who = "" if given["unassigned"] else given["assignee"]
    if who and (who == "none" or "*" in who):
        return None
    if who is not None:
        found.append(("assignee", True, [who]))
    others = ("label_any", "label_pattern", "exclude_label")
    if any(given[name] for name in others) or any(word == "none" or "*" in word for word in labels):
        return [*found, ("labels", "fit", [_of_labels(given, labels)])]
    return [*found, *([("label", True, labels)] if labels else [])]


def _times(given: dict[str, Any]) -> list[tuple[str, bool | str, list[Any]]]:
    """Raises BadInput."""
    now = clock.now()
    bounds = {name: filters.moment(given[name], now) for name in _BOUNDS if given[name] is not None}
    if any(at >= 1 << 62 or at > bounds.get(name.replace("_after", "_before"), at) for name, at in bounds.items()):
        raise errors.BadInput("click says it")
    found: list[tuple[str, bool | str, list[Any]]] = [(*_BOUNDS[name], [at]) for name, at in bounds.items()]
    return [*found, ("due", "<", [now]), ("status", False, ["closed"])] if given["overdue"] else found


def _texts(given: dict[str, Any]) -> list[tuple[str, bool | str, list[Any]]]:
    found = [given[name].lower() for name in ("title", "title_contains") if given[name] is not None]
    return [("title", "holds", found)] if found else []


def _of_labels(given: dict[str, Any], labels: list[str]) -> Callable[[list[str]], bool]:
    """What `_filters.test` asks of a bead's labels."""
    def tests(how: str, words: list[str]) -> list[filters.Test]:
        return [filters.condition("label", how, word, 0) for word in words]
    some = [filters.some(tests("=", _parts(given[name]))) for name in ("label_any", "label_pattern") if given[name]]
    fits = filters.every([*tests("=", labels), *some, *tests("!=", _parts(given["exclude_label"]))])
    return lambda found: fits({"labels": found})


def _shown(given: dict[str, Any]) -> list[tuple[str, bool | str, list[Any]]] | None:
    """What `bd list` leaves out, and which states it means."""
    try:
        wanted = [fields.status(part) for part in _parts(given["status"])]
    except errors.BadInput:
        return None
    found: list[tuple[str, bool | str, list[Any]]] = [("status", True, wanted)] if wanted else []
    found.append(("status", False, ["tombstone"] if wanted or given["all"] else ["tombstone", "closed"]))
    if not given["all"] and not given["type"]:
        found += [("kind", False, sorted(ready.HIDDEN)), ("template", True, [0])]
    return found


def _parts(values: tuple[str, ...]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",")]


class _Rows:
    """The first rows of a listing over all ledgers that it covers. `found` None: there is a ledger whose index cannot say."""

    def __init__(self, given: dict[str, Any], whole: bool, take: Callable[[Index, int], list[Any]], count: Callable[[Index], int]) -> None:
        self._limit, self._as_json = int(given["limit"] or "100"), given["as_json"]
        where = world.World(config.caller())
        self.ledgers = [(ledger, _trusted(where, ledger, whole)) for ledger in where.shown()]
        self.found: list[tuple[Any, ...]] | None = None
        if all(its for _, its in self.ledgers):
            rows = [(*row, ledger) for ledger, its in self.ledgers if its for row in take(its, self._limit)]
            self.found = rows if len(self.ledgers) == 1 else sorted(rows, key=lambda row: row[:3])[:self._limit or None]
            self.count = sum(count(its) for _, its in self.ledgers if its)

    def say(self, in_words: Callable[[list[Record]], object]) -> int | None:
        """Print them."""
        beads = None if self.found is None else self._whole() if self._as_json else [_bead(row) for row in self.found]
        if beads is None:
            return None
        if self._as_json:
            emit_json(beads, self.count)
            return 0
        if self.count > len(beads):
            remark(f"bd: {self._limit} of {self.count} shown; -n 0 shows all")
        in_words(beads)
        return 0

    def _whole(self) -> list[Record] | None:
        """The beads with the counts that listings have; None when one changed meanwhile."""
        rows = self.found or []
        records: dict[str, Record] = {}
        for ledger in {row[9].beads.root: row[9] for row in rows}.values():
            records |= ledger.some([row[2] for row in rows if row[9] is ledger])
        if any(row[2] not in records or _bead(row) != _bead(_row(records[row[2]])) for row in rows):
            return None
        above = {row[2]: [one for _, its in self.ledgers if its for one in its.dependents(row[2])] for row in rows}
        return [_words.with_counts(records[row[2]], above) for row in rows]


def _bead(row: tuple[Any, ...]) -> Record:
    """As much of a bead as its line shows."""
    return {"priority": row[0], "id": row[2], "issue_type": row[3], "title": row[4], "estimated_minutes": row[5], "assignee": row[6],
            "status": row[7], "labels": row[8].split("\x1f")[1:-1]}


def _row(bead: Record) -> tuple[Any, ...]:
    labels = bead.get("labels") or []
    return (record.priority(bead), 0, bead["id"], record.kind(bead), bead.get("title", ""), bead.get("estimated_minutes"),
            bead.get("assignee") or "", record.status(bead), "\x1f".join(("", *labels, "")) if labels else "")


def _trusted(where: World, ledger: Ledger, whole: bool) -> Index | None:
    """The ledger's index, if what it says holds; `whole`: for the whole town, where beads may wait for those of other ledgers."""
    found = index.current(ledger)
    if found is None or found.odd:
        return None
    return None if whole and any(_is_elsewhere(where, ledger, target) for target in found.unknown()) else found


def _is_elsewhere(where: World, ledger: Ledger, bead_id: str) -> bool:
    if where.routes is None:
        return False
    there = where.routes.prefixes()
    prefix = ids.prefix_of(bead_id, set(there))
    return prefix is not None and there[prefix].root != ledger.beads.root


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


