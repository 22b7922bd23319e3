"""The filters that all listings of bd share: options, and the one test of a bead that they mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from gastown_hooks.cli import common, fast_wanted
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import Wisps
from gastown_hooks.rules import fields, filters, graph, ready, states
from gastown_hooks.stores import index
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work.world import World

Record = dict[str, Any]
_TIMES = ("created", "updated", "closed", "due", "defer")

# option words, (field, operator), help. `+`: a comma list or repeated, any of it fits. `&`: repeated, all of it. `!`: none of it.
_VALUES: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (("-t", "--type"), "+", "type", "Only of these types."),
    (("--exclude-type",), "!", "type", "Not of these types."),
    (("-p", "--priority"), "+", "priority", "Only of these priorities (0-4)."),
    (("-l", "--label", "--labels"), "&", "label", "Only with this label (repeat: all of them)."),
    (("--label-any",), "+", "label", "Only with one of these labels."),
    (("--label-pattern",), "+", "label", "Only with a label that fits, such as 'area-*'."),
    (("--exclude-label",), "!", "label", "Without these labels."),
    (("--spec",), "+", "spec", "Only of this specification."),
    (("--mol-type",), "+", "mol_type", "swarm, patrol or work."),
    (("--wisp-type",), "+", "wisp_type", "heartbeat, patrol, recovery …"))
_INCLUDED = ("include_templates", "include_gates", "include_infra")
_RARE = {"spec": "spec_id", "mol_type": "mol_type", "wisp_type": "wisp_type"}
_TEXTS = (("--title-contains", "title"), ("--desc-contains", "description"), ("--notes-contains", "notes"))
_BOUNDS: tuple[tuple[str, str, str], ...] = (
    ("--priority-min", "priority", ">="), ("--priority-max", "priority", "<="),
    *((f"--{name}-{word}", name, how) for name in _TIMES for word, how in (("after", ">="), ("before", "<"))))


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`test_options`, and how many a listing shows."""
    limit = click.option("-n", "--limit", type=common.COUNT, default=100, show_default=True, help="At most so many; 0: all.")
    return test_options(limit(function))


def test_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filters of a listing; the command hands them on to `test` as it gets them."""
    options = [
        *(click.option(*words, _name(words[-1]), multiple=True, metavar="X[,X…]", help=text) for words, _, _, text in _VALUES),
        click.option("-a", "--assignee", metavar="WHO", help='Only of this assignee ("": of nobody).'),
        click.option("-u", "--unassigned", "--no-assignee", is_flag=True, help="Only of nobody."),
        click.option("--no-labels", is_flag=True, help="Only without labels."),
        click.option("--label-regex", metavar="RE", help="Only with a label in which this is found."),
        click.option("--parent", metavar="ID", help="Only below this one, at any depth."),
        click.option("--no-parent", is_flag=True, help="Only without a parent."),
        *(click.option(word, _name(word), metavar="TEXT", help=f"Only with this in the {key} (a and A are the same).")
          for word, key in (("--title", "title"), *_TEXTS)),
        click.option("--empty-description", is_flag=True, help="Only without a description."),
        *(click.option(word, _name(word), metavar="0-4" if name == "priority" else "TIME") for word, name, _ in _BOUNDS),
        click.option("--overdue", is_flag=True, help="Only not closed, and due before now."),
        click.option("--deferred", is_flag=True, help="Only put off, by status or until a time to come."),
        click.option("--pinned/--no-pinned", default=None, help="Only pinned, or none of them."),
        click.option("--metadata-field", multiple=True, metavar="KEY=VALUE", help="Only with this in the metadata."),
        click.option("--has-metadata-key", multiple=True, metavar="KEY", help="Only with this key in the metadata."),
        click.option("--include-ephemeral", is_flag=True, help="Also wisps (so with --wisp-type, --id, or --parent of one)."),
        click.option("--prefix", metavar="P", help="Only the rig with this prefix."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def state_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which states a listing covers; plain: all but closed ones and the town's own records."""
    for option in reversed((
        click.option("-s", "--status", "statuses", multiple=True, metavar="S[,S…]", help="Only in one of these states."),
        click.option("--all", "everything", is_flag=True, help="Also closed ones, and the town's own records."),
        click.option("--include-templates", is_flag=True, help="Also templates."),
        click.option("--include-gates", is_flag=True, help="Also gates."),
        click.option("--include-infra", is_flag=True, help="Also the town's own records, such as messages and merge requests."),
        click.option("--id", "names", multiple=True, metavar="ID[,ID…]", help="Only these."),
    )):
        function = option(function)
    return function


