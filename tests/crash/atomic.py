"""Scenarios of the verbs that change several beads, or several files, of a plain repository: whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from crash import checker
from crash.engine import Command, Scenario, Story
from crash.ground import bd, git, put, run
from crash.trackers import line, repository

Want = Mapping[str, Mapping[str, object]]  # bead, field: value
_EDGE = {"issue_id": "bd-a", "created_at": "2026-01-01T00:00:00Z"}


def begun(root: str) -> None:
    """An epic with two steps, a bead with a twin, some that are none's."""
    edges = [{**_EDGE, "issue_id": f"bd-e.{n}", "depends_on_id": "bd-e", "type": "parent-child"} for n in (1, 2)]
    repository(root, "one", issues="".join((
        line("bd-a"), line("bd-b", priority=1), line("bd-c", description="see bd-a"), line("bd-e", issue_type="epic", priority=4),
        line("bd-e.1", dependencies=edges[:1], priority=4), line("bd-e.2", dependencies=edges[1:], priority=4))))


def act(*words: str) -> Callable[[str], list[Command]]:
    return lambda root: [bd(*words, cwd=f"{root}/one")]


def beads(story: Story) -> checker.Ledger:
    return checker.Ledger(f"{story.root}/one/.beads")


def changes(want: Want) -> tuple[Callable[[Story], list[str]], Callable[[Story], list[str]]]:
    """(check, glance): all of this is so; all of it or, still as before, nothing."""
    def wrong(story: Story) -> list[str]:
        records = beads(story).records
        return [f"{bead} {key} is {records.get(bead, {}).get(key)!r}" for bead, values in want.items() for key, value in values.items()
                if records.get(bead, {}).get(key) != value]

    def check(story: Story) -> list[str]:
        return beads(story).violations + wrong(story) + checker.untouched(
            beads(story), checker.Ledger(f"{story.template}/one/.beads"), set(want))

    def glance(story: Story) -> list[str]:
        same = beads(story).lines == checker.Ledger(f"{story.template}/one/.beads").lines
        return beads(story).violations + ([] if same else wrong(story))
    return check, glance


def put_aside(kind: str) -> Want:
    word = {"supersedes": "Superseded by bd-b", "duplicates": "Duplicate of bd-b"}[kind]
    return {"bd-a": {"status": "closed", "close_reason": word}}


def linked(kind: str) -> Callable[[Story], list[str]]:
    """A bead that is closed for another one's sake says for whose."""
    def check(story: Story) -> list[str]:
        bead = beads(story).records["bd-a"]
        edges = [(edge["depends_on_id"], edge["type"]) for edge in bead.get("dependencies", [])]
        return [] if bead.get("status") != "closed" or edges == [("bd-b", kind)] else [f"bd-a is closed with {edges}"]
    return check


def both(*checks: Callable[[Story], list[str]]) -> Callable[[Story], list[str]]:
    return lambda story: [bad for check in checks for bad in check(story)]


# ---- another prefix

def renamed(new: str) -> Callable[[Story], list[str]]:
    """Every bead under its new id, the old one a tombstone, and the settings say so."""
    def check(story: Story) -> list[str]:
        live = {bead for bead, record in beads(story).records.items() if record.get("status") != "tombstone"}
        wanted = {f"{new}-{part}" for part in ("a", "b", "c", "e", "e.1", "e.2")}
        with open(f"{story.root}/one/.beads/config.json", encoding="utf-8") as file:
            prefix = json.load(file)["issue_prefix"]
        return (beads(story).violations + ([] if live == wanted else [f"alive: {sorted(live)}"])
                + ([] if prefix == new else [f"the prefix is {prefix}"]))
    return check


def nobody_lost(story: Story) -> list[str]:
    live = {bead.partition("-")[2] for bead, record in beads(story).records.items() if record.get("status") != "tombstone"}
    return [] if live == {"a", "b", "c", "e", "e.1", "e.2"} else [f"alive: {sorted(live)}"]


