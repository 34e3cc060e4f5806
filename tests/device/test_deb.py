"""The life of the Debian package in a small arm64 system: installed, upgraded, removed, purged.

    make test-device

Takes about three minutes; the first time two more, for the systems. Needs root, debhelper, lintian, mmdebstrap and
qemu-user-static, and fails without them.
"""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pytest

from tests.device.chroot import Chroot

pytestmark = pytest.mark.device

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/device"
SUITES = ["bookworm"]
"""Debian 13 is the virtual board's, in test_card.py; "trixie" does here as well, and takes as long again."""
HOMES = ["opt/maskgate", "etc/maskgate", "var/lib/maskgate", "var/lib/maskgate-store"]
LIMIT = 250_000_000
"""Bytes that the package may take on a device, byte code included."""
EDITED = "# edited by the owner\n"
BOOKKEEPING = r"(root|tmp|proc|var/(log|cache|lib/dpkg))/|etc/(passwd|group|shadow|gshadow)-|etc/\.pwd\.lock"
"""What the package manager and the tools for users leave behind, whatever was installed."""


@pytest.fixture(scope="module")
def newer(package, tmp_path_factory):
    """The same with a higher version, and with other settings to begin with."""
    folder = tmp_path_factory.mktemp("newer")
    tree, file = folder / "tree", folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    replace(tree / "DEBIAN/control", "^Version: .*", "Version: 999")
    replace(tree / "etc/maskgate/door.toml", "^line = 17$", "line = 18")
    subprocess.run(["dpkg-deb", "-Znone", "--build", tree, file], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return file


@pytest.fixture(scope="module")
def lives(package, newer, emulation):
    """What was seen in the life of the package, by the release of Debian; both side by side."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(SUITES, pool.map(lambda suite: live(suite, package, newer), SUITES), strict=True))


@pytest.fixture(params=SUITES)
def life(lives, request):
    return lives[request.param]


def live(suite, package, newer):
    """Everything that can happen to a package; output and exit code of each step, and what was there after it."""
    from skimage.data import astronaut

    chroot = Chroot(suite, BUILD)
    root = chroot.root
    shutil.copy(package, root / "root/first.deb")
    shutil.copy(newer, root / "root/newer.deb")
    assert cv2.imwrite(str(root / "root/face.png"), cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR))
    told, trees, users = {}, {}, {}

    def step(name, *command):
        told[name] = chroot.run(*command)
        trees[name] = chroot.files()
        users[name] = (root / "etc/passwd").read_text() + (root / "etc/group").read_text()

    step("before", "true")
    step("install", "dpkg", "--install", "/root/first.deb")
    size = sum(path.lstat().st_blocks * 512 for home in HOMES for path in (root / home).rglob("*"))
    step("version", "maskgate", "--version")
    step("detect", "maskgate", "detect", "/root/face.png")
    libraries = next(path for path in (root / "opt/maskgate/lib").glob("python3.*") if list(path.rglob("*.pyc")))
    libraries.rename(libraries.with_name("elsewhere"))
    step("other_python", "maskgate", "--version")
    libraries.with_name("elsewhere").rename(libraries)
    use(root)
    step("upgrade", "dpkg", "--force-confold", "--install", "/root/newer.deb")
    step("upgraded", "dpkg-query", "--show", "--showformat=${Version} ${db:Status-Abbrev}", "maskgate")
    settings = (root / "etc/maskgate/door.toml").read_text()
    step("remove", "dpkg", "--remove", "maskgate")
    step("purge", "dpkg", "--purge", "maskgate")
    return {
        "told": told,
        "trees": trees,
        "users": users,
        "size": size,
        "settings": settings,
        "libraries": libraries.name,
    }


def use(root):
    """What owner and daemon leave on a device."""
    with (root / "etc/maskgate/door.toml").open("a") as file:
        file.write(EDITED)
    for name in ("etc/maskgate/keys/owner.pem", "var/lib/maskgate/events.jsonl", "var/lib/maskgate-store/current/a"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def replace(file, pattern, text):
    changed, count = re.subn(pattern, text, file.read_text(), flags=re.MULTILINE)
    assert count == 1
    file.write_text(changed)


def lasting(tree):
    return {path for path in tree if not re.match(BOOKKEEPING, path)}


def byte_code(tree):
    return {path for path in tree if path.startswith("opt/maskgate/") and path.endswith(".pyc")}


@pytest.mark.parametrize("step", ["install", "upgrade", "remove", "purge"])
def test_each_step_of_the_packages_life_succeeds_and_says_nothing_bad(life, step):
    told = life["told"][step]
    assert told.returncode == 0, told.stdout
    assert not re.search("error|warning|fail|traceback", told.stdout, re.IGNORECASE), told.stdout


def test_the_installed_command_runs(life, package):
    told = life["told"]["version"]
    assert told.stdout == f"maskgate {package.name.split('_')[1]}\n"


def test_the_installed_command_judges_a_bare_face(life):
    told = life["told"]["detect"]
    assert told.returncode == 0, told.stdout
    assert re.search(r"^face\.png: without_mask [01]\.\d\d$", told.stdout, re.MULTILINE), told.stdout


def test_another_python_is_refused_in_one_line(life):
    told = life["told"]["other_python"]
    version = life["libraries"].removeprefix("python")
    assert told.returncode != 0
    (line,) = told.stdout.splitlines()
    assert line.startswith(f"maskgate: error: Python {version}: ")


def test_the_package_takes_little_room(life, note):
    note(f"installed with byte code: {life['size'] / 1e6:.0f} MB")
    assert 100_000_000 < life["size"] < LIMIT


def test_byte_code_is_made_for_the_python_that_is_there_and_for_no_other(life):
    made = byte_code(life["trees"]["install"])
    assert any(path.startswith(f"opt/maskgate/lib/{life['libraries']}/") for path in made)
    assert any(path.startswith("opt/maskgate/lib/shared/edge/") for path in made)
    assert {path.split(".")[-2] for path in made} == {life["libraries"].replace("python3.", "cpython-3")}


def test_the_services_are_enabled(life):
    enabled = {
        path.rpartition("/")[2] for path in life["trees"]["install"] if re.match(r"etc/systemd/.*\.wants/", path)
    }
    assert {f"maskgate{name}" for name in (".service", "-serve.service", "-trial.service", "-update.timer")} <= enabled


def test_the_daemon_has_a_user_in_the_groups_of_its_devices(life):
    lines = life["users"]["install"].splitlines()
    assert any(line.startswith("maskgate:") and line.endswith("nologin") for line in lines)
    groups = {line.split(":")[0]: line.split(":")[3].split(",") for line in lines if line.count(":") == 3}
    assert "maskgate" in groups["gpio"]
    assert "maskgate" in groups["video"]


def test_an_upgrade_keeps_edited_settings(life):
    assert life["told"]["upgraded"].stdout == "999 ii "
    assert life["settings"].endswith(EDITED)
    assert "line = 17\n" in life["settings"]


def test_removal_leaves_settings_and_data_alone_and_nothing_else(life):
    kept = {path for path in life["trees"]["remove"] if path.startswith(tuple(HOMES))}
    assert {"etc/maskgate/door.toml", "etc/maskgate/keys/owner.pem", "var/lib/maskgate/events.jsonl"} <= kept
    assert not any(path.startswith("opt") and "maskgate" in path for path in life["trees"]["remove"])
    assert "usr/bin/maskgate" not in life["trees"]["remove"]


def test_a_purge_leaves_everything_as_it_was_before(life):
    before, after = (lasting(life["trees"][step]) for step in ("before", "purge"))
    # the package manager removes a folder that is empty
    assert before ^ after <= {"opt"}
    left = set(life["users"]["purge"].splitlines()) - set(life["users"]["before"].splitlines())
    # other packages may use it too
    assert {line.split(":")[0] for line in left} <= {"gpio"}


def test_a_machine_of_another_kind_refuses_the_package(package, tmp_path):
    database = tmp_path / "var/lib/dpkg"
    (database / "info").mkdir(parents=True)
    (database / "updates").mkdir()
    for file in ("status", "available"):
        (database / file).touch()
    (database / "arch").write_text("amd64\n")
    told = subprocess.run(["dpkg", "--root", tmp_path, "--install", package], capture_output=True, text=True)
    assert told.returncode != 0
    assert "package architecture (arm64) does not match system (amd64)" in told.stderr
    assert not (tmp_path / "opt").exists()


def test_lintian_finds_nothing_that_is_not_excused(package):
    told = subprocess.run(["lintian", package], capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (0, "")
