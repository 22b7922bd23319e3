"""Whole ledger files: byte for byte, with damage, and with two beads under one id."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_merge3 import RECORD

from gastown_hooks.core import clock, record
from gastown_hooks.rules import renames, states
from gastown_hooks.rules.merge_files import MergedFile, _merge, merge_files
from gastown_hooks.work.rename import tombstone

Bead = dict[str, Any]
Beads = dict[str, Bead]
IDS = ["t-a", "t-a.1", "t-b", "t-b.1", "t-aa"]


def file(*records: dict[str, Any]) -> bytes:
    return b"".join(record.encode(r) + b"\n" for r in sorted(records, key=lambda r: r["id"]))


def bead(name: str, title: str = "T", at: str = "2026-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    return record.arrange({"id": name, "title": title, "priority": 2, "created_at": at, "updated_at": at, **more})


def records(data: bytes) -> dict[str, dict[str, Any]]:
    return {r["id"]: r for r in map(json.loads, data.splitlines())}


def _whole(*versions: bytes) -> MergedFile:
    """By the engine alone."""
    merged = _merge([data.split(b"\n") for data in versions])
    assert merged is not None
    return merged


@st.composite
def files(draw: st.DrawFn) -> bytes:
    chosen = draw(st.lists(st.sampled_from(IDS), unique=True))
    lines = [record.encode({**draw(RECORD), "id": name}) for name in chosen]
    lines += draw(st.lists(st.sampled_from([b"<<<<<<< HEAD", b"{broken", b"", b'{"id":"t-a","title":"twin"}']), max_size=2))
    return b"".join(line + b"\n" for line in draw(st.permutations(lines)))


@settings(max_examples=150, deadline=None)
@given(base=files(), ours=files(), theirs=files())
def test_the_laws(base: bytes, ours: bytes, theirs: bytes) -> None:
    one, other = merge_files(base, ours, theirs), merge_files(base, theirs, ours)
    assert one.data == other.data and one.renamed == other.renamed
    assert one.data == _whole(base, ours, theirs).data
    assert merge_files(base, one.data, one.data).data == one.data
    names = [json.loads(line)["id"] for line in one.data.splitlines() if line not in one.bad]
    assert names == sorted(set(names), key=str.encode)


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(st.tuples(*[st.sampled_from(["", "open", "closed", "tombstone", "bad"])] * 3), max_size=5))
def test_lines_that_one_side_alone_changed_are_merged_without_the_engine_as_by_it(parts: list[tuple[str, str, str]]) -> None:
    def version(side: int) -> bytes:
        lines = [record.encode(bead(f"t-{n}", status=part[side], updated_at=f"2026-01-0{len(part[side])}T00:00:00Z"))
                 for n, part in enumerate(parts) if part[side]]
        return b"".join((line[:-1] + b"," if b'"bad"' in line else line) + b"\n" for line in lines)

    versions = version(0), version(1), version(2)
    quick, slow = merge_files(*versions), _whole(*versions)
    assert (quick.data, quick.bad, [str(one) for one in quick.conflicts]) == (slow.data, slow.bad, [str(one) for one in slow.conflicts])


def test_untouched_lines_keep_their_bytes() -> None:
    plain = b'{"id":"t-b","title":"a<b & c","x":{"q":1},"priority":2,"created_at":"2026-01-01T00:00:00+02:00","updated_at":"x"}\n'
    base = file(bead("t-a")) + plain
    ours, theirs = file(bead("t-a", priority=1)) + plain, base + file(bead("t-c"))
    assert merge_files(base, ours, theirs).data == file(bead("t-a", priority=1)) + plain + file(bead("t-c"))
    assert merge_files(base, base, base).data == base


def test_bad_lines_are_carried_until_somebody_takes_them_out() -> None:
    base = file(bead("t-a")) + b"{broken\n"
    assert merge_files(base, base, base + b"<<<<<<< x\n").data == file(bead("t-a")) + b"<<<<<<< x\n{broken\n"
    assert merge_files(base, base, file(bead("t-a"))).data == file(bead("t-a"))


def test_a_line_of_a_megabyte_is_a_line() -> None:
    long = bead("t-a", description="x" * 1_000_000)
    assert merge_files(b"", file(long), b"").data == file(long)


def test_two_beads_under_one_id_are_told_apart() -> None:
    early = bead("t-a", "Early", created_by="x")
    late = bead("t-a", "Late", "2026-02-01T00:00:00Z", created_by="y", description="see t-a, t-a.1, t-ab and t-a.")
    edge = {"issue_id": "t-a.1", "depends_on_id": "t-a", "type": "parent-child"}
    child = bead("t-a.1", "Child", "2026-02-02T00:00:00Z", dependencies=[edge])
    mine, theirs = file(early), file(late, child, bead("t-b", notes="needs t-a"))
    merged = merge_files(b"", mine, theirs)
    new = merged.renamed["t-a"]
    found = records(merged.data)
    assert found["t-a"]["title"] == "Early" and found[new]["title"] == "Late" and found[new]["metadata"] == {"renamed_from": "t-a"}
    assert found[new]["description"] == f"see {new}, {new}.1, t-ab and {new}."
    assert found[f"{new}.1"]["dependencies"][0] == {"issue_id": f"{new}.1", "depends_on_id": new, "type": "parent-child"}
    assert found["t-b"]["notes"] == f"needs {new}" and "t-a.1" not in found
    assert merge_files(b"", theirs, mine).data == merged.data
    again = merge_files(b"", merged.data, theirs)
    assert records(again.data).keys() == found.keys()


def test_two_children_with_one_number() -> None:
    base = file(bead("t-a"))
    one = base + file(bead("t-a.1", "One", created_by="x"))
    other = base + file(bead("t-a.1", "Other", "2026-02-01T00:00:00Z", created_by="y"))
    found = records(merge_files(base, one, other).data)
    assert (found["t-a.1"]["title"], found["t-a.2"]["title"]) == ("One", "Other")


def test_the_same_bead_with_another_created_at_is_one_bead() -> None:
    one, other = bead("t-a", created_by="x"), bead("t-a", at="2026-02-01T00:00:00Z", created_by="y")
    assert len(records(merge_files(b"", file(one), file(other)).data)) == 1


def test_real_sized_files_merge_quickly() -> None:
    base = [bead(f"t-{n:05d}", description="text\n" * 20) for n in range(3000)]
    ours = [{**r, "priority": 1} if n % 3 == 0 else r for n, r in enumerate(base)]
    theirs = [{**r, "title": "New"} if n % 2 == 0 else r for n, r in enumerate(base)]
    found = records(merge_files(file(*base), file(*ours), file(*theirs)).data)
    assert [(r["priority"], r["title"]) for r in found.values()] == [
        (1 if n % 3 == 0 else 2, "New" if n % 2 == 0 else "T") for n in range(3000)]


def test_what_is_said_of_a_bead_whose_id_another_clone_changed_follows_it() -> None:
    """Two clones made t-a.1; elsewhere the later one is t-a.2 by now. Here it was known, and edited, as t-a.1."""
    top, q, p = bead("t-a"), bead("t-a.1", "Q's", "2026-01-01T00:00:01Z", created_by="q"), bead(
        "t-a.1", "P's", "2026-01-01T00:00:02Z", created_by="p")
    moved = merge_files(file(top), file(top, q), file(top, p))
    assert list(moved.renamed.values()) == ["t-a.2"]
    said = [{"id": "c", "issue_id": "t-a.1", "author": "p", "text": "said", "created_at": "2026-01-01T00:00:03Z"}]
    edge = {"issue_id": "t-a.1.1", "depends_on_id": "t-a.1", "type": "parent-child"}
    child = bead("t-a.1.1", "Child", "2026-01-01T00:00:04Z", dependencies=[edge])
    own = bead("t-a.2", "Made since", "2026-01-01T00:00:05Z", created_by="p", description="see t-a.1")
    here = file(top, {**p, "comments": said, "updated_at": "2026-01-01T00:00:06Z"}, child, own)
    versions = file(top, p), here, moved.data
    merged = merge_files(*versions)
    assert merged.data == merge_files(versions[0], versions[2], versions[1]).data
    found = records(merged.data)
    assert {name: one["title"] for name, one in found.items()} == {
        "t-a": "T", "t-a.1": "Q's", "t-a.2": "P's", "t-a.2.1": "Child", "t-a.3": "Made since"}
    assert "comments" not in found["t-a.1"] and [one["text"] for one in found["t-a.2"]["comments"]] == ["said"]
    assert found["t-a.2.1"]["dependencies"][0]["depends_on_id"] == "t-a.2" and found["t-a.3"]["description"] == "see t-a.2"
    again = merge_files(moved.data, merged.data, moved.data)
    assert again.data == merged.data and not again.renamed


class Clones:
    """Clones that make children and beads under ids that others give too, rename, edit and link them, and sync with one remote.
    A bead is known by its description, which nobody changes."""

    def __init__(self, chance: random.Random, count: int, *, by_sync: bool = False, renames: bool = False) -> None:
        self.chance, self.now, self.by_sync = chance, 0, by_sync
        self.remote = file(bead("t-a", description="top"))
        self.base, self.ours = [self.remote] * count, [self.remote] * count
        self.said: list[tuple[str, str, str]] = []  # (bead, what, value)
        self.kinds = ["child", "child", "hash", "label", "edge", "delete", *(["rename", "rename", "rename", "title"] if renames else [])]

    def sync(self, n: int) -> None:
        ours, theirs = records(self.ours[n]), records(self.remote)
        if self.by_sync:  # a line that is missing is no deletion
            self.base[n] = file(*(one for name, one in records(self.base[n]).items() if name in ours.keys() & theirs.keys()))
        merged = merge_files(self.base[n], self.ours[n], self.remote)
        assert merged.data == merge_files(self.base[n], self.remote, self.ours[n]).data
        after = records(merged.data)
        for name in ours.keys() - after.keys() if self.by_sync else ():
            after[name] = record.updated(ours[name], {"status": "tombstone", "deleted_at": ours[name]["updated_at"],
                                                      "delete_reason": f"now {merged.moved[name]}"})
        self.base[n] = self.ours[n] = self.remote = file(*after.values())

    def act(self, n: int) -> None:
        self.now += 1
        beads, token = records(self.ours[n]), f"{n}-{self.now}"
        alive = sorted(name for name in beads if beads[name].get("status") != "tombstone")
        name, other = (self.chance.choice(alive) for _ in range(2))
        for changed in getattr(self, self.chance.choice(self.kinds))(n, beads, token, beads[name], beads[other]):
            beads[changed["id"]] = changed
        self.ours[n] = file(*beads.values())

    def at(self) -> str:
        return clock.stamp(self.now * clock.SECOND)

    def child(self, n: int, beads: Beads, token: str, found: Bead, _: Bead) -> list[Bead]:
        if states.depth(found["id"]) > 2:
            return []
        new = f"{found['id']}.{states.child_number(beads, found['id'])}"
        return self.made(n, beads, token, new, dependencies=[{"issue_id": new, "depends_on_id": found["id"], "type": "parent-child"}])

    def hash(self, n: int, beads: Beads, token: str, *_: Bead) -> list[Bead]:
        return self.made(n, beads, token, f"t-{self.chance.choice('bc')}")

    def made(self, n: int, beads: Beads, token: str, new: str, **more: Any) -> list[Bead]:
        if new in beads:
            return []
        self.said.append((token, "is", ""))
        return [bead(new, token, self.at(), description=token, created_by=f"c{n}", **more)]

    def label(self, n: int, beads: Beads, token: str, found: Bead, _: Bead) -> list[Bead]:
        self.said.append((found["description"], "has", token))
        return [record.arrange({**found, "labels": sorted([*found.get("labels", []), token]), "updated_at": self.at()})]

    def title(self, n: int, beads: Beads, token: str, found: Bead, _: Bead) -> list[Bead]:
        return [record.arrange({**found, "title": token, "updated_at": self.at()})]

    def edge(self, n: int, beads: Beads, token: str, found: Bead, other: Bead) -> list[Bead]:
        if found is other:
            return []
        self.said.append((found["description"], "names", other["description"]))
        edge = {"issue_id": found["id"], "depends_on_id": other["id"], "type": "related"}
        return [record.arrange({**found, "updated_at": self.at(), "dependencies": [*found.get("dependencies", []), edge]})]

    def delete(self, n: int, beads: Beads, token: str, found: Bead, _: Bead) -> list[Bead]:
        if found["id"] == "t-a":
            return []
        self.said.append((found["description"], "is deleted", ""))
        return [record.arrange({**found, "status": "tombstone", "deleted_at": self.at(), "updated_at": self.at()})]

    def rename(self, n: int, beads: Beads, token: str, found: Bead, _: Bead) -> list[Bead]:
        """To an id that others give too, that nobody has, or back to that before."""
        old, new = found["id"], self.chance.choice([f"t-{self.chance.choice('bcde')}", f"t-{token}", *states.former(found)])
        if old == "t-a" or new.startswith(f"{old}."):
            return []
        names = {name: new + name.removeprefix(old) for name, one in beads.items()
                 if name == old or (name.startswith(f"{old}.") and one.get("status") != "tombstone")}
        if any(id_ in beads and not (states.renamed(beads[id_]) and id_ in states.former(beads[name])) for name, id_ in names.items()):
            return []
        written = []
        for name, one in beads.items():
            changed = renames.renamed(one, names)
            if name in names:
                at = clock.stamp(states.after_its_deletion(beads.get(names[name]), self.now * clock.SECOND))
                written += [states.with_former({**changed, "updated_at": at}, [*states.former(one), name]),
                            tombstone(one, f"now {names[name]}", f"c{n}", self.now * clock.SECOND)]
            elif changed is not one:
                written.append(record.arrange({**changed, "updated_at": self.at()}))
        return sorted(written, key=lambda one: not states.renamed(one))

    def wrong(self) -> list[tuple[str, str, str]]:
        """What was said of a bead, and is not so of that one."""
        beads = records(self.remote)
        own = [one for one in beads.values() if not states.renamed(one)]
        known = {one["description"]: one for one in own}
        assert len(known) == len(own), "a bead is there twice"
        assert all(states.renamed(one) in beads for one in beads.values() if states.renamed(one)), "an old id leads nowhere"
        targets = {born: {beads[edge["depends_on_id"]].get("description") for edge in one.get("dependencies", [])}
                   for born, one in known.items()}
        is_so: dict[str, Callable[[str, str], bool]] = {
            "is": lambda born, _: born in known, "names": lambda born, value: value in targets[born],
            "has": lambda born, value: value in known[born].get("labels", []),
            "is deleted": lambda born, _: known[born].get("status") == "tombstone"}
        return [one for one in self.said if not is_so[one[1]](one[0], one[2])]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(2, 4))
def test_clones_that_give_the_same_ids_converge_and_nothing_goes_to_another_bead(seed: int, count: int) -> None:
    work(Clones(random.Random(seed), count), 30)


@pytest.mark.parametrize("by_sync", [False, True])
@pytest.mark.parametrize(("seeds", "count", "acts"), [([187, 241], 4, 30), ([155, 1179], 4, 40), (range(30), 4, 30), (range(2), 10, 100)])
@pytest.mark.parametrize("renames", [False, True])
def test_so_they_do_where_beads_are_renamed_and_word_is_left_under_old_ids(
        seeds: Sequence[int], count: int, acts: int, by_sync: bool, renames: bool) -> None:
    for seed in seeds:
        print("seed", seed)
        work(Clones(random.Random(seed), count, by_sync=by_sync, renames=renames), acts)


def work(clones: Clones, acts: int) -> None:
    count = len(clones.ours)
    for _ in range(acts):
        n = clones.chance.randrange(count)
        (clones.sync if clones.chance.random() < 0.25 else clones.act)(n)
    for n in [*range(count)] * 3:
        clones.sync(n)
    assert set(clones.ours) == {clones.remote} and clones.wrong() == []
