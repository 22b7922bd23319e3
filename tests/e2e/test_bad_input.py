"""Bad input: every command, every position, hostile values; broken files; a full disk. One clear line, the right code, nothing changed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import badinput
import builders
import click
import pytest
from badinput import HOSTILE, Place, call, invoke, plain

from gastown_hooks.core import record
from gastown_hooks.stores.ledger import Ledger

COMMANDS = {words: command for program in ("gt", "bd") for words, command in badinput.commands(program).items()
            if words not in badinput.ELSEWHERE}


@pytest.fixture
def place(shared: Path) -> Place:
    return badinput.place(shared)


def positions(command: click.Command) -> list[click.Parameter]:
    return [param for param in command.params if not (isinstance(param, click.Option) and param.is_flag)]


def may_pass(words: tuple[str, ...], param: click.Parameter, value: str) -> bool:
    """Whether the value means something there: free text, a name that is none of ours but a good one, nothing where nothing is asked."""
    name = str(param.name)
    return (name in badinput.FREE or name in badinput.FREE_OF.get(words, ()) or value == "gp-zzzzz" or (value == "" and not param.required))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_hostile_values_in_each_position(place: Place, words: tuple[str, ...]) -> None:
    command, given, wrong = COMMANDS[words], place.right(words, COMMANDS[words]), []
    calls = [(param, value, call(command, words, {**given, str(param.name): [value]})) for param in positions(command) for value in HOSTILE
             if (words, value) != (("gt", "install"), "/etc")]  # a good folder for it, but not for a test
    for param, value, argv in calls:
        ended = invoke(argv, place.root)
        changed = place.changes()
        what = plain(ended) or (f"refused, yet changed {changed}" if ended.code and changed else "")
        if not what and ended.code == 0 and not may_pass(words, param, value):
            what = f"accepted: {ended.out!r}"
        wrong += [f"{param.name} {value[:30]!r}: {what}"] if what else []
        if changed:
            place.put_back()
    unwanted = invoke(call(command, words, given, ["#(id)", "a;b"]), place.root)
    if plain(unwanted) or not unwanted.code or place.changes():
        wrong.append(f"two words too many: {unwanted}")
    assert wrong == []


def test_nul_arrives_by_files_and_input_alone(place: Place) -> None:
    """In a text it is data, as every control character; a script with it could not be run."""
    (place.path / "home/nul").write_bytes(b"a\0b")
    place.before = place.state()
    for argv in (["bd", "create", "T", "--run", "@../home/nul"], ["bd", "update", "gp-bbbbb", "--run", "@../home/nul"]):
        ended = invoke(argv, place.root)
        assert (ended.code, plain(ended), place.changes()) == (2, "", []) and "NUL" in ended.err, (argv, ended)
    for argv, stdin in ((["bd", "update", "gp-bbbbb", "--body-file", "-"], b"a\0b"), (["bd", "update", "gp-bbbbb", "--stdin"], b"a\0b"),
                        (["bd", "close", "gp-bbbbb", "--reason-file", "../home/nul"], b"")):
        ended = invoke(argv, place.root, stdin)
        assert ended.code in (0, 2) and plain(ended) == "" and "\0" not in ended.out, (argv, ended)
    shown = invoke(["bd", "show", "gp-bbbbb"], place.root)
    assert shown.code == 0 and "\0" not in shown.out and "a\\x00b" in shown.out, shown


def test_a_run_in_the_ledger_that_no_shell_takes_stalls_its_worker(place: Place) -> None:
    """Written by another program; the worker says so, and the witness's round goes on."""
    Ledger(place.built.rig.beads).fold()
    path = Path(place.built.rig.beads.issues)
    beads = [json.loads(line) for line in path.read_bytes().splitlines()]
    path.write_text("".join(json.dumps({**bead, "run": "a\0b"} if bead["id"] == "gp-bbbbb" else bead) + "\n" for bead in beads))
    home = place.built.sling("gp-bbbbb")
    done = place.built.work(home.name)
    assert "Traceback" not in done.err + done.out, done
    transcript = Path(home.transcript).read_text() if Path(home.transcript).exists() else ""
    assert "Traceback" not in transcript, transcript
    assert place.built.get("gp-bbbbb")["status"] != "closed"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_outside_of_a_town(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    if words[-1] in ("version", "explain") or words in (("gt", "install"), ("bd", "merge"), ("bd", "hooks", "run"), ("bd", "prime")):
        return
    listed = badinput.right(words, COMMANDS[words])
    given = {key: ["gp-mr-1" if value == "REQUEST" else value for value in values] for key, values in listed.items()}
    ended = invoke(call(COMMANDS[words], words, {**given, **NEEDED.get(words, {})}), str(tmp_path / "empty"))
    assert plain(ended) == "" and ended.code == (1 if words[0] == "bd" else 3), ended
    assert list((tmp_path / "empty").iterdir()) == []


NEEDED = {("gt", "stop"): {"everything": ["--all"]}, ("bd", "update"): {"title": ["T"]},
          ("bd", "audit", "record"): {"kind": ["llm_call"], "model": ["m"]}, ("bd", "audit", "label"): {"label": ["good"]}}
BROKEN = {
    "settings/config.json": ['{"default_agnt": "exec"}', '{"agents": 3}', "{", "[]", "", '{"witness_seconds": "x"}', "\0"],
    "gp/settings/config.json": ['{"gatess": ["true"]}', '{"gates": 3}', '{"gate_timeout": -1}', "{", "[]", ""],
    "gp/config.json": ["{", "[]", "", '{"name": 3}', '{"name": "gp"}', '{"name": "gp", "default_branch": 3, "beads": {"prefix": "gp"}}'],
    "mayor/town.json": ["{", "[]", "", "{}", '{"id": 7}'],
    "daemon/mode.json": ["{", "[]", '{"mode": 3}'], "daemon/last_tick.json": ["{", "[]"],
    "gp/polecats/toast/lease.json": ["{", "[]", "{}", '{"bead": 3}'], "gp/polecats/toast/heartbeat.json": ["{", "[]", "{}"],
    "gp/polecats/toast/turns.json": ["{", "[]"], "gp/refinery/state.json": ["{", "[]"], "gp/refinery/landings.jsonl": ["{\n", "[]\n"],
    ".beads/config.json": ["{", "[]", '{"issue_prefix": 3}'], ".beads/routes.jsonl": ["{\n", "[]\n", '{"prefix": 3, "path": []}\n'],
    "gp/.beads/issues.journal": ["{", "garbage\n", "garbage\nmore\n"], ".events.jsonl": ["{\n"], "gp/.beads/redirect": ["\0", "../..\n"],
}
QUIET = [words for words in COMMANDS if words not in badinput.ACTS and words != ("gt", "rig", "add")]
READING = ("list", "show", "status", "ready", "blocked", "next", "agents", "prime", "peek", "get", "where")
READERS = [words for words in QUIET if words[-1] in READING]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_clear_line_for_every_command(place: Place, name: str) -> None:
    path, wrong = Path(place.root, name), []
    path.parent.mkdir(exist_ok=True)
    for text in BROKEN[name]:
        for words in QUIET if text == BROKEN[name][0] else READERS:
            path.write_text(text)
            place.before = place.state()
            ended = invoke(call(COMMANDS[words], words, {**place.right(words, COMMANDS[words]), **NEEDED.get(words, {})}), place.root)
            what = plain(ended)
            if not what and ended.code and (changed := [one for one in place.changes() if "/.beads/issues" not in one]):
                what = f"refused, yet changed {changed}"
            if not what and ended.code == 7 and Path(name).name not in ended.err:
                what = f"the file is not named: {ended.err}"
            wrong += [f"{text[:40]!r}: {' '.join(words)}: {what}"] if what else []
            if place.changes():
                place.put_back()
    assert wrong == []


@pytest.mark.parametrize(("name", "text", "told"), [
    ("settings/config.json", '{"default_agnt": "exec"}', ("default_agnt", "default_agent")),
    ("settings/config.json", '{"witness_secs": 3}', ("witness_secs", "witness_seconds")),
    ("gp/settings/config.json", '{"gatess": ["true"]}', ("gatess", "nearest is gates")),
    ("gp/settings/config.json", '{"gate_timeout": "long"}', ("gate_timeout", "long")),
])
def test_a_broken_setting_names_its_key_and_the_nearest(place: Place, name: str, text: str, told: tuple[str, ...]) -> None:
    Path(place.root, name).write_text(text)
    for argv in (["gt", "sling", "gp-bbbbb", "gp"], ["gt", "mq", "list"], ["gt", "config", "list"]):
        ended = invoke(argv, place.root)
        if ended.code == 0 and name.startswith("settings"):
            continue  # it needs none of the town's settings
        assert plain(ended) == "" and ended.code == 7 and all(word in ended.err for word in (name, *told)), ended
    assert invoke(["gt", "config", "list"], place.root).code == 7 or name.startswith("gp")


# ---- a damaged ledger

GARBAGE = b'{"id":"gp-bad", this is no JSON \xff\x00 }'
LISTING = [["bd", "list"], ["bd", "ready"], ["bd", "blocked"], ["bd", "show", "gp-bbbbb"], ["bd", "dep", "tree", "gp-bbbbb"],
           ["bd", "dep", "cycles"], ["bd", "list", "--json"]]
WRITING = [["bd", "create", "New", "--prefix", "gp"], ["bd", "update", "gp-bbbbb", "--title", "T"], ["bd", "close", "gp-ccccc"],
           ["gt", "sling", "gp-bbbbb", "gp"], ["bd", "dep", "add", "gp-bbbbb", "gp-aaaaa"]]


@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_readers_go_on_past_a_corrupt_line_and_writers_keep_it(place: Place, where: str) -> None:
    Ledger(place.built.rig.beads).fold()
    path = Path(place.built.rig.beads.issues)
    lines = path.read_bytes().splitlines()
    lines.insert({"first": 0, "middle": 2, "last": len(lines)}[where], GARBAGE)
    path.write_bytes(b"\n".join(lines) + b"\n")
    for argv in LISTING:
        ended = invoke(argv, f"{place.root}/gp")
        number = path.read_bytes().split(b"\n").index(GARBAGE) + 1
        assert ended.code == 0 and "warning" in ended.err and f"line {number}:" in ended.err, (argv, ended)
        assert ended.err.count("\n") == 1 and ended.err.rstrip("\n").isprintable()
        assert "--json" not in argv or len(json.loads(ended.out)) >= 3
    assert any("is no bead" in need["what"] for need in json.loads(invoke(["gt", "status", "--json"], place.root).out)["needs_you"])
    for argv in WRITING:
        ended = invoke(argv, f"{place.root}/gp")
        assert ended.code == 0, (argv, ended)
        Ledger(place.built.rig.beads).fold()
        assert path.read_bytes().count(GARBAGE + b"\n") == 1


ODD = (3, True, "x", [], {}, [3], {"a": 1}, 1.5, "", 10**40, ["x"], [{}], [{"text": 3}], None)
READING = ["bd list", "bd list --all -n 0 --json", "bd list --tree", "bd list --sort assignee --long", "bd list --overdue", "bd ready -n 0",
           "bd ready --explain", "bd ready --json", "bd blocked", "bd show gp-bbbbb", "bd search t", "bd count --by-status", "bd stats",
           "bd stale -d 1", "bd lint", "bd epic status", "bd dep cycles", "bd label list-all", "bd query priority<3", "bd duplicates",
           "bd export --json", "bd prime", "bd doctor", "gt status", "gt status --json", "gt prime", "gt hook", "gt convoy list",
           "gt mq list gp", "gt mq list gp --json", "gt rig status gp", "gt polecat list", "gt rescue list", "gt costs",
           "gt dispatch gp-bbbbb --dry-run", "gt daemon tick"]


def test_a_field_of_the_wrong_kind_stops_nobody_and_is_kept(place: Place) -> None:
    """Each known field with values of each kind, edited into the town's and the rig's ledger by hand."""
    lines = {}
    for prefix, beads in (("hq", place.built.town.beads), ("gp", place.built.rig.beads)):
        fit = {"title": "T", "status": "open", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
        odd = [{"id": f"{prefix}-o{number}x{n}", **fit, "issue_type": kind, key: value}
               for number, key in enumerate(record.FIELDS[2:]) for n, value in enumerate(ODD)
               for kind in [("task", "convoy", "merge-request", "epic")[(number + n) % 4]]]
        odd += [{"id": f"{prefix}-m{number}x{n}", **fit, "issue_type": kind, "metadata": {"state": "queued", "target": "main", key: value}}
                for number, key in enumerate(("state", "branch", "head", "target", "source", "worker", "fence", "pull", "review", "agent"))
                for n, value in enumerate(ODD) for kind in [("task", "convoy", "merge-request")[(number + n) % 3]]]
        Ledger(beads).fold()
        lines[beads.issues] = [json.dumps(one).encode() for one in odd]
        with open(beads.issues, "ab") as file:
            file.write(b"\n".join(lines[beads.issues]) + b"\n")
    wrong = []
    for cwd in (place.root, f"{place.root}/gp"):
        for words in READING:
            ended = invoke(words.split(), cwd)
            wrong += [f"{words} in {cwd}: {ended.err[-400:]}"] if ended.code not in (0, 1) else []
    assert wrong == []
    assert "gp-o0x1 is damaged: " in invoke(["bd", "show", "gp-o0x1"], place.root).err
    assert "spec_id is no text" in invoke(["bd", "update", "gp-o5x1", "-p", "1"], f"{place.root}/gp").err
    for path, odd in lines.items():
        assert sorted(odd) == sorted(line for line in Path(path).read_bytes().splitlines() if line in odd)


# ---- the disk is full

WRITERS = [["bd", "create", "New"], ["bd", "update", "gp-bbbbb", "--title", "T"], ["bd", "close", "gp-bbbbb"],
           ["bd", "dep", "add", "gp-bbbbb", "gp-ccccc"], ["gt", "sling", "gp-bbbbb", "gp"], ["gt", "config", "set", "gp.gate_timeout", "5"],
           ["gt", "hook", "gp-bbbbb"], ["gt", "mq", "reject", "REQUEST", "--reason", "no"],
           ["gt", "polecat", "nuke", "gp/toast", "--force"], ["gt", "up", "--no-cron"]]


@pytest.mark.parametrize("argv", WRITERS, ids=lambda argv: " ".join(argv[:3]))
def test_no_byte_can_be_written(place: Place, argv: list[str]) -> None:
    """A limit of zero bytes a file, which every write meets: a line, a code, and the ledger as it was."""
    before = json.dumps(Ledger(place.built.rig.beads).all())
    words = builders.command(argv[0], *[place.request if word == "REQUEST" else word for word in argv[1:]])
    done = builders.run(["sh", "-c", "ulimit -f 0; trap '' XFSZ; exec \"$@\"", "sh", *words], cwd=place.root)
    assert done.code in ((1,) if argv[0] == "bd" else (6, 9)), done
    assert done.err.count("\n") == 1 and "Traceback" not in done.err, done.err
    assert json.dumps(Ledger(place.built.rig.beads).all()) == before
    again = builders.run(words, cwd=place.root)
    assert again.code == 0, again


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = builders.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)])
    if done.code:
        pytest.skip("no file system may be mounted here")
    yield folder
    builders.run(["umount", str(folder)])


