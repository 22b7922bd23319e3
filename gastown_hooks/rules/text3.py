"""Three-way merge of texts, line by line. Symmetric: the two sides may change places."""

from __future__ import annotations

# Above this many compared pairs of lines the middle is taken as one changed block: a merge must not take seconds.
_LIMIT = 1_000_000

TYPE_CHECKING = False
if TYPE_CHECKING:
    Hunk = tuple[int, int, list[str]]


def merge(base: str, one: str, other: str) -> str | None:
    """Both sides' changes together; None when they touch the same lines differently."""
    lines = base.split("\n")
    hunks = sorted(hunk for side in (one, other) for hunk in changes(lines, side.split("\n")))
    result: list[str] = []
    at, last = 0, None
    for hunk in hunks:
        start, end, new = hunk
        if hunk == last:
            continue  # the same change on both sides
        if last is not None and start <= last[1]:
            return None
        result += lines[at:start] + new
        at, last = end, hunk
    return "\n".join(result + lines[at:])


def appended(base: str, one: str, other: str) -> str | None:
    """For texts that grow at the end: base, then what each side added, `one` first. None when a side did more than append.

    A side whose addition stands in the other's whole, as lines of their own, was merged into it before.
    """
    if not (one.startswith(base) and other.startswith(base)):
        return None
    grown, added = (f"\n{side[len(base):]}\n" for side in (one, other))
    if one.startswith(other) or other.startswith(one) or added in grown or grown in added:
        return max(one, other, key=len)
    added = other[len(base):]
    between = "" if one.endswith("\n") or added.startswith("\n") or not one else "\n"
    return one + between + added


def changes(old: list[str], new: list[str]) -> list[Hunk]:
    """The changed blocks: (start, end) in `old`, and the lines that stand there in `new`."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    a, b = old[head:len(old) - tail], new[head:len(new) - tail]
    if not a and not b:
        return []
    if not a or not b or len(a) * len(b) > _LIMIT:
        return [(head, head + len(a), b)]
    return _between(_matches(a, b), a, b, head)


def _between(matches: list[tuple[int, int]], a: list[str], b: list[str], offset: int) -> list[Hunk]:
    hunks: list[Hunk] = []
    i = j = 0
    for x, y in [*matches, (len(a), len(b))]:
        if x > i or y > j:
            hunks.append((offset + i, offset + x, b[j:y]))
        i, j = x + 1, y + 1
    return hunks


def _matches(a: list[str], b: list[str]) -> list[tuple[int, int]]:
    """The pairs of equal lines of a longest common subsequence."""
    lengths = [[0] * (len(b) + 1)]
    for line in reversed(a):
        below, row = lengths[-1], [0] * (len(b) + 1)
        for j in range(len(b) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if line == b[j] else max(below[j], row[j + 1])
        lengths.append(row)
    lengths.reverse()
    pairs, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs
