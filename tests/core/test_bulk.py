"""Lines decoded at once: the same beads as one by one, and no line that says what only two of them say together."""

from __future__ import annotations

import pytest

from gastown_hooks.core import bulk, record

BEADS = [b'{"id":"a"}', '{"id":"b","title":"\u00e9 \\"NaN\\" \\n"}'.encode(), b' {"id":"c","metadata":{"x":[[1],[2]]}} ',
         b'{"id":"d","title":",NaN,","labels":["x"]}', b'{"id":"e","title":"\\ud83d\\ude00"}']


@pytest.mark.parametrize("count", range(1, len(BEADS) + 1))
def test_decodes_each(count: int) -> None:
    some = BEADS[:count]
    assert bulk.decode(some) == [record.decode(line) for line in some]


@pytest.mark.parametrize("lines", [
    [b'{"id":"a","x":[[1', b'2]]}'], [b'{"id":"a","x":[{"y":1}', b'{"id":"b"}]},NaN,{"id":"c"}'], [b'{"id":"a"},NaN,{"id":"b"}'],
    [b'{"id":"a"},NaN,{"id":"b"}', b'{"id":"c","x":"', b'"}'], [b'{"id":"a"}', b""], [b'{"id":"a"},{"id":"b"}', b'{"id":"c"}'],
    [b'{"id":"a","x":[1', b'2]},{"id":"b"}'], [b'{"id":"a","x":NaN}'], [b'{"id":"a","x":Infinity}', b'{"id":"b"}'],
    [b'{"id":"a"}]', b'[{"id":"b"}'], [b'{"id":"a","id":"b"}'], [b'{"id":"a","x":{"y":1,"y":1}}'], [b'{"id":"a","priority":"1"}'],
    [b'{"id":"a b"}'], [b'{"id":1}'], [b"[]"], [b'{"id":"a","title":"\\ud800"}'], [b'{"id":"a","title":"\xff"}'], [b"\xef\xbb\xbf{}"],
    [b'{"id":"a","x":' + b"[" * 200 + b"]" * 200 + b"}"], []])
def test_takes_no_line_that_is_no_bead(lines: list[bytes]) -> None:
    with pytest.raises(ValueError):
        bulk.decode(lines)
