#!/usr/bin/env python3
"""How fast the everyday commands are: bench/speed.py [--beads 1000,100000] [--rounds N] [--only WORD,…] [--writers N]

Makes a town for each size with a ledger of that many generated beads and starts the real programs in it, in turns with the bare
interpreter. A figure is CPU time (user and system, of the whole process, by the kernel's account), the median over the rounds,
as a ratio to the median of `python -I -S -c pass`. `+` is the growth from the smallest to the largest ledger; a wall-clock median
stands beside it. The other reading commands are started in a rig with as many beads, of which 2,000 workers
hold one each, 500 of them submitted, and 20 convoys.
Last, 30 processes with 100 updates each: what was lost, how evenly they came on, how long one update took.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

import ground  # noqa: E402

from gastown_hooks.core import clock, fsio, paths, record  # noqa: E402
from gastown_hooks.stores import event_hooks  # noqa: E402
from gastown_hooks.stores.ledger import Ledger, View  # noqa: E402

PACKAGES = [ROOT, sysconfig.get_paths()["purelib"]]
WORDS = ("parser", "cache", "login", "retry", "socket", "header", "build", "index", "merge", "worker", "queue", "timeout", "token",
         "flush", "lock", "ledger", "page", "button", "query", "table", "column", "driver", "filter", "signal", "buffer", "stream")
DAY = 86400 * clock.SECOND
START = clock.parse("2026-01-01T00:00:00Z")
_SMALL = "ap-small"
# name, limit, words; `{any}` is a bead nobody else uses, `{step}` a child of an epic, `{new}` makes the values differ each time.
COMMANDS: list[tuple[str, float, list[str]]] = [
    ("bd ready", 1.5, ["bd", "ready"]),
    ("bd show", 1.5, ["bd", "show", "{any}"]),
    ("gt hook", 1.5, ["gt", "hook"]),
    ("githook, nothing to say", 1.5, ["githook"]),
    ("session event, nothing to say", 1.5, ["session"]),
    ("bd update", 1.7, ["bd", "update", "{any}", "--notes", "{new}"]),
    ("bd create", 1.7, ["bd", "create", "A bead {new}"]),
    ("bd close", 1.7, ["bd", "close", "{any}", "--reason", "{new}"]),
    ("bd close --continue", 1.7, ["bd", "close", "{step}", "--continue"]),
    ("bd ready, after a write", 1.6, ["bd", "ready"]),
    ("bd ready, after an outside edit", 0, ["bd", "ready"]),
    ("bd ready, no index", 0, ["bd", "ready"]),
    ("bd ready -p 0 -n 5", 8, ["bd", "ready", "-p", "0", "-n", "5"]),
    ("bd list -p 1 -t bug", 4, ["bd", "list", "-p", "1", "-t", "bug"]),
    ("bd list -n 5", 8, ["bd", "list", "-n", "5"]),
    ("bd blocked", 8, ["bd", "blocked"]),
    ("gt status", 8, ["gt", "status"]),
    ("gt prime", 8, ["gt", "prime"]),
    ("bd --help", 8, ["bd", "--help"]),
]
# The other commands that read, in a rig; `{epic}` is one with children, from which edges lead to most beads; from `{small}` to a few.
OTHERS: list[tuple[str, float, list[str]]] = [(f"{words} (rig)", limit, words.split()) for limit, words in (
    (8, "gt status"), (8, "gt agents"), (8, "gt polecat list"), (8, "gt rig list"), (8, "gt rig status app"), (8, "gt mq list app"),
    (8, "gt mq next app"), (8, "gt mq status ap-mr-00000"), (8, "gt convoy list"), (8, "gt convoy list --tree"), (8, "gt convoy status"),
    (8, "gt convoy create Batch {any} --dry-run"), (8, "gt hook"), (8, "gt prime"), (8, "gt daemon status"),
    (8, "gt rescue list"), (8, "gt costs"), (8, "bd blocked"), (8, "bd stats"), (8, "bd count"), (8, "bd stale"),
    (8, "bd count --by-type"), (10, "bd search stream-flush"), (10, "bd search stream"), (4, "bd list -t bug"),
    (8, "bd children {epic}"), (4, "bd list --parent {epic}"), (4, "bd list --created-after 2026-07-01 -n 20"),
    (4, "bd list --title-contains stream"), (4, "bd list -l none"), (4, "bd list --label-pattern w*"), (4, "bd list --overdue"),
    (4, "bd list --exclude-type bug"), (4, "bd list --priority-min 3"), (4, "bd list --no-labels"), (4, "bd list --deferred"),
    (4, "bd list --pinned"), (8, "bd list --sort title"), (8, "bd list --long"), (8, "bd list --tree -n 20"),
    (8, "bd list --sort updated"), (8, "bd ready --parent {epic}"), (8, "bd show {epic}"), (8, "bd dep tree {any}"),
    (8, "bd dep list {any}"), (8, "bd epic status"), (8, "bd graph {small}"), (8, "bd swarm validate {epic}"), (8, "bd info"),
    (8, "bd label list-all"), (8, "bd comments {any}"), (8, "bd where"), (8, "bd query priority=0"), (8, "bd memories"),
    (8, "bd audit --since 1h"), (8, "bd audit --bead {any}"), (8, "bd activity -n 20"), (8, "bd stats --actor overseer"),
    (8, "bd skills app/polecats/toast"), (0, "bd graph {epic}"), (0, "bd epic status --json"), (0, "bd duplicates"),
    (8, "bd label add {any} l{new}"), (8, "bd dep add {any} ap-small.1 --dry-run"), (8, "bd create Kid{new} --parent {epic}"),
    (8, "bd close {any} --suggest-next --force"), (8, "bd close {any} --claim-next --force"), (8, "bd ready --claim"), (8, "bd q Kid{new}"),
    (8, "bd ready --mol {small}"),
    (8, "bd comment {any} l{new}"), (8, "bd defer {any} --until +1d"), (8, "bd undefer {any}"), (8, "bd remember l{new}"),
    (8, "bd epic close-eligible --dry-run"), (8, "bd rename {any} ap-x{new} --dry-run"), (0, "bd dep cycles"),
    (8, "bd list --include-infra"), (8, "bd list --include-ephemeral"), (8, "bd list --label-regex a+"), (8, "bd list --ready"),
    (0, "bd list --mol-type swarm"), (0, "bd list --no-parent"), (8, "bd ready -a somebody"), (8, "bd ready --label-pattern w*"),
    (8, "bd ready --gated"), (8, "bd ready --include-deferred"), (8, "bd ready --pretty"), (8, "bd ready --plain"), (8, "bd stats --json"),
    (8, "bd prime"), (8, "bd children {epic} --tree"), (8, "bd dep tree {epic} --direction up"), (8, "bd audit -t create"),
    (8, "bd delete {any} --dry-run"), (8, "gt sling ap-small.1 app --dry-run"), (8, "gt dispatch ap-small.1 --dry-run"),
    (8, "gt convoy add hq-cv-00000 {any} --dry-run"), (8, "gt convoy close hq-cv-00000 --force --dry-run"),
    (8, "gt mq retry ap-mr-00000 --dry-run"), (8, "gt mq reject ap-mr-00000 --reason x --dry-run"), (8, "gt mq hold ap-mr-00000"),
    (8, "gt mq approve ap-mr-00000"), (8, "gt hook ap-small.1 --dry-run"), (8, "gt stop --all --dry-run"), (8, "gt config list"))]


@dataclass
class Place:
    """A town, or a rig, with a ledger of `count` beads. `root` is where the commands start."""

    root: str
    count: int
    names: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    epic: str = ""

    @property
    def ledger(self) -> Ledger:
        return Ledger(paths.Beads(f"{self.root}/.beads"))


@dataclass
class Times:
    """CPU and wall-clock seconds of a command's runs."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)


