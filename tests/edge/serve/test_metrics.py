"""What Prometheus gets to read; that it can is tested with a real one in tests/edge/fleet."""

import math
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.bulletin import About, Bulletin, Drift
from edge.serve.metrics import Metrics, fault_kind
from edge.serve.temperature import hottest

README = Path(__file__).resolve().parents[3] / "edge" / "serve" / "README.md"
STAGES = {"check": 0.0015, "locate": 0.03, "crop": 0.001, "classify": 0.02, "decide": 0.0001, "output": 0.0002}


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def metrics(clock):
    made = Metrics(clock, lambda: 48.5)
    made.connected(True)
    return made


def read(metrics):
    """The value of every sample, by its name with its labels."""
    families = text_string_to_metric_families(metrics().decode())
    return {_name(sample): sample.value for family in families for sample in family.samples}


def _name(sample):
    labels = ",".join(f"{label}={value}" for label, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}" if labels else sample.name


def bulletin(state="IDLE", reason="nobody in the zone", **more):
    return Bulletin(**{"number": 1, "time": 100.0, "late": 0.06, "state": state, "reason": reason} | more)


def about(**more):
    known = {"bundle": "maskgate-4", "made": "2026-05-01T12:00:00Z", "version": "0.1.0", "runs_on": "the processor"}
    return About(**known | {"started": 40.0, "mode": "must_wear"} | more)


def test_every_decision_counts_and_every_change_of_state_once(metrics):
    for state in ("IDLE", "CHECKING", "CHECKING", "ALLOW", "ALLOW", "ALLOW", "IDLE"):
        metrics.bulletin(bulletin(state))
    found = read(metrics)
    assert found["maskgate_decisions_total{state=ALLOW}"] == 3
    assert found["maskgate_changes_total{state=ALLOW}"] == 1
    assert found["maskgate_changes_total{state=IDLE}"] == 2
    assert found["maskgate_changes_total{state=DENY}"] == 0


def test_faults_count_by_kind_and_anew_only_when_their_reason_changes_beyond_its_numbers(metrics):
    for reason in ("the frame was 0.61 s old when it was here", "the frame was 0.7 s old when it was here"):
        metrics.bulletin(bulletin("FAULT", reason))
    metrics.bulletin(bulletin("FAULT", "the lens is covered"))
    found = read(metrics)
    assert found["maskgate_faults_total{kind=late}"] == 1
    assert found["maskgate_faults_total{kind=picture}"] == 1
    assert found["maskgate_faults_total{kind=camera}"] == 0
    assert found["maskgate_changes_total{state=FAULT}"] == 2


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("the camera has given no frame for 0.5 s; check its cable and power", "camera"),
        ("v4l2:0: gives no frames; is it a camera, and does another program use it?", "camera"),
        ("picamera2: no camera on the board's connector; check its ribbon cable", "camera"),
        ("no camera found (/dev/video0: no such camera); connect one or set camera.source", "camera"),
        ("the camera was moved, or its view blocked", "picture"),
        ("the camera repeats one frame", "picture"),
        ("frames of 640x480 turned into 320x240", "picture"),
        ("the picture is out of focus", "picture"),
        ("the frame was 0.72 s old when it was judged, the limit is 0.5 s", "late"),
        ("the event log camera.jsonl cannot be written (No space left on device)", "log"),
        ("EventLog has been busy for 0.9 s", "log"),
        ('line 17 ("red") was driven active and reads back inactive', "output"),
        ("the guard of the output lines does not answer", "output"),
        ("output.chip: there is no /dev/gpiochip0; see `ls /dev/gpiochip*`", "output"),
        ("/dev/gpiochip0: the output lines cannot be had (busy)", "output"),
        ("bundle maskgate-4: classifier.tflite is missing; install the bundle again", "model"),
        ("models/locator.tflite was changed on disk; restart to check and load it", "model"),
        ("the classifier gives what is no number; restart, or install the bundle again", "model"),
        ("MemoryError: ", "other"),
    ],
)
def test_the_kind_of_a_fault_is_what_is_broken(reason, kind):
    assert fault_kind(reason) == kind


def test_a_signal_counts_when_it_begins_to_hold(metrics):
    for signals in ((), ("FORCED_OPEN", "HEARTBEAT"), ("FORCED_OPEN", "HEARTBEAT"), (), ("FORCED_OPEN",)):
        metrics.bulletin(bulletin(signals=signals))
    found = read(metrics)
    assert found["maskgate_signals_total{signal=FORCED_OPEN}"] == 2
    assert found["maskgate_signal{signal=FORCED_OPEN}"] == 1
    assert found["maskgate_signal{signal=TAMPER}"] == 0


def test_where_the_time_of_a_frame_goes(metrics):
    metrics.bulletin(bulletin(stages=STAGES))
    metrics.bulletin(bulletin("FAULT", "the lens is covered", late=0.9))
    found = read(metrics)
    assert found["maskgate_stage_seconds_sum{stage=locate}"] == pytest.approx(0.03)
    assert found["maskgate_stage_seconds_bucket{le=0.02,stage=locate}"] == 0
    assert found["maskgate_stage_seconds_bucket{le=0.05,stage=locate}"] == 1
    assert found["maskgate_frame_to_decision_seconds_count"] == 1
    assert found["maskgate_frame_to_decision_seconds_sum"] == pytest.approx(0.06)


