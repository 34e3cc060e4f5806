from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from convert.bundle import Title, bundles, contract_of, install, making, next_version, publish, write
from convert.card import card
from convert.gate import Figure, accuracy, figures_of
from convert.graph import Graph, Operator, TensorInfo
from convert.parts import (
    ALONE,
    ClassifierNotes,
    LocatorNotes,
    Part,
    check_trained_on,
    faces_by_source,
    for_edgetpu,
    read_notes,
)
from convert.report import report
from edge.contract import (
    CONTRACT_FILE,
    ClassifierContract,
    Contract,
    LocatorContract,
    ModelFile,
    Tensor,
    load_bundle,
    sha256,
)
from edge.errors import InputError
from edge.values import LABELS, WITH_MASK, WITHOUT_MASK, Box
from train.datasets import Picture
from train.readers import COVERED, IGNORE, LabelledBox
from train.split import Split

INPUT = Tensor((1, 64, 96, 3), 1 / 128, 0)
CONV = Operator(
    "CONV_2D", (TensorInfo("x", (1, 64, 96, 3)), TensorInfo("w", (8, 3, 3, 3))), (TensorInfo("y", (1, 32, 48, 8)),)
)
GRAPH = Graph(CONV.inputs[:1], CONV.outputs, (CONV,))
RECALL = Figure("locator recall of near faces", 0.931, 0.927, 812, 1.0)
VERIFIED = Figure("verified recall of near faces", 0.92, 0.915, 812, 1.0)
ACCURACY = Figure("classifier accuracy", 0.98, 0.979, 3000, 0.5)


def locator(folder: Path) -> Part[LocatorContract]:
    file = folder / "locator.tflite"
    file.write_bytes(b"locator")
    notes = LocatorNotes("yunet", 64, 96, (8, 16, 32), 0.6, 0.45, ["YuNet, MIT"], {"steps": 4500})
    scores, boxes = Tensor((1, 126, 1), 1 / 256, -128), Tensor((1, 126, 4), 0.02, 3)
    contract = LocatorContract(file.name, sha256(file), 96, 64, "RGB", INPUT, scores, boxes, notes.strides, 0.2, 0.45)
    return Part(file, None, notes, contract, GRAPH, ["scenes/a.jpg", "scenes/b.jpg"], [], False, [RECALL])


def classifier(folder: Path) -> Part[ClassifierContract]:
    file = folder / "classifier.tflite"
    file.write_bytes(b"classifier")
    notes = ClassifierNotes("mobilenet_0.5", 64, 0.1, training={"seed": 7, "test": {"accuracy": 0.98}})
    logits = Tensor((1, 3), 0.05, 2)
    contract = ClassifierContract(file.name, sha256(file), 64, "RGB", INPUT, logits, LABELS, 0.1, 1.3, 0.55)
    return Part(file, None, notes, contract, GRAPH, ["crops/c.jpg"], ["operator 3 TILE: no"], True, [ACCURACY])


def contract(folder: Path, forced: list[str]) -> Contract:
    training = {"fingerprint": "abc", "test_pictures": 30, "sources": {"street": {WITH_MASK: 3}, "hall": {COVERED: 1}}}
    parts = locator(folder), classifier(folder)
    return msgspec.structs.replace(contract_of(Title("maskgate", 4), *parts, [VERIFIED], training), forced=forced)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "maskgate-4"
    folder.mkdir()
    whole = contract(folder, [])
    write(
        folder,
        whole,
        {
            "report.md": report(whole, locator(folder), classifier(folder), [RECALL, ACCURACY], "| beside |"),
            "MODEL_CARD.md": card(whole, None),
        },
    )
    return folder


def test_a_written_bundle_is_one_that_the_device_loads(bundle: Path):
    contract = load_bundle(bundle).contract
    assert (contract.name, contract.version) == ("maskgate", 4)
    assert contract.locator.boxes == Tensor((1, 126, 4), 0.02, 3)
    assert contract.classifier.temperature == 1.3
    assert contract.calibration == ["locator: scenes/a.jpg", "locator: scenes/b.jpg", "classifier: crops/c.jpg"]
    assert contract.training["fingerprint"] == "abc"
    assert contract.training["locator"] == {"steps": 4500, ALONE: 0.6} and contract.locator.score_threshold == 0.2
    assert contract.accuracy["verified"]["verified recall of near faces"]["int8"] == 0.915
    assert contract.accuracy["classifier"]["classifier accuracy"]["int8"] == 0.979
    assert contract.notices == ["YuNet, MIT"]
    assert {"python", "numpy"} <= set(contract.tools)


