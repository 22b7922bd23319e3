"""`click`, in two thirds of the time that its import takes.

It imports `inspect`, `uuid` and `gettext` whole, for a function each or for nothing that a command of ours does. Where nobody has imported
them yet, click finds stand-ins: the little that it takes at once is written here, and for anything else they ask the real module. Everybody
else imports those as ever. (There are no translations of click's words that would be looked up.)
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from gastown_hooks.core.late import late


class _StandIn(ModuleType):
    """A module that is imported when more is asked of it than it was made with."""

    def __init__(self, name: str, **there: Any) -> None:
        super().__init__(name)
        self.__dict__.update(there)

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)  # asked by an import
        self.withdraw()
        return getattr(late(self.__name__), name)

    def withdraw(self) -> None:
        """Who imports the module from now on gets the real one."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


def cleandoc(text: str) -> str:
    """As that of `inspect`: without the margin, and without empty lines at either end."""
    first, *rest = text.expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first.lstrip(), *(line[margin:] for line in rest)]).strip("\n")


_INSPECT = _StandIn("inspect", cleandoc=cleandoc)
_UUID = _StandIn("uuid", UUID=object)  # click makes a class of it at once
_GETTEXT = _StandIn("gettext", gettext=str, ngettext=lambda one, many, count: one if count == 1 else many)

for _one in (_INSPECT, _UUID, _GETTEXT):
    sys.modules.setdefault(_one.__name__, _one)
import click  # noqa: E402

for _one in (_INSPECT, _UUID, _GETTEXT):
    _one.withdraw()
del _UUID.UUID  # for a value it asks the real one

__all__ = ["cleandoc", "click"]
