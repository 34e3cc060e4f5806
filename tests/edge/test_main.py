import json
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from edge import __version__
from edge.__main__ import main, parse_zone
from edge.errors import InputError
from edge.values import WITHOUT_MASK, Box, Classification, Judged
from tests.edge.rig import EMPTY, Pictures


class BareJudge:
    """Stands in for the models: every picture shows one bare face."""

    def judge(self, rgb):
        return [Judged(Box(20, 10, 40, 40), 0.9, Classification(WITHOUT_MASK, 0.9, (0.9, 0.05, 0.05)))]


@pytest.fixture
def bare_judge(monkeypatch):
    monkeypatch.setattr("edge.judge.Judge.from_bundle", lambda bundle, *options, **more: BareJudge())


@pytest.fixture
def refused(capfd):
    """Runs a command that must end in one line on standard error and exit code 2; gives that line."""

    def run(*argv: object) -> str:
        assert main([str(argument) for argument in argv]) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith("maskgate: error: ")
        return line

    return run


def make_video(path, frames=300):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    pictures = Pictures((48, 64))
    for _ in range(frames):
        writer.write(pictures(EMPTY))
    writer.release()
    return path


@pytest.fixture
def config(tmp_path):
    """Writes a settings file: a video or camera, a file for the outputs, and what else is given."""

    def write(source, more=""):
        file = tmp_path / "door.toml"
        file.write_text(f'camera.source = "{source}"\noutput.file = "{tmp_path}/outputs.jsonl"\n{more}')
        return file

    return write


