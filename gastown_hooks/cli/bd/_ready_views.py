"""`bd ready` of one molecule, and of those that a closed gate lets go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _words
from gastown_hooks.rules import steps

Record = dict[str, Any]


def say_molecule(known: Mapping[str, Record], whole: str, found: list[Record], now: int, as_json: bool) -> None:
    """The ready steps of a molecule, and which steps may be done side by side."""
    groups, about = steps.groups(known, whole), steps.standing(known, whole, now)
    if as_json:
        common.emit_json({
            "molecule_id": whole, "molecule_title": known[whole].get("title", ""), "total_steps": len(about), "ready_steps": len(found),
            "steps": [{"issue": step, "parallel_info": about[step["id"]], "parallel_group": about[step["id"]]["parallel_group"]}
                      for step in found], "parallel_groups": groups})
        return
    common.say(f"{_words.brief(known[whole])}\n   {len(found)} of {len(about)} steps ready\n")
    for name, names in groups.items():
        common.say(f"{name}{' (side by side)' if len(names) > 1 else ''}:")
        for step in names:
            waits = about[step]["blocked_by"]
            why = "ready" if about[step]["is_ready"] else f"waits for {', '.join(map(common.cleaned, waits))}" if waits else ""
            common.say(f"  {_words.line(known[step])}" + (f" ({why})" if why else ""))
    if not groups:
        common.say(f"✓ Molecule {whole} complete! All steps closed." if about else "It has no steps")


def say_gated(found: list[steps.Resumed], as_json: bool) -> None:
    """The steps that a gate held and that may begin."""
    if as_json:
        common.emit_json({"molecules": [{
            "molecule_id": one.whole["id"], "molecule_title": one.whole.get("title", ""), "closed_gate": one.gate, "ready_step": one.step}
            for one in found], "count": len(found)})
        return
    for one in found:
        common.say(f"{_words.brief(one.whole)}\n   gate closed: {_words.brief(one.gate)}\n   ready: {_words.brief(one.step)}")
    if not found:
        common.say("✨ No step whose gate has closed is ready")
