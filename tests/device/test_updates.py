"""What reaches a door after it was set up, on a virtual board with systemd: bundles, settings and packages.

    make test-device

Takes about four minutes with the card image that test_card.py made. Every machine is reached over SSH, as users do.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.contract import DEFAULT_BUNDLES
from tests.device.card import SETTINGS, USER, boot, insert

pytestmark = pytest.mark.device

ROOT = Path(__file__).resolve().parents[2]
SLOW = 120.0
"""Seconds of patience: an emulated board is ten times slower than a Raspberry Pi."""
TRIAL = 15.0
FLOOD = {"score_threshold": 0.0, "overlap_threshold": 1.0}
"""Everything is a face: the networks are as they should be, but the door is far too slow with them."""
KEEPS = "/etc/maskgate /var/lib/maskgate /var/lib/maskgate-store /opt/maskgate /usr/bin/maskgate"


@pytest.fixture(scope="module")
def card(image, work):
    """A card with the image on it."""
    card = work / "updates.img"
    insert(image, card, 4 << 30)
    yield card
    card.unlink()


@pytest.fixture(scope="module")
def machine(card, key, work):
    """A door that is up; switched off and on again it is the same one."""
    with boot(card, key, work / "updates.log") as guest:
        until(lambda: "IDLE" in status(guest), guest)
        yield guest


@pytest.fixture(scope="module")
def sign(signing_key, work):
    """Makes the archive of a bundle with the shipped networks and another contract, or of a settings file."""

    def command(*arguments):
        line = [sys.executable, "-m", "convert.sign", "sign", "--key", signing_key, "--out", work, *arguments]
        subprocess.run(list(map(str, line)), check=True, cwd=ROOT, stdout=subprocess.DEVNULL)

    def models(version, **locator):
        folder = work / f"maskgate-{version}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(next(DEFAULT_BUNDLES.glob("maskgate-*")), folder)
        contract = json.loads((folder / "bundle.json").read_text())
        contract["version"] = version
        contract["locator"] |= locator
        (folder / "bundle.json").write_text(json.dumps(contract))
        command(folder)
        return work / f"maskgate-{version}.tar"

    def settings(version, text):
        file = work / "new-door.toml"
        file.write_text(text)
        command(file, "--version", version)
        return work / f"door-{version}.tar"

    return models, settings


def status(guest):
    return guest.property("StatusText")


def until(condition, guest, seconds=SLOW):
    """Waits for it, and says what the service and the store were like if it never comes."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(guest.ssh("sudo maskgate bundle list; journalctl -u 'maskgate*' --no-pager -n 40"))
        time.sleep(2.0)


def install(guest, archive):
    guest.copy(archive)
    return guest.ssh(f"sudo maskgate bundle install /tmp/{archive.name} --config /etc/maskgate/door.toml")


def listed(guest):
    return guest.ssh("sudo maskgate bundle list")


def deploy(guest, work, key):
    """`make deploy`, with the test's own key and without asking for the machine's."""
    wrapper = work / "bin/ssh"
    wrapper.parent.mkdir(exist_ok=True)
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -i {key} {options} "$@"\n')
    wrapper.chmod(0o755)
    surroundings = os.environ | {"PATH": f"{wrapper.parent}:{os.environ['PATH']}", "PORT": str(guest.port), "CARD": ""}
    command = [ROOT / "edge/device/deploy.sh", f"{USER}@127.0.0.1"]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=5 * SLOW)


def test_the_doctor_finds_nothing_wrong(machine, note):
    begun = time.monotonic()
    report = json.loads(machine.ssh("sudo maskgate doctor --json || true"))
    note(f"doctor: {len(report['findings'])} findings in {time.monotonic() - begun:.0f} s, emulated")
    assert [found for found in report["findings"] if found["status"] == "fail"] == []
    found = {each["name"]: each["found"] for each in report["findings"]}
    assert "the service has it" in found["camera"]
    assert "aarch64" in found["processor"]
    assert "golden answers" in found["self-test"]


