from __future__ import annotations

from gastown_hooks.core import ids
from gastown_hooks.rules import names


def test_pool_is_large_unique_and_valid() -> None:
    assert len(names.POOL) >= 50 and len(set(names.POOL)) == len(names.POOL)
    assert names.POOL[:3] == ("toast", "nux", "shadow")
    assert [ids.name(name, "worker") for name in names.POOL] == list(names.POOL)


def test_lowest_free_name_first() -> None:
    assert names.choose(()) == "toast"
    assert names.choose({"toast", "shadow"}) == "nux"


def test_numbers_after_the_pool() -> None:
    first = f"worker{len(names.POOL) + 1}"
    assert names.choose(names.POOL) == first
    assert names.choose({*names.POOL, first}) == f"worker{len(names.POOL) + 2}"
    assert ids.name(names.choose(names.POOL), "worker")


def test_reserved_words_are_passed_over() -> None:
    assert names.choose((), pool=("witness", "boot", "toast")) == "toast"
