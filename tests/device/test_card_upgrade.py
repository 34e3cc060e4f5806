"""What else can happen to a door, on the virtual board: wrong settings, another package over SSH, none at all.

    make test-long

Takes about ten minutes with its card image.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.device.card import CARD_SIZE, SETTINGS, USER, boot, insert
from tests.device.releases import signed_settings

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
WRONG = f'{SETTINGS}chip = "none"\n'
KEPT = "/etc/maskgate /var/lib/maskgate /var/lib/maskgate-store /opt/maskgate /usr/bin/maskgate"


@pytest.fixture(scope="module")
def machine(image, key, work):
    card = work / "upgrade.img"
    insert(image, card, CARD_SIZE)
    with boot(card, key, work / "upgrade.log") as machine:
        machine.until(lambda: "IDLE" in machine.status())
        yield machine
    card.unlink()


@pytest.fixture(scope="module")
def deploy(machine, key, work):
    """`make deploy`, with the test's own key and without asking for the machine's."""
    wrapper = work / "bin/ssh"
    wrapper.parent.mkdir(exist_ok=True)
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -i {key} {options} "$@"\n')
    wrapper.chmod(0o755)
    surroundings = os.environ | {"PATH": f"{wrapper.parent}:{os.environ['PATH']}", "PORT": str(machine.port)}
    command = ["edge/device/deploy.sh", f"{USER}@127.0.0.1"]
    return lambda: subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True)


def test_the_doctor_names_what_mends_a_door_that_was_stopped_and_misconfigured(machine):
    machine.ssh("sudo systemctl stop maskgate")
    machine.ssh(f"cat >/tmp/wrong.toml <<'END'\n{WRONG}END")
    report = json.loads(machine.ssh("sudo maskgate doctor --config /tmp/wrong.toml --json || true"))
    failed = {each["name"]: each["mend"] for each in report["findings"] if each["status"] == "fail"}
    machine.ssh("sudo systemctl start maskgate")
    assert not report["ok"]
    assert all(failed.values()) and {"lines", "service"} <= failed.keys()
    machine.until(lambda: "IDLE" in machine.status())


def test_settings_with_which_the_door_does_not_start_go_back_by_themselves(machine, signing_key):
    machine.install(signed_settings(signing_key, 1, WRONG))
    machine.until(lambda: machine.store()["rollback"] is not None)
    told = machine.releases()
    assert "went back from door-1" in told and "the service restarted 3 times" in told
    machine.until(lambda: "IDLE" in machine.status())


def test_an_upgrade_over_ssh_keeps_settings_and_the_store(machine, deploy):
    before = machine.ssh("sudo cat /var/lib/maskgate-store/store.json /etc/maskgate/door.toml")
    done = deploy()
    assert done.returncode == 0 and ", active" in done.stdout, done.stdout + done.stderr
    machine.until(lambda: "IDLE" in machine.status())
    assert machine.ssh("sudo cat /var/lib/maskgate-store/store.json /etc/maskgate/door.toml") == before


def test_a_purge_leaves_nothing_and_a_fresh_installation_runs(machine, deploy):
    machine.ssh("sudo apt-get purge --yes maskgate")
    assert machine.ssh(f"sudo find {KEPT} -mindepth 1 2>/dev/null || true") == ""
    assert machine.property("LoadState") == "not-found"
    done = deploy()
    # the package's own settings want more frames than an emulated board judges in time, so it may not be up at once
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "maskgate-4" in machine.ssh("sudo maskgate bundle list")
    assert machine.property("LoadState") == "loaded"
