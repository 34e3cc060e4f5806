import json
import subprocess

import pytest

from edge.device.first_boot import FIRST_RUN, environment, user_data, with_first_run
from tests.edge.device.stand_in import COMMAND_LINE, KEY, make_card


def wanted(card):
    head, _, body = user_data(card).partition("\n")
    assert head == "#cloud-config"
    return json.loads(body)


def test_cloud_init_is_told_name_zone_and_a_user_who_has_keys_and_no_password():
    told = wanted(make_card(timezone="Europe/Berlin"))
    assert (told["hostname"], told["timezone"], told["ssh_pwauth"]) == ("door1", "Europe/Berlin", False)
    (user,) = told["users"]
    assert (user["name"], user["ssh_authorized_keys"], user["lock_passwd"]) == ("pi", [KEY], True)
    assert not [key for key in user if "passw" in key and key != "lock_passwd"]


def test_cloud_init_runs_the_set_up_at_the_end():
    assert wanted(make_card())["runcmd"] == [["sh", "/boot/firmware/maskgate/setup.sh"]]


@pytest.mark.parametrize("comment", ["owner", "o'wner", "$(touch pwned)", '`id` "x" \\ ü'])
def test_whatever_a_key_is_called_the_device_reads_it_as_it_is(tmp_path, comment):
    key = f"{KEY} {comment}"
    card = make_card(ssh_keys=(key, KEY))
    assert wanted(card)["users"][0]["ssh_authorized_keys"] == [key, KEY]
    script = environment(card) + 'printf "%s|%s|%s|%s" "$hostname" "$user" "$timezone" "$keys"'
    said = subprocess.run(["sh", "-eu"], input=script, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert said.stdout == f"door1|pi|Etc/UTC|{key}\n{KEY}"
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_stays_one_line_and_runs_the_script_once():
    line = with_first_run(COMMAND_LINE)
    assert line == f"{COMMAND_LINE.strip()} {FIRST_RUN}\n"
    assert with_first_run(line).count("systemd.run=") == 1
