"""Bundles over the air on the virtual board of test_card.py, with systemd: they stay, are refused, or go back.

    make test-device

Takes about five minutes. The last test switches the board off while it writes, and on again.
"""

import json
import subprocess
import time

import pytest

from tests.device.card import boot
from tests.device.releases import signed_models

pytestmark = [pytest.mark.device, pytest.mark.xdist_group("card")]

TRIAL = 15.0
MISFIT = {"score_threshold": 0.0, "strides": [8, 16, 64]}
"""The networks are as they should be, so it passes its self-test; but their answers cannot be read by this contract."""


def test_the_doctor_finds_nothing_wrong(guest, note):
    begun = time.monotonic()
    report = json.loads(guest.ssh("sudo maskgate doctor --json || true"))
    note(f"doctor: {len(report['findings'])} findings in {time.monotonic() - begun:.0f} s, emulated")
    assert [found for found in report["findings"] if found["status"] == "fail"] == []
    found = {each["name"]: each["found"] for each in report["findings"]}
    assert "the service has it" in found["camera"]
    assert "aarch64" in found["processor"]
    assert "golden answers" in found["self-test"]


def test_a_signed_bundle_is_taken_into_use_and_stays(guest, signing_key, note):
    archive = signed_models(signing_key, 5)
    begun = time.monotonic()
    assert f"maskgate-5: in use, on trial for {TRIAL:g} s" in guest.install(archive)
    guest.until(lambda: guest.status().startswith("maskgate-5: IDLE"))
    note(f"bundle: judging {time.monotonic() - begun:.0f} s after the command, emulated")
    guest.until(lambda: "on trial" not in guest.releases())
    assert "maskgate-5" in guest.releases() and "went back" not in guest.releases()
    assert guest.status().startswith("maskgate-5: IDLE")


def test_what_was_altered_or_is_older_is_refused_and_changes_nothing(guest, signing_key, work):
    before = guest.ssh("sudo cat /var/lib/maskgate-store/store.json")
    altered = bytearray(signed_models(signing_key, 6).read_bytes())
    altered[len(altered) // 2] ^= 1
    (work / "altered.tar").write_bytes(altered)
    for archive, reason in (
        (work / "altered.tar", "was altered after it was signed"),
        (signed_models(signing_key, 4), "is not newer"),
    ):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            guest.install(archive)
        assert refused.value.returncode == 2 and reason in refused.value.output
        assert len(refused.value.output.splitlines()) == 1
    assert guest.ssh("sudo cat /var/lib/maskgate-store/store.json") == before


def test_a_power_cut_in_the_middle_of_all_does_no_harm_and_a_bad_bundle_does_not_stay(
    guest, card, key, console, signing_key
):
    """The last one, as the machine of the others is gone afterwards."""
    identity = "cat /etc/machine-id; sudo cat /var/lib/ssh/ssh_host_ed25519_key.pub"
    before = guest.ssh(identity)
    guest.install(signed_models(signing_key, 7, **MISFIT))
    guest.until(lambda: guest.status().startswith("maskgate-7: FAULT"))
    guest.ssh(
        "sudo sh -c 'while :; do dd if=/dev/urandom of=/var/lib/maskgate/junk bs=1M count=20; sync; done' "
        "</dev/null >/dev/null 2>&1 &"
    )
    time.sleep(5.0)
    guest.power_cut()
    with boot(card, key, console) as again:
        again.until(lambda: "went back from maskgate-7" in again.releases())
        again.until(lambda: again.status().startswith("maskgate-5: IDLE"))
        assert again.ssh(identity) == before
        assert "errors" not in again.ssh("sudo dumpe2fs -h /dev/vda3 2>/dev/null | grep 'Filesystem state'")
        again.ssh("sudo maskgate bundle rollback")
        again.until(lambda: again.status().startswith("maskgate-4: IDLE"))
