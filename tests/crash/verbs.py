"""Scenarios of the commands: what people and workers do in a town with one rig and a remote."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable

from crash import checker
from crash.engine import Check, Command, Scenario, Story, spelled
from crash.ground import (
    BEADS,
    RIG,
    always,
    bd,
    bystanders,
    commit,
    committed,
    git,
    gt,
    laws,
    leases,
    put,
    rig_add,
    rig_less,
    rigged,
    run,
    sling,
    sling_again,
    slung,
    town_of,
    worker,
)

# ---- a town

def install_act(root: str) -> list[Command]:
    return [gt("install", f"{root}/town")]


def installed(story: Story) -> list[str]:
    town = f"{story.root}/town"
    missing = [path for path in ("mayor/town.json", ".beads/issues.jsonl", ".beads/routes.jsonl", ".beads/config.json", "mayor/mail/new",
                                 "deacon/mail/new", "settings/config.json") if not os.path.exists(f"{town}/{path}")]
    return [f"{path} is missing" for path in missing] + checker.readers_see(town) + checker.Ledger(f"{town}/.beads").violations


def whole_or_no_town(story: Story) -> list[str]:
    """A marked town is a whole town."""
    town = f"{story.root}/town"
    return installed(story) if os.path.exists(f"{town}/mayor/town.json") else checker.readers_see(town)


def rig_there(story: Story) -> list[str]:
    town = town_of(story)
    missing = [path for path in ("config.json", ".beads/issues.jsonl", ".beads/config.json", ".repo.git/HEAD", "mayor/rig/.git",
                                 "refinery/rig/.git", "witness", "polecats") if not os.path.exists(f"{town.rig}/{path}")]
    bad = [f"{path} is missing" for path in missing]
    routes = [line.get("prefix") for line in checker.json_lines(f"{town.root}/.beads/routes.jsonl")]
    bad += [] if sum(str(prefix).startswith(RIG) for prefix in routes) == 1 else [f"routes: {routes}"]
    left = sorted(name for name in os.listdir(town.root) if name not in ALWAYS and name != RIG)
    return bad + ([f"left behind: {left}"] if left else []) + (laws(story) if not missing else [])


ALWAYS = {".beads", ".events.jsonl", ".runtime", "mayor", "deacon", "overseer", "daemon", "settings", ".removed"}


def rig_or_none(story: Story) -> list[str]:
    return rig_there(story) if os.path.exists(f"{story.root}/town/{RIG}/config.json") else checker.readers_see(f"{story.root}/town")


# ---- work

def claimed(*beads: str) -> Check:
    def check(story: Story) -> list[str]:
        town, held = town_of(story), leases(story.root)
        ledger, bad = town.ledger(), []
        for bead in beads:
            record, lease = ledger.records[bead], held.get(bead)
            if record.get("status") != "hooked" or not record.get("claim_fence"):
                bad.append(f"{bead} is {record.get('status')} at fence {record.get('claim_fence')}")
            elif lease is None:
                bad.append(f"{bead} has no lease")
            elif (lease["state"], lease["fence"], lease["actor"]) != ("ready", record["claim_fence"], record["assignee"]):
                bad.append(f"{bead} is with {record['assignee']} at fence {record['claim_fence']}, its lease says {lease}")
            elif checker.git(str(lease["tree"]), "symbolic-ref", "HEAD") != f"refs/heads/{lease['branch']}":
                bad.append(f"{bead}: the tree is not on its branch")
            elif checker.git(str(lease["tree"]), "status", "--porcelain"):
                bad.append(f"{bead}: the new tree is dirty")
        slots = os.listdir(f"{town.rig}/polecats")
        bad += [f"slots for {len(beads)} beads: {sorted(slots)}"] if len(slots) != len(beads) else []
        convoys = checker.Ledger(f"{town.root}/.beads").records.values()
        followed = [edge["depends_on_id"] for one in convoys for edge in one.get("dependencies", [])]
        bad += [] if sorted(followed) == sorted(beads) else [f"convoys track {followed}"]
        fences = [r.get("claim_fence") for r in ledger.records.values() if r.get("claim_fence")]
        return bad + ([f"a fence twice: {fences}"] if len(set(fences)) != len(fences) else []) + laws(story) + bystanders(story, *beads)
    return check


def done_act(root: str) -> list[Command]:
    return [worker(root, BEADS[0], "done")]


def submitted(story: Story) -> list[str]:
    town = town_of(story)
    found = [r for r in checker.requests(town.ledger()) if checker.metadata(r).get("source") == BEADS[0]]
    if len(found) != 1:
        return [f"{len(found)} merge requests", *laws(story)]
    data, lease = checker.metadata(found[0]), leases(story.root)[BEADS[0]]
    head = checker.git(str(lease["tree"]), "rev-parse", "HEAD")
    bad = [] if (data.get("state"), data.get("head"), data.get("fence")) == ("queued", head, lease["fence"]) else [f"the request is {data}"]
    bad += [] if lease["state"] == "done" else [f"the lease is {lease['state']}"]
    pushed = checker.git(town.origin, "rev-parse", f"refs/heads/{lease['branch']}", check=False)
    noted = [line for line in checker.json_lines(f"{town.root}/.events.jsonl") if line["type"] == "push_failed"]
    bad += [] if pushed == head or noted else ["the branch is neither pushed nor is it noted that it could not be"]
    return bad + laws(story) + bystanders(story, BEADS[0], found[0]["id"])


# ---- a worker's end

STASHED, STAGED, LOOSE = "stashed work\n", "staged work\n", "untracked work\n"


def messy(root: str) -> None:
    """A worker with a commit, a stash, staged and untracked files, and an ignored one."""
    slung(root)
    commit(root, BEADS[0], {"one.txt": "1\n"})
    tree = str(leases(root)[BEADS[0]]["tree"])
    put(f"{tree}/src/app.py", STASHED)
    git(tree, "-c", "core.hooksPath=/dev/null", "stash", "push", "-q", "-m", "half an idea")
    put(f"{tree}/staged.txt", STAGED)
    git(tree, "add", "staged.txt")
    put(f"{tree}/loose.txt", LOOSE)
    put(f"{tree}/noise.log", "ignored\n")


def nuke(root: str) -> list[Command]:
    return [gt("polecat", "nuke", f"{RIG}/toast", "--force", cwd=f"{root}/town")]


def nuke_again(root: str) -> list[Command]:
    """The same command; one that finds everything done says that there is no such polecat."""
    return [gt("polecat", "nuke", f"{RIG}/toast", "--force", cwd=f"{root}/town", allowed=(0, 3))]


def work_is_kept(story: Story) -> list[str]:
    """At any moment every piece of the work is in its tree or reachable from a ref."""
    lease, repo = leases(story.template)[BEADS[0]], f"{story.root}/town/{RIG}/.repo.git"
    home = f"{story.root}/town/{RIG}/polecats/{lease['name']}"
    head = checker.git(f"{story.template}/town/{RIG}/.repo.git", "rev-parse", f"refs/heads/{lease['branch']}")
    reachable = set(checker.git(repo, "rev-list", "--objects", "--no-object-names", "--all", "--reflog").split())
    on_disk = set()
    for folder in ("rig", "rig.old", ".rig.old"):
        for name in ("staged.txt", "loose.txt"):
            if os.path.exists(f"{home}/{folder}/{name}"):
                with open(f"{home}/{folder}/{name}", encoding="utf-8") as file:
                    on_disk.add(file.read())
    bad = [f"the work {text!r} is neither in the tree nor under a ref" for text in (STAGED, LOOSE)
           if text not in on_disk and blob(text) not in reachable]
    bad += [] if blob(STASHED) in reachable else ["the stash is lost"]
    bad += [] if head in reachable else ["the commit is lost"]
    return bad + [text for text in checker.sound(repo) if "worktrees/" not in text]


def blob(text: str) -> str:
    return hashlib.sha1(f"blob {len(text.encode())}\0{text}".encode()).hexdigest()


def retired(story: Story) -> list[str]:
    town, lease = town_of(story), leases(story.template)[BEADS[0]]
    start = f"refs/gt/salvage/{lease['name']}/{lease['fence']}"  # a save that was killed between two refs is beside the next one
    salvage = [ref for ref in checker.refs(town.repo) if ref.startswith((f"{start}/", f"{start}."))]
    names = {ref.rsplit("/", 1)[1] if "/stash/" not in ref else "stash" for ref in salvage}
    bad = [] if {"head", "index", "tree", "stash"} <= names else [f"salvage holds {sorted(salvage)}"]
    held = set(checker.git(town.repo, "rev-list", "--objects", "--no-object-names", *salvage).split()) if salvage else set()
    bad += [f"the salvage has not {text!r}" for text in (STASHED, STAGED, LOOSE) if blob(text) not in held]
    bad += ["the slot is still there"] if os.path.exists(f"{town.rig}/polecats/{lease['name']}") else []
    bad += ["the worktree is still registered"] if f"{town.rig}/polecats/{lease['name']}/rig" in town.worktrees() else []
    stash = checker.git(town.repo, "rev-parse", "-q", "--verify", "refs/stash", check=False)
    bad += ["the stash is still in the shared list"] if stash else []
    record = town.ledger().records[BEADS[0]]
    bad += [] if record.get("status") == "open" and not record.get("assignee") else [f"the bead is {record.get('status')}"]
    return bad + work_is_kept(story) + laws(story) + bystanders(story, BEADS[0])


# ---- a person takes a worker's session over, at a terminal

TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def handed(root: str) -> None:
    """A worker whose agent program is a script; no runner lives."""
    rigged(root)
    town = f"{root}/town"
    put(f"{root}/agent.sh", "touch here.$$\n")
    run(gt("config", "agent", "set", "person", f"sh {root}/agent.sh", cwd=town), root)
    run(gt("sling", BEADS[0], RIG, "--agent", "person", cwd=town), root)


def attach(root: str) -> list[Command]:
    return [Command((sys.executable, "-c", TERMINAL, *spelled(("gt", "attach", f"{RIG}/toast"))), f"{root}/town")]


def taken_over(story: Story) -> list[str]:
    """The session ran, at most once for each command; the worker has its bead, its tree and its lease as before, and nobody holds them."""
    before, lease = ({**leases(root).get(BEADS[0], {}), "tree": ""} for root in (story.template, story.root))
    bad = [] if lease == before else [f"the lease is {lease}, it was {before}"]
    home = f"{town_of(story).rig}/polecats/toast"
    sessions = [name for name in os.listdir(f"{home}/rig") if name.startswith("here.")]
    bad += [] if 1 <= len(sessions) <= len(story.runs) else [f"sessions: {sessions}"]
    with open(f"{home}/heartbeat.json", encoding="utf-8") as file:
        beat = json.load(file)
    bad += [] if beat["state"] == "attached" and not os.path.exists(f"/proc/{beat['pid']}") else [f"the heartbeat: {beat}"]
    return bad + laws(story) + bystanders(story)


# ---- the ledger's verbs

CREATED = "a new bead"


def noted(root: str) -> None:
    """A rig's ledger with a journal, and a tail that a dead writer tore."""
    rigged(root)
    run(bd("update", "gp-bbb02", "--notes", "before", cwd=f"{root}/town/{RIG}"), root)
    with open(f"{root}/town/{RIG}/.beads/issues.journal", "ab") as file:
        file.write(b'gp-aaa01 {"id":"gp-aaa01","title":"never ack')


