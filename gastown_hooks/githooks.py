"""The duties of a worker's githooks; the stub `_run` of its githooks folder starts them with what it was installed for.

post-commit pins the commit under refs/gt/work, prepare-commit-msg signs the message with the claim, pre-push refuses the target
branch. Each function takes the work and the githook's own arguments and returns its exit code, so a role file can call or
replace it. Lean on purpose: it runs at every commit with `-I -S`, reads no file, and becomes the program that does the rest.
"""

from __future__ import annotations

import sys

from gastown_hooks.core import errors
from gastown_hooks.core.errors import BadInput, Refused
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Duty = Callable[["Work", list[str]], int]

_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.fsync=all")
# git's own command would put the trailers where an editor's user types the subject.
_ABOVE_AN_EMPTY_MESSAGE = 'text=$(cat "$2" && echo .) && printf "\\n\\n%s\\n%s" "$1" "${text%.}" > "$2"'


class Work:
    """Whose hook this is: the worker's claim (`fence` "" when it has none), its tree, the branch nobody may push.

    `caller` is what the environment of the git that called says about itself: `<name>:<fence>`.
    """

    __slots__ = ("actor", "bead", "caller", "fence", "name", "target", "tree")

    def __init__(self, bead: str, actor: str, fence: str, name: str, tree: str, target: str, caller: str) -> None:
        self.bead, self.actor, self.fence = bead, actor, fence
        self.name, self.tree, self.target, self.caller = name, tree, target, caller


def main(argv: list[str]) -> int:
    """`GITHOOK BEAD ACTOR FENCE NAME TREE TARGET CALLER ARGS…`, in the top of the worktree, as git calls its hooks."""
    return errors.handled("gt", lambda: _run(argv))


def post_commit(work: Work, args: list[str]) -> int:
    """Pin HEAD: neither a reset nor a refused rename of the branch loses the commit. The pin's reflog keeps the earlier ones."""
    if not work.fence or os.path.realpath(os.getcwd()) != os.path.realpath(work.tree):
        return 0
    return _become(*_GIT, "update-ref", "--create-reflog", "-m", "gt: pinned", f"refs/gt/work/{work.name}/{work.fence}", "HEAD")


def prepare_commit_msg(work: Work, args: list[str]) -> int:
    """Add the claim's trailers; a process of an earlier claim may not commit here any more (--no-verify does not skip this)."""
    name, _, fence = work.caller.partition(":")
    if not work.fence or not args:
        return 0
    if name == work.name and fence and fence != work.fence:
        raise Refused("this claim is over", why=f"{name} works on {work.bead} under fence {work.fence}, not {fence}", next="stop here")
    return sign(args, [f"Bead: {work.bead}", f"Executed-By: {work.actor}", f"Claim-Fence: {work.fence}"])


def sign(args: list[str], words: list[str]) -> int:
    """Add trailers to the message that prepare-commit-msg was called for, but not to a merge's; each once."""
    if args[1:2] in (["merge"], ["squash"]):
        return 0
    path = os.path.abspath(args[0])
    if len(args) == 1 and _is_empty(path):
        return _become("sh", "-c", _ABOVE_AN_EMPTY_MESSAGE, "sh", "\n".join(words), path)
    trailers = [part for word in words for part in ("--trailer", word)]
    return _become(*_GIT, "interpret-trailers", "--in-place", "--where", "end", "--if-exists", "addIfDifferent", *trailers, "--", path)


def pre_push(work: Work, args: list[str]) -> int:
    """Refuse a push that names the target branch; an early word only, the merge queue looks at the facts."""
    for line in sys.stdin.buffer.read().splitlines():
        if line.split(b" ")[2:3] == [b"refs/heads/" + os.fsencode(work.target)]:
            raise Refused(f"{work.target} moves only through the merge queue", next="gt done")
    return 0


DUTIES: dict[str, Duty] = {"post-commit": post_commit, "prepare-commit-msg": prepare_commit_msg, "pre-push": pre_push}


def _run(argv: list[str]) -> int:
    if len(argv) < 8 or argv[0] not in DUTIES:
        raise BadInput("a githook's stub starts this", why=f"{'|'.join(DUTIES)} BEAD ACTOR FENCE NAME TREE TARGET CALLER ARGS")
    return DUTIES[argv[0]](Work(*argv[1:8]), argv[8:])


def _is_empty(path: str) -> bool:
    """Whether the message that an editor will open on holds nothing but comments."""
    with open(path, "rb") as file:
        return file.read().lstrip(b"\n")[:1] in (b"", b"#")


def _become(*command: str) -> int:
    sys.stdout.flush()
    os.execvp(command[0], command)
