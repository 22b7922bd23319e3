"""git's merge driver for ledgers: `bd merge %O %A %B %P`. Lean: git starts it for each merge."""

from __future__ import annotations

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.core.ids import shown
from gastown_hooks.rules.merge_files import MergedFile, merge_files


def merge(base: str, ours: str, theirs: str, name: str = "") -> MergedFile:
    """Merge the three files, and put the result in the place of `ours`, where git looks for it. Raises NotFound.

    Also understands `%A %O %A %B`, which the original program had set up: taken for ours, it would lose a side in silence.
    """
    if base == theirs:
        base, ours, theirs = ours, base, name
    versions = []
    for path in (base, ours, theirs):
        try:
            data = fsio.read(path)
        except OSError as error:
            raise BadInput(f"cannot read {shown(path)}", why=error.strerror or str(error)) from None
        if data is None:
            raise NotFound(f"no file {shown(path)}", why="git names three: the base, ours and theirs")
        versions.append(data)
    merged = merge_files(*versions)
    if merged.data != versions[1]:
        fsio.write(ours, merged.data, mode=0o644, durable=False)  # git's own temporary file: it copies it into the work tree
    return merged
