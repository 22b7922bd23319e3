"""Old closed beads, out of issues.jsonl: `archive/<year>.jsonl`, by the year in which they closed; lines as there, sorted by id.

Every look at a ledger sees them: a bead that is not in the ledger is looked for here, in the newest year first. So where a bead is in
both, the ledger's line counts. Writers hold the ledger's lock (`Ledger.shelve`); they add before they take away, so that a kill leaves
a bead twice, never nowhere.
"""

from __future__ import annotations

from gastown_hooks.core import fsio, paths
from gastown_hooks.core.late import late
from gastown_hooks.core.system import os
from gastown_hooks.stores import lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gastown_hooks.core.paths import Beads
    from gastown_hooks.stores import git
else:
    git = late("gastown_hooks.stores.git")


def years(beads: Beads) -> list[str]:
    """The years that there are, the newest first."""
    try:
        names = os.listdir(beads.archive)
    except FileNotFoundError:
        return []
    return sorted((year for name in names if (year := paths.archived_year(name))), reverse=True)


def line(beads: Beads, bead_id: str) -> bytes | None:
    """The bead's line, in the newest year that has one."""
    for year in years(beads):
        with open(beads.archived(year), "rb") as file:
            read = _reader(file.fileno())
            found = lines.find_in(read, lines.sound(read, os.fstat(file.fileno()).st_size), bead_id)
        if found is not None:
            return found
    return None


def _reader(fd: int) -> Callable[[int, int], bytes]:
    return lambda start, length: os.pread(fd, length, start)


def everything(beads: Beads) -> lines.Parsed:
    """All beads, each as its newest year has it; and the lines that are none."""
    whole = lines.Parsed()
    for year in years(beads):
        found = lines.parse(text(beads, year))
        whole.lines = {**found.lines, **whole.lines}
        whole.beads = {**found.beads, **whole.beads}
        whole.problems += [lines.Problem(one.number, f"of {beads.archived(year)}: {one.why}", one.line) for one in found.problems]
    return whole


def text(beads: Beads, year: str) -> bytes:
    return fsio.read(beads.archived(year)) or b""


def added(beads: Beads, shelves: Mapping[str, dict[str, bytes]]) -> dict[str, bytes]:
    """The texts of the years that become different with these beads (year: {id: line}) in them, and in no other year."""
    new = {bead_id for shelf in shelves.values() for bead_id in shelf}
    texts = {}
    for year in {*years(beads), *shelves}:
        before = lines.normal(text(beads, year))
        after = lines.splice(lines.cut(before, new - set(shelves.get(year, {}))), dict(shelves.get(year, {})))
        if after != before:
            texts[year] = after
    return texts


def committed(repo: str, commit: str) -> dict[str, bytes]:
    """The years in a commit: path to text, the newest first."""
    listed = git.run(repo, "ls-tree", "-z", "--name-only", commit, "--", paths.TRACKED_ARCHIVE, check=False).out.split("\0")
    return {path: git.run(repo, "cat-file", "blob", f"{commit}:{path}").out.encode("utf-8", "surrogateescape")
            for path in sorted(listed, reverse=True) if paths.archived_year(path)}


def write(beads: Beads, texts: Mapping[str, bytes], mode: int) -> None:
    """Replace these years' files, the newest first: a bead is added before an older year loses it."""
    if texts:
        fsio.make_folder(beads.archive)
    for year in sorted(texts, reverse=True):
        fsio.write(beads.archived(year), texts[year], mode=mode)
