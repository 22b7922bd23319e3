"""`bd merge BASE OURS THEIRS [NAME]` without click: what git starts. Anything else: click does it."""

from __future__ import annotations

from gastown_hooks.cli.plain import remark
from gastown_hooks.core.ids import shown
from gastown_hooks.work import driver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.rules.merge_files import MergedFile


def run(words: list[str]) -> int | None:
    """The exit code; None for other words than three or four plain ones."""
    words = words[1:]
    if not 3 <= len(words) <= 4 or any(word.startswith("-") for word in words):
        return None
    say(driver.merge(*words), words[-1])
    return 0


def say(merged: MergedFile, name: str) -> None:
    """What gave way, on standard error: git shows it above its own words."""
    for old, new in sorted(merged.renamed.items()):
        remark(f"bd: {shown(name)}: two beads were {old}; the later one is {new}")
    if merged.conflicts:
        remark(f"bd: {shown(name)}: {len(merged.conflicts)} values of one side gave way, such as {merged.conflicts[0]}")
    if merged.bad:
        remark(f"bd: {shown(name)}: {len(merged.bad)} lines are no bead; they are kept. Next: bd doctor")
