"""What the gates found red last, so that the next run can begin with it: `refinery/last-red.json`, {command, tests}.

Gate commands reach it as the file $GT_GATE_FAILED: the failed tests' names, a line each. $GT_GATE_FAILED.pytest holds the same as
pytest keeps it: `pytest --failed-first -o cache_dir="$GT_GATE_FAILED.pytest"`. Without the rig's `gate_order` "failed-first" or such
a command nothing runs in another order, for gates may need one another (build, then test).
"""

from __future__ import annotations

from collections.abc import Sequence

from gastown_hooks.core import fsio
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import config

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
else:
    json = late("json")

VARIABLE = "GT_GATE_FAILED"


def note(rig: Rig, command: str, tests: Sequence[str]) -> None:
    """This command failed, and named these tests."""
    fsio.write_json(rig.refinery.last_red, {"command": command, "tests": list(tests)}, durable=False)


def in_order(rig: Rig, commands: list[str]) -> list[str]:
    """The gate commands as they run: where the rig allows it, what failed last first."""
    first = _known(rig)[0] if config.rig_settings(rig).gate_order == config.FAILED_FIRST else ""
    return sorted(commands, key=lambda command: command != first)


def lay_out(rig: Rig, folder: str) -> dict[str, str]:
    """Write the names of the failed tests into the folder; the variable that leads there."""
    _, tests = _known(rig)
    path = f"{folder}/failed-tests"
    fsio.write(path, "".join(f"{test}\n" for test in tests).encode(), durable=False)
    if tests:
        fsio.make_folder(f"{path}.pytest/v/cache")
        fsio.write_json(f"{path}.pytest/v/cache/lastfailed", dict.fromkeys(tests, True), durable=False)
    return {VARIABLE: path}


def _known(rig: Rig) -> tuple[str, list[str]]:
    """(command, tests); damaged is the same as unknown, for only the order hangs on it."""
    try:
        found = json.loads(fsio.read(rig.refinery.last_red) or b"{}")
        return str(found["command"]), [str(test) for test in found["tests"]]
    except (ValueError, KeyError, TypeError):
        return "", []
