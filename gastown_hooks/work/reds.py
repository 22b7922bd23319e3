"""What the search in a red stack found red so far: `refinery/reds.json`, {configuration, reds: {key: verdict}}; gone with its end.

A round that was killed leaves it, and the next one runs no gate again for what is known already. A key names the tree, how often its
requests were sent back before (who tries one again wants it tested again), and whether it was the confirming run. What is damaged, or
was found under other settings, is not known.
"""

from __future__ import annotations

from typing import Any

from gastown_hooks.core import fsio
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig
from gastown_hooks.core.values import asdict
from gastown_hooks.work import passes
from gastown_hooks.work.trial import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
else:
    json = late("json")


class Reds:
    """Those of one search; of those that were left each is taken once."""

    def __init__(self, rig: Rig) -> None:
        self._path, self._configuration = rig.refinery.reds, passes.configuration(rig)
        self._left = self._read()
        self._found = dict(self._left)

    def take(self, key: str) -> Verdict | None:
        """What the gates said in the round that was killed, if that was red."""
        try:
            found = self._left.pop(key, None)
            verdict = found and Verdict(**{**found, "tests": tuple(found["tests"]), "runs": 0})
            return verdict if verdict and verdict.red else None
        except (KeyError, TypeError):
            return None

    def keep(self, key: str, verdict: Verdict) -> None:
        self._found[key] = asdict(verdict)
        fsio.write_json(self._path, {"configuration": self._configuration, "reds": self._found}, durable=False)

    def forget(self) -> None:
        fsio.remove(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(fsio.read(self._path) or b"{}")
            return dict(found["reds"]) if found["configuration"] == self._configuration else {}
        except (ValueError, KeyError, TypeError):
            return {}
