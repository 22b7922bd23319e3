"""What the tests of bad input share: every command with arguments that are right, a town to spoil, and the judgement."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import builders
import click
import pytest
from workers import WorkerTown

from gastown_hooks import front
from gastown_hooks.cli import loader
from gastown_hooks.core import clock, errors
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import queue

Params = dict[str, list[str]]
# A path leads out of the town, but not out of the test: some commands write where they are told to.
HOSTILE = ("..", "-x", "a;b", "#(id)", "x" * 300, "", "a\nb", "\x1b[31mred", "../escaped", "/etc", "$(touch owned)",
           "é", "\udcff", "--", "%s{0}", "a b", "*", "gp-zzzzz")
CODES = {code for code, _, _ in errors.exit_codes()} - {errors.BUG, errors.INTERRUPTED}
# Run until they are told to stop, or make a town of their own.
ELSEWHERE = {("gt", "daemon", "run"), ("gt", "demo")}
# Free text, a file to read, a person's name, a filter that matches nothing: what any text may be.
FREE = {"title", "title_option", "description", "design", "acceptance_criteria", "notes", "append_notes", "reason", "run", "labels",
        "any_labels", "add_labels", "remove_labels", "set_labels", "external_ref", "gates", "title_contains", "assignee",
        "body_file", "reason_file", "label_any", "label_pattern", "exclude_label", "label_regex", "spec", "spec_id", "desc_contains",
        "notes_contains", "metadata_field", "has_metadata_key", "skills", "context", "design_file", "author", "session"}
FREE_OF = {("gt", "rescue", "restore"): {"to"}, ("gt", "config", "agent", "set"): {"command"}, ("gt", "install"): {"path"},
           **{("bd", *words.split()): {"text", "key", "label", "file"} for words in (
               "comment", "comments add", "search", "remember", "memories", "label propagate")},
           **{("bd", words): {"actor", "tags", "kinds"} for words in ("activity", "audit", "skills", "stats", "status")},
           ("bd", "validate"): {"kind", "signals", "note"},
           ("bd", "export"): {"output", "label"}, ("bd", "import"): {"file", "input_file"}, ("bd", "merge"): {"name"},
           ("gt", "convoy", "create"): {"notify"}}  # its value may be left out: then what follows is the title

# What goes through the whole town; a broken file is one of many things they meet, and tells no single line.
ACTS = {("gt", "daemon", "tick"), ("gt", "down"), ("gt", "up"), ("gt", "daemon", "start"), ("gt", "daemon", "stop")}


@dataclass(frozen=True, slots=True)
class Ended:
    """One call in this process."""

    code: int
    out: str
    err: str


def commands(program: str) -> dict[tuple[str, ...], click.Command]:
    """Every command of the program by its words."""
    return dict(_leaves((program,), loader.program(program, "")))


def _leaves(words: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    if command.invoke_without_command:
        yield words, command
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from _leaves((*words, name), found)


def right(words: tuple[str, ...], command: click.Command) -> Params:
    """The arguments that a command must have, each with a value that is right in `Place`; by their names where none are listed."""
    needed = {str(param.name): [USUAL.get(str(param.name), "gp-bbbbb")] for param in command.params if param.required}
    return {**needed, **_listed(words)}


USUAL = {"request": "REQUEST", "rig": "gp", "name": "gp", "worker": "gp/toast", "agent": "gp/toast", "reason": "no", "text": "text",
         "convoy_id": "hq-cv-aaaaa", "beads": "gp-bbbbb", "path": ".", "key": "gp.gates", "commit": "0" * 40}


def _listed(words: tuple[str, ...]) -> Params:
    return {("gt", "config", "get"): {"key": ["gp.gates"]}, ("gt", "config", "set"): {"key": ["gp.gate_timeout"], "values": ["5"]},
            ("gt", "config", "unset"): {"key": ["gp.gate_timeout"]},
            ("gt", "config", "agent", "get"): {"name": ["exec"]},
            ("gt", "config", "agent", "set"): {"name": ["mine"], "command": ["true"]},
            ("gt", "config", "agent", "remove"): {"name": ["fake"]},
            ("gt", "install"): {"path": ["."]},
            ("gt", "mq", "submit"): {"bead": ["gp-bbbbb"]}, ("gt", "mq", "status"): {"request": ["REQUEST"]},
            ("gt", "mq", "retry"): {"request": ["REQUEST"]}, ("gt", "mq", "reject"): {"request": ["REQUEST"], "reason": ["no"]},
            ("gt", "mq", "accept"): {"commit": ["0" * 40], "rig": ["gp"]}, ("gt", "peek"): {"agent": ["gp/toast"]},
            ("gt", "polecat", "status"): {"worker": ["gp/toast"]},
            ("gt", "polecat", "nuke"): {"worker": ["gp/toast"], "force": ["--force"]},
            ("gt", "polecat", "done"): {"worker": ["gp/toast"]}, ("gt", "polecat", "reset"): {"worker": ["gp/toast"]},
            ("gt", "rescue", "show"): {"key": ["gp/toast/1"]}, ("gt", "rescue", "restore"): {"key": ["gp/toast/1"]},
            ("gt", "rig", "add"): {"name": ["other"], "place": ["../project"]}, ("gt", "rig", "status"): {"name": ["gp"]},
            ("gt", "rig", "remove"): {"name": ["gp"]}, ("gt", "session", "start"): {"agent": ["gp/toast"]},
            ("gt", "session", "stop"): {"agent": ["gp/toast"]}, ("gt", "sling"): {"words": ["gp-bbbbb", "gp"]},
            ("bd", "close"): {"bead_ids": ["gp-bbbbb"]}, **{("bd", word): {"title": ["A title"]} for word in ("create", "new")},
            ("bd", "dep", "add"): {"bead_id": ["gp-bbbbb"], "depends_on": ["gp-ccccc"]},
            ("bd", "dep", "remove"): {"bead_id": ["gp-bbbbb"], "depends_on": ["gp-ccccc"]},
            ("bd", "dep", "rm"): {"bead_id": ["gp-bbbbb"], "depends_on": ["gp-ccccc"]},
            ("bd", "dep", "tree"): {"bead_id": ["gp-bbbbb"]}, ("bd", "reopen"): {"bead_ids": ["gp-bbbbb"]},
            **{("bd", *words.split()): {"bead_id": ["gp-bbbbb"], "text": ["text"]} for words in ("comment", "comments add")},
            **{("bd", "label", words): {"words": ["gp-bbbbb", "mark"]} for words in ("add", "remove", "rm")},
            ("bd", "validate"): {"bead_ids": ["gp-bbbbb"], "passed": ["--pass"]},
            ("bd", "delete"): {"bead_ids": ["gp-bbbbb"]}, ("bd", "graph", "show"): {"bead_id": ["gp-bbbbb"]},
            ("bd", "hooks", "run"): {"name": ["pre-commit"]}, ("bd", "query"): {"expression": ["status=open"]},
            ("bd", "remember"): {"text": ["text"]}, ("bd", "import"): {"file": ["no.jsonl"]},
            ("bd", "show"): {"bead_ids": ["gp-bbbbb"]}, ("bd", "update"): {"bead_ids": ["gp-bbbbb"]},
            }.get(words, {})


def call(command: click.Command, words: tuple[str, ...], given: Params, extra: list[str] | None = None) -> list[str]:
    """The words of a call: options first, positions in their order after `--`."""
    options, positions = [], []
    for param in command.params:
        values = given.get(str(param.name), [])
        if isinstance(param, click.Argument):
            positions += values
        elif isinstance(param, click.Option) and values:
            options += values if param.is_flag else [word for value in values for word in (max(param.opts, key=len), value)]
    return [*words, *options, "--", *positions, *(extra or [])]


def invoke(words: list[str], cwd: str, stdin: bytes = b"") -> Ended:
    """Run the entry point in this process, as its own process would with these arguments."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(cwd)
        patch.setattr(sys, "argv", list(words))
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        code = getattr(front, words[0])()
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return Ended(code, *texts)