def test_the_frame_s_age_grows_while_none_is_judged(metrics, clock):
    clock.now = 103.0
    metrics.bulletin(bulletin(time=102.9))
    assert read(metrics)["maskgate_frame_age_seconds"] == pytest.approx(0.1)
    clock.now = 110.0
    metrics.bulletin(bulletin("FAULT", "the lens is covered", time=110.0))
    assert read(metrics)["maskgate_frame_age_seconds"] == pytest.approx(7.1)


def test_without_any_frame_its_age_is_counted_from_the_start_on(metrics, clock):
    clock.now = 130.0
    assert read(metrics)["maskgate_frame_age_seconds"] == 30


def test_no_state_holds_while_the_daemon_is_away(metrics):
    metrics.about(about())
    metrics.bulletin(bulletin("ALLOW", signals=("RELEASE",)))
    assert read(metrics)["maskgate_state{state=ALLOW}"] == 1
    metrics.connected(False)
    found = read(metrics)
    assert found["maskgate_daemon_up"] == 0
    assert found["maskgate_state{state=ALLOW}"] == found["maskgate_signal{signal=RELEASE}"] == 0
    assert math.isnan(found["maskgate_daemon_uptime_seconds"])
    assert found["maskgate_bundle_version"] == 4


def test_what_runs_is_told(metrics):
    drift = Drift({"score": 0.31, "brightness": 0.02}, 412, "darker than the models' tests")
    metrics.about(about(runs_on="the processor, not the Edge TPU: exit 139", drift=drift, kept=7, missed=2))
    found = read(metrics)
    info = "bundle=maskgate-4,mode=must_wear,runs_on=the processor, not the Edge TPU,version=0.1.0"
    assert found[f"maskgate_info{{{info}}}"] == 1
    assert found["maskgate_bundle_version"] == 4
    assert found["maskgate_bundle_made_timestamp_seconds"] == 1777636800
    assert found["maskgate_daemon_uptime_seconds"] == 60
    assert found["maskgate_drift_index{quantity=score}"] == 0.31
    assert found["maskgate_drift_alarm"] == 1
    assert found["maskgate_drift_people"] == 412
    assert found["maskgate_review_crops"] == 7
    assert found["maskgate_missed_messages"] == 2
    assert found["maskgate_temperature_celsius"] == 48.5


def test_what_was_is_told_no_more(metrics):
    metrics.about(about(drift=Drift({"score": 0.31}, 412, "darker")))
    metrics.about(about(bundle="maskgate-5", view_until=160.0))
    found = read(metrics)
    assert not any(name.startswith("maskgate_drift_index") for name in found)
    assert [name for name in found if "bundle=" in name] == [
        "maskgate_info{bundle=maskgate-5,mode=must_wear,runs_on=the processor,version=0.1.0}"
    ]
    assert found["maskgate_drift_alarm"] == 0
    assert found["maskgate_view_on"] == 1


def test_what_nobody_knows_is_no_number():
    found = read(Metrics(temperature=lambda: None))
    for name in ("temperature_celsius", "bundle_version", "drift_alarm", "daemon_uptime_seconds"):
        assert math.isnan(found[f"maskgate_{name}"]), name
    nameless = Metrics(temperature=lambda: None)
    nameless.about(about(bundle="no-bundle", made=""))
    found = read(nameless)
    assert math.isnan(found["maskgate_bundle_version"])
    assert math.isnan(found["maskgate_bundle_made_timestamp_seconds"])


def test_a_daemon_that_starts_anew_counts_and_one_that_speaks_again_does_not(metrics):
    metrics.about(about())
    metrics.connected(False)
    metrics.connected(True)
    metrics.about(about())
    assert read(metrics)["maskgate_daemon_starts_total"] == 1
    metrics.about(about(started=90.0))
    assert read(metrics)["maskgate_daemon_starts_total"] == 2


def test_there_are_no_more_series_with_time_and_no_faces_among_them(metrics):
    metrics.about(about())
    before = set(read(metrics))
    for number in range(50):
        metrics.bulletin(bulletin(f"NEW{number}", signals=(f"NEW{number}",), stages={f"new{number}": 1.0}))
        metrics.bulletin(bulletin("FAULT", f"something {number} is broken"))
        metrics.about(about(runs_on=f"the processor, not the Edge TPU: error {number}", started=float(number)))
    after = set(read(metrics))
    assert len(after) == len(before) < 200
    assert not any("face" in name for name in after)


def test_the_readme_lists_every_metric(metrics):
    metrics.about(about(drift=Drift({"score": 0.1})))
    exported = {re.sub("_(bucket|sum|count)$", "", name.partition("{")[0]) for name in read(metrics)}
    table = README.read_text("utf-8").partition("| `maskgate_...` |")[2].partition("\n\n")[0]
    listed = {f"maskgate_{name}" for name in re.findall(r"`([a-z_]+)(?:{[a-z_,]+})?`", table)}
    assert exported == listed


def test_the_hottest_sensor_is_told_and_one_that_is_off_is_none(tmp_path):
    assert hottest(tmp_path) is None
    for zone, text in (("thermal_zone0", "41000\n"), ("thermal_zone1", "53512\n"), ("thermal_zone2", "off\n")):
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "temp").write_text(text)
    (tmp_path / "thermal_zone3" / "temp").mkdir(parents=True)
    assert hottest(tmp_path) == 53.512
