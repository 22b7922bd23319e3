"""One commit message of several."""

from __future__ import annotations

import pytest

from gastown_hooks.rules import message

OURS = ["Bead: gp-one", "Claim-Fence: 1"]
END = "Bead: gp-one\nClaim-Fence: 1\n"


@pytest.mark.parametrize("texts, wanted", [
    (["Fix it\n"], f"Fix it\n\n{END}"),
    (["Fix it\n\nWhy: because\n"], f"Fix it\n\nWhy: because\n{END}"),
    (["Fix it\n\nBead: gp-one\nClaim-Fence: 1\n"], f"Fix it\n\n{END}"),
    (["Fix it\n\nBead: gp-other\nSigned-off-by: A <a@x>\n"], f"Fix it\n\nSigned-off-by: A <a@x>\n{END}"),
    (["fix: it\n"], f"fix: it\n\n{END}"),
    (["Fix it\n\nBody: one\nmore text\n"], f"Fix it\n\nBody: one\nmore text\n\n{END}"),
    (["one\n", "two\n\nRefs: 7\n", "three\n\nRefs: 7\n"], f"gp-one: Do it\n\none\n\ntwo\n\nthree\n\nRefs: 7\n{END}"),
    (["", "two"], f"two\n\n{END}"),
    ([""], f"gp-one: Do it\n\n{END}"),
])
def test_messages_and_trailers_are_kept_once(texts: list[str], wanted: str) -> None:
    assert message.combined("gp-one: Do it", texts, OURS) == wanted
