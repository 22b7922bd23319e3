"""Classes of named fields: `dataclass`, `field`, `replace` and `asdict` of the standard library, as far as they are used here.

That package imports `inspect`, which costs a command that only looks a fourth of its whole time.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import asdict, dataclass, field, replace
    from typing import Any, NoReturn
else:
    def dataclass(*, slots: bool, frozen: bool = False) -> Callable[[type], type]:
        """As the standard library's, always with slots; what the class itself defines stays."""
        assert slots
        return lambda plain: _made(plain, frozen)

    def field(*, default_factory: Callable[[], Any]) -> Any:
        """A default that is made anew for each."""
        return _Made(default_factory)

    def replace(value: Any, **changes: Any) -> Any:
        """The same with these fields changed."""
        return type(value)(**{**{name: getattr(value, name) for name in value.__match_args__}, **changes})

    def asdict(value: Any) -> dict[str, Any]:
        """The fields by name, those of the values within too."""
        return {name: _plain(getattr(value, name)) for name in value.__match_args__}


class _Made:
    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def _made(plain: type, frozen: bool) -> type:
    names = tuple(vars(plain).get("__annotations__", ()))
    given = {name: plain.__dict__[name] for name in names if name in plain.__dict__}
    kept = {name: value for name, value in plain.__dict__.items() if name not in given and name not in ("__dict__", "__weakref__")}
    ours: dict[str, Any] = {"__slots__": names, "__match_args__": names, "__eq__": _equal, "__repr__": _repr, "__reduce__": _reduce,
                            "__hash__": _hash if frozen else None}
    if frozen:
        ours |= {"__setattr__": _refuse, "__delattr__": _refuse}
    made: Any = type(plain)(plain.__name__, plain.__bases__, {**ours, **kept})

    def first(self: Any, *values: Any, **named: Any) -> None:
        made.__init__ = _init(made, names, given)  # when there is a first one: of most classes that a command imports it makes none
        made.__init__(self, *values, **named)

    made.__init__ = first
    return made  # type: ignore[no-any-return]


def _init(made: type, names: tuple[str, ...], given: dict[str, Any]) -> Callable[..., None]:
    """`__init__` as if it were written out."""
    there: dict[str, Any] = {f"set_{name}": made.__dict__[name].__set__ for name in names}
    there |= {f"default_{name}": value for name, value in given.items()}
    words = ", ".join(f"{name}=default_{name}" if name in given else name for name in names)
    lines = [f" set_{name}(self, default_{name}.make() if {name} is default_{name} else {name})" if isinstance(given.get(name), _Made)
             else f" set_{name}(self, {name})" for name in names]
    exec(f"def __init__(self, {words}):\n" + "\n".join(lines), there)
    there["__init__"].__qualname__ = f"{made.__qualname__}.__init__"
    return there["__init__"]  # type: ignore[no-any-return]


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__match_args__)


def _equal(self: Any, other: Any) -> bool:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _repr(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__match_args__)})"


def _reduce(self: Any) -> tuple[Any, ...]:
    return type(self), _values(self)


def _refuse(self: Any, name: str, *value: Any) -> NoReturn:
    raise AttributeError(f"cannot change {name}: a {type(self).__qualname__} stays as it is")


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return asdict(value) if hasattr(value, "__match_args__") and not isinstance(value, type) else value


__all__ = ["asdict", "dataclass", "field", "replace"]
