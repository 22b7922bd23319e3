"""The language of `bd query`: `status=open AND (priority<=1 OR label=urgent) AND NOT assignee=none`.

Words AND, OR, NOT in any case; NOT binds closest, then AND. Values with spaces stand in quotes. What a condition means: rules/filters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.ids import shown
from gastown_hooks.rules import filters

_TOKEN = re.compile(r"""\s*(?:(?P<mark>\(|\)|!=|>=|<=|=|>|<)|"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[^\s()=!<>"']+))""")
_DEEPEST = 50
_EXAMPLE = "bd query \"status=open AND priority<=1\""
Token = tuple[str, bool]  # its text, and whether it is plain (a quoted `and` is a value)
Tree = tuple[Any, ...]  # ("and" | "or" | "not", [Tree …]) or ("is", field, operator, text)


def parsed(text: str, now: int) -> filters.Test:
    """The test that the expression means. Raises BadInput with the place where it goes wrong."""
    return test(tree(text), now)


def test(tree: Tree, now: int) -> filters.Test:
    """The test that a tree means. Raises BadInput."""
    if len(tree) == 4:
        return filters.condition(*tree[1:], now)
    parts = [test(one, now) for one in tree[1]]
    if tree[0] == "not":
        return lambda record: not parts[0](record)
    return filters.every(parts) if tree[0] == "and" else filters.some(parts)


def tree(text: str) -> Tree:
    """The expression taken apart. Raises BadInput with the place where it goes wrong."""
    reader = _Reader(_tokens(text))
    found = reader.either(0)
    if reader.rest:
        raise reader.wrong("AND or OR")
    return found


def names(tree: Tree, *fields: str) -> bool:
    """Whether a condition in it is on one of these fields."""
    return tree[1] in fields if len(tree) == 4 else any(names(one, *fields) for one in tree[1])


def is_of_all(text: str, statuses: Sequence[str]) -> bool:
    """Whether the expression means closed beads too: it speaks of them, and nobody said which states are meant."""
    return not statuses and any(plain and word.lower() in ("status", "closed") for word, plain in _tokens(text))


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadInput("the query does not parse", why=f"at {shown(text[at:].strip())}", next=_EXAMPLE)
        found.append((match[match.lastgroup or 0], match.lastgroup in ("mark", "word")))
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self.rest = tokens

    def wrong(self, wanted: str) -> BadInput:
        there = shown(self.rest[0][0]) if self.rest else "the end"
        return BadInput("the query does not parse", why=f"{wanted} expected at {there}", next=_EXAMPLE)

    def either(self, depth: int) -> Tree:
        found = [self.both(depth)]
        while self.takes("or"):
            found.append(self.both(depth))
        return found[0] if len(found) == 1 else ("or", found)

    def both(self, depth: int) -> Tree:
        found = [self.one(depth)]
        while self.takes("and"):
            found.append(self.one(depth))
        return found[0] if len(found) == 1 else ("and", found)

    def one(self, depth: int) -> Tree:
        if depth > _DEEPEST:
            raise BadInput("the query is nested too deeply", why=f"at most {_DEEPEST} levels")
        if self.takes("not"):
            return "not", [self.one(depth + 1)]
        if self.takes("("):
            found = self.either(depth + 1)
            if not self.takes(")"):
                raise self.wrong(")")
            return found
        return self.comparison()

    def comparison(self) -> Tree:
        if not self.rest or not self.rest[0][1] or self.rest[0][0] in "()=!=<=>=":
            raise self.wrong("a field")
        field = self.rest.pop(0)[0].lower()
        if not self.rest or self.rest[0][0] not in ("=", "!=", "<", "<=", ">", ">=") or not self.rest[0][1]:
            raise self.wrong("= != < <= > or >=")
        how = self.rest.pop(0)[0]
        if not self.rest or (self.rest[0][1] and self.rest[0][0] in ("(", ")", "=", "!=", "<", "<=", ">", ">=")):
            raise self.wrong("a value")
        return "is", field, how, self.rest.pop(0)[0]

    def takes(self, word: str) -> bool:
        if self.rest and self.rest[0][1] and self.rest[0][0].lower() == word:
            self.rest.pop(0)
            return True
        return False
