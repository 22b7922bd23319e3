"""An independent reader of a town's files, and the laws that hold after every crash.

Plain `json` and plain `git`; nothing of the product is imported, so a fault in its readers cannot hide one in its writers.
Each law returns a list of violations in words; an empty list means that it holds. A file that cannot be read raises.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections import Counter
from typing import Any

Record = dict[str, Any]


# ---- the ledger ----

class Ledger:
    """issues.jsonl and issues.journal as they lie there: every bead's line, and what is wrong with the files."""

    def __init__(self, folder: str) -> None:
        self.violations: list[str] = []
        self.file = self._file(f"{folder}/issues.jsonl")
        base, last = self._journal(f"{folder}/issues.journal", f"{folder}/issues.jsonl")
        self.lines: dict[str, bytes] = dict(self.file)
        for bead, value in last.items():
            there = self.file.get(bead)
            if self.matched or there in (value, base[bead]):
                self.lines[bead] = value
            else:  # edited from outside after the journal's base: both sides' fields count, so the caller must judge
                self.edited[bead] = (base[bead], value, there)
                self.lines[bead] = value
        self.records: dict[str, Record] = {bead: json.loads(line) for bead, line in self.lines.items()}

    matched = True

    def _file(self, path: str) -> dict[str, bytes]:
        with open(path, "rb") as file:
            data = file.read()
            self.signature = [os.fstat(file.fileno()).st_size, os.fstat(file.fileno()).st_mtime_ns, os.fstat(file.fileno()).st_ino]
        self.edited: dict[str, tuple[bytes | None, bytes, bytes | None]] = {}
        self.raw = data
        found: dict[str, bytes] = {}
        if data and not data.endswith(b"\n"):
            self.violations.append("issues.jsonl has a torn last line")
        for number, line in enumerate(data.split(b"\n")[:-1], 1):
            try:
                bead = json.loads(line)["id"]
            except (ValueError, KeyError, TypeError):
                self.violations.append(f"issues.jsonl line {number} is no bead: {line[:120]!r}")
                continue
            if bead in found:
                self.violations.append(f"issues.jsonl holds {bead} twice")
            found[bead] = line
        if list(found) != sorted(found, key=str.encode):
            self.violations.append("issues.jsonl is not sorted by id")
        return found

    def _journal(self, path: str, issues: str) -> tuple[dict[str, bytes | None], dict[str, bytes]]:
        base: dict[str, bytes | None] = {}
        last: dict[str, bytes] = {}
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return base, last
        whole = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
        if not whole:
            self.violations.append("the journal has no manifest")
            return base, last
        manifest = json.loads(whole[0])
        if manifest.get("_journal") != 1:
            self.violations.append(f"the journal's first line is no manifest: {whole[0][:80]!r}")
        self.matched = manifest["base"] == self.signature
        for number, line in enumerate(whole[1:], 2):
            for entry in line.split(b"\t"):
                self._entry(entry, number, base, last)
        return base, last

    def _entry(self, entry: bytes, number: int, base: dict[str, bytes | None], last: dict[str, bytes]) -> None:
        name, _, value = entry.partition(b" ")
        bead = name.removeprefix(b"=").decode("utf-8", "replace")
        try:
            parsed = json.loads(value)
        except ValueError:
            self.violations.append(f"journal line {number} is damaged: {entry[:160]!r}")
            return
        if name.startswith(b"="):
            base.setdefault(bead, None if parsed is None else value)
            return
        if not isinstance(parsed, dict) or parsed.get("id") != bead:
            self.violations.append(f"journal line {number} files another bead under {bead}")
            return
        if bead not in base:
            self.violations.append(f"journal line {number}: {bead} appears without its base")
            base[bead] = self.file.get(bead)
        last[bead] = value


def untouched(now: Ledger, before: Ledger, but: set[str]) -> list[str]:
    """Every bead that the act does not name still has the very same bytes."""
    return [f"bystander {bead} changed: {before.lines[bead][:100]!r} -> {(now.lines.get(bead) or b'(gone)')[:100]!r}"
            for bead in before.lines if bead not in but and now.lines.get(bead) != before.lines[bead]]


# ---- folders ----

def readers_see(folder: str) -> list[str]:
    """No half-made file under a name that a reader opens: temporary names start with a dot, or are git's own `.lock`."""
    found = []
    for here, folders, files in os.walk(folder):
        if here.endswith(".git") or "/.git/" in here + "/" or ".repo.git" in here:
            folders[:] = []
            continue
        for name in files:
            path = os.path.join(here, name)
            if name.endswith((".tmp", ".partial")) and not name.startswith("."):
                found.append(f"a temporary file under a reader's eyes: {path}")
            elif name.endswith(".jsonl") and not os.path.islink(path):
                found += _lines_parse(path)
            elif name.endswith(".json") and not name.startswith(".") and not os.path.islink(path):
                found += _parses(path)
    return found


