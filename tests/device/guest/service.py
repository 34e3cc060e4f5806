"""Puts the installed service through its faults on the virtual device: started by systemd before it, stopped after it.

Reads the lines as lamps do, from outside the service, as root; judging is left to test_device.py on the workstation.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import signal
import stat
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from board import Chip, Watch, plug_camera, unplug_camera
from checks import LINES, Facts, read_events, run, settings, tell, wait_until

from edge.notify import notify

CONFIG = Path("/etc/maskgate/door.toml")
HOME = Path("/var/lib/maskgate")
PAGE = """
[share]
socket = "/run/maskgate/door.sock"
[web]
listen = "127.0.0.1:8080"
folder = "/var/lib/maskgate-serve"
"""
UNIT = "/usr/lib/systemd/system/maskgate.service"
DROP_IN = Path("/run/systemd/system/maskgate.service.d/attempts.conf")


def systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *arguments], check=True)


def configure(chip: Chip, source: str, more: str = "") -> None:
    CONFIG.write_text(settings(chip.label, source, "events.jsonl") + more)


def events(since: float) -> list[tuple[float, str, list[str], str]]:
    return [event for event in read_events(HOME / "events.jsonl") if event[0] > since]


def wait_for(state: str, since: float) -> float:
    """Until the service has said, after the time `since`, that it is in this state; when that was."""
    wait_until(
        lambda: any(said == state for _, said, *_ in events(since)),
        lambda: f"never {state} since {since}: {events(0)}; {journal()}",
    )
    return next(moment for moment, said, *_ in events(since) if said == state)


def journal(unit: str = "maskgate") -> str:
    command = ["journalctl", "--no-pager", "--output", "short-monotonic", "--lines", "40", "--unit", unit]
    return subprocess.run(command, capture_output=True, text=True).stdout


def properties(unit: str = "maskgate") -> dict[str, str]:
    """What systemd knows of a service."""
    wanted = "MainPID,NRestarts,ActiveState,Result,ExecMainStatus"
    told = subprocess.run(["systemctl", "show", unit, "--property", wanted], capture_output=True, text=True)
    return dict(line.split("=", 1) for line in told.stdout.splitlines())


def daemon() -> int:
    """Its process id."""
    return int(properties()["MainPID"])


def guard() -> int:
    """The process id of the daemon's only child."""
    main = daemon()
    return int(Path(f"/proc/{main}/task/{main}/children").read_text())


