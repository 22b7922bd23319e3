#!/usr/bin/env python3
"""Every figure in one Markdown table, as the README has it: bench/table.py [PART…] [--write]

PARTs: speed, town, tracker, latency, workers, queue, scale; all of them when none is named. `--write` keeps what was measured in
figures.json beside this file and puts the table of all parts into README.md between its two marks. Goals are for a machine that does
nothing else.
A part that fails ends it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import ground

README = ground.ROOT / "README.md"
FIGURES = ground.ROOT / "bench/figures.json"
BEGIN, END = "<!-- figures: python bench/table.py --write -->", "<!-- end of figures -->"


def rows_of(text: str) -> list[ground.Row]:
    """What speed, town, latency and workers print with --json."""
    return [ground.row(one["what"], one["figure"], one["goal"]) for one in json.loads(text)]


def rows_of_tracker(text: str) -> list[ground.Row]:
    found = re.findall(r"^(\S.*?) +(\d+) ms +([\d.]+) x$", text, re.MULTILINE)
    return [ground.row(what, f"{ratio} x bare Python, {ms} ms") for what, ms, ratio in found if not what.startswith("python ")]


def rows_of_queue(text: str) -> list[ground.Row]:
    return [ground.row(f"{one['what']} ({one['goal']})", f"{one['figure']:g}", f"{one['limit']:g}") for one in json.loads(text)["rows"]]


COUNTED = ("M2", "M3", "M4", "M6", "M15")  # gate runs: the same on a machine that is busy, unlike the times of M17
PARTS: dict[str, tuple[list[str], Callable[[str], list[ground.Row]]]] = {
    "speed": (["speed.py", "--json"], rows_of),
    "town": (["town.py", "--json"], rows_of),
    "tracker": (["tracker.py"], rows_of_tracker),
    "latency": (["latency.py", "--json"], rows_of),
    "workers": (["workers.py", "--json"], rows_of),
    "queue": (["merge_queue.py", "--json", *chain.from_iterable(("--goal", goal) for goal in COUNTED)], rows_of_queue),
    "scale": (["merge_queue.py", "--json", "--goal", "M17"], rows_of_queue),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"no part {unknown[0]}; known: {', '.join(PARTS)}")
    found: dict[str, list[ground.Row]] = json.loads(FIGURES.read_text(encoding="utf-8")) if options.parts and options.write else {}
    for part in options.parts or PARTS:
        command, rows = PARTS[part]
        print(f"{part}: bench/{' '.join(command)}", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, *command], cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode not in (0, 1) or not done.stdout:  # 1: a goal was missed
            raise SystemExit(f"{part} failed")
        found[part] = rows(done.stdout)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores.")
    print(table_of(found))
    if options.write:
        FIGURES.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        README.write_text(with_figures(README.read_text(encoding="utf-8"), table_of(found)), encoding="utf-8")


def table_of(found: dict[str, list[ground.Row]]) -> str:
    return ground.table(row for part in PARTS for row in found.get(part, []))


def with_figures(readme: str, text: str) -> str:
    """The README with this table between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"README.md has no section between {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}\n{mark}{after}"


if __name__ == "__main__":
    main()
