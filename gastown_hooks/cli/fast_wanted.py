"""The filters of listings as the index takes them (its `Wanted`): those of the options, and those of a query. Lean."""

from __future__ import annotations

from gastown_hooks.cli import fast
from gastown_hooks.core import clock, errors, paths
from gastown_hooks.core.late import late
from gastown_hooks.stores import callers, index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gastown_hooks.rules import fields, filters, query
    from gastown_hooks.work import world

    Wanted = list[tuple[str, bool | str, list[Any]]]
else:
    fields, filters = late("gastown_hooks.rules.fields"), late("gastown_hooks.rules.filters")
    query, world = late("gastown_hooks.rules.query"), late("gastown_hooks.work.world")

_MOMENTS = ("created", "updated", "closed", "due", "defer")
FILTERS: fast.Options = {
    "-n": ("limit", "one"), "--limit": ("limit", "one"), "-p": ("priority", "many"), "--priority": ("priority", "many"),
    "-t": ("type", "many"), "--type": ("type", "many"), "-a": ("assignee", "one"), "--assignee": ("assignee", "one"),
    "-u": ("unassigned", "flag"), "--unassigned": ("unassigned", "flag"), "-l": ("labels", "many"), "--label": ("labels", "many")}
_BOUNDS = {f"{name}_{word}": (name, how) for name in _MOMENTS for word, how in (("after", ">="), ("before", "<"))}
FILTERS |= {f"--{name.replace('_', '-')}": (name, "one") for name in (*_BOUNDS, "parent", "title", "title_contains")}
FILTERS |= {f"--{name.replace('_', '-')}": (name, "many") for name in ("label_any", "label_pattern", "exclude_label")}
FILTERS |= {"--overdue": ("overdue", "flag"), "--labels": ("labels", "many"), "--exclude-type": ("exclude_type", "many"),
            "--no-assignee": ("unassigned", "flag"), "--no-labels": ("no_labels", "flag"), "--no-parent": ("no_parent", "flag"),
            "--deferred": ("deferred", "flag"), "--pinned": ("pinned", "yes"), "--no-pinned": ("pinned", "no"),
            "--priority-min": ("priority_min", "one"), "--priority-max": ("priority_max", "one")}
STATES: fast.Options = {"-s": ("statuses", "many"), "--status": ("statuses", "many"), "--all": ("everything", "flag")}
ORDER: fast.Options = {"--sort": ("sort", "one"), "-r": ("reverse", "flag"), "--reverse": ("reverse", "flag")}
_TOLD = {name for name, _ in (FILTERS | STATES).values()} | {"prefix", "include_ephemeral"}
_COLUMNS = {"id": "id", "status": "status", "type": "kind", "assignee": "assignee", "label": "label"}
_LARGEST = 1 << 62
_MOST = 200  # conditions: SQLite nests them no deeper than 1000


def limit(given: Mapping[str, Any]) -> int | None:
    """How many may be shown; None: it is no number."""
    number = given["limit"] or str(fast.LIMIT)
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 7 else None


def tells_all(given: Mapping[str, Any]) -> bool:
    """Whether `options` and `scope` mean all that is given: not what only the beads themselves tell."""
    return all(name in _TOLD or value in (None, False, ()) for name, value in given.items())


def options(given: Mapping[str, Any]) -> Wanted | None:
    """The filters, of the names that click gives them; None where it must look: patterns, contradictions, what is no such value."""
    if given["unassigned"] and given["assignee"] is not None:
        return None
    try:
        found: Wanted = [*_times(given), *_texts(given), *_priorities(given), *_flags(given)]
        for name, how in (("type", True), ("exclude_type", False)):
            if given[name]:
                found.append(("kind", how, [fields.issue_type(part) for part in _parts(given[name])]))
    except errors.BadInput:
        return None
    if given["parent"] is not None:
        place = world.World(callers.caller()).exact(given["parent"])
        if place is None or isinstance(place[0].beads, paths.Wisps):
            return None
        found.append(("id", "below", [place[1]]))
    labels = _parts(given["labels"])
    who = "" if given["unassigned"] else given["assignee"]
    if who and (who == "none" or "*" in who):
        return None
    if who is not None:
        found.append(("assignee", True, [who]))
    if any("\x1f" in word for word in labels) or len(labels) > _MOST:
        return None
    others = ("label_any", "label_pattern", "exclude_label")
    if any(given[name] for name in others) or any(word == "none" or "*" in word for word in labels):
        return [*found, ("labels", "fit", [_of_labels(given, labels)])]
    return [*found, *([("label", True, labels)] if labels else [])]


def _times(given: Mapping[str, Any]) -> Wanted:
    """Raises BadInput."""
    now = clock.now()
    bounds = {name: filters.moment(given[name], now) for name in _BOUNDS if given[name] is not None}
    if any(at >= _LARGEST or at > bounds.get(name.replace("_after", "_before"), at) for name, at in bounds.items()):
        raise errors.BadInput("click says it")
    found: Wanted = [(*_BOUNDS[name], [at]) for name, at in bounds.items()]
    return [*found, ("due", "<", [now]), ("status", False, ["closed"])] if given["overdue"] else found


