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
    """Stands for the module of that name, until it is used, among the names of the module that wrote it down.

    `alone`: without the code of the package that it is in, whose other parts may take longer than itself; for everybody else the package
    is imported as ever.
    """

    __slots__ = ("_alone", "_name", "_there")

    def __init__(self, name: str, *, alone: bool = False) -> None:
        self._name, self._alone, self._there = name, alone, sys._getframe(1).f_globals

    def __getattr__(self, attribute: str) -> Any:
        module = sys.modules.get(self._name) or _hot(self._name)
        if module is None:
            module = _alone(self._name) if self._alone else __import__(self._name, fromlist=("",))
        usual = self._name[self._name.rfind(".") + 1:]
        for name in [usual] if self._there.get(usual) is self else [name for name, value in self._there.items() if value is self]:
            self._there[name] = module
        return getattr(module, attribute)


def _hot(name: str) -> Any:
    """From the file of hot code (hot.py) without the machinery of imports, whose locks are for threads."""
    make = None if "threading" in sys.modules else getattr(sys.meta_path[0], "make", None)
    if make is not None:
        make(name)
    return sys.modules.get(name)


def _alone(name: str) -> Any:
    package = name.partition(".")[0]
    finder: Any = sys.modules["_frozen_importlib_external"]
    spec = None if package in sys.modules else finder.PathFinder.find_spec(package)
    if spec is not None:
        sys.modules[package] = type(sys)(package)
        sys.modules[package].__path__ = spec.submodule_search_locations
    try:
        return __import__(name, fromlist=("",))
    finally:
        if spec is not None:
            del sys.modules[package]
