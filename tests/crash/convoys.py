"""Scenarios of convoys: a landing that tells its subscribers once, a launch that starts what is ready."""

from __future__ import annotations

import os

from crash import checker
from crash.checker import Record
from crash.engine import Command, Scenario, Story
from crash.ground import BEADS, RIG, always, gt, laws, leases, line, put, rigged, run, town_of

CONVOY = "hq-cv-aaaaa"


def _convoy(root: str, beads: dict[str, dict[str, object]], **metadata: object) -> None:
    """A rig with these beads, and a convoy that tracks them."""
    rigged(root)
    tracks = [{"issue_id": CONVOY, "depends_on_id": bead, "type": "tracks"} for bead in beads]
    put(f"{root}/town/{RIG}/.beads/issues.jsonl", "".join(line(bead, **fields) for bead, fields in beads.items()))
    put(f"{root}/town/.beads/issues.jsonl", line(CONVOY, issue_type="convoy", dependencies=tracks, metadata=metadata))
    run(gt("convoy", "list", cwd=f"{root}/town"), root)


def _hq(story: Story) -> dict[str, Record]:
    return checker.Ledger(f"{story.root}/town/.beads").records


# ---- a landing

def all_closed(root: str) -> None:
    _convoy(root, {bead: {"status": "closed"} for bead in BEADS}, notify=["overseer", "mayor"])


def deacon(root: str) -> list[Command]:
    return [Command(("deacon.py", "patrol", "--town", f"{root}/town"), f"{root}/town")]


def told_once(story: Story) -> list[str]:
    convoy = _hq(story)[CONVOY]
    bad = [] if convoy["status"] == "closed" and "untold" not in convoy["metadata"] else [f"the convoy is {convoy}"]
    mails = {who: os.listdir(f"{story.root}/town/{who}/mail/new") for who in ("overseer", "mayor")}
    bad += [f"{who} has {len(found)} mails" for who, found in mails.items() if len(found) != 1]
    return bad + checker.readers_see(f"{story.root}/town")


def never_told_twice(story: Story) -> list[str]:
    """Whoever is told is told of a convoy that is closed."""
    told = [who for who in ("overseer", "mayor") if os.listdir(f"{story.root}/town/{who}/mail/new")]
    return [f"{told} know of a landing that was not written"] if told and _hq(story)[CONVOY]["status"] != "closed" else []


# ---- a launch

def waiting(root: str) -> None:
    needs = [{"issue_id": BEADS[2], "depends_on_id": BEADS[0], "type": "blocks"}]
    _convoy(root, {BEADS[0]: {}, BEADS[1]: {}, BEADS[2]: {"dependencies": needs}})


def launch(root: str) -> list[Command]:
    return [gt("convoy", "launch", CONVOY, cwd=f"{root}/town")]


def launch_and_tick(root: str) -> list[Command]:
    return [*launch(root), Command(("witness.py", "patrol", "--town", f"{root}/town", "--rig", RIG), f"{root}/town")]


def started(story: Story) -> list[str]:
    records, held = town_of(story).ledger().records, leases(story.root)
    bad = [] if _hq(story)[CONVOY]["metadata"].get("launched") else ["the launch is not written"]
    bad += [f"{bead} is {records[bead]['status']}, its lease {held.get(bead, {}).get('state')}" for bead in BEADS[:2]
            if records[bead]["status"] != "hooked" or held.get(bead, {}).get("state") != "ready"]
    bad += [] if records[BEADS[2]]["status"] == "open" else ["a bead that waits was started"]
    convoys = [one for one in _hq(story).values() if one["issue_type"] == "convoy"]
    return bad + ([f"{len(convoys)} convoys"] if len(convoys) != 1 else []) + laws(story)


SCENARIOS = [
    Scenario("convoy-lands", all_closed, deacon, told_once, glance=never_told_twice),
    Scenario("convoy-launch", waiting, launch, started, recover=launch_and_tick, glance=always),
]
