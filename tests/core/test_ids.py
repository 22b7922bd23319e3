"""Names and ids: what passes, what does not, how new ones are made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gastown_hooks.core import ids
from gastown_hooks.core.errors import BadInput

HOSTILE = ["", "-x", "--help", "a b", "a/b", "../x", "a\nb", "a\x1b[31m", "é", "а", "a\u200b", "a;b", "$(x)", "`x`", "a\0", "."]


@pytest.mark.parametrize("text", ["a", "toast", "green-place_2", "a" * 32])
def test_names(text: str) -> None:
    ids.name(text, "rig")


@pytest.mark.parametrize("text", [*HOSTILE, "A", "1a", "_a", "a" * 33, "a.b", *sorted(ids.RESERVED)])
def test_no_names(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        ids.name(text, "rig")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["gp", "hq", "g2", "green-place", "beads_rust", "a" * 16])
def test_prefixes(text: str) -> None:
    ids.prefix(text)


@pytest.mark.parametrize("text", [*HOSTILE, "Gp", "2g", "gp-", "-gp", "gp_", "_gp", "a" * 17])
def test_no_prefixes(text: str) -> None:
    with pytest.raises(BadInput):
        ids.prefix(text)


@pytest.mark.parametrize("text", [
    "gp-abc12", "gp-abc12.3", "gp-abc12.3.1", "gt-gastown-polecat-toast", "hq-cv-abc12", "bd-1", "gp-mr-0a1b2c3d", "bd-Ab_c",
    "beads_rust-1a", "gp-x.y"])
def test_beads(text: str) -> None:
    ids.bead(text)


@pytest.mark.parametrize("text", [*HOSTILE, "gp", "gp-", "-1", "gp--x", "gp-a..b", "gp-a.", "gp-a-", "Gp-a", "gp-a b", "gp-a/b", "gp-é",
                                  "gp-" + "a" * 96, "2p-a", "g.p-a"])
def test_no_beads(text: str) -> None:
    with pytest.raises(BadInput):
        ids.bead(text)


@given(st.text(max_size=20))
def test_a_bead_id_that_passes_is_safe_everywhere(text: str) -> None:
    """As a file name, a part of a ref, a word of a command line and on a terminal."""
    try:
        ids.bead(text)
    except BadInput:
        return
    assert text.isascii() and text.isprintable() and not set(text) & set(" /\\:~^?*[\"'$`;&|<>(){}")
    assert text[0].isalpha() and ".." not in text and text[-1] not in ".-"


@pytest.mark.parametrize("text", ["overseer", "mayor", "gp/polecats/toast", "gp/crew/ann.b", "ann@example.org", "a+b"])
def test_actors(text: str) -> None:
    ids.actor(text)


@pytest.mark.parametrize("text", ["", "/", "a/", "/a", "a//b", "a/../b", "./a", "a b", "a\n", "é", "a/-b", "-a", "a" * 129, "a\x1b"])
def test_no_actors(text: str) -> None:
    with pytest.raises(BadInput):
        ids.actor(text)


@given(st.text(st.characters(), max_size=80))
def test_shown_text_is_one_printable_line(text: str) -> None:
    shown = ids.shown(text)
    assert shown.isprintable() and shown
    shown.encode()


def test_shown_quotes_and_cuts() -> None:
    assert ids.shown("gp-1") == "gp-1"
    assert ids.shown("a b") == "'a b'"
    assert ids.shown("") == "''"
    assert ids.shown("\x1b[2J") == "'\\x1b[2J'"
    assert len(ids.shown("x" * 100)) < 70 and "…" in ids.shown("x" * 100)


@given(st.binary(max_size=16), st.integers(0, 24))
def test_base36_is_the_number(data: bytes, length: int) -> None:
    text = ids.base36(data, length)
    assert len(text) == length
    assert (int(text, 36) if text else 0) == int.from_bytes(data, "big") % 36 ** length


@given(st.integers(0, 10**12))
def test_ids_grow_before_they_meet(count: int) -> None:
    length = ids.length_for(count)
    assert length >= ids.MIN_LENGTH and count * 1000 <= 36 ** length
    assert length == ids.MIN_LENGTH or count * 1000 > 36 ** (length - 1)


def test_a_new_id_is_free_and_valid() -> None:
    refused: list[str] = []

    def taken(text: str) -> bool:
        refused.append(text)
        return len(refused) < 4

    found = ids.mint("gp", 10, taken)
    assert found == refused[-1] and len(refused) == 4 == len(set(refused))
    assert ids.bead(found).startswith("gp-") and len(found) == 8


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))), min_size=1, max_size=3))
def test_a_derived_id_is_its_parts(parts: list[str]) -> None:
    found = ids.derived("gp-mr", *parts)
    assert found == ids.derived("gp-mr", *parts) and ids.bead(found)
    assert found != ids.derived("gp-mr", *parts, "more")
    assert found != ids.derived("gp-mr", "more", *parts)


def test_the_longest_prefix_wins() -> None:
    known = {"gp", "gp-mr", "g"}
    assert ids.prefix_of("gp-mr-1", known) == "gp-mr"
    assert ids.prefix_of("gp-m-1", known) == "gp"
    assert ids.prefix_of("gpx-1", known) is None
    assert ids.local_part("gp-abc.1", "gp") == "abc.1"
    assert ids.local_part("gp-gp-1", "gp") == "gp-1"
