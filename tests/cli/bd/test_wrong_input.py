"""Wrong input on each verb: one clear line on standard error, exit 1 or 2, and nothing is changed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import builders
import click
import pytest
import warm
from e2e import badinput

COMMANDS = {" ".join(words[1:]): command for words, command in badinput.commands("bd").items()}
# Wherever a bead is named, as %.
BEADS = [
    "children %", "close %", "comment % hi", "comments % ", "comments add % hi", "compact %", "count --parent %", "create x --parent %",
    "create x --deps %", "create x --waits-for %", "defer % --until +1d", "delete % -f", "dep add % bd-two", "dep add bd-two %",
    "dep list %", "dep relate % bd-two", "dep relate bd-two %", "dep remove % bd-two", "dep tree %", "dep unrelate % bd-two",
    "duplicate % --of bd-two", "duplicate bd-two --of %", "graph %", "history %", "label add % x", "label list %", "label propagate % x",
    "label remove % x", "list --parent %", "ready --parent %", "rename % bd-new", "reopen %", "restore %", "show %",
    "supersede % --with bd-two", "supersede bd-two --with %", "swarm validate %", "undefer %", "update % -p 1",
    "update bd-two --parent %", "validate % --pass", "activity --mol %", "audit --bead %",
    "audit record --kind tool_call --tool-name x --issue-id %",
    "blocked --parent %", "comments list %", "dep add bd-two --depends-on %", "dep add bd-two --blocks %", "dep rm % bd-two",
    "dep rm bd-one11 %", "dep remove bd-one11 %", "graph show %", "label rm % x", "lint --parent %", "ready --mol %", "stale --parent %",
    "query status=open --parent %", "search x --parent %", "view %"]
EXACT = [f"{verb} --id %" for verb in ("count", "lint", "list", "query status=open", "search x", "stale")]  # no beginnings of ids
NO_BEADS = {"--spec-id", "--session", "--await-id", "--id"}  # another thing's id, or a new one
WRONG_BEADS = [("bd-zzzzz", 1, "no bead bd-zzzzz"), ("one", 2, "one fits 2 beads: bd-one11, bd-one22"), ("../x", 2, "is no bead id")]
# A value that no option of this name takes.
WRONG_VALUES = {
    "priority": ["9", "-1", "high"], "priority_min": ["9"], "priority_max": ["-1"], "limit": ["-1", "many"], "days": ["-1"],
    "estimate": ["-5"], "due": ["someday", "2026-13-40"], "defer_until": ["someday"], "until": ["someday"], "since": ["someday"],
    "created_after": ["someday"], "created_before": ["2026-02-30"], "updated_after": ["x"], "updated_before": ["x"],
    "closed_after": ["x"], "closed_before": ["x"], "due_after": ["x"], "due_before": ["x"], "sort": ["speed"], "title_option": [" "],
    "issue_type": ["bgu"], "status": ["opne"], "max_depth": ["-1"], "format": ["{{.No"]}
NEEDED = {
    "create": ["x"], "defer": ["bd-two"], "update": ["bd-two"], "dep tree": ["bd-two"], "search": ["x"], "query": ["status=open"],
    "q": ["x"], "show": ["bd-two"], "graph show": ["bd-two"]}
REST = [
    ("create ''", 2, "the title is empty"), ("create ' '", 2, "the title is empty"), ("q ' '", 2, "the title is empty"),
    ("update bd-two --title ' '", 2, "the title is empty"), ("comment bd-two ' '", 2, "the comment is empty"),
    ("dep add bd-two bd-two", 2, "cannot depend on itself"), ("dep relate bd-two bd-two", 2, "itself"),
    ("supersede bd-two --with bd-two", 2, "itself"), ("duplicate bd-two --of bd-two", 2, "itself"),
    ("dep add bd-one22 bd-one11", 1, "a cycle: bd-one22 -> bd-one11 -> bd-one22"), ("update bd-two --parent bd-two", 2, "itself"),
    ("update bd-one11 --parent bd-one22", 1, "cycle"), ("update bd-two --claim --status open", 2, "contradict"),
    ("list --all --status open", 2, "contradict"), ("list -a x -u", 2, "contradict"), ("sync --push --no-push", 2, "contradict"),
    ("close bd-two -r a --reason-file b", 2, "given twice"), ("update bd-two --notes a --append-notes b", 2, "contradict"),
    ("rename bd-two bd-one11", 1, "bd-one11"), ("create x --id bd-one11", 1, "is taken"), ("rename-prefix 'a b'", 2, "prefix"),
    ("query 'status='", 2, ""), ("query 'speed>1'", 2, "speed"), ("config set nope 1", 1, "nope"), ("recall nope", 1, "nope"),
    ("forget nope", 1, "nope"), ("diff nope", 1, "nope"), ("import nope.jsonl", 1, "nope.jsonl"), ("hooks run nope", 2, "nope"),
    ("export -o .", 2, ""), ("batch -f nope", 1, "nope"), ("external list x", 2, "x"), ("activity --mol bd-zzzzz", 1, "bd-zzzzz"),
    ("audit --bead bd-zzzzz", 1, "bd-zzzzz")]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    repo = builders.make_repo(tmp_path / "proj", {"README.md": "hello\n"})
    for words in ("init -q --prefix bd", "create One --id bd-one11", "create One --id bd-one22", "create Two --id bd-two",
                  "dep add bd-one11 bd-one22"):
        assert warm.run("bd", *shlex.split(words), cwd=repo).code == 0, words
    builders.git(repo, "add", "-A")
    builders.git(repo, "commit", "-q", "-m", "beads")
    return repo


def wrong(place: Path, cases: list[tuple[list[str], int, str]]) -> list[str]:
    """The cases that end otherwise than they should."""
    found, ledger = [], place / ".beads/issues.jsonl"
    before = ledger.read_bytes(), {path.name for path in place.iterdir()}
    for words, code, told in cases:
        done = warm.run("bd", *words, cwd=place)
        clear = done.err.startswith("bd: ") and done.err.count("\n") == 1 and not done.out and re.search(told, done.err)
        if done.code != code or not clear or (ledger.read_bytes(), {path.name for path in place.iterdir()}) != before:
            found.append(f"{shlex.join(words)}: {done}")
            ledger.write_bytes(before[0])
    return found


def test_a_bead_that_there_is_not_or_that_is_not_one(place: Path) -> None:
    assert wrong(place, [(shlex.split(words.replace("%", shlex.quote(bead))), code, told) for words in BEADS
                         for bead, code, told in WRONG_BEADS]) == []
    assert wrong(place, [(shlex.split(words.replace("%", f"bd-two,{bead}")), 1, f"no bead {bead}") for words in EXACT
                         for bead in ("bd-zzzzz", "one", "../x")]) == []


def test_every_verb_that_is_given_beads_is_tried_with_wrong_ones() -> None:
    missing = []
    for name, command in COMMANDS.items():
        lines = [f"{line} " for line in (*BEADS, *EXACT) if f"{line} ".startswith(f"{name} ")]
        for param in command.params:
            of_beads = "ID" in (getattr(param, "metavar", None) or "") or param.name in ("one", "other", "depends_on")
            told = any(f"{word} %" in line for line in lines for word in param.opts) if isinstance(param, click.Option) else lines
            if of_beads and not told and name != "new" and NO_BEADS.isdisjoint(param.opts):
                missing.append(f"{name} {param.opts}")
    assert missing == []


def test_values_that_an_option_does_not_take(place: Path) -> None:
    cases = []
    for name, command in COMMANDS.items():
        for param in command.params:
            if isinstance(param, click.Option) and not param.is_flag:
                cases += [([*name.split(), *NEEDED.get(name, []), f"{max(param.opts, key=len)}={value}"], 2, "")
                          for value in WRONG_VALUES.get(str(param.name), [])]
    assert len(cases) > 100 and wrong(place, cases) == []


def test_everything_else(place: Path) -> None:
    assert wrong(place, [(shlex.split(words), code, told) for words, code, told in REST]) == []
