"""The lines of a ledger that is shared: which are beads, by id."""

from __future__ import annotations

from collections.abc import Iterable

from gastown_hooks.core import record
from gastown_hooks.rules import health
from gastown_hooks.stores.lines import key_of


def by_id(text: bytes) -> dict[bytes, bytes]:
    """The lines by id, read no further than that."""
    return {key: line for line in text.split(b"\n") if line and (key := key_of(line)) is not None}


def parted(text: bytes, trusted: set[bytes]) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """The beads' ids and lines, and the lines that are none. One that is `trusted` was read before, and is read no further than its id."""
    beads, damaged = [], []
    for line in text.split(b"\n"):
        if not line.strip():
            continue
        try:
            beads.append(((line in trusted and key_of(line)) or _sound(line), line))
        except ValueError:
            damaged.append(line)
    return beads, damaged


def _sound(line: bytes) -> bytes:
    found = record.decode(line)
    if health.faults(found):
        raise ValueError
    return str(found["id"]).encode()


def joined(beads: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The file of these ids and lines."""
    return b"".join(line + b"\n" for _, line in sorted(beads))


def count(one: bytes, other: bytes) -> int:
    """How many beads of the one are not so in the other."""
    there = by_id(other)
    return sum(there.get(key) != line for key, line in by_id(one).items())
