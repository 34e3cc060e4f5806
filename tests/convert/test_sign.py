import io
import re
import stat
import tarfile

import pytest

from convert.sign import main, read_key
from edge.update.archive import LARGEST_ARCHIVE, read_manifest, unpack
from edge.update.fetch import Stream
from edge.update.signature import fingerprint, read_folder, trusted_keys
from tests.edge.update.workshop import models


@pytest.fixture
def key(tmp_path, capsys):
    """A private key that `key` made."""
    assert main(["key", "--key", str(tmp_path / "own" / "signing-key.pem")]) == 0
    return tmp_path / "own" / "signing-key.pem"


@pytest.fixture
def bundle(tmp_path):
    """A bundle's folder, as convert leaves it."""
    folder = tmp_path / "build" / "maskgate-5"
    folder.mkdir(parents=True)
    for name, content in models().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def sign(key, capsys):
    """Signs with that key; gives exit code, output and errors."""

    def run(*arguments):
        capsys.readouterr()
        code = main(["sign", *map(str, arguments), "--key", str(key)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_a_key_is_made_for_its_owner_alone_with_the_public_one_beside_it(key, capsys):
    told = capsys.readouterr().out
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    (told_fingerprint,) = re.findall("fingerprint: ([0-9a-f]{64})", told)
    assert told_fingerprint == fingerprint(read_key(key).public_key())
    assert key.with_suffix(".pub.pem").read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")
    secret = key.read_text().splitlines()[1]
    assert secret not in told


def test_a_key_is_never_replaced(key, capsys):
    before = key.read_bytes()
    assert main(["key", "--key", str(key)]) == 2
    assert "exists already" in capsys.readouterr().err and key.read_bytes() == before
    key.unlink()
    assert main(["key", "--key", str(key)]) == 2
    assert not key.exists()


def test_a_signed_bundle_is_what_a_device_unpacks(sign, key, bundle, tmp_path):
    code, told, _ = sign(bundle)
    archive = bundle.with_name("maskgate-5.tar")
    assert code == 0 and str(archive) in told
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a.pem").write_bytes(key.with_suffix(".pub.pem").read_bytes())
    (tmp_path / "unpacked").mkdir()
    with archive.open("rb") as raw:
        source = Stream(raw, "x", LARGEST_ARCHIVE)
        manifest, _ = read_manifest(source, trusted_keys(tmp_path / "keys"))
        unpack(source, manifest, tmp_path / "unpacked")
    assert {path.name: path.read_bytes() for path in (tmp_path / "unpacked").iterdir()} == models()
    assert read_folder(bundle) == manifest


def test_the_archive_is_the_same_to_the_bit_each_time(sign, bundle, tmp_path):
    sign(bundle)
    (bundle / "locator.tflite").touch()
    code, *_ = sign(bundle, "--out", tmp_path / "out")
    first, second = bundle.with_name("maskgate-5.tar"), tmp_path / "out" / "maskgate-5.tar"
    assert code == 0 and first.read_bytes() == second.read_bytes()


def test_any_tar_program_can_read_it(sign, bundle):
    sign(bundle)
    with tarfile.open(fileobj=io.BytesIO(bundle.with_name("maskgate-5.tar").read_bytes())) as tar:
        names = tar.getnames()
    assert names == ["maskgate-5/bundle.sig", *(f"maskgate-5/{name}" for name in sorted(models()))]


def test_nothing_of_the_private_key_is_in_the_archive(sign, key, bundle):
    sign(bundle)
    archive = bundle.with_name("maskgate-5.tar").read_bytes()
    assert read_key(key).private_bytes_raw() not in archive
    assert key.read_bytes().splitlines()[1] not in archive


def test_settings_are_signed_under_a_name_and_a_version(sign, tmp_path):
    (tmp_path / "door.toml").write_text("[door]\nmode = 'remind'\n")
    code, *_ = sign(tmp_path / "door.toml", "--name", "entrance", "--version", "3")
    assert code == 0 and (tmp_path / "entrance-3.tar").is_file() and not (tmp_path / "bundle.sig").exists()


@pytest.mark.parametrize(
    ("content", "arguments", "told"),
    [
        ("[mood]\n", ["--version", "3"], "mood is no key of the settings"),
        ("", [], "settings need a --version"),
        ("", ["--version", "0"], "a whole number from 1 up"),
        ("", ["--version", "3", "--name", "../x"], "letters, digits, underscores"),
    ],
)
def test_settings_that_no_device_would_take_are_refused(sign, tmp_path, content, arguments, told):
    (tmp_path / "door.toml").write_text(content)
    code, out, error = sign(tmp_path / "door.toml", *arguments)
    assert code == 2 and out == "" and told in error and error.count("\n") == 1
    assert not list(tmp_path.glob("**/*.tar"))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "locator.tflite").write_bytes(b"x"), "locator.tflite was altered"),
        (lambda folder: (folder / "sub").mkdir(), "not a plain file"),
        (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "not a plain file"),
        (lambda folder: (folder / "odd name").touch(), "Expected `str` matching regex"),
        (lambda folder: [(folder / f"f{n}").touch() for n in range(40)], "length <= 32"),
        (lambda folder: (folder / "large").write_bytes(bytes(65 * 2**20)), "size"),
        (lambda folder: (folder / "bundle.json").write_bytes(models(golden=None)["bundle.json"]), "no golden answers"),
        (lambda folder: (folder / "bundle.json").unlink(), "cannot read bundle.json"),
    ],
)
def test_a_bundle_that_no_device_would_take_is_refused_and_leaves_nothing(sign, bundle, spoil, told):
    spoil(bundle)
    code, out, error = sign(bundle)
    assert code == 2 and out == "" and told in error and error.count("\n") == 1
    assert not bundle.with_name("maskgate-5.tar").exists() and not (bundle / "bundle.sig").exists()


@pytest.mark.parametrize("content", [None, b"hello"])
def test_without_a_key_it_says_how_to_make_one(sign, key, bundle, content):
    key.unlink()
    if content:
        key.write_bytes(content)
    code, _, error = sign(bundle)
    assert code == 2 and "`make key` makes one" in error


def test_what_is_neither_bundle_nor_settings_is_refused(sign, tmp_path):
    code, _, error = sign(tmp_path / "absent")
    assert code == 2 and "neither a bundle" in error