def test(where: World, given: Mapping[str, Any], now: int) -> filters.Test:
    """The test that the options of `test_options` (without prefix) mean. Raises BadInput, NotFound."""
    if given["assignee"] is not None and given["unassigned"]:
        raise BadInput("--assignee and --unassigned contradict each other")
    if given["parent"] is not None and given["no_parent"]:
        raise BadInput("--parent and --no-parent contradict each other")
    if given["no_labels"] and (given["labels"] or given["label_any"] or given["label_pattern"] or given["label_regex"]):
        raise BadInput("--no-labels and a label contradict each other")
    tests = [one for words, how, field, _ in _VALUES for one in _of_values(given[_name(words[-1])], how, field, now)]
    tests += [filters.condition(field, "=", given[_name(word)], now) for word, field in (("--title", "title"), *_TEXTS)
              if given[_name(word)] is not None]
    tests += _bounds(given, now)
    if given["assignee"] is not None or given["unassigned"]:
        tests.append(filters.condition("assignee", "=", given["assignee"] or "none", now))
    tests += [one for flag, one in (
        (given["no_labels"], filters.condition("label", "=", "none", now)),
        (given["no_parent"], filters.condition("parent", "=", "none", now)),
        (given["empty_description"], lambda record: not record.get("description")),
        (given["overdue"], filters.every([filters.condition("due", "<", "now", now), lambda r: ready.status(r) != "closed"])),
        (given["deferred"], lambda r: ready.status(r) == "deferred" or (filters.instant(r, "defer_until") or 0) > now),
        (given["pinned"] is not None, lambda r: (bool(r.get("pinned")) or ready.status(r) == "pinned") == given["pinned"])) if flag]
    if given["label_regex"] is not None:
        tests.append(_regex(given["label_regex"]))
    if given["parent"] is not None:
        ledger, root = where.find(given["parent"])
        below = set(graph.descendants(where.known([ledger]), root))
        tests.append(lambda record: record["id"] in below)
    tests += [_metadata(*_pair(text)) for text in given["metadata_field"]]
    tests += [lambda record, key=key: key in _of(record) for key in given["has_metadata_key"]]  # type: ignore[misc]
    return filters.every(tests)


def wisps(where: World, ledgers: Sequence[Ledger], given: Mapping[str, Any]) -> dict[str, Record]:
    """The wisps of these ledgers, if the options mean them too."""
    asked = given["include_ephemeral"] or given["wisp_type"] or given.get("names")
    if not asked and given["parent"] is not None:
        asked = isinstance(where.find(given["parent"])[0].beads, Wisps)
    return where.wisps_of(*ledgers) if asked else {}


