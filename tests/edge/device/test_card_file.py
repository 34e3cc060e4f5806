import os
import pwd
import subprocess

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from edge.device.card_file import load_card, main
from edge.errors import MaskgateError
from tests.edge.device.stand_in import CARD, KEY


@pytest.fixture
def card(tmp_path):
    """A function: writes a card file with these lines more, or instead."""

    def write(more="", text=CARD):
        path = tmp_path / "card.toml"
        path.write_text(text + more)
        return path

    return write


@pytest.fixture
def key(tmp_path):
    """A pair of keys, door.pub.pem and door.pem."""
    key = Ed25519PrivateKey.generate()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "door.pub.pem").write_bytes(pem)
    (tmp_path / "door.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_host_name_and_a_key_are_enough(card):
    read = load_card(card())
    assert (read.hostname, read.user, read.timezone, read.ssh_keys) == ("door1", "pi", "Etc/UTC", (KEY,))
    assert (read.trusted_keys, read.settings) == ((), None)


def test_files_are_found_beside_the_card_file(card, key, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    (tmp_path / "door.toml").write_text("[camera]\nwidth = 640\n")
    (tmp_path / "me.pub").write_text(f"# mine\n{KEY}\n\n{KEY} too\n")
    read = load_card(
        card('trusted_keys = ["door.pub.pem"]\nsettings = "door.toml"', 'hostname = "a"\nssh_keys = ["me.pub"]\n')
    )
    assert read.ssh_keys == (KEY, f"{KEY} too")
    assert read.trusted_keys == (tmp_path / "door.pub.pem",)
    assert read.settings == tmp_path / "door.toml"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hostname = ", "not a TOML file"),
        ('hostname = "door1"', "ssh_keys is missing"),
        (f'ssh_keys = ["{KEY}"]', "hostname is missing"),
        (CARD + 'password = "1"', "password is no key of a card; there are hostname, user"),
        (CARD.replace("door1", "Door_1"), 'hostname is "Door_1"; it must be lower-case letters'),
        ('hostname = "door1"\nssh_keys = []', "ssh_keys is []; it must be a list, not empty"),
        ('hostname = "door1"\nssh_keys = [5]', "ssh_keys is [5]; it must be"),
        (CARD + 'user = "root"', 'user is "root", who must not log in'),
        (CARD + 'user = "a b"', 'user is "a b"; it must be a lower-case name'),
        (CARD + 'timezone = "Berlin"', 'timezone is "Berlin"; it must be a name such as "Europe/Berlin"'),
        ('hostname = "a"\nssh_keys = ["absent.pub"]', "absent.pub: cannot be read; ssh_keys wants"),
        ('hostname = "a"\nssh_keys = ["ssh-ed25519 nonsense"]', '"ssh-ed25519 nonsense" is no SSH public key'),
        (f'hostname = "a"\nssh_keys = ["{KEY[4:]}"]', "is no SSH public key"),
        (CARD + 'trusted_keys = ["absent.pem"]', "absent.pem: cannot be read (No such file or directory); `make key`"),
        (CARD + 'trusted_keys = ["card.toml"]', "card.toml: holds no public key"),
        (CARD + 'trusted_keys = ["door.pem"]', "door.pem: holds a private key, which never leaves the workstation"),
        (CARD + 'trusted_keys = ["other.pem"]', "other.pem: not an Ed25519 key"),
        (CARD + 'settings = "bad.toml"', "bad.toml: camera.width is 5; it must be"),
        (CARD + 'settings = "absent.toml"', "absent.toml: cannot read the settings"),
    ],
)
def test_every_mistake_is_named_with_its_remedy(card, key, tmp_path, text, fault):
    other = X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "other.pem").write_bytes(other)
    (tmp_path / "bad.toml").write_text("[camera]\nwidth = 5\n")
    with pytest.raises(MaskgateError) as caught:
        load_card(card(text=text))
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_under_sudo_home_is_that_of_who_called_it(card, monkeypatch):
    caller = pwd.getpwuid(os.geteuid())
    monkeypatch.setenv("SUDO_USER", caller.pw_name)
    monkeypatch.setenv("HOME", "/elsewhere")
    with pytest.raises(MaskgateError, match=rf"^{caller.pw_dir}/.ssh/of-nobody.pub: cannot be read"):
        load_card(card(text='hostname = "a"\nssh_keys = ["~/.ssh/of-nobody.pub"]'))


def test_an_ssh_private_key_is_refused(card, tmp_path):
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    with pytest.raises(MaskgateError, match=r"id: holds a private key"):
        load_card(card(text='hostname = "a"\nssh_keys = ["id"]'))


def test_a_card_file_that_is_absent_names_the_example(tmp_path):
    with pytest.raises(MaskgateError, match=r"card.toml: not found; copy edge/device/card/card.example.toml"):
        load_card(tmp_path / "card.toml")


def test_a_shell_reads_it_whatever_it_holds(card, tmp_path, capsys):
    comment = "o'wner $(touch pwned) `id`"
    path = card(text=f'hostname = "door1"\nssh_keys = ["{KEY} {comment}", "{KEY}"]\n')
    assert main([str(path)]) == 0
    script = f'{capsys.readouterr().out}\nprintf "%s|%s" "$CARD_HOSTNAME" "$CARD_SSH_KEYS"'
    said = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert said == f"door1|{KEY} {comment}\n{KEY}"
    assert not (tmp_path / "pwned").exists()


def test_a_program_reads_it_as_json(card, capsys):
    assert main([str(card()), "--json"]) == 0
    read = msgspec.json.decode(capsys.readouterr().out)
    assert (read["hostname"], read["ssh_keys"], read["settings"]) == ("door1", [KEY], None)


def test_a_mistake_ends_with_one_line_and_code_2(tmp_path, capsys):
    assert main([str(tmp_path / "absent.toml")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