_known: dict[str, tuple[tuple[int, ...], str]] = {}  # path → what the kernel says of the file, its content


def state(*roots: str) -> dict[str, str]:
    """Everything below the folders: kind, mode and content; locks and what the kernel keeps are no content."""
    found: dict[str, str] = {}
    for root in roots:
        if os.path.isdir(root):
            _look(root, found)
    return found


def _look(folder: str, found: dict[str, str]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".lock") or entry.name.startswith("index.db"):  # a lock; a cache that readers make
                continue
            status = entry.stat(follow_symlinks=False)
            if entry.is_symlink():
                found[entry.path] = f"{status.st_mode:o} {os.readlink(entry.path)}"
            elif entry.is_dir():
                if entry.name != "locks":
                    found[entry.path] = f"{status.st_mode:o}"
                    _look(entry.path, found)
            else:
                found[entry.path] = f"{status.st_mode:o} {_content(entry.path, status) if entry.is_file() else ''}"


def _content(path: str, status: os.stat_result) -> str:
    """The file's digest; not read again while the kernel's words of it are the same, and old enough to tell of a change."""
    facts = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if path not in _known or _known[path][0] != facts:
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        if time.time_ns() - status.st_ctime_ns < 50_000_000:
            return digest
        _known[path] = facts, digest
    return _known[path][1]


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def plain(ended: Ended) -> str:
    """What is wrong with how a refused call ended; "" when it is one clear line and a code of the table."""
    if ended.code not in CODES:
        return f"exit code {ended.code}: {ended.err[-600:]}"
    if ended.code == 0:
        return ""
    if "Traceback" in ended.err or ended.err.count("\n") != 1 or not ended.err.endswith("\n"):
        return f"not one line: {ended.err[-600:]!r}"
    if not ended.err.rstrip("\n").isprintable():
        return f"not printable: {ended.err!r}"
    return ""


