"""What the hooks of `bd hooks install` start: `NAME ARGS…`, in the top of the work tree. Lean: without click; it never stops git."""

from __future__ import annotations

import os

from gastown_hooks import githooks
from gastown_hooks.cli.plain import remark
from gastown_hooks.core import errors
from gastown_hooks.stores.callers import named_actor, variable
from gastown_hooks.work import ledger_git_hooks as hooks


def main(argv: list[str]) -> int:
    """Always 0: a failure of ours is told, and git goes on."""
    errors.handled("bd", lambda: run(argv[0], argv[1:]))
    return 0


def run(name: str, args: list[str]) -> int:
    """The duty of that hook."""
    top = os.getcwd()
    if name == "prepare-commit-msg":
        words = [f"{key}: {value}" for key, value in (("Executed-By", named_actor()), ("Role", variable("GT_ROLE"))) if value]
        return githooks.sign(args, words) if words and args else 0
    if (name == "post-checkout" and args[2:3] != ["1"]) or not hooks.tracked_here(top):
        return 0
    told = hooks.pre_commit(top) if name == "pre-commit" else hooks.pre_push(top) if name == "pre-push" else hooks.look(top)
    for text in told:
        remark(f"bd: {text}")
    return 0