def test_a_bundle_holds_two_models_their_contract_the_report_and_the_card(bundle: Path):
    assert {file.name for file in bundle.iterdir()} == {
        "locator.tflite", "classifier.tflite", CONTRACT_FILE, "report.md", "MODEL_CARD.md",
    }  # fmt: skip


def test_the_report_tells_people_what_they_want_to_know(bundle: Path):
    report = (bundle / "report.md").read_text()
    for words in (
        "# maskgate-4", "yunet", "96 x 64", "mobilenet_0.5", "| 0.3 | 0.3 |", "| beside |",
        "0.55, else unknown", "margin 10 %",
        "93.10 %", "97.90 %", "0.40", "812", "operator 3 TILE: no", "fingerprint: abc",
        "all 1 operators fit; its compiler was not here",
        "locator: calibration pictures: 2", "steps: 4500", "YuNet, MIT", "numpy",
    ):  # fmt: skip
        assert words in report, words


def test_the_card_says_what_for_what_not_how_good_and_made_of_what(bundle: Path):
    text = (bundle / "MODEL_CARD.md").read_text()
    for words in (
        "# Model card of maskgate-4", "## Intended use", "## What it must not be used for", "escape route",
        "score of 0.2 or more", "0.55 or more, else it is unknown", "on the validation part",
        "| verified recall of near faces | 91.50 % | 812 |", "## Known limits", "30 test", "Fingerprint abc",
        "| source | with_mask | covered |", "| street | 3 |  |", "| hall |  | 1 |", "YuNet, MIT",
    ):  # fmt: skip
        assert words.lower() in text.lower(), words
    assert "--force" not in text


def test_a_bundle_that_was_forced_says_so_on_the_first_line(tmp_path: Path):
    forced = contract(tmp_path, ["near faces found: 90.00 %, the shipped bundle 95.00 %; 40 of 500 lost, 15 won"])
    write(tmp_path, forced, {})
    assert load_bundle(tmp_path).contract.forced == forced.forced
    pages = card(forced, None), report(forced, locator(tmp_path), classifier(tmp_path), [], "")
    for page in pages:
        first = page.splitlines()[0]
        assert "--force" in first and "40 of 500 lost" in first


def test_faces_are_counted_by_source_and_label():
    nowhere = Box(0, 0, 1, 1)

    def picture(kind: str, source: str, label: str | None, *labels: str) -> Picture:
        return Picture(Path("x"), kind, source, "x", label, tuple(LabelledBox(each, nowhere) for each in labels))

    train = [picture("scenes", "hall", None, WITH_MASK, COVERED, IGNORE), picture("negatives", "rooms", None)]
    split = Split(train, [picture("crops", "hall", WITHOUT_MASK)], [picture("scenes", "hall", None, WITH_MASK)], "a")
    assert faces_by_source(split) == {
        "hall": {COVERED: 1, WITH_MASK: 2, WITHOUT_MASK: 1}, "rooms": {"face-free pictures": 1}
    }  # fmt: skip


def test_figures_are_kept_with_their_limits():
    assert accuracy([RECALL]) == {
        "locator recall of near faces": {"float": 0.931, "int8": 0.927, "drop": 0.4, "limit": 1.0, "samples": 812}
    }
    assert figures_of(accuracy([RECALL, ACCURACY])) == [RECALL, ACCURACY]


def make_bundle(place: Path, name: str) -> Path:
    (place / name).mkdir(parents=True)
    (place / name / CONTRACT_FILE).write_text("{}")
    return place / name