@pytest.mark.parametrize("command", [[], ["nonsense"], ["detect"], ["replay", "door.avi"], ["run", "door.toml"]])
def test_a_wrong_command_shows_its_usage(command, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(command)
    assert capsys.readouterr().err.startswith("usage: maskgate")


def test_the_module_tells_its_version_without_loading_what_it_does_not_need():
    code = "import sys, edge.__main__; print(sorted({'cv2', 'numpy', 'msgspec'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
    command = [sys.executable, "-m", "edge", "--version"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == f"maskgate {__version__}\n"


def test_the_real_command_ends_in_one_line_for_bad_input(tmp_path):
    command = [sys.executable, "-m", "edge", "detect", "door.jpg", "--bundle", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"maskgate: error: bundle {tmp_path}: cannot read bundle.json")


def test_a_picture_is_judged(bare_judge, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "door.png"), np.full((48, 64, 3), 128, np.uint8))
    table = tmp_path / "faces.csv"
    assert main(["detect", str(tmp_path), "--csv", str(table), "--draw", str(tmp_path / "drawn")]) == 0
    assert capsys.readouterr().out == "door.png: without_mask 0.90\n"
    assert table.read_text().splitlines()[1] == "door.png,20.0,10.0,40.0,40.0,without_mask,0.9000"
    assert (tmp_path / "drawn" / "door.png").exists()


def test_bad_pictures_are_refused(bare_judge, refused, tmp_path):
    text, cut, empty = tmp_path / "text.jpg", tmp_path / "cut.jpg", tmp_path / "empty"
    text.write_text("no picture")
    cv2.imwrite(str(cut), np.full((48, 64, 3), 128, np.uint8))
    cut.write_bytes(cut.read_bytes()[:-50])
    empty.mkdir()
    assert "none.jpg: cannot be read (No such file" in refused("detect", tmp_path / "none.jpg")
    assert "text.jpg: not a picture" in refused("detect", text)
    assert "cut.jpg: the picture is cut off" in refused("detect", cut)
    assert "empty: no pictures" in refused("detect", empty)


def test_a_bundle_without_a_file_or_with_an_altered_one_is_refused(refused, tmp_path):
    assert "cannot read bundle.json" in refused("detect", "door.jpg", "--bundle", tmp_path)
    (tmp_path / "bundle.json").write_text("{}")
    assert "bundle.json: Object missing required field" in refused("detect", "door.jpg", "--bundle", tmp_path)


def test_bad_videos_are_refused(bare_judge, refused, tmp_path):
    events, zero, text = tmp_path / "events.jsonl", tmp_path / "zero.avi", tmp_path / "text.avi"
    zero.touch()
    text.write_text("no video " * 50)
    assert "none.avi: cannot be read (No such file" in refused("replay", tmp_path / "none.avi", "--events", events)
    assert "zero.avi: the file is empty" in refused("replay", zero, "--events", events)
    assert "text.avi: not a video" in refused("replay", text, "--events", events)


def test_events_that_cannot_be_written_are_refused(bare_judge, refused, tmp_path):
    video = make_video(tmp_path / "door.avi", frames=2)
    assert "events.jsonl" in refused("replay", video, "--events", tmp_path / "none" / "events.jsonl")


@pytest.mark.parametrize(
    "zone, reason",
    [
        ("0,0,1", "3 numbers; each corner needs two"),
        ("0,0,1,0,a,1", "not numbers"),
        ("", "not numbers"),
        ("0,0,1,1", "at least 3"),
        ("0,0,2,0,2,2", "from 0 to 1"),
        ("0,0,nan,0,1,1", "from 0 to 1"),
        ("0,0,1,1,1,0,0,1", "edges that cross"),
        ("0,0,0.5,0.5,1,1", "covers 0"),
    ],
)
def test_a_wrong_zone_is_refused(refused, zone, reason):
    line = refused("replay", "door.avi", "--events", "events.jsonl", "--zone", zone)
    assert f"--zone {zone}: " in line and reason in line


def test_a_zone_is_corners_one_after_the_other():
    assert parse_zone("0,0,1,0,1,0.52,0,0.52") == ((0, 0), (1, 0), (1, 0.52), (0, 0.52))
    with pytest.raises(InputError):
        parse_zone("0,0,1,0,1")


def test_two_replays_give_the_same_bytes(bare_judge, tmp_path):
    video, logs = make_video(tmp_path / "door.avi", frames=30), [tmp_path / "1.jsonl", tmp_path / "2.jsonl"]
    for log in logs:
        assert main(["replay", str(video), "--events", str(log)]) == 0
    assert logs[0].read_bytes() == logs[1].read_bytes()
    assert "DENY" in [json.loads(line)["state"] for line in logs[0].read_text().splitlines()]
    outside = ["--zone", "0.9,0.9,1,0.9,1,1"]
    assert main(["replay", str(video), "--events", str(logs[1]), *outside]) == 0
    assert {json.loads(line)["state"] for line in logs[1].read_text().splitlines()} == {"IDLE"}


def test_wrong_settings_are_refused_before_anything_is_switched_on(bare_judge, refused, config, tmp_path):
    video = make_video(tmp_path / "door.avi", frames=2)
    for more, key in [("zone.size = 3", "zone.size"), ("model.threads = 0", "model.threads is 0")]:
        assert key in refused("run", "--config", config(video, more))
    assert "none.toml: cannot read" in refused("run", "--config", tmp_path / "none.toml")
    assert not (tmp_path / "outputs.jsonl").exists()


def test_an_absent_camera_is_refused(bare_judge, refused, config):
    assert "/dev/video987: no such camera" in refused("run", "--config", config("v4l2:987"))


def test_an_absent_gpio_chip_is_refused(bare_judge, refused, config, tmp_path):
    gpio = 'output.kind = "gpio"\noutput.chip = "/dev/gpiochip987"\n'
    video = make_video(tmp_path / "door.avi", frames=2)
    assert "there is no /dev/gpiochip987" in refused("run", "--config", config(video, gpio))


def test_a_gpio_chip_without_permission_is_refused(bare_judge, refused, config, tmp_path, monkeypatch):
    def forbid(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("gpiod.Chip", forbid)
    gpio = 'output.kind = "gpio"\noutput.chip = "/dev/null"\n'
    video = make_video(tmp_path / "door.avi", frames=2)
    assert "no permission for /dev/null" in refused("run", "--config", config(video, gpio))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_every_output_safe(config, tmp_path, stop):
    code = (
        "from edge.__main__ import main\n"
        "from edge.judge import Judge\n"
        "from edge.values import *\n"
        "class BareJudge:\n"
        "    def judge(self, rgb):\n"
        "        return [Judged(Box(20, 10, 40, 40), 0.9, Classification('without_mask', 0.9, (0.9, 0.05, 0.05)))]\n"
        "Judge.from_bundle = lambda bundle, *options: BareJudge()\n"
        f"raise SystemExit(main(['run', '--config', {str(config(make_video(tmp_path / 'door.avi')))!r}]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) as process:
        for line in process.stdout:
            if "DENY" in line:
                process.send_signal(stop)
                break
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    levels = {}
    for change in map(json.loads, (tmp_path / "outputs.jsonl").read_text().splitlines()):
        levels.setdefault(change["line"], []).append(change["level"])
    assert levels["red"] == [0, 1, 0]
    assert all(history[-1] == 0 for history in levels.values())
