"""Writes docs/exit-codes.md from core/errors: `python docs/generate.py`. The tests compare the two."""

from __future__ import annotations

import os

from gastown_hooks.core import errors, fsio

TARGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "exit-codes.md")
HEAD = """# Exit codes

Generated from `gastown_hooks/core/errors.py` by `python docs/generate.py`.

`gt` exits with the number in the first column; with `--json` the second column is the `code` of the error. `bd` keeps its
ecosystem's contract: 2 for wrong usage, 1 for any other failure (70 and 130 as below), and the finer `code` in its `--json` error.
Commands that agent programs call as session events never exit with 2 unless they mean "block".

| exit | code | meaning |
|---|---|---|
"""


def exit_codes() -> str:
    """The page's text."""
    rows = (f"| {number} | `{code}` | {' '.join(meaning.split())} |\n" for number, code, meaning in errors.exit_codes())
    return HEAD + "".join(rows)


if __name__ == "__main__":
    fsio.write(TARGET, exit_codes().encode(), mode=0o644)
