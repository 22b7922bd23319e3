"""The help of each command as JSON says what its text says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import warm

from gastown_hooks.cli import loader


def below(ctx: click.Context) -> Iterator[click.Context]:
    """The context of each command below this one's, and its own."""
    yield ctx
    group = ctx.command
    for name in group.list_commands(ctx) if isinstance(group, click.Group) else ():
        command = group.get_command(ctx, name)
        assert command is not None
        yield from below(click.Context(command, info_name=name, parent=ctx))


@pytest.mark.parametrize("program", ["gt", "bd"])
def test_each_command_explains_itself(program: str) -> None:
    seen = 0
    for ctx in below(click.Context(loader.program(program, "x", json_help=True), info_name=program)):
        found = json.loads(ctx.get_help())
        flags = {flag for option in found["options"] for flag in option["flags"]}
        wanted = {flag for one in ctx.command.get_params(ctx) if isinstance(one, click.Option) and not one.hidden
                  for flag in (*one.opts, *one.secondary_opts)}
        seen += 1
        assert found["command"] == ctx.command_path and flags == wanted
        if not isinstance(ctx.command, click.Group):
            assert any(ctx.command_path in line for line in [*found["examples"], found["help"]]), found
    assert seen > 40


@pytest.mark.parametrize("words", [["close", "--help", "--json"], ["--json", "label", "add", "-h"], ["--help", "--json"]])
def test_it_is_asked_for_like_any_other(words: list[str], tmp_path: Path) -> None:
    done = warm.run("bd", *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, "") and json.loads(done.out)["command"].startswith("bd")
    assert warm.run("bd", "close", "--help", cwd=tmp_path).out.startswith("Usage: bd close")


@pytest.mark.parametrize("program", ["gt", "bd"])
def test_the_text_of_each_command_has_an_example_too(program: str) -> None:
    """Of a word that is another name of a command, that command's."""
    lacking = [ctx.command_path for ctx in below(click.Context(loader.program(program, "x"), info_name=program))
               if not isinstance(ctx.command, click.Group)
               and not any(line.strip().startswith(f"{program} ") for line in ctx.get_help().split("Example")[-1].splitlines()[1:])]
    assert not lacking
