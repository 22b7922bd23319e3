"""Modules that a hot command only perhaps needs: imported when something of theirs is first used.

    if TYPE_CHECKING:
        from gastown_hooks.rules import merge3
    else:
        merge3 = late("gastown_hooks.rules.merge3")

The type checker, and the tests of who may import whom, see a plain import.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class late:
    """Stands for the module of that name."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(__import__(self._name, fromlist=("",)), attribute)
