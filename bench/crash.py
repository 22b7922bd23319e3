"""The kill matrix by hand: `python bench/crash.py --all`, `python bench/crash.py queue`, or one mode, one call.

Builds the shim into a temporary folder, runs each scenario in processes of its own (`--jobs` at a time; a long one in as many
parts), prints every violation with the line that shows it again, and at the end a table of the points. A scenario named without
`--only` is run in full, as by `--all`. Exit code 1 when there was a violation.
"""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from statistics import median
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests")]

engine, harness = import_module("crash.engine"), import_module("crash.harness")  # tests/crash; this file has the same name
SPLIT = ("queue", "refinery", "refinery-race", "sling-to-landed", "sling-three", "rig-add", "done")  # long ones
COLUMNS = [*engine.NAMES[1:], "double"]


def main() -> int:
    options = harness.parser()
    options.add_argument("names", nargs="*", metavar="NAME", help="these scenarios, in full")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    known = options.parse_args()
    passed = without([word for word in sys.argv[1:] if word not in ("--json", "--list", "--all", *known.names)], "--only", "--jobs")
    if known.all or known.names:
        passed.append("--all")
    if known.seed is None:
        passed += ["--seed", str(harness.plan_of(known).seed)]
    with tempfile.TemporaryDirectory(prefix="gt-crash-shim-") as folder:
        shim = engine.build_shim(folder)
        if shim is None:
            print("no C compiler here: the shim cannot be built", file=sys.stderr)
            return 2
        names = known.names or known.only or harness.names(shim)
        if known.list:
            print("\n".join(names))
            return 0
        return run(shim, names, passed, known.jobs)


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
    parts = jobs if "--all" in arguments and "--shard" not in arguments else 1
    tasks = [["--only", name, *(["--shard", f"{part}/{parts}"] if parts > 1 and name in SPLIT else [])]
             for name in names for part in range(parts if name in SPLIT else 1)]
    reports: dict[str, Any] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for found, _ in pool.map(lambda task: harness.in_own_process(shim, [*task, *arguments], 36000), tasks):
            for report in found:
                reports[report.name] = report.joined(reports.get(report.name))
                print(report.line(), flush=True)
                for text in report.violations:
                    print("  " + text, flush=True)
    print(table(list(reports.values())))
    return 1 if any(report.violations for report in reports.values()) else 0


def table(reports: list[Any]) -> str:
    """Points for each scenario and way to break it, then how long running it again took, and what that cost."""
    rows = [["scenario", "calls", *COLUMNS, "points", "violations", "run again", "longest", "gate runs"]]
    for report in reports:
        again = sorted(seconds for seconds, _ in report.recoveries) or [0.0]
        rows.append([report.name, str(report.calls), *(str(report.points.get(name, 0)) for name in COLUMNS), str(report.total()),
                     str(len(report.violations)), f"{median(again):.2f} s", f"{again[-1]:.2f} s",
                     f"{report.effort} +{report.extra}" if report.effort else ""])
    sums = [sum(int(row[column]) for row in rows[1:]) for column in range(2, len(COLUMNS) + 4)]
    rows.append([f"{len(reports)} scenarios", "", *map(str, sums), "", "", ""])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) if number else cell.ljust(width)
                               for number, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows)


if __name__ == "__main__":
    sys.exit(main())
