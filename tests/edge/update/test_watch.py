import pytest
from msgspec.structs import replace

from edge.update.change import back, locked, save
from edge.update.install import boot_id, install
from edge.update.store import load
from edge.update.trial import Health
from edge.update.watch import SAVED, Watch
from tests.edge.update.workshop import FakeService, device, models, release, settings, stream

WELL = Health("active", 0, "maskgate-5: IDLE, 14.9 frames/s")
CRASHES = [Health("activating", count) for count in range(9)]


class Clock:
    """Time passes only when somebody sleeps; `at`: what happens then."""

    def __init__(self, **at):
        self.now = 0.0
        self.at = {float(moment.removeprefix("s")): happens for moment, happens in at.items()}

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for moment in [moment for moment in self.at if moment <= self.now]:
            self.at.pop(moment)()


class PowerCut(BaseException):
    pass


def cut():
    raise PowerCut


@pytest.fixture
def on_trial(tmp_path):
    """A device with maskgate-5 on trial for 60 s."""
    one = device(tmp_path, FakeService())
    install(one, stream(release(models())))
    return one


def watch(one, *shown, clock=None, boot=None):
    service, clock = FakeService(*shown), clock or Clock()
    return Watch(one.store, service, boot or boot_id(), clock, clock.sleep).run(), service, clock


def test_a_release_that_does_well_stays(on_trial, capsys):
    stayed, service, clock = watch(on_trial, WELL)
    assert stayed and clock.now == 60 and service.asked == []
    state = load(on_trial.store)
    assert state.trial is None and state.models.current == "maskgate-5" and not (on_trial.store / "trial").exists()
    assert capsys.readouterr().out == "maskgate-5: did well; it stays\n"


def test_one_that_crashes_is_taken_back_by_itself_and_the_reason_kept(on_trial, capsys):
    stayed, service, clock = watch(on_trial, *CRASHES)
    assert not stayed and clock.now <= 10 and service.asked == ["restart"]
    state = load(on_trial.store)
    assert state.trial is None and state.models.current == "" and state.models.highest == 5
    assert state.rollback.release == "maskgate-5" and "restarted 3 times" in state.rollback.reason
    assert "back to what came with the package" in capsys.readouterr().out
    assert not (on_trial.store / "trial").exists()


def test_what_was_before_comes_back(tmp_path, capsys):
    one = device(tmp_path)
    install(one, stream(release(models())))
    install(device(tmp_path, FakeService()), stream(release(models(6), 6)))
    dark = Health("active", 0, "maskgate-6: FAULT, the picture is black")
    watch(one, dark)
    assert load(one.store).models.current == "maskgate-5"
    assert "FAULT, the picture is black; in sum 32 s; back to maskgate-5" in capsys.readouterr().out


def test_a_count_of_restarts_that_began_anew_goes_on(on_trial):
    stayed, *_ = watch(on_trial, *(Health("activating", count) for count in (5, 6, 0, 1, 0, 1)))
    assert not stayed


def test_what_was_before_the_first_look_does_not_count(on_trial):
    stayed, *_ = watch(on_trial, Health("active", 9, WELL.status))
    assert stayed


def test_with_nothing_on_trial_there_is_nothing_to_do(tmp_path):
    (tmp_path / "trial").touch()
    stayed, service, clock = watch(device(tmp_path), WELL)
    assert stayed and clock.now == 0 and service.asked == []


def test_after_a_power_cut_it_goes_on_where_it_was(tmp_path):
    one = device(tmp_path, FakeService())
    settings_of_trial = one.settings.update.trial_seconds
    install(one, stream(release(models())))
    with pytest.raises(PowerCut):
        watch(one, WELL, clock=Clock(s50=cut))
    assert load(one.store).trial.left == settings_of_trial
    stayed, _, clock = watch(one, WELL, boot="the next")
    assert stayed and clock.now == 60


def test_at_most_a_minute_of_a_long_trial_is_repeated(on_trial):
    state = load(on_trial.store)
    save(on_trial.store, replace(state, trial=replace(state.trial, left=600.0)))
    with pytest.raises(PowerCut):
        watch(on_trial, WELL, clock=Clock(s400=cut))
    assert 200 <= load(on_trial.store).trial.left <= 200 + SAVED


def test_the_third_boot_ends_it_before_the_service_is_looked_at(on_trial):
    for boot in ("one", "two"):
        with pytest.raises(PowerCut):
            watch(on_trial, Health("activating"), clock=Clock(s0=cut), boot=boot)
    stayed, service, clock = watch(on_trial, Health("activating"), boot="three")
    assert not stayed and clock.now == 0 and service.asked == ["restart"]
    assert "started 3 times" in load(on_trial.store).rollback.reason


def test_a_trial_that_somebody_else_ended_is_left_alone(on_trial):
    def by_hand():
        with locked(on_trial.store):
            back(on_trial.store, load(on_trial.store), "models", "by hand", "today")

    stayed, service, clock = watch(on_trial, WELL, clock=Clock(s10=by_hand))
    assert stayed and clock.now == 10 and service.asked == []
    assert load(on_trial.store).rollback.reason == "by hand"


def test_the_next_trial_is_watched_too(on_trial):
    def next_one():
        with locked(on_trial.store):
            back(on_trial.store, load(on_trial.store), "models", "by hand", "today")
            install(on_trial, stream(release(settings(), 1)))

    stayed, _, clock = watch(on_trial, WELL, clock=Clock(s10=next_one))
    assert stayed and clock.now == 70
    assert load(on_trial.store).settings.current == "door-1" and load(on_trial.store).trial is None


def test_systemd_hears_of_it_once_the_boot_is_counted(on_trial, monkeypatch):
    told = []
    monkeypatch.setattr(
        "edge.update.watch.notify", lambda message: told.append((message, load(on_trial.store).trial.boots))
    )
    watch(on_trial, WELL, boot="the next")
    assert told == [("READY=1", 1)]
