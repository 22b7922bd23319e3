"""A late module is imported at its first use, and then is that module."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from gastown_hooks.core.late import late


def test_it_is_imported_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    there: dict[str, object] = {"late": late}
    exec("colors = late('colorsys')\ndef use():\n    return colors.rgb_to_hsv(0, 0, 0)", there)
    assert "colorsys" not in sys.modules
    assert there["use"]() == (0.0, 0.0, 0)  # type: ignore[operator]
    assert isinstance(there["colors"], ModuleType) and there["colors"] is sys.modules["colorsys"]


def test_a_missing_module_or_name_is_told() -> None:
    with pytest.raises(ModuleNotFoundError):
        late("gastown_hooks.none").x  # noqa: B018
    with pytest.raises(AttributeError):
        late("colorsys").none  # noqa: B018
