"""A class of fields is what the standard library's would be."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from gastown_hooks.core import values


class Plain:
    name: str
    count: int = 3
    words: list[str] = []  # noqa: RUF012

    def loud(self) -> str:
        return self.name.upper()


def made(package: Any, frozen: bool) -> Any:
    body = {"__annotations__": {"name": "str", "count": "int", "words": "list[str]"}, "count": 3, "loud": Plain.loud,
            "words": package.field(default_factory=list), "__module__": __name__, "__qualname__": "Made"}
    return package.dataclass(frozen=frozen, slots=True)(type("Made", (), body))


@pytest.mark.parametrize("frozen", [True, False])
def test_it_does_as_the_standard_library_does(frozen: bool) -> None:
    def told(package: Any) -> list[Any]:
        kind = made(package, frozen)
        one, other = kind("a"), kind("a", words=["x"])
        other.words.append("y")
        inner = kind(one, 1, [other, {"k": (other,)}])
        return [repr(one), one == kind("a"), one == other, one.words, one.loud(), kind.__match_args__, kind.__slots__,
                repr(package.replace(one, count=4)), package.asdict(inner), repr(copy.copy(one)), copy.deepcopy(other) == other,
                kind.__hash__ is None, one == "a", sorted(name for name in vars(kind) if name in ("name", "count", "words"))]
    assert told(values) == told(dataclasses)


def test_a_frozen_one_stays_as_it_is_and_is_its_fields_in_a_set() -> None:
    kind = made(values, True)
    one = kind("a", words=())
    with pytest.raises(AttributeError, match="name"):
        one.name = "b"
    with pytest.raises(AttributeError, match="name"):
        del one.name
    assert {one, kind("a", 3, ())} == {one}
    free = made(values, False)("a")
    free.name = "b"
    assert free.loud() == "B"


@pytest.mark.parametrize("wrong", [((), {}), (("a", 1, [], 4), {}), (("a",), {"none": 1})])
def test_wrong_fields_are_refused_as_there(wrong: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    words = []
    for package in (values, dataclasses):
        with pytest.raises(TypeError) as refused:
            made(package, True)(*wrong[0], **wrong[1])
        words.append(str(refused.value))
    assert words[0] == words[1]


def test_it_can_be_kept_and_read_back() -> None:
    from gastown_hooks.rules.liveness import Worker
    one = Worker(claimed=True, submitted=False, home=True, lease="ready", alive=None, stalled=False, running=True, agents_start=True)
    assert pickle.loads(pickle.dumps(one)) == one == copy.deepcopy(one)