def test_the_doctor_names_what_mends_a_door_that_was_stopped_and_misconfigured(machine):
    machine.ssh("sudo systemctl stop maskgate")
    machine.ssh("(cat /etc/maskgate/door.toml; echo 'chip = \"none\"') >/tmp/wrong.toml")
    report = json.loads(machine.ssh("sudo maskgate doctor --config /tmp/wrong.toml --json || true"))
    failed = {each["name"]: each["mend"] for each in report["findings"] if each["status"] == "fail"}
    machine.ssh("sudo systemctl start maskgate")
    assert not report["ok"]
    assert all(failed.values()) and {"lines", "service"} <= failed.keys()
    until(lambda: "IDLE" in status(machine), machine)


def test_a_signed_bundle_is_taken_into_use_and_stays(machine, sign, note):
    models, _ = sign
    archive = models(5)
    begun = time.monotonic()
    assert f"maskgate-5: in use, on trial for {TRIAL:g} s" in install(machine, archive)
    until(lambda: status(machine).startswith("maskgate-5: IDLE"), machine)
    note(f"bundle: judging {time.monotonic() - begun:.0f} s after the command, emulated")
    until(lambda: "on trial" not in listed(machine), machine)
    assert "maskgate-5" in listed(machine) and "went back" not in listed(machine)
    assert status(machine).startswith("maskgate-5: IDLE")


def test_what_was_altered_or_is_older_is_refused_and_changes_nothing(machine, sign, work):
    models, _ = sign
    before = machine.ssh("sudo cat /var/lib/maskgate-store/store.json")
    altered = bytearray(models(6).read_bytes())
    altered[len(altered) // 2] ^= 1
    (work / "altered.tar").write_bytes(altered)
    for archive, reason in ((work / "altered.tar", "was altered after it was signed"), (models(4), "is not newer")):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            install(machine, archive)
        assert refused.value.returncode == 2 and reason in refused.value.output
        assert len(refused.value.output.splitlines()) == 1
    assert machine.ssh("sudo cat /var/lib/maskgate-store/store.json") == before


def test_settings_with_which_the_door_does_not_start_go_back_by_themselves(machine, sign):
    _, settings = sign
    install(machine, settings(1, f'{SETTINGS}chip = "none"\n'))
    until(lambda: "went back from door-1" in listed(machine), machine)
    assert "restarted 3 times" in listed(machine) or "the service" in listed(machine)
    until(lambda: status(machine).startswith("maskgate-5: IDLE"), machine)


def test_an_upgrade_over_ssh_keeps_settings_and_bundles(machine, work, key):
    done = deploy(machine, work, key)
    assert "active" in done.stdout and done.returncode == 0, done.stdout + done.stderr
    until(lambda: status(machine).startswith("maskgate-5: IDLE"), machine)
    assert "trial_seconds" in machine.ssh("cat /etc/maskgate/door.toml")


def test_a_power_cut_within_a_trial_does_not_keep_a_bad_bundle(machine, card, key, work, sign):
    models, _ = sign
    install(machine, models(7, **FLOOD))
    until(lambda: status(machine).startswith("maskgate-7: FAULT"), machine)
    machine.power_cut()
    with boot(card, key, work / "updates.log") as again:
        until(lambda: "went back from maskgate-7" in listed(again), again)
        until(lambda: status(again).startswith("maskgate-5: IDLE"), again)
        check_rollback_by_hand(again)
        check_purge_and_fresh_install(again, work, key)


def check_rollback_by_hand(guest):
    guest.ssh("sudo maskgate bundle rollback")
    until(lambda: status(guest).startswith("maskgate-4: IDLE"), guest)


def check_purge_and_fresh_install(guest, work, key):
    guest.ssh("sudo apt-get purge --yes maskgate")
    left = guest.ssh(f"sudo find {KEEPS} -mindepth 1 2>/dev/null || true")
    assert left == ""
    assert guest.property("LoadState") == "not-found"
    done = deploy(guest, work, key)
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: status(guest).startswith("maskgate-4: IDLE"), guest)
