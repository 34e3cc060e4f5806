import errno
import os
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from edge import review as module
from edge.errors import InputError, SettingsError
from edge.people import CUT, Person
from edge.preprocess import face_input
from edge.review import DAY, Allowance, Review, face_in, forget, open_review, unseal
from edge.seal import seal
from edge.settings import ReviewSettings
from edge.values import UNKNOWN, WITH_MASK, Box

OWNER = X25519PrivateKey.generate()
NOW = 1_800_000_000.0


class Clock:
    """A wall clock that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def pem(key: X25519PrivateKey | Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path) -> ReviewSettings:
    key = tmp_path / "owner.pub.pem"
    key.write_bytes(pem(OWNER))
    return ReviewSettings(True, str(tmp_path / "review"), str(key), keep=50, days=5.0)


@pytest.fixture
def review(settings: ReviewSettings, clock: Clock) -> Review:
    return Review(settings, clock)


@pytest.fixture
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many faces are sealed here, without a process for each."""
    monkeypatch.setattr(module, "sealed", lambda content, key: seal(content, OWNER.public_key()))


def person(number: int = 1, label: str = UNKNOWN, score: float = 1.0, seen: float | None = None) -> Person:
    crop = np.random.default_rng(number).integers(0, 256, (CUT.size, CUT.size, 3), np.uint8)
    return Person(number, label, score, 0.3, 0.5, 20.0, crop, 1000.0 * number if seen is None else seen)


def files(settings: ReviewSettings) -> list[Path]:
    return sorted(Path(settings.folder).iterdir())


def opened(settings: ReviewSettings) -> list[module.Kept]:
    return sorted((unseal(file.read_bytes(), OWNER) for file in files(settings)), key=lambda kept: kept.at)


def test_what_is_kept_opens_with_the_owners_private_key_to_the_bit(review: Review, settings: ReviewSettings) -> None:
    review(person(label=WITH_MASK, score=0.6), False)
    (kept,) = opened(settings)
    assert (kept.label, kept.score, kept.contested, kept.at) == (WITH_MASK, 0.6, False, NOW)
    bgr = cv2.imdecode(np.frombuffer(kept.picture, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    np.testing.assert_array_equal(bgr[..., ::-1], person().crop)


def test_neither_name_nor_content_of_a_file_says_anything_of_the_person(
    review: Review, settings: ReviewSettings
) -> None:
    for number in range(1, 4):
        review(person(number, UNKNOWN), number == 1)
    assert review.kept == len({file.name for file in files(settings)}) == 3
    for file in files(settings):
        assert len(file.stem) == 32 and file.suffix == ".sealed" and set(file.stem) <= set("0123456789abcdef")
        assert not any(said in file.read_bytes() for said in (b"PNG", b"unknown", b"label", b"contested"))
        assert file.stat().st_mode & 0o777 == 0o600
    assert Path(settings.folder).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("label", "score", "contested", "is_kept"),
    [
        (WITH_MASK, 0.99, False, False),
        (WITH_MASK, 0.99, True, True),
        (WITH_MASK, 0.79, False, True),
        (UNKNOWN, 1.0, False, True),
    ],
)
def test_only_the_unsure_and_the_contested_are_kept(
    review: Review, label: str, score: float, contested: bool, is_kept: bool
) -> None:
    review(person(1, label, score), contested)
    assert review.kept == is_kept


def test_somebody_without_a_picture_is_passed_over(review: Review) -> None:
    review(Person(1, UNKNOWN, 0.1, 0.3, 0.5, 20.0, None, 1.0), True)
    assert review.kept == 0


def test_who_is_contested_and_leaves_then_is_kept_once(review: Review) -> None:
    review(person(7, seen=100.0), True)
    review(person(7, seen=103.0), False)
    assert review.kept == 1


def test_a_track_of_the_same_number_much_later_is_somebody_else(review: Review) -> None:
    """After a fault tracks are counted anew."""
    review(person(1, seen=100.0), False)
    review(person(1, seen=900.0), False)
    assert review.kept == 2


@pytest.mark.usefixtures("swift")
def test_the_oldest_goes_when_there_are_too_many(review: Review, settings: ReviewSettings, clock: Clock) -> None:
    for number in range(1, 60):
        clock.now += 10
        review(person(number), True)
    assert review.kept == len(files(settings)) == 50
    assert opened(settings)[0].at == NOW + 100


@pytest.mark.usefixtures("swift")
def test_unsure_faces_are_spread_over_the_days_and_leave_room_for_contested_ones(
    review: Review, settings: ReviewSettings, clock: Clock
) -> None:
    """A poster that the device cannot judge comes every minute for a whole day."""
    review(person(1, WITH_MASK, seen=0.0), True)
    for minute in range(24 * 60):
        clock.now += 60
        review(person(2 + minute, seen=60.0 * minute), False)
    assert 20 <= review.kept <= 32
    assert opened(settings)[0].contested


def test_each_is_deleted_when_its_days_are_over_though_nobody_comes(
    review: Review, settings: ReviewSettings, clock: Clock
) -> None:
    review(person(1), False)
    clock.now += 5 * DAY - 1
    review.tidy()
    assert review.kept == len(files(settings)) == 1
    clock.now += 2
    review.tidy()
    assert review.kept == len(files(settings)) == 0


def test_what_grew_too_old_while_the_device_was_off_is_deleted_at_the_start(
    review: Review, settings: ReviewSettings, clock: Clock
) -> None:
    review(person(1), False)
    (Path(settings.folder) / "torn.part").write_bytes(b"half")
    clock.now += 6 * DAY
    assert Review(settings, clock).kept == len(files(settings)) == 0


@pytest.mark.parametrize(("jump", "left"), [(-3600.0, 1), (-30 * DAY, 0), (30 * DAY, 0)])
def test_a_face_whose_age_nobody_can_tell_after_a_jump_of_the_clock_is_deleted(
    review: Review, clock: Clock, jump: float, left: int
) -> None:
    review(person(1), False)
    clock.now += jump
    review.tidy()
    assert review.kept == left


def test_a_restart_goes_on_with_what_is_there(review: Review, settings: ReviewSettings, clock: Clock) -> None:
    review(person(1), False)
    assert Review(settings, clock).kept == 1


def test_an_open_review_tidies_up_by_itself(settings: ReviewSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIDY_SECONDS", 0.01)
    with open_review(settings) as review:
        review(person(1), False)
        (file,) = files(settings)
        os.utime(file, (0, 0))
        deadline = time.monotonic() + 5
        while file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not file.exists()
    assert "review" not in {thread.name for thread in threading.enumerate()}


def test_a_disk_that_is_full_is_told_once_and_leaves_nothing_half_done(
    review: Review, settings: ReviewSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    review(person(1), False)
    with monkeypatch.context() as patched:
        patched.setattr(os, "utime", full)
        review(person(2), False)
        review(person(3), False)
    assert len(files(settings)) == review.kept == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "No space left on device" in said[0] and "review.enabled = false" in said[0]
    review(person(4), False)
    assert review.kept == 2


def test_the_last_room_on_a_disk_is_left_to_others(
    review: Review, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50_000_000))
    review(person(1), True)
    assert review.kept == 0
    assert "nearly full" in capsys.readouterr().err


def test_a_folder_that_vanishes_is_harmless(review: Review, settings: ReviewSettings) -> None:
    shutil.rmtree(settings.folder)
    review(person(1), False)
    review.tidy()
    assert review.kept == 0


def test_what_was_kept_is_forgotten_when_review_is_off(review: Review, settings: ReviewSettings) -> None:
    folder = Path(settings.folder)
    review(person(1), False)
    (folder / "of somebody else").write_bytes(b"stays")
    forget(folder)
    assert [file.name for file in files(settings)] == ["of somebody else"]
    forget(folder / "which never was")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"no key", "not a public key"),
        (pem(Ed25519PrivateKey.generate()), "not an X25519 key"),
    ],
)
def test_a_key_that_is_none_is_refused_with_the_remedy(
    settings: ReviewSettings, content: bytes | None, said: str
) -> None:
    key = Path(settings.key)
    key.unlink() if content is None else key.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"review\.key: .*{said}.*make review-key"):
        Review(settings)


