"""Many beads from one text, to be made at once: a JSON plan of nodes and edges, or a Markdown file with a heading a bead. Pure.

Plan: {"nodes":[{"key","title","type","description","design","acceptance","notes","run","assignee","priority","labels","estimate",
"metadata","metadata_refs":{field:key},"parent_key"|"parent_id"}],"edges":[{"from_key"|"from_id","to_key"|"to_id","type"}]}; an edge's
`from` depends on its `to`. Markdown: `## Title`, the description below it, then `### Priority`, `### Type`, `### Labels`,
`### Assignee`, `### Design`, `### Acceptance Criteria`, `### Notes`, `### Dependencies`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gastown_hooks.core import jsons
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.ids import nearest, shown
from gastown_hooks.core.values import dataclass
from gastown_hooks.rules import edits, fields

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """A bead of the plan (by its key), or one that is there (by its id)."""

    name: str
    is_key: bool


@dataclass(frozen=True, slots=True)
class Node:
    key: str
    values: Record
    parent: End | None
    refs: Mapping[str, str]  # metadata field to the key whose id it gets


@dataclass(frozen=True, slots=True)
class Plan:
    """`nodes` so that each comes after its parent; `edges` as (who depends, on what, how)."""

    nodes: list[Node]
    edges: list[tuple[End, End, str]]


def _text(name: str) -> Callable[[str], str]:
    return lambda value: fields.text(value, name)


# key in a plan: (field of the record, the JSON type, the check)
_VALUES: dict[str, tuple[str, type, Callable[[Any], Any]]] = {
    "title": ("title", str, fields.title), "type": ("issue_type", str, fields.issue_type),
    "description": ("description", str, _text("description")), "design": ("design", str, _text("design")),
    "acceptance": ("acceptance_criteria", str, _text("acceptance criteria")), "notes": ("notes", str, _text("notes")),
    "run": ("run", str, fields.script), "assignee": ("assignee", str, fields.assignee), "labels": ("labels", list, fields.labels),
    "priority": ("priority", object, lambda value: fields.priority(str(value))), "estimate": ("estimated_minutes", int, fields.estimate),
    "external_ref": ("external_ref", str, _text("external reference")), "spec_id": ("spec_id", str, _text("spec id")),
    "metadata": ("metadata", dict, lambda value: {edits.metadata_key(key): found for key, found in value.items()})}
_NODE = ("key", *_VALUES, "metadata_refs", "parent_key", "parent_id", "assign_after_create")
_EDGE = ("from_key", "from_id", "to_key", "to_id", "type")
_SECTIONS = {"priority": "priority", "type": "type", "labels": "labels", "assignee": "assignee", "design": "design", "notes": "notes",
             "acceptance criteria": "acceptance", "description": "description", "dependencies": "deps"}


def from_json(text: str) -> Plan:
    """Raises BadInput, naming the node or edge."""
    try:
        found = jsons.loads(text)
    except ValueError as error:
        raise BadInput("the plan is no JSON", why=str(error)) from None
    _known(found, ("nodes", "edges", "commit_message"), "the plan")
    nodes = [_node(raw, f"nodes[{number}]") for number, raw in enumerate(_list(found, "nodes", "the plan"))]
    keys = [node.key for node in nodes]
    twice = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
    if twice:
        raise BadInput(f"the key {shown(twice[0])} stands twice in the plan")
    edges = []
    for number, raw in enumerate(_list(found, "edges", "the plan") if "edges" in found else []):
        place = f"edges[{number}]"
        _known(raw, _EDGE, place)
        start, end = (_end(raw, word, keys, place) for word in ("from", "to"))
        if start == end:
            raise BadInput(f"{place}: {shown(start.name)} cannot depend on itself")
        edges.append((start, end, fields.kind(str(raw.get("type", "blocks")))))
    for node in nodes:
        for key in ([node.parent.name] if node.parent and node.parent.is_key else []) + list(node.refs.values()):
            if key not in set(keys):
                raise BadInput(f"node {shown(node.key)} names {shown(key)}", why="the plan has no such key")
    return Plan(_parents_first(nodes), edges)


def from_markdown(text: str) -> Plan:
    """Raises BadInput with the line."""
    raw: list[dict[str, list[str]]] = []
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("## "):
            raw.append({"title": [line[3:].strip()]})
            section = "description"
        elif line.startswith("### ") and raw:
            name = line[4:].strip().lower()
            if name not in _SECTIONS:
                raise BadInput(f"line {number}: {shown(line)} is no section",
                               why=f"did you mean {nearest(name, list(_SECTIONS))}? Known: {', '.join(_SECTIONS)}")
            section = _SECTIONS[name]
        elif raw:
            raw[-1].setdefault(section, []).append(line)
        elif line.strip() and not line.startswith("# "):
            raise BadInput(f"line {number} belongs to no bead", why="a bead begins with `## Title`")
    if not raw:
        raise BadInput("the file has no bead", why="a bead begins with `## Title`")
    nodes, edges = [], []
    for number, parts in enumerate(raw, 1):
        found: Record = {name: "\n".join(lines).strip() for name, lines in parts.items()}
        deps = found.pop("deps", "").replace(",", "\n").split("\n")
        if "labels" in found:
            found["labels"] = [label for label in found["labels"].replace(",", "\n").split("\n") if label.strip()]
        key = str(number)
        nodes.append(_node({"key": key, **{name: value for name, value in found.items() if value or name == "title"}}, f"bead {number}"))
        for kind, target in (fields.dependency(dep.strip("-* ")) for dep in deps if dep.strip("-* ")):
            edges.append((End(key, True), End(target, False), kind))
    return Plan(nodes, edges)


def _node(raw: Any, place: str) -> Node:
    _known(raw, _NODE, place)
    if not isinstance(raw.get("key"), str) or not raw["key"]:
        raise BadInput(f"{place} has no key", why="every node needs one, a text")
    values: Record = {}
    for name in (name for name in _VALUES if name in raw or name == "title"):
        field, kind, check = _VALUES[name]
        if not isinstance(raw.get(name, ""), kind) or isinstance(raw.get(name), bool) or (
                kind is list and not all(isinstance(part, str) for part in raw[name])):
            raise BadInput(f"{place}: {name} is {shown(jsons.dumps(raw[name]))}", why="another kind of value is expected")
        try:
            values[field] = check(raw.get(name, ""))
        except BadInput as error:
            raise BadInput(f"{place}: {error.what}", why=error.why, next=error.next) from None
    refs = raw.get("metadata_refs", {})
    if not isinstance(refs, dict) or not all(isinstance(key, str) for key in refs.values()):
        raise BadInput(f"{place}: metadata_refs is no object of texts")
    has_parent = raw.get("parent_key") is not None or raw.get("parent_id") is not None
    parent = _end(raw, "parent", None, place) if has_parent else None
    return Node(raw["key"], values, parent, {edits.metadata_key(field): key for field, key in refs.items()})


def _end(raw: Mapping[str, Any], word: str, keys: list[str] | None, place: str) -> End:
    key, bead_id = raw.get(f"{word}_key"), raw.get(f"{word}_id")
    if (key is None) == (bead_id is None) or not isinstance(key if bead_id is None else bead_id, str):
        raise BadInput(f"{place} needs one of {word}_key and {word}_id")
    if key is not None and keys is not None and key not in keys:
        raise BadInput(f"{place} names {shown(key)}", why="the plan has no such key")
    return End(key, True) if key is not None else End(str(bead_id), False)


def _parents_first(nodes: Iterable[Node]) -> list[Node]:
    left, found, done = list(nodes), list[Node](), set[str]()
    while left:
        free = [node for node in left if node.parent is None or not node.parent.is_key or node.parent.name in done]
        if not free:
            raise BadInput("the plan's parents go in a circle", why=", ".join(shown(node.key) for node in left[:5]))
        found += free
        done |= {node.key for node in free}
        left = [node for node in left if node.key not in done]
    return found


def _known(raw: Any, names: tuple[str, ...], place: str) -> None:
    if not isinstance(raw, dict):
        raise BadInput(f"{place} is no JSON object")
    for key in raw:
        if key not in names:
            raise BadInput(f"{place} has no {shown(key)}", why=f"did you mean {nearest(key, list(names))}? Known: {', '.join(names)}")


def _list(raw: Mapping[str, Any], name: str, place: str) -> list[Any]:
    found = raw.get(name)
    if not isinstance(found, list) or (name == "nodes" and not found):
        raise BadInput(f"{place} has no list of {name}")
    return found
