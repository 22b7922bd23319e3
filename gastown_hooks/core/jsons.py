"""JSON text, without the import of `json` (8 ms, more than the interpreter's own start).

Uses the C scanner and encoder that `json` itself is made of; where this Python has none, `json`. The same texts and values.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Pairs = Callable[[list[tuple[str, Any]]], Any] | None

_SPACE = " \t\n\r"
_INFINITE = float("inf")


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if abs(value) == _INFINITE:  # nothing could write it again
        raise ValueError(f"{text} is too large a number")
    return value


try:
    from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner
except ImportError:  # another Python than CPython
    import json

    encode_basestring = json.encoder.encode_basestring
    encode_basestring_ascii = json.encoder.encode_basestring_ascii

    def _scanner(pairs: Pairs, constant: Callable[[str], Any]) -> Callable[[str, int], tuple[Any, int]]:
        return json.JSONDecoder(parse_float=_float, parse_constant=constant, object_pairs_hook=pairs).raw_decode

    def _encoder(plain: bool, in_order: bool = False) -> Callable[[Any], str]:
        return json.JSONEncoder(ensure_ascii=not plain, separators=(",", ":"), allow_nan=False, sort_keys=in_order).encode
else:
    class _Context:
        """What the C scanner reads its settings from."""

        strict, object_hook, parse_float, parse_int = True, None, staticmethod(_float), int

        def __init__(self, pairs: Pairs, constant: Callable[[str], Any]) -> None:
            self.object_pairs_hook, self.parse_constant = pairs, constant
            self.memo: dict[str, str] = {}

    def _scanner(pairs: Pairs, constant: Callable[[str], Any]) -> Callable[[str, int], tuple[Any, int]]:
        scan: Callable[[str, int], tuple[Any, int]] = make_scanner(_Context(pairs, constant))  # type: ignore[arg-type]
        return scan

    def _encoder(plain: bool, in_order: bool = False) -> Callable[[Any], str]:
        quote = encode_basestring if plain else encode_basestring_ascii
        encode = make_encoder(None, _no_value, quote, None, ":", ",", in_order, False, False)
        return lambda value: "".join(encode(value, 0))


def _no_value(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} is no JSON value")


def decoder(pairs: Pairs = None, constant: Callable[[str], Any] = _no_constant) -> Callable[[str], Any]:
    """A function from a text to its one value; `pairs` makes each object from its (key, value) pairs, `constant` what stands for NaN and
    the infinities, which are no JSON. It raises ValueError."""
    scan = _scanner(pairs, constant)

    def decode(text: str) -> Any:
        start = 0
        if text[:1] not in ("{", "["):
            start = len(text) - len(text.lstrip(_SPACE))
        try:
            value, end = scan(text, start)
        except StopIteration as stop:
            raise ValueError(f"a JSON value is expected at character {stop.value}") from None
        except SystemError:  # the C scanner of 3.11 finds no class for its error while `json` is not imported
            raise ValueError("it is no JSON, or not all of it") from None
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if end != len(text) and text[end:].strip(_SPACE):
            raise ValueError(f"more behind the JSON value, at character {end}")
        return value
    return decode


loads = decoder()
# One line without spaces: as UTF-8 may hold it, and with all but ASCII escaped. They raise ValueError and TypeError.
dumps = _encoder(True)
dumps_ascii = _encoder(False)
# Equal texts for equal values, whatever the order of their keys (1, 1.0 and true differ).
canonical = _encoder(False, True)


def pretty(value: Any) -> str:
    """The value indented by two, as `json.dumps(value, ensure_ascii=False, indent=2)` gives it."""
    parts: list[str] = []
    _indent(value, "\n", parts.append)
    return "".join(parts)


def _indent(value: Any, line: str, add: Callable[[str], object]) -> None:
    if isinstance(value, str):
        add(encode_basestring(value))
    elif not value or not isinstance(value, (dict, list, tuple)):
        add(dumps(value))
    elif isinstance(value, dict):
        before, inner = "{", line + "  "
        for key, part in value.items():
            name = encode_basestring(key if isinstance(key, str) else dumps(key))
            if isinstance(part, str):  # most are
                add(f"{before}{inner}{name}: {encode_basestring(part)}")
            else:
                add(f"{before}{inner}{name}: ")
                _indent(part, inner, add)
            before = ","
        add(line + "}")
    else:
        before, inner = "[", line + "  "
        for part in value:
            add(before + inner)
            _indent(part, inner, add)
            before = ","
        add(line + "]")
