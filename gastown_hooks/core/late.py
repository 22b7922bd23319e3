"""Modules that a hot command only perhaps needs: imported when something of theirs is first used.

    if TYPE_CHECKING:
        from gastown_hooks.rules import merge3
    else:
        merge3 = late("gastown_hooks.rules.merge3")

The type checker, and the tests of who may import whom, see a plain import; after the first use it is one.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class late:
    """Stands for the module of that name, until it is used, among the names of the module that wrote it down."""

    __slots__ = ("_name", "_there")

    def __init__(self, name: str) -> None:
        self._name, self._there = name, sys._getframe(1).f_globals

    def __getattr__(self, attribute: str) -> Any:
        module = __import__(self._name, fromlist=("",))
        for name in [name for name, value in self._there.items() if value is self]:
            self._there[name] = module
        return getattr(module, attribute)
