"""What a bead depends on and what depends on it, as `bd dep` shows it. Imported at commands without click: lean."""

from __future__ import annotations

from gastown_hooks.cli.bd import _words
from gastown_hooks.cli.bd._values import located
from gastown_hooks.cli.plain import cleaned, emit_json, remark, say
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.late import late
from gastown_hooks.rules import fields, graph, ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import drawing
    from gastown_hooks.work.world import World
else:
    drawing = late("gastown_hooks.rules.drawing")

MOST = 10_000
_WARNINGS = 5
_WAYS = {"down": (False,), "up": (True,), "both": (True, False)}


def say_list(where: World, bead_ids: Sequence[str], direction: str, kind: str | None, as_json: bool) -> None:
    wanted = None if kind is None else fields.kind(kind)
    shown: list[Record] = []
    for name, ledger in located(where, bead_ids, quiet=True).items():
        known = where.known([ledger])
        down = [(edge.target, edge.kind) for edge in graph.edges(known[name])]
        near = down if direction == "down" else graph.dependents(known).get(name, [])
        shown += [{**_words.stub(other, known), "dependency_type": how} for other, how in near if wanted in (None, how)]
    if as_json:
        emit_json(shown)
        return
    for record in shown:
        say(f"{_words.brief(record)} ({cleaned(record['dependency_type'])})")
    if not shown:
        say(f"Nothing: {', '.join(bead_ids)} {'depends on nothing' if direction == 'down' else 'is needed by nothing'}")


def say_tree(where: World, bead_id: str, given: Mapping[str, Any]) -> None:
    """`given`: the options of `bd dep tree`; `statuses` as they are to be checked."""
    if (given["form"] and given["as_json"]) or (given["reverse"] and given["direction"] == "both"):
        raise BadInput("--format and --json contradict each other, as do --reverse and --direction both")
    wanted = {fields.status(part.strip()) for text in given["statuses"] for part in text.split(",")}
    (name, ledger), = located(where, [bead_id], quiet=True).items()
    known = where.known([ledger])
    ways = _WAYS["up" if given["reverse"] else given["direction"]]
    nodes = []
    for upward in ways:
        found = graph.tree(known, name, upward=upward, depth=given["max_depth"], most=MOST if given["show_all_paths"] else 0)
        if given["show_all_paths"] and len(found) == MOST:
            remark(f"bd: the first {MOST} lines; bd dep tree without --show-all-paths shows each bead once")
        nodes.append([node for node in found if not node.depth or not wanted or ready.status(_words.stub(node.bead, known)) in wanted])
    if given["form"]:
        names = dict.fromkeys(node.bead for found in nodes for node in found)
        say(drawing.draw([_words.stub(one, known) for one in names], given["form"]))
    elif given["as_json"]:
        emit_json([{**_words.stub(node.bead, known), "depth": node.depth, "parent_id": node.parent, "truncated": node.truncated,
                    "edge_from_parent": node.kind} for found in nodes for node in found])
    else:
        for upward, found in zip(ways, nodes, strict=True):
            if len(ways) > 1:
                say("Needed by:" if upward else "\nDepends on:")
            for node in found:
                _say_node(node, known)


def _say_node(node: graph.Node, known: Mapping[str, Record]) -> None:
    mark = "└─ " if node.depth else ""
    kind = f" ({cleaned(node.kind)})" if node.kind else ""
    say(f"{'   ' * max(0, node.depth - 1)}{mark}{_words.brief(_words.stub(node.bead, known))}{kind}{' …' if node.truncated else ''}")


def warn(left_out: list[str]) -> None:
    """Tell the lines that are no bead."""
    for words in left_out[:_WARNINGS]:
        remark(f"bd: warning: {words}; the line is kept, and left out here")
    if len(left_out) > _WARNINGS:
        remark(f"bd: warning: and {len(left_out) - _WARNINGS} more lines that are no bead")
