"""Scenarios of the commands: a town with one rig and a remote, and what people, workers and the refinery do in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable

from crash import checker, engine
from crash.engine import Check, Command, Scenario, Story

RIG = "gp"


def gt(*words: str, cwd: str = "", env: dict[str, str] | None = None, allowed: tuple[int, ...] = (0,)) -> Command:
    return Command(("gt", *words), cwd, env or {}, allowed)


def bd(*words: str, cwd: str = "", env: dict[str, str] | None = None, allowed: tuple[int, ...] = (0,)) -> Command:
    return Command(("bd", *words), cwd, env or {}, allowed)


def run(command: Command, root: str) -> str:
    """Run a step of a setup; it must succeed."""
    done = subprocess.run(engine.spelled(command.argv), cwd=command.cwd or root, env=dict(os.environ) | command.env, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"setup: {' '.join(command.argv)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def git(where: str, *words: str) -> str:
    return run(Command(("git", "-C", where, *words)), where).strip()


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


# ---- a rig with a remote

def rig_less(root: str) -> None:
    """A town, and a remote with one commit that nothing of ours has touched."""
    run(gt("install", f"{root}/town"), root)
    git(root, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(root, "init", "-q", "-b", "main", "seed")
    for name, text in (("README.md", "hello\n"), ("src/app.py", "print('app')\n"), (".gitignore", "*.log\n")):
        put(f"{root}/seed/{name}", text)
    git(f"{root}/seed", "add", "-A")
    git(f"{root}/seed", "commit", "-q", "-m", "start")
    git(f"{root}/seed", "push", "-q", f"{root}/origin.git", "main")
    subprocess.run(["rm", "-rf", f"{root}/seed"], check=True)


def put(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def rig_add(root: str) -> list[Command]:
    return [gt("rig", "add", RIG, f"{root}/origin.git", "--gate", "test ! -e bad", cwd=f"{root}/town")]


def town_of(story: Story) -> checker.Town:
    return checker.Town(f"{story.root}/town", RIG, origin=f"{story.root}/origin.git")


def start_of(story: Story) -> str:
    return checker.git(f"{story.template}/origin.git", "rev-parse", "refs/heads/main")


def laws(story: Story) -> list[str]:
    return checker.town_laws(town_of(story), start_of(story))


def always(story: Story) -> list[str]:
    """The laws that hold in the middle of an act too: git's own folder of a worktree may then be half made."""
    return [text for text in laws(story) if not ("git fsck" in text and "worktrees/" in text)]


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

BEADS = ("gp-aaa01", "gp-bbb02", "gp-ccc03")


def line(bead: str, **fields: object) -> str:
    record = {"id": bead, "title": f"bead {bead}", "status": "open", "priority": 2, "issue_type": "task",
              "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", **fields}
    return json.dumps(record, separators=(",", ":")) + "\n"


def rigged(root: str) -> None:
    """A rig with three beads and bystanders, put there by hand."""
    rig_less(root)
    for command in rig_add(root):
        run(command, root)
    text = "".join(line(bead) for bead in BEADS) + line("gp-zzz99", title="bystander", x_unknown=[1, {"k": None}], status="closed")
    put(f"{root}/town/{RIG}/.beads/issues.jsonl", text)
    run(gt("rig", "list", cwd=f"{root}/town"), root)


def sling(*beads: str) -> Callable[[str], list[Command]]:
    return lambda root: [gt("sling", *beads, RIG, cwd=f"{root}/town")]


def sling_again(*beads: str) -> Callable[[str], list[Command]]:
    """The same command; one that finds everything done says who owns the bead (a conflict)."""
    return lambda root: [gt("sling", *beads, RIG, cwd=f"{root}/town", allowed=(0, 4))]


def leases(root: str) -> dict[str, dict[str, object]]:
    """bead -> lease"""
    found = {}
    folder = f"{root}/town/{RIG}/polecats"
    for name in sorted(os.listdir(folder)):
        path = f"{folder}/{name}/lease.json"
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                lease = json.load(file)
            found[lease["bead"]] = {**lease, "name": name, "tree": f"{folder}/{name}/rig"}
    return found


def bystanders(story: Story, *touched: str) -> list[str]:
    now, before = town_of(story).ledger(), checker.Ledger(f"{story.template}/town/{RIG}/.beads")
    return checker.untouched(now, before, set(touched))


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
        fences = [r.get("claim_fence") for r in ledger.records.values() if r.get("claim_fence")]
        return bad + ([f"a fence twice: {fences}"] if len(set(fences)) != len(fences) else []) + laws(story) + bystanders(story, *beads)
    return check


