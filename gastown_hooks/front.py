"""The entry points `gt` and `bd`: run the command, turn every failure into one line and an exit code.

`gt` exits by the table in core/errors. `bd` keeps the contract of its ecosystem: 2 for wrong usage, 1 for any other failure;
the finer `code` is in the `--json` error on standard error: {"error","code"}.
"""

from __future__ import annotations

import sys

from gastown_hooks.core import errors, jsons
from gastown_hooks.core.late import late
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    import click

_SUMMARIES = {
    "gt": "Gas Town: run many coding agents on your projects and lose none of their work.",
    "bd": "Beads: the issue tracker your agents and you share, kept as plain lines in a file.",
}


# The hot verbs: which lean module does them. Each is given the verb and its words, and returns None where click has to look.
_FAST = {
    "gt": {"hook": "fast_hook", **dict.fromkeys(("status", "agents", "polecat", "rig", "mq", "convoy"), "fast_town")},
    "bd": {"ready": "fast_ready", "show": "fast_show", "merge": "fast_merge",
           **dict.fromkeys(("list", "blocked", "search", "query", "stale"), "fast_list"),
           **dict.fromkeys(("count", "stats", "status", "epic", "label", "dep"), "fast_facts"),
           **dict.fromkeys(("create", "update", "close"), "fast_write")}}


def gt() -> int:
    """Entry point of `gt`."""
    return _main("gt", sys.argv[1:])


def bd() -> int:
    """Entry point of `bd`."""
    code = _main("bd", sys.argv[1:])
    return code if code in (errors.OK, errors.BUG, errors.INTERRUPTED) or code == errors.BadInput.exit_code else 1


def leave(code: int) -> NoReturn:
    """End the process: at once after a hot verb, which leaves nothing to tidy up (a sixth of its time), else as usual."""
    if "gastown_hooks.cli.loader" in sys.modules:
        sys.exit(code)
    sys.stderr.flush()
    os._exit(_flushed(code))


def _main(name: str, words: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        # A byte that the terminal's encoding cannot hold must not stop a command that has already done its work.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    if words == ["--version"]:
        from gastown_hooks import __version__
        print(f"{name} {__version__}")
        return errors.OK
    as_json = "--json" in (words[:words.index("--")] if "--" in words else words)
    code = errors.handled(name, lambda: _run(name, words, as_json))
    return _flushed(code)


def _run(name: str, words: list[str], as_json: bool) -> int:
    """Run the command; with `--json` its failure is reported here, since only the error itself knows its code."""
    try:
        if name == "bd" and words[:1] == ["--actor"] and len(words) > 2:
            from gastown_hooks.stores import callers
            callers.act_as(words[1])
            words = words[2:]
        code = _fast(name, words)
        return _click(name, words) if code is None else code
    except (errors.GastownError, OSError) as error:
        known = errors.met(error) if isinstance(error, OSError) and not isinstance(error, BrokenPipeError) else error
        if not as_json or not isinstance(known, errors.GastownError):
            raise
        print(jsons.pretty({"error": str(known), "code": known.code}), file=sys.stderr)
        return known.exit_code


def _fast(name: str, words: list[str]) -> int | None:
    module = _FAST[name].get(words[0]) if words else None
    if module is None:
        return None
    code: int | None = late(f"gastown_hooks.cli.{module}").run(words)
    return code


def _click(name: str, words: list[str]) -> int:
    from gastown_hooks.cli import lean_click, loader  # in this order: all others import click as it is
    click = lean_click.click
    for word in words:
        if any("\ud800" <= char <= "\udfff" for char in word):  # bytes that are no text: no file of ours could hold them
            raise errors.BadInput(f"{_escaped(word)} is not UTF-8 text")
    try:
        result = loader.program(name, _SUMMARIES[name], json_help="--json" in words).main(args=words, prog_name=name, standalone_mode=False)
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError" and "--json" not in words:
            print(error.format_message())  # the whole help page
            return errors.OK
        raise _usage(name, error) from None
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        raise errors.BadInput(_one_line(error.format_message())) from None
    return result if isinstance(result, int) and not isinstance(result, bool) else errors.OK


def _usage(name: str, error: click.UsageError) -> errors.BadInput:
    path = error.ctx.command_path if error.ctx else name
    text = error.format_message() or "missing command"
    if type(error).__name__ == "NoArgsIsHelpError":  # its text is the whole help page
        text = f"{path} needs a command"
    return errors.BadInput(_one_line(text), next=f"{path} --help")


def _one_line(text: str) -> str:
    line, hint, rest = " ".join(text.split()).partition(" Did you mean ")
    if hint:
        line = f"{line.rstrip('.')} (did you mean {rest.rstrip('?')}?)"
    safe = _escaped(line)
    return safe[:1].lower() + safe[1:].rstrip(".") if safe[1:2].islower() else safe.rstrip(".")


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _flushed(code: int) -> int:
    """Flush before the interpreter does: a reader that left (`bd list | head`) is no error worth a traceback."""
    try:
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # SIGPIPE; `signal` takes 4 ms to import
