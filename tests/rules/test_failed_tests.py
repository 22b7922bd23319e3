"""Names of failed tests in outputs."""

from __future__ import annotations

from gastown_hooks.rules import failed_tests


def test_the_known_forms() -> None:
    output = ("FAILED tests/test_a.py::test_b[x y] - assert 1 == 2\n    --- FAIL: TestGo/sub (0.01s)\ntest mod::works ... FAILED\n"
              "not ok 3 - adds up\nok 4 - fine\nFAILED tests/test_a.py::test_b[x y] - assert 1 == 2\nFAILED (errors=1)\n")
    assert failed_tests.names(output) == ["tests/test_a.py::test_b[x y]", "TestGo/sub", "mod::works", "adds up"]
    assert failed_tests.names("make: *** [test] Error 1\n") == []
