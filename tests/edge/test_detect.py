import csv

import numpy as np
import pytest
from PIL import Image

from edge.detect import detect
from edge.draw import GREEN
from edge.errors import InputError
from edge.picture import read_picture
from edge.values import WITH_MASK, WITHOUT_MASK, Box, Classification, Judged


class BrightJudge:
    """Stands in for the models: a bright picture shows two faces, a dark one none."""

    def judge(self, rgb):
        if rgb.mean() < 128:
            return []
        return [
            Judged(Box(-4.2, 10.0, 20.04, 30.5), 0.9, Classification(WITH_MASK, 0.98126, (0.01, 0.98126, 0.00874))),
            Judged(Box(30.0, 12.0, 50.0, 70.0), 0.8, Classification(WITHOUT_MASK, 0.91, (0.91, 0.05, 0.04))),
        ]


@pytest.fixture
def folder(tmp_path):
    """A folder with the bright a.png, the dark b.jpg, and a note."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(np.full((60, 80, 3), 250, np.uint8)).save(pictures / "a.png")
    Image.fromarray(np.full((60, 80, 3), 5, np.uint8)).save(pictures / "b.jpg")
    (pictures / "notes.txt").write_text("not a picture")
    return pictures


def test_each_picture_gets_a_line_and_each_face_a_row(folder, tmp_path, capsys):
    table = tmp_path / "faces.csv"
    assert detect([folder], BrightJudge(), table)
    assert capsys.readouterr() == ("a.png: with_mask 0.98, without_mask 0.91\nb.jpg: no face\n", "")
    assert table.read_text() == (
        "image,x_min,y_min,x_max,y_max,label,score\n"
        "a.png,0.0,10.0,20.0,30.5,with_mask,0.9813\n"
        "a.png,30.0,12.0,50.0,60.0,without_mask,0.9100\n"
    )
    assert list(tmp_path.glob("faces.csv*")) == [table]


def test_without_a_csv_nothing_is_written(folder, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert detect([folder / "a.png"], BrightJudge())
    assert sorted(tmp_path.rglob("*")) == before


def test_a_face_beyond_the_picture_is_left_out(folder, capsys):
    class Beyond:
        def judge(self, rgb):
            return [Judged(Box(200, 10, 220, 30), 0.9, Classification(WITH_MASK, 0.9, (0.05, 0.9, 0.05)))]

    assert detect([folder / "a.png"], Beyond())
    assert capsys.readouterr().out == "a.png: no face\n"


def test_a_bad_picture_is_told_and_the_rest_is_still_done(folder, tmp_path, capsys):
    (folder / "aa.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    table, empty = tmp_path / "faces.csv", tmp_path / "empty"
    empty.mkdir()
    assert not detect([tmp_path / "none.jpg", empty, folder], BrightJudge(), table)
    out, err = capsys.readouterr()
    assert out.splitlines() == ["a.png: with_mask 0.98, without_mask 0.91", "b.jpg: no face"]
    told = err.splitlines()
    assert len(told) == 3 and all(line.startswith("maskgate: error: ") for line in told)
    for name in ("none.jpg: cannot be read (No such file", "empty: no pictures", "aa.jpg: the picture is cut off"):
        assert sum(name in line for line in told) == 1
    assert [row["image"] for row in csv.DictReader(table.read_text().splitlines())] == ["a.png", "a.png"]


def test_a_csv_is_written_whole_or_not_at_all(folder, tmp_path):
    table = tmp_path / "faces.csv"
    table.write_text("the old one")

    class Failing:
        def judge(self, rgb):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect([folder], Failing(), table)
    assert table.read_text() == "the old one"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["faces.csv"]


@pytest.mark.parametrize("place", ["none/faces.csv", "pictures"])
def test_a_csv_that_cannot_be_written_is_refused_before_the_work(folder, tmp_path, place):
    class Never:
        def judge(self, rgb):
            pytest.fail("judged although the answer has no place")

    with pytest.raises(InputError, match=f"{place}: (cannot be written|is a folder)"):
        detect([folder], Never(), tmp_path / place)


def test_annotated_pictures_are_written_beside_the_answers(folder, tmp_path):
    assert detect([folder], BrightJudge(), draw_folder=tmp_path / "drawn" / "here")
    drawn = tmp_path / "drawn" / "here"
    assert sorted(path.name for path in drawn.iterdir()) == ["a.png", "b.jpg"]
    assert tuple(read_picture(drawn / "a.png")[25, 20]) == GREEN


def test_an_annotated_picture_never_overwrites_its_own(folder):
    before = (folder / "a.png").read_bytes()
    with pytest.raises(InputError, match=r"would overwrite .*a\.png"):
        detect([folder / "a.png"], BrightJudge(), draw_folder=folder)
    assert (folder / "a.png").read_bytes() == before


def test_two_pictures_of_one_name_are_not_drawn_over_each_other(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.png").write_bytes((folder / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"2 pictures are called a\.png"):
        detect([folder, other], BrightJudge(), draw_folder=tmp_path / "drawn")


def test_a_folder_to_draw_into_that_is_a_file_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="--draw"):
        detect([folder], BrightJudge(), draw_folder=folder / "notes.txt")


def test_a_picture_without_a_suffix_is_drawn_as_png(folder, tmp_path):
    (folder / "a.png").rename(folder / "door")
    assert detect([folder / "door"], BrightJudge(), draw_folder=tmp_path / "drawn")
    assert (tmp_path / "drawn" / "door.png").exists()
