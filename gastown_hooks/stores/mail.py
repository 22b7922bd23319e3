"""Mail: a real Maildir a mailbox (tmp, new, cur; RFC 5322), so `mutt -f` and any mail program read it too.

A delivery is written in tmp, made durable, and renamed into new: a reader sees a whole mail or none. A mail with a key has a file
name made from it alone, so a repeated delivery finds the first one, read or unread, and does nothing. Letters are data: nothing
in them is ever a command. No symbolic link is followed on the way to a mailbox's folders.
"""

from __future__ import annotations

import stat

from gastown_hooks.core import clock, fsio, ids, lock
from gastown_hooks.core.digest import sha256
from gastown_hooks.core.errors import BadInput, Refused
from gastown_hooks.core.late import late
from gastown_hooks.core.system import os
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.maildir import FOLDERS, SEEN, flags, names
from gastown_hooks.stores.routes import Routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from email import message as letter
    from email import parser, policy, utils
else:  # with the first mail: every role could send one
    letter, parser, policy, utils = late("email.message"), late("email.parser"), late("email.policy"), late("email.utils")

MAX_SUBJECT = 500
MAX_BODY = 1 << 20
_DOMAIN = "gastown.invalid"


@dataclass(frozen=True, slots=True)
class Message:
    """One mail: `id` is its Message-ID's local part, `at` its time (ns), `path` its file; `seen` once it was marked read."""

    id: str
    sender: str
    recipient: str
    subject: str
    body: str
    at: int
    path: str
    seen: bool


def deliver(mailbox: str, sender: str, recipient: str, subject: str, body: str, *, key: str | None = None, now: int,
            caller: Caller | None = None) -> str:
    """Put a mail into the mailbox; returns its id. With a `key`, delivered once however often it is called.

    With a `caller` who is a worker, its claim must still be in force: a stale worker sends no mail of record. Raises Fenced,
    BadInput for an impossible address or too long a text, Refused when a folder of the mailbox is a link, StorageFailed.
    """
    ids.actor(sender)
    ids.actor(recipient)
    if caller is not None:
        check_claim(caller)
    unique = _keyed(key, recipient) if key is not None else f"{now}.{os.urandom(8).hex()}"
    data = _text(unique, sender, recipient, _line(subject), body, now)
    _prepare(mailbox)
    with lock.acquire(f"{mailbox}/.lock"):
        if not _delivered(mailbox, unique):
            fsio.swap(fsio.stage(f"{mailbox}/tmp/{unique}", data), f"{mailbox}/new/{unique}")
    return unique


def check_claim(caller: Caller) -> None:
    """Raises Fenced for a worker whose claim is not its bead's any more."""
    writer = caller.writer()
    if writer is not None and caller.town is not None:
        routes = Routes(caller.town)
        beads = routes.beads_of(writer.bead) if writer.bead else caller.town.beads
        routes.open(beads, caller).check_claim()


def unread(mailbox: str) -> list[Message]:
    """The mails nobody marked as seen, oldest first. A missing mailbox is empty."""
    return [message for message in messages(mailbox) if not message.seen]


def messages(mailbox: str) -> list[Message]:
    """All mails, oldest first. What is no regular file is passed over."""
    found = []
    for folder in ("new", "cur"):
        for name in names(f"{mailbox}/{folder}"):
            message = _read(f"{mailbox}/{folder}/{name}", name, folder)
            if message is not None:
                found.append(message)
    return sorted(found, key=lambda message: (message.at, message.id))


def _keyed(key: str, recipient: str) -> str:
    safe = "".join(c if c.isascii() and (c.isalnum() or c == "-") else "-" for c in key)[:60]
    return f"{safe}.{sha256(f'{key} {recipient}'.encode()).hexdigest()[:16]}"


def _delivered(mailbox: str, unique: str) -> bool:
    return any(name.partition(":")[0] == unique for folder in ("new", "cur") for name in names(f"{mailbox}/{folder}"))


def _text(unique: str, sender: str, recipient: str, subject: str, body: str, now: int) -> bytes:
    if len(body.encode("utf-8", "replace")) > MAX_BODY:
        raise BadInput("the mail is too long", why=f"at most {MAX_BODY} bytes", next="put it in a file and name the file")
    message = letter.EmailMessage(policy=policy.SMTP.clone(linesep="\n"))
    message["From"], message["To"] = f"<{_address(sender)}>", f"<{_address(recipient)}>"
    message["Subject"] = subject
    message["Date"] = utils.formatdate(now / clock.SECOND)
    message["Message-ID"] = f"<{unique}@{_DOMAIN}>"
    message["X-GT-From"], message["X-GT-To"], message["X-GT-Time"] = sender, recipient, str(now)
    message.set_content(body.encode("utf-8", "replace").decode(), cte="8bit" if _plain(body) else "base64")
    return message.as_bytes()


def _plain(body: str) -> bool:
    """Whether the lines fit RFC 5322 as they are."""
    return all(len(line.encode("utf-8", "replace")) < 998 for line in body.split("\n")) and "\r" not in body and "\0" not in body


def _address(actor: str) -> str:
    """An identity as a mailbox name that mail programs take: slashes become dots."""
    return f"{actor.replace('/', '.').replace('@', '.').strip('.')}@{_DOMAIN}"


def _line(subject: str) -> str:
    if len(subject) > MAX_SUBJECT:
        raise BadInput("the subject is too long", why=f"at most {MAX_SUBJECT} characters", next="put the rest into the body")
    return "".join(c if c.isprintable() else " " for c in subject).strip() or "(no subject)"


def _prepare(mailbox: str) -> None:
    for folder in ("", *(f"/{name}" for name in FOLDERS)):
        path = mailbox + folder
        if os.path.islink(path):
            raise Refused(f"no mail is delivered to {path}", why="it is a symbolic link", next="remove the link")
        fsio.make_folder(path)


def _read(path: str, name: str, folder: str) -> Message | None:
    data = _open(path)
    if data is None:
        return None
    parsed = parser.BytesParser(policy=policy.default.clone(raise_on_defect=False)).parsebytes(data)
    part = parsed.get_body(("plain",))
    when = str(parsed.get("X-GT-Time") or "")
    return Message(id=str(parsed.get("Message-ID") or name).strip("<>").partition("@")[0],
                   sender=str(parsed.get("X-GT-From") or parsed.get("From") or ""),
                   recipient=str(parsed.get("X-GT-To") or parsed.get("To") or ""), subject=str(parsed.get("Subject") or ""),
                   body=str(part.get_content()).removesuffix("\n") if part is not None else "",
                   at=int(when) if when.isdecimal() and when.isascii() else os.stat(path).st_mtime_ns,
                   path=path, seen=folder == "cur" and SEEN in flags(name))


def _open(path: str) -> bytes | None:
    """The bytes of a regular file; None for anything else. Never blocks on a pipe, never follows a link."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None  # a link, or moved by another reader
    try:
        return os.read(fd, MAX_BODY * 2) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)
