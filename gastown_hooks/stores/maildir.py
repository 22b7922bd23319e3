"""A mailbox as folders and file names, which is all that counting takes. The letters are in stores/mail."""

from __future__ import annotations

from gastown_hooks.core.errors import Refused, storage
from gastown_hooks.core.system import os

FOLDERS = ("tmp", "new", "cur")
SEEN = "S"


def unread_count(mailbox: str) -> int:
    """How many letters nobody marked as seen. A missing mailbox is empty."""
    return len(names(f"{mailbox}/new")) + sum(SEEN not in flags(name) for name in names(f"{mailbox}/cur"))


def names(folder: str) -> list[str]:
    """The file names of a mailbox's folder, sorted. Raises Refused for a link."""
    if os.path.islink(folder):
        raise Refused(f"no mail is read from {folder}", why="it is a symbolic link", next="remove the link")
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise storage(folder, error) from error


def flags(name: str) -> str:
    """The flags in a letter's file name."""
    return name.partition(":2,")[2]


def seen(name: str) -> str:
    """The file name in `cur` of a letter that was read."""
    return f"{name.partition(':')[0]}:2,{''.join(sorted({*flags(name), SEEN}))}"
