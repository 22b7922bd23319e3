"""Where towns and ledgers are found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gastown_hooks.core import data, paths
from gastown_hooks.core.errors import NotATown


def make_town(root: Path) -> paths.Town:
    (root / "mayor").mkdir(parents=True)
    (root / "mayor/town.json").write_text("{}")
    return paths.Town(str(root))


def test_a_town_is_found_from_below(tmp_path: Path) -> None:
    town = make_town(tmp_path / "gt")
    deep = tmp_path / "gt/a/b/c"
    deep.mkdir(parents=True)
    for start in (deep, tmp_path / "gt"):
        assert paths.town_at(str(start)).root == town.root
    assert paths.find_town(str(tmp_path)) is None


def test_no_town_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotATown, match="gt install"):
        paths.town_at(str(tmp_path))


def test_a_relative_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_town(tmp_path / "gt")
    monkeypatch.chdir(tmp_path / "gt/mayor")
    assert paths.town_at(".").root == str(tmp_path / "gt")


def test_rigs_are_the_folders_with_a_config(tmp_path: Path) -> None:
    town = make_town(tmp_path / "gt")
    for name in ("zeta", "alpha", "half"):
        (tmp_path / "gt" / name).mkdir()
    (tmp_path / "gt/file").write_text("x")
    for name in ("zeta", "alpha"):
        Path(town.rig(name).config).write_text("{}")
    assert [rig.name for rig in town.rigs()] == ["alpha", "zeta"]


def test_everything_of_a_town_is_in_it(tmp_path: Path) -> None:
    town = paths.Town(str(tmp_path / "gt"))
    rig = town.rig("gp")
    homes = [town.mayor, town.deacon, town.overseer, rig.witness, rig.refinery, rig.polecat("toast"), rig.crew("ann")]
    for owner in (town, town.beads, rig, rig.beads, *homes):
        for name, value in vars(owner).items():
            if isinstance(value, str) and name not in ("name", "_rig"):
                assert os.path.normpath(value) == value and value.startswith(town.root), (name, value)
    assert rig.lock("pool").startswith(town.locks + "/") and rig.lock("pool") != town.lock("pool")
    assert rig.polecat("toast").name == "toast"
    assert os.path.basename(rig.refinery.gate_tree(2)) == "gp-gate-2"


def ledger(folder: Path, redirect: str | None = None) -> Path:
    (folder / ".beads").mkdir(parents=True)
    if redirect is not None:
        (folder / ".beads/redirect").write_text(redirect)
    return folder / ".beads"


def found_from(folder: str) -> paths.Beads:
    beads = paths.nearest_beads(folder)
    assert beads is not None
    return paths.follow_redirect(beads)


def test_a_ledger_is_found_from_below_and_followed(tmp_path: Path) -> None:
    real = ledger(tmp_path / "rig")
    ledger(tmp_path / "rig/polecats/toast/rig", "../../../.beads\n")
    deep = tmp_path / "rig/polecats/toast/rig/src"
    deep.mkdir()
    found = found_from(str(deep))
    assert found.root == str(real)
    (tmp_path / "none").mkdir()
    assert paths.nearest_beads(str(tmp_path / "none")) is None


def test_a_chain_of_redirects(tmp_path: Path) -> None:
    ledger(tmp_path / "a", "../b/.beads")
    ledger(tmp_path / "b", str(tmp_path / "c/.beads"))
    real = ledger(tmp_path / "c")
    found = found_from(str(tmp_path / "a"))
    assert found.root == str(real)


@pytest.mark.parametrize("chain", [{"a": "../a/.beads"}, {"a": "../b/.beads", "b": "../a/.beads"}])
def test_redirects_in_a_circle(tmp_path: Path, chain: dict[str, str]) -> None:
    for name, target in chain.items():
        ledger(tmp_path / name, target)
    with pytest.raises(NotATown, match="circle"):
        found_from(str(tmp_path / "a"))


def test_a_chain_may_be_eight_long_and_no_longer(tmp_path: Path) -> None:
    for number in range(9):
        ledger(tmp_path / f"l{number}", f"../l{number + 1}/.beads" if number < 8 else None)
    assert found_from(str(tmp_path / "l0")).root == str(tmp_path / "l8/.beads")
    (tmp_path / "l8/.beads/redirect").write_text("../l9/.beads")
    with pytest.raises(NotATown, match="more than 8"):
        found_from(str(tmp_path / "l0"))


def test_a_redirect_relative_to_the_beads_folder(tmp_path: Path) -> None:
    """As some programs write it; the folder that holds .beads comes first."""
    real = ledger(tmp_path / "a")
    ledger(tmp_path / "b", "../../a/.beads")
    assert found_from(str(tmp_path / "b")).root == str(real)


def test_an_empty_redirect_is_an_error_not_another_folder(tmp_path: Path) -> None:
    ledger(tmp_path / "a", "\n")
    with pytest.raises(NotATown, match="redirect"):
        found_from(str(tmp_path / "a"))


@pytest.mark.parametrize("name", ["roles", "templates"])
def test_the_shipped_folders_are_found(name: str) -> None:
    assert os.path.isdir(data.folder(name))