def beads(count: int, seed: int) -> list[record.Record]:
    """Plausible beads: 30 % closed, half with a blocker, children below epics, some deferred, texts of some hundred letters."""
    chance = random.Random(seed)
    made: list[record.Record] = []
    for number in range(count):
        at = clock.stamp(START + chance.randrange(200) * DAY + number * 1000)
        kind = "epic" if number % 50 == 0 else chance.choice(("task", "task", "bug", "feature", "chore"))
        bead = {"id": f"hq-{_digits(number)}", "title": " ".join(chance.choices(WORDS, k=6)), "issue_type": kind,
                "description": " ".join(chance.choices(WORDS, k=40)), "priority": chance.randrange(5),
                "status": "closed" if chance.random() < 0.3 else "open", "created_at": at, "updated_at": at, "created_by": "overseer"}
        if bead["status"] == "closed":
            bead |= {"closed_at": at, "close_reason": "Closed"}
        elif chance.random() < 0.02:
            bead |= {"status": "in_progress", "assignee": f"app/polecats/w{chance.randrange(30)}", "claim_fence": 1}
        elif chance.random() < 0.02:
            bead["defer_until"] = clock.stamp(START + 4000 * DAY)
        edges = [("blocks", made[max(0, number - chance.randrange(1, 200))]["id"])] if number and chance.random() < 0.5 else []
        if number % 50 and number >= 50 and chance.random() < 0.3:
            edges.append(("parent-child", made[number - number % 50]["id"]))
        bead["dependencies"] = [{"issue_id": bead["id"], "depends_on_id": target, "type": how, "created_at": at, "created_by": "overseer"}
                                for how, target in edges]
        made.append(record.arrange(bead))
    return made


