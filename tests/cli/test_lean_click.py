"""click without what it hardly uses is the same click."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from gastown_hooks.cli.lean_click import cleandoc


@pytest.mark.parametrize("text", [
    "", "one", "\n  two\n    three\n\n", "first\n    second\n\tthird  \n   ", "\n\n a\n\n b\n", "  a\n  ", "a\n\n\n  b"])
def test_a_text_loses_its_margin(text: str) -> None:
    assert cleandoc(text) == inspect.cleandoc(text)


def test_what_click_does_not_take_at_once_is_there() -> None:
    code = """
import sys
from gastown_hooks.cli import lean_click
import click
assert not {"inspect", "uuid", "gettext"} & set(sys.modules)
assert str(click.UUID.convert("12345678123456781234567812345678", None, None)) == "12345678-1234-5678-1234-567812345678"
assert click.core.inspect.isfunction(lambda: 0)
import inspect, uuid
assert inspect.signature(len) and uuid.uuid4()
try:
    click.Command("x", params=[click.Option(["--n"], type=int, required=True)]).main([], standalone_mode=False)
except click.UsageError as error:
    assert error.format_message() == "Missing option '--n'.", error.format_message()
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""
