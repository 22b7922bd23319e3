"""Scenarios of the rarer verbs of a plain repository: what belongs together is there whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from crash import atomic, checker
from crash.atomic import Want, act, after, beads, begun, row
from crash.engine import Command, Scenario, Story
from crash.ground import bd, git, put, run
from crash.trackers import line, repository

PLAN = {"nodes": [{"key": "top", "title": "Top", "type": "epic"}, {"key": "k", "title": "Kid", "parent_key": "top"}],
        "edges": [{"from_key": "k", "to_id": "bd-a"}]}
MARKDOWN = "## First\n\nThe one.\n\n## Second\n\n### Priority\n0\n"


def one_by_one(want: Want) -> Callable[[Story], list[str]]:
    """At any moment each of these beads is as it was, or as it shall be; the others are as they were."""
    def glance(story: Story) -> list[str]:
        found, before = beads(story), checker.Ledger(f"{story.template}/one/.beads")
        half = [bead for bead, values in want.items() if found.lines[bead] != before.lines[bead]
                and any(found.records[bead].get(key) != value for key, value in values.items())]
        return found.violations + checker.untouched(found, before, set(want)) + [f"{bead} is half changed" for bead in half]
    return glance


# ---- one bead each, one verb after the other

SINGLES: Want = {"bd-a": {"defer_until": None}, "bd-b": {"labels": None}, "bd-c": {"dependencies": None}}


def with_much_to_take_back(root: str) -> None:
    begun(root)
    for words in (("defer", "bd-a", "--until", "2099-01-01"), ("label", "add", "bd-b", "x"), ("dep", "add", "bd-c", "bd-a")):
        run(bd(*words, cwd=f"{root}/one"), root)


def take_back(*allowed: int) -> Callable[[str], list[Command]]:
    return lambda root: [bd(*words, cwd=f"{root}/one", allowed=allowed) for words in (
        ("undefer", "bd-a"), ("label", "remove", "bd-b", "x"), ("dep", "remove", "bd-c", "bd-a"))]


def forgotten(story: Story) -> list[str]:
    return beads(story).violations + [f"{name} is still there" for name, bead in beads(story).records.items()
                                      if bead["title"] == "sky" and bead["status"] != "tombstone"]


# ---- new beads, many at once

def planned(root: str) -> None:
    begun(root)
    put(f"{root}/plan.json", json.dumps(PLAN))
    put(f"{root}/plan.md", MARKDOWN)


def titles(*wanted: str) -> tuple[Callable[[Story], list[str]], Callable[[Story], list[str]]]:
    """(check, glance): every run made all of these or none; the last one made them."""
    def counts(story: Story) -> list[int]:
        found = [record.get("title") for record in beads(story).records.values()]
        return [found.count(title) for title in wanted]

    def glance(story: Story) -> list[str]:
        many = counts(story)
        fits = len(set(many)) == 1 and many[0] <= len(story.runs)
        return beads(story).violations + checker.untouched(beads(story), checker.Ledger(f"{story.template}/one/.beads"), set()) + (
            [] if fits else [f"{wanted} are there {many} times"])
    return lambda story: glance(story) + ([] if counts(story)[0] else [f"{wanted} are not made"]), glance


def making(name: str, words: tuple[str, ...], *wanted: str) -> Scenario:
    check, glance = titles(*wanted)
    return Scenario(name, planned, act(*words), check, glance=glance)


# ---- beads and what git says of them

def named_in_git(root: str) -> None:
    begun(root)
    git(f"{root}/one", "add", "-A")
    git(f"{root}/one", "commit", "-q", "-m", "Done (bd-a), and (bd-b)")


def twins(root: str) -> None:
    begun(root)
    for bead in ("bd-t1", "bd-t2", "bd-t3"):
        run(bd("create", "Twin", "--id", bead, cwd=f"{root}/one"), root)


# ---- other files

def whole(path: str, fits: Callable[[bytes], bool]) -> tuple[Callable[[Story], list[str]], Callable[[Story], list[str]]]:
    """(check, glance) of a file: as it was, or as it shall be; in the end, as it shall be."""
    def found(story: Story) -> bytes | None:
        there = Path(f"{story.root}/{path}")
        return there.read_bytes() if there.exists() else None

    def is_right(data: bytes | None) -> bool:
        return data is not None and fits(data)

    def glance(story: Story) -> list[str]:
        data, before = found(story), Path(f"{story.template}/{path}")
        was = before.read_bytes() if before.exists() else None
        return beads(story).violations + ([] if data == was or is_right(data) else [f"{path} holds {data!r}"])
    return lambda story: glance(story) + ([] if is_right(found(story)) else [f"{path} holds {found(story)!r}"]), glance


def of_file(name: str, setup: Callable[[str], None], words: tuple[str, ...], path: str, fits: Callable[[bytes], bool]) -> Scenario:
    check, glance = whole(path, fits)
    return Scenario(name, setup, act(*words), check, glance=glance)


def settings(data: bytes) -> bool:
    return bool(json.loads(data).get("external_projects") == {"x": "../x", "y": "../y"})


def exported(root: str) -> None:
    begun(root)
    put(f"{root}/one/out.jsonl", line("bd-a"))


def apart(root: str) -> None:
    begun(root)
    put(f"{root}/one/base", line("bd-a"))
    put(f"{root}/one/ours", line("bd-a", notes="ours"))
    put(f"{root}/one/theirs", line("bd-a", priority=0) + line("bd-z"))


def merged(data: bytes) -> bool:
    found = {bead["id"]: bead for bead in map(json.loads, data.splitlines())}
    return data.endswith(b"\n") and sorted(found) == ["bd-a", "bd-z"] and (found["bd-a"]["notes"], found["bd-a"]["priority"]) == ("ours", 0)


def with_a_project(root: str) -> None:
    begun(root)
    repository(root, "api", issues=line("bd-x"))
    run(bd("config", "set", "external_projects.api", "../api", cwd=f"{root}/one"), root)
    run(bd("dep", "add", "bd-a", "external:api:bd-x", cwd=f"{root}/one"), root)


def looked_up(data: bytes) -> bool:
    return b"bd-x" in data and isinstance(json.loads(data), dict)


def entries(story: Story) -> list[str]:
    """What was recorded: whole lines, one a run at most."""
    path = Path(f"{story.root}/one/.beads/local/interactions.jsonl")
    texts = path.read_bytes().split(b"\n") if path.exists() else [b""]
    kinds = [json.loads(text)["kind"] for text in texts[:-1]]
    return [] if kinds == ["tool_call"] * len(kinds) and len(kinds) <= len(story.runs) else [f"recorded: {texts}"]


def recorded(story: Story) -> list[str]:
    return entries(story) + ([] if os.path.exists(f"{story.root}/one/.beads/local/interactions.jsonl") else ["nothing is recorded"])


SCENARIOS = [
    Scenario("bd-taking-back", with_much_to_take_back, take_back(0), atomic.both(atomic.changes(SINGLES)[0], one_by_one(SINGLES)),
             glance=one_by_one(SINGLES), recover=take_back(0, 1)),
    Scenario("bd-forget", after("remember", "blue", "--key", "sky"), act("forget", "sky"), forgotten, retry=1,
             glance=lambda story: beads(story).violations),
    row("bd-label-propagate", ("label", "propagate", "bd-e", "x"), {"bd-e.1": {"labels": ["x"]}, "bd-e.2": {"labels": ["x"]}}),
    row("bd-unrelate", ("dep", "unrelate", "bd-a", "bd-b"), {"bd-a": {"dependencies": None}, "bd-b": {"dependencies": None}},
        atomic.related, setup=after("dep", "relate", "bd-a", "bd-b"), retry=1),
    row("bd-delete-cascade", ("delete", "bd-e", "--cascade", "--force"), {bead: {"status": "tombstone"} for bead in (
        "bd-e", "bd-e.1", "bd-e.2")}, retry=1),
    row("bd-epic-close-eligible", ("epic", "close-eligible"), {"bd-e": {"status": "closed"}}, setup=after("close", "bd-e.1", "bd-e.2")),
    row("bd-orphans-fix", ("orphans", "--fix"), {bead: {"status": "closed"} for bead in ("bd-a", "bd-b")}, setup=named_in_git),
    row("bd-duplicates-merge", ("duplicates", "--auto-merge"), {bead: {"status": "closed"} for bead in ("bd-t2", "bd-t3")}, setup=twins),
    making("bd-q", ("q", "Quick"), "Quick"),
    making("bd-create-file", ("create", "--file", "../plan.md"), "First", "Second"),
    making("bd-create-graph", ("create", "--graph", "../plan.json"), "Top", "Kid"),
    of_file("bd-config-set-many", begun, ("config", "set-many", "external_projects.x=../x", "external_projects.y=../y"),
            "one/.beads/config.json", settings),
    of_file("bd-export", exported, ("export", "-o", "out.jsonl"), "one/out.jsonl",
            lambda data: data.count(b"\n") == 6 == data.count(b"title") and data.endswith(b"\n")),
    of_file("bd-merge", apart, ("merge", "base", "ours", "theirs"), "one/ours", merged),
    replace(of_file("bd-external-refresh", with_a_project, ("external", "refresh"), "one/.beads/local/external.json", looked_up),
            promises=False),  # what it keeps is a cache
    Scenario("bd-audit-record", begun, act("audit", "record", "--kind", "tool_call", "--tool-name", "x"), recorded, glance=entries),
]
