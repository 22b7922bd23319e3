"""The one line in the account's crontab that starts `gt daemon tick`; every other line stays byte for byte as it is.

The line ends in a mark with the town's id, so two towns of one account do not touch each other's. Where there is no `crontab` program the
loop `gt daemon run` does the same.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

from gastown_hooks.core.errors import GastownError
from gastown_hooks.core.paths import Town
from gastown_hooks.stores import callers, config

MINUTES = 3
_LONGEST = 990  # cron implementations cut or refuse lines of a thousand bytes


def available() -> bool:
    """Whether there is a `crontab` program."""
    return _program() is not None


def line(town: Town) -> bytes:
    """The town's cron line. `%` is cron's newline, so it is escaped; everything else is quoted for the shell that cron starts."""
    path = callers.variable("PATH", os.defpath)
    for environment in (f"PATH={shlex.quote(path)} ", ""):
        command = (f"{environment}{shlex.quote(sys.executable)} -I -m gastown_hooks.tick --town {shlex.quote(town.root)} "
                   f">>{shlex.quote(town.daemon_log)} 2>&1")
        text = f"*/{MINUTES} * * * * {command}".replace("%", "\\%")
        made = os.fsencode(text) + b" " + _mark(town)
        if len(made) <= _LONGEST:
            return made
    raise GastownError("the cron line gets too long", why=f"the town's path has {len(town.root)} characters", next="gt daemon run")


def installed(town: Town) -> bool | None:
    """Whether the line is there; None where there is no crontab program."""
    if not available():
        return None
    return any(_is_ours(found, town) for found in _read().split(b"\n"))


def start(town: Town) -> bool:
    """Put the line in place; False when exactly that line was there."""
    before = _read()
    others = [found for found in before.split(b"\n") if not _is_ours(found, town)]
    body = b"\n".join(others)
    wanted = body + (b"" if not body or body.endswith(b"\n") else b"\n") + line(town) + b"\n"
    if sorted(before.split(b"\n")) == sorted(wanted.split(b"\n")):
        return False
    _write(wanted)
    return True


def stop(town: Town) -> bool:
    """Take the line out; False when there was none, or there is no crontab program."""
    if not available():
        return False
    before = _read()
    lines = before.split(b"\n")
    others = [found for found in lines if not _is_ours(found, town)]
    if len(others) == len(lines):
        return False
    _write(b"\n".join(others))
    return True


def _mark(town: Town) -> bytes:
    return f"# gastown {config.town_id(town)}".encode()


def _is_ours(found: bytes, town: Town) -> bool:
    return found.endswith(b" " + _mark(town))


def _program() -> str | None:
    return shutil.which("crontab", path=callers.variable("PATH", os.defpath))


def _read() -> bytes:
    """The account's crontab. A crontab that cannot be read is never taken for an empty one."""
    done = _crontab("-l")
    if done.returncode == 0:
        return done.stdout
    if b"no crontab for" in done.stderr:
        return b""
    raise GastownError("cannot read the crontab", why=_words(done.stderr), next="crontab -l")


def _write(text: bytes) -> None:
    done = _crontab("-", text)
    if done.returncode:
        raise GastownError("cannot write the crontab", why=_words(done.stderr), next="crontab -e")


def _crontab(argument: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = _program()
    if program is None:
        raise GastownError("there is no crontab program here", next="gt daemon run &")
    return subprocess.run([program, argument], input=text, capture_output=True, env=callers.clean_environment({"LC_ALL": "C"}), check=False)


def _words(data: bytes) -> str:
    return " ".join(data.decode("utf-8", "replace").split())[:200]