def _lines_parse(path: str) -> list[str]:
    with open(path, "rb") as file:
        data = file.read()
    found = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].split(b"\n")[:-1], 1):
        try:
            json.loads(line)
        except ValueError:
            found.append(f"{path} line {number} is damaged: {line[:160]!r}")
    return found


def _parses(path: str) -> list[str]:
    with open(path, "rb") as file:
        try:
            json.loads(file.read())
        except ValueError:
            return [f"{path} is no JSON"]
    return []


# ---- git ----

def git(repo: str, *arguments: str, check: bool = True) -> str:
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent", "LC_ALL": "C"}
    done = subprocess.run(["git", "-C", repo, *arguments], env=env, capture_output=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n") if done.returncode == 0 else ""


def refs(repo: str) -> dict[str, str]:
    rows = git(repo, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(row.split(" ", 1) for row in rows)  # type: ignore[misc]


def is_ancestor(repo: str, commit: str, tip: str) -> bool:
    return subprocess.run(["git", "-C", repo, "merge-base", "--is-ancestor", commit, tip], capture_output=True).returncode == 0


def sound(repo: str) -> list[str]:
    """`git fsck` finds no error (dangling objects are none)."""
    done = subprocess.run(["git", "-C", repo, "fsck", "--full", "--no-dangling"], capture_output=True)
    bad = [line for line in (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
           if line.startswith(("error", "missing", "broken", "fatal", "bad"))]
    return [f"git fsck of {repo}: {line}" for line in bad or ([f"exit {done.returncode}"] if done.returncode else [])]


# ---- a town with one rig ----

class Town:
    """Paths of a rig and its neighbours, spelled out here once more on purpose."""

    def __init__(self, root: str, rig: str, target: str = "main", origin: str | None = None) -> None:
        self.root, self.name, self.target = root, rig, target
        self.rig = f"{root}/{rig}"
        self.repo = f"{self.rig}/.repo.git"
        self.origin = origin or self.repo
        self.beads = f"{self.rig}/.beads"

    def ledger(self) -> Ledger:
        return Ledger(self.beads)

    def tip(self) -> str:
        return git(self.origin, "rev-parse", "--verify", f"refs/heads/{self.target}")

    def worktrees(self) -> list[str]:
        rows = git(self.repo, "worktree", "list", "--porcelain").splitlines()
        return [row.removeprefix("worktree ") for row in rows if row.startswith("worktree ")]

    def landings(self) -> list[Record]:
        return json_lines(f"{self.rig}/refinery/landings.jsonl")


def json_lines(path: str) -> list[Record]:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]]


def requests(ledger: Ledger) -> list[Record]:
    return [record for record in ledger.records.values() if record.get("issue_type") == "merge-request"]


def metadata(record: Record) -> Record:
    value = record.get("metadata") or {}
    return json.loads(value) if isinstance(value, str) else value


def town_laws(town: Town, start: str) -> list[str]:
    """Everything that holds of a town at any time. `start`: the target's tip before anything landed."""
    ledger = town.ledger()
    return [*ledger.violations, *one_owner(ledger), *one_request(ledger), *closed_is_landed(town, ledger),
            *one_landing(town), *green(town, start), *one_mail(town.root), *sound(town.repo),
            *(sound(town.origin) if town.origin != town.repo else []), *readers_see(town.root)]


def one_owner(ledger: Ledger) -> list[str]:
    """A worker has one claimed bead; a claimed bead has its worker."""
    held = [r for r in ledger.records.values() if r.get("status") in ("hooked", "in_progress") and r.get("claim_fence")]
    names = Counter(r.get("assignee") for r in held)
    submitted = {(metadata(r).get("source"), metadata(r).get("fence")) for r in requests(ledger)}
    found = [f"{r['id']} is claimed by nobody" for r in held if not r.get("assignee") and (r["id"], r["claim_fence"]) not in submitted]
    return found + [f"{name} holds {count} beads" for name, count in names.items() if name and count > 1]


def one_request(ledger: Ledger) -> list[str]:
    """One merge request for each bead and fence."""
    pairs = Counter((metadata(r).get("source"), metadata(r).get("fence")) for r in requests(ledger)
                    if metadata(r).get("state") not in ("superseded", "rejected"))
    return [f"{count} merge requests for {source} at fence {fence}" for (source, fence), count in pairs.items() if count > 1]


def closed_is_landed(town: Town, ledger: Ledger) -> list[str]:
    """A closed bead that a worker had is in the target: its landed commit is an ancestor of the tip."""
    found, tip = [], town.tip()
    by_source = {metadata(r).get("source"): metadata(r) for r in requests(ledger)}
    for record in ledger.records.values():
        if record.get("status") != "closed" or not record.get("claim_fence") or record.get("issue_type") == "merge-request":
            continue
        if (record.get("close_reason") or "").startswith("no-code") or record.get("ephemeral"):
            continue
        request = by_source.get(record["id"]) or {}
        commit = metadata(record).get("landed_as") or request.get("landed_as") or request.get("head")
        if not commit:
            found.append(f"{record['id']} is closed without any merge request")
        elif not is_ancestor(town.origin, commit, tip):
            found.append(f"{record['id']} is closed, but {commit[:12]} is not in {town.target}")
    for request in requests(ledger):
        data = metadata(request)
        if data.get("state") == "landed" and not is_ancestor(town.origin, str(data.get("landed_as")), tip):
            found.append(f"{request['id']} says landed, but {data.get('landed_as')} is not in {town.target}")
    return found


def one_landing(town: Town) -> list[str]:
    """A merge request lands once: each intent is settled or aborted at most once, each request settled in one commit."""
    lands = [line["land"] for line in town.landings() if "land" in line]
    settled = Counter(line["settled"]["new"] for line in town.landings() if "settled" in line)
    aborted = {line["aborted"]["new"] for line in town.landings() if "aborted" in line}
    done = Counter()
    for new, mr in {(land["new"], one["mr"]) for land in lands for one in land.get("requests") or [land]}:
        if new in settled and new not in aborted:
            done[mr] += 1
    return [f"{mr} landed {count} times" for mr, count in done.items() if count > 1]


def green(town: Town, start: str) -> list[str]:
    """Each first-parent commit since `start` has a green gate note for exactly its tree; of a linear landing the last one has."""
    found, lands = [], [line["land"] for line in town.landings() if "land" in line]
    inner = {one.get("commit") for land in lands for one in land.get("requests") or [land]} - {land["new"] for land in lands}
    for commit in git(town.origin, "rev-list", "--first-parent", f"{start}..refs/heads/{town.target}").split():
        if commit in inner:
            continue
        tree = git(town.origin, "rev-parse", f"{commit}^{{tree}}")
        text = git(town.repo, "notes", "--ref", "refs/notes/gates", "show", commit, check=False)
        note = json.loads(text) if text else {}
        if not note:
            found.append(f"{commit[:12]} is on {town.target} without a gate note")
        elif note.get("tree") != tree:
            found.append(f"{commit[:12]}: its gate note is for another tree")
        elif note.get("verdict") not in ("green", "pass", "passed", "ok", "none"):
            found.append(f"{commit[:12]} is on {town.target} with the verdict {note.get('verdict')}")
    return found


def settled(town: Town) -> list[str]:
    """At rest no intent is open: every landing is settled or aborted."""
    lines = town.landings()
    ended = {line[word]["new"] for line in lines for word in ("settled", "aborted") if word in line}
    return [f"landing {line['land']['new'][:12]} is neither settled nor aborted" for line in lines
            if "land" in line and line["land"]["new"] not in ended]


def mails(folder: str) -> list[tuple[str, bytes]]:
    """(path, text) of every delivered mail below the folder; `tmp` holds what is not delivered yet."""
    found = []
    for here, folders, files in os.walk(folder):
        if ".repo.git" in here or here.endswith("/rig"):
            folders[:] = []
            continue
        if os.path.basename(here) in ("new", "cur") and os.path.isdir(os.path.join(os.path.dirname(here), "tmp")):
            for name in files:
                with open(os.path.join(here, name), "rb") as file:
                    found.append((os.path.join(here, name), file.read()))
    return found


def one_mail(folder: str) -> list[str]:
    """One mail for each message id in each mailbox, none cut short."""
    found: list[str] = []
    seen: Counter[tuple[str, str]] = Counter()
    for path, text in mails(folder):
        match = re.search(rb"^Message-ID:\s*(\S+)", text, re.MULTILINE | re.IGNORECASE)
        if not match:
            found.append(f"half a mail: {path}")
            continue
        seen[os.path.dirname(os.path.dirname(path)), match.group(1).decode()] += 1
    return found + [f"{count} mails with {key} in {box}" for (box, key), count in seen.items() if count > 1]


def digest(folder: str) -> str:
    """One word for all the files of a tree (names, modes, contents), without git's and temporary ones."""
    total = hashlib.sha256()
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(files):
            path = os.path.join(here, name)
            total.update(os.path.relpath(path, folder).encode("utf-8", "surrogateescape") + b"\0")
            if os.path.islink(path):
                total.update(os.readlink(path).encode("utf-8", "surrogateescape"))
                continue
            with open(path, "rb") as file:
                total.update(hashlib.sha256(file.read()).digest())
    return total.hexdigest()
