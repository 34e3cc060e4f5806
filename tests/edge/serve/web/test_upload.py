import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage.data import astronaut
from starlette.testclient import TestClient

from edge.contract import load_bundle
from edge.judge import Judge
from edge.serve.web import upload
from edge.serve.web.upload import MOST_BYTES
from tests.edge.serve.web.site import Site

PORTRAIT = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)


def encoded(picture: Any, suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, picture)[1].tobytes())


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG file whose header claims that size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")
    )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "serve")


@pytest.fixture
def owner(site: Site) -> Iterator[TestClient]:
    with TestClient(site.app, site.url) as client:
        client.post("/login", json={"token": site.token})
        yield client


def send(client: TestClient, picture: bytes, kind: str = "image/jpeg") -> Any:
    return client.post("/try", content=picture, headers={"Content-Type": kind})


@pytest.mark.parametrize("suffix", ["jpeg", "png", "webp"])
def test_a_picture_is_judged_as_maskgate_detect_judges_it(owner: TestClient, suffix: str) -> None:
    answer = send(owner, encoded(PORTRAIT, f".{suffix}"), f"image/{suffix}").json()
    (face,) = answer["faces"]
    (wanted,) = Judge.from_bundle(load_bundle(None)).judge(astronaut())
    assert (answer["width"], answer["height"]) == (512, 512)
    assert face["label"] == wanted.classification.label == "without_mask" and 0.5 < face["score"] <= 1
    assert np.abs(np.array(face["box"]) - np.array(wanted.box)).max() < 8


def test_a_picture_without_faces_has_none(owner: TestClient) -> None:
    assert send(owner, encoded(np.full((90, 120, 3), 128, np.uint8), ".png"), "image/png").json()["faces"] == []


def test_nothing_of_it_is_kept(site: Site, owner: TestClient, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    send(owner, encoded(PORTRAIT, ".jpeg"))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_models_of_the_settings_judge(tmp_path: Path, owner: TestClient, site: Site) -> None:
    trial = upload.Trial(str(tmp_path / "no bundle"))
    assert trial._command[-1].endswith("no bundle")


@pytest.mark.parametrize(
    ("picture", "kind", "code", "words"),
    [
        (b"", "image/jpeg", 415, "not the kind of picture"),
        (b"GIF89a" + b"0" * 99, "image/png", 415, "not the kind of picture"),
        (b"<svg onload=alert(1)>", "image/jpeg", 415, "not the kind of picture"),
        (b"\xff", "image/jpeg", 415, "not the kind of picture"),
        (b"GIF89a", "image/gif", 415, "not a JPEG, PNG or WebP"),
        (b"--x\r\n\r\n", "multipart/form-data; boundary=x", 415, "not a JPEG, PNG or WebP"),
        (b"\xff\xd8\xff" + b"0" * MOST_BYTES, "image/jpeg", 413, "8 MB at most"),
        (b"\xff\xd8\xff" + b"0" * 999, "image/jpeg", 422, "cut off"),
        (b"RIFF1234WEBPVP8 nonsense", "image/webp", 422, "not a picture"),
        (png(6000, 6000), "image/png", 422, "25 megapixels at most"),
        (png(2**31 - 1, 2**31 - 1), "image/png", 422, "judged"),
        (png(65_000, 65_000, bytes(1 << 24)), "image/png", 422, "25 megapixels at most"),
        (encoded(PORTRAIT, ".jpeg")[:9000], "image/jpeg", 422, "cut off"),
    ],
)
def test_what_is_no_fit_picture_is_refused_in_one_line(
    owner: TestClient, picture: bytes, kind: str, code: int, words: str
) -> None:
    answer = send(owner, picture, kind)
    fault = answer.json()["fault"]
    assert answer.status_code == code and words in fault
    assert "\n" not in fault and "/dev" not in fault and len(fault) < 200


def test_a_length_that_is_too_long_is_refused_before_anything_is_read(owner: TestClient) -> None:
    for length in (str(MOST_BYTES + 1), "9" * 30, "-1", "many"):
        answer = owner.post("/try", content=b"", headers={"Content-Type": "image/png", "Content-Length": length})
        assert answer.status_code == 413


def test_a_picture_that_comes_in_pieces_without_a_length_is_counted_too(owner: TestClient) -> None:
    pieces = (piece for piece in [b"\xff\xd8\xff", *[bytes(1 << 20)] * 9])
    assert owner.post("/try", content=pieces, headers={"Content-Type": "image/jpeg"}).status_code == 413


def test_the_largest_picture_that_is_allowed_is_judged(owner: TestClient) -> None:
    assert send(owner, png(5000, 5000, bytes(5000 * 15001)), "image/png").json()["faces"] == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os; os.abort()", "too much for this device"),
        ("import time; time.sleep(60)", "took longer than 0.5 s"),
        ("import os; os.write(1, b'{'); os.kill(os.getpid(), 9)", "too much for this device"),
    ],
)
def test_whatever_happens_to_the_process_that_judges_is_told_and_the_next_picture_is_judged(
    owner: TestClient, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(upload, "JUDGING_SECONDS", 0.5)
    judge = upload.Trial._judge

    async def broken(self: upload.Trial, file: Any) -> bytes:
        self._command = [self._command[0], "-c", program]
        return await judge(self, file)

    monkeypatch.setattr(upload.Trial, "_judge", broken)
    answer = send(owner, encoded(PORTRAIT, ".jpeg"))
    assert answer.status_code == 422 and words in answer.json()["fault"]
    assert send(owner, encoded(PORTRAIT, ".jpeg")).status_code == 422


def test_one_picture_at_a_time(owner: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    inner: list[int] = []
    receive = upload._receive

    async def meanwhile(request: Any, file: Any) -> None:
        await receive(request, file)
        try:
            await trials[0].answer(request)
        except upload.HTTPException as error:
            inner.append(error.status_code)

    trials: list[upload.Trial] = []
    answer = upload.Trial.answer

    async def seen(self: upload.Trial, request: Any) -> bytes:
        trials.append(self)
        return await answer(self, request)

    monkeypatch.setattr(upload, "_receive", meanwhile)
    monkeypatch.setattr(upload.Trial, "answer", seen)
    assert send(owner, encoded(PORTRAIT, ".jpeg")).status_code == 200
    assert inner == [429]
