import base64
import json
import re

import cv2
import numpy as np
import pytest

from edge.errors import InputError
from edge.values import Box, Face
from train import plots
from train.report import LocatedPicture, Sample, report_classifier, report_locator, write_page

HISTORY = {
    "loss": [1.0, 0.6, 0.4, 0.3],
    "val_loss": [0.9, 0.7, 0.5, 0.5],
    "accuracy": [0.5, 0.7, 0.8, 0.9],
    "val_accuracy": [0.5, 0.6, 0.8, 0.8],
}
SETTINGS = {"backbone": "mobilenet_0.25", "head_epochs": 2, "data": "f00d" * 16, "seed": np.int64(7)}


def noise(size, seed):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def faces(mistakes=True):
    """30 faces in turn bare, masked, incorrect; the mistakes are two false accepts and one false reject."""
    samples = [Sample(f"door/{k}.jpg", "door", k % 3, noise(32, k)) for k in range(30)]
    said = np.arange(30) % 3
    scores = np.full(30, 0.9)
    if mistakes:
        said[[0, 5, 4]] = 1, 1, 0
        scores[[0, 5, 4]] = 0.6, 0.8, 0.99
    probabilities = np.tile((1 - scores[:, None]) / 2, 3)
    probabilities[np.arange(30), said] = scores
    return samples, np.float32(probabilities)


def pictures(source="hall"):
    """Three with one face each, the last of which is missed; in the second a false detection."""
    face, elsewhere = Box(10, 10, 40, 50), Box(60, 50, 90, 90)
    found = [(Face(face, 0.9),), (Face(face, 0.8), Face(elsewhere, 0.7)), (Face(face, 0.2),)]
    return [LocatedPicture(f"hall/{k}.jpg", source, noise(100, k), (face,), (), each) for k, each in enumerate(found)]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    classifier = report_classifier(folder, HISTORY, *faces(), SETTINGS)
    locator = report_locator(folder, {"loss": [3.0, 2.0]}, pictures(), 0.5, {"data": "beef" * 16, "seed": 7})
    return folder, {"classifier": classifier, "locator": locator}


@pytest.fixture(scope="module")
def folder(report):
    return report[0]


PICTURES = [
    *(f"classifier_{name}.png" for name in ("calibration", "confusion", "learning", "mistakes", "precision_recall")),
    *(f"locator_{name}.png" for name in ("curve", "false", "learning", "misses")),
]


def test_every_picture_is_there(folder):
    assert sorted(file.name for file in folder.glob("*.png")) == PICTURES


@pytest.mark.parametrize("name", PICTURES)
def test_no_picture_is_blank(folder, name):
    picture = cv2.imread(str(folder / name))
    assert min(picture.shape[:2]) > 100
    assert picture.std() > 10


