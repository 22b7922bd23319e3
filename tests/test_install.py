"""install.sh on machines of several kinds, as real processes with real pip."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from builders import ROOT, Finished, run

INSTALL = ROOT / "install.sh"
TOOLS = ("sh", "git", "dirname", "readlink", "mkdir", "rm", "rmdir", "mv", "ln", "cat", "grep", "sort", "tail", "cksum", "ls")
# pip's own settings are the machine's; only its cache must survive the tests' empty HOME.
CACHE = os.environ.get("PIP_CACHE_DIR") or os.path.join(os.environ.get("HOME", ""), ".cache/pip")
CLOSED = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "",
          "PIP_RETRIES": "0", "NO_PROXY": "*", "no_proxy": "*"}


class Machine:
    """A home (its name is hard on quoting) and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "it's a home"
        self.tools = folder / "tools"
        self.bin = self.home / ".local/bin"
        self.data = self.home / ".local/share/gastown-hooks"
        self.home.mkdir(parents=True)
        self.tools.mkdir()
        for name in TOOLS:
            self.offer(name, shutil.which(name) or "")

    def offer(self, name: str, program: str) -> None:
        """Put a program on this machine's PATH; a text with a `#!` line is written, a path is linked."""
        path = self.tools / name
        path.unlink(missing_ok=True)
        if program.startswith("#!"):
            path.write_text(program)
            path.chmod(0o755)
        else:
            path.symlink_to(program)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {"HOME": str(self.home), "XDG_DATA_HOME": "", "PATH": str(self.tools), "PIP_CACHE_DIR": CACHE, **(extra or {})}

    def install(self, *args: str, script: Path = INSTALL, env: Mapping[str, str] | None = None) -> Finished:
        done = run([str(script), *args], cwd=self.tools, env=self.environment(env), timeout=600)
        if "the packages cannot be fetched" in done.err and env != CLOSED:
            pytest.skip("no network")
        return done

    def works(self) -> None:
        for name in ("gt", "bd"):
            answer = run([str(self.bin / name), "--version"], cwd=self.home, env=self.environment({"PATH": str(self.tools)}))
            assert (answer.code, answer.err) == (0, "")
            assert answer.out.startswith(f"{name} ")

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "machine")
    machine.offer("python3", sys.executable)
    return machine


