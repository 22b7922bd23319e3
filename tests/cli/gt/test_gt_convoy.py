"""gt convoy as a person types it: over two rigs, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import builders
import pytest
from builders import Run

from gastown_hooks.core.paths import Town


@pytest.fixture
def town(run_cli: Run, tmp_path: Path) -> Path:
    assert run_cli("gt", "install", "gt").code == 0
    run_cli.cwd = tmp_path / "gt"
    for name in ("web", "api"):
        builders.make_repo(tmp_path / name, {"README.md": f"{name}\n"})
        assert run_cli("gt", "rig", "add", name, f"../{name}", "--prefix", name[:2], "--gate", "none").code == 0
    assert run_cli("gt", "config", "default-agent", "exec").code == 0
    return tmp_path / "gt"


def made(run_cli: Run, *words: str) -> str:
    done = run_cli("bd", "create", *words, "--silent")
    assert done.code == 0, done.err
    return done.out.strip()


def gt(run_cli: Run, *words: str, code: int = 0) -> str:
    done = run_cli("gt", *words)
    assert done.code == code, done
    return done.out + done.err


def test_an_epic_of_two_rigs_from_create_to_status(run_cli: Run, town: Path) -> None:
    epic = made(run_cli, "Sign-in", "-t", "epic")
    one = made(run_cli, "Tokens", "--prefix", "ap", "--parent", epic, "--run", "true")
    two = made(run_cli, "Form", "--prefix", "we", "--parent", epic, "--deps", one)
    shown = json.loads(run_cli("bd", "ready", "--json").out)
    assert [bead["id"] for bead in shown] == [one], "neither the epic nor what waits for the other rig"
    assert {bead["id"] for bead in json.loads(run_cli("bd", "list", "--parent", epic, "--json").out)} == {one, two}
    page = json.loads(run_cli("bd", "show", epic, "--json").out)[0]
    assert (page["epic_total_children"], page["epic_closed_children"]) == (2, 0)
    batch = json.loads(gt(run_cli, "convoy", "create", "Sign-in", "--epic", epic, "--human", "--json"))["id"]
    assert f"would give {one}" in gt(run_cli, "sling", batch, "--dry-run")
    free = [made(run_cli, title, "--prefix", "ap") for title in ("A", "B")]
    would = gt(run_cli, "sling", gt(run_cli, "convoy", "create", "Two", *free, "--silent").strip(), "--dry-run")
    assert "api/polecats/toast\n" in would and "api/polecats/nux\n" in would, "each its own worker"
    told = gt(run_cli, "convoy", "launch", epic)
    assert f"✓ {one} → api/polecats/toast" in told and f"{batch}: 1 of 2 went to workers; for the others: gt up" in told
    found = next(one for one in json.loads(gt(run_cli, "convoy", "list", "--json")) if one["id"] == batch)
    assert (found["id"], found["done"], found["total"], found["launched"], found["notify"]) == (batch, 0, 2, True, ["overseer"])
    assert [(bead["id"], bead["rig"], bead["state"]) for bead in found["beads"]] == [(one, "api", "working"), (two, "web", "blocked")]
    page_text = gt(run_cli, "convoy", "show", batch)
    assert "Progress: 0/2 completed" in page_text and f"● {two}  web  Form [task]  blocked: {one} is hooked" in page_text
    assert f"{batch}  ░░░░░░░░░░  0/2  Sign-in" in gt(run_cli, "status")
    assert batch in [one["id"] for one in json.loads(gt(run_cli, "status", "--json"))["convoys"]]


def test_closing_the_last_bead_lands_it(run_cli: Run, town: Path) -> None:
    one, two = made(run_cli, "Chore", "--prefix", "we"), made(run_cli, "Another", "--prefix", "ap")
    batch = json.loads(gt(run_cli, "convoy", "create", "Chores", one, two, "--notify", "--json"))["id"]
    assert run_cli("bd", "close", one, two, env={"GT_WAKE": "inline"}).code == 0
    assert gt(run_cli, "convoy", "list").startswith("No convoys")
    assert f"✓  {batch}  ██████████  2/2  Chores" in gt(run_cli, "convoy", "list", "--all")
    assert json.loads(gt(run_cli, "convoy", "list", "--status", "closed", "--json"))[0]["status"] == "closed"
    assert len(list((town / "mayor/mail/new").iterdir())) == 1
    gt(run_cli, "convoy", "add", batch, made(run_cli, "More", "--prefix", "ap"))
    assert "2/3" in gt(run_cli, "convoy", "list", "--tree")
    assert "has 1 open beads" in gt(run_cli, "convoy", "close", batch, code=5)
    assert gt(run_cli, "convoy", "refresh") == "nothing to do\n"
    gt(run_cli, "convoy", "close", batch, "--force")
    assert run_cli("bd", "dep", "add", batch, made(run_cli, "Still more", "--prefix", "we"), "--type", "tracks").code == 0
    assert "2/4" in gt(run_cli, "convoy", "list"), "open again, as by gt convoy add"


def test_a_sling_without_a_convoy_makes_one(run_cli: Run, town: Path) -> None:
    one = made(run_cli, "Alone", "--prefix", "we", "--run", "true")
    gt(run_cli, "sling", one, "web")
    assert "0/1  Work: Alone  (working 1)" in gt(run_cli, "convoy", "list")
    [batch] = json.loads(gt(run_cli, "convoy", "status", "--json"))
    assert f"  toast  {one}  {batch['id']}\n" in gt(run_cli, "rig", "status", "web")
    assert "neither" in gt(run_cli, "convoy", "launch", one, code=3)


@pytest.mark.parametrize("more", [[], ["--continue"]])
def test_the_deacon_hears_of_a_close_that_a_convoy_waits_for(run_cli: Run, town: Path, more: list[str]) -> None:
    flag = Path(Town(str(town)).flag("deacon"))
    tracked, other = (made(run_cli, title, "--prefix", "ap") for title in ("Tracked", "Other"))
    gt(run_cli, "convoy", "create", "Batch", tracked)
    flag.unlink(missing_ok=True)
    assert run_cli("bd", "close", other, *more).code == 0 and not flag.exists()
    assert run_cli("bd", "close", tracked, *more).code == 0 and flag.exists()
