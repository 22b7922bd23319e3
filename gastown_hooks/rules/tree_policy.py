"""What a change may not bring into the target branch, whatever its gates say: names and links that reach out of the tree.

Pure functions over the entries of a diff. A refusal is a sentence; names in it are escaped.
"""

from __future__ import annotations

import posixpath

from gastown_hooks.core.ids import shown
from gastown_hooks.core.values import dataclass

LINK, SUBMODULE = "120000", "160000"
# Code points that HFS+ drops from a name: `.g<U+200C>it` is `.git` there.
_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


@dataclass(frozen=True, slots=True)
class Entry:
    """A path that the change adds or alters: its new mode and, for a symbolic link, where it leads."""

    path: str
    mode: str
    link: str | None = None


def refusal(entry: Entry) -> str | None:
    """Why this entry may not land; None when it may."""
    name = shown(entry.path, 120)
    parts = [_folded(part) for part in entry.path.split("/")]
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in entry.path):
        return f"the name {name} holds control characters"
    if any(_is_git(part) for part in parts):
        return f"the name {name} looks like .git on some file systems"
    if entry.mode == SUBMODULE:
        return f"{name} adds or moves a submodule"
    if parts[-1].rstrip(". ") == ".gitmodules" or parts[-1].startswith("gitmod~"):
        return f"{name} changes what submodules are fetched"
    if entry.mode == LINK and _escapes(entry.path, entry.link or ""):
        return f"the link {name} leads out of the tree, to {shown(entry.link or '', 120)}"
    return None


def _folded(part: str) -> str:
    return part.translate(_IGNORED).casefold()


def _is_git(part: str) -> bool:
    """`.git` under case folding, HFS+ (ignored code points) and NTFS (short name, streams, trailing dots and blanks)."""
    stem = part.split(":", 1)[0].split("\\", 1)[0].rstrip(". ")
    return stem in (".git", "git~1")


def _escapes(path: str, link: str) -> bool:
    """By its words alone: `..` after a name could follow another link, so it counts as escaping too."""
    if not link or link.startswith("/") or "\\" in link or "\0" in link:
        return True
    parts = [part for part in link.split("/") if part not in ("", ".")]
    leading = next((i for i, part in enumerate(parts) if part != ".."), len(parts))
    if ".." in parts[leading:] or any(_is_git(_folded(part)) for part in parts):
        return True
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    return joined == ".." or joined.startswith("../")
