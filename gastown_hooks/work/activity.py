"""What happened, told together: the events of ledgers (`stores/audit`) and the acts of the town (`stores/events`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from gastown_hooks.core import clock, jsons
from gastown_hooks.core.paths import Town
from gastown_hooks.core.values import dataclass
from gastown_hooks.rules import audit as rules
from gastown_hooks.rules import filters
from gastown_hooks.stores import audit, events, interactions
from gastown_hooks.stores.ledger import Ledger

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: by whom (`*` stands for any part of the name), since when, about which beads (or those numbered below `root`), of which
    types, of which kind of `audit.symbol`; empty: all."""

    actor: str = ""
    since: int = 0
    beads: Collection[str] = ()
    types: Collection[str] = ()
    kind: str = ""
    root: str = ""

    def test(self) -> Callable[[Event], bool]:
        """Whether an event is one."""
        fits, oldest = filters.glob(self.actor), clock.stamp(self.since)
        return lambda event: ((not self.actor or fits(event["actor"])) and event["ts"] >= oldest
                              and (not self.beads or event["payload"].get("bead") in self.beads
                                   or (self.root != "" and str(event["payload"].get("bead")).startswith(self.root + ".")))
                              and (not self.types or event["type"] in self.types)
                              and (not self.kind or rules.symbol(event)[0] == self.kind))

    def holding(self) -> bytes:
        """What the line of each such event holds, as it is written."""
        if len(self.beads) == 1 and not self.root:
            return b'"bead":' + jsons.dumps_ascii(next(iter(self.beads))).encode()
        return b'"actor":' + jsons.dumps_ascii(self.actor).encode() if self.actor and "*" not in self.actor else b""


def recent(ledgers: Iterable[Ledger], town: Town | None, wanted: Wanted, limit: int) -> list[Event]:
    """The last `limit` (0: all) events of these ledgers, what agent programs told of themselves there, and the town's own acts, the oldest
    first."""
    sources: list[Iterator[Event]] = []
    for ledger in ledgers:
        sources.append(audit.look(ledger).backwards(wanted.since, wanted.holding()))
        if not wanted.types or set(wanted.types) & set(interactions.KINDS):
            sources.append(map(interactions.event, interactions.backwards(ledger.beads)))
    if town is not None:
        sources.append(events.backwards(town, wanted.since, wanted.holding()))
    return _in_order([event for source in sources for event in _newest(source, wanted.test(), limit)], limit)


class Follower:
    """The events of ledgers as they come. A look at a ledger that nobody wrote since reads nothing of it."""

    def __init__(self, ledgers: Sequence[Ledger], wanted: Wanted) -> None:
        self._ledgers, self._wanted, self._fits = ledgers, wanted, wanted.test()
        self._states = [audit.state(ledger.beads) for ledger in ledgers]
        self._looks = [audit.look(ledger) for ledger in ledgers]

    def last(self, limit: int) -> list[Event]:
        """The last so many (0: all) that happened before."""
        found = [event for look in self._looks for event in _newest(look.backwards(self._wanted.since, self._wanted.holding()),
                                                                    self._fits, limit)]
        return _in_order(found, limit)

    def new(self) -> list[Event]:
        """What happened since the last look."""
        found: list[Event] = []
        for place, ledger in enumerate(self._ledgers):
            state = audit.state(ledger.beads)
            if state != self._states[place]:
                before, self._looks[place], self._states[place] = self._looks[place], audit.look(ledger), state
                found += filter(self._fits, self._looks[place].after(before.count))
        return _in_order(found, 0)


def _newest(events: Iterator[Event], fits: Callable[[Event], bool], limit: int) -> list[Event]:
    return list(islice(filter(fits, events), limit or None))[::-1]


def _in_order(found: list[Event], limit: int) -> list[Event]:
    return sorted(found, key=lambda event: str(event["ts"]))[-limit if limit else 0:]
