"""`collections.abc.Mapping` for classes that everyday commands need: its module defines twenty more, for a tenth of a bare start."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any
else:
    class Mapping:
        """What `__getitem__`, `__iter__` and `__len__` of a class make of it."""

        __slots__ = ()

        def __class_getitem__(cls, types: Any) -> type:
            return cls

        def get(self, key: Any, default: Any = None) -> Any:
            try:
                return self[key]
            except KeyError:
                return default

        def __contains__(self, key: object) -> bool:
            try:
                self[key]
            except KeyError:
                return False
            return True

        def keys(self) -> list[Any]:
            return list(self)

        def values(self) -> Iterator[Any]:
            return (self[key] for key in self)

        def items(self) -> Iterator[tuple[Any, Any]]:
            return ((key, self[key]) for key in self)

__all__ = ["Mapping"]
