"""What is wrong with a ledger and its place in git, and what of it can be put right without losing a byte: `bd doctor`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from gastown_hooks.core import fsio, ids, record
from gastown_hooks.core.paths import Beads
from gastown_hooks.core.values import dataclass, replace
from gastown_hooks.rules import health
from gastown_hooks.stores import archive, git, lines, quarantine
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger, View
from gastown_hooks.work import ledger_git_setup


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be. `line`: of issues.jsonl, from 1. `fix`: how it is put right; None: a person must.

    A remark is no damage: it alone is no failure (a check in a fresh clone must not fail for what that clone was not asked for).
    """

    check: str
    text: str
    line: int | None = None
    fix: Callable[[], object] | None = None
    remark: bool = False


CHECKS = ("lines", "values", "journal", "archive", "strays", "git", "wisps")


def examine(ledger: Ledger, caller: Caller, wisps: Ledger | None = None, only: tuple[str, ...] = CHECKS) -> list[Finding]:
    """Every finding of these checks, in their order; nothing is changed. `wisps`: the ledger's, looked at too."""
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "lines": lambda: _lines(ledger), "values": lambda: _values(ledger), "journal": lambda: _journal(ledger),
        "archive": lambda: _archive(ledger), "strays": lambda: _strays(ledger.beads), "git": lambda: _clone(ledger, caller),
        "wisps": lambda: _wisps(ledger, wisps)}
    return [finding for name, look in looks.items() if name in only for finding in look()]


def _wisps(ledger: Ledger, wisps: Ledger | None) -> Iterator[Finding]:
    for one in [] if wisps is None else [*_lines(wisps), *_values(wisps), *_journal(wisps)]:
        yield replace(one, check="wisps", line=None, text=f"line {one.line} of {ledger.beads.wisps}: {one.text}" if one.line else one.text)


def cure(findings: list[Finding]) -> list[Finding]:
    """Put right what can be put right, each thing once; returns what is left."""
    for fix in dict.fromkeys(finding.fix for finding in findings if finding.fix):
        fix()
    return [finding for finding in findings if finding.fix is None]


def _lines(ledger: Ledger) -> Iterator[Finding]:
    text = fsio.read(ledger.beads.issues) or b""
    found, mend = lines.parse(text), ledger.mend
    for problem in found.problems:
        yield Finding("lines", problem.why, problem.number, mend)
    again = _again(text.split(b"\n"), {line: bead_id for bead_id, line in found.lines.items()})
    for number, bead_id in again:
        yield Finding("order", f"{ids.shown(bead_id)} stands twice, letter by letter the same", number, mend)
    if not found.problems and not again and found.text() != text:
        yield Finding("order", "the lines are not sorted by id, or the last one is not ended", fix=mend)


def _again(found: list[bytes], beads: Mapping[bytes, str]) -> list[tuple[int, str]]:
    """(number, bead) of each line that is a bead's and stood before."""
    first: dict[bytes, int] = {}
    return [(number, beads[line]) for number, line in enumerate(found, 1) if line in beads and first.setdefault(line, number) != number]


def _values(ledger: Ledger) -> Iterator[Finding]:
    for number, line in enumerate((fsio.read(ledger.beads.issues) or b"").split(b"\n"), 1):
        try:
            bead = record.decode(line) if line.strip() else None
        except ValueError:
            continue  # told by `_lines`
        if bead is not None:
            wrong = health.faults(bead)
            yield from (Finding("values", f"{ids.shown(bead['id'])}: {fault}", number) for fault in wrong)
            if not wrong:
                yield from (Finding("values", f"{ids.shown(bead['id'])}: {odd}", number, remark=True) for odd in health.oddities(bead))


def _journal(ledger: Ledger) -> Iterator[Finding]:
    """A transaction that is damaged: nobody can say what it held."""
    for number, line in enumerate(fsio.whole_lines(fsio.read(ledger.beads.journal) or b"")[1:], 2):
        for entry in line.split(b"\t"):
            name, _, value = entry.partition(b" ")
            try:
                if value != b"null" or not name.startswith(b"="):
                    record.decode(value)
            except ValueError as error:
                yield Finding("journal", f"{ledger.beads.journal} line {number}: {error}")


def _archive(ledger: Ledger) -> Iterator[Finding]:
    mend = partial(_mend_archive, ledger)
    for year in archive.years(ledger.beads):
        text = archive.text(ledger.beads, year)
        found = lines.parse(text)
        for problem in found.problems:
            yield Finding("archive", f"{ledger.beads.archived(year)} line {problem.number}: {problem.why}", fix=mend)
        if not found.problems and found.text() != text:
            yield Finding("archive", f"{ledger.beads.archived(year)} is not sorted by id", fix=mend)


def _mend_archive(ledger: Ledger) -> None:
    """The good lines of each year sorted; the others go to quarantine.log."""
    def change(view: View) -> tuple[dict[str, bytes], dict[str, bytes]]:
        texts = {}
        for year in archive.years(ledger.beads):
            text = archive.text(ledger.beads, year)
            found = lines.parse(text)
            quarantine.keep(ledger.beads, found.losers + found.bad)
            found.bad = []
            if found.text() != text:
                texts[year] = found.text()
        return texts, {}
    ledger.shelve(change, known=False)


def _strays(beads: Beads) -> Iterator[Finding]:
    for name in sorted(os.listdir(beads.root)):
        if os.path.splitext(name)[1] == os.path.splitext(beads.issues)[1] and f"{beads.root}/{name}" not in (beads.issues, beads.routes):
            yield Finding("strays", f"{ids.shown(name)}: other programs may take it for the ledger; import it, or move it", remark=True)


def _clone(ledger: Ledger, caller: Caller) -> Iterator[Finding]:
    """What this clone's git does not know of the ledger; a town's ledgers are in no work tree."""
    top = os.path.dirname(ledger.beads.root)
    if (caller.town is not None and f"{top}/".startswith(f"{caller.town.root}/")) or git.top(top) != os.path.realpath(top):
        return
    mode = CODE_BRANCH if ledger.write_through else OWN_BRANCH
    for act in ledger_git_setup.plan(top, ledger.beads, ledger.prefix, mode, stealth=ledger_git_setup.is_stealth(top)):
        yield Finding("git", f"not done yet: {act.text}", fix=act.do, remark=True)
