"""How many requests are tested together, and which prefixes of the stack are tested next. Pure; work/land acts on it.

The rate of bad requests is a Beta(0.5, 9.5) estimate that forgets with a half-life of 50 requests. The stack is as long as costs
the fewest gate runs (with several gate slots: the least time) for each request that it settles. A red stack is searched for its
shortest red prefix: every green prefix lands at once, the request that makes a prefix red is the culprit, what stands behind it is
stacked anew. With several slots, prefixes are tested beforehand, so that a red stack is known to be green up to somewhere.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cache
from itertools import pairwise

from gastown_hooks.core.values import dataclass

PRIOR_BAD, PRIOR_GOOD = 0.5, 9.5
HALF_LIFE = 50
LONGEST = 64
ALONE_ABOVE = 0.3  # so many bad ones that testing together does not pay
PROBE, CULPRIT, DONE = "probe", "culprit", "done"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was seen of late, older results weighing less: requests that were bad, and that landed."""

    bad: float = 0.0
    good: float = 0.0

    @property
    def rate(self) -> float:
        """The probability that the next request is bad."""
        return (PRIOR_BAD + self.bad) / (PRIOR_BAD + PRIOR_GOOD + self.bad + self.good)

    def after(self, *, good: int = 0, bad: int = 0) -> Estimate:
        """With so many more results."""
        kept = 0.5 ** ((good + bad) / HALF_LIFE)
        return Estimate(self.bad * kept + bad, self.good * kept + good)


@dataclass(frozen=True, slots=True)
class Search:
    """A stack of `size` requests under test: the longest prefix that passed, and the shortest one known to fail."""

    size: int
    green: int = 0
    red: int | None = None

    def after(self, prefix: int, passed: bool) -> Search:
        """With one more result. A pass takes back what was red in it: a confirming run, or a shorter prefix that failed by chance."""
        if passed:
            return Search(self.size, max(self.green, prefix), self.red if self.red is not None and self.red > prefix else None)
        known = self.red is not None and self.red <= prefix
        return self if known or prefix <= self.green else Search(self.size, self.green, prefix)


def next_probes(search: Search, rate: float, slots: int = 1, running: Collection[int] = ()) -> tuple[str, list[int]]:
    """What to do now, with up to `slots` gates at once.

    (PROBE, prefixes): these should be under test; those of `running` that can still tell something, and new ones. (CULPRIT,
    [position]), from 1: the request to blame. (DONE, []): all passed.
    """
    if search.red is None:
        if search.green == search.size:
            return DONE, []
        kept = [prefix for prefix in running if prefix > search.green]
        return PROBE, sorted(kept) or _cuts([search.green, search.size], rate, slots - 1)[1:]
    if search.red == search.green + 1:
        return CULPRIT, [search.red]
    kept = [prefix for prefix in running if search.green < prefix < search.red]
    return PROBE, _cuts(sorted([search.green, *kept, search.red]), rate, slots - len(kept))[1:-1]


def stack_size(rate: float, slots: int = 1, limit: int = LONGEST) -> int:
    """How many requests to stack: the least expected time for each request that is settled."""
    return 1 if slots == 1 and rate > ALONE_ABOVE else min(limit, _best(round(_bounded(rate), 4), slots))


def _bounded(rate: float) -> float:
    return min(max(rate, 0.0005), 0.9995)


def _cuts(marks: list[int], rate: float, count: int) -> list[int]:
    """The marks and `count` more between them: each cuts the gap that most likely holds the first bad one in two likely halves."""
    passing = 1 - _bounded(rate)
    for _ in range(count):
        gaps = [(low, high) for low, high in pairwise(marks) if high - low > 1]
        if not gaps:
            break
        low, high = max(gaps, key=lambda gap: passing ** gap[0] - passing ** gap[1])
        marks = sorted([*marks, low + _split(high - low, 1 - passing)])
    return marks


def _split(length: int, rate: float) -> int:
    """Where to cut a prefix of this length that holds a bad one: the first bad one is as likely before as behind."""
    passing = 1 - rate
    middle = math.log((1 + passing ** length) / 2) / math.log(passing)
    return min(max(round(middle), 1), length - 1)


@cache
def _best(rate: float, slots: int) -> int:
    search = _search_costs(rate, slots)
    passing = 1 - rate

    def cost(size: int) -> float:
        settled = size * passing ** size + sum(n * passing ** (n - 1) * rate for n in range(1, size + 1))
        return (1 + _expected(search, _cuts([0, size], rate, slots - 1), passing)) / settled

    return min(range(1, LONGEST + 1), key=cost)


def _search_costs(rate: float, slots: int) -> list[float]:
    """Expected rounds of probes that find the first bad one among n of which one is bad."""
    passing, costs = 1 - rate, [0.0, 0.0]
    for length in range(2, LONGEST + 1):
        costs.append(1 + _expected(costs, _cuts([0, length], rate, slots), passing) / (1 - passing ** length))
    return costs


def _expected(costs: list[float], marks: list[int], passing: float) -> float:
    """What it costs to go on in the gap that holds the first bad one, weighed with how likely each gap does."""
    return sum((passing ** low - passing ** high) * costs[high - low] for low, high in pairwise(marks))
