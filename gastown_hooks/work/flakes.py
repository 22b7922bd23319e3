"""The registry of flakes: gate runs that failed and then passed on the same tree, `refinery/flakes.jsonl`, one line each.

A line: {at, commit, tree, reason, name, tests}; `tests` are the tests that the failing run named, where its output has a form that
rules/failed_tests knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gastown_hooks.core import clock, fsio, lock
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
else:
    json = late("json")


def note(rig: Rig, entry: dict[str, str], tests: Sequence[str], now: int) -> None:
    """One more flake; `tests` are those that the failing run named."""
    events.emit(rig.town, "gate_flake", f"{rig.name}/refinery", dict(entry), now)
    line = {"at": clock.stamp(now), **entry, "tests": list(tests)}
    with lock.acquire(rig.lock("flakes")):
        fsio.append(rig.refinery.flakes, json.dumps(line, separators=(",", ":")).encode() + b"\n")


def listing(rig: Rig) -> list[dict[str, Any]]:
    """What flaked, most often first: {test, count, last, trees}. Where no test was named, the gate's command stands for it."""
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(fsio.whole_lines(fsio.read(rig.refinery.flakes) or b""), 1):
        try:
            entry = json.loads(line)
            for test in entry["tests"] or [entry["reason"]]:
                known = found.setdefault(str(test), {"test": str(test), "count": 0, "last": "", "trees": []})
                known["count"] += 1
                known["last"] = max(known["last"], str(entry["at"]))
                known["trees"] = sorted({*known["trees"], str(entry["tree"])})
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{rig.refinery.flakes} line {number}", why=str(error), next="mend or remove that line") from None
    return sorted(found.values(), key=lambda one: (-one["count"], one["test"]))
