"""The names of failed tests in a test runner's output: pytest, go test, cargo test, TAP."""

from __future__ import annotations

import re

LIMIT = 50
_FAILED = (r"(?m)^(?:FAILED (?P<pytest>\S+::.+?)(?: - .*)?|\s*--- FAIL: (?P<go>\S+) .*|test (?P<cargo>\S+) \.\.\. FAILED"
           r"|not ok \d+ (?:- )?(?P<tap>.+))$")


def names(output: str) -> list[str]:
    """Each name once, as it stands in the output; none for an output of another form."""
    found = [next(name for name in match.groups() if name) for match in re.finditer(_FAILED, output)]
    return list(dict.fromkeys(name.strip()[:200] for name in found))[:LIMIT]
