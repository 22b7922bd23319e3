"""Beads of other projects: done only when a readable clone says so, unknown in every other case; the index says the same as the rules."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from builders import git, make_bare, make_repo

from gastown_hooks.core import clock, record
from gastown_hooks.core.paths import Beads, Town
from gastown_hooks.rules import foreign, ready
from gastown_hooks.stores import config, external, index
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.work import ageing, ledger_git, verbs
from gastown_hooks.work import external as work
from gastown_hooks.work.world import World

Record = dict[str, Any]
ITEM = "be-1"
REF = f"external:backend:{ITEM}"
NOW = clock.parse("2026-01-01T00:00:00Z")


def caller(folder: Path) -> Caller:
    return Caller("overseer", str(folder))


def make(folder: Path, prefix: str, mode: str = OWN_BRANCH) -> Ledger:
    beads = Beads(f"{folder}/.beads")
    Ledger.create_files(beads, prefix, mode)
    return Ledger(beads)


def bead(bead_id: str, **more: Any) -> Record:
    at = clock.stamp(NOW)
    return record.arrange({"id": bead_id, "title": f"the {bead_id}", "status": "open", "priority": 2, "created_at": at,
                           "updated_at": at, **more})


def waiting(bead_id: str, target: str, kind: str = "blocks") -> Record:
    return bead(bead_id, dependencies=[{"issue_id": bead_id, "depends_on_id": target, "type": kind}])


def put(ledger: Ledger, *beads: Record) -> None:
    ledger.transact(lambda view: beads)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project `web`, whose bead waits for the `backend` beside it."""
    web, backend = make(tmp_path / "web", "web"), make(tmp_path / "backend", "be")
    put(backend, bead(ITEM))
    put(web, waiting("web-1", REF))
    config.set(None, web.beads, "external_projects.backend", "../backend")
    return tmp_path


def web(place: Path) -> Ledger:
    return Ledger(Beads(f"{place}/web/.beads"))


def state(place: Path, reference: str = REF) -> str:
    return str(external.look(web(place).beads, [reference])[reference]["status"])


def close(place: Path, item: str = ITEM) -> None:
    ledger = Ledger(Beads(f"{place}/backend/.beads"))
    verbs.close(ledger, caller(place / "backend"), clock.now(), [item], "done")


def is_ready(place: Path) -> bool:
    """By the rules and by the index, which agree."""
    ledger, now = web(place), clock.now()
    by_rules = [one["id"] for one in ready.ready(World(caller(place / "web")).around(ledger.all()), now)]
    its = index.current(ledger)
    if its is not None:
        assert [row[2] for row in its.ready(now, 0)] == by_rules
        blocked = [one["id"] for one, _ in ready.blocked(World(caller(place / "web")).around(ledger.all()), now)]
        assert [row[2] for row in its.listed(0, [("blocked_from", "<=", [now]), ("blocked_until", ">", [now])])] == blocked
    return "web-1" in by_rules


def test_a_bead_there_holds_until_it_is_closed_there(place: Path) -> None:
    assert (state(place), is_ready(place)) == ("open", False)
    close(place)
    assert (state(place), is_ready(place)) == ("closed", True)
    verbs.reopen(Ledger(Beads(f"{place}/backend/.beads")), caller(place / "backend"), clock.now(), [ITEM], "")
    assert (state(place), is_ready(place)) == ("open", False)


@pytest.mark.parametrize("harm", ["clone is gone", "clone is locked", "ledger is gone", "not configured", "another folder", "deleted",
                                  "redirects in a circle", "no such bead"])
def test_what_cannot_be_known_is_never_done(place: Path, harm: str) -> None:
    close(place)
    assert is_ready(place)
    there = place / "backend"
    if harm == "clone is gone":
        shutil.rmtree(there)
    elif harm == "clone is locked":
        if os.geteuid() == 0:
            (there / ".beads/issues.jsonl").unlink()
        else:
            (there / ".beads").chmod(0)
    elif harm == "ledger is gone":
        (there / ".beads/issues.jsonl").unlink()
    elif harm == "not configured":
        config.set(None, web(place).beads, "external_projects.backend", None)
    elif harm == "another folder":
        config.set(None, web(place).beads, "external_projects.backend", "../nowhere")
    elif harm == "deleted":
        put(Ledger(Beads(f"{there}/.beads")), bead(ITEM, status="tombstone", deleted_at=clock.stamp(NOW)))
    elif harm == "redirects in a circle":
        (there / ".beads/redirect").write_text(".beads\n")
    else:
        put(web(place), waiting("web-1", "external:backend:be-none"))
    assert not is_ready(place)
    reason = ready.blockers(World(caller(place / "web")).around(web(place).all()), "web-1", NOW)[0]
    assert (reason.rule, "is unknown (" in reason.text) == ("unknown", True)
    if harm == "clone is locked":
        (there / ".beads").chmod(0o700)


