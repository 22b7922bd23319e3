"""The kill matrix by hand: `python bench/crash.py --all`, or one scenario, one mode, one call.

Builds the shim into a temporary folder, runs each scenario in a process of its own (`--jobs` at a time), prints the points and
every violation with the line that shows it again. Exit code 1 when there was one.
"""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests")]

engine, harness = import_module("crash.engine"), import_module("crash.harness")  # tests/crash; this file has the same name


def main() -> int:
    options = harness.parser()
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    known, _ = options.parse_known_args()
    passed = [word for word in sys.argv[1:] if word not in ("--json", "--list")]
    if known.seed is None:
        passed += ["--seed", str(harness.plan_of(known).seed)]
    with tempfile.TemporaryDirectory(prefix="gt-crash-shim-") as folder:
        shim = engine.build_shim(folder)
        if shim is None:
            print("no C compiler here: the shim cannot be built", file=sys.stderr)
            return 2
        names = known.only or harness.names(shim)
        if known.list:
            print("\n".join(names))
            return 0
        return run(shim, names, without(passed, "--only", "--jobs"), known.jobs)


def without(words: list[str], *options: str) -> list[str]:
    """The words without these options and their values."""
    kept: list[str] = []
    skip = False
    for word in words:
        if not skip and word.partition("=")[0] not in options:
            kept.append(word)
        skip = not skip and word in options
    return kept


def run(shim: str, names: list[str], arguments: list[str], jobs: int) -> int:
    reports = []
    with ThreadPoolExecutor(jobs) as pool:
        for found, _ in pool.map(lambda name: harness.in_own_process(shim, ["--only", name, *arguments], 36000), names):
            for report in found:
                reports.append(report)
                print(report.line(), flush=True)
                for text in report.violations:
                    print("  " + text, flush=True)
    points, bad = sum(report.total() for report in reports), sum(len(report.violations) for report in reports)
    print(f"{len(reports)} scenarios, {points} points, {bad} violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
