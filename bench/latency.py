#!/usr/bin/env python3
"""How soon finished work is in the target branch: bench/latency.py [-n N] [--files N] [--json]

A real town with one rig, its gate `true`, its workers the embedded agent. N beads, one after the other; each is timed from the moment
its work ends (the commit is made, `gt done` follows) to the moment the target branch has moved. The first one warms the pool and
does not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import ground


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("-n", dest="number", type=int, default=20, help="beads that count")
    parser.add_argument("--files", type=int, default=1000, help="files of the repository")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        town = ground.town(Path(folder), options.files)
        try:
            took = [one(town, Path(folder), number) for number in range(options.number + 1)][1:]
        finally:
            town.gt("down")
    figure = f"{statistics.median(took):.2f} s (slowest {max(took):.2f} s)"
    ground.show([ground.row(f"from `gt done` to landed, {options.files} files, median of {options.number}", figure, "1 s")], options.json)


def one(town: ground.Town, folder: Path, number: int) -> float:
    """Seconds from the end of one bead's work to its landing."""
    ended = folder / f"ended{number}"
    work = f"echo {number} >> file{number}.txt && git add -A && git commit -qm 'Change {number}' && date +%s.%N > {ended}"
    bead = town.bead(f"Change {number}", work)
    before = town.tip()
    town.gt("sling", bead, "gp")
    target = f"{town.rig.repo}/refs/heads/main"
    deadline = time.monotonic() + 120
    while town.tip() == before:
        if time.monotonic() > deadline:
            raise SystemExit(f"{bead} did not land in two minutes\n{town.log()}")
        time.sleep(0.05)
    landed = os.stat(target).st_mtime  # git has just written it
    town.soon(lambda: town.is_closed(bead), 60)
    return landed - float(ended.read_text())


if __name__ == "__main__":
    main()
