"""Five writers that are wrong on purpose. The harness is worth its name only if it catches each of them.

`apply(name)` swaps one function of the product inside the process under test; a command line gets it through
`broken_site/sitecustomize.py` and the variable CRASH_BROKEN. The product itself knows nothing of this.
"""

from __future__ import annotations

import os


def no_heal() -> None:
    """Appends behind a dead writer's torn tail."""
    from gastown_hooks.core import fsio

    fsio._heal = lambda fd: os.fstat(fd).st_size


def journal_first() -> None:
    """A fold that swaps the journal before the file which it continues."""
    from gastown_hooks.core import fsio

    swap = fsio.swap
    held: list[tuple[str, str]] = []

    def late(temporary: str, path: str) -> None:
        if path.endswith("issues.jsonl"):
            held.append((temporary, path))
            return
        swap(temporary, path)
        while held:
            swap(*held.pop())

    fsio.swap = late


VARIANTS = {"no_heal": no_heal, "journal_first": journal_first}


def apply(name: str) -> None:
    VARIANTS[name]()
