"""The `os` of everyday commands answers what the real one answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gastown_hooks.core import mapping, system

LEAN = system._lean()
PATHS = st.text("ab./ é", max_size=9)


@given(PATHS, st.lists(PATHS, max_size=3))
def test_paths_are_taken_apart_and_joined_alike(path: str, names: list[str]) -> None:
    for name in ("dirname", "basename", "abspath"):
        assert getattr(LEAN.path, name)(path) == getattr(os.path, name)(path)
    assert LEAN.path.join(path, *names) == os.path.join(path, *names)


@pytest.mark.parametrize("name", ["file", "folder", "link", "dangling", "none", "file/below", "folder/", "a\0b"])
def test_files_are_seen_alike(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "dangling").symlink_to("nowhere")
    for function in ("exists", "lexists", "isdir", "isfile"):
        assert getattr(LEAN.path, function)(f"{tmp_path}/{name}") == getattr(os.path, function)(f"{tmp_path}/{name}")


def test_the_rest_is_the_real_modules() -> None:
    assert (LEAN.environ, LEAN.makedirs, LEAN.stat, LEAN.devnull) == (os.environ, os.makedirs, os.stat, os.devnull)


@pytest.mark.parametrize("before", ["", "import os; "])
def test_a_variable_is_read_with_or_without_the_real_one(before: str) -> None:
    code = (f"import sys; sys.path.insert(0, sys.argv[1]); {before}from gastown_hooks.core import system; "
            "print(ascii([system.variable('GT_X'), system.variable('GT_NONE')]), 'os' in sys.modules)")
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(system.__file__))))
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, root], env={b"GT_X": b"\xc3\xa9\xff", b"LC_ALL": b"C.UTF-8"},
                          capture_output=True, check=True, text=True)
    assert done.stdout.strip() == f"['\\xe9\\udcff', None] {bool(before)}"


def test_a_mapping_is_what_three_methods_make_it() -> None:
    class Squares(mapping.Mapping[int, int]):
        def __getitem__(self, key: int) -> int:
            if key not in (1, 2):
                raise KeyError(key)
            return key * key

        def __iter__(self):  # type: ignore[no-untyped-def]
            return iter((1, 2))

        def __len__(self) -> int:
            return 2

    class Real(Squares, Mapping):  # type: ignore[type-arg]
        get, __contains__, keys = Mapping.get, Mapping.__contains__, Mapping.keys
        values, items = Mapping.values, Mapping.items

    ours, real = Squares(), Real()
    assert (dict(ours), list(ours.values()), list(ours.items())) == (dict(real), list(real.values()), list(real.items()))
    assert (ours.get(1), ours.get(3), ours.get(3, 0), 1 in ours, 3 in ours) == (1, None, 0, True, False)