def as_many(story: Story) -> list[str]:
    live = [bead for bead, record in beads(story).records.items() if record.get("status") != "tombstone"]
    return [] if len(live) == 6 else [f"alive: {sorted(live)}"]


# ---- init, hooks

def bare(root: str) -> None:
    git(root, "init", "-q", "-b", "main", "one")
    put(f"{root}/one/code.txt", "1\n")
    git(f"{root}/one", "add", "-A")
    git(f"{root}/one", "commit", "-q", "-m", "start")
    put(f"{root}/one/.git/hooks/pre-commit", "#!/bin/sh\necho mine\n")
    os.chmod(f"{root}/one/.git/hooks/pre-commit", 0o755)


def made(story: Story) -> list[str]:
    top = f"{story.root}/one"
    missing = [path for path in ("issues.jsonl", "config.json", ".gitignore", ".gitattributes", "local")
               if not os.path.exists(f"{top}/.beads/{path}")]
    driver = checker.git(top, "config", "--get", "merge.beads.driver", check=False)
    return [f"{path} is missing" for path in missing] + ([] if driver else ["no merge driver"]) + beads(story).violations


def code_is_sound(story: Story) -> list[str]:
    with open(f"{story.root}/one/code.txt", encoding="utf-8") as file:
        return checker.sound(f"{story.root}/one") + ([] if file.read() == "1\n" else ["the code was touched"])


def initialised(root: str) -> None:
    bare(root)
    run(bd("init", "--prefix", "bd", cwd=f"{root}/one"), root)


NAMES = ("pre-commit", "prepare-commit-msg", "pre-push", "post-merge", "post-checkout")


def hooked(story: Story) -> list[str]:
    folder = f"{story.root}/one/.git/hooks"
    missing = [name for name in NAMES if not os.access(f"{folder}/{name}", os.X_OK)]
    return [f"{name} is not in" for name in missing] + mine_is_kept(story) + code_is_sound(story)


def mine_is_kept(story: Story) -> list[str]:
    """The hook that was there is at its place or behind ours."""
    folder = f"{story.root}/one/.git/hooks"
    found = [name for name in ("pre-commit", "pre-commit.before-bd") if os.path.exists(f"{folder}/{name}")
             and b"echo mine" in Path(f"{folder}/{name}").read_bytes()]
    return [] if len(found) == 1 else [f"the hook that was there is in {found}"]


def with_hooks(root: str) -> None:
    initialised(root)
    run(bd("hooks", "install", cwd=f"{root}/one"), root)


def unhooked(story: Story) -> list[str]:
    left = sorted(name for name in os.listdir(f"{story.root}/one/.git/hooks") if not name.endswith(".sample"))
    return mine_is_kept(story) + code_is_sound(story) + ([] if left == ["pre-commit"] else [f"in the folder are {left}"])


# ---- the first that is ready; another id; a removal

def taken(story: Story) -> list[str]:
    """A repeated command takes the next one: as many as commands at most, in order, and each wholly."""
    records = beads(story).records
    have = [bead for bead in ("bd-b", "bd-a", "bd-c") if records[bead].get("status", "open") != "open"]
    whole = all(records[bead].get(key) == value for bead in have for key, value in TAKEN.items())
    fits = whole and have == ["bd-b", "bd-a", "bd-c"][:len(have)] and len(have) <= len(story.runs)
    return beads(story).violations + ([] if fits else [f"taken: {have} after {len(story.runs)} commands"])


def at_least_one(story: Story) -> list[str]:
    return taken(story) + ([] if beads(story).records["bd-b"].get("assignee") else ["nothing is taken"])


def called(story: Story) -> list[str]:
    """The bead has one id, and what mentions it mentions that one."""
    records = beads(story).records
    live = [bead for bead in ("bd-a", "bd-new") if bead in records and records[bead].get("status") != "tombstone"]
    told = records["bd-c"]["description"]
    return beads(story).violations + ([] if len(live) == 1 and told == f"see {live[0]}" else [f"{live} is alive, bd-c says {told!r}"])


def renamed_one(story: Story) -> list[str]:
    return called(story) + ([] if "bd-new" in beads(story).records else ["bd-a has its old id"])


