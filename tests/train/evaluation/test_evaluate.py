import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.contract import load_bundle
from edge.errors import InputError
from edge.values import WITH_MASK, WITHOUT_MASK, Box
from train.datasets import CROPS, FACES, NEGATIVES, SCENES, Picture
from train.evaluation.evaluate import box_pictures, evaluate, newest_bundle
from train.evaluation.tables import MAIN, main_table, text
from train.measure import per_100, share
from train.options import parse
from train.readers import COVERED, LabelledBox


def write(file, seed):
    """A face-like picture by chance: an oval on noise."""
    rgb = np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)
    cv2.ellipse(rgb, (80, 60), (25, 35), 0, 0, 360, (150, 170, 220), -1)
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), rgb)
    return file


def pictures(data):
    """Two scenes, a face-free picture, a portrait and a tight picture of a covered face."""
    face = Box(55, 25, 105, 95)
    boxes = {label: (LabelledBox(label, face),) for label in (WITH_MASK, WITHOUT_MASK)}
    return [
        Picture(write(data / f"{k}.png", k), kind, f"source {k}", str(k), label, boxed)
        for k, (kind, label, boxed) in enumerate(
            [
                (SCENES, None, boxes[WITH_MASK]),
                (SCENES, None, boxes[WITHOUT_MASK]),
                (NEGATIVES, None, ()),
                (FACES, WITH_MASK, boxes[WITH_MASK]),
                (CROPS, COVERED, ()),
            ]
        )
    ]


def benchmark(folder):
    write(folder / "images" / "a.png", 9)
    (folder / "boxes.csv").write_text("image,label,x_min,y_min,x_max,y_max\na.png,with_mask,55,25,105,95\n")
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    found = evaluate(load_bundle(), pictures(data), data, benchmark(data / "other"), report=data / "report")
    return data / "report", found


def test_every_set_is_judged(report):
    sets = report[1]["sets"]
    assert {name: each["pictures"] for name, each in sets.items()} == {"test": 3, "faces": 1, "benchmark": 1}
    assert sets["test"]["near"]["faces"] == 2
    assert sets["test"]["near"]["face_free_found"]["n"] == 1
    assert list(sets["test"]["sources"]) == ["source 0", "source 1", "source 2"]


def test_tight_pictures_of_a_covered_face_are_counted_among_the_crops(report):
    crops = report[1]["crops"]
    assert crops["faces"] == 4
    assert crops["false_accepts"][COVERED]["n"] == 1


def test_the_figures_lie_beside_the_page_as_json(report):
    folder, found = report
    written = json.loads((folder / "evaluation.json").read_text("utf-8"))
    assert {key: value for key, value in written.items() if key != "wrong"} == json.loads(json.dumps(found))
    assert sum(len(each) for each in written["wrong"].values()) > 0


def test_the_page_opens_with_the_main_table(report):
    page = (report[0] / "index.html").read_text("utf-8")
    assert page.index("wrongly worn called masked") < page.index("<h2")
    assert all(name in page for _, name in MAIN)


def test_the_table_has_a_column_a_set(report):
    head, *rows = main_table(report[1]).splitlines()
    assert [cell.strip() for cell in head.split("|")[1:-1]] == ["", "test", "faces", "benchmark"]
    assert len(rows) == 1 + len(MAIN)


def test_figures_as_text():
    assert text(share(826, 850)) == "97.2 % (95.8 to 98.1; 826 of 850)"
    assert text(per_100(8, 100), rate=True) == "8.0 (3.5 to 15.8; 8 in 100)"
    assert text(share(0, 0)) == "-"


def test_a_benchmark_without_boxes_is_refused(tmp_path):
    with pytest.raises(InputError, match="no boxes"):
        box_pictures(tmp_path)


def test_the_newest_bundle_is_the_one_with_the_highest_number(tmp_path):
    for name in ("maskgate-9", "maskgate-10", "maskgate-10.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bundle.json").touch()
    assert newest_bundle(tmp_path) == tmp_path / "maskgate-10"
    assert newest_bundle(tmp_path / "none") is None


def test_options_have_their_defaults():
    assert parse(["evaluate"]).float == Path("build/train")
    assert parse(["evaluate"]).leave_out is None
    assert parse(["evaluate", "--leave-out"]).leave_out == []
    assert parse(["evaluate", "--leave-out", "hall"]).leave_out == ["hall"]
