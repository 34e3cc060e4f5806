"""The alert rules in promtool's hands (Debian's prometheus): each fires in its own case, and none at a healthy door."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

RULES = Path(__file__).resolve().parents[3] / "edge" / "fleet" / "alerts.yml"
NAMES = re.findall(r"alert: (\w+)", RULES.read_text("utf-8"))
DOOR = 'job="maskgate",instance="door1"'
STATES = ("IDLE", "CHECKING", "ALLOW", "DENY", "UNKNOWN", "FAULT")
SIGNALS = ("TAMPER", "FORCED_OPEN", "HELD_OPEN", "CONTESTED")
MINUTES = 180

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian's prometheus)")


def always(value):
    return f"{value}x{MINUTES}"


def grows(a_minute):
    return f"0+{a_minute}x{MINUTES}"


def once(at, total=1):
    """A counter that jumps from 0 to `total` after so many minutes."""
    return f"0x{at} {total}x{MINUTES - at}"


def series(name, **labels):
    more = "".join(f',{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{DOOR}{more}}}"


def state(name):
    return series("maskgate_state", state=name)


def changes(name):
    return series("maskgate_changes_total", state=name)


def signals(name):
    return series("maskgate_signals_total", signal=name)


def took(le):
    return series("maskgate_frame_to_decision_seconds_bucket", le=le)


UP, DAEMON = series("up"), series("maskgate_daemon_up")
AGE, HEAT = series("maskgate_frame_age_seconds"), series("maskgate_temperature_celsius")
STARTS, DRIFT = series("maskgate_daemon_starts_total"), series("maskgate_drift_alarm")

HEALTHY = {
    UP: always(1),
    DAEMON: always(1),
    **{state(name): always(int(name == "IDLE")) for name in STATES},
    **{series("maskgate_signal", signal=name): always(0) for name in SIGNALS},
    **{signals(name): always(0) for name in SIGNALS},
    **{changes(name): grows(1 if name in ("ALLOW", "DENY") else 0.1) for name in STATES},
    series("maskgate_faults_total", kind="camera"): once(60),
    series("maskgate_faults_total", kind="picture"): once(60, 2),
    AGE: always(0.08),
    HEAT: always(71),
    STARTS: once(30, 2),
    DRIFT: always(0),
    took("0.4"): grows(900),
    series("maskgate_frame_to_decision_seconds_count"): grows(901),
    series("maskgate_info", bundle="maskgate-4"): always(1),
}

FAULTY = {state("IDLE"): always(0), state("FAULT"): always(1)}
CASES = {
    "MaskgateUnreachable": {UP: always(0)},
    "MaskgateDaemonAway": {DAEMON: always(0), state("IDLE"): always(0)},
    "MaskgateFault": FAULTY | {AGE: grows(60)},
    "MaskgateSilent": {AGE: grows(60)},
    "MaskgateForcedOpen": {signals("FORCED_OPEN"): once(175)},
    "MaskgateTamper": {signals("TAMPER"): once(175)},
    "MaskgateHeldOpen": {series("maskgate_signal", signal="HELD_OPEN"): always(1)},
    "MaskgateFaultsOften": {series("maskgate_faults_total", kind="camera"): once(160, 9)},
    "MaskgateRestarts": {STARTS: grows(0.1)},
    "MaskgateSlow": {took("0.4"): grows(850)},
    "MaskgateHot": {HEAT: always(83)},
    "MaskgateDrift": {DRIFT: always(1)},
    "MaskgateManyUnknown": {changes("UNKNOWN"): grows(1.5)},
    "MaskgateOftenWrong": {signals("CONTESTED"): grows(0.1)},
    "MaskgateMixedBundles": {},
}
"""What is otherwise than at a healthy door for its alert to fire after three hours."""

QUIET = {
    "a temperature, an age and a drift that nobody knows": dict.fromkeys((HEAT, DRIFT), "NaN " * MINUTES),
    "a camera that was unplugged for a minute": {state("FAULT"): f"0x170 1x1 0x{MINUTES}"},
    "a daemon that was updated": {DAEMON: f"1x170 0x1 1x{MINUTES}"},
    "few verdicts, half of them UNKNOWN": {changes(name): once(90, 12) for name in ("ALLOW", "DENY", "UNKNOWN")},
    "somebody who says once that the verdict was wrong": {signals("CONTESTED"): once(175)},
    "a door that was forced two hours ago": {signals("FORCED_OPEN"): once(60)},
    "nobody at the door for hours": {changes(name): always(7) for name in STATES},
}


def check(folder, changed, *firing, at=("3h",), interval="1m"):
    """promtool compares the alerts that fire `at` these times, one after the other, with those expected then."""
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": interval,
                "input_series": [{"series": name, "values": told} for name, told in (HEALTHY | changed).items()],
                "promql_expr_test": [expected(time, names) for time, names in zip(at, firing, strict=True)],
            }
        ],
    }
    file = folder / "test.yml"
    file.write_text(json.dumps(test))  # JSON is YAML too
    ran = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def expected(time, names):
    return {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": time,
        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names],
    }


def test_promtool_finds_nothing_wrong_with_the_rules():
    ran = subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(RULES)], capture_output=True)
    assert ran.returncode == 0, ran.stdout


def test_every_alert_has_its_case_here():
    assert sorted(NAMES) == sorted(CASES)
    assert len(NAMES) == len(set(NAMES))


def test_a_healthy_door_alarms_nobody(tmp_path):
    check(tmp_path, {}, [])


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"MaskgateMixedBundles"}))
def test_an_alert_fires_in_its_case_and_alone(tmp_path, name):
    check(tmp_path, CASES[name], [name])


@pytest.mark.parametrize("what", sorted(QUIET))
def test_nobody_is_woken_by(tmp_path, what):
    check(tmp_path, QUIET[what], [])


def test_two_bundles_among_the_doors_are_told_after_three_days(tmp_path):
    steps = 73 * 15
    other = series("maskgate_info", bundle="maskgate-5").replace("door1", "door2")
    lasting = dict.fromkeys((UP, DAEMON, series("maskgate_info", bundle="maskgate-4"), other), f"1x{steps}")
    check(tmp_path, lasting, [], ["MaskgateMixedBundles"], at=("71h", "73h"), interval="4m")


def test_the_readme_lists_every_alert():
    listed = re.findall(r"`(Maskgate\w+)`", (RULES.parent / "README.md").read_text("utf-8"))
    assert set(listed) == set(NAMES)
