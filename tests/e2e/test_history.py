"""bench/history.py on a history with all the kinds of change that git knows, and with those that a town does not take."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import builders

TAKEN_IN_PART = "What a town does not take, and some that it does"
ODD = os.fsdecode(b"caf\xe9 \xff.txt")  # no UTF-8
SUBMODULE = "160000,1111111111111111111111111111111111111111,vendor/lib"


def nasty(path: Path) -> Path:
    """Eight first-parent commits on a start; `LISTED` says what of them cannot land."""
    repo = builders.make_repo(path, {
        "README.md": "hello\n", "thing": "a file\n", "folder/one": "1\n", "folder/two": "2\n", "script.sh": "#!/bin/sh\n",
        "data.bin": bytes(range(256)), "dos.txt": b"one\r\ntwo\r\n", "no-end": "no newline at the end", "CLAUDE.md": "mine\n",
        "with space/a b": "blank\n", "gone": "going\n", ".gitignore": "*.log\n", ".gitattributes": "*.bat text eol=crlf\n"})
    (repo / ODD).write_text("first\n")
    (repo / "pointer").symlink_to("README.md")
    builders.commit(repo, {"run.bat": b"echo\r\n"}, "The start's odder files")
    files_and_folders(repo)
    modes_and_links(repo)
    builders.commit(repo, {}, "Nothing at all")
    names(repo)
    builders.git(repo, "checkout", "-q", "-b", "side", "HEAD~1")
    builders.commit(repo, {"side/one": "1\n"}, "On a side")
    builders.commit(repo, {"side/two": "2\n", "README.md": "hello from the side\n"}, "On a side again")
    builders.git(repo, "checkout", "-q", "main")
    builders.git(repo, "merge", "-q", "--no-ff", "-m", "Merge the side", "side")
    what_a_town_does_not_take(repo)
    return repo


def files_and_folders(repo: Path) -> None:
    builders.commit(repo, {"thing": None, "thing/inside": "a folder now\n", "README.md": "hello again\n"}, "A file becomes a folder")
    builders.write_files(repo, {"folder/one": None, "folder/two": None})
    (repo / "folder").rmdir()
    builders.commit(repo, {"folder": "a file now\n", "dos.txt": b"one\r\n2\r\n", "run.bat": b"echo 1\r\n", "no-end": "still none"},
                    "-f: a folder becomes 'a file'")


def modes_and_links(repo: Path) -> None:
    builders.write_files(repo, {"gone": None, "pointer": None, "tracked.log": "ignored all the same\n"})
    (repo / "script.sh").chmod(0o755)
    (repo / "gone").symlink_to("README.md")
    builders.git(repo, "add", "--force", "tracked.log")
    builders.commit(repo, {"data.bin": bytes(reversed(range(256))), "empty": b"", "pointer": "a file now\n"},
                    "Modes, links\tand “binary” \udce9")


def names(repo: Path) -> None:
    (repo / ODD).write_text("second\n")
    (repo / f"naïve-{ODD}").write_text("new\n")
    builders.commit(repo, {"with space/ünï \"code\" $(x)": "'\n", "with space/a b": "more\n", "-dash": "-\n"}, "Names #1")


def what_a_town_does_not_take(repo: Path) -> None:
    builders.write_files(repo, {
        ".gitmodules": '[submodule "lib"]\n\tpath = vendor/lib\n\turl = ../lib\n', ".claude/settings.json": "{}\n", "CLAUDE.md": "other\n",
        "sub/CLAUDE.md": "lands\n", "thing/inside": "changed\n", "tab\tname": "odd\n"})
    (repo / "out").symlink_to("/etc/passwd")
    builders.git(repo, "add", "-A")
    builders.git(repo, "update-index", "--add", "--cacheinfo", SUBMODULE)
    builders.git(repo, "commit", "-q", "-m", TAKEN_IN_PART)
    builders.write_files(repo, {"out": None})
    builders.git(repo, "rm", "-q", "--cached", "vendor/lib")
    builders.commit(repo, {"vendor/lib/code.c": "int x;\n", "out": "a plain file\n"}, "Places change hands")


LISTED = {
    ("Nothing at all", "the whole commit", "changes nothing that can be re-applied"),
    (TAKEN_IN_PART, ".claude/settings.json", "outside of workers' sparse trees"),
    (TAKEN_IN_PART, ".gitmodules", ".gitmodules changes what submodules are fetched"),
    (TAKEN_IN_PART, "CLAUDE.md", "outside of workers' sparse trees"),
    (TAKEN_IN_PART, "out", "the link out leads out of the tree, to /etc/passwd"),
    (TAKEN_IN_PART, r"'tab\tname'", r"the name 'tab\tname' holds control characters"),
    (TAKEN_IN_PART, "vendor/lib", "a submodule"),
    ("Places change hands", "vendor/lib", "a submodule"),
    ("Places change hands", "vendor/lib/code.c", "in the place of a path that was left out"),
    ("Places change hands", "out", "in the place of a path that was left out"),
    ("Places change hands", "the whole commit", "changes nothing that can be re-applied"),
}
DIFFERENT = {b".claude/settings.json", b".gitmodules", b"CLAUDE.md", b"out", b"tab\tname", b"vendor/lib/code.c"}


def git(repo: Path, *args: str) -> bytes:
    return subprocess.run(["git", f"--git-dir={repo}", *args], check=True, capture_output=True).stdout


def listing(repo: Path, rev: str) -> dict[bytes, bytes]:
    """Path to mode and object of each file, as git lists them."""
    rows = git(repo, "ls-tree", "-r", "-z", "--full-tree", rev).split(b"\0")
    return {path: entry for entry, _, path in (row.partition(b"\t") for row in rows if row)}


def test_a_nasty_history_lands_again(tmp_path: Path) -> None:
    repo, work = nasty(tmp_path / "nasty"), tmp_path / "work"
    before = git(repo / ".git", "for-each-ref")
    done = builders.run([sys.executable, str(builders.ROOT / "bench/history.py"), str(repo), "-n", "8", "--workers", "3", "--kill", "3",
                         "--think", "1", "--keep", str(work)], env={"GT_WAKE": ""}, timeout=100)
    assert done.code == 0, done.out + done.err
    head, _, tail = done.out.partition("{")
    subjects = dict(line.split(" ", 1) for line in builders.git(repo, "log", "--format=%H %s").splitlines())
    listed = re.findall(r"^left out: (\S+) ('.*?'|the whole commit|\S+): (.*)$", head, re.M)
    assert {(next(subjects[name] for name in subjects if name.startswith(commit)), path, why) for commit, path, why in listed} == LISTED
    told, _ = json.JSONDecoder().raw_decode("{" + tail)
    assert (told["landed"], told["different_paths"], told["left_out"]) == (6, 0, len(LISTED))
    assert told["kills"] == {"runner": 1, "agent": 1, "refinery": 1}
    assert told["most_workers"] > 1 and tail.endswith("identical tree\n")

    again = work / "town/again/.repo.git"
    ours, theirs = listing(repo / ".git", "HEAD"), listing(again, "refs/heads/main")
    assert {path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)} == DIFFERENT
    assert 1 <= len(git(again, "rev-list", "--first-parent", "--merges", "main").split()) <= 6  # several may land as one
    assert before == git(repo / ".git", "for-each-ref") and os.listdir(work / "town/again/polecats") == []
