import cv2
import numpy as np
import pytest

from edge.values import INCORRECT, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box
from train.evaluation.slices import (
    PATCH,
    RULES,
    SlicedFace,
    assign,
    by_slice,
    likeness_to_mirror,
    mask_colour,
    patch,
    sharpness,
    worst,
)

BOX = Box(60, 40, 140, 140)


def masked(rgb, colour, printed=False):
    rgb[95:140, 60:140] = colour
    if printed:
        rgb[95:140:8, 60:140] = rgb[95:140, 60:140:8] = (250, 240, 40)
    return rgb


def sliced(label, verdict, value="dark", times=1):
    return [SlicedFace(label, {"brightness": value}, verdict is not None, verdict)] * times


def test_every_slice_has_its_rule_written_down(face):
    for label in (WITHOUT_MASK, WITH_MASK, INCORRECT, "covered", "face"):
        assert set(assign(face(), BOX, label)) <= set(RULES)


def test_a_patch_is_the_box_and_beyond_the_border_its_pixels_repeat(face):
    rgb = face()
    assert patch(rgb, BOX).shape == (PATCH, PATCH, 3)
    beyond = patch(rgb, Box(-50, 0, 50, 100))
    assert (beyond[:, :16] == beyond[:, 16:17]).all()


def test_a_box_outside_the_picture_gives_a_black_patch(face):
    assert not patch(face(), Box(300, 300, 340, 350)).any()


def test_of_a_picture_of_a_face_alone_the_height_is_not_told_by_its_box(face):
    assert assign(face(), None, WITHOUT_MASK)["height"] == "the whole picture"


@pytest.mark.parametrize(
    ("height", "told"), [(10, "below 8 %"), (20, "8 to 12 %"), (30, "12 to 20 %"), (100, "from 40 %")]
)
def test_the_height_is_a_share_of_the_pictures(height, told):
    assert assign(np.zeros((200, 200, 3), np.uint8), Box(50, 50, 90, 50 + height), "face")["height"] == told


@pytest.mark.parametrize(("gain", "told"), [(0.3, "dark"), (0.8, "medium"), (1.25, "bright")])
def test_brightness_is_the_faces_mean(face, gain, told):
    rgb = np.clip(face() * gain, 0, 255).astype(np.uint8)
    assert assign(rgb, BOX, WITHOUT_MASK)["brightness"] == told


def test_blur_lowers_the_sharpness_and_contrast_does_not():
    rgb = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    sharp = sharpness(patch(rgb, BOX))
    assert sharpness(patch(cv2.GaussianBlur(rgb, (0, 0), 3), BOX)) < 0.5 < sharp
    assert sharpness(patch((rgb // 3 + 60).astype(np.uint8), BOX)) == pytest.approx(sharp, rel=0.05)


def test_a_face_turned_aside_is_less_like_its_mirror_image(face):
    assert likeness_to_mirror(patch(face(), BOX)) > 0.9
    assert likeness_to_mirror(patch(face(turn=0.25), BOX)) < likeness_to_mirror(patch(face(), BOX)) - 0.2


def test_a_face_a_little_off_its_box_is_still_frontal(face):
    moved = Box(BOX.x_min + 4, BOX.y_min, BOX.x_max + 4, BOX.y_max)
    assert assign(face(), moved, WITHOUT_MASK)["head turn"] == "frontal"


@pytest.mark.parametrize(
    ("colour", "told"),
    [((160, 195, 225), "light"), ((235, 235, 235), "light"), ((30, 30, 34), "black"), ((190, 50, 60), "other")],
)
def test_a_masks_colour(face, colour, told):
    assert mask_colour(patch(masked(face(), colour), BOX)) == told


def test_a_mask_with_a_pattern_is_printed(face):
    assert mask_colour(patch(masked(face(), (40, 60, 140), printed=True), BOX)) == "printed"


def test_only_masks_have_a_colour_and_only_bare_faces_a_beard(face):
    assert "mask" not in assign(face(), BOX, WITHOUT_MASK)
    assert "beard" not in assign(masked(face(), (30, 30, 34)), BOX, WITH_MASK)


def test_dark_skin_appears_dark_and_light_skin_light(face):
    assert assign(face(skin=(95, 62, 48)), BOX, WITHOUT_MASK)["skin"] == "appears dark"
    assert assign(face(skin=(235, 205, 185)), BOX, WITHOUT_MASK)["skin"] == "appears light"


def test_a_grey_picture_does_not_tell_the_skin(face):
    grey = cv2.cvtColor(cv2.cvtColor(face(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert "skin" not in assign(grey, BOX, WITHOUT_MASK)


def test_figures_count_found_faces_and_recall_counts_all():
    faces = [
        *sliced(WITHOUT_MASK, WITH_MASK), *sliced("covered", UNKNOWN), *sliced(INCORRECT, None),
        *sliced(WITH_MASK, UNKNOWN), *sliced(WITH_MASK, WITH_MASK, times=2), *sliced("face", WITH_MASK),
    ]  # fmt: skip
    figures = by_slice(faces)["brightness"]["dark"]
    assert figures["faces"] == 7
    counts = {
        name: (figures[name]["count"], figures[name]["n"]) for name in ("recall", "false_accepts", "false_rejects")
    }
    assert counts == {"recall": (6, 7), "false_accepts": (1, 2), "false_rejects": (1, 3)}


def test_the_worst_value_is_the_one_that_may_be_worst_and_small_ones_say_nothing():
    faces = [
        *sliced(WITHOUT_MASK, WITH_MASK, "dark", 29),
        *sliced(WITHOUT_MASK, WITH_MASK, "medium", 3), *sliced(WITHOUT_MASK, WITHOUT_MASK, "medium", 97),
        *sliced(WITHOUT_MASK, WITHOUT_MASK, "bright", 40),
    ]  # fmt: skip
    told = worst(by_slice(faces))
    assert (told["false_accepts"]["slice"], told["false_accepts"]["value"]) == ("brightness", "bright")
    assert told["recall"]["value"] == "bright"
    assert told["false_rejects"] is None