def test_the_page_holds_every_picture_and_nothing_from_outside(folder):
    page = (folder / "index.html").read_text("utf-8")
    embedded = {base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([^\"]+)", page)}
    assert embedded == {file.read_bytes() for file in folder.glob("*.png")}
    assert not re.search(r"https?:|<script|<link|@import|url\(|javascript:", page)
    assert set(re.findall(r'href="([^"]*)"', page)) == {"#classifier", "#locator"}


def test_the_page_opens_with_false_accepts(folder):
    page = (folder / "index.html").read_text("utf-8")
    first_card = re.search(r'<div class="card[^>]*>(.*?)</div>', page)[1]
    assert first_card.startswith("False accepts") and "<b>10.0 %</b>" in first_card and "2 of 20" in first_card


def test_the_page_tells_the_settings_and_both_fingerprints(folder):
    page = (folder / "index.html").read_text("utf-8")
    for text in ("mobilenet_0.25", "f00d" * 16, "beef" * 16):
        assert text in page


def test_false_accepts_stand_before_surer_mistakes(folder):
    mistakes = json.loads((folder / "classifier.json").read_text())["mistakes"]
    assert [each["name"] for each in mistakes] == ["door/5.jpg", "door/0.jpg", "door/4.jpg"]
    assert mistakes[0] | {"score": 0.8} == {
        "name": "door/5.jpg",
        "source": "door",
        "truth": "incorrect",
        "verdict": "with_mask",
        "score": 0.8,
    }


def test_misses_and_false_detections_are_named(folder):
    content = json.loads((folder / "locator.json").read_text())
    assert [(each["name"], each["score"]) for each in content["misses"]] == [("hall/2.jpg", 0.2)]
    assert [(each["name"], each["box"]) for each in content["false"]] == [("hall/1.jpg", [60, 50, 90, 90])]


@pytest.mark.parametrize("part", ["classifier", "locator"])
def test_the_figures_returned_are_those_on_disk(report, part):
    folder, figures = report
    content = json.loads((folder / f"{part}.json").read_text())
    assert content["figures"] == figures[part]
    assert content["settings"]["seed"] == 7


def test_without_mistakes_an_earlier_sheet_goes_and_the_page_says_so(tmp_path):
    (tmp_path / "classifier_mistakes.png").touch()
    report_classifier(tmp_path, HISTORY, *faces(mistakes=False), SETTINGS)
    assert not (tmp_path / "classifier_mistakes.png").exists()
    assert "None in the test split." in (tmp_path / "index.html").read_text("utf-8")


def test_a_page_of_one_part_leaves_the_other_out(tmp_path):
    report_locator(tmp_path, {}, pictures(), 0.5, {})
    page = write_page(tmp_path, "a door & its <camera>").read_text("utf-8")
    assert "<h1>a door &amp; its &lt;camera&gt;</h1>" in page
    assert "Locator" in page and "Classifier" not in page


def test_pictures_without_faces_alone_can_be_reported(tmp_path):
    empty = [LocatedPicture("wall.jpg", "wall", noise(64, 0), (), (), ())]
    assert report_locator(tmp_path, {}, empty, 0.5, {})["recall"]["value"] is None


def test_names_that_look_like_html_are_shown_as_they_are(tmp_path):
    report_locator(tmp_path, {}, pictures("<script>"), 0.5, {"<i>": ["<b>"]})
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "&lt;script&gt;" in page and "&lt;i&gt;" in page and "&lt;b&gt;" in page
    assert not re.search("<script|<i>", page)


def test_an_empty_test_split_is_refused(tmp_path):
    with pytest.raises(InputError, match="no face"):
        report_classifier(tmp_path, HISTORY, [], np.zeros((0, 3), np.float32), SETTINGS)
    with pytest.raises(InputError, match="no picture"):
        report_locator(tmp_path, {}, [], 0.5, {})


def test_a_network_that_gives_no_numbers_is_refused(tmp_path):
    samples, probabilities = faces()
    with pytest.raises(InputError, match="nan"):
        report_classifier(tmp_path, HISTORY, samples, probabilities * np.float32(np.nan), SETTINGS)


def test_surroundings_show_the_box_in_the_middle_and_grey_beyond_the_picture():
    white = np.full((100, 100, 3), 255, np.uint8)
    tile = plots.surroundings(white, Box(0, 0, 40, 40), "#ff0000")
    quarter, middle = plots.TILE // 4, plots.TILE // 2
    assert tile[middle, quarter].tolist() == [255, 0, 0]
    assert tile[middle, middle].tolist() == [255, 255, 255]
    assert tile[quarter // 2, quarter // 2].tolist() == [225, 228, 232]


def test_a_contact_sheet_has_six_columns(tmp_path):
    tiles = [plots.Tile(noise(48, k), ("without → with", "a very long name of a source indeed")) for k in range(8)]
    plots.contact_sheet(tmp_path / "sheet.png", tiles)
    height, width = cv2.imread(str(tmp_path / "sheet.png")).shape[:2]
    assert width == plots.GAP + 6 * (plots.TILE + plots.GAP)
    assert 2 * plots.TILE < height < 3 * plots.TILE