def test_a_full_file_system_loses_nothing_and_goes_on_when_there_is_room(small: Path, run_cli: builders.Run) -> None:
    repo = builders.make_repo(small / "repo", {"README.md": "x\n"})
    assert run_cli("bd", "init", "--prefix", "ab", cwd=repo).code == 0
    first = run_cli("bd", "create", "First", "--silent", cwd=repo).out.strip()
    fill = small / "fill"
    with open(fill, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    made, failed = [], None
    for number in range(200):  # the page that the journal has is used up first
        done = run_cli("bd", "create", f"Number {number}", "--description", "x" * 3000, "--silent", cwd=repo)
        if done.code:
            failed = done
            break
        made.append(done.out.strip())
    assert failed is not None and failed.code == 1 and failed.err.count("\n") == 1 and "no space left" in failed.err, failed
    assert {bead["id"] for bead in json.loads(run_cli("bd", "list", "--json", cwd=repo).out)} == {first, *made}
    fill.unlink()
    last = run_cli("bd", "create", "Last", "--silent", cwd=repo)
    assert last.code == 0, last.err
    assert {bead["id"] for bead in json.loads(run_cli("bd", "list", "--json", cwd=repo).out)} == {first, *made, last.out.strip()}


# ---- as processes

@pytest.mark.parametrize(("argv", "code"), [
    (["gt", "rig", "status", ".."], 2), (["gt", "rig", "status", "a;b"], 2), (["gt", "rig", "status", "nowhere"], 3),
    (["gt", "sling", "gp-zzzzz", "gp"], 3), (["gt", "polecat", "nuke", "gp/#(id)", "--force"], 2), (["bd", "show", "x" * 300], 2),
    (["bd", "show", "gp-zzzzz"], 1), (["bd", "create", "--", "-x\x1b["], 0), (["gt", "peek", "gp/\x1b[31m"], 2),
    (["gt", "-C", "/nonexistent", "status"], 2), (["gt", "--nonsense"], 2), (["bd", "update", "gp-bbbbb", "--assignee", "-x"], 2)])
def test_as_processes(place: Place, argv: list[str], code: int) -> None:
    done = builders.run(builders.command(*argv), cwd=place.root)
    assert done.code == code and (code == 0 or (done.err.count("\n") == 1 and place.changes() == [])), done
    assert "\x1b" not in done.err + done.out


def test_an_environment_that_lies_is_one_line(place: Place) -> None:
    for name, value in (("BD_ACTOR", "a;b"), ("BD_ACTOR", "../x"), ("GT_ROOT", "/nonexistent"), ("GT_RIG", ".."), ("GT_POLECAT", "-x"),
                        ("GT_ROLE", "#(id)"), ("GT_FENCE", "x"), ("GT_BEAD", ".."), ("BEADS_DIR", "/nonexistent"), ("GT_WAKE", "sideways")):
        for argv in (["gt", "prime"], ["gt", "hook"], ["bd", "list"], ["gt", "done"], ["bd", "create", "T"]):
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(name, value)
                ended = invoke(argv, place.root)
            assert plain(ended) == "", (name, value, argv, ended)
            assert ended.code == 0 or place.changes() == [], (name, value, argv, ended)
            if place.changes():
                place.put_back()
