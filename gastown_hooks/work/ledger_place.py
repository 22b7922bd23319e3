"""Where a ledger is kept in git, and what a commit there holds of it."""

from __future__ import annotations

import os

from gastown_hooks.core.errors import Refused
from gastown_hooks.core.paths import BEADS, TRACKED_LEDGER, Beads, archived_year
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import archive, git
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger

REMOTE = "origin"
BRANCH = "beads"
TIP = "refs/gt/ledger/tip"
BASE = "refs/gt/ledger/base"
BASES = "refs/gt/ledger/bases/"
THERE = Beads(BEADS)  # as paths in a commit


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger is kept in git: the repository, the branch (short), and the local ref that holds its end."""

    ledger: Ledger
    repo: str
    branch: str
    tip: str
    base: str

    @property
    def own(self) -> bool:
        return self.tip == TIP

    @property
    def tracking(self) -> str:
        return f"refs/remotes/{REMOTE}/{self.branch}"

    def url(self) -> str | None:
        """Where a push goes, without a password; None where there is no remote."""
        found = git.run(self.repo, "remote", "get-url", "--push", "--all", REMOTE, check=False)
        return " ".join(map(git.shown_url, found.out.split())) if found.code == 0 else None

    def resolve(self, rev: str) -> str | None:
        found = git.run(self.repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}", check=False)
        return found.line if found.code == 0 else None

    def text(self, commit: str | None) -> bytes:
        """The ledger in that commit; empty where there is none."""
        return blob(self.repo, commit, TRACKED_LEDGER) or b""

    def shelves(self, commit: str | None) -> dict[str, bytes]:
        """The archive in that commit: path to text."""
        return archive.committed(self.repo, commit) if commit else {}

    def files(self, commit: str | None) -> dict[str, bytes]:
        """The ledger and its archive in that commit: path to text."""
        return {TRACKED_LEDGER: self.text(commit), **self.shelves(commit)}

    def everything(self, commit: str | None) -> bytes:
        """The lines of all beads in that commit, the archive's too; where a bead stands twice the last one counts."""
        return b"".join([*(text for _, text in sorted(self.shelves(commit).items())), self.text(commit)])

    def is_in(self, ancestor: str, commit: str) -> bool:
        return git.run(self.repo, "merge-base", "--is-ancestor", ancestor, commit, check=False).code == 0


def place(ledger: Ledger, caller: Caller) -> Place:
    """Raises Refused for a ledger that is in no git repository, or that is kept out of git."""
    beads = ledger.beads
    for rig in caller.town.rigs() if caller.town else ():
        if rig.beads.root == beads.root:
            return Place(ledger, rig.repo, BRANCH, TIP, BASE)
    top = os.path.dirname(beads.root)
    found = git.top(top)
    if found is None or os.path.realpath(found) != os.path.realpath(top):
        raise Refused(f"{beads.root} is in no git repository of its own", why="there is nothing to sync it with")
    if not ledger.write_through:
        return Place(ledger, top, BRANCH, TIP, BASE)
    if git.run(top, "check-ignore", "--quiet", "--no-index", "--", TRACKED_LEDGER, check=False).code == 0:
        raise Refused("this ledger is kept out of git", why="it was made with --stealth, or is ignored")
    head = git.run(top, "symbolic-ref", "--quiet", "HEAD", check=False).line
    if not head.startswith("refs/heads/"):
        raise Refused("HEAD is on no branch", why="the ledger is kept on the code's branch", next="git switch BRANCH")
    branch = head.removeprefix("refs/heads/")
    return Place(ledger, top, branch, head, BASES + branch.replace("%", "%25").replace("/", "%2F"))  # `a` may have been before `a/b`


def is_ledger(path: str) -> bool:
    """Whether the path in a commit is the ledger or of its archive."""
    return path == TRACKED_LEDGER or (os.path.dirname(path) == THERE.archive and archived_year(path) is not None)


def blob(repo: str, commit: str | None, path: str) -> bytes | None:
    """A file in a commit; None where there is none."""
    found = git.run(repo, "cat-file", "blob", f"{commit}:{path}", check=False) if commit else None
    return found.out.encode("utf-8", "surrogateescape") if found and found.code == 0 else None
