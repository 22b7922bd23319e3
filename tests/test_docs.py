"""The documents that can be checked are."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gastown_hooks.cli import loader
from gastown_hooks.core import paths

ROOT = Path(__file__).resolve().parent.parent


def test_exit_codes_are_the_generated_page() -> None:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs/generate.py")
    assert spec and spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    page = (ROOT / "docs/exit-codes.md").read_text(encoding="utf-8")
    assert page == generator.exit_codes(), "run: python docs/generate.py"


def path_attributes() -> set[str]:
    """`Class.attribute` of every path that the classes of core/paths hold."""
    tree = ast.parse(Path(paths.__file__).read_text(encoding="utf-8"))
    found = set()
    for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for node in ast.walk(cls):
            if isinstance(node, ast.Assign):
                texts = any(isinstance(part, ast.JoinedStr) for part in ast.walk(node.value))
                calls = isinstance(node.value, ast.Call)
                for target in node.targets:
                    if isinstance(target, ast.Attribute) and not calls and (texts or target.attr == "root"):
                        found.add(f"{cls.name}.{target.attr}")
    return found


def test_files_page_lists_every_path_and_no_other() -> None:
    page = (ROOT / "docs/files.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    listed = {row[0].strip("| `") for row in rows}
    assert listed == path_attributes()
    assert all(len(row) == 7 and all(cell.strip(" |") for cell in row) for row in rows), "a row has an empty column"


def test_files_page_names_the_files_as_they_are() -> None:
    page = (ROOT / "docs/files.md").read_text(encoding="utf-8")
    town = paths.Town("/town")
    rig = town.rig("R")
    objects = {"Beads": rig.beads, "Town": town, "Rig": rig, "Home": rig.polecat("N"), "Refinery": rig.refinery}
    for line in page.splitlines():
        if row := re.match(r"\| `(\w+)\.(\w+)` \| `([^`]+)` \|", line):
            owner, attribute, shown = row.groups()
            if attribute != "root":
                path = getattr(objects[owner], attribute)
                assert path == f"{objects[owner].root}/{shown.rstrip('/')}", line


def commands(words: str, command: click.Command, above: str = "") -> Iterator[tuple[str, click.Command, str]]:
    """Every command below: its words, itself, and the help of itself and of the groups it is in."""
    text = f"{above}\n{command.help or ''}\n{command.epilog or ''}"
    yield words, command, text
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from commands(f"{words} {name}", child, text)


@pytest.mark.parametrize("program", ["gt", "bd"])
def test_every_command_has_help_with_an_example(program: str) -> None:
    """The example is a line that begins with the whole command, in its own help or in its group's."""
    wrong = []
    for words, command, text in commands(program, loader.program(program, "")):
        if words != program and not command.hidden:
            if not command.help:
                wrong.append(f"{words}: no help")
            if not isinstance(command, click.Group) and not re.search(rf"^\s*{re.escape(words)}(\s|$)", text, re.MULTILINE):
                wrong.append(f"{words}: no example")
    assert not wrong, "\n".join(["", *wrong])


def texts(node: ast.AST) -> Iterator[str]:
    """The texts that an expression can be; what a placeholder stands for is X."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "X" for part in node.values)
    elif isinstance(node, ast.Constant):
        yield str(node.value)
    else:
        for part in ast.iter_child_nodes(node):
            yield from texts(part)


def next_steps() -> Iterator[tuple[str, str]]:
    """(where, text) of every `next=` and `"next":` in the program."""
    for path in [*(ROOT / "gastown_hooks").rglob("*.py"), *(ROOT / "roles").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values = [word.value for word in node.keywords if word.arg == "next"] if isinstance(node, ast.Call) else []
            if isinstance(node, ast.Dict):
                values += [value for key, value in zip(node.keys, node.values, strict=True)
                           if isinstance(key, ast.Constant) and key.value == "next"]
            for value in values:
                yield from ((f"{path.relative_to(ROOT)}:{node.lineno}", text) for text in texts(value))


def test_every_next_step_names_a_command_that_is_there() -> None:
    there = {words for program in ("gt", "bd") for words, command, _ in commands(program, loader.program(program, ""))}
    wrong = []
    for where, text in next_steps():
        for name, verb, noun in re.findall(r"\b(gt|bd) ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?", text):
            deeper = [words for words in there if words.startswith(f"{name} {verb} ")]
            if f"{name} {verb}" not in there or (noun and deeper and f"{name} {verb} {noun}" not in there):
                wrong.append(f"{where}: {text}")
    assert not wrong, "\n".join(["", *wrong])


def test_every_command_and_option_in_the_documents_is_there() -> None:
    there = {words: command for program in ("gt", "bd") for words, command, _ in commands(program, loader.program(program, ""))}
    wrong = []
    for page in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL))
        shown = [*re.findall(r"`([^`\n]+)`", text), *blocks.splitlines()]
        for part in (part for line in shown for part in re.split(r"&&|[|;]|\$\(|#", line)):
            words = re.sub(r"^(\$|until|do|[A-Z_]+=\S+)\s+", "", part.strip()).split()
            if len(words) < 2 or words[0] not in ("gt", "bd") or not re.fullmatch("[a-z][a-z-]+", words[1]):
                continue
            name = max((known for known in there if words[:len(known.split())] == known.split()), key=len)
            options = {option for param in there[name].params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
            missing = [word for word in re.findall(r"(?<!\S)--[a-z-]+", part) if word not in options]
            if name == words[0] or missing:
                wrong.append(f"{page.name}: {part.strip()} {missing}")
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize("word", ["./install.sh --demo", "./install.sh --test"])
def test_the_readme_has_the_two_commands(word: str) -> None:
    assert word in (ROOT / "README.md").read_text(encoding="utf-8")


def test_no_document_names_a_file_that_is_not_there() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_goal_of_the_queue_has_a_check_that_is_there() -> None:
    rows = re.findall(r"^\| M(\d+) \|.*\| (.*) \|$", (ROOT / "docs/queue.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 23))
    for number, cell in rows:
        for check in re.findall(r"`([^`]+)`", cell):
            path, _, name = check.partition("::")
            path, *words = path.split()
            text = (ROOT / path).read_text(encoding="utf-8")
            assert not name or f"\ndef {name}(" in text, f"M{number}: {check}"
            assert all(word in text for word in words if word.startswith(("--", "M"))), f"M{number}: {check}"
