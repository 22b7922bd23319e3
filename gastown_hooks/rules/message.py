"""A commit message's body and its trailers, and one message of several. Pure."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*): \S.*")


def split(message: str) -> tuple[str, list[str]]:
    """The body and the lines of the trailer block, which is a last paragraph of nothing else; never the subject."""
    paragraphs = re.split(r"\n[ \t]*\n", message.strip())
    lines = paragraphs[-1].split("\n")
    if len(paragraphs) == 1 or not all(_TRAILER.fullmatch(line) for line in lines):
        return message.strip(), []
    return message.strip()[:-len(paragraphs[-1])].strip(), lines


def combined(subject: str, messages: Iterable[str], trailers: list[str]) -> str:
    """One message for a change of several commits: of a single commit its own, else the subject and all of theirs.

    Their trailers are kept, each once, before ours; whatever they say under a key of ours is left out.
    """
    parts = [split(message) for message in messages]
    ours = {line.partition(":")[0].lower() for line in trailers}
    kept = [line for _, lines in parts for line in lines if line.partition(":")[0].lower() not in ours]
    bodies = [body for body, _ in parts if body]
    text = bodies[0] if len(bodies) == 1 else "\n\n".join([subject, *bodies])
    return text + "\n\n" + "".join(f"{line}\n" for line in dict.fromkeys([*kept, *trailers]))
