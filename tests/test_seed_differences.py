"""docs/seed-differences.md tells the truth: each line has a check of what it says of this town, and no check lacks its line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import builders
import pytest
import rigtown

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Fenced, Refused
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import callers, config
from gastown_hooks.stores.callers import Writer
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import beads, done, gate, land, queue, rescue, retire, sling
from gastown_hooks.work import lease as leases

PAGE = builders.ROOT / "docs/seed-differences.md"


def lines() -> dict[str, list[str]]:
    """Topic to the other cells of its line."""
    rows = [re.split(r"\s*\|\s*", line.strip("| \n")) for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows[2:]}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    town = rigtown.make_town(tmp_path)
    rigtown.add(town, "green", builders.make_repo(tmp_path / "project", {"README.md": "hello\n"}), prefix="gr")
    return town.rig("green")


def submitted(rig: Rig) -> tuple[str, sling.Assignment]:
    """A bead whose worker has committed and said done."""
    overseer = rigtown.overseer(rig.town)
    bead = beads.create(Ledger(rig.beads), overseer, clock.now(), "Work")["id"]
    [made] = sling.sling(rig.town, [bead], rig, caller=overseer, now=clock.now())
    builders.commit(Path(made.tree), {"work.txt": "work\n"}, "work")
    done.done(callers.Caller(made.actor, made.tree, rig.town, bead=bead, fence=made.fence), clock.now())
    return bead, made


def sources() -> list[tuple[str, str]]:
    files = [*(builders.ROOT / "gastown_hooks").rglob("*.py"), *(builders.ROOT / "roles").glob("*.py")]
    return [(str(path.relative_to(builders.ROOT)), path.read_text(encoding="utf-8")) for path in files]


def supervision(rig: Rig) -> None:
    for role in ("witness", "refinery", "deacon"):
        text = (builders.ROOT / f"roles/{role}.py").read_text(encoding="utf-8")
        assert "runtime.agents" not in text and "import agents" not in text, f"{role} could start an agent program"


def daemon(rig: Rig) -> None:
    assert not [name for name, text in sources() if re.search(r"\b(socket|socketserver|http\.server)\b", text)]


def closing(rig: Rig) -> None:
    bead, _ = submitted(rig)
    assert (Ledger(rig.beads).get(bead) or {})["status"] != "closed"
    with pytest.raises(Refused):
        beads.close(Ledger(rig.beads), rigtown.overseer(rig.town), clock.now(), [bead], "it is submitted")


def place(rig: Rig) -> None:
    assert Path(rig.beads.issues).is_file() and not Path(rig.mayor.tree, ".beads/issues.jsonl").exists()


def landing(rig: Rig) -> None:

    config.set(rig.town, rig, "gates", "none")
    bead, made = submitted(rig)
    old = builders.run(["git", f"--git-dir={rig.repo}", "rev-parse", "main"]).out.strip()
    land.round(rig, clock.now())
    parents = builders.run(["git", f"--git-dir={rig.repo}", "log", "-1", "--format=%P", "main"]).out.split()
    head = builders.run(["git", f"--git-dir={rig.repo}", "rev-parse", f"refs/gt/work/{made.name}/{made.fence}"]).out.strip()
    assert parents == [old, head] and (Ledger(rig.beads).get(bead) or {})["status"] == "closed"


def no_gate(rig: Rig) -> None:
    with pytest.raises(Refused, match="no gates configured"):
        gate.commands(rig)


def retiring(rig: Rig) -> None:
    overseer = rigtown.overseer(rig.town)
    bead = beads.create(Ledger(rig.beads), overseer, clock.now(), "Unfinished")["id"]
    [made] = sling.sling(rig.town, [bead], rig, caller=overseer, now=clock.now())
    Path(made.tree, "untracked.txt").write_text("not lost\n")
    retire.retire(rig, made.name, caller=overseer, now=clock.now(), reason="test", force=True)
    [entry] = rescue.entries(rig)
    restored = rescue.restore(rig, entry)
    assert Path(restored.path, "untracked.txt").read_text() == "not lost\n"


def fence(rig: Rig) -> None:
    bead, made = submitted(rig)
    with pytest.raises(Fenced):
        Ledger(rig.beads, Writer(made.actor, bead, made.fence - 1)).transact(lambda view: [])


def branch(rig: Rig) -> None:
    _, made = submitted(rig)
    assert made.branch.endswith(f"@{made.fence}") and leases.read(rig.polecat(made.name)).branch == made.branch  # type: ignore[union-attr]


def local_path(rig: Rig) -> None:
    assert config.rig_config(rig).url is None and queue.requests(rig) == []
    source = Path(str(config.rig_config(rig).source))
    assert builders.git(source, "status", "--porcelain") == ""
    assert builders.git(source, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


CHECKS: dict[str, Callable[[Rig], None]] = {
    "supervision": supervision, "daemon": daemon, "closing": closing, "ledger's place": place, "landing": landing,
    "no gate configured": no_gate, "retiring": retiring, "fence": fence, "branch name": branch, "a rig from a local path": local_path}


def test_each_line_has_a_check_and_a_reason() -> None:
    assert set(lines()) == set(CHECKS)
    assert all(len(cells) == 3 and all(cells) for cells in lines().values())


@pytest.mark.parametrize("topic", CHECKS)
def test_the_line_is_true(topic: str, rig: Rig) -> None:
    CHECKS[topic](rig)


def test_the_architecture_page_names_every_room() -> None:
    text = (builders.ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {path.name for path in (builders.ROOT / "gastown_hooks").iterdir()
             if not path.name.startswith("_") and path.name != "data" and (path.is_dir() or path.suffix == ".py")}
    assert [room for room in sorted(rooms) if f"`{room}" not in text] == []
    assert len(text.splitlines()) < 70, "one page"
