"""Many lines decoded at once: in a sixth less time than one by one, and their records share the texts of their keys."""

from __future__ import annotations

from gastown_hooks.core import jsons, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gastown_hooks.core.record import Record

# Stands between two lines of one array: a newline, which no text goes on over, and a constant that is no JSON. As many constants met as
# were put there, each beside values of the array itself: so every line is one value, and nothing else.
_BETWEEN = b",\nNaN\n,"
_MARK = object()
_met: list[str] = []


def decode(lines: Sequence[bytes]) -> list[Record]:
    """`record.decode` of each of these lines. Raises ValueError where one may be no bead: which, and why, tells who takes them singly."""
    _met.clear()
    found = _decode(f"[{_BETWEEN.join(lines).decode()}]")
    values, marks = found[::2], found[1::2]
    if not len(lines) == len(values) == len(_met) + 1 == marks.count(_MARK) + 1 == len(marks) + 1:
        raise ValueError("not one value a line")
    return [record.checked(value, line) for value, line in zip(values, lines, strict=True)]


def _constant(text: str) -> object:
    _met.append(text)
    return _MARK


_decode = jsons.decoder(record.unique, _constant)
