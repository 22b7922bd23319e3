"""How many requests are tested together, and which prefix of a red stack is tested next. Pure; work/land acts on it.

The rate of bad requests is a Beta(0.5, 9.5) estimate that forgets with a half-life of 50 requests. The stack is as long as costs
the fewest gate runs for each request that it settles. A red stack is searched for its shortest red prefix: every green prefix
lands at once, the request that makes a prefix red is the culprit, what stands behind it is stacked anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

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
        """With one more result. A pass of the prefix that was red (a confirming run) takes the red back."""
        if not passed:
            return Search(self.size, self.green, prefix)
        return Search(self.size, prefix, self.red if self.red is not None and self.red > prefix else None)


def next_probe(search: Search, rate: float) -> tuple[str, int]:
    """(PROBE, the prefix to test next), (CULPRIT, the position, from 1, of the request to blame) or (DONE, 0)."""
    if search.red is None:
        return (DONE, 0) if search.green == search.size else (PROBE, search.size)
    if search.red == search.green + 1:
        return CULPRIT, search.red
    return PROBE, search.green + _split(search.red - search.green, _bounded(rate))


def stack_size(rate: float, limit: int = LONGEST) -> int:
    """How many requests to stack: the fewest expected gate runs for each request that is settled."""
    return 1 if rate > ALONE_ABOVE else min(limit, _best(round(_bounded(rate), 4)))


def _bounded(rate: float) -> float:
    return min(max(rate, 0.0005), 0.9995)


def _split(length: int, rate: float) -> int:
    """Where to cut a prefix of this length that holds a bad one: the first bad one is as likely before as behind."""
    passing = 1 - rate
    middle = math.log((1 + passing ** length) / 2) / math.log(passing)
    return min(max(round(middle), 1), length - 1)


@cache
def _best(rate: float) -> int:
    search = _search_costs(rate)
    passing = 1 - rate

    def cost(size: int) -> float:
        green = passing ** size
        settled = size * green + sum(n * passing ** (n - 1) * rate for n in range(1, size + 1))
        return (1 + (1 - green) * search[size]) / settled

    return min(range(1, LONGEST + 1), key=cost)


def _search_costs(rate: float) -> list[float]:
    """Expected probes that find the first bad one among n of which one is bad."""
    passing, costs = 1 - rate, [0.0, 0.0]
    for length in range(2, LONGEST + 1):
        cut = _split(length, rate)
        before = (1 - passing ** cut) / (1 - passing ** length)
        costs.append(1 + before * costs[cut] + (1 - before) * costs[length - cut])
    return costs
