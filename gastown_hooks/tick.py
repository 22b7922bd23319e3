"""The one-shot that cron starts: wakes the roles that are due, folds ledgers, writes down that it ran. Nothing waits here.

Each phase is isolated: its failure is recorded in `daemon/last_tick.json` and the others still run. A tick that finds another one running
ends at once. Where wakes are off or inline (tests), the rounds run inside the tick.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gastown_hooks.core import clock, errors, fsio, lock
from gastown_hooks.core.errors import BadInput, Corrupt, GastownError
from gastown_hooks.core.paths import Rig, Town, town_at
from gastown_hooks.rules import requests
from gastown_hooks.stores import callers, config, git, index, known
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import wake

LIMIT = 60
LOG_BYTES = 8 << 20


class Tick:
    """One run. `due` maps a phase to when it last ran, on the boot clock; `done` and `failed` are for the record."""

    def __init__(self, town: Town, before: dict[str, Any]) -> None:
        self.town, self.clock = town, clock.since_boot()
        same_boot = before.get("boot_id") == clock.boot_id()
        self.due: dict[str, int] = {k: v for k, v in before.get("ran", {}).items() if isinstance(v, int)} if same_boot else {}
        self.done: list[str] = []
        self.failed: dict[str, str] = {}

    def phase(self, name: str, every: float, do: Callable[[], object], *, wanted: bool = False) -> None:
        """Run a phase when its time has come (or it is wanted); a failure is its own."""
        if not wanted and self.clock - self.due.get(name, -(1 << 62)) < every * clock.SECOND:
            return
        try:
            do()
            self.done.append(name)
            self.due[name] = self.clock
        except (GastownError, OSError) as error:
            self.failed[name] = str(error)


def tick(town: Town) -> dict[str, Any] | None:
    """One tick; what it did, or None when another one runs."""
    held = lock.attempt(town.lock("tick"))
    if held is None:
        return None
    with held:
        begun = time.monotonic()
        this = Tick(town, _before(town))
        _phases(this)
        report = {"at": clock.stamp(clock.now()), "boot_id": clock.boot_id(), "since_boot": this.clock, "pid": os.getpid(),
                  "seconds": round(time.monotonic() - begun, 3), "done": this.done, "failed": this.failed, "ran": this.due}
        fsio.make_folder(os.path.dirname(town.last_tick))
        fsio.write_json(town.last_tick, report, durable=False)
        return report


def _phases(this: Tick) -> None:
    town = this.town
    settings = config.town_settings(town)
    # A cron that comes every three minutes must not miss a beat because it came a little early.
    slack = 5.0
    for rig in town.rigs():
        this.phase(f"{rig.name}.witness", settings.witness_seconds - slack, partial(_round, town, "witness", rig))
        this.phase(f"{rig.name}.refinery", settings.refinery_seconds - slack, partial(_round, town, "refinery", rig),
                   wanted=_has_queue(this, rig))
    this.phase("deacon", settings.deacon_seconds - slack, partial(_round, town, "deacon"), wanted=wake.is_dirty(town, "deacon"))
    this.phase("fold", settings.fold_seconds - slack, lambda: _fold(town))
    this.phase("log", 3600, lambda: _turn_log(town))
    for rig in town.rigs():
        this.phase(f"{rig.name}.pack", 3600, partial(git.pack, rig.repo))


def _round(town: Town, role: str, rig: Rig | None = None) -> None:
    key = rig.name if rig else None
    wake.ask(town, role, key)
    wake.start_round(town, role, key, wait=callers.wake_mode() != "spawn")


def _has_queue(this: Tick, rig: Rig) -> bool:
    try:
        return requests.has_work(known.kept(Ledger(rig.beads)))
    except GastownError as error:
        this.failed[f"{rig.name}.queue"] = str(error)
        return True  # unreadable is not empty: the refinery looks and says so


def _fold(town: Town) -> None:
    failed = []
    for beads in {beads.root: beads for beads in Routes(town).prefixes().values()}.values():
        try:
            ledger = Ledger(beads)
            # No reader pays for it; and what is folded away unseen would make the index anew.
            index.current(ledger)
            if ledger.fold():
                index.current(ledger)
        except GastownError as error:
            failed.append(str(error))
    if failed:
        raise GastownError("; ".join(failed))


def _turn_log(town: Town) -> None:
    """Keep one old daemon.log beside the present one."""
    if os.path.exists(town.daemon_log) and os.path.getsize(town.daemon_log) > LOG_BYTES:
        fsio.rename(town.daemon_log, town.old_daemon_log)


def _before(town: Town) -> dict[str, Any]:
    try:
        value = fsio.read_json(town.last_tick)
    except Corrupt:
        return {}  # then everything is due
    return value if isinstance(value, dict) else {}


def main(argv: list[str]) -> int:
    """`python -m gastown_hooks.tick --town DIR`, as the cron line has it."""
    return errors.handled("gt daemon tick", lambda: _main(argv))


def _main(argv: list[str]) -> int:
    if len(argv) != 2 or argv[0] != "--town":
        raise BadInput("usage: python -m gastown_hooks.tick --town DIR")
    signal.alarm(LIMIT)  # a tick that hangs (a dead disk) must not be there when the next ones come
    report = tick(town_at(argv[1]))
    if report is not None:
        for phase, why in report["failed"].items():
            print(f"{report['at'][:19]}Z tick: {phase}: {why}", flush=True)
    return 0 if report is None or not report["failed"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
