"""What makes a card this door's own: one TOML file, read and checked here for `make image` and `make flash` alike.

    python -m edge.device.card_file card.toml           # NAME='value' lines, for eval in a shell
    python -m edge.device.card_file card.toml --json

Paths in the file are relative to its folder. `card/card.example.toml` shows every key. Ends with exit code 2 and one
line when something is wrong.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import os
import re
import shlex
import sys
import tomllib
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edge.errors import InputError, MaskgateError
from edge.settings import load_settings
from edge.update.signature import public_key

OWN_IMAGE = "maskgate.txt"
"""A file of this name on the boot partition tells an image of `make image`, which needs no set-up, from a stock one."""

HOST_NAME, USER_NAME = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "^[a-z_][a-z0-9_-]{0,31}$"
WANTED = {
    "hostname": "lower-case letters, digits and inner hyphens, at most 63",
    "user": "a lower-case name, at most 32 letters",
    "timezone": 'a name such as "Europe/Berlin"',
    "ssh_keys": "a list, not empty, of public keys or of paths of .pub files",
    "trusted_keys": "a list of paths of PEM files",
    "settings": "the path of a TOML file",
}
NO_LOGIN = ("root", "maskgate")


class CardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds, as it stands there.

    hostname: the device's name in the network. user: who may log in, by SSH key alone. timezone: for the schedule.
    ssh_keys: public keys, or paths of .pub files. trusted_keys: paths of the public keys (PEM, Ed25519) whose bundles
    the device takes. settings: path of the door's settings; "" for the default ones.
    """

    hostname: Annotated[str, Meta(pattern=HOST_NAME)]
    ssh_keys: Annotated[tuple[str, ...], Meta(min_length=1)]
    user: Annotated[str, Meta(pattern=USER_NAME)] = "pi"
    timezone: str = "Etc/UTC"
    trusted_keys: tuple[str, ...] = ()
    settings: str = ""


class Card(msgspec.Struct, frozen=True):
    """The same, checked: ssh_keys are lines of `authorized_keys`, trusted_keys and settings are files that exist."""

    hostname: str
    user: str
    timezone: str
    ssh_keys: tuple[str, ...]
    trusted_keys: tuple[Path, ...]
    settings: Path | None


def load_card(path: Path) -> Card:
    """Read and check a card file and the files it names. Raises InputError or SettingsError."""
    raw = _read(path)
    folder = path.resolve().parent
    return Card(
        hostname=raw.hostname,
        user=raw.user,
        timezone=raw.timezone,
        ssh_keys=tuple(line for key in raw.ssh_keys for line in _ssh_keys(path, folder, key)),
        trusted_keys=tuple(_trusted_key(folder / _from_home(key)) for key in raw.trusted_keys),
        settings=_settings(folder / _from_home(raw.settings)) if raw.settings else None,
    )


def _read(path: Path) -> CardSettings:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        settings = msgspec.convert(raw, CardSettings)
    except FileNotFoundError as error:
        raise InputError(f"{path}: not found; copy edge/device/card/card.example.toml to it and fill it in") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {_explain(str(error), raw)}") from error
    except ValueError as error:
        raise InputError(f"{path}: not a TOML file ({error})") from error
    for fault in _faults(settings):
        raise InputError(f"{path}: {fault}")
    return settings


def _faults(settings: CardSettings) -> list[str]:
    """What no single key's type tells."""
    faults = []
    if settings.user in NO_LOGIN:
        faults.append(f'user is "{settings.user}", who must not log in; take another name, such as "pi"')
    if settings.timezone not in zoneinfo.available_timezones():
        faults.append(f'timezone is "{settings.timezone}"; it must be {WANTED["timezone"]}')
    return faults


def _explain(message: str, raw: dict[str, Any]) -> str:
    """msgspec's message as ours: the key, its value, what it must be."""
    if field := re.search(r"(unknown|required) field `(\w+)`", message):
        if field[1] == "required":
            return f"{field[2]} is missing; it must be {WANTED[field[2]]}"
        return f"{field[2]} is no key of a card; there are {', '.join(WANTED)}"
    key = re.findall(r"\$\.(\w+)", message)[0]
    return f"{key} is {msgspec.json.encode(raw[key]).decode()}; it must be {WANTED[key]}"


def _ssh_keys(card: Path, folder: Path, key: str) -> list[str]:
    """The public keys of one entry: itself, or the lines of the file that it names."""
    if " " in key.strip() and not (folder / key).exists():
        return [_ssh_key(str(card), key)]
    file = folder / _from_home(key)
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read; ssh_keys wants {WANTED['ssh_keys']}") from error
    return [_ssh_key(str(file), line) for line in lines if line.strip() and not line.startswith("#")]


def _from_home(path: str) -> Path:
    """With "~" as the home of who called sudo, not of root."""
    owner = os.environ.get("SUDO_USER", "")
    return Path(re.sub("^~/", f"~{owner}/", path)).expanduser()


def _ssh_key(where: str, line: str) -> str:
    """A line of `authorized_keys`; the type stands again at the start of what is encoded."""
    kind, _, rest = line.strip().partition(" ")
    try:
        blob = base64.b64decode(rest.split()[0], validate=True)
    except (IndexError, binascii.Error):
        blob = b""
    if "PRIVATE KEY" in line:
        raise InputError(f"{where}: holds a private key, which must stay where it is; name the .pub file beside it")
    if not kind or blob[4 : 4 + len(kind)] != kind.encode() or "\n" in line.strip():
        raise InputError(f'{where}: "{line.strip()[:40]}" is no SSH public key; give the line of a .pub file')
    return line.strip()


def _trusted_key(file: Path) -> Path:
    public_key(file)
    return file.resolve()


def _settings(file: Path) -> Path:
    load_settings(file)
    return file.resolve()


def for_shell(card: Card) -> str:
    """NAME='value' lines; lists have one item a line, and what is absent is empty."""
    values = {
        "CARD_HOSTNAME": card.hostname,
        "CARD_USER": card.user,
        "CARD_TIMEZONE": card.timezone,
        "CARD_SSH_KEYS": "\n".join(card.ssh_keys),
        "CARD_TRUSTED_KEYS": "\n".join(map(str, card.trusted_keys)),
        "CARD_SETTINGS": str(card.settings or ""),
    }
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())


def main(argv: Sequence[str] | None = None) -> int:
    """Print a card file's checked content; returns the exit code."""
    parser = argparse.ArgumentParser(prog="card_file", description="Check a card file and print what it holds.")
    parser.add_argument("file", type=Path, metavar="card.toml")
    parser.add_argument("--json", action="store_true", help="JSON instead of lines for a shell")
    arguments = parser.parse_args(argv)
    try:
        card = load_card(arguments.file)
    except MaskgateError as error:
        print(f"card_file: error: {error}", file=sys.stderr)
        return 2
    print(msgspec.json.encode(card, enc_hook=str).decode() if arguments.json else for_shell(card))
    return 0


if __name__ == "__main__":
    sys.exit(main())
