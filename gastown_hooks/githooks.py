"""The duties of a worker's githooks; the stub `_run` of its githooks folder starts them with the worker's home and target.

post-commit pins the commit under refs/gt/work, prepare-commit-msg signs the message with the claim, pre-push refuses the target
branch. Each function takes the home and the githook's own arguments and returns its exit code, so a role file can call or
replace it. Lean on purpose (`-I -S`, no site-packages): it runs at every commit. What git itself has to do last, git becomes
this process.
"""

from __future__ import annotations

import os
import sys

from gastown_hooks.core import errors, fsio
from gastown_hooks.core.errors import BadInput, Corrupt, Refused
from gastown_hooks.core.paths import Home
from gastown_hooks.stores import config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Duty = Callable[["Claim | None", Home, str, list[str]], int]

_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.fsync=all")


class Claim:
    """What the home's lease says: which bead, whose, under which fence."""

    __slots__ = ("actor", "bead", "fence")

    def __init__(self, bead: str, actor: str, fence: int) -> None:
        self.bead, self.actor, self.fence = bead, actor, fence


def main(argv: list[str]) -> int:
    """`HOME TARGET GITHOOK ARGS…`, in the top of the worktree, with the environment that git gave its hook."""
    return errors.handled("gt", lambda: _run(argv))


def post_commit(claim: Claim | None, home: Home, target: str, args: list[str]) -> int:
    """Pin HEAD, so that neither a reset nor a refused rename of the branch can lose the commit."""
    if claim is None or os.path.realpath(os.getcwd()) != os.path.realpath(home.tree):
        return 0
    return _become_git("update-ref", "-m", "gt: pinned", f"refs/gt/work/{home.name}/{claim.fence}", "HEAD")


def prepare_commit_msg(claim: Claim | None, home: Home, target: str, args: list[str]) -> int:
    """Add the claim's trailers; a process of an earlier claim may not commit here any more (--no-verify does not skip this)."""
    if claim is None:
        return 0
    fence = config.variable("GT_FENCE")
    if fence and fence != str(claim.fence) and config.variable("GT_POLECAT") == home.name:
        raise Refused("this claim is over", why=f"{home.name} works on {claim.bead} under fence {claim.fence}, not {fence}",
                      next="stop here")
    if not args or args[1:2] in (["merge"], ["squash"]):
        return 0
    words = [f"{key}: {value}" for key, value in (("Bead", claim.bead), ("Executed-By", claim.actor), ("Claim-Fence", claim.fence))]
    path = os.path.abspath(args[0])
    text = fsio.read(path) or b""
    if len(args) == 1 and text.lstrip(b"\n")[:1] in (b"", b"#"):
        # An editor opens on an empty message: room for the subject and an empty line, which git's own command does not leave.
        fsio.write(path, b"\n\n" + os.fsencode("\n".join(words)) + b"\n" + text, durable=False)
        return 0
    trailers = [part for word in words for part in ("--trailer", word)]
    return _become_git("interpret-trailers", "--in-place", "--where", "end", "--if-exists", "addIfDifferent", *trailers, "--", path)


def pre_push(claim: Claim | None, home: Home, target: str, args: list[str]) -> int:
    """Refuse a push that names the target branch; an early word only, the merge queue looks at the facts."""
    for line in sys.stdin.buffer.read().splitlines():
        if line.split(b" ")[2:3] == [b"refs/heads/" + os.fsencode(target)]:
            raise Refused(f"{target} moves only through the merge queue", next="gt done")
    return 0


DUTIES: dict[str, Duty] = {"post-commit": post_commit, "prepare-commit-msg": prepare_commit_msg, "pre-push": pre_push}


def claim_of(home: Home) -> Claim | None:
    """The live claim of the home; None when it has no lease or its work is submitted. Raises Corrupt."""
    lease = fsio.read_json(home.lease)
    if lease is None:
        return None
    if not isinstance(lease, dict) or not isinstance(lease.get("fence"), int):
        raise Corrupt(f"{home.lease} is no lease", next="gt polecat status")
    return None if lease.get("state") == "done" else Claim(str(lease.get("bead")), str(lease.get("actor")), lease["fence"])


def _run(argv: list[str]) -> int:
    if len(argv) < 3 or argv[2] not in DUTIES:
        raise BadInput("a githook's stub starts this", why=f"HOME TARGET {'|'.join(DUTIES)} ARGS")
    home = Home(argv[0])
    return DUTIES[argv[2]](claim_of(home), home, argv[1], argv[3:])


def _become_git(*args: str) -> int:
    sys.stdout.flush()
    os.execvp("git", [*_GIT, *args])
