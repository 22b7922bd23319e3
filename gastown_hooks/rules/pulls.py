"""A pull request as its host tells it, and what that means for the merge request it was made for. Pure; work/pulls acts on it."""

from __future__ import annotations

from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gastown_hooks.rules.requests import Request

FIELDS = ("number", "url", "state", "headRefName", "headRefOid", "baseRefName", "isCrossRepository", "reviewDecision", "latestReviews",
          "mergeCommit")
OPEN, CLOSED, MERGED = "open", "closed", "merged"
APPROVED, CHANGES = "APPROVED", "CHANGES_REQUESTED"
OF_THE_PROJECT = ("OWNER", "MEMBER", "COLLABORATOR")  # anybody may review at a public host; whose word counts is written beside it


@dataclass(frozen=True, slots=True)
class Pull:
    """`word` is APPROVED, CHANGES or "": what the reviewers said about `head`; `said` their words; `commit` what it was merged as."""

    number: int
    url: str
    state: str
    branch: str
    head: str
    base: str
    word: str
    said: str
    commit: str

    def as_metadata(self) -> dict[str, Any]:
        """What a merge request remembers of it."""
        return {"number": self.number, "url": self.url, "state": self.state, "head": self.head}


def parse(found: Any) -> Pull | None:
    """From the host's JSON; None for one from another repository. Raises Corrupt for what cannot be used."""
    try:
        if found["isCrossRepository"]:
            return None
        theirs = [one for one in found["latestReviews"] or [] if one.get("authorAssociation") in OF_THE_PROJECT]
        reviews = [(str((one.get("author") or {}).get("login") or "somebody"), one["state"], str(one.get("body") or "").strip(),
                    (one.get("commit") or {}).get("oid")) for one in theirs]
        state, head, base = found["state"].lower(), str(found["headRefOid"]), str(found["baseRefName"])
        if state not in (OPEN, CLOSED, MERGED) or type(found["number"]) is not int:
            raise ValueError(state)
        said = "\n".join(f"{who}: {body or 'changes requested'}" for who, word, body, _ in reviews if word == CHANGES)
        commit = str((found.get("mergeCommit") or {}).get("oid") or "")
        word = _word(found["reviewDecision"] or "", [(word, oid) for _, word, _, oid in reviews], head)
        return Pull(found["number"], str(found["url"]), state, str(found["headRefName"]), head, base, word, said, commit)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"[:200]
        raise Corrupt("gh's answer cannot be read", why=why, next="gh --version: 2.30 or newer") from None


def _word(decision: str, reviews: list[tuple[str, str | None]], head: str) -> str:
    """The host's decision; where it has none (no review is required there) that of the project's own reviewers' last words.

    An approval of an older commit is none: where the host says which commit a review was about, one must be about the head.
    """
    if CHANGES in (decision, *(word for word, _ in reviews if not decision)):
        return CHANGES
    approvals = [oid for word, oid in reviews if word == APPROVED]
    if decision not in ("", APPROVED) or not (decision or approvals):
        return ""
    return APPROVED if not approvals or any(oid in (None, "", head) for oid in approvals) else ""


def of_request(found: Iterable[Pull], request: Request) -> Pull | None:
    """The request's pull request among these, of its branch into its target: the one it knows, else an open one, else one that merged its
    very commit."""
    known = request.pull.get("number")
    mine = [pull for pull in found if (pull.branch, pull.base) == (request.branch, request.target)
            and (pull.number == known or pull.state == OPEN or (pull.state == MERGED and pull.head == request.head))]
    return max(mine, key=lambda pull: (pull.number == known, pull.state == OPEN, pull.number), default=None)