def bare_python(folder: Path, *, with_pip: bool) -> Path:
    """The running Python without the modules ensurepip and venv, as several systems ship it; no packages but maybe pip."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    base, stdlib = Path(os.path.realpath(sys.executable)), Path(sysconfig.get_path("stdlib"))
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin/python3"
    shutil.copy(base, python)
    lib = folder / "lib" / version
    packages = lib / "site-packages"
    packages.mkdir(parents=True)
    for entry in stdlib.iterdir():
        if entry.name not in ("ensurepip", "venv", "site-packages", "dist-packages", "sitecustomize.py", "EXTERNALLY-MANAGED"):
            (lib / entry.name).symlink_to(entry)
    for entry in base.parent.parent.glob("lib/libpython*"):
        (folder / "lib" / entry.name).symlink_to(entry)
    if with_pip:
        places = [stdlib / "ensurepip/_bundled", Path("/usr/share/python-wheels"), Path("/usr/share/python-pip-wheels")]
        wheel = next(wheel for place in places for wheel in place.glob("pip-*.whl"))
        zipfile.ZipFile(wheel).extractall(packages)
    missing = run([str(python), "-c", "import ensurepip"])
    assert "No module named 'ensurepip'" in missing.err
    return python


def one_line(done: Finished, *words: str) -> None:
    """It failed, with one line that holds these words and says what to do."""
    assert done.code == 1
    assert done.err.count("\n") == 1, done.err
    assert done.err.startswith("install.sh: ")
    assert "Next: " in done.err
    for word in words:
        assert word in done.err, done.err


def test_install_again_and_uninstall(machine: Machine, tmp_path: Path) -> None:
    (machine.home / ".profile").write_text("# mine\n")
    before = machine.files()
    link = tmp_path / "elsewhere.sh"
    link.symlink_to(INSTALL)
    for _ in range(2):
        done = machine.install(script=link)
        assert done.code == 0, done.err
        assert f"{machine.bin} is not on PATH. Next: " in done.out
        machine.works()
        assert len(list(machine.data.glob("env.*"))) == 1
    where = run([str(machine.data / "env/bin/python"), "-c", "import gastown_hooks; print(gastown_hooks.__file__)"])
    assert where.out.startswith(str(machine.data)), "the installed program must not need the checkout"
    for shipped in ("roles", "templates"):
        assert list(machine.data.glob(f"env/lib/*/site-packages/gastown_hooks/data/{shipped}/*"))
    assert machine.install("--uninstall").code == 0
    assert machine.files() == before
    assert machine.install("--uninstall").code == 0


def test_killed_in_the_middle_of_an_upgrade(machine: Machine, tmp_path: Path) -> None:
    place = ("--prefix", str(tmp_path / "a place"))
    machine.bin = tmp_path / "a place/bin"
    assert machine.install(*place).code == 0
    first = os.readlink(machine.data / "env")
    second = subprocess.Popen([str(INSTALL), *place], env={**os.environ, **machine.environment()}, start_new_session=True,
                              stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (machine.data / f"env.{second.pid}/bin/pip").exists():
        assert time.monotonic() < deadline and second.poll() is None
        time.sleep(0.01)
    os.killpg(second.pid, signal.SIGKILL)
    second.wait()
    machine.works()
    assert os.readlink(machine.data / "env") == first
    assert machine.install(*place).code == 0
    machine.works()
    assert [path.name for path in machine.data.glob("env.*")] == [os.readlink(machine.data / "env")]
    assert machine.install("--uninstall").code == 0
    assert not (tmp_path / "a place").exists()


def test_a_python_without_ensurepip_and_venv(machine: Machine, tmp_path: Path) -> None:
    machine.offer("python3", str(bare_python(tmp_path / "bare", with_pip=True)))
    done = machine.install()
    assert done.code == 0, done.err + (machine.data / "install.log").read_text()
    machine.works()


def test_a_python_without_any_pip(machine: Machine, tmp_path: Path) -> None:
    """Some systems keep a wheel of pip for such a Python; the others are told what to install."""
    machine.offer("python3", str(bare_python(tmp_path / "bare", with_pip=False)))
    done = machine.install()
    if list(Path("/usr/share").glob("python*wheels/pip-*.whl")):
        assert done.code == 0, done.err + (machine.data / "install.log").read_text()
        machine.works()
    else:
        one_line(done, "no pip for", "ensurepip")


def test_a_pip_too_old_to_work_for_another_python(machine: Machine, tmp_path: Path) -> None:
    """Before 22.3 pip knows no `--python`; such a one can still fetch a newer one."""
    python = bare_python(tmp_path / "bare", with_pip=True)
    for found in python.parent.parent.glob("lib/python3*/site-packages/pip/__init__.py"):
        found.write_text(found.read_text() + "\nimport sys\nif '--python' in sys.argv: sys.exit('no such option: --python')\n")
    machine.offer("python3", str(python))
    done = machine.install()
    assert done.code == 0, done.err + (machine.data / "install.log").read_text()
    machine.works()


@pytest.mark.parametrize("kind", ["program", "link", "dangling"])
def test_somebody_elses_program_stays(machine: Machine, kind: str) -> None:
    machine.bin.mkdir(parents=True)
    path = machine.bin / "bd"
    if kind == "program":
        path.write_text("#!/bin/sh\necho mine\n")
    else:
        path.symlink_to("/bin/sh" if kind == "link" else "/nowhere/bd")
    before = machine.files()
    one_line(machine.install(), str(path), "--prefix DIR")
    assert machine.files() == before
    assert machine.install("--uninstall").code == 0
    assert machine.files() == before


def test_no_python(machine: Machine) -> None:
    (machine.tools / "python3").unlink()
    one_line(machine.install(), "no Python 3.11")


def test_an_old_python(machine: Machine) -> None:
    machine.offer("python3", "#!/bin/sh\nexit 1\n")
    one_line(machine.install(), "no Python 3.11")


def test_the_python_asked_for_is_the_only_one(machine: Machine) -> None:
    one_line(machine.install(env={"PYTHON": "/nowhere/python3"}), "/nowhere/python3")


def test_no_git(machine: Machine) -> None:
    (machine.tools / "git").unlink()
    one_line(machine.install(), "git is missing")


@pytest.mark.parametrize("version, good", [("1.9.9", False), ("2.37.5", False), ("2.38.0", True), ("3.0.1", True),
                                           ("2.50.1 (Apple Git-155)", True)])
def test_the_version_of_git(machine: Machine, version: str, good: bool) -> None:
    machine.offer("git", f"#!/bin/sh\necho git version '{version}'\n")
    (machine.home / ".local").write_text("a file where a folder should be\n")
    one_line(machine.install(), "cannot make" if good else "too old")


def test_a_target_that_cannot_be_written(machine: Machine) -> None:
    one_line(machine.install("--prefix", "/proc/nothing"), "cannot make", "--prefix DIR")
    assert not machine.data.joinpath("env").exists()


def test_no_network(machine: Machine) -> None:
    one_line(machine.install(env=CLOSED), "cannot be fetched", "install.log")
    assert not machine.bin.joinpath("gt").exists()


def test_an_unknown_option(machine: Machine) -> None:
    one_line(machine.install("--frobnicate"), "no such option: --frobnicate")


def test_it_names_no_index() -> None:
    text = INSTALL.read_text()
    assert "://" not in text and "index-url" not in text and "--isolated" not in text
