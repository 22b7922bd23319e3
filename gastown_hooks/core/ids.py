"""Names and ids: one validator each, ASCII only, and how new ids are made.

A bead id is `<prefix>-<base36>` with dotted parts for children (`gp-abc12.3`); the ecosystem also mints ids such as
`gt-gastown-polecat-toast` and `hq-cv-abc12`, so what follows the first hyphen may hold hyphens.
"""

from __future__ import annotations

from gastown_hooks.core import errors
from gastown_hooks.core.late import late
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gastown_hooks.core import digest
else:
    digest = late("gastown_hooks.core.digest")

LOWER = frozenset("abcdefghijklmnopqrstuvwxyz")
DIGITS = frozenset("0123456789")
_NAME = LOWER | DIGITS | frozenset("-_")
_ID_TAIL = LOWER | DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.")
_ACTOR = _ID_TAIL | frozenset("/@+")
# Folders of the town and of a rig, and words that commands give a meaning: nobody's name.
RESERVED = frozenset((
    "mayor", "deacon", "witness", "refinery", "crew", "polecats", "polecat", "overseer", "settings", "daemon", "rescued",
    "dogs", "boot", "logs", "roles", "all", "town", "hq", "con", "nul", "prn", "aux"))
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
MIN_LENGTH = 5


def name(text: str, what: str) -> str:
    """A rig's, worker's or agent's name: a letter, then letters, digits, `-`, `_`; at most 32. Raises BadInput."""
    if not text or len(text) > 32 or text[0] not in LOWER or not _NAME.issuperset(text) or text in RESERVED:
        why = "it is reserved" if text in RESERVED else "use a lower-case letter, then letters, digits, - or _, at most 32"
        raise errors.BadInput(f"{shown(text)} is no {what} name", why=why)
    return text


def prefix(text: str) -> str:
    """A bead prefix without its hyphen: a letter, then letters, digits, hyphens or underscores; at most 16."""
    if not text or len(text) > 16 or text[0] not in LOWER or text[-1] in "-_" or not (LOWER | DIGITS | {"-", "_"}).issuperset(text):
        raise errors.BadInput(f"{shown(text)} is no bead prefix", why="a lower-case letter, then letters, digits, - or _, at most 16")
    return text


def bead(text: str) -> str:
    """A bead id. Raises BadInput."""
    head, hyphen, tail = text.partition("-")
    if (not hyphen or not head or not tail or len(text) > 96 or head[0] not in LOWER
            or not (LOWER | DIGITS | {"_"}).issuperset(head) or not _ID_TAIL.issuperset(tail)
            or tail[0] == "-" or ".." in tail or tail[-1] in ".-"):
        raise errors.BadInput(f"{shown(text)} is no bead id", why="ids look like gp-abc12 or gp-abc12.3", next="bd list")
    return text


def actor(text: str) -> str:
    """An identity such as `overseer` or `gp/polecats/toast`: slash-separated parts. Raises BadInput."""
    if not text or len(text) > 128 or not _ACTOR.issuperset(text) or any(
            part in ("", ".", "..") or part[0] == "-" for part in text.split("/")):
        raise errors.BadInput(f"{shown(text)} is no identity", why="identities look like mayor or rig/polecats/name")
    return text


def shown(text: str, limit: int = 60) -> str:
    """Untrusted text made safe for one line of a terminal: escaped, cut, quoted when it needs it."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() if ord(c) < 0xD800 or ord(c) > 0xDFFF
                   else f"\\u{ord(c):04x}" for c in cut)
    return safe if safe and safe == text and " " not in safe else f"'{safe}'"


def nearest(word: str, known: list[str]) -> str:
    """The known word with the fewest edits between (Levenshtein), for "did you mean"."""
    return min(known, key=lambda other: (_edits(word, other), other), default="")


def close(word: str, known: list[str]) -> list[str]:
    """Up to three known words that a slip of the hand makes into this one: about every third letter may differ."""
    near = sorted((edits, other) for other in known
                  if abs(len(other) - len(word)) <= len(word) // 3 and (edits := _edits(word, other)) <= max(1, len(word) // 3))
    return [other for _, other in near[:3]]


def _edits(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one[:64], 1):
        row, before = [i], row
        for j, b in enumerate(other, 1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (a != b)))
    return row[-1]


def base36(data: bytes, length: int) -> str:
    """The last `length` base-36 digits of the big-endian number in `data`."""
    number, digits = int.from_bytes(data, "big"), []
    for _ in range(length):
        number, digit = divmod(number, 36)
        digits.append(BASE36[digit])
    return "".join(reversed(digits))


def length_for(count: int) -> int:
    """Digits for a new id beside `count` others: at least 5, and a chance of meeting one of at most 0.1 %."""
    length = MIN_LENGTH
    while count * 1000 > 36 ** length:
        length += 1
    return length


def mint(bead_prefix: str, count: int, taken: Callable[[str], bool]) -> str:
    """A new random id `<prefix>-<base36>` for which `taken` is false. Call it under the ledger's lock."""
    length = length_for(count)
    while True:
        found = f"{bead_prefix}-{base36(os.urandom(8), length)}"
        if not taken(found):
            return found


def derived(bead_prefix: str, *parts: str, length: int = 8) -> str:
    """An id that the same parts always give, so that a repeated act finds what it made before."""
    return f"{bead_prefix}-{base36(digest.sha256(chr(0).join(parts).encode()).digest(), length)}"


def prefix_of(bead_id: str, known: Iterable[str]) -> str | None:
    """The longest known prefix that the id starts with."""
    fitting = [p for p in known if bead_id.startswith(p + "-")]
    return max(fitting, key=len) if fitting else None


def local_part(bead_id: str, bead_prefix: str) -> str:
    """The id without its prefix, as branch names hold it."""
    return bead_id.removeprefix(bead_prefix + "-")
