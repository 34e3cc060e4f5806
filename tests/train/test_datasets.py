"""What is read from each form of data set, and what bad ones are answered with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.errors import InputError
from edge.values import Box
from train.datasets import LabelledBox, Picture, download, find_data, read_pictures
from train.readers import label_of


def draw(path: Path, width: int = 40, height: int = 50, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def only(pictures: list[Picture]) -> Picture:
    (picture,) = pictures
    return picture


HEADER = "image,label,x_min,y_min,x_max,y_max"


def test_a_folder_data_set_takes_its_labels_from_its_folders(tmp_path: Path) -> None:
    for label in ("with_mask", "without_mask", "incorrect", "covered"):
        draw(tmp_path / label / "a.jpg")
    pictures = read_pictures(tmp_path)
    assert [(each.kind, each.label) for each in pictures] == [
        ("faces", label) for label in ("covered", "incorrect", "with_mask", "without_mask")
    ]
    assert pictures[0].path == tmp_path / "covered" / "a.jpg"
    assert pictures[0].group == "covered/a.jpg"
    assert pictures[0].source == "faces"


def test_boxes_csv_adds_the_box_to_a_folder_data_set(tmp_path: Path) -> None:
    draw(tmp_path / "with_mask" / "a.jpg")
    draw(tmp_path / "with_mask" / "b.jpg")
    write(tmp_path / "boxes.csv", HEADER, "with_mask/a.jpg,with_mask,1,2,30.5,40")
    first, second = read_pictures(tmp_path)
    assert first.boxes == (LabelledBox("with_mask", Box(1, 2, 30.5, 40)),)
    assert second.boxes == ()


def test_images_csv_names_sources_and_groups(tmp_path: Path) -> None:
    draw(tmp_path / "with_mask" / "a.jpg")
    draw(tmp_path / "with_mask" / "b.jpg")
    write(tmp_path / "images.csv", "image,source,group,width,height", "with_mask/a.jpg,camera,7,40,50")
    first, second = read_pictures(tmp_path)
    assert (first.source, first.group) == ("camera", "7")
    assert (second.source, second.group) == ("faces", "with_mask/b.jpg")


def test_a_folder_of_kinds_reads_each_by_its_own_kind_and_never_the_benchmark(tmp_path: Path) -> None:
    draw(tmp_path / "faces" / "with_mask" / "a.jpg")
    draw(tmp_path / "crops" / "covered" / "a.jpg")
    draw(tmp_path / "scenes" / "images" / "a.jpg")
    write(tmp_path / "scenes" / "boxes.csv", HEADER, "a.jpg,ignore,1,2,3,4")
    draw(tmp_path / "negatives" / "a.jpg")
    write(tmp_path / "negatives" / "images.csv", "image,source", "a.jpg,kitchens")
    draw(tmp_path / "negatives" / "benchmark" / "a.jpg")
    draw(tmp_path / "benchmark" / "images" / "a.jpg")
    write(tmp_path / "benchmark" / "boxes.csv", HEADER, "a.jpg,with_mask,1,2,3,4")
    pictures = read_pictures(tmp_path)
    assert [(each.kind, each.label, len(each.boxes)) for each in pictures] == [
        ("crops", "covered", 0),
        ("faces", "with_mask", 0),
        ("negatives", None, 0),
        ("scenes", None, 1),
    ]
    assert pictures[2].source == "kitchens"


@pytest.mark.parametrize("given", [".", "images", "../linked"])
def test_the_benchmark_itself_is_refused(tmp_path: Path, given: str) -> None:
    benchmark = tmp_path / "benchmark"
    draw(benchmark / "images" / "a.jpg")
    write(benchmark / "boxes.csv", HEADER, "a.jpg,with_mask,1,2,3,4")
    (tmp_path / "linked").symlink_to(benchmark)
    with pytest.raises(InputError, match="never trained on"):
        read_pictures(benchmark / given)


def test_the_benchmark_is_refused_behind_a_link_named_scenes(tmp_path: Path) -> None:
    draw(tmp_path / "benchmark" / "images" / "a.jpg")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "scenes").symlink_to(tmp_path / "benchmark")
    with pytest.raises(InputError, match="never trained on"):
        read_pictures(tmp_path / "data")


def test_a_csv_data_set_may_hold_its_pictures_beside_the_csv_or_in_images(tmp_path: Path) -> None:
    for place, name in (("beside", "a.png"), ("inside/images", "a.png"), ("spelled/images", "images/a.png")):
        draw(tmp_path / place / "a.png")
        write(tmp_path / place.split("/")[0] / "boxes.csv", HEADER, f"{name},No Mask,1,2,3,4")
        picture = only(read_pictures(tmp_path / place.split("/")[0]))
        assert picture.path == tmp_path / place / "a.png"
        assert (picture.kind, picture.label) == ("scenes", None)
        assert picture.boxes == (LabelledBox("without_mask", Box(1, 2, 3, 4)),)


def test_a_picture_that_no_box_file_names_holds_no_face_and_a_missing_one_is_kept_for_the_audit(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "empty.jpg")
    write(tmp_path / "boxes.csv", HEADER, "gone.jpg,face,1,2,3,4")
    empty, gone = read_pictures(tmp_path)
    assert empty.boxes == ()
    assert gone.path == tmp_path / "images" / "gone.jpg"


VOC = """<annotation><filename>{name}</filename><size><width>40</width><height>50</height></size>
<object><name>mask_weared_incorrect</name><bndbox><xmin>4</xmin><ymin>5</ymin><xmax>20</xmax><ymax>25</ymax></bndbox></object>
<object><name>with_mask</name><bndbox><xmin>{xmin}</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>
</annotation>"""


@pytest.mark.parametrize("images", ["images", "JPEGImages"])
@pytest.mark.parametrize("name", ["a.png", "C:\\photos\\a.png", "other.jpg", ""])
def test_pascal_voc_gives_boxes_in_pixels(tmp_path: Path, images: str, name: str) -> None:
    draw(tmp_path / images / "a.png")
    write(tmp_path / "annotations" / "a.xml", VOC.format(name=name, xmin=1))
    picture = only(read_pictures(tmp_path))
    assert picture.path == tmp_path / images / "a.png"
    assert picture.boxes == (
        LabelledBox("incorrect", Box(4, 5, 20, 25)),
        LabelledBox("with_mask", Box(1, 2, 9, 9)),
    )


def test_yolo_gives_boxes_in_pixels_of_the_picture(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "a.png", width=100, height=50)
    draw(tmp_path / "images" / "none.png")
    write(tmp_path / "labels" / "a.txt", "1 0.5 0.5 0.2 0.4", "", "0 0.25 0.5 0.5 1")
    write(tmp_path / "classes.txt", "mask", "no-mask")
    with_boxes, without = read_pictures(tmp_path)
    assert with_boxes.boxes == (
        LabelledBox("without_mask", Box(40, 15, 60, 35)),
        LabelledBox("with_mask", Box(0, 0, 50, 50)),
    )
    assert without.boxes == ()


def test_yolo_boxes_follow_the_turn_that_a_telephone_wrote_into_the_picture(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    (tmp_path / "images").mkdir()
    Image.new("RGB", (100, 50)).save(tmp_path / "images" / "a.jpg", exif=turned)
    write(tmp_path / "labels" / "a.txt", "0 0.5 0.5 1 1")
    write(tmp_path / "classes.txt", "face")
    assert only(read_pictures(tmp_path)).boxes[0].box == Box(0, 0, 50, 100)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "with_mask\nwithout_mask\n"),
        ("labels/classes.txt", "with_mask\nwithout_mask"),
        ("obj.names", "with_mask\r\nwithout_mask\r\n"),
        ("data.yaml", "nc: 2\nnames: ['with_mask', 'without_mask']\n"),
        ("data.yaml", "names: [with mask, without-mask]\nnc: 2\n"),
        ("data.yaml", 'names: {0: "with_mask", 1: without_mask}\n'),
        ("data.yaml", "names:\n  0: with_mask\n  1: without_mask\nnc: 2\n"),
        ("data.yaml", "train: images\nnames:\n- with_mask\n- 'without_mask'\n"),
    ],
)
def test_yolo_class_names_are_read_from_every_usual_file(tmp_path: Path, file: str, text: str) -> None:
    draw(tmp_path / "images" / "a.png")
    write(tmp_path / "labels" / "a.txt", "0 .5 .5 .5 .5", "1 .5 .5 .5 .5")
    (tmp_path / file).write_text(text)
    assert [each.label for each in only(read_pictures(tmp_path)).boxes] == ["with_mask", "without_mask"]


def test_yolo_may_come_split_up_into_train_and_valid_but_not_from_a_benchmark(tmp_path: Path) -> None:
    write(tmp_path / "data.yaml", "names: [face]")
    for part in ("train", "valid", "benchmark"):
        draw(tmp_path / part / "images" / "a.png")
        write(tmp_path / part / "labels" / "a.txt", "0 .5 .5 .5 .5")
    pictures = read_pictures(tmp_path)
    assert [each.path.relative_to(tmp_path).parts[0] for each in pictures] == ["train", "valid"]
    assert all(len(each.boxes) == 1 for each in pictures)


def test_a_lone_folder_as_archives_hold_it_is_looked_into(tmp_path: Path) -> None:
    draw(tmp_path / "face-mask-dataset" / "data" / "with_mask" / "a.jpg")
    assert only(read_pictures(tmp_path)).label == "with_mask"


def test_hidden_files_and_notes_are_no_pictures(tmp_path: Path) -> None:
    draw(tmp_path / "with_mask" / "a.jpg")
    write(tmp_path / "with_mask" / ".DS_Store", "x")
    write(tmp_path / "with_mask" / "notes.txt", "x")
    assert only(read_pictures(tmp_path)).path.name == "a.jpg"


@pytest.mark.parametrize(
    ("name", "label"),
    [("Mask", "with_mask"), ("NO-MASK", "without_mask"), ("mask weared incorrect", "incorrect"), ("face", "face")],
)
def test_class_names_of_other_data_sets_are_understood(name: str, label: str) -> None:
    assert label_of(name, "somewhere") == label


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image,label,x_min,y_min,x_max\n", "'y_max' is missing"),
        ("", "'image' is missing"),
        (f"{HEADER}\na.jpg,with_mask,1,2,three,4\n", r"line 2: x_max: 'three' is no number"),
        (f"{HEADER}\na.jpg,with_mask,1,2,nan,4\n", r"'nan' is no number"),
        (f"{HEADER}\na.jpg,with_mask,1,2,,4\n", r"x_max: '' is no number"),
        (f"{HEADER}\na.jpg,with_mask,1,2\n", r"line 2: wanted are image,label"),
        (f"{HEADER}\n../a.jpg,with_mask,1,2,3,4\n", r"inside the data set"),
        (f"{HEADER}\na.jpg,helmet,1,2,3,4\n", r"line 2: unknown class name 'helmet'"),
        (f"{HEADER}\na.jpg,m\xe4sk,1,2,3,4\n", r"is no CSV in UTF-8"),
    ],
)
def test_a_bad_boxes_csv_is_refused_with_its_line(tmp_path: Path, table: str, message: str) -> None:
    draw(tmp_path / "images" / "a.jpg")
    (tmp_path / "boxes.csv").write_text(table, encoding="latin-1")
    with pytest.raises(InputError, match=message):
        read_pictures(tmp_path)


def test_boxes_for_a_picture_outside_the_label_folders_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "with_mask" / "a.jpg")
    write(tmp_path / "boxes.csv", HEADER, "elsewhere/a.jpg,with_mask,1,2,3,4")
    with pytest.raises(InputError, match=r"elsewhere/a\.jpg, which lies in none of with_mask"):
        read_pictures(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VOC.format(name="a.jpg", xmin=1)[:120], r"a\.xml: is no complete XML"),
        ("", r"a\.xml: is no complete XML"),
        (VOC.format(name="a.jpg", xmin="left"), r"a\.xml: xmin: 'left' is no number"),
        (VOC.format(name="a.jpg", xmin="</xmin><xmin>"), r"a\.xml: xmin: '' is no number"),
        (VOC.format(name="a.jpg", xmin=1).replace("with_mask", "helmet"), r"a\.xml: unknown class name 'helmet'"),
        ("<annotation><object><name>face</name></object></annotation>", r"a\.xml: xmin: None is no number"),
    ],
)
def test_a_bad_voc_file_is_refused_with_its_name(tmp_path: Path, text: str, message: str) -> None:
    draw(tmp_path / "images" / "a.jpg")
    write(tmp_path / "annotations" / "a.xml", text)
    with pytest.raises(InputError, match=message):
        read_pictures(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 .5 .5 .5 .5", r"a\.txt, line 1: class 2 has no name; the class file names 2"),
        ("0.5 .5 .5 .5 .5", r"class 0\.5 has no name"),
        ("0 .5 .5 .5", r"line 1: 4 values"),
        ("0 .5 .5 .5 wide", r"line 1: 'wide' is no number"),
        ("1 .5 .5 .5 .5", r"unknown class name 'helmet'"),
    ],
)
def test_a_bad_yolo_line_is_refused_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    draw(tmp_path / "images" / "a.jpg")
    write(tmp_path / "classes.txt", "mask", "helmet", "")
    write(tmp_path / "labels" / "a.txt", line)
    with pytest.raises(InputError, match=message):
        read_pictures(tmp_path)


@pytest.mark.parametrize(
    ("file", "message"), [("classes.md", r"no class names; put them"), ("data.yaml", r"data\.yaml: has no names")]
)
def test_yolo_without_class_names_is_refused(tmp_path: Path, file: str, message: str) -> None:
    draw(tmp_path / "images" / "a.jpg")
    write(tmp_path / "labels" / "a.txt", "0 .5 .5 .5 .5")
    write(tmp_path / file, "nc: 2")
    with pytest.raises(InputError, match=message):
        read_pictures(tmp_path)


def test_an_empty_folder_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no data set; the choices are DATA=DIR"):
        read_pictures(tmp_path)


def test_pictures_without_any_label_are_no_data_set(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")
    draw(tmp_path / "more" / "b.jpg")
    with pytest.raises(InputError, match="is no data set"):
        read_pictures(tmp_path)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (["with_mask"], "holds no pictures"),
        (["faces/other"], r"faces: holds none of with_mask/"),
        (["scenes/images"], r"scenes: no boxes; wanted is boxes\.csv"),
        (["scenes/annotations"], r"annotations: holds no \.xml file"),
        (["negatives"], "holds no pictures"),
        (["faces/with_mask", "without_mask"], r"holds faces/ and without_mask/; move the latter into faces/"),
    ],
)
def test_folders_that_lack_what_their_name_promises_are_refused(tmp_path: Path, made: list[str], message: str) -> None:
    for folder in made:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        read_pictures(tmp_path)


def test_without_data_the_choices_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no photos to train on; the choices are DATA=DIR .* DATA=kaggle, .* data/"):
        find_data(None)
    with pytest.raises(InputError, match=r"DATA=photos: no such folder"):
        find_data("photos")
    (tmp_path / "data").mkdir()
    assert find_data(None) == Path("data")


class Archive:
    """Kaggle's client with the data set's archive at hand, or without a network."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[str] = []

    def dataset_download_files(self, dataset: str, path: str, quiet: bool, unzip: bool) -> None:
        self.asked.append(dataset)
        draw(Path(path) / "data" / "with_mask" / "with_mask_1.jpg")
        if self.error:
            raise self.error


