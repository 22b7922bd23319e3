"""Bad input: every command, every position, hostile values; broken files; a full disk. One clear line, the right code, nothing changed."""

from __future__ import annotations

from pathlib import Path

import badinput
import click
import pytest
from badinput import HOSTILE, Place, call, invoke, plain

COMMANDS = {words: command for program in ("gt", "bd") for words, command in badinput.commands(program).items()
            if words not in badinput.ELSEWHERE}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def positions(command: click.Command) -> list[click.Parameter]:
    return [param for param in command.params if not (isinstance(param, click.Option) and param.is_flag)]


def may_pass(words: tuple[str, ...], param: click.Parameter, value: str) -> bool:
    """Whether the value means something there: free text, a name that is none of ours but a good one, nothing where nothing is asked."""
    name = str(param.name)
    return (name in badinput.FREE or name in badinput.FREE_OF.get(words, ()) or value == "gp-zzzzz" or (value == "" and not param.required))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_hostile_values_in_each_position(place: Place, words: tuple[str, ...]) -> None:
    command, given, wrong = COMMANDS[words], place.right(words), []
    calls = [(param, value, call(command, words, {**given, str(param.name): [value]})) for param in positions(command) for value in HOSTILE]
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


def test_nul_arrives_by_files_and_input_alone_and_is_refused(place: Place) -> None:
    (place.path / "home/nul").write_bytes(b"a\0b")
    place.before = place.state()
    for argv, stdin in ((["bd", "create", "T", "--body-file", "../home/nul"], b""), (["bd", "create", "T", "--stdin"], b"a\0b"),
                        (["bd", "update", "gp-bbbbb", "--body-file", "-"], b"a\0b"), (["bd", "create", "T", "--run", "@../home/nul"], b""),
                        (["bd", "close", "gp-bbbbb", "--reason-file", "../home/nul"], b"")):
        ended = invoke(argv, place.root, stdin)
        assert (ended.code, plain(ended), place.changes()) == (2, "", []), (argv, ended)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_outside_of_a_town(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    if words[-1] == "version" or words in (("gt", "install"), ("gt", "config", "explain")):
        return
    given = {key: ["gp-mr-1" if value == "REQUEST" else value for value in values] for key, values in badinput.right(words).items()}
    ended = invoke(call(COMMANDS[words], words, {**given, **NEEDED.get(words, {})}), str(tmp_path / "empty"))
    assert plain(ended) == "" and ended.code == (1 if words[0] == "bd" else 3), ended
    assert list((tmp_path / "empty").iterdir()) == []


NEEDED = {("gt", "stop"): {"everything": ["--all"]}, ("bd", "update"): {"title": ["T"]}}
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
QUIET = {words for words in COMMANDS if words not in badinput.ACTS}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_clear_line_for_every_command(place: Place, name: str) -> None:
    path, wrong = Path(place.root, name), []
    path.parent.mkdir(exist_ok=True)
    for text in BROKEN[name]:
        for words in QUIET:
            path.write_text(text)
            place.before = place.state()
            ended = invoke(call(COMMANDS[words], words, {**place.right(words), **NEEDED.get(words, {})}), place.root)
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
