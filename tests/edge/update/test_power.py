import itertools
import shutil

import pytest

from edge.update.change import back, locked, sweep
from edge.update.install import install
from edge.update.signature import read_folder
from edge.update.store import KINDS, current, installed_settings, load
from edge.update.trial import Health
from edge.update.watch import Watch
from tests.edge.update.power import LOSSES, cut_at
from tests.edge.update.workshop import FakeService, device, models, release, settings, stream, tree

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

NEXT = release(models(6), 6)
HEALTHY = Health("active", 0, "maskgate-6: IDLE, 15 frames/s")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody cuts the power of the tests themselves."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A device with settings and models installed."""
    folder = tmp_path_factory.mktemp("before")
    for content in (release(settings(), 1), release(models(5), 5)):
        install(device(folder), stream(content))
    return folder


def at_every_step(before, tmp_path, loss, work):
    """Each device on which `work` was cut off after one step more than before, until it comes to its end."""
    for step in itertools.count():
        folder = tmp_path / str(step)
        shutil.copytree(before, folder)
        one = device(folder, FakeService())
        done = cut_at(step, loss, one.store, lambda one=one: work(one))
        yield one
        if done:
            return
        shutil.rmtree(folder)


def is_healthy(one):
    """The daemon starts with what is in use, and that is whole."""
    state = load(one.store)
    for kind in KINDS:
        if state.shelf(kind).current:
            read_folder(current(one.store, kind))
    installed_settings(one.store, None)
    assert state.trial is None or (one.store / "trial").exists()
    return state


def locked_install(one):
    with locked(one.store):
        install(one, stream(NEXT))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_power_cut_at_any_step_of_an_installation_leaves_a_working_bundle(before, tmp_path, loss):
    seen = set()
    for one in at_every_step(before, tmp_path, loss, locked_install):
        state = is_healthy(one)
        seen.add(state.models.current)
        assert state.settings.current == "door-1"
        assert (state.trial is not None) == (state.models.current == "maskgate-6")
        locked_install(one)
        assert is_healthy(one).models.current == "maskgate-6"
        assert sorted(path.name for path in (one.store / "models").iterdir()) == ["maskgate-5", "maskgate-6"]
        assert not list(one.store.glob(".incoming*"))
    assert seen == {"maskgate-5", "maskgate-6"}


def test_so_does_one_at_any_step_of_the_first_installation_ever(tmp_path):
    (tmp_path / "empty" / "keys").mkdir(parents=True)
    seen = set()
    for one in at_every_step(tmp_path / "empty", tmp_path, "names", locked_install):
        seen.add(is_healthy(one).models.current)
        locked_install(one)
        assert is_healthy(one).models.current == "maskgate-6"
    assert seen == {"", "maskgate-6"}


def test_and_of_going_back(before, tmp_path):
    def go_back(one):
        with locked(one.store):
            state = load(one.store)
            sweep(one.store, back(one.store, state, "models", "by hand", "today"))

    after = tmp_path / "after"
    shutil.copytree(before, after)
    locked_install(device(after, FakeService()))
    seen = set()
    for one in at_every_step(after, tmp_path, "names", go_back):
        state = is_healthy(one)
        seen.add(state.models.current)
        assert (state.trial is None) == (state.models.current == "maskgate-5")
        with locked(one.store):
            sweep(one.store, load(one.store))
        is_healthy(one)
    assert seen == {"maskgate-5", "maskgate-6"}


def test_and_of_a_trial_that_ends_well(before, tmp_path):
    after = tmp_path / "after"
    shutil.copytree(before, after)
    locked_install(device(after, FakeService()))

    def watch(one):
        now = itertools.count(0, 2)
        Watch(one.store, FakeService(HEALTHY), "boot", lambda: next(now), lambda seconds: None).run()

    for one in at_every_step(after, tmp_path, "names", watch):
        assert is_healthy(one).models.current == "maskgate-6"
        watch(one)
        state = is_healthy(one)
        assert state.trial is None and "trial" not in tree(one.store) and state.models.current == "maskgate-6"
