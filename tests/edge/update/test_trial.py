import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.update.store import Trial
from edge.update.trial import (
    MOST_BOOTS,
    MOST_RESTARTS,
    UNWELL_SECONDS,
    Health,
    after,
    after_boot,
    ailment,
    failure,
    known_fault,
    passed,
)

TRIAL = Trial("models", "maskgate-5", left=60.0)
WELL = Health("active", 0, "maskgate-5: IDLE, 14.9 frames/s, 21 ms from frame to decision")
DARK = Health("active", 0, "maskgate-5: FAULT, the camera has given no frame for 0.5 s; check its cable")


def seen_for(seconds, health, trial=TRIAL):
    for _ in range(int(seconds)):
        trial = after(trial, health, 1.0)
    return trial


def test_a_release_that_runs_well_for_long_enough_stays():
    assert not passed(seen_for(59, WELL)) and passed(seen_for(60, WELL))


def test_a_fault_that_was_not_there_before_sends_it_back_after_half_a_minute():
    assert not failure(seen_for(30, DARK))
    told = failure(seen_for(31, DARK), ailment(TRIAL, DARK))
    assert told == "FAULT, the camera has given no frame for 0.5 s; check its cable; in sum 31 s"


def test_the_same_fault_as_before_is_not_its_fault_whatever_its_numbers():
    before = Health("active", 0, "maskgate-4: FAULT, the camera has given no frame for 7,5 s; check its cable")
    trial = msgspec.structs.replace(TRIAL, known_fault=known_fault(before))
    assert passed(seen_for(60, DARK, trial))


def test_another_fault_than_before_is():
    trial = msgspec.structs.replace(TRIAL, known_fault="the picture is black")
    assert failure(seen_for(31, DARK, trial))


@pytest.mark.parametrize(
    ("health", "told"),
    [
        (Health("failed"), "the service failed"),
        (Health("active"), "the service does not say how it does"),
        (Health("active", 0, "starting"), "the service does not say how it does"),
        (Health("active", 0, "maskgate-4: IDLE, 15 frames/s"), "the service runs maskgate-4, not maskgate-5"),
    ],
)
def test_other_ailments_are_named(health, told):
    assert ailment(TRIAL, health) == told
    assert failure(seen_for(31, health), told).startswith(told)


def test_settings_do_not_care_which_models_run():
    trial = Trial("settings", "door-3", left=60.0)
    assert passed(seen_for(60, WELL, trial))


@pytest.mark.parametrize("active", ["inactive", "activating", "deactivating", "unknown"])
def test_while_the_service_is_stopped_or_starting_no_time_passes(active):
    assert seen_for(1000, Health(active, 0, "maskgate-4: FAULT, old news")) == TRIAL


def test_a_release_that_keeps_restarting_has_to_go_at_once():
    trial = after(TRIAL, WELL, 1.0, restarts=2)
    assert not failure(trial)
    assert failure(after(trial, WELL, 1.0, restarts=1)) == "the service restarted 3 times while it was on trial"


def test_a_release_that_brings_the_device_down_is_gone_after_three_boots():
    trial = after_boot(msgspec.structs.replace(TRIAL, boot="a"), "a")
    assert trial.boots == 0
    for boot in "bcd":
        assert not failure(trial)
        trial = after_boot(trial, boot)
    assert failure(trial) == "the device started 3 times while it was on trial"


healths = st.builds(
    Health,
    st.sampled_from(["active", "failed", "activating", "inactive", "deactivating", "reloading"]),
    st.just(0),
    st.sampled_from([WELL.status, DARK.status, "", "maskgate-4: IDLE, x", "maskgate-5: ALLOW, x"])
    | st.text(max_size=9),
)
looks = st.lists(st.tuples(healths, st.floats(0.1, 4.0), st.integers(0, 1)), max_size=80)


@given(looks)
def test_it_never_both_stays_and_goes_and_every_count_only_grows(looks):
    trial = TRIAL
    for health, seconds, restarts in looks:
        later = after(trial, health, seconds, restarts)
        assert later.left <= trial.left and later.unwell >= trial.unwell and later.restarts >= trial.restarts
        assert not (passed(later) and failure(later))
        trial = later


@given(looks)
def test_it_goes_exactly_when_it_was_unwell_or_restarted_too_much(looks):
    trial = TRIAL
    for health, seconds, restarts in looks:
        trial = after(trial, health, seconds, restarts)
    unwell = sum(seconds for health, seconds, _ in looks if ailment(TRIAL, health))
    restarted = sum(restarts for _, _, restarts in looks)
    too_much = trial.unwell > UNWELL_SECONDS or restarted >= MOST_RESTARTS
    assert trial.unwell == pytest.approx(unwell)
    assert bool(failure(trial)) == too_much


@given(looks)
def test_a_running_service_is_decided_on_within_the_trial_and_half_a_minute(looks):
    running = [(health, seconds) for health, seconds, _ in looks if health.active in ("active", "failed")]
    trial = TRIAL
    for health, seconds in running:
        trial = after(trial, health, seconds)
    if sum(seconds for _, seconds in running) > TRIAL.left + UNWELL_SECONDS + 0.001:
        assert passed(trial) or failure(trial)


@given(st.lists(st.sampled_from("abc")))
def test_boots_are_counted_once_each(boots):
    trial = TRIAL
    for boot in boots:
        trial = after_boot(trial, boot)
    assert trial.boots == sum(one != other for one, other in zip(boots, ["", *boots], strict=False))
    assert bool(failure(trial)) == (trial.boots >= MOST_BOOTS)
