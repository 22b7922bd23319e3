"""JSON text: the same as the standard library's, for a tenth of its import."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from builders import ROOT
from hypothesis import given
from hypothesis import strategies as st

from gastown_hooks.core import jsons

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
                      lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20)


@given(VALUES)
def test_the_same_texts_and_values_as_the_standard_library(value: Any) -> None:
    assert jsons.dumps(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert jsons.dumps_ascii(value) == json.dumps(value, separators=(",", ":"))
    assert jsons.canonical(value) == json.dumps(value, separators=(",", ":"), sort_keys=True)
    assert jsons.pretty(value) == json.dumps(value, ensure_ascii=False, indent=2)
    for text in (jsons.dumps(value), jsons.pretty(value), f" \n{jsons.dumps_ascii(value)}\t"):
        assert jsons.loads(text) == json.loads(text) == value


def finite(word: str) -> float:
    return float(word) if math.isfinite(float(word)) else 1 / 0


@given(st.text(max_size=12) | st.text('{}[]":,01.eE-+ntfalsrue \\u', max_size=12))
def test_a_text_that_one_of_them_refuses_both_refuse(text: str) -> None:
    try:
        value = json.loads(text, parse_constant=lambda word: 1 / 0, parse_float=finite)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(ValueError):
            jsons.loads(text)
    else:
        assert jsons.loads(text) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": float("-inf")}, object(), {1, 2}, b"x"])
def test_what_json_cannot_hold(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        jsons.dumps(value)


@pytest.mark.parametrize("text", ["1e400", '{"a": [-1e999]}', "[" * 100_000])
def test_what_could_not_be_written_again_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"too large a number|nested too deeply"):
        jsons.loads(text)


def test_objects_can_be_made_from_their_pairs() -> None:
    assert jsons.decoder(lambda pairs: pairs)('{"a":1,"a":{"b":2}}') == [("a", 1), ("a", [("b", 2)])]


@pytest.mark.parametrize("module", ["_json", "_sha256"])
def test_another_python_without_these_parts(module: str) -> None:
    """The fallbacks: the whole of the standard library's modules."""
    code = (f"import sys; sys.modules[{module!r}] = None; sys.path.insert(0, {str(ROOT)!r})\n"
            "from gastown_hooks.core import ids, jsons, record\n"
            "assert jsons.loads('[1]') == [1] and jsons.pretty({'a': [1, 'é']}) == '{\\n  \"a\": [\\n    1,\\n    \"é\"\\n  ]\\n}'\n"
            "assert record.encode(record.decode(b'{\"id\":\"a\"}')) == b'{\"id\":\"a\"}'\n"
            "assert jsons.canonical({'b': 1, 'a': 2}) == '{\"a\":2,\"b\":1}'\n"
            "assert ids.derived('gp', 'a') == 'gp-' + ids.derived('hq', 'a')[3:]")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