def plan(root: str) -> None:
    begun(root)
    put(f"{root}/plan.txt", "update bd-a priority=0\ndep add bd-c bd-e\nclose bd-b\nupdate bd-e.1 assignee=me\n")


BATCH = changes({"bd-a": {"priority": 0}, "bd-b": {"status": "closed"}, "bd-e.1": {"assignee": "me"}, "bd-c": {}})


def row(name: str, words: tuple[str, ...], want: Want, *also: Callable[[Story], list[str]],
        setup: Callable[[str], None] = begun, retry: int = 0) -> Scenario:
    check, glance = changes(want)
    return Scenario(name, setup, act(*words), both(check, *also), glance=both(glance, *also), retry=retry)


# ---- one word about one bead

def after(*words: str) -> Callable[[str], None]:
    def setup(root: str) -> None:
        begun(root)
        run(bd(*words, cwd=f"{root}/one"), root)
    return setup


def adding(name: str, field: str, words: tuple[str, ...]) -> Scenario:
    """A verb that adds anew each time: no more often than it was said, and at least once."""
    def glance(story: Story) -> list[str]:
        found = beads(story)
        count = len(found.records["bd-a"].get(field, []))
        return found.violations + checker.untouched(found, checker.Ledger(f"{story.template}/one/.beads"), {"bd-a"}) + (
            [] if count <= len(story.runs) else [f"bd-a has {count} {field} after {len(story.runs)} commands"])

    def check(story: Story) -> list[str]:
        return glance(story) + ([] if beads(story).records["bd-a"].get(field) else [f"bd-a has no {field}"])
    return Scenario(name, begun, act(*words), check, glance=glance)


def related(story: Story) -> list[str]:
    """Either both say so or neither."""
    said = [[edge["depends_on_id"] for edge in beads(story).records[bead].get("dependencies", [])] for bead in ("bd-a", "bd-b")]
    return [] if said in ([[], []], [["bd-b"], ["bd-a"]]) else [f"related: {said}"]


def remembered(story: Story) -> list[str]:
    found = [record for record in beads(story).records.values() if record.get("description") == "the sky"]
    return beads(story).violations + ([] if len(found) == 1 else [f"remembered {len(found)} times"])


def at_most_once(story: Story) -> list[str]:
    found = [record for record in beads(story).records.values() if record.get("description") == "the sky"]
    return beads(story).violations + ([] if len(found) <= 1 else [f"remembered {len(found)} times"])


# ---- the archive

AGED = [f"bd-o{n}" for n in range(4)]


def aged(*options: str) -> Callable[[str], None]:
    """Beads that closed long ago, in two years, one of which an open bead needs; written since the last fold: one."""
    def setup(root: str) -> None:
        closed = [line(bead, status="closed", closed_at=f"202{n % 2 + 4}-06-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z")
                  for n, bead in enumerate(AGED)]
        needs = [{**_EDGE, "depends_on_id": "bd-n", "type": "blocks"}]
        repository(root, "one", *options, issues="".join((
            line("bd-a", dependencies=needs), line("bd-n", status="closed", closed_at="2024-01-01T00:00:00Z"), *closed)))
        run(bd("create", "New", "--id", "bd-z", cwd=f"{root}/one"), root)
    return setup


def where_each_is(story: Story) -> dict[str, list[bytes]]:
    """Bead: its lines, in the ledger and in the archive."""
    folder = f"{story.root}/one/.beads"
    found = {bead: [text] for bead, text in beads(story).lines.items()}
    for name in os.listdir(f"{folder}/archive") if os.path.isdir(f"{folder}/archive") else []:
        data = b"" if name.startswith(".") else Path(f"{folder}/archive/{name}").read_bytes()
        for text in data.splitlines():
            found.setdefault(json.loads(text)["id"], []).append(text)
    return found


