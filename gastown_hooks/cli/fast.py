"""The words of a hot command without click: only what is plain; of anything else click decides what it means."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Options = dict[str, tuple[str, str]]  # word: (name, "flag" | "yes" | "no" | "one" | "many")

JSON: Options = {"--json": ("as_json", "flag")}
LIMIT = 100  # how many beads a listing shows where nobody says


def parsed(words: list[str], options: Options) -> tuple[list[str], dict[str, Any]] | None:
    """(arguments, {name: value}) as click gives them for these options; None: ask click."""
    values: dict[str, Any] = {name: {"flag": False, "many": ()}.get(kind) for name, kind in options.values()}
    arguments, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if not word.isascii() and any("\ud800" <= char <= "\udfff" for char in word):
            return None
        if word[:1] != "-":
            arguments.append(word)
            continue
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        name, kind = options.get(option, ("", ""))
        if kind in ("flag", "yes", "no") and not equals:
            values[name] = kind != "no"
            continue
        if kind not in ("one", "many") or (not equals and (not rest or rest[0][:1] == "-")):
            return None
        value = value if equals else rest.pop(0)
        if not value or (not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value)):
            return None
        values[name] = value if kind == "one" else (*values[name], value)
    return arguments, values
