"""Every verb of bd and every option that it lists is used by some script or test."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click

from gastown_hooks.cli.loader import Folder

TESTS = Path(__file__).resolve().parents[2]


def verbs(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from verbs(command, (*above, name))
        yield (*above, name), command


@cache
def known() -> dict[tuple[str, ...], click.Command]:
    return dict(verbs(Folder("gastown_hooks.cli.bd", name="bd")))


@cache
def lines() -> list[frozenset[str]]:
    """The words of every command line in the scripts and in the tests' code."""
    found = [_words(line) for path in TESTS.glob("cli/bd/scripts/*.txt") for line in path.read_text(encoding="utf-8").splitlines()
             if line.startswith("$ ")]
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, (ast.List, ast.Tuple)) else ()
            texts = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
            if texts:
                found.append(frozenset(word for text in texts for word in text.split()))
    return [frozenset(part for word in words for part in (word, word.partition("=")[0])) for words in found]


def _words(line: str) -> frozenset[str]:
    try:
        return frozenset(shlex.split(line))
    except ValueError:
        return frozenset(line.split())


def used(verb: tuple[str, ...], words: frozenset[str] = frozenset()) -> bool:
    """Whether some line has the verb, and one of these words."""
    return any(not words or not words.isdisjoint(line) for line in lines() if set(verb) <= line)


def test_every_verb_has_a_script() -> None:
    """What it prints stands in one of the black-box scripts, letter by letter."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(TESTS.glob("cli/bd/scripts/*.txt")))
    missing = [" ".join(verb) for verb in known() if not re.search(rf"(?m)^\$ (?:[A-Z_]+=\S+ )*bd {' '.join(verb)}\b", text)]
    assert missing == []


def test_every_verb_and_every_option_is_used() -> None:
    """An option that several verbs share (the filters of listings) is used with one of them; --json and --dry-run with each."""
    missing = [" ".join(verb) for verb in known() if not used(verb)]
    takers: dict[tuple[frozenset[str], str | None, tuple[str, ...]], list[tuple[str, ...]]] = {}
    for verb, command in known().items():
        for option in command.params:
            if isinstance(option, click.Option):
                words = frozenset((*option.opts, *option.secondary_opts))
                own = verb if words & {"--json", "--dry-run"} else ()
                takers.setdefault((words, option.help, own), []).append(verb)
    missing += [f"{' '.join(some[0])} {'|'.join(sorted(words))}" for (words, _, _), some in takers.items()
                if not any(used(verb, words) for verb in some)]
    assert missing == []