OURS = {"town", "copy", "project", "home", "fake.py"}
_places: list[Place] = []


def place(folder: Path) -> Place:
    """The one of this process, below `folder`, as new."""
    if not _places:
        (folder / "place").mkdir()
        _places.append(Place(folder / "place"))
    _places[0].renew()
    return _places[0]


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


class Place:
    """A town with a worker that was slung, beads, a request in the queue and saved work; it can be put back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.built = WorkerTown(path)
        town, rig = self.built.town, self.built.rig
        for bead in ("gp-aaaaa", "gp-bbbbb", "gp-ccccc"):
            self.built.bead(bead)
        self.built.agent("")
        Ledger(town.beads).transact(lambda view: [{
            **self.built.get("gp-aaaaa"), "id": "hq-cv-aaaaa", "issue_type": "convoy",
            "dependencies": [{"issue_id": "hq-cv-aaaaa", "depends_on_id": "gp-aaaaa", "type": "tracks"}]}])
        home = self.built.sling("gp-aaaaa")
        record = self.built.get("gp-aaaaa")
        head = builders.commit(Path(home.tree), {"work.txt": "work\n"}, "work")
        lease = record["assignee"]
        made = queue.submit(rig, record, head=head, branch=self.git("symbolic-ref", "--short", "HEAD", tree=home.tree), worker=lease,
                            fence=1, target="main", caller=Caller("overseer", town.root, town), now=clock.now())
        self.request = str(made["id"])
        self.git("update-ref", "refs/gt/salvage/toast/1/head", head, tree=rig.repo)
        self.root = town.root
        (path / "home").mkdir(exist_ok=True)
        self.copy = f"{path}/copy"
        os.rename(self.root, self.copy)
        self.renew()

    def git(self, *args: str, tree: str) -> str:
        return builders.git(tree, *args)

    def state(self) -> dict[str, str]:
        return state(self.root, f"{self.path}/project", f"{self.path}/home", os.environ["HOME"])

    def renew(self) -> None:
        """The whole town anew."""
        _remove(self.root)
        shutil.copytree(self.copy, self.root, symlinks=True)
        self._settle()
        self.new = self.before

    def put_back(self) -> None:
        """What is not as in the new town; of a ledger all its files, for they name each other's inodes."""
        changed = differences(self.new, self.state())
        units = {f"{path.partition('/.beads/')[0]}/.beads" if "/.beads/" in path else path for path in changed}
        done: list[str] = []
        for path in sorted(unit for unit in units if unit.startswith(f"{self.root}/")):
            if path.startswith(tuple(f"{above}/" for above in done)):
                continue
            _remove(path)
            source = self.copy + path[len(self.root):]
            if os.path.isdir(source) and not os.path.islink(source):
                shutil.copytree(source, path, symlinks=True)
            elif os.path.lexists(source):
                shutil.copy2(source, path, follow_symlinks=False)
            done.append(path)
        self._settle()

    def _settle(self) -> None:
        for name in set(os.listdir(self.path)) - OURS:
            _remove(f"{self.path}/{name}")
        for beads in (self.built.town.beads, self.built.rig.beads):
            Ledger(beads).all()  # the copy is a file of its own: taken up now, not by the command
        self.before = self.state()

    def changes(self) -> list[str]:
        found = differences(self.before, self.state())
        return found + sorted(set(os.listdir(self.path)) - OURS)

    def right(self, words: tuple[str, ...], command: click.Command) -> Params:
        return {key: [self.request if value == "REQUEST" else value for value in values] for key, values in right(words, command).items()}
