"""The whole doctor, on this machine: no Raspberry Pi, no camera, no GPIO chip, no service."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.__main__ import main
from edge.doctor.command import devices_of, diagnose, read_settings, tell
from edge.doctor.finding import Status, fail, ok, warn
from edge.settings import CameraSettings, OutputSettings, Settings
from tests.edge.rig import EMPTY, Pictures

SIMULATED = """
[camera]
source = "{folder}/door.avi"
[output]
file = "{folder}/outputs.jsonl"
[events]
file = "{folder}/events.jsonl"
"""
REAL = """
[camera]
source = "/dev/video99"
[output]
kind = "gpio"
chip = "no-such-chip"
[[output.line]]
name = "green"
line = 17
on = ["ALLOW"]
"""


@pytest.fixture
def config(tmp_path):
    def written(text: str) -> Path:
        file = tmp_path / "door.toml"
        file.write_text(text.format(folder=tmp_path))
        return file

    return written


def write_video(path: Path) -> None:
    """Three seconds of an empty room at 15 frames a second."""
    pictures = Pictures((240, 320))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15.0, (320, 240))
    for _ in range(45):
        writer.write(np.ascontiguousarray(pictures(EMPTY)[:, :, ::-1]))
    writer.release()


def test_a_door_on_a_video_with_simulated_outputs_is_well(config, tmp_path, capfd):
    write_video(tmp_path / "door.avi")
    code = main(["doctor", "--config", str(config(SIMULATED)), "--json"])
    told = json.loads(capfd.readouterr().out)
    findings = {finding["name"]: finding for finding in told["findings"]}
    assert (code, told["ok"]) == (0, True), told
    assert re.search(r"320x240, 1[3-5]\.\d frames/s", findings["camera"]["found"])
    assert {"python", "runtime", "processor", "bundle", "signature", "verdict", "event log"} <= findings.keys()
    assert all(bool(finding["mend"]) == (finding["status"] != "ok") for finding in told["findings"])


def test_a_door_without_camera_and_chip_fails_with_what_mends_it(config, capfd):
    code = main(["doctor", "--config", str(config(REAL))])
    lines = capfd.readouterr().out.splitlines()
    assert code == 1
    for name, found, mend in [
        ("camera", "/dev/video99: no such camera", "connect one, or name another in camera.source"),
        ("lines", 'no GPIO chip with the label "no-such-chip" here', "output.chip"),
    ]:
        (at,) = (number for number, line in enumerate(lines) if line.startswith(f"FAIL  {name} "))
        assert found in lines[at] and mend in lines[at + 1]
    assert lines[-1].startswith(f"{sum(not line.startswith(' ') for line in lines) - 1} findings: ")


def test_settings_that_cannot_be_read_are_a_finding(config, tmp_path):
    finding, settings = read_settings(config("[camera]\nsorce = 1\n"), None)
    assert finding.status == Status.FAIL and "what follows is for the defaults" in finding.found and finding.mend
    assert settings == Settings()
    assert read_settings(tmp_path / "none.toml", None)[0].status == Status.FAIL
    assert read_settings(tmp_path, None)[0].status == Status.FAIL


def test_a_store_that_cannot_be_read_is_a_finding(tmp_path):
    (tmp_path / "store.json").write_text("{")
    finding, _ = read_settings(None, tmp_path)
    assert finding.status == Status.FAIL and "store.json" in finding.found


def test_without_options_the_services_settings_are_asked_about(machine):
    device = machine({"etc/maskgate/door.toml": "[camera]\nsource = 'v4l2:0'\n"})
    findings = diagnose(None, None, Path("/none"), device)
    assert next(findings).found == str(device.root / "etc/maskgate/door.toml")
    findings.close()


@pytest.mark.parametrize(
    ("findings", "code", "last"),
    [
        ([ok("a", "well")], 0, "1 findings: 0 failed, 0 warned"),
        ([ok("a", "well"), warn("b", "hot", "cool it")], 0, "2 findings: 0 failed, 1 warned"),
        ([fail("a", "gone", "`get it`")], 1, "1 findings: 1 failed, 0 warned"),
    ],
)
def test_the_last_line_sums_up_and_only_failures_count(capsys, findings, code, last):
    assert tell(findings) == code
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_only_devices_that_the_settings_want_are_asked_for():
    assert devices_of(Settings(camera=CameraSettings(source="door.avi"))) == {}
    wanted = devices_of(Settings(output=OutputSettings(kind="gpio")))
    assert wanted == {"video": "dev/video*", "gpio": "dev/gpiochip*"}
