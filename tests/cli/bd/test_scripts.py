"""Sessions with bd as a person types them: each scripts/*.txt is one, run as real processes in a fresh place.

`cd folder` goes there (from the place).
`$ words` runs a command (`<text` as its last word: standard input, with \\n for a new line). The lines below are what it must
print: plain lines on standard output, lines with `! ` on standard error, `? N` the exit code (0 when absent). `{name}` stands for
an id: bound where it is met first, the same everywhere else; `{*}` for anything within a line,
a line `...` for any lines.
After each failure the ledgers must be byte for byte what they were before.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import builders
import pytest
import warm

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
# The scripts of the verbs that have two ways in: these run both ways.
OF_HOT_VERBS = {"family", "first_steps", "pain_points", "town", "values", "wrong_input"}
PLACE = re.compile(r"\\\{(\\\*|[a-z0-9]+)\\\}")


@dataclass
class Step:
    number: int
    words: str
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    code: int = 0


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("$ ", "cd ")):
            found.append(Step(number, line.removeprefix("$ ")))
        elif line.startswith("! "):
            found[-1].err.append(line[2:])
        elif line.startswith("? "):
            found[-1].code = int(line[2:])
        elif found and not line.startswith("#"):
            found[-1].out.append(line)
    return found


def pattern(lines: list[str], names: dict[str, str]) -> str:
    def place(match: re.Match[str]) -> str:
        name = match[1]
        if name == "\\*":
            return ".*"
        return re.escape(names[name]) if name in names else f"(?P<{name}>[a-z][a-z0-9]*-[a-z0-9.]+)"
    bound: set[str] = set()

    def once(match: re.Match[str]) -> str:
        text = place(match)
        if text.startswith("(?P<"):
            if match[1] in bound:
                return f"(?P={match[1]})"
            bound.add(match[1])
        return text
    while lines and not lines[-1]:
        lines = lines[:-1]
    parts = ["(?:.*\n)*?" if line == "..." else PLACE.sub(once, re.escape(line)) + "\n" for line in lines]
    return "".join(parts) + r"\n*"


def check(step: Step, stream: str, wanted: list[str], text: str, names: dict[str, str]) -> None:
    match = re.fullmatch(pattern(wanted, names), text)
    assert match, f"line {step.number}: $ {step.words}\n{stream} wanted:\n{chr(10).join(wanted)}\n{stream} was:\n{text}"
    names.update(match.groupdict())


def ledgers(place: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in [*place.rglob("issues.jsonl"), *place.rglob("issues.journal")]}


by_click = partial(warm.run, by_click=True)


def cold(*words: str, **surroundings: Any) -> builders.Finished:
    return builders.run(builders.command(*words), **surroundings)


@pytest.mark.parametrize(("script", "way"), [
    *(pytest.param(script, warm.run, id=f"{script.stem}-hot") for script in SCRIPTS),
    *(pytest.param(script, by_click, id=f"{script.stem}-click") for script in SCRIPTS if script.stem in OF_HOT_VERBS),
    *(pytest.param(script, cold, id=f"{script.stem}-cold") for script in SCRIPTS if script.stem == "first_steps")])
def test_script(script: Path, way: Callable[..., builders.Finished], tmp_path: Path) -> None:
    place = tmp_path / "place"
    builders.make_repo(place / "proj", {"README.md": "hello\n"})
    names: dict[str, str] = {}
    folder = place / "proj"
    for step in steps(script.read_text(encoding="utf-8")):
        words = shlex.split(re.sub(r"\{([a-z0-9]+)\}", lambda m: names.get(m[1], m[0]), step.words))
        environment = {}
        while "=" in words[0] and words[0].split("=")[0].isupper():
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        if words[0] == "cd":
            folder = place / words[1]
            continue
        given = None
        if words[-1].startswith("<") and len(words[-1]) > 1:
            given = words.pop()[1:].replace("\\n", "\n").replace("\\0", "\0")
        before = ledgers(place)
        if words[0] in ("gt", "bd"):
            done = way(*words, cwd=folder, input=given, env=environment)
        else:
            done = builders.run(words, cwd=folder, input=given)
        check(step, "standard error", step.err, done.err, names)
        check(step, "standard output", step.out, done.out, names)
        assert done.code == step.code, f"line {step.number}: $ {step.words}: exit {done.code}, wanted {step.code}"
        if words[0] == "bd" and "--json" in words and not done.code:
            assert all(json.loads(text) is not None for text in (done.out.splitlines() if "activity" in words else [done.out])), words
        if done.code or "--dry-run" in words:
            assert ledgers(place) == before, f"line {step.number}: $ {step.words}: the ledger changed"