def test_a_clone_that_comes_back_counts_again(place: Path) -> None:
    close(place)
    (place / "backend").rename(place / "away")
    assert not is_ready(place)
    (place / "away").rename(place / "backend")
    assert is_ready(place)


def test_a_capability_is_there_when_a_closed_bead_provides_it(place: Path) -> None:
    there = Ledger(Beads(f"{place}/backend/.beads"))
    reference = "external:backend:login"
    put(web(place), waiting("web-1", reference))
    assert state(place, reference) == "unknown"
    for labels, status, wanted in ((["export:login"], "open", "open"), (["export:login"], "closed", "open"),
                                   (["provides:login"], "open", "open"), (["provides:login"], "closed", "closed")):
        put(there, bead(ITEM, labels=labels, status=status))
        assert (state(place, reference), is_ready(place)) == (wanted, wanted == "closed")


@pytest.mark.parametrize("mode", [OWN_BRANCH, CODE_BRANCH])
def test_a_clone_is_fetched_only_when_asked_and_offline_is_unknown(tmp_path: Path, mode: str) -> None:
    """The others' clone closes and pushes; ours knows after the refresh; without the remote nothing is known."""
    make_repo(tmp_path / "theirs", {"README.md": "x\n"})
    bare = make_bare(tmp_path / "backend.git", tmp_path / "theirs")
    git(tmp_path / "theirs", "remote", "add", "origin", str(bare))
    theirs = make(tmp_path / "theirs", "be", mode)
    put(theirs, bead(ITEM))

    def share() -> None:
        git(tmp_path / "theirs", "fetch", "-q", "origin")
        ledger_git.sync(ledger_git.place(theirs, caller(tmp_path / "theirs")), caller(tmp_path / "theirs"), clock.now(), agree=True)

    share()
    git(tmp_path, "clone", "-q", str(bare), "backend")
    put(make(tmp_path / "web", "web"), waiting("web-1", REF))
    config.set(None, web(tmp_path).beads, "external_projects.backend", "../backend")
    assert (state(tmp_path), is_ready(tmp_path)) == ("open", False)
    verbs.close(theirs, caller(tmp_path / "theirs"), clock.now(), [ITEM], "done")
    share()
    assert not is_ready(tmp_path), "no network is asked unasked"
    there = World(caller(tmp_path / "web"))
    before = git(tmp_path / "backend", "status", "--porcelain", "--branch"), git(tmp_path / "backend", "rev-parse", "HEAD")
    assert work.refresh(there, work.depended_on(there), dry_run=True)[0]["why"] == ""
    assert not is_ready(tmp_path)
    assert work.refresh(there, work.depended_on(there))[0]["why"] == ""
    assert is_ready(tmp_path)
    assert git(tmp_path / "backend", "rev-parse", "HEAD") == before[1], "our own branches stay as they are"
    bare.rename(tmp_path / "away.git")
    assert "could not be fetched" in work.refresh(there, work.depended_on(there))[0]["why"]
    assert (state(tmp_path), is_ready(tmp_path)) == ("unknown", False)
    (tmp_path / "away.git").rename(bare)
    assert work.refresh(there, work.depended_on(there))[0]["why"] == ""
    assert is_ready(tmp_path)
    assert ageing.shelve(World(caller(tmp_path / "theirs")), theirs, clock.now(), 0), "the others archive it"
    share()
    assert work.refresh(there, work.depended_on(there))[0]["why"] == ""
    assert is_ready(tmp_path)


def test_the_usual_look_reads_no_clone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close(place)
    assert is_ready(place)
    monkeypatch.setattr("gastown_hooks.stores.clones.look_again", None)
    assert is_ready(place)


def test_a_damaged_memory_is_made_anew(place: Path) -> None:
    close(place)
    assert is_ready(place)
    for text in ("{", "[]", '{"backend": 3}', '{"backend": {"folder": "../backend", "watched": {}}}'):
        Path(web(place).beads.external).write_text(text)
        assert is_ready(place)


