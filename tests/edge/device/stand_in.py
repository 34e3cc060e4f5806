"""Small stand-ins for what a user downloads: card images laid out as Raspberry Pi OS lays out its own."""

import hashlib
import lzma
import shutil
import subprocess
from pathlib import Path

from edge.device.card_file import Card
from edge.device.stock_image import boot_partition
from edge.device.tools import ENVIRONMENT

TOOLS = ("sfdisk", "mkfs.vfat", "mkfs.ext4", "mcopy", "mdir", "mtype", "dd")
MISSING = [tool for tool in TOOLS if shutil.which(tool, path=ENVIRONMENT["PATH"]) is None]
SECTOR, BOOT_START, ROOT_SIZE = 512, 8192, 4 << 20
COMMAND_LINE = (
    "console=tty1 root=PARTUUID=0000-02 rootfstype=ext4 rootwait init=/usr/lib/raspberrypi-sys-mods/firstboot\n"
)
BOOKWORM = {
    "config.txt": "camera_auto_detect=1\n",
    "cmdline.txt": COMMAND_LINE,
    "issue.txt": "Raspberry Pi reference 2024-11-19\nGenerated using pi-gen, stage2\n",
}
TRIXIE = {
    "config.txt": "camera_auto_detect=1\n",
    "cmdline.txt": COMMAND_LINE.strip() + " ds=nocloud;i=rpi-imager\n",
    "issue.txt": "Raspberry Pi reference 2025-10-01\nGenerated using pi-gen, stage2\n",
    "user-data": "#cloud-config\n",
    "meta-data": "instance_id: rpios-image\n",
    "network-config": "network: {version: 2}\n",
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9jqzbNo+iWmgpa6hWQrcPVs6R5vxmHdAw5wz6or9dz owner"
CARD = f'hostname = "door1"\nssh_keys = ["{KEY}"]\n'


def make_image(path: Path, files: dict[str, str], megabytes: int = 8) -> Path:
    """A card image: a partition table, a boot partition with these files, an ext4 partition.

    The boot partition is FAT32, as on a real card, from 34 megabytes on; else FAT16, which is made faster.
    """
    fat, cluster, kind = ("32", "1", "c") if megabytes >= 34 else ("16", "2", "e")
    boot, root = (megabytes << 20) // SECTOR, ROOT_SIZE // SECTOR
    path.touch()
    with path.open("r+b") as image:
        image.truncate((BOOT_START + boot + root) * SECTOR)
    table = (
        f"label: dos\nstart={BOOT_START}, size={boot}, type={kind}\nstart={BOOT_START + boot}, size={root}, type=83\n"
    )
    _run("sfdisk", "--quiet", str(path), data=table)
    _run("mkfs.vfat", "-F", fat, "-s", cluster, "--offset", str(BOOT_START), str(path), str(megabytes << 10))
    offset = (BOOT_START + boot) * SECTOR
    _run("mkfs.ext4", "-q", "-E", f"offset={offset}", str(path), str(ROOT_SIZE // 1024))
    partition = boot_partition(path)
    for name, text in files.items():
        partition.write(name, text)
    return path


def pack(image: Path) -> Path:
    """The image compressed with xz, and its checksum beside it, as one downloads them."""
    packed = image.with_name(image.name + ".xz")
    packed.write_bytes(lzma.compress(image.read_bytes(), preset=0))
    return with_checksum(packed)


def with_checksum(image: Path) -> Path:
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    image.with_name(image.name + ".sha256").write_text(f"{digest}  {image.name}\n")
    return image


def text_of(image: Path, name: str) -> str:
    """A file on the image's boot partition."""
    return boot_partition(image).read(name)


def names_in(image: Path, folder: str = "") -> set[str]:
    """What lies in a folder of the boot partition."""
    partition = boot_partition(image)
    listed = _run("mdir", "-b", "-i", f"{partition.image}@@{partition.offset}", f"::/{folder}")
    return {line.strip("/").rpartition("/")[2] for line in listed.split()}


def make_card(**values: object) -> Card:
    usual: dict[str, object] = {
        "hostname": "door1", "user": "pi", "timezone": "Etc/UTC",
        "ssh_keys": (KEY,), "trusted_keys": (), "settings": None,
    }  # fmt: skip
    return Card(**{**usual, **values})  # type: ignore[arg-type]


def _run(*command: str, data: str = "") -> str:
    done = subprocess.run(command, input=data, text=True, capture_output=True, env=ENVIRONMENT, check=True)
    return done.stdout
