import numpy as np
import pytest

from edge.bench.measure import STAGES, camera_before, doorway, measure
from edge.contract import load_bundle
from edge.errors import ModelError


def test_every_stage_of_every_frame_is_measured():
    run = measure(load_bundle(), (320, 240), faces=2, frames=5)
    assert run.found == 2
    assert len(run.frames) == len(run.cpu) == 5
    assert {stage: len(each) for stage, each in run.stages.items()} == dict.fromkeys(STAGES, 5)
    assert all(min(run.stages[stage]) > 0 for stage in STAGES)


def test_the_stages_are_parts_of_the_frame():
    run = measure(load_bundle(), (320, 240), faces=1, frames=5)
    parts = np.sum([run.stages[stage] for stage in STAGES if stage != "capture"], axis=0)
    assert (parts <= run.frames).all()


def test_in_an_empty_room_the_locator_looks_at_few_frames():
    run = measure(load_bundle(), (320, 240), faces=0, frames=20)
    assert run.found == 0
    assert 0 < np.count_nonzero(run.stages["check"])
    assert np.count_nonzero(run.stages["locate"]) < 10


def test_what_makes_the_door_faulty_ends_the_measurement():
    class Broken:
        def judge(self, rgb):
            raise ModelError("gives nonsense")

    camera = camera_before((160, 120), 0)
    with doorway(Broken(), camera) as see, pytest.raises(ModelError, match="gives nonsense"):
        see(camera.frame())