def bd_act(*words: str, allowed: tuple[int, ...] = (0,)) -> Callable[[str], list[Command]]:
    return lambda root: [bd(*words, cwd=f"{root}/town/{RIG}", allowed=allowed)]


def bead_has(bead: str, **fields: object) -> Check:
    def check(story: Story) -> list[str]:
        record = town_of(story).ledger().records.get(bead, {})
        bad = [f"{bead}.{key} is {record.get(key)!r}, not {value!r}" for key, value in fields.items() if record.get(key) != value]
        return bad + only(bead)(story)
    return check


def only(*touched: str) -> Check:
    """At any moment: the files are whole and no other bead changed."""
    def check(story: Story) -> list[str]:
        ledger = town_of(story).ledger()
        lost = [bead for bead in checker.Ledger(f"{story.template}/town/{RIG}/.beads").records if bead not in ledger.records]
        notes = ledger.records.get("gp-bbb02", {}).get("notes")
        return [*ledger.violations, *bystanders(story, *touched), *checker.readers_see(f"{story.root}/town"),
                *(f"{bead} is lost" for bead in lost), *([] if notes == "before" else ["an acknowledged note is lost"])]
    return check


def made_once_or_twice(story: Story) -> list[str]:
    """An id of chance cannot tell a repeated command from a second bead; never none, never half, never more than asked."""
    titles = [r for r in town_of(story).ledger().records.values() if r.get("title") == CREATED]
    bad = [] if 1 <= len(titles) <= len(story.runs) else [f"{len(titles)} beads after {len(story.runs)} commands"]
    return bad + only()(story)


