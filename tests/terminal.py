"""A person at a terminal."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable

from workers import until


class Terminal:
    """A terminal of a person's: a shell line runs in it, keys are typed, the screen is what was printed."""

    def __init__(self, line: str, env: dict[str, str]) -> None:
        self.fd, tty = os.openpty()
        fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(["sh", "-c", line], stdin=tty, stdout=tty, stderr=tty, start_new_session=True,
                                        env={**os.environ, "TERM": "xterm-256color", **env})
        os.close(tty)
        self.screen = b""

    def read(self) -> bool:
        """Take what was printed; False when the program has closed the terminal."""
        waiter = select.poll()
        waiter.register(self.fd, select.POLLIN)
        while waiter.poll(0):
            try:
                self.screen += os.read(self.fd, 65536)
            except OSError:
                return False
        return True

    def type(self, text: str) -> None:
        for keys in (text, "\r"):
            os.write(self.fd, keys.encode())

    def until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        try:
            until(lambda: (self.read(), condition())[1], seconds)
        except AssertionError:
            raise AssertionError(self.screen[-3000:].decode("utf-8", "replace")) from None

    def close(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself
        self.process.wait()
        os.close(self.fd)
