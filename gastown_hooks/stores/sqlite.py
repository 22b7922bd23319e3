"""The C module under `sqlite3`, which costs a third of that package's import. Where it cannot be had so, the package."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sqlite3 import Connection, Error, connect
else:
    def _cached(size):
        """What `functools.lru_cache` is asked for here: a connection's statements, by their words."""
        def of(make):
            known = {}

            def statement(query):
                found = known.get(query)
                if found is None:
                    found = known[query] = make(query)
                return found
            return statement
        return of

    # The C module takes one function of `functools`, all of which would be 3 ms of import: it gets one with just that.
    whole = sys.modules.get("functools")
    try:
        if whole is None:
            sys.modules["functools"] = type(sys)("functools")
            sys.modules["functools"].lru_cache = _cached
        from _sqlite3 import Connection, Error, connect
    except (ImportError, AttributeError):
        if whole is None:
            sys.modules.pop("functools", None)
        from sqlite3 import Connection, Error, connect
    else:
        if whole is None:
            del sys.modules["functools"]

__all__ = ["Connection", "Error", "connect"]