def worker(root: str, bead: str, *words: str) -> Command:
    """A command of the bead's worker, from its tree."""
    lease = leases(root)[bead]
    env = {"GT_ROLE": "polecat", "GT_ROOT": f"{root}/town", "GT_RIG": RIG, "GT_POLECAT": str(lease["name"]), "GT_BEAD": bead,
           "BD_ACTOR": str(lease["actor"]), "BEADS_DIR": f"{root}/town/{RIG}/.beads", "GT_FENCE": str(lease["fence"]),
           "GT_TOKEN": str(lease["token"])}
    return gt(*words, cwd=str(lease["tree"]), env=env)


def commit(root: str, bead: str, files: dict[str, str]) -> None:
    tree = str(leases(root)[bead]["tree"])
    for name, text in files.items():
        put(f"{tree}/{name}", text)
    git(tree, "add", "-A")
    git(tree, "-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", f"work on {bead}")


def slung(root: str) -> None:
    rigged(root)
    for command in sling(*BEADS)(root):
        run(command, root)


def committed(root: str) -> None:
    slung(root)
    commit(root, BEADS[0], {"one.txt": "1\n", "src/app.py": "print('one')\n"})
    commit(root, BEADS[1], {"two.txt": "2\n"})
    commit(root, BEADS[2], {"bad": "fails the gate\n"})


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


# ---- the refinery

def queued(root: str) -> None:
    committed(root)
    for bead in BEADS:
        run(worker(root, bead, "done"), root)


def refinery_later(root: str, ack: engine.Acknowledge) -> None:
    """The next tick's round: what was put off for a while is due."""
    from gastown_hooks.core import clock, paths
    from gastown_hooks.work import land
    os.chdir(f"{root}/town")
    land.round(paths.Town(f"{root}/town").rig(RIG), clock.now() + 7200 * clock.SECOND)
    ack("round")


def landed(story: Story) -> list[str]:
    town = town_of(story)
    ledger, bad = town.ledger(), []
    states = {checker.metadata(r).get("source"): checker.metadata(r).get("state") for r in checker.requests(ledger)}
    status = {bead: ledger.records[bead].get("status") for bead in BEADS}
    wanted = dict(zip(BEADS, ("landed", "landed", "failed"), strict=True))
    if states != wanted or status != dict(zip(BEADS, ("closed", "closed", "open"), strict=True)):
        reasons = {checker.metadata(r).get("reason") for r in checker.requests(ledger)} - {None}
        bad.append(f"requests {states}, beads {status}, reasons {reasons}")
    commits = checker.git(town.origin, "rev-list", "--first-parent", f"{start_of(story)}..main").split()
    bad += [] if 1 <= len(commits) <= 2 else [f"{len(commits)} landings for two requests"]
    bad += [] if checker.git(town.repo, "rev-parse", "refs/heads/main") == town.tip() else ["the rig's own branch is elsewhere"]
    subjects = [re.search(rb"^Subject: (\S+)", text, re.MULTILINE) for _, text in checker.mails(town.root)]
    kinds = Counter(match.group(1).decode() for match in subjects if match)
    bad += [] if kinds["MERGED"] == 2 and kinds["MERGE_FAILED"] == 1 else [f"mails: {dict(kinds)}"]
    touched = [*BEADS, *(r["id"] for r in checker.requests(ledger))]
    return bad + checker.settled(town) + laws(story) + bystanders(story, *touched)


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


# ---- somebody pushes to the target while the gate runs

RACE = """test ! -e bad || exit 1
mkdir {root}/raced 2>/dev/null || exit 0
git clone -q {root}/origin.git "$TMPDIR/other.$$" && cd "$TMPDIR/other.$$" || exit 0
echo person > person.txt && git add person.txt && git commit -q -m person && git push -q origin HEAD:main
git rev-parse HEAD > {root}/raced/commit.part && mv {root}/raced/commit.part {root}/raced/commit
cd / && rm -rf "$TMPDIR/other.$$"
"""


def raced(root: str) -> None:
    queued(root)
    put(f"{root}/race.sh", RACE.format(root=root))
    run(gt("config", "set", f"{RIG}.gates", json.dumps([f"sh {root}/race.sh"]), cwd=f"{root}/town"), root)


