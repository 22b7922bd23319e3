"""The programs `gt` and `bd` of an installation, and the one that starts its roles' files.

They start the interpreter by its absolute path and without `site`, which halves a start. Beside them lies the file of hot code (hot.py).
"""

from __future__ import annotations

import os
import shlex

from gastown_hooks import hot
from gastown_hooks.core import data, fsio

_END = "from gastown_hooks.front import {0}, leave\nleave({0}())\n"
_ENDS = {"gt": _END.format("gt"), "bd": _END.format("bd"),
         data.ROLE: "del sys.argv[0]\nexec(compile(open(sys.argv[0], 'rb').read(), sys.argv[0], 'exec'))\n"}
# Short: it is compiled at every start.
_START = """import posix, sys
from marshal import loads
sys.path[:0] = {folders!a}
try:
    hot = posix.open({hot!a}, {flags})
    table = loads(posix.read(hot, {size}))
    exec(loads(table[sys.version]), {{"hot": hot, "start": {size}, "table": table}})
except (OSError, EOFError, ValueError, TypeError, LookupError):
    pass
"""


def write(folder: str, python: str, final: str, paths: list[str]) -> None:
    """Write the programs into `folder`, which will be called `final`."""
    package, place = os.path.dirname(os.path.abspath(__file__)), hot.Place(os.path.dirname(folder), os.path.dirname(final))
    code, size = hot.code(package, place, paths)
    fsio.write(f"{folder}/.hot", code, mode=0o644)
    plain = len(python) < 100 and not set(python) & set(" \t\n")
    head = f"#!{python} -ISXutf8\n" if plain else f"#!/bin/sh\n''':'\nexec {shlex.quote(python)} -ISXutf8 \"$0\" \"$@\"\n'''\n"
    for name, end in _ENDS.items():
        text = head + _START.format(folders=paths, hot=f"{final}/.hot", flags=os.O_RDONLY | os.O_CLOEXEC, size=size) + end
        fsio.write(f"{folder}/{name}", text.encode(), mode=0o755)
