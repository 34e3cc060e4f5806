"""Who may use which devices: the service's user, or who asks."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.finding import Finding, fail, ok
from edge.doctor.machine import Machine

SERVICE_USER = "maskgate"
RULES = "sudo udevadm control --reload && sudo udevadm trigger --settle`"


@dataclass(frozen=True)
class Person:
    """A user and the numbers of all its groups."""

    name: str
    uid: int
    groups: frozenset[int]

    def __str__(self) -> str:
        return self.name

    def may_write(self, path: Path) -> bool:
        """By the permissions of the file or folder itself."""
        about = path.stat()
        if self.uid == 0:
            return True
        if about.st_uid == self.uid:
            return bool(about.st_mode & stat.S_IWUSR)
        return bool(about.st_mode & (stat.S_IWGRP if about.st_gid in self.groups else stat.S_IWOTH))


@dataclass(frozen=True)
class Group:
    """A line of /etc/group."""

    number: int
    members: frozenset[str]


def groups_of(machine: Machine) -> dict[str, Group]:
    """The machine's groups by name."""
    lines = [line.split(":") for line in machine.text("etc/group").splitlines()]
    whole = [fields for fields in lines if len(fields) == 4 and fields[2].isdecimal()]
    return {name: Group(int(number), frozenset(members.split(","))) for name, _, number, members in whole}


def service_user(machine: Machine) -> Person | None:
    """The user of the service, with what /etc/group says; None where the package is not installed."""
    line = re.search(rf"^{SERVICE_USER}:[^:]*:(\d+):(\d+):", machine.text("etc/passwd"), re.MULTILINE)
    if line is None:
        return None
    joined = {group.number for group in groups_of(machine).values() if SERVICE_USER in group.members}
    return Person(SERVICE_USER, int(line[1]), frozenset({int(line[2]), *joined}))


def asker() -> Person:
    """Who runs this program, with the groups that the session really has."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = "$USER"
    return Person(name, os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))


def groups(machine: Machine, devices: Mapping[str, str], who: Person) -> list[Finding]:
    """Whether the devices that the settings want belong to the groups they should, and `who` is in those.

    devices: pattern of the devices by their group, such as {"gpio": "dev/gpiochip*"}.
    """
    if not devices:
        return [ok("groups", "none needed: no camera device and no GPIO line")]
    known = groups_of(machine)
    astray = [found for name, pattern in devices.items() for found in _astray(machine, known.get(name), name, pattern)]
    if astray:
        return astray
    missing = [name for name in devices if who.uid != 0 and known[name].number not in who.groups]
    if not missing:
        return [ok("groups", f"{who} may use the devices of {', '.join(devices)}")]
    return [_outside(who, missing, all(who.name in known[name].members for name in missing))]


def _astray(machine: Machine, group: Group | None, name: str, pattern: str) -> list[Finding]:
    """What is wrong with a group itself, or with the devices that should be its own."""
    if group is None:
        return [fail("groups", f"there is no group {name}", f"`sudo groupadd --system {name} && {RULES}")]
    others = [path for path in machine.find(pattern) if path.stat().st_gid != group.number]
    if not others:
        return []
    mend = f"reinstall the package, whose udev rule says so, then `{RULES}"
    return [fail("groups", f"{others[0]} does not belong to the group {name}", mend)]


def _outside(who: Person, missing: list[str], joined: bool) -> Finding:
    found = f"{who} is not in {', '.join(missing)}"
    if joined:  # a session keeps the groups that it began with
        return fail("groups", f"{found} yet", "log out and in again")
    again = "`sudo systemctl restart maskgate`" if who.name == SERVICE_USER else "log out and in again"
    return fail("groups", found, f"`sudo usermod -aG {','.join(missing)} {who}`, then {again}")
