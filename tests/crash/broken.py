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


def no_swap() -> None:
    """A landing that pushes whatever is there now away."""
    from gastown_hooks.stores import git

    plain = git.push

    def forced(repo: str, oid: str, ref: str, **options: object) -> None:
        plain(repo, f"+{oid}" if oid else oid, ref, **options)

    git.push = forced


def close_first() -> None:
    """A landing that closes bead and request before the target has the commit."""
    from gastown_hooks.work import land, settle

    finish = land._finish

    def late(desk: object, intent: dict) -> None:
        for one in intent["requests"]:
            settle._close(desk, land.queue.find(desk.rig, one["mr"]), intent["new"], {})
        finish(desk, intent)

    land._finish = late


def remove_first() -> None:
    """A retire that removes the tree before it is saved."""
    from gastown_hooks.core import fsio
    from gastown_hooks.work import retire

    save = retire._save

    def late(rig: object, home: object, *rest: object) -> object:
        fsio.remove_tree(home.tree)
        return save(rig, home, *rest)

    retire._save = late


VARIANTS = {"no_heal": no_heal, "journal_first": journal_first, "no_swap": no_swap, "close_first": close_first,
            "remove_first": remove_first}


def apply(name: str) -> None:
    VARIANTS[name]()
