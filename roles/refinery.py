#!/usr/bin/env python3
"""The refinery: lands finished work on the target branch by tested merge commits, several requests at once, or sends it back.

It must never: land what its gates did not pass on exactly that tree, land anything while nobody said what the gates are, force a
push, close a bead before its work is in the target, blame a change for what is nobody's fault, or drop a commit.

The rules it goes by:
- The target is the remote's branch where the rig has a remote, else the rig's own. It moves only by compare-and-swap: a plain
  push, or an update of the ref that names the old value.
- Nobody else moves the rig's own target ref. If somebody did, what it held is saved under refs/gt/salvage/foreign and the ref
  is put back. What people push to the remote is gated once: green is adopted; red closes the target for all but requests
  labelled fix-main; a rewritten history closes it until a person decides (gt mq accept).
- P0 first, then priority raised by age: a level an hour. A retry keeps its place.
- A request whose bead was given to somebody else is superseded. What is in the target already is closed as landed.
- Requests are stacked, as many as pays by how they fared of late, and tested together; with several gate slots some prefixes of
  the stack at the same time. A red stack is searched by prefixes: each
  green prefix lands at once, the culprit's red is confirmed once on the same tree, then the change goes back to an open bead
  nobody has, with the gate's last words; the others are stacked anew. If the target itself is red, nobody is blamed and
  somebody is told.
- A conflict with the target costs no gate run; in a running town its bead is slung once more, with both sides named in its notes.
  Who only conflicts with another of the stack waits behind it. A request whose bead is blocked by another's lands after it, or
  waits.
- Where the rig asks for a review nothing lands before a person said so: gt mq approve, or the reviewers of its pull request. Changes
  requested there send it back with their words, closing it rejects it. A host that cannot be asked: the request waits.
- Remote away, push refused by policy, no such gate command, disk full, gate killed: the request waits, longer each time.
- Every landing begins with a line in the journal and ends with one. What is between is done again until it is done.
"""

from __future__ import annotations

import sys

from gastown_hooks.role import Round, main
from gastown_hooks.work import land, pulls, refuse, rework, wake
from gastown_hooks.work.desk import open_desk

DUTY = {
    "role": "refinery",
    "reads": [
        "the rig's ledger               merge requests and the beads they are for",
        "settings/config.json           gates, gate_slots, gate_order, gate_timeout, setup, copy, link, landing, review, resend_seconds",
        "the remote's target branch     where there is a remote",
        "the host's pull requests       through gh, where the rig's review is \"pr\"",
        "refs/gt/landed/<target>        what it landed or adopted last",
    ],
    "writes": [
        "the target branch              by compare-and-swap alone; refs/heads/<target> and refs/gt/landed/<target> follow",
        "refs/notes/gates               the gate record of each commit that passed",
        "refs/gt/salvage/foreign/<sha>  what came past the queue",
        "refinery/landings.jsonl        its journal: land, settled, aborted",
        "refinery/state.json            targets that are closed, and why",
        "refinery/estimate.json         how many requests were bad of late",
        "refinery/flakes.jsonl          gate runs that failed, then passed on the same tree",
        "refinery/pulls.json            when the host was asked about pull requests last",
        "refinery/gate-passes/          trees that passed, and how the rig was configured",
        "refinery/last-red.json         what failed last",
        "refinery/reds.json             what is red in a stack, while the culprit is looked for",
        "refinery/gate-logs/<id>.log    the gates' output",
        "polecats/<name>/               a fresh worker for a conflict, as gt sling makes it",
        "the rig's ledger               requests landed, waiting or sent back; beads closed with proof or open again",
        "mail to the witness            MERGED, MERGE_FAILED, REWORK_REQUEST; to the overseer too: the target closed or put back",
    ],
    "woken_by": {
        "patrol": "gt done, gt mq submit and retry, and the town's tick",
    },
}


def patrol(one: Round) -> int:
    """One round: everything that can land now, lands."""
    rig = one.its_rig()
    if one.dry_run:
        for words in land.plan(rig, one.now):
            one.say(words)
        return 0
    desk = open_desk(rig, one.now)
    land.look(desk)            # the target's tip, where it counts
    land.recover(desk)         # landings that were begun: settle, finish or abort them
    land.check_foreign(desk)   # what came past the queue: put back, adopt, or close the target
    pulls.look(desk)           # where the rig's review is "pr": pull requests are made, and their reviewers' word is taken over
    while batch := land.next_batch(desk):
        land.attempt(desk, batch)  # stack them, test exactly that tree, swap, settle; or find the culprit; or let them wait
    refuse.hold_rest(desk)     # the others learn why they wait
    pulls.finish(desk)         # pull requests of what landed or was rejected are told and closed
    for words in rework.send_workers(desk):  # each conflict has one fresh worker
        one.say(words)
    one.say(desk.result.words())
    if desk.result.told and desk.has_witness and wake.is_unattended(rig):
        wake.wake(one.town, "witness", rig.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(DUTY, {"patrol": patrol}))
