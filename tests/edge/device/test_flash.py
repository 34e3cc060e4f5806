"""The command on small stand-in images, with the real tools for disks and file systems."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest

from edge.device import disks
from edge.device.flash import main
from edge.device.tools import output_of
from tests.edge.device.stand_in import (
    BOOKWORM,
    CARD,
    COMMAND_LINE,
    KEY,
    MISSING,
    TRIXIE,
    make_image,
    names_in,
    pack,
    text_of,
    with_checksum,
)  # fmt: skip

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
PACKAGE = "maskgate_0.1.0_arm64.deb"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Stand-ins for what one downloads: trixie and bookworm, packed, each with its checksum."""
    folder = tmp_path_factory.mktemp("images")
    trixie = make_image(folder / "trixie-arm64-lite.img", TRIXIE)
    bookworm = make_image(folder / "bookworm-arm64-lite.img", BOOKWORM)
    return {"trixie": pack(trixie), "bookworm": pack(bookworm)}


@pytest.fixture
def door(tmp_path):
    """A folder with a card file, settings and a package; what is written lies there too."""
    (tmp_path / "card.toml").write_text(CARD + 'settings = "door.toml"\n')
    (tmp_path / "door.toml").write_text("[camera]\nwidth = 640\n")
    (tmp_path / PACKAGE).write_bytes(b"!<arch>\n" + os.urandom(5000))
    return tmp_path


def command(door, image, *more, device="out.img"):
    return [
        str(image), str(door / device), "--card", str(door / "card.toml"), "--package", str(door / PACKAGE),
        "--work", str(door / "work"), "--yes", *more,
    ]  # fmt: skip


def refused(capsys, arguments):
    """The one line with which the command ends, which must leave nothing of its work behind."""
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("flash: error: ") and err.count("\n") == 1
    assert not os.path.exists(arguments[arguments.index("--work") + 1])
    return err


def test_a_trixie_card_is_set_up_by_cloud_init(images, door, capsys):
    assert main(command(door, images["trixie"])) == 0
    card = door / "out.img"
    assert f'"{KEY}"' in text_of(card, "user-data")
    assert text_of(card, "meta-data") == TRIXIE["meta-data"]
    assert text_of(card, "network-config") == TRIXIE["network-config"]
    assert text_of(card, "cmdline.txt") == TRIXIE["cmdline.txt"]
    assert names_in(card, "maskgate") == {
        "card.env", "door.toml", "keys", "maskgate-picamera2.service", "setup.sh", PACKAGE,
    }  # fmt: skip
    said = capsys.readouterr().out
    assert "will be replaced by a card for door1" in said
    assert "written and verified; put it into the Raspberry Pi, then `ssh pi@door1.local`" in said


def test_a_bookworm_card_is_set_up_by_a_script_that_the_kernel_names(images, door):
    assert main(command(door, images["bookworm"])) == 0
    card = door / "out.img"
    assert "firstrun.sh" in names_in(card) and "user-data" not in names_in(card)
    line = text_of(card, "cmdline.txt")
    assert line.startswith(COMMAND_LINE.strip()) and "systemd.run=/boot/firmware/firstrun.sh" in line


def test_settings_and_package_arrive_unchanged_and_nothing_else_is_touched(images, door):
    main(command(door, images["trixie"]))
    assert text_of(door / "out.img", "maskgate/door.toml") == "[camera]\nwidth = 640\n"
    assert text_of(door / "out.img", "config.txt") == TRIXIE["config.txt"]
    stock = images["trixie"].with_suffix("").read_bytes()
    root = len(stock) - (4 << 20)
    assert (door / "out.img").read_bytes()[root:] == stock[root:]
    assert not (door / "work").exists()


def test_a_camera_that_the_firmware_would_not_look_for_is_switched_on(door):
    image = with_checksum(make_image(door / "stock.img", BOOKWORM | {"config.txt": "#camera_auto_detect=1\n"}))
    assert main(command(door, image)) == 0
    assert text_of(door / "out.img", "config.txt").splitlines()[-2:] == ["[all]", "camera_auto_detect=1"]


def test_an_image_of_make_image_is_written_as_it_is(door):
    image = with_checksum(make_image(door / "maskgate.img", {"maskgate.txt": "maskgate 0.1.0\n"}))
    (door / "card.toml").unlink()
    assert main(command(door, image)) == 0
    assert (door / "out.img").read_bytes() == image.read_bytes()


def test_a_larger_card_keeps_its_size(images, door):
    (door / "out.img").write_bytes(bytes(64 << 20))
    assert main(command(door, images["trixie"])) == 0
    assert (door / "out.img").stat().st_size == 64 << 20
    assert "maskgate" in names_in(door / "out.img")


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"issue.txt": "Raspberry Pi reference 2023-05-03\n", "cmdline.txt": ""}, "of 2023-05-03; take one of 2023-10"),
        ({"grub.cfg": ""}, "neither Raspberry Pi OS Lite nor an image of `make image`"),
    ],
)
def test_an_image_of_another_system_is_refused(door, capsys, files, fault):
    image = with_checksum(make_image(door / "stock.img", files))
    assert fault in refused(capsys, command(door, image))
    assert not (door / "out.img").exists()


