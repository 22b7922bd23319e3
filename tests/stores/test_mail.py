"""Mail as Maildir."""

from __future__ import annotations

import mailbox
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import queueyard

from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput, Fenced, Refused
from gastown_hooks.stores import mail, maildir

NOW = clock.parse("2026-01-02T03:04:05Z")


@pytest.fixture
def box(tmp_path: Path) -> str:
    return str(tmp_path / "box")


def seen_by_a_mail_program(box: str) -> None:
    letters = mailbox.Maildir(box, create=False)
    for key, letter in letters.items():
        letter.set_subdir("cur")
        letter.add_flag("S")
        letters[key] = letter


def send(box: str, subject: str = "hello", body: str = "text\n", *, key: str | None = None, now: int = NOW) -> str:
    return mail.deliver(box, "gp/refinery", "gp/witness", subject, body, key=key, now=now)


def test_the_standard_librarys_maildir_reads_it(box: str) -> None:
    send(box, "Grüße ✓", "Zeile 1\nZeile 2 ✓\nFrom here on\n.\n")
    (message,) = mailbox.Maildir(box, create=False)
    assert message["From"] == "<gp.refinery@gastown.invalid>" and message["Date"].startswith("Fri, 02 Jan 2026 03:04:05")
    assert sorted(name for name in os.listdir(box) if not name.startswith(".")) == ["cur", "new", "tmp"]
    (found,) = mail.unread(box)
    assert (found.sender, found.recipient, found.subject, found.at) == ("gp/refinery", "gp/witness", "Grüße ✓", NOW)
    assert found.body == "Zeile 1\nZeile 2 ✓\nFrom here on\n."
    assert os.stat(found.path).st_mode & 0o777 == 0o600 and os.listdir(f"{box}/tmp") == []


@pytest.mark.parametrize("body", ["", "x" * 5000, "a\r\nb", "a\0b", "ends without newline", "\n\n", "line\n" * 1000])
def test_bodies_come_back(box: str, body: str) -> None:
    send(box, body=body)
    (found,) = mail.unread(box)
    assert found.body.replace("\r\n", "\n").rstrip("\n") == body.replace("\r\n", "\n").rstrip("\n")


def test_a_key_is_delivered_once_whether_read_or_not(box: str) -> None:
    assert send(box, key="merged-gp-mr-1-abc") == send(box, key="merged-gp-mr-1-abc", now=NOW + 1)
    assert len(mail.unread(box)) == 1
    seen_by_a_mail_program(box)
    send(box, key="merged-gp-mr-1-abc")
    assert mail.unread(box) == [] and len(mail.messages(box)) == 1 and not maildir.unread_count(box)
    send(box, key="merged/gp..\n other")
    assert len(mail.unread(box)) == 1 and os.path.dirname(mail.unread(box)[0].path) == f"{box}/new"


def test_thirty_senders_of_one_key_make_one_mail(box: str) -> None:
    script = ("import sys; from gastown_hooks.stores import mail\n"
              "mail.deliver(sys.argv[1], 'a', 'b', 's', 'x', key='k', now=int(sys.argv[2]))")
    senders = [subprocess.Popen([sys.executable, "-c", script, box, str(n)]) for n in range(8)]
    assert [sender.wait(60) for sender in senders] == [0] * 8
    assert len(mail.messages(box)) == 1


def test_what_a_mail_program_marked_is_seen(box: str) -> None:
    send(box)
    assert maildir.unread_count(box)
    seen_by_a_mail_program(box)
    (message,) = mail.messages(box)
    assert message.seen and message.path.endswith(":2,S") and not maildir.unread_count(box)


@pytest.mark.parametrize("address", ["../../x", "mayor/../x", "", "a b", "a\nBcc: x", "-rf", "gp//x", "ä"])
def test_addresses_that_cannot_be_meant(box: str, address: str) -> None:  # S3
    with pytest.raises(BadInput):
        mail.deliver(box, "overseer", address, "s", "b", now=NOW)
    with pytest.raises(BadInput):
        mail.deliver(box, address, "overseer", "s", "b", now=NOW)
    assert not os.path.exists(box)


def test_a_subject_is_one_line(box: str) -> None:
    send(box, "one\r\nBcc: x@example.test\x1b[31m")
    (message,) = mailbox.Maildir(box, create=False)
    assert message["Bcc"] is None and "\x1b" not in mail.unread(box)[0].subject
    with pytest.raises(BadInput):
        send(box, "x" * 501)
    with pytest.raises(BadInput):
        send(box, body="x" * (mail.MAX_BODY + 1))


@pytest.mark.parametrize("folder", ["", "/new", "/cur", "/tmp"])
def test_no_link_is_followed(box: str, tmp_path: Path, folder: str) -> None:  # S4
    outside = tmp_path / "outside"
    for name in ("new", "cur", "tmp"):
        (outside / name).mkdir(parents=True)
        Path(box, name).mkdir(parents=True)
    shutil.rmtree(box + folder)
    os.symlink(outside, box + folder)
    with pytest.raises(Refused):
        send(box)
    assert not list((outside / "new").iterdir()) and not [p for p in outside.iterdir() if p.is_file()]


def test_what_is_no_file_is_passed_over_and_does_not_block(box: str, tmp_path: Path) -> None:  # S5
    send(box)
    (tmp_path / "secret").write_text("From: x\n\nsecret")
    os.symlink(tmp_path / "secret", f"{box}/new/link")
    os.mkfifo(f"{box}/new/pipe")
    os.mkdir(f"{box}/new/folder")
    assert len(mail.messages(box)) == 1


def test_a_stale_worker_sends_no_mail_of_record(tmp_path: Path) -> None:
    yard = queueyard.make(tmp_path)
    yard.bead("one", fence=1)
    worker, box = yard.worker("gp-one"), yard.rig.witness.mail
    mail.deliver(box, worker.actor, "gp/witness", "HELP", "x", now=NOW, caller=worker)
    before = (Path(yard.rig.beads.journal).read_bytes(), Path(yard.rig.beads.issues).read_bytes())
    mail.deliver(box, worker.actor, "gp/witness", "HELP", "x", now=NOW, caller=worker)
    assert before == (Path(yard.rig.beads.journal).read_bytes(), Path(yard.rig.beads.issues).read_bytes())
    yard.put({**yard.get("gp-one"), "claim_fence": 2})
    with pytest.raises(Fenced):
        mail.deliver(box, worker.actor, "gp/witness", "HELP", "x", now=NOW, caller=worker)
    assert len(mail.unread(box)) == 2
