import msgspec
import pytest

from edge.errors import InputError
from edge.review import Kept, Review, unseal
from edge.seal import seal
from edge.settings import ReviewSettings
from edge.values import UNKNOWN
from train.review.key import main, make_key, read_key


def test_the_pair_seals_on_the_device_and_opens_here(tmp_path):
    file = tmp_path / "keys/review.pem"
    said = make_key(file)
    assert str(file) in said and str(tmp_path / "keys/review.pub.pem") in said
    assert file.stat().st_mode & 0o777 == 0o600
    settings = ReviewSettings(True, str(tmp_path / "review"), str(tmp_path / "keys/review.pub.pem"))
    assert Review(settings).kept == 0  # the device takes the key
    kept, key = Kept(b"png", (0, 0, 1, 1), UNKNOWN, 0.5, True, 1.0), read_key(file)
    assert unseal(seal(msgspec.msgpack.encode(kept), key.public_key()), key) == kept


def test_a_key_that_is_there_is_never_replaced(tmp_path, capsys):
    file = tmp_path / "review.pem"
    assert main(["--key", str(file)]) == 0
    before = file.read_bytes()
    assert main(["--key", str(file)]) == 2
    assert "exists already and is not replaced" in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_private_key_is_refused_with_the_remedy(tmp_path, content):
    file = tmp_path / "review.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match="make review-key"):
        read_key(file)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["--key", str(tmp_path / "file/review.pem")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
