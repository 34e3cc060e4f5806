"""Tells systemd that the daemon is ready and alive (sd_notify(3)); does nothing where systemd does not ask for it."""

from __future__ import annotations

import contextlib
import os
import socket


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
