#!/usr/bin/env python3
"""What the tracker's files cost: bench/tracker.py [--beads N] [--rounds N]

CPU time of whole processes (user and system, the best of the rounds) as a ratio to `python -I -S -c pass`: import and export of 3,000
beads, the merge driver on N (10,000) beads with 100 and 1,000 edits on each side, doctor, and a sync with and without changes (its git
processes included), also of 30 changed beads among 100,000.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests")]
ledgers: Any = import_module("ledgers")
speed: Any = import_module("speed")
json: Any = import_module("json")

_MANY = 100_000
LEAN = [os.path.realpath(sys.executable), "-I", "-S", "-c"]
BD = [sys.executable, "-c", f"import sys; sys.path.insert(0, {ROOT!r}); from gastown_hooks.front import bd; sys.exit(bd())"]


def cost(words: list[str], cwd: str, rounds: int, before: Callable[[], object] = lambda: None) -> float:
    """Seconds of CPU of the process and its children, the best of the rounds."""
    best = float("inf")
    for _ in range(rounds):
        before()
        start = getrusage(RUSAGE_CHILDREN)
        subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = getrusage(RUSAGE_CHILDREN)
        best = min(best, end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
    return best


def ordinary(count: int) -> dict[str, Any]:
    """Beads of ordinary size, by id: a kilobyte each, as in the published ledgers."""
    beads = map(json.loads, ledgers.generated(count * 10 // 11).splitlines())
    return {bead["id"]: {key: value for key, value in bead.items() if key != "comments"} | {"notes": "n" * 700} for bead in beads}


def versions(count: int, edits: int, folder: str) -> list[str]:
    """Base, ours and theirs as files: the paths."""
    base = ordinary(count)
    paths = []
    for name, seed in (("base", 0), ("ours", 1), ("theirs", 2)):
        beads, clone = dict(base), ledgers.Edits(name, seed)
        for _ in range(edits if seed else 0):
            bead = clone.one({one: beads[one] for one in clone.chance.sample(sorted(base), 20)})
            beads[bead["id"]] = bead
        paths.append(f"{folder}/{name}")
        with open(paths[-1], "wb") as file:
            file.write(ledgers.text(list(beads.values())))
    return paths


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--beads", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=5)
    known = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="bd-bench-") as place:
        for words in (["init", "-q", "--bare", "remote.git"],
                      ["init", "-q", "-b", "main", "one"], ["-C", "one", "remote", "add", "origin", "../remote.git"]):
            subprocess.run(["git", *words], cwd=place, check=True)
        one = f"{place}/one"
        speed.write_programs(place)
        bare = cost([*LEAN, "pass"], place, 3 * known.rounds)

        def tell(what: str, seconds: float) -> None:
            print(f"{what:<44} {seconds * 1000:8.0f} ms {seconds / bare:8.1f} x", flush=True)

        tell("python -I -S -c pass", bare)
        for edits in (100, 1000):
            base, ours, theirs = versions(known.beads, edits, place)
            words = [f"{place}/bin/bd", "merge", base, f"{ours}.now", theirs, "x"]
            seconds = cost(words, place, known.rounds, partial(shutil.copy, ours, f"{ours}.now"))
            tell(f"bd merge, {known.beads} beads, {edits} edits a side", seconds)
        with open(f"{place}/in.jsonl", "wb") as file:
            file.write(ledgers.text(list(ordinary(3000).values())))
        again = [sys.executable, "-c", "import shutil; shutil.rmtree('.beads', True)"]
        init = [*BD, "init", "-q", "--own-branch", "--prefix", "bd"]
        tell("bd import, 3000 beads", cost([*BD, "import", "../in.jsonl"], one, known.rounds, lambda: [
            subprocess.run(words, cwd=one, check=True) for words in (again, init)]))
        tell("bd export, 3000 beads", cost([*BD, "export"], one, known.rounds))
        tell("bd doctor, 3000 beads", cost([*BD, "doctor"], one, known.rounds))
        subprocess.run([*BD, "sync", "--push"], cwd=one, check=True, stdout=subprocess.DEVNULL)
        tell("bd sync, nothing to do", cost([*BD, "sync"], one, known.rounds))
        tell("bd sync, one bead changed", cost([*BD, "sync"], one, known.rounds, lambda: subprocess.run(
            [*BD, "create", "One"], cwd=one, check=True, stdout=subprocess.DEVNULL)))
        big = f"{place}/big"
        subprocess.run(["git", "init", "-q", "-b", "main", big], check=True)
        subprocess.run([*BD, "init", "-q", "--own-branch", "--prefix", "hq"], cwd=big, check=True)
        beads = sorted(speed.beads(_MANY, seed=1), key=lambda bead: bead["id"])
        speed.fsio.write(f"{big}/.beads/issues.jsonl", b"".join(speed.record.encode(bead) + b"\n" for bead in beads))
        subprocess.run([*BD, "sync"], cwd=big, check=True, stdout=subprocess.DEVNULL)
        ledger = speed.Ledger(speed.paths.Beads(f"{big}/.beads"))

        def change() -> None:
            chosen = random.sample(beads, 30)
            ledger.transact(lambda view: [{**(view.get(bead["id"]) or bead), "notes": str(random.random())} for bead in chosen])
        tell(f"bd sync, 30 of {_MANY} beads changed", cost([*BD, "sync"], big, known.rounds, change))


if __name__ == "__main__":
    main()
