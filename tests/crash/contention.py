"""Thirty writers of one ledger at once: `contention.py FOLDER WRITERS SECONDS` prints each writer's acknowledged writes.

Each write adds one to a counter in one of five hot beads; what was acknowledged must be in the sum.
"""

from __future__ import annotations

import json
import os
import sys
import time

from gastown_hooks.core import paths
from gastown_hooks.stores.ledger import Ledger, View

HOT = 5


def bead(view: View, name: str) -> dict[str, object]:
    found = view.get(name) or {"id": name, "title": name, "priority": 2, "created_at": "", "updated_at": "", "count": 0}
    return {**found, "count": found["count"] + 1}


def writer(folder: str, number: int, until: float) -> int:
    done = 0
    while time.monotonic() < until:
        name = f"gp-hot{(number + done) % HOT}"
        Ledger(paths.Beads(folder)).transact(lambda view, name=name: [bead(view, name)])
        done += 1
        if done % 100 == 50:
            Ledger(paths.Beads(folder)).fold()
    return done


def main() -> None:
    folder, writers, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    start = time.monotonic() + 0.3
    pipes = []
    for number in range(writers):
        read, write = os.pipe()
        if os.fork() == 0:
            time.sleep(max(0.0, start - time.monotonic()))
            os.write(write, str(writer(folder, number, start + seconds)).encode())
            os._exit(0)
        os.close(write)
        pipes.append(read)
    counts = []
    for read in pipes:
        with os.fdopen(read) as file:
            counts.append(int(file.read() or -1))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
