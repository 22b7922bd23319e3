"""`landing = "linear"`: each request is one commit on the one before it, so that the target has no merge commits.

One commit a request, and not the worker's commits played again one by one: it conflicts only where a merge would, a branch that took
the target in by a merge lands too, one revert takes a bead back, and the fewest commits lie between two tested trees. The last
commit's author is the author, the others are co-authors; messages and their trailers are kept. The worker's own commits stay pinned.
"""

from __future__ import annotations

from collections.abc import Iterator

from gastown_hooks.core.errors import GitFailed
from gastown_hooks.core.paths import Rig
from gastown_hooks.rules import message
from gastown_hooks.rules.requests import Request
from gastown_hooks.stores import config, git
from gastown_hooks.stores.repo import Repo

Own = tuple[str, str, str, str]  # a commit's author, address, date and message


def wanted(rig: Rig) -> bool:
    """Whether the rig lands this way."""
    return bool(config.rig_settings(rig).landing == "linear")


def commit(rig: Rig, request: Request, tree: str, on: str, *, subject: str, trailers: list[str], committer: dict[str, str]) -> str:
    """The request's one commit on `on`; the same id each time. `committer` is the environment of a commit by the refinery."""
    own = list(_own(rig, f"{on}..{request.head}", "--no-merges")) or list(_own(rig, request.head, "--max-count=1"))
    name, email, date, _ = own[-1]
    others = dict.fromkeys(f"Co-authored-by: {one[0]} <{one[1]}>" for one in own if one[:2] != (name, email))
    text = message.combined(subject, [one[3] for one in own], [*others, *trailers]).encode("utf-8", "surrogateescape")
    authors = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email, "GIT_AUTHOR_DATE": f"@{date}"}
    words = ("-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree, "-p", on, "-F", "-")
    try:
        return git.run(rig.repo, *words, input=text, env=committer | authors).line
    except GitFailed:  # an author that git itself would not take
        return git.run(rig.repo, *words, input=text, env=committer).line


def chain(repo: Repo, old: str, new: str, count: int) -> list[str]:
    """The commits of `count` requests that land together as `new` on `old`: each its own, or all the one merge commit."""
    found, at = [new], repo.parents(new)
    while len(found) < count and len(at) == 1 and at[0] != old:
        found.append(at[0])
        at = repo.parents(at[0])
    return found[::-1] if len(found) == count else [new] * count


def _own(rig: Rig, span: str, which: str) -> Iterator[Own]:
    """What the branch itself committed, oldest first."""
    words = ("log", "-z", "--reverse", "--topo-order", "--encoding=UTF-8", "--date=raw", "--format=%an%x00%ae%x00%ad%x00%B", which)
    fields = iter(git.run(rig.repo, *words, "--end-of-options", span).out.split("\0"))
    return zip(fields, fields, fields, fields, strict=False)
