"""The demo's command."""

import pytest

from edge.demo.__main__ import check_packages, main
from edge.errors import InputError


def test_a_missing_package_is_named_with_what_installs_it():
    with pytest.raises(InputError, match=r"no-such-package; pip install 'maskgate\[demo\]'"):
        check_packages({"json": "json", "no_such_package": "no-such-package"})


def test_nothing_is_said_when_the_packages_are_there():
    check_packages({"json": "json"})


def test_a_missing_bundle_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert main(["--bundle", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"maskgate: error: bundle {tmp_path}/none: cannot read bundle.json "
        "(No such file or directory); convert writes it"
    ]


def test_a_frame_rate_out_of_range_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--fps", "500"])
    assert "500 is not from 5 to 60" in capsys.readouterr().err
