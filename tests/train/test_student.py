"""The student for real: needs the train extra (make test-slow)."""

from types import SimpleNamespace

import numpy as np
import pytest

from edge.locate import cells

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
HEIGHT, WIDTH = 64, 96
GRID = cells(SimpleNamespace(width=WIDTH, height=HEIGHT, strides=(8, 16, 32)))
PIXELS = np.random.default_rng(0).uniform(0, 255, (2, HEIGHT, WIDTH, 3)).astype(np.float32)
FACE = np.array([[[20, 12, 60, 52, 1.0]]] * 2, np.float32)


@pytest.fixture
def pair():
    """A student and its teacher, untrained."""
    from train.networks import locator

    return locator("student", HEIGHT, WIDTH, "none"), locator("yunet", HEIGHT, WIDTH, "none")


def test_a_student_starts_with_the_teachers_neck_and_heads(pair, tmp_path):
    from train.networks import locator

    _, teacher = pair
    teacher.save(tmp_path / "teacher.keras")
    student = locator("student", HEIGHT, WIDTH, str(tmp_path / "teacher.keras"))
    for name in ("pw234", "dw313"):
        mine, his = (each.get_layer("network").get_layer(name).get_weights() for each in (student, teacher))
        assert all(map(np.array_equal, mine, his))


def test_both_say_their_six_terms_of_every_cell(pair):
    from train.student import with_teacher

    terms = np.asarray(with_teacher(*pair)(PIXELS))
    assert np.allclose(terms, np.concatenate([np.asarray(each(PIXELS)) for each in pair], axis=-1), atol=1e-4)


def test_a_student_learns_his_features_and_the_teacher_stays_as_he_is(pair):
    from train.student import fronts_apart, mean_square

    student, teacher = pair
    before = [each.copy() for each in teacher.get_weights()]
    apart = fronts_apart(student, teacher)
    apart.compile("adam", mean_square)
    losses = [float(apart.train_on_batch(PIXELS, FACE)) for _ in range(8)]
    assert losses[-1] < losses[0]
    assert all(map(np.array_equal, before, teacher.get_weights()))


def test_what_a_student_says_unlike_its_teacher_costs(pair):
    from train.losses import SimOtaLoss
    from train.student import TERMS, TaughtLoss, with_teacher

    def taught(said):
        return float(TaughtLoss(GRID)(FACE, said)) - float(SimOtaLoss(GRID)(FACE, said[..., :TERMS]))

    _, teacher = pair
    alike = np.asarray(with_teacher(teacher, teacher)(PIXELS))
    for term in range(TERMS):
        unlike = alike.copy()
        unlike[..., term] += 3.0
        assert taught(unlike) > taught(alike)


def test_naming_a_teacher_asks_for_his_student():
    from train.options import parse

    given = parse(["locator", "--teacher", "build/train/locator.keras"])
    assert (given.backbone, given.weights) == ("student", "build/train/locator.keras")