def identity(process: int) -> Facts:
    """As whom a process runs, and what it may do."""
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    user, group = (int(fields[key].split()[0]) for key in ("Uid", "Gid"))
    return {
        "user": user_name(user),
        "group": group_name(group),
        "groups": sorted(group_name(int(number)) for number in fields["Groups"].split()),
        "capabilities": {key: fields[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
        "no_new_privileges": fields["NoNewPrivs"],
        "seccomp": fields["Seccomp"],
    }


def user_name(number: int) -> str:
    """The number itself for a user that systemd made up for a service."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def boot(chip: Chip) -> Facts:
    """The system starts the service; somebody comes bare, puts a mask on and leaves; then the service is stopped."""
    configure(chip, "/opt/door/visit.avi")
    chip.pull(0)
    with Watch(chip) as watch:
        notify("READY=1")
        allowed = wait_for("ALLOW", 0.0)
        processes = {"daemon": identity(daemon()), "guard": identity(guard())}
        wait_for("IDLE", allowed)
        stopped = time.monotonic()
        systemctl("stop", "maskgate")
        ended = time.monotonic()
    facts = {"levels": watch.levels, "driven": watch.driven, "events": events(0.0)}
    return facts | {"stopped": stopped, "ended": ended, "processes": processes, "journal": journal()} | properties()


def security(chip: Chip) -> Facts:
    """What systemd thinks of the unit."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT]
    result = subprocess.run(command, capture_output=True, text=True)
    return {"stdout": result.stdout, "stderr": result.stderr}


def start(chip: Chip, source: str, state: str, more: str = "") -> None:
    """The service anew with this camera, until it is in this state."""
    configure(chip, source, more)
    since = time.monotonic()
    systemctl("restart", "maskgate")
    wait_for(state, since)


def hit(number: int, find: Callable[[], int]) -> Callable[[Chip], Facts]:
    """A process of the service, which allows somebody, gets a signal; the service has to come back and allow again."""

    def check(chip: Chip) -> Facts:
        with Watch(chip) as watch:
            during, process, before = chip.levels(), find(), properties()
            moment = time.monotonic()
            os.kill(process, number)
            wait_for("ALLOW", moment + 1.0)
            time.sleep(0.5)
        facts = {"levels": watch.levels, "driven": watch.driven, "events": events(moment), "during": during}
        return facts | {"moment": moment, "before": before, "after": properties(), "journal": journal()}

    return check


def page(chip: Chip) -> Facts:
    """The status page's service starts with the daemon's, tells its token, and shows what is decided."""
    start(chip, "/opt/door/pacing.avi", "ALLOW", PAGE)
    wait_until(lambda: "once only" in journal("maskgate-serve"), lambda: journal("maskgate-serve"))
    token = journal("maskgate-serve").partition("status page, told this once only: ")[2].split()[0]
    told: Facts = {}

    def shown() -> bool:
        with suppress(OSError):  # its port comes after its token
            told.update(json.loads(ask("/status", token)))
        return bool(told.get("connected")) and told["now"] is not None

    wait_until(shown, lambda: f"{told}; {journal('maskgate-serve')}")
    process = int(properties("maskgate-serve")["MainPID"])
    devices = sorted(file.name for file in Path(f"/proc/{process}/root/dev").iterdir())
    metrics = ask("/metrics", token)
    return {"status": told, "metrics": metrics, "identity": identity(process), "devices": devices}


def ask(path: str, token: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:8080{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(answer.read().decode())


def camera_unplugged(chip: Chip) -> Facts:
    """A real camera driver with nobody in front of it, and no page; the camera goes away for a while."""
    start(chip, "v4l2:0", "IDLE")
    begin = time.monotonic()
    with Watch(chip) as watch:
        # long enough for the checks of the picture's health to have an opinion
        time.sleep(5)
        unplugged = time.monotonic()
        unplug_camera()
        wait_for("FAULT", unplugged)
        time.sleep(0.5)
        during = chip.levels()
        # so long that systemd's watchdog ends a daemon that judges nothing
        time.sleep(3)
        plugged = time.monotonic()
        plug_camera()
        wait_for("IDLE", plugged)
    facts = {"levels": watch.levels, "driven": watch.driven, "events": events(begin), "during": during}
    return facts | {"unplugged": unplugged, "plugged": plugged, "after": properties(), "journal": journal()}


def page_off(chip: Chip) -> Facts:
    """The page's service ended by itself when the daemon's started anew with settings that ask for no page."""
    wait_until(lambda: properties("maskgate-serve")["ActiveState"] == "inactive", lambda: journal("maskgate-serve"))
    return properties("maskgate-serve")


def sandbox(chip: Chip) -> Facts:
    """What attempts.py may do as the service; some of it everybody may, so that the unit alone can forbid it.

    The service goes on with somebody whom it allows, for the checks that follow.
    """
    Path("/etc/shadow").touch(0o640)
    console = os.stat("/dev/ttyAMA0").st_rdev
    os.mknod("/dev/for_everybody", stat.S_IFCHR | 0o666, console)
    for file in (Path("/dev/for_everybody"), CONFIG):
        file.chmod(0o666)
    DROP_IN.parent.mkdir(parents=True)
    DROP_IN.write_text("[Service]\nExecStartPre=/opt/maskgate/bin/python3 /opt/door/attempts.py attempts.json\n")
    systemctl("daemon-reload")
    start(chip, "/opt/door/pacing.avi", "ALLOW")
    time.sleep(0.5)
    DROP_IN.unlink()
    systemctl("daemon-reload")
    return {"attempts": json.loads((HOME / "attempts.json").read_text())}


CHECKS: dict[str, Callable[[Chip], Facts]] = {
    "boot": boot,
    "security": security,
    "page": page,
    "camera_unplugged": camera_unplugged,
    "page_off": page_off,
    "sandbox": sandbox,
    "daemon_killed": hit(signal.SIGKILL, daemon),
    "daemon_stopped": hit(signal.SIGSTOP, daemon),
    "guard_killed": hit(signal.SIGKILL, guard),
    "guard_stopped": hit(signal.SIGSTOP, guard),
}


def power_off(chip: Chip) -> Facts:
    """The machine is switched off while the door is released; systemd stops the service, then us."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    chip.pull(1)
    with Watch(chip) as watch:
        during, moment = chip.levels(), time.monotonic()
        systemctl("--no-block", "poweroff")
        stopped.wait(30)
    facts = {"levels": watch.levels, "driven": watch.driven, "during": during, "after": chip.levels()}
    return facts | {"moment": moment, "stopped": stopped.is_set(), "ended": time.monotonic()}


def main() -> None:
    chip = Chip(LINES)
    try:
        run(CHECKS, chip)
    finally:
        tell("power_off", power_off(chip))


if __name__ == "__main__":
    main()
