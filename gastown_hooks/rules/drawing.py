"""Beads and what waits for what as a text that drawing programs read: mermaid and Graphviz' dot. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gastown_hooks.rules import graph, ready

Record = dict[str, Any]
_FILL = {"closed": "#d3f0d3", "in_progress": "#d3e3fd", "hooked": "#d3e3fd", "blocked": "#fdd8d3", "deferred": "#eeeeee"}


def draw(records: Iterable[Record], form: str) -> str:
    """`form`: dot or mermaid. An arrow goes from a bead to what it waits for; only edges between the given beads are drawn."""
    known = {record["id"]: record for record in records}
    edges = [(bead_id, edge.target, edge.kind) for bead_id, record in known.items() for edge in graph.edges(record) if edge.target in known]
    return _dot(known, edges) if form == "dot" else _mermaid(known, edges)


def _mermaid(known: dict[str, Record], edges: list[tuple[str, str, str]]) -> str:
    names = {bead_id: f"n{number}" for number, bead_id in enumerate(known)}
    lines = ["flowchart TD"]
    lines += [f'  {names[bead_id]}["{_plain(bead_id)}: {_plain(record.get("title", ""))} ({_plain(ready.status(record))})"]'
              for bead_id, record in known.items()]
    return "\n".join(lines + [f"  {names[a]} {'-->' if kind in graph.BLOCKING else '-.->'}|{_plain(kind)}| {names[b]}"
                              for a, b, kind in edges])


def _dot(known: dict[str, Record], edges: list[tuple[str, str, str]]) -> str:
    lines = ["digraph beads {", "  rankdir=LR;", '  node [shape=box, style="rounded,filled", fillcolor=white];']
    for bead_id, record in known.items():
        fill = _FILL.get(ready.status(record))
        more = f', fillcolor="{fill}"' if fill else ""
        lines.append(f'  "{_plain(bead_id)}" [label="{_plain(bead_id)}\\n{_plain(record.get("title", ""))}"{more}];')
    lines += [f'  "{_plain(a)}" -> "{_plain(b)}" [label="{_plain(kind)}"{"" if kind in graph.BLOCKING else ", style=dashed"}];'
              for a, b, kind in edges]
    return "\n".join([*lines, "}"])


def _plain(text: object) -> str:
    """Text that cannot end its quotes in either language, nor be markup in it."""
    shown = "".join(c if c.isprintable() else " " for c in str(text))
    for char, code in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;"), ("\\", "&#92;"), ("|", "&#124;")):
        shown = shown.replace(char, code)
    return shown
