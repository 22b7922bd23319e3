"""The help of a command as JSON, for a program that is to learn the commands: `bd create --help --json`."""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.core import jsons


def text(command: click.Command, ctx: click.Context) -> str:
    """{command,summary,help,examples,usage,arguments,options} and, of a group, `commands` with their summaries."""
    about, examples = _parts(command)
    examples += [line for line in of_its_groups(ctx) if line not in examples]
    params = [one for one in command.get_params(ctx) if not getattr(one, "hidden", False)]
    found: dict[str, Any] = {
        "command": ctx.command_path, "summary": command.get_short_help_str(200), "help": about, "examples": examples,
        "usage": " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)]),
        "arguments": [{"name": one.make_metavar(ctx), "required": one.required, "many": one.nargs != 1} for one in params
                      if isinstance(one, click.Argument)],
        "options": [_option(one, ctx) for one in params if isinstance(one, click.Option)]}
    if isinstance(command, click.Group):
        below = {name: command.get_command(ctx, name) for name in command.list_commands(ctx)}
        found["commands"] = [{"name": name, "summary": one.get_short_help_str(200)} for name, one in below.items()
                             if one and not one.hidden]
    return jsons.pretty(found)


def of_its_groups(ctx: click.Context) -> list[str]:
    """The examples of a command that stand in the help of the groups it is in."""
    found, above = list[str](), ctx.parent
    while above is not None:
        found += [line for line in _parts(above.command)[1] if f"{line} ".startswith(f"{ctx.command_path} ")]
        above = above.parent
    return found


def _option(option: click.Option, ctx: click.Context) -> dict[str, Any]:
    found: dict[str, Any] = {"flags": [*option.opts, *option.secondary_opts], "help": option.help or ""}
    if option.is_flag:
        return found
    found["value"] = option.metavar or option.type.name
    if isinstance(option.type, click.Choice):
        found["choices"] = list(option.type.choices)
    default = option.get_default(ctx)
    if default not in (None, (), "") and isinstance(default, (str, int, float)):
        found["default"] = default
    return found | ({"repeat": True} if option.multiple else {}) | ({"required": True} if option.required else {})


def _parts(command: click.Command) -> tuple[str, list[str]]:
    """The help without its examples, and these."""
    about, _, shown = (command.help or "").replace("\b\n", "").partition("Examples:\n")
    lines = [*shown.splitlines(), *((command.epilog or "").replace("\b\n", "").splitlines()[1:] if not shown else ())]
    return " ".join(about.split()), [line.strip() for line in lines if line.startswith("  ") and line.strip()]
