#!/usr/bin/env python3
"""Which functions the hot commands call: bench/hot.py [--write]

Runs them as they are installed, in ledgers of two sizes, and notes each of our functions that is called. `--write` puts them into
gastown_hooks/hot.txt, whose other functions' code is read only when it is called (gastown_hooks/hot.py). Without, says what differs.
"""

from __future__ import annotations

import argparse
import ast
import collections
import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import speed

from gastown_hooks import hot
from gastown_hooks.core import fsio

FILE = f"{speed.ROOT}/gastown_hooks/hot.txt"
MANY = 3  # of the everyday commands: a function that so many call comes with its module
HEAD = """\
# The modules whose code the installed programs have in one file (hot.py); first those that each everyday command imports. After a
# colon the functions that come with their module; with a number, those that come when one of that number is called; the others' code is
# read when they are called; after a minus the classes that are made then: everywhere they are only called. `python bench/hot.py --write`
# finds all that; what no everyday command imports is put in by hand.
"""
_WATCH = """import sys
def _watch(frame, event, value):
    if event == "call" and (frame.f_code.co_flags & 1 or frame.f_code.co_name == "<module>"):
        _called.add(f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}")
_called = set()
sys.setprofile(_watch)
"""
_TELL = """
import posix
code = {0}()
sys.setprofile(None)
with open({1!r}, "a") as file:
    file.writelines(f"{{one}}\\n" for one in _called)
sys.stdout.flush()
posix._exit(code)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put them into gastown_hooks/hot.txt")
    options = parser.parse_args()
    commands = [one for one in speed.COMMANDS if 0 < one[1] < 2 and one[2][0] in ("bd", "gt")]
    with tempfile.TemporaryDirectory() as folder:
        called = found(folder, commands)
    everywhere = [name for name in hot.HOT[1:] if len(called.get(name, {}).get("<module>", ())) == len(commands)]
    classes = only_called()
    called["gastown_hooks.front"]["leave"] = {name for name, *_ in commands}  # what stands in its place here
    for name, functions in called.items():
        for one in classes.get(name, ()):
            functions.pop(one, None)  # what makes it
    groups = grouped(called)
    parts = [[line(name, called.get(name), groups, classes.get(name, ())) for name in part]
             for part in (everywhere, [name for name in hot.HOT[1:] if name not in everywhere])]
    text = HEAD + "\n\n".join(map("\n".join, parts)) + "\n"
    if options.write:
        fsio.write(FILE, text.encode(), mode=0o644)
    else:
        print(*sorted({*(fsio.read(FILE) or b"").decode().splitlines()} ^ {*text.splitlines()}), sep="\n")
    return 0


def grouped(called: dict[str, dict[str, set[str]]]) -> dict[frozenset[str], int]:
    """The number of each few commands that alone call several functions."""
    every = collections.Counter(frozenset(by) for functions in called.values() for one, by in functions.items() if "<" not in one)
    some = sorted((by for by, count in every.items() if count > 1 and len(by) < MANY), key=sorted)
    return {by: number for number, by in enumerate(some, 1)}


def only_called() -> dict[str, list[str]]:
    """By module its classes of which the package, at run time, does nothing but call them."""
    trees = {path: smaller(path) for path in [*Path(speed.ROOT, "gastown_hooks").rglob("*.py"), *Path(speed.ROOT, "roles").glob("*.py")]}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    callers = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    others = {node.id if isinstance(node, ast.Name) else node.attr for node in nodes if id(node) not in callers and (
        isinstance(node, ast.Attribute) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)))}
    found: dict[str, list[str]] = {}
    for path, tree in trees.items():
        module = ".".join(path.relative_to(speed.ROOT).with_suffix("").parts)
        found[module] = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name not in others]
    return found


def smaller(path: Path) -> ast.Module:
    tree = hot.Smaller().visit(ast.parse(path.read_text(encoding="utf-8")))
    assert isinstance(tree, ast.Module)
    return tree


def line(module: str, called: dict[str, set[str]] | None, groups: dict[frozenset[str], int], classes: Sequence[str]) -> str:
    name = module.removeprefix("gastown_hooks.")
    if called is None:
        return name
    functions = [one if len(by) >= MANY else f"{one}={groups[frozenset(by)]}" for one, by in sorted(called.items())
                 if "<" not in one and (len(by) >= MANY or frozenset(by) in groups)]
    users = {one: set().union(*(by for name, by in called.items() if name.startswith(f"{one}."))) for one in classes}
    functions += [f"-{one}" + (f" {one}={groups[frozenset(by)]}" if frozenset(by) in groups else "")
                  for one, by in sorted(users.items()) if len(by) < MANY]
    return f"{name}: {' '.join(functions) or '-'}"


def found(folder: str, commands: list[tuple[str, float, list[str]]]) -> dict[str, dict[str, set[str]]]:
    """Of each module the functions that are called, and by which commands."""
    speed._BIN = folder
    speed.write_programs(folder)
    noted, called = f"{folder}/called", dict[str, dict[str, set[str]]]()
    places = [speed.make_place(folder, count) for count in (1000, 20000)]
    for name in ("bd", "gt"):
        head, start, _ = (fsio.read(f"{folder}/bin/{name}") or b"").decode().partition("from gastown_hooks.front")
        first, rest = head.split("\n", 1)
        text = f"{first}\n{_WATCH}{rest}{start} import {name}\n{_TELL.format(name, noted)}"
        fsio.write(f"{folder}/bin/{name}", text.encode(), mode=0o755)
    for place, (name, _, words), _ in itertools.product(places, commands, range(2)):  # the second time finds what the first left
        speed.prepare(name, place)
        fsio.remove(noted)  # what it took to prepare is not asked for
        speed.run(speed.words_of(words, place), place.root)
        for file, _, function in (one.rpartition(":") for one in (fsio.read(noted) or b"").decode().splitlines()):
            module = file.removeprefix(f"{folder}/lib/site-packages/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            called.setdefault(module, {}).setdefault(function, set()).add(name)
        if "close" in name:
            (place.steps if "continue" in name else place.names).pop()
    return called


if __name__ == "__main__":
    sys.exit(main())
