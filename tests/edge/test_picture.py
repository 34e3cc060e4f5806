import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.errors import InputError
from edge.picture import is_cut_off, pictures_of, read_picture


@pytest.fixture
def scene():
    """Red on the left, green on the right; 40 high, 60 wide."""
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[:, :30] = 200, 20, 20
    rgb[:, 30:] = 20, 200, 20
    return rgb


def save(path, rgb, **options):
    Image.fromarray(rgb).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
def test_a_picture_is_read_as_red_green_blue(tmp_path, scene, suffix):
    rgb = read_picture(save(tmp_path / f"door{suffix}", scene))
    assert rgb.shape == (40, 60, 3) and rgb.dtype == np.uint8
    assert np.abs(rgb[20, [5, 55]].astype(int) - scene[20, [5, 55]]).max() < 12


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.999])
def test_a_truncated_jpeg_is_refused(tmp_path, scene, part, progressive):
    path = save(tmp_path / "door.jpg", scene, progressive=progressive)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(InputError, match="cut off"):
        read_picture(path)


def test_a_jpeg_cut_off_behind_its_thumbnail_is_refused(tmp_path, scene):
    thumbnail = save(tmp_path / "small.jpg", scene[::2, ::2]).read_bytes()
    path = save(tmp_path / "door.jpg", scene, exif=b"Exif\0\0" + thumbnail)
    data = path.read_bytes()
    assert thumbnail in data and not is_cut_off(data)
    assert is_cut_off(data[:-2])


def test_what_follows_a_jpeg_does_not_matter(tmp_path, scene):
    path = save(tmp_path / "door.jpg", scene)
    path.write_bytes(path.read_bytes() + b"a trailer with \xff\xda in it")
    assert read_picture(path).shape == (40, 60, 3)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("part", [0.4, 0.9])
def test_other_truncated_pictures_are_refused_in_silence(tmp_path, capfd, suffix, part):
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    path = save(tmp_path / f"door{suffix}", noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(InputError, match=r"cut off|damaged"):
        read_picture(path)
    assert capfd.readouterr() == ("", "")


def test_a_png_with_a_damaged_middle_is_not_chatted_about(tmp_path, capfd, scene):
    path = save(tmp_path / "door.png", scene)
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_picture(path)
    assert capfd.readouterr().err == ""


def test_exif_orientation_is_applied(tmp_path, scene):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn it clockwise
    rgb = read_picture(save(tmp_path / "door.jpg", scene, exif=exif))
    assert rgb.shape == (60, 40, 3)
    assert rgb[5, 20, 0] > 150 and rgb[55, 20, 1] > 150


def test_grey_and_transparent_pictures_become_red_green_blue(tmp_path, scene):
    assert read_picture(save(tmp_path / "grey.png", scene[..., 0])).shape == (40, 60, 3)
    alpha = np.dstack([scene, np.full((40, 60), 128, np.uint8)])
    assert (read_picture(save(tmp_path / "alpha.png", alpha)) == scene).all()
    grey_alpha = np.dstack([scene[..., 0], np.full((40, 60), 128, np.uint8)])
    assert read_picture(save(tmp_path / "both.png", grey_alpha)).shape == (40, 60, 3)


def test_sixteen_bits_become_eight(tmp_path):
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), np.full((8, 8, 3), 0xAB12, np.uint16))
    assert abs(int(read_picture(path)[4, 4, 0]) - 0xAB) <= 1


def test_a_palette_picture_is_read(tmp_path, scene):
    path = tmp_path / "palette.png"
    Image.fromarray(scene).quantize(4).save(path)
    assert (read_picture(path)[20, 5] == scene[20, 5]).all()


@pytest.mark.parametrize("text, reason", [(b"", "the file is empty"), (b"no picture at all", "not a picture")])
def test_what_is_no_picture_is_refused(tmp_path, text, reason):
    path = tmp_path / "door.jpg"
    path.write_bytes(text)
    with pytest.raises(InputError, match=f"door.jpg: {reason}"):
        read_picture(path)


def test_a_picture_of_absurd_size_is_refused(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 10**6, 10**6, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with pytest.raises(InputError, match=r"bomb\.png: [^\n]*$"):
        read_picture(path)


def test_a_missing_picture_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_picture(tmp_path / "none.jpg")
    with pytest.raises(InputError, match="Is a directory"):
        read_picture(tmp_path)


def test_the_pictures_of_a_folder_come_by_name(tmp_path, scene):
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "c.png").mkdir()
    assert [path.name for path in pictures_of(tmp_path)] == ["a.png", "b.JPG"]


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="no pictures in this folder"):
        pictures_of(tmp_path)