def readable(story: Story) -> list[str]:
    """Every bead is in one place, or in two alike, with the very bytes it had."""
    lines, places = checker.Ledger(f"{story.template}/one/.beads").lines, where_each_is(story)
    wrong = [f"{bead} is {places.get(bead)}" for bead, text in lines.items() if set(places.get(bead, ())) != {text}]
    return beads(story).violations + wrong


def archived(story: Story) -> list[str]:
    places, left = where_each_is(story), set(beads(story).lines)
    return readable(story) + [f"{bead} is in {len(found)} places" for bead, found in places.items() if len(found) != 1] + (
        [] if left == {"bd-a", "bd-n", "bd-z"} else [f"the ledger holds {sorted(left)}"])


def committed(root: str) -> None:
    aged()(root)
    for bead in AGED:
        run(bd("update", bead, "-d", "What it was.\n\n" + "and why " * 60, cwd=f"{root}/one"), root)
    run(Command(("git", "-C", f"{root}/one", "add", "-A")), root)
    git(f"{root}/one", "commit", "-q", "-m", "beads")


def whole_or_short(story: Story) -> list[str]:
    """A bead has its text, or the commit that has it is kept."""
    bad = []
    for bead in AGED:
        record = beads(story).records[bead]
        pin = f"refs/gt/compacted/{record.get('compacted_at_commit')}"
        kept = checker.git(f"{story.root}/one", "rev-parse", "-q", "--verify", pin, check=False)
        bad += [] if len(record["description"]) > 400 or kept else [f"{bead} has lost its text"]
    return bad


def shortened(story: Story) -> list[str]:
    return whole_or_short(story) + [f"{bead} is not short" for bead in AGED if beads(story).records[bead]["description"] != "What it was."]


def named(root: str) -> None:
    begun(root)
    run(bd("dep", "relate", "bd-c", "bd-a", cwd=f"{root}/one"), root)


def unnamed(story: Story) -> list[str]:
    """Whoever names a bead names one that stands or one that he knows to be deleted."""
    found = beads(story)
    gone = found.records.get("bd-a", {}).get("status", "") == "tombstone" or "bd-a" not in found.records
    text = found.records["bd-c"]["description"]
    return found.violations + ([] if (text == "see [deleted:bd-a]") is gone else [f"bd-c says: {text}"])


def forgotten(story: Story) -> list[str]:
    return unnamed(story) + (["bd-a is still there"] if "bd-a" in beads(story).records else [])


# ---- wisps

def wisp(root: str) -> None:
    begun(root)
    run(bd("create", "Wisp", "--ephemeral", "--id", "bd-w", cwd=f"{root}/one"), root)


def somewhere(bead: str, *, kept: bool) -> tuple[Callable[[Story], list[str]], Callable[[Story], list[str]]]:
    """(check, glance): the bead ended up there; it is there or, still, where it was; never nowhere."""
    def shown(story: Story) -> tuple[object, bool]:
        line_now = beads(story).records.get(bead, {})
        path = Path(f"{story.root}/one/.beads/local/wisps.jsonl")
        wisps = {found["id"]: found for found in map(json.loads, path.read_bytes().splitlines())} if path.exists() else {}
        is_kept = bool(line_now) and line_now.get("status") != "tombstone"
        return (line_now if is_kept else wisps.get(bead, {})).get("id"), is_kept

    def glance(story: Story) -> list[str]:
        return beads(story).violations + ([] if shown(story)[0] else [f"{bead} is nowhere"])

    def check(story: Story) -> list[str]:
        return glance(story) + ([] if shown(story)[1] is kept else [f"{bead} is kept: {not kept}"])
    return check, glance


def waiting(root: str) -> None:
    begun(root)
    run(bd("create", "Wisp", "--ephemeral", "--id", "bd-w", "--deps", "bd-c", cwd=f"{root}/one"), root)


def followed(story: Story) -> list[str]:
    """What waits for a bead that has another id now waits for that one."""
    path = Path(f"{story.root}/one/.beads/local/wisps.jsonl")
    targets = [edge["depends_on_id"] for text in path.read_bytes().splitlines() for edge in json.loads(text).get("dependencies", ())]
    return beads(story).violations + ([] if targets == ["bd-new"] and "bd-new" in beads(story).records else [f"it waits for {targets}"])