def test_versions_count_up_wherever_the_newest_lies(tmp_path: Path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert next_version("maskgate", (one, two)) == 1
    for place, name in ((one, "maskgate-2"), (two, "maskgate-10"), (two, "other-99"), (two, "maskgate-x")):
        make_bundle(place, name)
    assert next_version("maskgate", (one, two)) == 11
    assert [version for version, _ in bundles("maskgate", two)] == [10]


def test_what_is_being_made_counts_as_no_bundle(tmp_path: Path):
    with making(tmp_path) as folder:
        (folder / CONTRACT_FILE).write_text("{}")
        assert bundles("maskgate", tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_version_is_never_overwritten(tmp_path: Path):
    make_bundle(tmp_path, "maskgate-3")
    with making(tmp_path) as folder, pytest.raises(InputError, match="exists already"):
        publish(folder, tmp_path / "maskgate-3")


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written to"), making(tmp_path / "file" / "bundle"):
        pass


def test_installing_replaces_older_bundles_of_that_name_only(bundle: Path, tmp_path: Path):
    models = tmp_path / "models"
    for name in ("maskgate-1", "maskgate-3", "maskgate-4", "other-1"):
        make_bundle(models, name)
    assert install(bundle, Title("maskgate", 4), models) == models / "maskgate-4"
    assert sorted(folder.name for folder in models.iterdir()) == ["maskgate-4", "other-1"]
    assert load_bundle(models / "maskgate-4").contract.version == 4


def test_notes_of_training_are_read(tmp_path: Path):
    file = tmp_path / "locator.json"
    card: dict[str, Any] = {"backbone": "yunet", "height": 64, "width": 96, "strides": [8, 16, 32]}
    card |= {"score_threshold": 0.6, "overlap_threshold": 0.45, "something": "newer"}
    file.write_bytes(msgspec.json.encode(card))
    assert read_notes(file, LocatorNotes).strides == (8, 16, 32)


@pytest.mark.parametrize("content", [None, "{}", "[", '{"backbone": 3}'])
def test_missing_or_broken_notes_ask_for_training(content: str | None, tmp_path: Path):
    file = tmp_path / "classifier.json"
    if content:
        file.write_text(content)
    with pytest.raises(InputError, match="make train"):
        read_notes(file, ClassifierNotes)


def test_a_model_of_other_photos_is_refused(tmp_path: Path):
    split = Split([], [], [], "a" * 64)
    notes = classifier(tmp_path).notes
    check_trained_on(split, notes, "classifier")
    check_trained_on(split, msgspec.structs.replace(notes, training={"data": "a" * 64}), "classifier")
    with pytest.raises(InputError, match="photos bbb"):
        check_trained_on(split, msgspec.structs.replace(notes, training={"data": "b" * 64}), "classifier")


def test_one_notice_stands_once(tmp_path: Path):
    tell = classifier(tmp_path)
    notes = msgspec.structs.replace(tell.notes, notices=["YuNet, MIT", "ImageNet"])
    write(tmp_path, contract_of(Title("x", 1), locator(tmp_path), replace(tell, notes=notes), [], {}), {})
    assert load_bundle(tmp_path).contract.notices == ["YuNet, MIT", "ImageNet"]


def test_models_that_were_compiled_for_an_edge_tpu_come_along(tmp_path: Path):
    for name in ("locator", "classifier"):
        (tmp_path / f"{name}_edgetpu.tflite").write_text(f"compiled {name}")
    parts = for_edgetpu(locator(tmp_path), classifier(tmp_path))
    write(tmp_path, contract_of(Title("x", 1), *parts, [], {}), {})
    for name in ("locator", "classifier"):
        file = tmp_path / f"{name}_edgetpu.tflite"
        assert getattr(load_bundle(tmp_path).contract, name).edgetpu == ModelFile(file.name, sha256(file))


def test_one_compiled_model_alone_is_left_out(tmp_path: Path):
    (tmp_path / "classifier_edgetpu.tflite").write_text("compiled")
    find = locator(tmp_path)
    taken = msgspec.structs.replace(find.contract, edgetpu=ModelFile("locator_edgetpu.tflite", "of a bundle before"))
    parts = for_edgetpu(replace(find, contract=taken), classifier(tmp_path))
    assert [part.contract.edgetpu for part in parts] == [None, None]
    assert not (tmp_path / "classifier_edgetpu.tflite").exists()
