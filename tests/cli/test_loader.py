"""The list of commands is read from their files' text, which says what the commands say."""

from __future__ import annotations

import click
import pytest

from gastown_hooks.cli import loader
from gastown_hooks.cli.bd import _original


@pytest.mark.parametrize("program", ["gt", "bd"])
def test_the_list_says_what_the_commands_say(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = loader.program(program, "")
    context = click.Context(folder)
    wanted = {name: getattr(folder.get_command(context, name), "short_help", None) for name in folder.list_commands(context)}
    monkeypatch.setattr(loader.Folder, "get_command", lambda *_: pytest.fail("a command was imported for the list"))
    assert {name: folder._short_help(context, name, module) for name, module in folder._modules().items()} == wanted


def test_a_word_of_the_originals_is_told_what_it_is_here() -> None:
    there = loader.program("bd", "").list_commands(click.Context(click.Command("bd")))
    assert not set(_original.WORDS) & set(there)
    assert all(words.split()[1] in [*there, "help"] for words in _original.WORDS.values())
