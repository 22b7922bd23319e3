"""Names and links that may not land."""

from __future__ import annotations

import pytest

from gastown_hooks.rules.tree_policy import LINK, SUBMODULE, Entry, refusal


@pytest.mark.parametrize("path", [".git/config", "a/.GIT/x", ".g\u200cit", "\ufeff.git", "git~1", ".git.", ".git ", ".git::$INDEX",
                                  "a\x1bb", "a\nb", "x\x7f", ".gitmodules", "sub/.GitModules", "gitmod~1", ".git\\hooks\\x"])
def test_names_that_are_refused(path: str) -> None:
    assert refusal(Entry(path, "100644"))


@pytest.mark.parametrize("path", ["a", ".gitignore", ".github/workflows/x.yml", ".gitattributes", "git", "x.git", "digit~1", "ä/ü", "a b",
                                  ".gitkeep", "docs/.git-notes"])
def test_names_that_land(path: str) -> None:
    assert refusal(Entry(path, "100644")) is None


@pytest.mark.parametrize(("path", "link"), [("l", "/etc/passwd"), ("l", ".."), ("a/l", "../.."), ("a/l", "../../x"), ("l", "b/../../x"),
                                            ("l", "b/../c"), ("l", ""), ("l", ".git/config"), ("l", "a\\..\\b"), ("a/b/l", "../../.GIT/x")])
def test_links_that_are_refused(path: str, link: str) -> None:
    assert refusal(Entry(path, LINK, link))


@pytest.mark.parametrize(("path", "link"), [("l", "a"), ("l", "a/b"), ("a/l", "../b"), ("a/b/l", "../../c"), ("l", "./a"), ("a/l", "..")])
def test_links_that_land(path: str, link: str) -> None:
    assert refusal(Entry(path, LINK, link)) is None


def test_submodules_are_refused() -> None:
    assert refusal(Entry("vendor/x", SUBMODULE))