@pytest.mark.parametrize("seed", range(3))
def test_index_and_rules_agree_while_both_projects_change(place: Path, seed: int) -> None:
    dice = random.Random(seed)
    there, here = Ledger(Beads(f"{place}/backend/.beads")), web(place)
    for _ in range(25):
        if dice.random() < 0.5:
            put(there, bead(f"be-{dice.randrange(4)}", status=dice.choice(("open", "closed", "closed", "tombstone")),
                            close_reason=dice.choice(("done", "it failed"))))
        else:
            name = f"web-{dice.randrange(5)}"
            target = dice.choice((f"external:backend:be-{dice.randrange(5)}", "external:none:x", "beads://a/b/c/be-1"))
            kinds = dice.choice(("blocks", "conditional-blocks", "waits-for", "related"))
            edges = [{"issue_id": name, "depends_on_id": target, "type": kinds}]
            if dice.random() < 0.4:
                edges.append({"issue_id": name, "depends_on_id": f"web-{dice.randrange(5)}", "type": "parent-child"})
            put(here, bead(name, dependencies=edges, status=dice.choice(("open", "open", "closed"))))
        if dice.random() < 0.2:
            here.fold()
        is_ready(place)


@pytest.mark.parametrize("text", ["external:a", "external:", "external::x", "external:a:", "beads://x", "beads://h/o/r", "beads://h//r/i",
                                  "external:a:b c", "external:a:b\n", "external:../x/..:" + "y" * 400])
def test_what_names_no_bead_of_another_project(text: str) -> None:
    with pytest.raises(foreign.BadInput):
        foreign.parsed(text)
    assert external.look(Beads("/nowhere/.beads"), [text])[text]["status"] == "unknown"


def test_a_reference_with_host_and_repository(place: Path) -> None:
    reference = f"beads://github/acme/backend/{ITEM}"
    put(web(place), waiting("web-1", reference))
    assert state(place, reference) == "unknown"
    config.set(None, web(place).beads, "external_projects.github/acme/backend", "../backend")
    assert state(place, reference) == "open"
    close(place)
    assert is_ready(place)


@pytest.mark.parametrize(("url", "project", "same"), [
    ("https://github.com/acme/backend.git", "github/acme/backend", True),
    ("https://github.com/acme/backend", "github.com/acme/backend", True),
    ("git@github.com:Acme/Backend.git", "github/acme/backend", True),
    ("ssh://git@git.example.org/acme/backend/", "git.example.org/acme/backend", True),
    ("ssh://git@git.example.org:2222/acme/backend", "git.example.org/acme/backend", True),
    ("https://u:p@gitlab.com/acme/backend", "gitlab/acme/backend", True),
    ("https://github.com/acme/backend2", "github/acme/backend", False), ("https://example.org/acme/backend", "github/acme/backend", False),
    ("https://github.com/other/backend", "github/acme/backend", False), ("backend", "github/acme/backend", False),
    ("", "github/acme/backend", False)])
def test_a_clone_is_known_by_where_it_came_from(place: Path, url: str, project: str, same: bool) -> None:
    reference = f"beads://{project}/{ITEM}"
    put(web(place), waiting("web-1", reference))
    assert state(place, reference) == "unknown"
    git(place, "init", "-q", "backend")
    if url:
        git(place / "backend", "remote", "add", "origin", url)
    assert work.refresh(World(caller(place / "web")), {}, dry_run=True)
    config.set(None, web(place).beads, "external_projects.backend", "./../backend")  # written otherwise, so read anew
    assert state(place, reference) == ("open" if same else "unknown")
    close(place)
    assert is_ready(place) is same


def test_a_town_configures_the_projects_of_its_rigs(tmp_path: Path) -> None:
    (tmp_path / "town/mayor").mkdir(parents=True)
    (tmp_path / "town/mayor/town.json").write_text('{"id": "t"}')
    hq, rig, backend = make(tmp_path / "town", "hq"), make(tmp_path / "town/gp", "gp"), make(tmp_path / "backend", "be")
    put(backend, bead(ITEM, status="closed"))
    put(rig, waiting("gp-1", REF))
    Path(hq.beads.routes).write_text('{"prefix":"hq-","path":"."}\n{"prefix":"gp-","path":"gp"}\n')
    config.set(None, hq.beads, "external_projects.backend", "../backend")
    where = World(Caller("overseer", str(tmp_path / "town/gp"), Town(str(tmp_path / "town"))))
    its = index.current(rig)
    assert its is not None and [row[2] for row in its.ready(NOW, 0)] == ["gp-1"]
    assert [one["id"] for one in ready.ready(where.everything(), NOW)] == ["gp-1"]
    assert [one["id"] for one in ready.ready(where.around(rig.all()), NOW)] == ["gp-1"]
    assert where.known()[REF]["status"] == "closed" == (where.elsewhere(REF) or {}).get("status")
    assert not os.path.exists(rig.beads.external) and os.path.exists(hq.beads.external)
