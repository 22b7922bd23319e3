#!/usr/bin/env python3
"""What a bead's way costs in a large ledger: bench/town.py [--beads 1000,100000] [--rounds N] [--json]

In a rig with so many beads (bench/speed.py): sling, done, the refinery's round that lands it, the witness's that retires the worker,
another worker removed, and both rounds with nothing to do. All real, and repeated with another bead each time. A figure is the
process's own CPU time as a multiple of `python -I -S -c pass`; what the git programs took that it started stands beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

import ground
import speed

from gastown_hooks.core import clock, data
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.rules import ready
from gastown_hooks.stores import known
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import lease, sling

LIMIT = 8  # of a command, and of a round that has nothing to do; what lands or retires does as much as it takes
SUBMIT = "echo {0} > f{0} && git add -A && git commit -qm 'Change {0}'"
Cost = tuple[float, float]  # seconds of CPU: its own, its children's


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--beads", default="1000,100000", help="sizes of the ledgers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = [int(word) for word in options.beads.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        speed._BIN = folder
        speed.write_programs(folder)
        places = {size: speed.make_rig(folder, size, claims=0) for size in sizes}
        found: dict[str, dict[int, list[Cost]]] = {}
        base: list[float] = []
        for _ in range(options.rounds):
            for size, place in places.items():
                base += [run([sys.executable, "-I", "-S", "-c", "pass"], place.root, {})[0] for _ in range(3)]
                for what, cost in round_of(folder, place):
                    found.setdefault(what, {}).setdefault(size, []).append(cost)
        rows = [row(what, {size: min(costs) for size, costs in by_size.items()}, min(base)) for what, by_size in found.items()]
    ground.show(rows, options.json)


def row(what: str, best: dict[int, Cost], base: float) -> ground.Row:
    sizes = sorted(best)
    (first, _), (last, git) = best[sizes[0]], best[sizes[-1]]
    return ground.row(f"{what}, {sizes[-1]:,} beads",
                      f"{last / base:.2f} x bare Python, {last / first:.2f} x that of {sizes[0]:,}; git {git / base:.1f} x",
                      "" if " that " in what else f"{LIMIT} x")


def round_of(folder: str, place: speed.Place) -> list[tuple[str, Cost]]:
    """One bead from sling to retired, another to nuked; each step and what it cost."""
    rig = Town(os.path.dirname(place.root)).rig("app")
    first, second = fresh(place), fresh(place)
    found = [("a refinery's round, nothing to do", role(folder, rig, "refinery")),
             ("a witness's round, nothing to do", role(folder, rig, "witness"))]
    home, cost = slung(folder, rig, first)
    found.append(("gt sling", cost))
    words = ["sh", "-c", SUBMIT.format(time.monotonic_ns())]
    environment = worker(rig, home)
    subprocess.run(words, cwd=home.tree, check=True, env={**os.environ, **environment})
    found.append(("gt done", run([f"{folder}/bin/gt", "done"], home.tree, environment)))
    found.append(("a refinery's round that lands one", role(folder, rig, "refinery")))
    found.append(("a witness's round that retires one", role(folder, rig, "witness")))
    home, _ = slung(folder, rig, second)
    found.append(("gt polecat nuke", run([f"{folder}/bin/gt", "polecat", "nuke", f"app/{home.name}", "--force"], place.root, {})))
    return found


def fresh(place: speed.Place) -> str:
    """A bead that nothing holds, taken out of the place's."""
    beads = known.beads(place.ledger)
    while True:
        name = place.names.pop()
        if not ready.explain(beads, name, clock.now()):
            return name


def slung(folder: str, rig: Rig, bead: str) -> tuple[Home, Cost]:
    cost = run([f"{folder}/bin/gt", "sling", bead, "app"], rig.root, {})
    return sling.worker_home(rig, known.beads(Ledger(rig.beads))[bead]), cost


def worker(rig: Rig, home: Home) -> dict[str, str]:
    held = lease.read(home)
    assert held is not None
    return sling.worker_environment(rig, held)


def role(folder: str, rig: Rig, name: str) -> Cost:
    """A round as a wake starts it in an installation."""
    words = ["patrol", "--town", rig.town.root, "--rig", rig.name]
    return run([sys.executable, "-IS", f"{folder}/bin/{data.ROLE}", f"{rig.root}/{name}/{name}.py", *words], rig.town.root, {})


def run(words: list[str], cwd: str, environment: dict[str, str]) -> Cost:
    """A failure ends the bench. Its own part by the scheduler's account, which the kernel keeps until it is waited for."""
    given = {"PATH": os.environ["PATH"], "HOME": speed._BIN, "LC_ALL": "C.UTF-8", "GT_WAKE": "off", "XDG_CONFIG_HOME": speed._BIN}
    os.chdir(cwd)
    files = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]
    pid = os.posix_spawn(words[0], words, given | environment, file_actions=files)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        own = int(file.read().split()[0]) / 1e9
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: status {status}")
    return own, max(0.0, usage.ru_utime + usage.ru_stime - own)


if __name__ == "__main__":
    main()