def test_the_kaggle_set_is_downloaded_once(tmp_path: Path) -> None:
    archive = Archive()
    for _ in range(2):
        folder = download(tmp_path / "data" / "face-mask-dataset", lambda: archive)
        assert only(read_pictures(folder)).label == "with_mask"
    assert archive.asked == ["omkargurav/face-mask-dataset"]
    assert only(read_pictures(tmp_path / "data")).label == "with_mask"


def test_a_download_that_breaks_off_is_not_taken_for_the_data(tmp_path: Path) -> None:
    target = tmp_path / "data" / "face-mask-dataset"
    with pytest.raises(InputError, match=r"cannot be downloaded; check the network .* \(no route\)"):
        download(target, lambda: Archive(ConnectionError("no route")))
    assert not target.exists()
    with pytest.raises(InputError, match="is no data set"):
        read_pictures(tmp_path / "data")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        ({}, "DATA=kaggle: no Kaggle credentials; "),
        ({"KAGGLE_USERNAME": "somebody", "KAGGLE_KEY": "0"}, "cannot be downloaded; check the network"),
        ({"KAGGLE_API_TOKEN": "0"}, "cannot be downloaded; check the network"),
    ],
)
def test_kaggles_own_client_without_credentials_or_network(
    tmp_path: Path, credentials: dict[str, str], message: str
) -> None:
    nowhere = "http://127.0.0.1:9"
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere}
    code = """if True:
        from train.datasets import InputError, find_data
        try:
            find_data("kaggle")
        except InputError as error:
            raise SystemExit(f"refused: {error}")
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=clean | credentials | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("refused: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (tmp_path / "data" / "face-mask-dataset").exists()