def _priorities(given: Mapping[str, Any]) -> Wanted:
    """Raises BadInput."""
    bounds = {name: fields.priority(given[name]) for name in ("priority_min", "priority_max") if given[name] is not None}
    if bounds.get("priority_min", 0) > bounds.get("priority_max", _LARGEST):
        raise errors.BadInput("click says it")
    found: Wanted = [("priority", ">=" if name == "priority_min" else "<=", [at]) for name, at in bounds.items()]
    return [*found, ("priority", True, [fields.priority(part) for part in _parts(given["priority"])])] if given["priority"] else found


def _flags(given: Mapping[str, Any]) -> Wanted:
    """Raises BadInput."""
    if (given["no_parent"] and given["parent"] is not None) or (given["no_labels"] and (given["labels"] or given["label_any"]
                                                                                         or given["label_pattern"])):
        raise errors.BadInput("click says it")
    flags: list[tuple[Any, tuple[str, bool | str, list[Any]]]] = [
        (given["no_labels"], ("labels", True, [""])), (given["no_parent"], ("id", "top", [])),
        (given["deferred"], ("", "or", [[("status", True, ["deferred"])], [("defer", ">", [clock.now()])]])),
        (given["pinned"] is not None, ("pinned", given["pinned"], []))]
    return [test for is_given, test in flags if is_given]


def _texts(given: Mapping[str, Any]) -> Wanted:
    found = [given[name].lower() for name in ("title", "title_contains") if given[name] is not None]
    return [("low", "holds", found)] if found else []


def _of_labels(given: Mapping[str, Any], labels: list[str]) -> Callable[[list[str]], bool]:
    """What `_filters.test` asks of a bead's labels."""
    def tests(how: str, words: list[str]) -> list[filters.Test]:
        return [filters.condition("label", how, word, 0) for word in words]
    some = [filters.some(tests("=", _parts(given[name]))) for name in ("label_any", "label_pattern") if given[name]]
    fits = filters.every([*tests("=", labels), *some, *tests("!=", _parts(given["exclude_label"]))])
    return lambda found: fits({"labels": found})


def scope(given: Mapping[str, Any]) -> Wanted | None:
    """What a list leaves out, and which states it means."""
    try:
        wanted = [fields.status(part) for part in _parts(given["statuses"])]
    except errors.BadInput:
        return None
    if any(given.get(f"include_{name}") for name in ("templates", "gates", "infra")):
        return [("scope", True, [index.TOWN, index.CLOSED, index.SHOWN]), *([("status", True, wanted)] if wanted else [])]
    if given["everything"] or given["type"]:
        found: Wanted = [("scope", True, [index.TOWN, index.CLOSED, index.SHOWN])]
        return [*found, *([("status", True, wanted)] if wanted else [] if given["everything"] else [("status", False, ["closed"])])]
    return [("status", True, wanted), ("scope", True, [index.CLOSED, index.SHOWN])] if wanted else [("scope", True, [index.SHOWN])]


def of_query(tree: query.Tree, now: int) -> Wanted | None:
    """What an expression means; None where the index cannot tell all of it. Raises BadInput."""
    if len(tree) == 4:
        return _of_condition(*tree[1:], now)
    if _size(tree) > _MOST:
        return None
    parts = [of_query(one, now) for one in tree[1]]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    return [one for part in found for one in part] if tree[0] == "and" else [("", tree[0], found)]


def part_of_query(tree: query.Tree, now: int) -> Wanted:
    """What the index can tell of an expression: never less than it lets through. Raises BadInput."""
    if tree[0] == "and":
        return [one for part in tree[1] for one in part_of_query(part, now)][:_MOST]
    return of_query(tree, now) or []


def _size(tree: query.Tree) -> int:
    """How many conditions it has."""
    return 1 if len(tree) == 4 else sum(map(_size, tree[1]))


def _of_condition(field: str, how: str, text: str, now: int) -> Wanted | None:
    """What `filters.condition` means."""
    filters.condition(field, how, text, now)  # says what is wrong with it
    if how == "!=":
        same = _of_condition(field, "=", text, now)
        return None if same is None else [("", "not", [same])]
    if "\x1f" in text or (field in _COLUMNS and "*" in text):
        return None
    if field == "priority":
        return [("priority", how, [fields.priority(text)])]
    if field in _MOMENTS:
        return _of_time(field, how, text, now)
    if field == "title":
        return [("low", "holds", [text.lower()])]
    if field not in _COLUMNS:
        return None
    if text == "none":
        return [(_COLUMNS[field], True, [""])] if field != "label" else [("labels", True, [""])]
    names = {"status": fields.status, "type": fields.issue_type}
    return [(_COLUMNS[field], True, [text if text == "tombstone" else names.get(field, str)(text)])]


def _of_time(field: str, how: str, text: str, now: int) -> Wanted | None:
    at = filters.moment(text, now)
    if at >= _LARGEST:
        return None
    return [(field, ">=", [at]), (field, "<", [at + filters.DAY])] if how == "=" and len(text) == 10 else [(field, how, [at])]


def _parts(values: tuple[str, ...]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",")]
