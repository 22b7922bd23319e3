#!/usr/bin/env python3
"""Many workers at once: bench/workers.py [-n N] [--json]

N beads slung at once to one rig whose workers are the embedded agent. Each changes a file of its own, then waits until all N are at
work at the same time; then all submit, and everything lands through one merge queue. Memory is what the kernel counts as a process's
share (PSS), when all are at work: the process of ours that stays with a worker (its runner), and all processes of a worker together.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import ground


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("-n", dest="number", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        town = ground.town(Path(folder), 100)
        try:
            rows = measure(town, Path(folder), options.number)
        finally:
            town.gt("down")
    ground.show(rows, options.json)


def measure(town: ground.Town, folder: Path, number: int) -> list[ground.Row]:
    town.gt("config", "set", "gp.max_workers", str(number))
    go, there = folder / "go", folder / "there"
    there.mkdir()
    beads = [town.bead(f"Change {n}", f"echo {n} > work{n}.txt && git add -A && git commit -qm 'Change {n}' && touch {there}/{n}\n"
                                      f"until [ -e {go} ]; do sleep 1; done") for n in range(number)]
    begun = time.monotonic()
    for bead in beads:
        town.gt("sling", bead, "gp")
    wait(town, lambda: len(os.listdir(there)) == number, "all at work")
    at_work = time.monotonic() - begun
    runner, worker = memory(town, number)
    go.touch()
    wait(town, lambda: ground.closed(town, beads), "all landed")
    whole = time.monotonic() - begun
    return [ground.row(f"{number} workers at once: all at work, all landed", f"{at_work:.0f} s, {whole:.0f} s", "completes"),
            ground.row("memory of a worker's runner (median)", f"{runner:.1f} MB", "4 MB"),
            ground.row("memory of a worker: runner, agent, shell", f"{worker:.1f} MB", "12 MB")]


def wait(town: ground.Town, holds: ground.Condition, what: str) -> None:
    deadline = time.monotonic() + 1200
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"not {what} in twenty minutes\n{town.log()}")
        town.tick()
        time.sleep(1)


def memory(town: ground.Town, number: int) -> tuple[float, float]:
    """MB of a runner (whose heartbeat names it), and of all of a worker's processes."""
    runners = {json.loads(path.read_text())["pid"] for path in Path(town.rig.polecats).glob("*/heartbeat.json")}
    shares = {pid: share for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if (share := _share(pid, town, pid in runners))}
    return statistics.median(shares.get(pid, 0) for pid in runners) / 1024, sum(shares.values()) / 1024 / number


def _share(pid: int, town: ground.Town, is_runner: bool) -> int:
    """kB of a process's memory that count for it; 0 for one that is no worker's, or gone."""
    try:
        if is_runner or os.readlink(f"/proc/{pid}/cwd").startswith(town.rig.polecats):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except OSError:
        pass
    return 0


if __name__ == "__main__":
    main()
