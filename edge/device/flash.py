"""Write a card: Raspberry Pi OS as it was downloaded, with maskgate on it from the first boot on.

    make flash IMAGE=raspios.img.xz DEVICE=/dev/sdX CARD=card.toml
    python -m edge.device.flash raspios.img.xz /dev/sdX --card card.toml

Checks the image, adds package, settings, keys and first-boot set-up to a copy of it, names the disk and asks, writes it
and compares what it reads back. About five minutes with a stock image and a common card. An image of `make image` is
written as it is. Ends with one line and exit code 2 when something is wrong, and 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from edge import __version__
from edge.device import disks
from edge.device.card_file import Card, load_card
from edge.device.disks import Target, find_target
from edge.device.first_boot import set_up
from edge.device.stock_image import boot_partition, check_image, kind_of, unpack
from edge.errors import InputError, MaskgateError, in_one_line

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / f"build/deb/maskgate_{__version__}_arm64.deb"
WORK = ROOT / "build/flash"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, 2 for bad input, 130 when stopped."""
    arguments = _parser().parse_args(argv)
    # SIGINT too: whatever started us in the background may have had it ignored
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        flash(arguments)
    except (MaskgateError, OSError) as error:
        print(f"flash: error: {in_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nflash: stopped; a card that was being written is not whole, flash it again", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flash", description="Write a card with maskgate on it.")
    parser.add_argument("image", type=Path, metavar="IMAGE", help="Raspberry Pi OS Lite (64-bit), .img or .img.xz")
    parser.add_argument("device", type=Path, metavar="DEVICE", help="the card: /dev/sdX, or a file ending in .img")
    parser.add_argument("--card", type=Path, default=Path("card.toml"), help="host name and keys; default card.toml")
    parser.add_argument("--sha256", help="of IMAGE; without it IMAGE.sha256 is read")
    parser.add_argument("--package", type=Path, default=PACKAGE, metavar="DEB", help="what `make deb` built")
    parser.add_argument("--work", type=Path, default=WORK, metavar="DIR", help="room for the unpacked image")
    parser.add_argument("--yes", action="store_true", help="do not ask before writing")
    return parser


def flash(arguments: argparse.Namespace) -> None:
    """Check everything that can be checked before anything is written, then write. Raises InputError."""
    for name in ("image", "device"):
        if getattr(arguments, name) == Path():
            raise InputError(f"{name.upper()}= is missing; `make flash IMAGE=raspios.img.xz DEVICE=/dev/sdX`")
    target = find_target(arguments.device)
    card = load_card(arguments.card) if arguments.card.exists() else None
    check_image(arguments.image, arguments.sha256)
    if arguments.device.exists() and arguments.device.samefile(arguments.image):
        raise InputError(f"{arguments.device}: is the image itself; name the card")
    with _room(arguments.work) as work:
        unpack(arguments.image, work)
        _prepare(work, card, arguments)
        disks.check_size(target, work)
        _ask(target, card, arguments.yes)
        # the card may have been mounted or changed meanwhile
        disks.write(find_target(arguments.device), work)
    print(f"{target.path}: written and verified{_next_step(card)}")


@contextmanager
def _room(folder: Path) -> Iterator[Path]:
    """Where the unpacked image may lie; removed at the end, with the folder, which would be root's after sudo."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as room:
            yield Path(room) / "card.img"
    finally:
        with suppress(OSError):
            folder.rmdir()


def _prepare(work: Path, card: Card | None, arguments: argparse.Namespace) -> None:
    boot = boot_partition(work)
    kind = kind_of(boot)
    if kind == "own":
        return
    package: Path = arguments.package
    if not package.name.endswith("_arm64.deb"):
        raise InputError(f"{package}: no package for arm64; `make deb` builds one")
    if not package.is_file():
        raise InputError(f"{package}: not found; `make deb` builds it")
    set_up(boot, kind, card or load_card(arguments.card), package)


def _ask(target: Target, card: Card | None, yes: bool) -> None:
    what = f" for {card.hostname}" if card else ""
    print(f"All that is on {target.name} will be replaced by a card{what}.")
    if yes:
        return
    try:
        answer = input("Write it? Type yes: ")
    except EOFError:
        answer = ""
    if answer.strip().lower() != "yes":
        raise InputError(f"{target.path}: not written, as you did not say yes; --yes (YES=1) writes without asking")


def _next_step(card: Card | None) -> str:
    return f"; put it into the Raspberry Pi, then `ssh {card.user}@{card.hostname}.local`" if card else ""


if __name__ == "__main__":
    sys.exit(main())
