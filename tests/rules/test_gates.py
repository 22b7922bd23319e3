from __future__ import annotations

import pytest

from gastown_hooks.rules import gates


@pytest.mark.parametrize(("names", "texts", "expected"), [
    ([], {}, []),
    (["README.md"], {}, []),
    (["pytest.ini"], {}, ["pytest"]),
    (["tests/conftest.py"], {}, ["pytest"]),
    (["tests/test_a.py"], {}, ["pytest"]),
    (["a_test.py"], {}, ["pytest"]),
    (["pyproject.toml"], {"pyproject.toml": "[project]\nname='x'"}, []),
    (["pyproject.toml"], {"pyproject.toml": "[tool.pytest.ini_options]\n"}, ["pytest"]),
    (["setup.cfg"], {"setup.cfg": "[tool:pytest]\n"}, ["pytest"]),
    (["tox.ini"], {"tox.ini": "[pytest]\n"}, ["pytest"]),
    (["package.json"], {"package.json": '{"scripts":{"test":"vitest"}}'}, ["npm test"]),
    (["package.json"], {"package.json": '{"scripts":{"test":"echo \\"Error: no test specified\\" && exit 1"}}'}, []),
    (["package.json"], {"package.json": "{not json"}, []),
    (["package.json"], {"package.json": '["scripts"]'}, []),
    (["package.json"], {"package.json": '{"scripts":{"test":5}}'}, []),
    (["Cargo.toml"], {}, ["cargo test"]),
    (["go.mod"], {}, ["go test ./..."]),
    (["Makefile"], {"Makefile": "all:\n\ttrue\ntest: all\n\ttrue\n"}, ["make test"]),
    (["Makefile"], {"Makefile": "tests:\n\ttrue\n"}, []),
    (["Makefile"], {"Makefile": "test := 5\n"}, []),
    (["Makefile", "go.mod"], {"Makefile": "test:\n"}, ["go test ./..."]),
    (["Cargo.toml", "package.json", "tests/test_x.py"], {"package.json": '{"scripts":{"test":"jest"}}'},
     ["pytest", "npm test", "cargo test"]),
])
def test_guess(names: list[str], texts: dict[str, str], expected: list[str]) -> None:
    assert gates.guess(names, texts) == expected