def test_another_key_opens_nothing_and_neither_does_an_altered_file(review: Review, settings: ReviewSettings) -> None:
    review(person(1), False)
    content = files(settings)[0].read_bytes()
    for key, data in (
        (X25519PrivateKey.generate(), content),
        (OWNER, content[:-1]),
        (OWNER, content[:60] + bytes([content[60] ^ 1]) + content[61:]),
        (OWNER, b""),
    ):
        with pytest.raises(InputError, match="not sealed for this key, or damaged"):
            unseal(data, key)


def test_a_sealed_file_of_another_make_is_refused() -> None:
    other = seal(b"\x81\xa1a\x01", OWNER.public_key())
    with pytest.raises(InputError, match="not sealed for this key, or damaged"):
        unseal(other, OWNER)
    kept = module.Kept(b"png", (0, 0, 1, 1), UNKNOWN, 0.5, False, NOW)
    assert unseal(seal(msgspec.msgpack.encode(kept), OWNER.public_key()), OWNER) == kept


class Classifier:
    """As the shipped one frames a face."""

    size, margin = 128, 0.1


@given(st.integers(60, 300), st.integers(50, 250), st.integers(0, 200), st.integers(0, 200))
def test_a_kept_face_is_cut_as_the_device_cut_it_from_the_frame(height: int, width: int, x: int, y: int) -> None:
    rows, columns = np.mgrid[0:480, 0:640].astype(np.float32)
    smooth = np.stack([columns / 3, rows / 2, (rows + columns) / 5], axis=-1).astype(np.uint8)
    box = Box(x, y, x + width, y + height)
    direct = face_input(smooth, box, Classifier()).astype(int)
    again = face_input(face_input(smooth, box, CUT), face_in(CUT.size), Classifier()).astype(int)
    assert np.abs(direct - again).mean() < 2.5


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_an_allowance_never_grants_more_than_it_earns(steps: list[float]) -> None:
    allowance, time, granted = Allowance(0.05, 3.0), 0.0, 0
    for step in steps:
        time += step
        granted += allowance.take(time)
    assert granted <= 3 + 0.05 * time + 1e-6