def moved(name: str, setup: Callable[[str], None], bead: str, *, kept: bool) -> Scenario:
    check, glance = somewhere(bead, kept=kept)
    return Scenario(name, setup, act("update", bead, "--persistent" if kept else "--ephemeral"), check, glance=glance)


TAKEN = {"status": "in_progress", "assignee": "overseer"}
SCENARIOS = [
    row("bd-label", ("label", "add", "bd-a", "x"), {"bd-a": {"labels": ["x"]}}),
    row("bd-defer", ("defer", "bd-a", "--until", "2099-01-01"), {"bd-a": {"defer_until": "2099-01-01T00:00:00.000000Z"}}),
    row("bd-delete", ("delete", "bd-b", "--force"), {"bd-b": {"status": "tombstone"}}, retry=1),
    row("bd-restore", ("restore", "bd-b"), {"bd-b": {"status": "open", "title": "bd-b"}}, setup=after("delete", "bd-b", "--force")),
    row("bd-reopen", ("reopen", "bd-b"), {"bd-b": {"status": "open", "closed_at": None}}, setup=after("close", "bd-b")),
    row("bd-relate", ("dep", "relate", "bd-a", "bd-b"), {"bd-a": {}, "bd-b": {}}, related),
    adding("bd-comment", "comments", ("comment", "bd-a", "hello")),
    adding("bd-validate", "validations", ("validate", "bd-a", "--pass")),
    Scenario("bd-remember", begun, act("remember", "the sky"), remembered, glance=at_most_once),
    row("bd-supersede", ("supersede", "bd-a", "--with", "bd-b"), put_aside("supersedes"), linked("supersedes")),
    row("bd-duplicate", ("duplicate", "bd-a", "--of", "bd-b"), put_aside("duplicates"), linked("duplicates")),
    row("bd-close-continue", ("close", "bd-e.1", "--continue"), {"bd-e.1": {"status": "closed"}, "bd-e.2": TAKEN}),
    row("bd-close-claim-next", ("close", "bd-a", "--claim-next"), {"bd-a": {"status": "closed"}, "bd-b": TAKEN}),
    Scenario("bd-rename-wisps", waiting, act("rename", "bd-c", "bd-new"), followed, glance=lambda story: beads(story).violations),
    moved("bd-update-ephemeral", begun, "bd-c", kept=False),
    moved("bd-update-persistent", wisp, "bd-w", kept=True),
    Scenario("bd-delete-hard", named, act("delete", "bd-a", "--hard", "--force"), forgotten, glance=unnamed, retry=1),
    Scenario("bd-batch", plan, act("batch", "--file", "../plan.txt"), BATCH[0], glance=BATCH[1]),
    Scenario("bd-rename-prefix", begun, act("rename-prefix", "web"), renamed("web"), glance=nobody_lost),
    Scenario("bd-rename-prefix-longer", begun, act("rename-prefix", "bd-x"), renamed("bd-x"), glance=as_many),
    Scenario("bd-rename-prefix-back", after("rename-prefix", "web"), act("rename-prefix", "bd"), renamed("bd"), glance=nobody_lost),
    Scenario("bd-rename", begun, act("rename", "bd-a", "bd-new"), renamed_one, glance=called),
    Scenario("bd-ready-claim", begun, act("ready", "--claim"), at_least_one, glance=taken),
    Scenario("bd-archive", aged(), act("archive"), archived, glance=readable),
    Scenario("bd-archive-own-branch", aged("--own-branch"), act("archive"), archived, glance=readable),
    Scenario("bd-compact", committed, act("compact", "--days", "0"), shortened, glance=whole_or_short),
    Scenario("bd-init", bare, act("init", "--prefix", "bd"), made, glance=code_is_sound),
    Scenario("bd-hooks-install", initialised, act("hooks", "install"), hooked, glance=mine_is_kept),
    Scenario("bd-hooks-uninstall", with_hooks, act("hooks", "uninstall"), unhooked, glance=mine_is_kept),
]
