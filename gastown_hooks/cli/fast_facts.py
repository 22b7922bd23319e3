"""`bd count`, `bd stats`, `bd epic status`, `bd label list-all`, `bd dep list` and `bd dep tree` from the index, without click.

Each returns an exit code, or None, whenever the answer might be another than the whole ledger's: click does it.
"""

from __future__ import annotations

from gastown_hooks.cli import fast, fast_wanted
from gastown_hooks.cli.bd import _facts, _near
from gastown_hooks.cli.fast_rows import bead_of, trusted
from gastown_hooks.core import clock
from gastown_hooks.core.late import late
from gastown_hooks.rules import ready
from gastown_hooks.stores import callers, index
from gastown_hooks.work import world

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gastown_hooks.rules import statistics
    from gastown_hooks.stores import known
    from gastown_hooks.stores.index import Index
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.work import lately
else:
    lately = late("gastown_hooks.work.lately")
    statistics, known = late("gastown_hooks.rules.statistics"), late("gastown_hooks.stores.known")

_BY: fast.Options = {f"--by-{name}": (f"by_{name}", "flag") for name in _facts.GROUPS}
_STATS: fast.Options = {"-a": ("assigned", "flag"), "--assigned": ("assigned", "flag"), "--no-activity": ("no_activity", "flag")}
_TREE: fast.Options = {"--direction": ("direction", "one"), "--reverse": ("reverse", "flag"), "-s": ("statuses", "many"),
                       "--status": ("statuses", "many"), "-d": ("max_depth", "one"), "--max-depth": ("max_depth", "one"),
                       "--show-all-paths": ("show_all_paths", "flag")}
_COLUMNS = {"type": "kind", "label": "labels"}
_MANY = 500  # ids in one question
_DONE: tuple[str, str, list[Any]] = ("id", "done", [])
_EPICS: fast_wanted.Wanted = [("kind", True, ["epic"]), ("status", False, ["closed", "tombstone"])]
# All but the town's own records: most are of a scope that has none of those.
_OWN: tuple[str, str, list[Any]] = ("", "or", [[("scope", True, [index.CLOSED, index.SHOWN])], [("kind", False, sorted(ready.HIDDEN))]])


def run(words: list[str]) -> int | None:
    """The exit code of a verb and its words."""
    if words[0] in _GROUPS:
        view = _GROUPS[words[0]].get(words[1] if words[1:] else "")
        return None if view is None else view(words[2:])
    return {"count": bd_count, "stats": bd_stats, "status": bd_stats}[words[0]](words[1:])


def bd_count(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | fast_wanted.FILTERS | fast_wanted.STATES | _BY)
    if options is None or options[0]:
        return None
    given = options[1]
    by = [name for name in _facts.GROUPS if given[f"by_{name}"]]
    wanted, scope = fast_wanted.options(given), fast_wanted.scope(given)
    contradicts = len(by) > 1 or (given["everything"] and given["statuses"])
    if wanted is None or scope is None or contradicts or given["limit"] is not None:
        return None
    ledgers = _ledgers(given["parent"] is not None)
    if ledgers is None:
        return None
    tests = [*wanted, *scope]
    if not by:
        _facts.say_count(sum(its.count_listed(tests) for _, its in ledgers), given["as_json"])
        return 0
    total, counts = 0, dict[str, int]()
    for _, its in ledgers:
        for value, count in its.counts(_COLUMNS.get(by[0], by[0]), tests).items():
            total += count
            for name in _names(by[0], value):
                counts[name] = counts.get(name, 0) + count
    _facts.say_counts(total, counts, given["as_json"])
    return 0


def _names(by: str, value: Any) -> list[str]:
    """The groups of a bead with this value."""
    if by == "label":
        return index.labels(value) or ["(no labels)"]
    return [f"P{value}" if by == "priority" else value or "(unassigned)"]


