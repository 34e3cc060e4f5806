"""Tells systemd that the daemon is ready and alive, and how it does (sd_notify(3)); nothing where systemd asks nothing.

What it says of itself is systemd's StatusText: "maskgate-4: IDLE, 14.9 frames/s, 21 ms from frame to decision".
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from typing import NamedTuple


def notify(message: str) -> None:
    """Send a message such as "READY=1" or "WATCHDOG=1" to the service manager; never waits and never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        channel.sendto(message.encode(), address)


class Status(NamedTuple):
    """What the daemon says of itself. name: of what judges. state: see `values.State`. more: how fast, or why not."""

    name: str
    state: str
    more: str

    def __str__(self) -> str:
        return f"{self.name}: {self.state}, {self.more}"

    @property
    def fault(self) -> str:
        """Why it cannot judge; "" when it can."""
        return self.more if self.state == "FAULT" else ""


def read_status(text: str) -> Status:
    """The Status of a StatusText; empty when it is none."""
    match = re.fullmatch(r"(\S+): ([A-Z]+), (.*)", text)
    return Status(*match.groups()) if match else Status("", "", "")
