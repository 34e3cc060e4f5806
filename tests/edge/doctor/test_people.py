import os

import pytest

from edge.doctor.finding import Status
from edge.doctor.people import Person, groups, service_user

OURS = os.getgid()
"""The group that the files of a test belong to."""
PASSWD = (
    "root:x:0:0:root:/root:/bin/bash\nmaskgate:x:992:991:maskgate door signal:/var/lib/maskgate:/usr/sbin/nologin\n"
)
GPIO = {"gpio": "dev/gpiochip*"}


def made(machine, members="", number=OURS):
    return machine({"etc/passwd": PASSWD, "etc/group": f"gpio:x:{number}:{members}\n+:::\n", "dev/gpiochip0": ""})


def test_the_services_user_is_found_with_its_groups(machine):
    user = service_user(made(machine, "pi,maskgate"))
    assert user == Person("maskgate", 992, frozenset({991, OURS}))
    assert service_user(machine({"etc/passwd": "root:x:0:0:::\n"})) is None


def test_a_user_of_the_devices_group_may_use_them(machine):
    (finding,) = groups(made(machine), GPIO, Person("pi", 1000, frozenset({OURS})))
    assert finding.status == Status.OK


def test_the_service_outside_a_group_is_told_the_command(machine):
    (finding,) = groups(made(machine), GPIO, Person("maskgate", 992, frozenset({991})))
    assert finding.status == Status.FAIL
    assert finding.mend == "`sudo usermod -aG gpio maskgate`, then `sudo systemctl restart maskgate`"


def test_a_session_that_began_before_its_user_joined_is_told_so(machine):
    (finding,) = groups(made(machine, "pi"), GPIO, Person("pi", 1000, frozenset({1000})))
    assert (finding.found, finding.mend) == ("pi is not in gpio yet", "log out and in again")


def test_a_group_that_is_not_there_is_told(machine):
    (finding,) = groups(made(machine), {"video": "dev/video*"}, Person("pi", 1000, frozenset()))
    assert finding.status == Status.FAIL and "groupadd --system video" in finding.mend


def test_a_device_of_another_group_is_told(machine):
    (finding,) = groups(made(machine, number=OURS + 1), GPIO, Person("root", 0, frozenset()))
    assert "gpiochip0 does not belong to the group gpio" in finding.found and "udevadm" in finding.mend


def test_without_devices_no_group_is_needed(machine):
    assert groups(machine(), {}, Person("pi", 1000, frozenset()))[0].status == Status.OK


@pytest.mark.parametrize(
    ("mode", "groups", "may"), [(0o770, {OURS}, True), (0o750, {OURS}, False), (0o770, {5}, False), (0o707, {5}, True)]
)
def test_who_may_write_is_told_by_mode_and_group(tmp_path, mode, groups, may):
    tmp_path.chmod(mode)
    assert Person("maskgate", os.getuid() + 1, frozenset(groups)).may_write(tmp_path) == may


def test_root_and_the_owner_may_write(tmp_path):
    assert Person("root", 0, frozenset()).may_write(tmp_path)
    assert Person("pi", os.getuid(), frozenset()).may_write(tmp_path)
