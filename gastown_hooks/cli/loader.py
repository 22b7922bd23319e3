"""Commands are files: a folder listed is a command group, a file is imported only when its command is asked for."""

from __future__ import annotations

import gc
import importlib
import os
import re
from copy import copy
from typing import Any, TypeVar

import click

from gastown_hooks import __version__
from gastown_hooks.core import fsio
from gastown_hooks.core.ids import shown
from gastown_hooks.core.late import late
from gastown_hooks.stores import callers

TYPE_CHECKING = False
if TYPE_CHECKING:
    import difflib

    from gastown_hooks.cli import help_json
    from gastown_hooks.cli.bd import _original
else:
    difflib, help_json, _original = late("difflib"), late("gastown_hooks.cli.help_json"), late("gastown_hooks.cli.bd._original")

T = TypeVar("T", bound=click.Command)
_SHORT_HELP = r'(?m)^(?:@click\.|cli = )[^\n]*?short_help="((?:[^"\\\n]|\\")*)"'
JSON_WANTED = "gastown_hooks.json"
_SO_ANYWAY = ("--no-daemon", "--no-db", "--sandbox", "--allow-stale", "--no-auto-flush", "--no-auto-import")  # of the original's bd
_FIRST_STEPS = {
    "gt": """\b
First steps:
  gt install ~/gt && cd ~/gt
  gt rig add app URL-OR-FOLDER --gate 'make test'
  bd create 'What is to be done' --prefix ap
  gt up
  gt sling BEAD app
  gt status
""",
    "bd": """\b
First steps:
  bd init
  bd create 'What is to be done'
  bd ready
  bd update ID --claim
  bd close ID
"""}


class Leaf(click.Command):
    """A command of a group; its own help shows the examples of it that stand in the group's."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        shown = [] if "Example" in (self.help or "") else help_json.of_its_groups(ctx)
        if shown:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in shown))


class Group(click.Group):
    """A click group that says what an unknown word could have meant."""

    command_class = Leaf

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0] if args else ""
        if word and not word.startswith("-") and self.get_command(ctx, word) is None:
            raise click.UsageError(unknown("command", word, self.list_commands(ctx)), ctx=ctx)
        return super().resolve_command(ctx, args)


class Folder(Group):
    """The group of the commands in one package: `<name>.py` holds the click command `cli`, `_` in the name reads `-`.

    Files that begin with `_` are shared code, no commands.
    """

    def __init__(self, package: str, *, json_help: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self._json_help = json_help
        self._package = package
        self._path: list[str] = list(importlib.import_module(package).__path__)

    def _modules(self) -> dict[str, str]:
        files = [file for folder in self._path for file in os.listdir(folder)]
        return {name.removesuffix(".py").rstrip("_").replace("_", "-"): name.removesuffix(".py")
                for name in files if name.endswith(".py") and not name.startswith("_")}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._modules())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The original's flags for what is so anyway may stand anywhere, as they may there."""
        end = args.index("--") if "--" in args else len(args)
        head = [word for word in args[:end] if self.name != "bd" or word not in _SO_ANYWAY]
        return super().parse_args(ctx, head + args[end:])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """`bd help create` is `bd create --help`."""
        if args and self.name == "bd" and args[0] not in self._modules():
            _original.refuse_word(args[0])
        if args[:1] == ["help"] and len(args) == 1:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().resolve_command(ctx, [*args[1:], "--help"] if args[:1] == ["help"] else args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, self._short_help(ctx, name, module)) for name, module in sorted(self._modules().items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _short_help(self, ctx: click.Context, name: str, module: str) -> str:
        """The command's line in the list, from its file's text where it stands there: all files imported would take a second."""
        for folder in self._path:
            text = (fsio.read(f"{folder}/{module}.py") or b"").decode()
            found = re.search(_SHORT_HELP, text)
            if found:
                return found[1].replace('\\"', '"')
        command = self.get_command(ctx, name)
        return command.get_short_help_str(100) if command else ""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = self._modules().get(cmd_name)
        if module is None:
            return None
        command = importlib.import_module(f"{self._package}.{module}").cli
        gc.set_threshold(100_000)  # the entry scripts begin without the collector: neither a hot verb nor an import leaves garbage
        gc.enable()
        assert isinstance(command, click.Command), f"{self._package}.{module} has no click command named cli"
        command.name = cmd_name
        return _in_json(command) if self._json_help else command


def program(name: str, summary: str, *, json_help: bool = False) -> Folder:
    """The top group of `gt` or `bd`; `--json`, `-C`, `--version` and bd's `--actor` may stand before the command. `json_help`: `--help`
    prints JSON."""
    top = Folder(
        f"gastown_hooks.cli.{name}", name=name, json_help=json_help, help=summary, no_args_is_help=True, epilog=_FIRST_STEPS.get(name),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        params=[
            click.Option(["-C", "--directory", "folder"], metavar="DIR", callback=_enter, is_eager=True,
                         expose_value=False, help="Act as if started in DIR."),
            click.Option(["--json", "as_json"], is_flag=True, callback=_want_json, is_eager=True, expose_value=False,
                         help="JSON on standard output."),
            *([click.Option(["--actor"], metavar="WHO", callback=_act_as, is_eager=True, expose_value=False,
                            help="Act as WHO instead of $BD_ACTOR.")] if name == "bd" else []),
            click.Option(["--version"], is_flag=True, callback=_version, is_eager=True, expose_value=False,
                         help="Show the version."),
        ])
    return _in_json(top) if json_help else top


def _in_json(command: T) -> T:
    """The same command, whose help, and that of the commands in it, is JSON."""
    found = copy(command)
    found.get_help = lambda ctx: help_json.text(found, ctx)  # type: ignore[method-assign]  # its own, not its class's
    if isinstance(found, click.Group):
        if not any("--json" in param.opts for param in found.params):
            found.params = [*found.params, click.Option(["--json"], is_flag=True, callback=_want_json, is_eager=True, expose_value=False,
                                                        hidden=True)]
        found.commands = {name: _in_json(one) for name, one in found.commands.items()}
    return found


def unknown(what: str, word: str, known: list[str]) -> str:
    """`no command lst (did you mean list?)`"""
    close = difflib.get_close_matches(word, known, 3)
    return f"no {what} {shown(word)}" + (f" (did you mean {' or '.join(close)}?)" if close else "")


def _enter(ctx: click.Context, param: click.Parameter, folder: str | None) -> None:
    if folder is None:
        return
    try:
        os.chdir(folder)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"cannot enter {shown(folder)}: {getattr(error, 'strerror', error)}", ctx=ctx) from None


def _act_as(ctx: click.Context, param: click.Parameter, actor: str | None) -> None:
    if actor is not None:
        callers.act_as(actor)


def _want_json(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[JSON_WANTED] = True


def _version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"{ctx.info_name} {__version__}")
        ctx.exit()
