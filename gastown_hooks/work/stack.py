"""A stack of merge requests on the target's tip, built in the object store alone: no worktree, no index, the same bytes each time.

Each member is one merge commit: first parent what it stands on, second parent the request's head, tree the merged tree, dates and
identity fixed. A prefix of the stack lands as one more merge commit on the target's tip, with the tree of its last member; where
the rig's landing is "linear" (work/linear) it has no merge commits and lands as it is. A rebuilt stack has the same ids, and a gate
result or a mail of before is found again.
"""

from __future__ import annotations

from gastown_hooks.core import clock
from gastown_hooks.core.paths import Rig
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import tree_policy
from gastown_hooks.rules.requests import Request
from gastown_hooks.stores import config, git
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import linear
from gastown_hooks.work.containment import contained, merge


@dataclass(frozen=True, slots=True)
class Member:
    """A request that fits: `commit` is its merge commit, `on` what that stands on. `empty`: that has it already."""

    request: Request
    on: str
    commit: str
    empty: bool


@dataclass(frozen=True, slots=True)
class Clash:
    """A request that does not merge with what it would stand on."""

    request: Request
    on: str
    files: tuple[str, ...]


@dataclass(slots=True)
class Stack:
    """What was built: `tip` is the commit to gate and land; `clashes` were left out."""

    base: str
    tip: str
    members: list[Member] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)


def build(rig: Rig, base: str, requests: list[Request]) -> Stack:
    """Stack the requests in order on `base`, leaving out those that conflict and those that add nothing. Raises GitFailed."""
    stack, repo = Stack(base, base), Repo(rig.repo)
    make = _single if linear.wanted(rig) else _merged
    for request in requests:
        tree, files = merged = merge(rig.repo, stack.tip, request.head)
        if contained(repo, request.base, request.head, stack.tip, merged):
            stack.members.append(Member(request, stack.tip, stack.tip, True))
        elif files:
            stack.clashes.append(Clash(request, stack.tip, files))
        else:
            commit = make(rig, request, tree, stack.tip)
            stack.members.append(Member(request, stack.tip, commit, False))
            stack.tip = commit
    return stack


def refusals(rig: Rig, members: list[Member]) -> dict[str, list[str]]:
    """Request id to what in its difference may not land, as sentences; only for those that have something."""
    repo = Repo(rig.repo)
    pairs = {f"{repo.tree(member.on)} {repo.tree(member.commit)}": member.request.id for member in members if not member.empty}
    asked = "".join(f"{pair}\n" for pair in pairs).encode()
    raw = git.run(rig.repo, "diff-tree", "--stdin", "-r", "-z", "--no-renames", "--raw", input=asked).out
    found: dict[str, list[str]] = {}
    request = ""
    while raw:
        if not raw.startswith(":"):
            pair, _, raw = raw.partition("\n")
            request = pairs[pair]
            continue
        head, path, raw = raw.split("\0", 2)
        reason = _refusal(rig, head, path)
        if reason is not None:
            found.setdefault(request, []).append(reason)
    return found


def _refusal(rig: Rig, head: str, path: str) -> str | None:
    _, mode, _, oid, kind = head.split(" ")
    if kind.startswith("D"):
        return None
    link = git.run(rig.repo, "cat-file", "blob", oid).out if mode == tree_policy.LINK else None
    return tree_policy.refusal(tree_policy.Entry(path, mode, link))


def landing(rig: Rig, on: str, members: list[Member]) -> str:
    """The commit by which these members, which stand on each other, land on the target's tip `on`; its tree is the last member's.

    First parent `on`, second parent the tip of the stack: of a single request its own head. Of a linear stack the tip itself.
    """
    last = members[-1]
    if linear.wanted(rig) or (len(members) == 1 and last.on == on):
        return last.commit
    requests = [member.request for member in members]
    other = last.commit if len(members) > 1 else last.request.head
    return _commit(rig, requests, Repo(rig.repo).tree(last.commit), on, other)


def _single(rig: Rig, request: Request, tree: str, on: str) -> str:
    return linear.commit(rig, request, tree, on, subject=title(request), trailers=_trailers(request), committer=_refinery(rig, [request]))


def _merged(rig: Rig, request: Request, tree: str, on: str) -> str:
    return _commit(rig, [request], tree, on, request.head)


def _when(requests: list[Request]) -> int:
    """A time in seconds that is the same whenever this is built."""
    return max(clock.parse(request.created_at) for request in requests) // clock.SECOND


def _refinery(rig: Rig, requests: list[Request]) -> dict[str, str]:
    """Who commits, and when."""
    when = f"@{_when(requests)} +0000"
    who = git.identity(f"{rig.name}/refinery", config.owner_email(rig.town))
    return who | {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}


def _commit(rig: Rig, requests: list[Request], tree: str, on: str, other: str) -> str:
    who = (f"{rig.name}/refinery", config.owner_email(rig.town))
    return Repo(rig.repo).write_commit(tree, [on, other], _message(requests), who, _when(requests))


def _message(requests: list[Request]) -> str:
    # One block, or git would take only the last one for trailers.
    trailers = "".join(f"{line}\n" for request in requests for line in _trailers(request))
    if len(requests) == 1:
        return f"Merge {title(requests[0])}\n\n{trailers}"
    return f"Merge {len(requests)} changes\n\n" + "".join(f"* {title(request)}\n" for request in requests) + f"\n{trailers}"


def _trailers(request: Request) -> list[str]:
    return [f"Bead: {request.source}", f"Merge-Request: {request.id}", f"Worker: {request.worker}", f"Claim-Fence: {request.fence}"]


def title(request: Request) -> str:
    """The bead and what it is about, in one line."""
    title = str(request.record.get("title", "")).removeprefix("Merge: ")
    return f"{request.source}: {' '.join(''.join(c if c.isprintable() else ' ' for c in title).split())[:120]}"