def nothing_of_a_person_is_lost(story: Story) -> list[str]:
    pushed = f"{story.root}/raced/commit"
    bad = always(story)
    if not os.path.exists(pushed):
        return [text for text in bad if "without a gate note" not in text]
    with open(pushed, encoding="utf-8") as file:
        commit = file.read().strip()
    bad = [text for text in bad if text != f"{commit[:12]} is on main without a gate note"]  # seen at the next look
    kept = checker.is_ancestor(f"{story.root}/origin.git", commit, "refs/heads/main")
    return bad + ([] if kept else ["a person's commit is gone from the target"])


def all_landed(story: Story) -> list[str]:
    states = {checker.metadata(r).get("source"): checker.metadata(r).get("state") for r in checker.requests(town_of(story).ledger())}
    wanted = dict(zip(BEADS, ("landed", "landed", "failed"), strict=True))
    bad = [] if states == wanted else [f"requests {states}"]
    return bad + nothing_of_a_person_is_lost(story) + laws(story) + checker.settled(town_of(story))


def patrol(root: str) -> list[Command]:
    return [Command(("refinery.py", "patrol", "--town", f"{root}/town", "--rig", RIG), f"{root}/town")]


# ---- from sling to landed: runner, embedded agent, done, refinery, retire in one process tree

INLINE = {"GT_WAKE": "inline"}


def runnable(root: str) -> None:
    """A rig with one bead that the embedded agent can do."""
    rigged(root)
    text = line(BEADS[0], run="echo 1 > one.txt") + line("gp-zzz99", title="bystander", status="closed")
    put(f"{root}/town/{RIG}/.beads/issues.jsonl", text)
    run(gt("rig", "list", cwd=f"{root}/town"), root)


def sling_and_run(root: str) -> list[Command]:
    return [gt("sling", BEADS[0], RIG, "--agent", "exec", "--start", cwd=f"{root}/town", env=INLINE)]


def sling_and_tick(root: str) -> list[Command]:
    """The same command again; in a town by hand a person starts the worker; then the rounds that a tick would start."""
    town = f"{root}/town"
    again = [gt("sling", BEADS[0], RIG, "--agent", "exec", "--start", cwd=town, env=INLINE, allowed=(0, 4, 5)),
             gt("session", "start", f"{RIG}/toast", cwd=town, env=INLINE, allowed=(0, 3, 4, 5))]
    rounds = [Command((f"{role}.py", "patrol", "--town", town, "--rig", RIG), town, INLINE) for role in ("witness", "refinery", "witness")]
    waiting = [r["id"] for r in checker.requests(checker.Ledger(f"{town}/{RIG}/.beads")) if checker.metadata(r).get("state") == "waiting"]
    retries = [gt("mq", "retry", request, cwd=town, env=INLINE) for request in waiting]  # put off for half a minute: a person's word
    return [*again, *retries, *rounds]


def work_landed(story: Story) -> list[str]:
    town = town_of(story)
    record = town.ledger().records[BEADS[0]]
    bad = [] if record.get("status") == "closed" else [f"the bead is {record.get('status')}, {record.get('notes')}"]
    found = [checker.metadata(r) for r in checker.requests(town.ledger())]
    bad += [] if [data.get("state") for data in found] == ["landed"] else [f"requests: {found}"]
    bad += [] if checker.git(town.origin, "show", "main:one.txt", check=False) == "1" else ["the work is not in the target"]
    slots = os.listdir(f"{town.rig}/polecats")
    return bad + ([f"workers are left: {slots}"] if slots else []) + checker.settled(town) + laws(story) + bystanders(
        story, BEADS[0], *(r["id"] for r in checker.requests(town.ledger())))


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
    Scenario("refinery", queued, patrol, landed, recover=refinery_later, glance=always, promises=False),
    Scenario("refinery-race", raced, patrol, all_landed, recover=refinery_later, glance=nothing_of_a_person_is_lost,
             promises=False, thin=5),
    Scenario("polecat-nuke", messy, nuke, retired, recover=nuke_again, glance=work_is_kept),
    Scenario("sling-to-landed", runnable, sling_and_run, work_landed, recover=sling_and_tick, glance=always, promises=False, thin=5),
    Scenario("broken-no-swap", raced, patrol, all_landed, glance=nothing_of_a_person_is_lost, broken="no_swap"),
    Scenario("broken-close-first", queued, patrol, landed, glance=always, broken="close_first"),
    Scenario("broken-remove-first", messy, nuke, retired, recover=nuke_again, glance=work_is_kept, broken="remove_first"),
]
