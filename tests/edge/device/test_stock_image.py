import hashlib
import lzma
import os
import resource

import pytest

from edge.device.stock_image import check_image, unpack
from edge.errors import InputError
from tests.edge.device.stand_in import with_checksum

CONTENT = os.urandom(100_000)


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "raspios-arm64-lite.img.xz"
    path.write_bytes(lzma.compress(CONTENT))
    return with_checksum(path)


def test_the_checksum_beside_the_image_counts(packed):
    check_image(packed, None)


def test_a_given_checksum_goes_before_the_one_beside_it(packed):
    check_image(packed, hashlib.sha256(packed.read_bytes()).hexdigest().upper())
    with pytest.raises(InputError, match=r"its SHA-256 is \w{16}..., not 0{16}...; download it again"):
        check_image(packed, "0" * 64)


def test_an_image_of_another_checksum_is_refused(packed):
    packed.write_bytes(packed.read_bytes() + b"x")
    with pytest.raises(InputError, match="download it again"):
        check_image(packed, None)


def test_an_image_without_a_checksum_is_refused_with_the_remedy(packed):
    packed.with_name(packed.name + ".sha256").unlink()
    with pytest.raises(InputError, match=r"sha256: missing; download it beside the image, or give SHA256="):
        check_image(packed, None)


@pytest.mark.parametrize("text", ["", "<html>not found</html>", "0" * 63])
def test_what_is_no_checksum_is_refused(packed, text):
    packed.with_name(packed.name + ".sha256").write_text(text)
    with pytest.raises(InputError, match="not 64 hexadecimal digits"):
        check_image(packed, None)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("raspios.zip", "neither .img nor .img.xz"),
        ("raspios-armhf-lite.img.xz", "a 32-bit image; take Raspberry Pi OS Lite"),
        ("absent.img", "no such file; download Raspberry Pi OS Lite"),
    ],
)
def test_what_is_no_64_bit_image_is_refused(tmp_path, name, fault):
    with pytest.raises(InputError, match=fault):
        check_image(tmp_path / name, None)


@pytest.mark.parametrize("name", ["card.img", "card.img.xz"])
def test_an_image_is_unpacked(tmp_path, name):
    (tmp_path / name).write_bytes(lzma.compress(CONTENT) if name.endswith("xz") else CONTENT)
    unpack(tmp_path / name, tmp_path / "work")
    assert (tmp_path / "work").read_bytes() == CONTENT


@pytest.mark.parametrize("damage", [lambda xz: xz[:-1000], lambda xz: xz[:500] + b"\0" * 9 + xz[509:], lambda xz: b"x"])
def test_a_truncated_or_damaged_image_is_refused(packed, tmp_path, damage):
    packed.write_bytes(damage(packed.read_bytes()))
    with pytest.raises(InputError, match=r"truncated or damaged .*; download it again"):
        unpack(packed, tmp_path / "work")


def test_a_full_disk_half_way_is_one_line(packed, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"cannot be unpacked .*; .* needs as much room as the unpacked image"):
            unpack(packed, tmp_path / "work")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
