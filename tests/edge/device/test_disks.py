"""Entries as `lsblk --json --bytes` of util-linux 2.38 gives them, and this machine's own disk: it must be refused."""

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.device.disks import Target, check_size, find_target, refusal, verify, write
from edge.errors import InputError


def entry(**values):
    """A card of 32 GB in a USB reader, nothing mounted."""
    return {
        "path": "/dev/sdb", "type": "disk", "size": 31914983424,
        "ro": False, "rm": True, "hotplug": True, "tran": "usb",
        "pkname": None, "vendor": "Generic ", "model": "STORAGE DEVICE", "mountpoints": [None],
        "children": [
            {**PART, "path": "/dev/sdb1"},
            {**PART, "path": "/dev/sdb2", "size": 31377588224},
        ],
    } | values  # fmt: skip


PART = {
    "path": "/dev/sdb1", "type": "part", "size": 536870912, "ro": False, "rm": True, "hotplug": True, "tran": None,
    "pkname": "sdb", "vendor": None, "model": None, "mountpoints": [None],
}  # fmt: skip
BUILT_IN_READER = entry(path="/dev/mmcblk0", rm=False, hotplug=True, tran="mmc", vendor=None, model=None)
NVME = entry(path="/dev/nvme0n1", rm=False, hotplug=False, tran="nvme", model="Samsung SSD 980", children=[])
ENCRYPTED = {
    **PART,
    "children": [
        {**PART, "path": "/dev/mapper/luks", "type": "crypt", "children": [
            {**PART, "path": "/dev/mapper/vg-root", "type": "lvm", "mountpoints": ["/"]},
        ]},
    ],
}  # fmt: skip


@pytest.mark.parametrize("disk", [entry(), entry(children=[]), BUILT_IN_READER], ids=["usb", "blank", "built in"])
def test_a_card_that_nobody_uses_may_be_written(disk):
    assert refusal(disk) is None


@pytest.mark.parametrize(
    ("disk", "fault"),
    [
        (PART, "a partition; name the whole disk, /dev/sdb"),
        (entry(type="loop"), "no disk but of the type loop"),
        (entry(type="rom"), "no disk but of the type rom"),
        (entry(mountpoints=["/mnt/card"], children=[]), "in use, mounted at /mnt/card; unmount it first"),
        (entry(children=[PART | {"mountpoints": ["/media/me/bootfs", None]}]), "in use, mounted at /media/me/bootfs"),
        (entry(mountpoints=["/"], children=[]), "the disk that this system runs from"),
        (entry(children=[PART | {"mountpoints": ["[SWAP]"]}]), "the disk that this system runs from"),
        (entry(children=[ENCRYPTED]), "the disk that this system runs from"),
        (NVME, "not removable, so no card"),
        (entry(ro=True), "write-protected"),
        (entry(size=0, children=[]), "an empty reader"),
    ],
)
def test_every_other_disk_is_refused_with_the_reason(disk, fault):
    assert fault in refusal(disk)


@pytest.mark.skipif(shutil.which("lsblk") is None, reason="not installed: util-linux")
def test_the_disk_that_this_machine_runs_from_is_refused():
    listed = subprocess.run(["lsblk", "--json", "--output", "PATH,MOUNTPOINTS"], capture_output=True, check=True)
    own = [disk["path"] for disk in json.loads(listed.stdout)["blockdevices"] if '"/"' in json.dumps(disk)]
    if not own:
        pytest.skip("no disk holds this machine's root, as in a container")
    with pytest.raises(InputError, match="the disk that this system runs from"):
        find_target(Path(own[0]))


@pytest.mark.parametrize("name", ["absent", "folder/card.img", "notes.txt", "."])
def test_what_is_neither_a_disk_nor_a_file_for_a_card_is_refused(tmp_path, name):
    (tmp_path / "notes.txt").write_text("keep me")
    with pytest.raises(InputError, match=r"`lsblk` lists the disks"):
        find_target(tmp_path / name)
    assert (tmp_path / "notes.txt").read_text() == "keep me"


def test_a_misspelt_device_never_becomes_a_file():
    with pytest.raises(InputError, match="does not exist"):
        find_target(Path("/dev/sdx.img"))


def test_a_file_stands_for_a_card_of_its_size(tmp_path):
    card = tmp_path / "card.img"
    assert find_target(card) == Target(card, None, f"{card} (a new file)")
    card.write_bytes(bytes(2_000_000))
    assert find_target(card) == Target(card, 2_000_000, f"{card} (a file of 2 MB)")


def test_a_card_too_small_is_refused_in_megabytes(tmp_path):
    image = tmp_path / "image"
    image.write_bytes(bytes(3_000_001))
    with pytest.raises(InputError, match=r"card.img: 2 MB; the image needs 4 MB, take a larger card"):
        check_size(Target(tmp_path / "card.img", 2_000_000, ""), image)


@pytest.mark.parametrize("size", [None, 9_000_000], ids=["new", "larger"])
def test_what_is_written_is_there_and_the_rest_of_a_larger_card_stays(tmp_path, size):
    image, card = tmp_path / "image", tmp_path / "card.img"
    image.write_bytes(os.urandom(5_000_000))
    if size is not None:
        card.write_bytes(b"x" * size)
    write(Target(card, size, ""), image)
    written = card.read_bytes()
    assert written[:5_000_000] == image.read_bytes()
    assert written[5_000_000:] == b"x" * ((size or 5_000_000) - 5_000_000)


@pytest.mark.parametrize("size", [None, 9_000_000], ids=["new", "larger"])
def test_a_disk_full_half_way_is_one_line_and_a_new_file_removed(tmp_path, size):
    image, card = tmp_path / "image", tmp_path / "card.img"
    image.write_bytes(bytes(5_000_000))
    if size is not None:
        card.write_bytes(b"x" * size)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"card.img: writing failed \(.*\), it is not whole"):
            write(Target(card, size, ""), image)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert card.exists() == (size is not None)


@pytest.mark.parametrize(("place", "megabytes"), [(10, 0), (8_999_999, 8)])
def test_a_card_that_lies_is_found_out(tmp_path, place, megabytes):
    image, card = tmp_path / "image", tmp_path / "card.img"
    content = bytearray(os.urandom(9_000_000))
    image.write_bytes(content)
    content[place] ^= 1
    card.write_bytes(content)
    with pytest.raises(InputError, match=rf"does not give back what was written, {megabytes} MB from its start"):
        verify(card, image)


def test_a_card_that_ends_early_is_found_out(tmp_path):
    image, card = tmp_path / "image", tmp_path / "card.img"
    image.write_bytes(bytes(5_000_000))
    card.write_bytes(bytes(4_999_999))
    with pytest.raises(InputError, match="does not give back"):
        verify(card, image)