def narrow(where: World, given: Mapping[str, Any]) -> tuple[fast_wanted.Wanted, bool, fast_wanted.Wanted | None]:
    """What of these options the index can tell: never less than they let through; and whether it is all of them. Beside it, where they also
    mean some of the town's own records: what it can tell of those, which is never all."""
    if any(given[name] for name in _INCLUDED) and not (given["everything"] or given["names"] or given.get("type")):
        found, exact, _ = narrow(where, {**given, **dict.fromkeys(_INCLUDED, False)})
        status: fast_wanted.Wanted = [] if given["statuses"] else [("status", False, ["closed"])]
        return found, exact, [*(one for one in found if one[0] != "scope"), *status, ("scope", True, [index.TOWN])]
    whole = given["parent"] is None or where.routes is None
    given = given if whole else {**given, "parent": None}  # what is below a bead may be in any ledger
    names, text, regex = parts(given["names"]), given["desc_contains"] or "", given["label_regex"]
    filters_, scope = fast_wanted.options(given), fast_wanted.scope(given)
    found = [*(filters_ or []), *([("id", True, names)] if names else scope or [])]
    if text and "\x1f" not in text:
        found.append(("everything", "holds", [text.lower()]))
    if regex is not None:
        fits = _regex(regex)
        found.append(("labels", "fit", [lambda labels: fits({"labels": labels})]))
    return found, whole and fast_wanted.tells_all({**given, "label_regex": None}) and None not in (filters_, scope), None


def needed(given: Mapping[str, Any], now: int) -> str | None:
    """A rare key that stands in the line of every bead which these options let through."""
    for words, how, field, _ in _VALUES:
        tests = _of_values(given[_name(words[-1])], how, field, now) if field in _RARE else []
        if tests and not filters.every(tests)({}):
            return _RARE[field]
    for key in (*given["has_metadata_key"], *(text.partition("=")[0] for text in given["metadata_field"])):
        return key if key.isidentifier() and key.isascii() else "metadata"
    return "notes" if given["notes_contains"] else None


def in_scope(known: Mapping[str, Record], given: Mapping[str, Any]) -> filters.Test:
    """The test that `state_options` mean: by state and id; `--type` and `--id` also bring the town's own records."""
    if given["everything"] and given["statuses"]:
        raise BadInput("--all and --status contradict each other")
    wanted = {fields.status(part) for part in parts(given["statuses"])}
    only = set(parts(given["names"]))
    missing = sorted(name for name in only if name not in known)
    if missing:
        raise NotFound(f"no bead {shown(', '.join(missing))}", next="bd list --all")
    whole, kinds = given["everything"] or bool(only), bool(given.get("type"))
    hidden = {kind for kind in ready.HIDDEN if not given["include_gates" if kind == "gate" else "include_infra"]}

    def fits(record: Record) -> bool:
        status = ready.status(record)
        return (status != states.TOMBSTONE and (status in wanted if wanted else whole or status != "closed")
                and (whole or kinds or (ready.kind(record) not in hidden
                                        and (given["include_templates"] or not record.get("is_template"))))
                and (not only or record["id"] in only))

    return fits


def parts(values: Iterable[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",")]


def _name(word: str) -> str:
    return word.lstrip("-").replace("-", "_")


def _of_values(given: tuple[str, ...], how: str, field: str, now: int) -> list[filters.Test]:
    each = [filters.condition(field, "!=" if how == "!" else "=", part, now) for part in parts(given)]
    return [filters.some(each)] if each and how == "+" else each


def _bounds(given: Mapping[str, Any], now: int) -> list[filters.Test]:
    found, low = [], dict[str, tuple[int, str]]()
    for word, field, how in _BOUNDS:
        text = given[_name(word)]
        if text is None:
            continue
        found.append(filters.condition(field, how, text, now))
        at = fields.priority(text) if field == "priority" else filters.moment(text, now)
        if how == ">=":
            low[field] = (at, f"{word} {shown(text)}")
        elif field in low and low[field][0] > at:
            raise BadInput(f"{low[field][1]} and {word} {shown(text)} contradict each other")
    return found


def _regex(text: str) -> filters.Test:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise BadInput(f"{shown(text)} is no regular expression", why=str(error)) from None
    return lambda record: any(pattern.search(label) for label in filters.labels(record))


def _of(record: Record) -> Record:
    found = record.get("metadata")
    return found if isinstance(found, dict) else {}


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"{shown(text)} is no KEY=VALUE")
    return key, value


def _metadata(key: str, value: str) -> filters.Test:
    return lambda record: key in _of(record) and str(_of(record)[key]) == value
