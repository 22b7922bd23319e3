"""Every scenario by name."""

from __future__ import annotations

from crash import atomic, convoys, rarer, refinery, storage, trackers, verbs
from crash.engine import Scenario

ALL: dict[str, Scenario] = {scenario.name: scenario for scenario in [
    *storage.SCENARIOS, *verbs.SCENARIOS, *refinery.SCENARIOS, *convoys.SCENARIOS, *trackers.SCENARIOS, *atomic.SCENARIOS,
    *rarer.SCENARIOS]}
