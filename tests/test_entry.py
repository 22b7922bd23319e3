"""The generated programs: they answer as the sources do, and the file beside them is a cache that nobody has to believe in."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from gastown_hooks import entry
from gastown_hooks.core import data

ROOT = Path(__file__).resolve().parent.parent
PURE = sysconfig.get_paths()["purelib"]
WRITE = "import sys; sys.path.insert(0, sys.argv[1]); from gastown_hooks import entry; entry.write(*sys.argv[2:5], sys.argv[5:])"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of its own for the package, so that a test may change it, and a town."""
    shutil.copytree(ROOT / "gastown_hooks", tmp_path / "lib/gastown_hooks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    subprocess.run([sys.executable, "-I", "-S", "-X", "no_debug_ranges", "-c", WRITE, tmp_path / "lib", tmp_path / "bin", sys.executable,
                    tmp_path / "bin", tmp_path / "lib", PURE], check=True)
    subprocess.run([tmp_path / "bin/gt", "install", tmp_path / "town"], check=True, capture_output=True,
                   env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GT_WAKE": "off"})
    return tmp_path


def bd(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([place / "bin/bd", *words], cwd=place / "town", capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C.UTF-8"})


def searched(place: Path, *words: str) -> set[str]:
    """Which of our modules a command took from elsewhere than the file; and whether it needed the whole of `os`."""
    told = ("bd(); print(*(name for name, module in sys.modules.items() if name in ('os', '_collections_abc') or name.startswith("
            "'gastown_hooks') and not isinstance(module.__spec__.loader, type)), file=sys.stderr)")
    script = (place / "bin/bd").read_text(encoding="utf-8").replace("leave(bd())", told)
    found = subprocess.run([sys.executable, "-I", "-S", "-c", script, *words], cwd=place / "town", capture_output=True, text=True,
                           check=True, env={"HOME": str(place), "LC_ALL": "C.UTF-8"})
    return set(found.stderr.split())


def test_everyday_commands_come_from_the_file(place: Path) -> None:
    name = bd(place, "create", "One", "--silent").stdout.strip()
    for words in (("create", "Two"), ("ready",), ("ready",), ("update", name, "--notes", "n"), ("show", name), ("close", name)):
        assert searched(place, *words) == set(), words


@pytest.mark.parametrize("harm", ["gone", "empty", "other", "garbage"])
def test_without_the_file_it_is_the_same(place: Path, harm: str) -> None:
    name = bd(place, "create", "One", "--silent").stdout.strip()
    told = bd(place, "show", name).stdout
    hot = place / "bin/.hot"
    if harm == "gone":
        hot.unlink()
    else:
        data = hot.read_bytes()
        hot.write_bytes({"empty": b"", "other": data.replace(sys.version[:6].encode(), b"9.9.99", 1), "garbage": b"x" * len(data)}[harm])
    assert bd(place, "show", name).stdout == told != ""


def test_a_changed_source_is_believed(place: Path) -> None:
    assert bd(place, "create", "One").stdout.startswith("✓ Created")
    path = place / "lib/gastown_hooks/cli/fast_write.py"
    path.write_text(path.read_text(encoding="utf-8").replace("✓ Created issue", "✓ Made"), encoding="utf-8")
    assert bd(place, "create", "Two").stdout.startswith("✓ Made")


def test_what_hooks_keep_outlives_the_installation(place: Path) -> None:
    """Installed as env.1 and called env: a hook's stub finds the code by the name that the next installation has too."""
    (place / "env.1/bin").mkdir(parents=True)
    (place / "lib").rename(place / "env.1/lib")
    (place / "env").symlink_to("env.1")
    subprocess.run([sys.executable, "-I", "-S", "-c", WRITE, place / "env.1/lib", place / "env.1/bin", sys.executable, place / "env/bin",
                    place / "env/lib", PURE], check=True)
    subprocess.run([place / "env/bin/gt", "install", place / "other"], check=True, capture_output=True,
                   env={"PATH": os.environ["PATH"], "HOME": str(place), "GT_WAKE": "off"})
    settings = (place / "other/mayor/.claude/settings.json").read_text(encoding="utf-8")
    assert f"{place}/env/lib" in settings and "env.1" not in settings


def test_a_role_starts_as_the_programs_do(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place / "some role.py"
    file.write_text('"""What it is."""\nimport sys\nfrom gastown_hooks.work import land\n'
                    "print(__name__, __doc__, isinstance(land.__spec__.loader, type), sys.argv)\n", encoding="utf-8")
    monkeypatch.setattr(sys, "executable", f"{place}/bin/python")
    _, *words = data.role_start(str(file))
    assert words == ["-IS", f"{place}/bin/gt-role", str(file)]
    monkeypatch.undo()
    found = subprocess.run([sys.executable, *words, "patrol"], capture_output=True, text=True, check=True, env={"HOME": str(place)})
    assert found.stdout == f"__main__ What it is. True {[str(file), 'patrol']}\n"
    (place / "bin/gt-role").unlink()
    monkeypatch.setattr(sys, "executable", f"{place}/bin/python")
    assert data.role_start(str(file)) == [f"{place}/bin/python", "-I", str(file)]


def test_an_interpreter_with_a_space_in_its_name(place: Path) -> None:
    python = place / "my python"
    python.symlink_to(sys.executable)
    entry.write(str(place / "bin"), str(python), str(place / "bin"), [str(ROOT), PURE])
    assert bd(place, "create", "One").returncode == 0


def test_smaller_code_does_the_same() -> None:
    """What is left out is only what nobody reads at run time: no class of the hot modules is made from its annotations."""
    for name in entry.HOT:
        path = ROOT / name.replace(".", "/")
        tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
        bases = [base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in (*node.bases, *node.decorator_list)]
        assert not {"NamedTuple", "TypedDict", "dataclass"} & {base.id for base in bases if isinstance(base, ast.Name)}, name