def depends(story: Story) -> list[str]:
    links = town_of(story).ledger().records["gp-aaa01"].get("dependencies") or []
    pairs = [(link["depends_on_id"], link["type"]) for link in links]
    return ([] if pairs == [("gp-bbb02", "blocks")] else [f"dependencies: {pairs}"]) + only("gp-aaa01")(story)


SCENARIOS = [
    Scenario("install", lambda root: None, install_act, installed, glance=whole_or_no_town),
    Scenario("rig-add", rig_less, rig_add, rig_there, glance=rig_or_none),
    Scenario("bd-create", noted, bd_act("create", CREATED, "--id", "gp-new01", "-p", "1"),
             bead_has("gp-new01", title=CREATED, priority=1), glance=only("gp-new01"),
             recover=bd_act("create", CREATED, "--id", "gp-new01", "-p", "1", allowed=(0, 1))),
    Scenario("bd-create-random", noted, bd_act("create", CREATED), made_once_or_twice, glance=only()),
    Scenario("bd-update", noted, bd_act("update", "gp-aaa01", "--title", "other", "-p", "0", "--add-label", "x"),
             bead_has("gp-aaa01", title="other", priority=0, labels=["x"]), glance=only("gp-aaa01")),
    Scenario("bd-close", noted, bd_act("close", "gp-aaa01", "-r", "finished"),
             bead_has("gp-aaa01", status="closed", close_reason="finished"), glance=only("gp-aaa01")),
    Scenario("bd-dep", noted, bd_act("dep", "add", "gp-aaa01", "gp-bbb02"), depends, glance=only("gp-aaa01")),
    Scenario("sling", rigged, sling(BEADS[0]), claimed(BEADS[0]), recover=sling_again(BEADS[0]), glance=always),
    Scenario("sling-three", rigged, sling(*BEADS), claimed(*BEADS), recover=sling_again(*BEADS), glance=always),
    Scenario("done", committed, done_act, submitted, glance=always),
    Scenario("polecat-nuke", messy, nuke, retired, recover=nuke_again, glance=work_is_kept),
    Scenario("attach", handed, attach, taken_over, glance=always),
    Scenario("broken-remove-first", messy, nuke, retired, recover=nuke_again, glance=work_is_kept, broken="remove_first"),
]
