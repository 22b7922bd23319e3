from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import builders
import pytest

from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput, Conflict, Refused, StorageFailed
from gastown_hooks.core.paths import Town
from gastown_hooks.stores import config, events
from gastown_hooks.stores.ledger import OWN_BRANCH, Ledger
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import town as towns

NOW = clock.parse("2026-01-02T03:04:05Z")


def install(path: Path, **options: bool) -> towns.Installed:
    return towns.install(str(path), now=NOW, **options)


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Path to (mode, mtime, content) of everything below the folder, locks and events apart."""
    found = {}
    for place, _, files in os.walk(folder):
        for name in [*files, "."]:
            path = os.path.join(place, name)
            status = os.lstat(path)
            content = Path(path).read_bytes() if stat.S_ISREG(status.st_mode) else b""
            if not path.endswith((".lock", ".events.jsonl", "/.")):
                found[path] = (status.st_mode, status.st_mtime_ns, content)
    return found


def test_install_makes_a_town(tmp_path: Path) -> None:
    made = install(tmp_path / "gt")
    town = Town(str(tmp_path / "gt"))
    record = json.loads(Path(town.marker).read_text())
    assert made.acts[-1] == f"write {town.marker}"
    assert len(record["id"]) == 12 and record["owner"] == "owner@example.test" and record["created_at"] == clock.stamp(NOW)
    assert config.town_id(town) == record["id"] and config.mode(town) == "by-hand"
    assert Ledger(town.beads).prefix == "hq" and Ledger(town.beads).all() == {}
    assert {p: b.root for p, b in Routes(town).prefixes().items()} == {"hq": town.beads.root}
    for home in (town.mayor, town.deacon, town.overseer):
        assert sorted(os.listdir(home.mail)) == ["cur", "new", "tmp"]
    assert "# Mayor of gt" in Path(town.mayor.instructions).read_text()
    assert not os.path.exists(f"{town.root}/CLAUDE.md"), "an ancestor's CLAUDE.md is read by every agent below"
    assert town.rigs() == []
    assert [e["payload"]["acts"] for e in events.read(town)] == [made.acts]


def test_nobody_else_can_read_a_town(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        install(tmp_path / "deep/er/gt")
    finally:
        os.umask(before)
    loose = [p for p in (tmp_path / "deep").rglob("*") if p.lstat().st_mode & 0o077]
    assert loose == []


def test_installed_roles_are_copies_that_run(tmp_path: Path) -> None:
    install(tmp_path / "gt")
    town = Town(str(tmp_path / "gt"))
    shipped = {name.removesuffix(".py") for name in os.listdir(builders.ROOT / "roles")}
    for home, role in ((town.mayor, "mayor"), (town.deacon, "deacon"), (town.boot, "boot")):
        if role in shipped:
            copy, original = Path(home.role_file(role)).read_text(), (builders.ROOT / "roles" / f"{role}.py").read_text()
            assert copy.partition("\n")[2] == original.partition("\n")[2] and os.access(home.role_file(role), os.X_OK)


def test_install_twice_is_install_once(tmp_path: Path) -> None:
    install(tmp_path / "gt", with_git=True)
    before = snapshot(tmp_path / "gt")
    assert install(tmp_path / "gt", with_git=True).acts == []
    assert snapshot(tmp_path / "gt") == before


def test_install_completes_what_is_missing_and_keeps_the_rest(tmp_path: Path) -> None:
    install(tmp_path / "gt")
    town = Town(str(tmp_path / "gt"))
    identity = config.town_id(town)
    Path(town.mayor.instructions).write_text("mine\n")
    Path(town.settings).write_text('{"witness_seconds": 7}\n')
    os.remove(town.beads.routes)
    assert install(tmp_path / "gt").acts == ["route hq- to the town's ledger"]
    assert Path(town.mayor.instructions).read_text() == "mine\n" and config.town_id(town) == identity
    assert config.town_settings(town).witness_seconds == 7


def test_killed_before_the_marker_is_no_town_and_is_completed(tmp_path: Path) -> None:
    install(tmp_path / "gt")
    town = Town(str(tmp_path / "gt"))
    os.remove(town.marker)
    os.remove(town.beads.config)  # a ledger killed between its files is not somebody else's
    assert install(tmp_path / "gt").acts == ["make the ledger hq", f"write {town.marker}"]
    assert Ledger(town.beads).prefix == "hq"


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    builders.write_files(tmp_path / "gt", {"notes.txt": "keep", "mayor/CLAUDE.md": "mine"})
    install(tmp_path / "gt")
    assert (tmp_path / "gt/notes.txt").read_text() == "keep" and (tmp_path / "gt/mayor/CLAUDE.md").read_text() == "mine"


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    builders.write_files(tmp_path / "full", {"notes.txt": "keep"})
    with pytest.raises(Refused, match=r"notes\.txt"):
        install(tmp_path / "full")
    assert os.listdir(tmp_path / "full") == ["notes.txt"]


def test_dry_run_says_the_acts_of_the_real_run_and_changes_nothing(tmp_path: Path) -> None:
    told = install(tmp_path / "gt", with_git=True, dry_run=True).acts
    assert not (tmp_path / "gt").exists()
    assert told == install(tmp_path / "gt", with_git=True).acts
    assert install(tmp_path / "gt", with_git=True, dry_run=True).acts == []


def test_git_makes_a_repository_without_checkouts(tmp_path: Path) -> None:
    install(tmp_path / "gt", with_git=True)
    builders.write_files(tmp_path / "gt", {"app/.repo.git/config": "", "app/mayor/rig/x": "", "app/polecats/nux/rig/x": "",
                                           "app/crew/max/rig/x": "", "app/refinery/rig/x": "", "app/config.json": "{}"})
    listed = builders.git(tmp_path / "gt", "ls-files", "--others", "--exclude-standard").split("\n")
    assert [name for name in listed if name.startswith("app/")] == ["app/config.json"]
    assert "mayor/town.json" in listed and ".beads/issues.jsonl" in listed
    assert not [name for name in listed if name.startswith((".runtime", "daemon"))]


@pytest.mark.parametrize("inner", ["inner", "mayor", "app/crew/max", "a/b/c"])
def test_not_inside_another_town(tmp_path: Path, inner: str) -> None:
    install(tmp_path / "gt")
    with pytest.raises(Refused, match="inside the town"):
        install(tmp_path / "gt" / inner)


def test_not_through_a_link_into_another_town(tmp_path: Path) -> None:
    install(tmp_path / "gt")
    (tmp_path / "gt/sub").mkdir()
    (tmp_path / "door").symlink_to(tmp_path / "gt/sub")
    with pytest.raises(Refused, match="inside the town"):
        install(tmp_path / "door")


def test_not_inside_a_rigs_worktree_elsewhere(tmp_path: Path) -> None:
    builders.write_files(tmp_path / "tree", {".git": f"gitdir: {tmp_path}/gt/app/.repo.git/worktrees/nux\n"})
    with pytest.raises(Refused, match="inside a checkout of the rig"):
        install(tmp_path / "tree/sub")
    assert not (tmp_path / "tree/sub").exists()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "gt").write_text("x")
    with pytest.raises(Refused, match="is a file"):
        install(tmp_path / "gt")
    (tmp_path / "two").mkdir()
    (tmp_path / "two/mayor").write_text("x")
    with pytest.raises(Refused, match="is in the way"):
        install(tmp_path / "two")
    assert os.listdir(tmp_path / "two") == ["mayor"]


def test_somebodys_ledger_in_the_way(tmp_path: Path) -> None:
    town = Town(str(tmp_path / "gt"))
    Ledger.create_files(town.beads, "bd", OWN_BRANCH)
    with pytest.raises(Conflict, match="ledger of bd"):
        install(tmp_path / "gt")
    assert not os.path.exists(town.marker)


@pytest.mark.parametrize("path", ["", "a\0b", "a\nb", "x" * 300, "\x1b[31m"])
def test_impossible_paths(path: str) -> None:
    with pytest.raises(BadInput, match="no folder name"):
        towns.install(path, now=NOW)


def test_an_unwritable_place() -> None:
    with pytest.raises(StorageFailed, match="cannot write /proc/"):
        towns.install("/proc/gt", now=NOW)
