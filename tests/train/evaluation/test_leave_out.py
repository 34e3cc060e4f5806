import json
from pathlib import Path

import pytest

from edge.errors import InputError
from edge.values import WITH_MASK, Box
from train.datasets import CROPS, NEGATIVES, SCENES, Picture
from train.evaluation.leave_out import Book, choose, table, without
from train.evaluation.verdicts import verdict_figures
from train.readers import LabelledBox
from train.split import Split


def pictures(source, kind, n, group="{source}{k}"):
    label = WITH_MASK if kind == CROPS else None
    boxes = (LabelledBox(WITH_MASK, Box(0, 0, 30, 40)),) if kind == SCENES else ()
    return [
        Picture(Path(f"{source}/{k}.jpg"), kind, source, group.format(source=source, k=k), label, boxes)
        for k in range(n)
    ]


SPLIT = Split(
    pictures("hall", SCENES, 40),
    pictures("web", CROPS, 30),
    pictures("rooms", NEGATIVES, 50) + pictures("few", CROPS, 5),
    "",
)
SETTINGS = {"classifier": {"seed": 0}, "locator": {"seed": 0}}


def test_every_source_with_enough_to_test_on_is_left_out_once():
    assert choose(SPLIT, []) == {"classifier": ["hall", "web"], "locator": ["hall", "rooms"]}


def test_only_the_named_are_left_out():
    assert choose(SPLIT, ["hall"]) == {"classifier": ["hall"], "locator": ["hall"]}


def test_a_source_that_is_not_there_or_too_small_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"few.*hall, rooms, web"):
        choose(SPLIT, ["few"])


def test_what_is_nearly_the_same_as_a_picture_of_the_source_is_not_trained_on():
    twins = pictures("web", CROPS, 3, group="twin{k}"), pictures("hall", SCENES, 5, group="twin{k}")
    rest, left_out = without(Split(twins[0], twins[1], [], "mark"), "web")
    assert left_out == twins[0]
    assert (rest.train, rest.validation, rest.fingerprint) == ([], twins[1][3:], "mark")


def test_a_source_that_is_noted_is_not_lacking_until_the_settings_change(tmp_path):
    file = tmp_path / "leave_one_out.json"
    book = Book(file, SETTINGS)
    assert book.lacks("classifier", "web")
    book.note("classifier", "web", {"faces": 3})
    again = Book(file, SETTINGS | {"locator": {"seed": 1}})
    assert not again.lacks("classifier", "web") and again.lacks("locator", "web")
    assert Book(file, SETTINGS | {"classifier": {"seed": 1}}).lacks("classifier", "web")
    assert json.loads(file.read_text())["classifier"]["sources"] == {"web": {"faces": 3}}


def test_without_a_locator_to_train_no_source_lacks_one(tmp_path):
    assert not Book(tmp_path / "book.json", {"classifier": {}}).lacks("locator", "web")


def test_the_table_has_a_row_a_source():
    content = {"classifier": {"settings": {}, "sources": {"web": verdict_figures([(WITH_MASK, WITH_MASK)])}}}
    assert "| web " in table(content)
