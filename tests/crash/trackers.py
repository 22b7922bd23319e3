"""Scenarios of a plain repository's ledger: sync with a remote that is ahead, import, the cure of a damaged file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from crash import checker
from crash.engine import Command, Scenario, Story
from crash.ground import bd, git, put, run

CODE, DIRTY = "1\n", "not committed\n"


def line(bead: str, **values: object) -> str:
    stamp = "2026-01-01T00:00:00Z"
    return json.dumps({"id": bead, "title": bead, "priority": 2, "created_at": stamp, "updated_at": stamp} | values) + "\n"


def repository(root: str, name: str, *options: str, issues: str = "") -> None:
    git(root, "init", "-q", "-b", "main", name)
    put(f"{root}/{name}/code.txt", CODE)
    git(f"{root}/{name}", "add", "-A")
    git(f"{root}/{name}", "commit", "-q", "-m", "start")
    if issues:
        put(f"{root}/{name}/.beads/issues.jsonl", issues)
    run(bd("init", "--prefix", "bd", *options, cwd=f"{root}/{name}"), root)


# ---- sync

def apart(*options: str) -> Callable[[str], None]:
    """Two clones; the remote has what the other pushed, here are edits, a commit of code and a file that is not committed."""
    def setup(root: str) -> None:
        git(root, "init", "-q", "--bare", "-b", "main", "origin.git")
        repository(root, "one", *options, issues=line("bd-a") + line("bd-b") + line("bd-c"))
        git(f"{root}/one", "remote", "add", "origin", "../origin.git")
        git(f"{root}/one", "push", "-q", "origin", "main")
        run(bd("sync", "--push", cwd=f"{root}/one"), root)
        git(root, "clone", "-q", "origin.git", "two")
        git(f"{root}/two", "remote", "set-url", "origin", "../origin.git")
        for words in (["init"], ["update", "bd-a", "--title", "theirs"], ["create", "Theirs", "--id", "bd-t"], ["sync", "--push"]):
            run(bd(*words, cwd=f"{root}/two"), root)
        put(f"{root}/one/new.txt", CODE)
        git(f"{root}/one", "add", "new.txt")
        git(f"{root}/one", "commit", "-q", "-m", "code")
        put(f"{root}/one/code.txt", DIRTY)
        for words in (["update", "bd-a", "-p", "0"], ["close", "bd-b"], ["create", "Ours", "--id", "bd-o"]):
            run(bd(*words, cwd=f"{root}/one"), root)
    return setup


def sync(root: str) -> list[Command]:
    return [bd("sync", cwd=f"{root}/one")]


def pushed(story: Story) -> bytes:
    branch = "beads" if checker.git(f"{story.root}/origin.git", "rev-parse", "-q", "--verify", "refs/heads/beads", check=False) else "main"
    return checker.git(f"{story.root}/origin.git", "cat-file", "blob", f"{branch}:.beads/issues.jsonl").encode() + b"\n"


def nothing_lost(story: Story) -> list[str]:
    """At any moment: what was acknowledged here is here, what was pushed is there, and nobody touched the code."""
    ledger, there = checker.Ledger(f"{story.root}/one/.beads"), {r["id"]: r for r in map(json.loads, pushed(story).splitlines())}
    bad = [*ledger.violations]
    for bead, key, value in (("bd-a", "priority", 0), ("bd-b", "status", "closed"), ("bd-o", "title", "Ours")):
        bad += [] if ledger.records.get(bead, {}).get(key) == value else [f"{bead} {key} is not {value!r} here"]
    for bead, key, value in (("bd-a", "title", "theirs"), ("bd-t", "title", "Theirs"), ("bd-c", "title", "bd-c")):
        bad += [] if there.get(bead, {}).get(key) == value else [f"{bead} {key} is not {value!r} there"]
    with open(f"{story.root}/one/code.txt", encoding="utf-8") as file:
        bad += [] if file.read() == DIRTY else ["the uncommitted file was touched"]
    remote = checker.git(f"{story.root}/origin.git", "ls-tree", "--name-only", "main").split()
    bad += ["code was pushed"] if "new.txt" in remote else []
    return bad + checker.sound(f"{story.root}/one") + checker.sound(f"{story.root}/origin.git")


def as_one(story: Story) -> list[str]:
    ledger, there = checker.Ledger(f"{story.root}/one/.beads"), pushed(story)
    bad = [] if b"".join(ledger.lines[bead] + b"\n" for bead in sorted(ledger.lines)) == there else ["the remote is not what is here"]
    changed = checker.git(f"{story.root}/one", "status", "--porcelain")
    bad += [] if changed == "M code.txt" or changed == " M code.txt" else [f"git status: {changed!r}"]
    left = [name for name in os.listdir(f"{story.root}/one/.beads/local") if name.startswith("sync.index")]
    return bad + [f"left behind: {name}" for name in left] + nothing_lost(story)


# ---- import, doctor

NEW = [f"bd-n{n:02d}" for n in range(20)]
BAD = '<<<<<<< HEAD\n{"id":"bd-x","title":"cu\n'


def one_file(root: str) -> None:
    repository(root, "one", issues=line("bd-a") + line("bd-b"))
    put(f"{root}/in.jsonl", line("bd-a", notes="from there") + "".join(map(line, NEW)))


def imports(root: str) -> list[Command]:
    return [bd("import", "../in.jsonl", cwd=f"{root}/one")]


def all_or_nothing(story: Story) -> list[str]:
    ledger = checker.Ledger(f"{story.root}/one/.beads")
    count = sum(bead in ledger.records for bead in NEW) + (ledger.records["bd-a"].get("notes") == "from there")
    return [*ledger.violations, *([] if count in (0, len(NEW) + 1) else [f"{count} of {len(NEW) + 1} are imported"])]


def imported(story: Story) -> list[str]:
    ledger = checker.Ledger(f"{story.root}/one/.beads")
    return all_or_nothing(story) + ([] if NEW[0] in ledger.records and "bd-b" in ledger.records else ["nothing is imported"])


def damaged(root: str) -> None:
    repository(root, "one", issues=line("bd-a") + line("bd-b"))
    with open(f"{root}/one/.beads/issues.jsonl", "a", encoding="utf-8") as file:
        file.write(BAD)


def cure(root: str) -> list[Command]:
    return [bd("doctor", "--fix", cwd=f"{root}/one")]


def no_line_lost(story: Story) -> list[str]:
    found = b""
    for name in ("issues.jsonl", "quarantine.log"):
        if os.path.exists(f"{story.root}/one/.beads/{name}"):
            with open(f"{story.root}/one/.beads/{name}", "rb") as file:
                found += file.read()
    return [f"lost: {one!r}" for one in (line("bd-a") + line("bd-b") + BAD).encode().splitlines() if one not in found.splitlines()]


def cured(story: Story) -> list[str]:
    return checker.Ledger(f"{story.root}/one/.beads").violations + no_line_lost(story)


SCENARIOS = [
    Scenario("bd-sync-own-branch", apart("--own-branch"), sync, as_one, glance=nothing_lost),
    Scenario("bd-sync-code-branch", apart(), sync, as_one, glance=nothing_lost),
    Scenario("bd-import", one_file, imports, imported, glance=all_or_nothing),
    Scenario("bd-doctor-fix", damaged, cure, cured, glance=no_line_lost),
]
