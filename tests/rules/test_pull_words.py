"""What a pull request means."""

from __future__ import annotations

from typing import Any

import pytest

from gastown_hooks.core.errors import Corrupt
from gastown_hooks.rules import pulls

HEAD, OLD = "a" * 40, "b" * 40


def told(decision: str | None, *reviews: tuple[str, str, str | None], **fields: object) -> dict[str, Any]:
    said = [{"author": {"login": "ann"}, "authorAssociation": who, "state": word, "body": "words", "commit": {"oid": oid} if oid else None}
            for who, word, oid in reviews]
    return {"number": 1, "url": "https://x/1", "state": "OPEN", "headRefName": "b", "headRefOid": HEAD, "baseRefName": "main",
            "isCrossRepository": False, "reviewDecision": decision, "latestReviews": said, "mergeCommit": None, **fields}


@pytest.mark.parametrize("found, word", [
    (told("APPROVED"), pulls.APPROVED),
    (told("APPROVED", ("MEMBER", "APPROVED", HEAD)), pulls.APPROVED),
    (told("APPROVED", ("MEMBER", "APPROVED", None)), pulls.APPROVED),
    (told("APPROVED", ("MEMBER", "APPROVED", OLD)), ""),
    (told("APPROVED", ("MEMBER", "APPROVED", OLD), ("NONE", "APPROVED", HEAD)), ""),
    (told("REVIEW_REQUIRED", ("MEMBER", "APPROVED", HEAD)), ""),
    (told("CHANGES_REQUESTED", ("MEMBER", "APPROVED", HEAD)), pulls.CHANGES),
    (told(""), ""), (told(None), ""),
    (told("", ("OWNER", "APPROVED", HEAD)), pulls.APPROVED),
    (told("", ("NONE", "APPROVED", HEAD)), ""),
    (told("", ("CONTRIBUTOR", "CHANGES_REQUESTED", HEAD)), ""),
    (told("", ("MEMBER", "APPROVED", HEAD), ("COLLABORATOR", "CHANGES_REQUESTED", OLD)), pulls.CHANGES),
    (told("", ("MEMBER", "COMMENTED", HEAD)), ""),
])
def test_whose_word_counts_and_for_which_commit(found: dict[str, Any], word: str) -> None:
    pull = pulls.parse(found)
    assert pull is not None and pull.word == word


def test_one_from_a_fork_is_not_ours() -> None:
    assert pulls.parse(told("APPROVED", isCrossRepository=True)) is None


@pytest.mark.parametrize("found", [None, [], {}, told("", state="X"), told("", number="1"), told("", latestReviews=[1])])
def test_an_answer_that_cannot_be_read_is_said_so(found: object) -> None:
    with pytest.raises(Corrupt, match="gh's answer"):
        pulls.parse(found)