def _digits(number: int) -> str:
    mixed, text = number * 48271 % 60466176, ""
    for _ in range(5):
        mixed, digit = divmod(mixed, 36)
        text += "0123456789abcdefghijklmnopqrstuvwxyz"[digit]
    return text


def make_place(folder: str, count: int) -> Place:
    """A town whose own ledger holds the beads, folded, with a journal."""
    place = Place(f"{folder}/town{count}", count)
    run(["gt", "install", place.root], folder)
    found = beads(count, seed=1)
    fsio.write(place.ledger.beads.issues, b"".join(record.encode(b) + b"\n" for b in sorted(found, key=lambda b: str(b["id"]).encode())))
    place.ledger.transact(lambda view: [])  # takes the file in: makes the journal that continues it
    run(["bd", "ready"], place.root)  # builds the index
    place.names = [str(b["id"]) for b in found if b["status"] == "open" and b["issue_type"] != "epic" and not b.get("dependencies")]
    random.Random(2).shuffle(place.names)
    place.steps = [str(b["id"]) for b in found
                   if b["status"] == "open" and [e["type"] for e in b.get("dependencies", ())] == ["parent-child"]]
    return place


def make_rig(folder: str, count: int, claims: int = 2000) -> Place:
    """A rig with the beads: 2,000 claims, 500 of them in the queue (an eighth at most, and a quarter of those); 20 convoys track some."""
    town, source = f"{folder}/rigs{count}", f"{folder}/source{count}"
    subprocess.run(["git", "init", "-q", "-b", "main", source], check=True)
    subprocess.run(["git", "-C", source, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty",
                    "-m", "x"], check=True)
    run(["gt", "install", town], folder)
    run(["gt", "rig", "add", "app", source, "--prefix", "ap", "--gate", "true"], town)
    run(["gt", "config", "set", "app.max_workers", "5000"], town)
    place = Place(f"{town}/app", count)
    found = [record.decode(record.encode(b).replace(b'"hq-', b'"ap-')) for b in beads(count, seed=1)]
    for bead in found:
        if bead["status"] == "in_progress":
            bead["assignee"], bead["claim_fence"] = "somebody", 0
    work = [at for at, b in enumerate(found) if b["status"] == "open" and b["issue_type"] != "epic"]
    held = random.Random(3).sample(work, min(claims, count // 8))
    for number, at in enumerate(held):
        claim = {"status": "in_progress", "assignee": f"app/polecats/w{number}", "claim_fence": 1}
        found[at] = record.updated(found[at], claim)
    found += [_request(number, found[at]) for number, at in enumerate(held[:len(held) // 4])]
    found += _family(30)
    fsio.write(place.ledger.beads.issues, b"".join(record.encode(b) + b"\n" for b in sorted(found, key=lambda b: str(b["id"]).encode())))
    place.names = [str(b["id"]) for b in found if b["status"] == "open" and b.get("dependencies") and not b["id"].startswith(_SMALL)]
    place.epic = next(str(edge["depends_on_id"]) for b in found for edge in b.get("dependencies", ()) if edge["type"] == "parent-child")
    convoys = [_convoy(number, place.names[number * 10:number * 10 + 10]) for number in range(20)]
    Ledger(paths.Town(town).beads).transact(lambda view: convoys)
    place.ledger.transact(lambda view: [])
    run(["bd", "list"], town)  # builds both indexes
    return place


def _request(number: int, bead: record.Record) -> record.Record:
    metadata = {"branch": "x", "head": "1" * 40, "target": "main", "source": bead["id"], "worker": bead["assignee"],
                "fence": bead["claim_fence"], "state": "queued"}
    return record.arrange({"id": f"ap-mr-{_digits(number)}", "title": bead["title"], "status": "open", "priority": 2, "metadata": metadata,
                           "issue_type": "merge-request", "created_at": bead["created_at"], "updated_at": bead["created_at"]})


def _family(count: int) -> list[record.Record]:
    """An epic and its children, of which each waits for the one before."""
    at, epic = clock.stamp(START), f"{_SMALL}."
    made: list[record.Record] = [{"id": _SMALL, "title": "A small one", "issue_type": "epic", "priority": 4}]
    for number in range(1, count + 1):
        edges = [(_SMALL, "parent-child"), (f"{epic}{number - 1}", "blocks")][:1 + (number > 1)]
        made.append({"id": f"{epic}{number}", "title": "One of a few", "priority": 4, "dependencies": [
            {"issue_id": f"{epic}{number}", "depends_on_id": target, "type": kind} for target, kind in edges]})
    return [record.arrange({**bead, "status": "open", "created_at": at, "updated_at": at}) for bead in made]


def _convoy(number: int, names: list[str]) -> record.Record:
    name, at = f"hq-cv-{_digits(number)}", clock.stamp(START)
    return record.arrange({"id": name, "title": "A batch", "status": "open", "priority": 2, "issue_type": "convoy", "created_at": at,
                           "updated_at": at, "dependencies": [{"issue_id": name, "depends_on_id": one, "type": "tracks"} for one in names]})


def write_programs(folder: str) -> None:
    """gt and bd as an installation has them, with the package."""
    package, programs = f"{folder}/lib/site-packages", f"{folder}/bin"
    os.makedirs(programs, exist_ok=True)
    for name in ("gastown_hooks", "roles", "templates"):
        shutil.copytree(f"{ROOT}/{name}", f"{package}/{name}", dirs_exist_ok=True)
    compileall.compile_dir(package, quiet=1)
    write = "import sys; sys.path.insert(0, sys.argv[1]); from gastown_hooks import entry; entry.write(*sys.argv[2:5], sys.argv[5:])"
    subprocess.run([sys.executable, "-X", "no_debug_ranges", "-c", write, package, programs, sys.executable, programs, package,
                    PACKAGES[1]], check=True)


_BIN = ""


def run(words: list[str], cwd: str) -> tuple[float, float]:
    """CPU and wall-clock seconds of one process and its children. A failure ends the bench."""
    if words[0] == "githook":
        start = "import sys; sys.path.insert(0, sys.argv[1]); from gastown_hooks.githooks import main; sys.exit(main(sys.argv[2:]))"
        words = [sys.executable, "-I", "-S", "-c", start, ROOT, "post-commit", "", "overseer", "", "x", cwd, "main", ":"]
    if words[0] == "session":
        words = shlex.split(event_hooks.command(paths.Home(f"{cwd}/nobody"), "stop"))
    program = f"{_BIN}/bin/{words[0]}" if words[0] in ("gt", "bd") else words[0]
    environment = {"PATH": os.environ["PATH"], "HOME": _BIN, "LC_ALL": "C.UTF-8", "GT_WAKE": "off", "XDG_CONFIG_HOME": _BIN}
    os.chdir(cwd)  # spawned, not forked: what copying this process costs would be counted as the child's
    files = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]
    before = time.monotonic()
    pid = os.posix_spawn(program, [program, *words[1:]], environment, file_actions=files)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - before
    if status:
        raise SystemExit(f"{' '.join(words)}: status {status}")
    return usage.ru_utime + usage.ru_stime, wall


def prepare(name: str, place: Place) -> None:
    """What stands before a measured run."""
    beads_ = place.ledger.beads
    if "ready" in name and "index" not in name:
        run(["bd", "blocked"], place.root)  # brings the index up to date, which `bd ready` leaves alone after few writes
    if name.endswith("after a write"):
        run(["bd", "update", place.names[0], "--notes", str(time.monotonic_ns())], place.root)
    elif name.endswith("outside edit"):
        data = fsio.read(beads_.issues) or b""
        at = data.rfind(b'"description":"') + 15
        fsio.write(beads_.issues, data[:at] + b"x" + data[at + 1:])
    elif name.endswith("no index"):
        fsio.remove(getattr(beads_, "index", f"{beads_.local}/none"))


def words_of(words: list[str], place: Place) -> list[str]:
    new = str(time.monotonic_ns())
    values = {"{new}": new, "{any}": place.names[-1], "{step}": "".join(place.steps[-1:]), "{epic}": place.epic, "{small}": _SMALL}
    return [word.replace(name, values[name]) for word in words for name in [next((one for one in values if one in word), "{new}")]]


def measure(places: list[Place], rounds: int, only: list[str]) -> dict[tuple[str, int], Times]:
    """Every command on every ledger, in turns."""
    found: dict[tuple[str, int], Times] = {}
    for _ in range(rounds):
        for name, _, words in [*COMMANDS, *OTHERS]:
            if not wanted([(name, 0, words)], only):
                continue
            for place in [one for one in places if bool(one.epic) == name.endswith("(rig)")]:
                for _ in range(2):
                    note(found, ("", 0), run([sys.executable, "-I", "-S", "-c", "pass"], place.root))
                prepare(name, place)
                note(found, (name, place.count), run(words_of(words, place), place.root))
                if "close" in name:
                    (place.steps if "continue" in name else place.names).pop()
    return found


def wanted(commands: list[tuple[str, float, list[str]]], only: list[str]) -> bool:
    """Whether any of these is to be measured."""
    return not only or any(word in name for name, _, _ in commands for word in only)


def note(found: dict[tuple[str, int], Times], key: tuple[str, int], figures: tuple[float, float]) -> None:
    times = found.setdefault(key, Times())
    times.cpu.append(figures[0])
    times.wall.append(figures[1])


def writers(place: Place, count: int, each: int) -> str:
    """`count` processes with `each` updates: lost, max/min of the processes' times, 99th percentile of one update."""
    hot = place.names[:50]
    ready, go = os.pipe()
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(ready, 1)
            taken = [_timed(lambda: _raise(place.ledger, random.choice(hot))) for _ in range(each)]
            fsio.write(f"{place.root}/took{number}", json.dumps(taken).encode())
            os._exit(0)
        pids.append(pid)
    before = sum(int(place_bead.get("estimated_minutes") or 0) for place_bead in place.ledger.all().values())
    os.close(go)
    for pid in pids:
        os.waitpid(pid, 0)
    took = [json.loads(fsio.read(f"{place.root}/took{number}") or b"[]") for number in range(count)]
    after = sum(int(place_bead.get("estimated_minutes") or 0) for place_bead in place.ledger.all().values())
    totals, single = sorted(map(sum, took)), sorted(one for part in took for one in part)
    return (f"{count} writers x {each} updates, {place.count} beads: lost {count * each - (after - before)}, "
            f"max/min {totals[-1] / totals[0]:.2f}, p99 {single[len(single) * 99 // 100] * 1000:.0f} ms, "
            f"{count * each / max(totals):.0f} updates/s")


def _timed(act: Callable[[], object]) -> float:
    before = time.monotonic()
    act()
    return time.monotonic() - before


def _raise(ledger: Ledger, bead_id: str) -> None:
    def change(view: View) -> list[record.Record]:
        bead = view.get(bead_id) or {}
        return [record.updated(bead, {"estimated_minutes": int(bead.get("estimated_minutes") or 0) + 1})]
    ledger.transact(change)


def rows(found: dict[tuple[str, int], Times], sizes: list[int]) -> list[ground.Row]:
    """The figures of the largest ledger, and how they grow."""
    base = statistics.median(found["", 0].cpu)
    made = []
    for name, limit, _ in [*COMMANDS, *OTHERS]:
        if (name, sizes[0]) in found:
            first, last = (statistics.median(found[name, size].cpu) / base for size in (sizes[0], sizes[-1]))
            figure = f"{last:.2f} x bare Python, {last / first:.2f} x that of {sizes[0]:,}"
            made.append(ground.row(f"{name}, {sizes[-1]:,} beads", figure, f"{limit} x" if limit else ""))
    return made


def table(found: dict[tuple[str, int], Times], sizes: list[int]) -> str:
    base = statistics.median(found["", 0].cpu)
    lines = [f"`python -I -S -c pass`: {base * 1000:.1f} ms CPU, Python {sys.version.split()[0]}, {os.cpu_count()} cores", "",
             f"| command | limit | {' | '.join(f'{size:,} beads' for size in sizes)} | + | wall ms |",
             f"|---|---|{'---|' * len(sizes)}---|---|"]
    for name, limit, _ in [*COMMANDS, *OTHERS]:
        if (name, sizes[0]) in found:
            ratios = [statistics.median(found[name, size].cpu) / base for size in sizes]
            wall = statistics.median(found[name, sizes[-1]].wall) * 1000
            lines.append(f"| {name} | {limit or '-'} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} "
                         f"| {ratios[-1] / ratios[0]:.2f} | {wall:.0f} |")
    return "\n".join(lines)


def main() -> None:
    global _BIN
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--beads", default="1000,100000", help="sizes of the ledgers")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="commands whose name contains one of these words")
    parser.add_argument("--writers", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="the rows for bench/table.py")
    options = parser.parse_args()
    sizes = [int(word) for word in options.beads.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        _BIN = folder
        write_programs(folder)
        only = [word for word in options.only.split(",") if word]
        places = [make_place(folder, size) for size in sizes] if options.writers or wanted(COMMANDS, only) else []
        rigs = [make_rig(folder, size) for size in sizes] if wanted(OTHERS, only) else []
        found = measure([*places, *rigs], options.rounds, only)
        wrote = [writers(place, options.writers, 100).split(": ", 1) for place in places] if options.writers else []
        if options.json:
            ground.show([*rows(found, sizes), *(ground.row(what, figure, "lost 0, max/min 2, p99 300 ms") for what, figure in wrote)], True)
            return
        print(table(found, sizes))
        for what, figure in wrote:
            print(f"{what}: {figure}")


if __name__ == "__main__":
    main()