def test_what_is_no_card_image_is_refused(door, capsys):
    (door / "stock.img").write_bytes(bytes(1 << 20))
    assert "no partition table" in refused(capsys, command(door, with_checksum(door / "stock.img")))


def test_a_card_without_a_boot_partition_is_refused(door, capsys):
    image = make_image(door / "stock.img", {})
    output_of("sfdisk", "--quiet", "--part-type", str(image), "1", "83")
    assert "has no FAT partition" in refused(capsys, command(door, with_checksum(image)))


def test_an_image_that_was_set_up_before_is_refused(images, door, capsys):
    assert main(command(door, images["trixie"])) == 0
    capsys.readouterr()
    again = with_checksum(door / "out.img")
    assert "was set up before" in refused(capsys, command(door, again, device="second.img"))


def test_a_missing_card_file_or_package_is_told_before_anything_is_written(images, door, capsys):
    (door / PACKAGE).unlink()
    assert "`make deb` builds it" in refused(capsys, command(door, images["trixie"]))
    (door / "card.toml").unlink()
    (door / PACKAGE).touch()
    assert "card.toml: not found; copy" in refused(capsys, command(door, images["trixie"]))
    assert not (door / "out.img").exists()


def test_a_package_for_another_processor_is_refused(images, door, capsys):
    (door / "maskgate_0.1.0_amd64.deb").touch()
    other = command(door, images["trixie"], "--package", str(door / "maskgate_0.1.0_amd64.deb"))
    assert "no package for arm64" in refused(capsys, other)


def test_a_package_larger_than_the_boot_partition_is_refused(images, door, capsys):
    with (door / PACKAGE).open("wb") as package:
        package.truncate(20 << 20)
    assert "mcopy: " in refused(capsys, command(door, images["trixie"]))
    assert not (door / "out.img").exists()


def test_a_card_too_small_is_refused_and_stays_as_it_was(images, door, capsys):
    (door / "out.img").write_bytes(b"mine")
    assert "take a larger card" in refused(capsys, command(door, images["trixie"]))
    assert (door / "out.img").read_bytes() == b"mine"


@pytest.mark.parametrize(("image", "device", "name"), [("", "out.img", "IMAGE"), ("stock.img", "", "DEVICE")])
def test_an_argument_left_out_of_make_is_named(door, capsys, image, device, name):
    assert main([image, device]) == 2
    assert f"{name}= is missing" in capsys.readouterr().err


def test_an_image_is_never_written_onto_itself(door, capsys):
    image = with_checksum(make_image(door / "stock.img", TRIXIE))
    before = hashlib.sha256(image.read_bytes()).digest()
    assert "is the image itself" in refused(capsys, command(door, image, device="stock.img"))
    assert hashlib.sha256(image.read_bytes()).digest() == before


@pytest.mark.parametrize("answer", ["no\n", "\n", ""])
def test_without_a_yes_nothing_is_written(images, door, answer):
    arguments = [word for word in command(door, images["trixie"]) if word != "--yes"]
    done = run(arguments, answer)
    assert done.returncode == 2 and "as you did not say yes" in done.stderr
    assert "out.img (a new file) will be replaced" in done.stdout
    assert not (door / "out.img").exists()


def test_a_yes_is_enough(images, door):
    arguments = [word for word in command(door, images["trixie"]) if word != "--yes"]
    assert run(arguments, "yes\n").returncode == 0


def test_a_card_that_lies_is_told_and_a_new_file_removed(images, door, capsys, monkeypatch):
    real = disks._copy

    def copy(image, target):
        real(image, target)
        with target.path.open("r+b") as card:
            card.seek(9 << 20)
            card.write(b"bad block")

    monkeypatch.setattr(disks, "_copy", copy)
    assert "does not give back what was written, 8 MB" in refused(capsys, command(door, images["trixie"]))
    assert not (door / "out.img").exists()


def test_a_tool_that_is_absent_names_its_package(images, door, capsys, monkeypatch):
    monkeypatch.setattr("edge.device.tools.ENVIRONMENT", {"PATH": ""})
    monkeypatch.setenv("PATH", "")
    assert "sfdisk: not installed; apt-get install fdisk" in refused(capsys, command(door, images["trixie"]))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_half_way_it_says_so_and_leaves_nothing(images, door, how):
    arguments = [word for word in command(door, images["trixie"]) if word != "--yes"]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.device.flash", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        deadline = time.monotonic() + 30
        while not list((door / "work").glob("*/card.img")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(how)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip().count("\n")) == (130, 0)
    assert "stopped" in err
    assert not (door / "work").exists() and not (door / "out.img").exists()


def run(arguments, answer):
    return subprocess.run(
        [sys.executable, "-m", "edge.device.flash", *arguments], input=answer, capture_output=True, text=True
    )