def bd_stats(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | _STATS)
    if options is None or options[0]:
        return None
    given, now, ledgers = options[1], clock.now(), _ledgers(True)
    if ledgers is None:
        return None
    mine: fast_wanted.Wanted = [("assignee", True, [callers.caller().actor])] if given["assigned"] else []
    own = [*mine, _OWN]
    states, recent, leads = dict[str, int](), [], []
    for _, its in ledgers:
        leads.append(its.leads(own))
        recent.append((0, 0, 0) if given["no_activity"] else its.count_recent(own, statistics.begin(now)))
        for status, count in its.counts("status", own).items():
            states[status] = states.get(status, 0) + count
    if any(latest >= 1 << 62 for *_, latest in leads):
        return None  # a time that the index holds as an earlier one
    summary = statistics.in_words(
        states, blocked=sum(its.count_blocked(mine, now) for _, its in ledgers),
        ready=sum(its.count_ready(now, mine) for _, its in ledgers),
        pinned=sum(its.count_listed([*own, ("pinned", True, []), ("status", False, ["pinned"])]) for _, its in ledgers),
        eligible=sum(len(its.ids([*mine, *_EPICS, _DONE])) for _, its in ledgers), leads=sum(one[1] for one in leads),
        closed=sum(one[0] for one in leads))
    activity = statistics.activity_of(*map(sum, zip(*recent, strict=True)))
    if given["as_json"] and not given["no_activity"]:
        activity |= lately.counts([ledger for ledger, _ in ledgers], callers.caller(), now, assigned=given["assigned"])
    _facts.say_stats(summary, None if given["no_activity"] else activity, given["as_json"])
    return 0


def bd_epic_status(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | {"--eligible-only": ("eligible_only", "flag")})
    if options is None or options[0]:
        return None
    given, ledgers = options[1], _ledgers(True)
    if ledgers is None:
        return None
    wanted = [*_EPICS, *([_DONE] if given["eligible_only"] else [])]
    rows = sorted(row for _, its in ledgers for row in its.progress(wanted))
    whole: dict[str, Any] = {}
    for ledger, _ in ledgers if given["as_json"] else ():
        whole |= known.those(ledger, [*_EPICS, ("id", True, [row[2] for row in rows])] if len(rows) < _MANY else _EPICS)
    if given["as_json"] and not all(row[2] in whole for row in rows):
        return None  # one changed meanwhile
    _facts.say_epics([statistics.progress(whole.get(row[2]) or bead_of(row), *row[-2:]) for row in rows],
                     given["eligible_only"], given["as_json"])
    return 0


def done_epics() -> list[str] | None:
    """The ids of the open epics that have children, and all closed; None where no index can tell."""
    ledgers = _ledgers(True)
    rows = [row for _, its in ledgers or () for row in its.progress([*_EPICS, _DONE])]
    return None if ledgers is None else [row[2] for row in sorted(rows)]


def bd_label_list_all(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON)
    ledgers = None if options is None or options[0] else _ledgers(False)
    if options is None or ledgers is None:
        return None
    counts: dict[str, int] = {}
    for _, its in ledgers:
        for text, count in its.counts("labels", [("labels", False, [""]), ("scope", False, [index.DELETED])]).items():
            for label in index.labels(text):
                counts[label] = counts.get(label, 0) + count
    _facts.say_labels(counts, options[1]["as_json"])
    return 0


def bd_dep_list(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | {"--direction": ("direction", "one"), "-t": ("kind", "one"), "--type": ("kind", "one")})
    if options is None or not options[0] or options[1]["direction"] not in (None, "down", "up"):
        return None
    given, where = options[1], world.World(callers.caller())
    _near.say_list(where, options[0], given["direction"] or "down", given["kind"], given["as_json"])
    _near.warn(where.left_out())
    return 0


def bd_dep_tree(words: list[str]) -> int | None:
    options = fast.parsed(words, fast.JSON | _TREE)
    if options is None or len(options[0]) != 1 or options[1]["direction"] not in (None, "down", "up", "both"):
        return None
    depth, where = options[1]["max_depth"] or "50", world.World(callers.caller())
    if not (depth.isascii() and depth.isdecimal() and len(depth) < 7):
        return None
    given = {**options[1], "direction": options[1]["direction"] or "down", "max_depth": int(depth), "form": None}
    _near.say_tree(where, options[0][0], given)
    _near.warn(where.left_out())
    return 0


def _ledgers(whole: bool) -> list[tuple[Ledger, Index]] | None:
    """The ledgers that a listing covers; None where one's index cannot tell."""
    where = world.World(callers.caller())
    found = [(ledger, trusted(where, ledger, whole)) for ledger in where.shown()]
    return [(ledger, its) for ledger, its in found if its is not None] if all(its for _, its in found) else None


_GROUPS = {"epic": {"status": bd_epic_status}, "label": {"list-all": bd_label_list_all}, "dep": {"list": bd_dep_list, "tree": bd_dep_tree}}
