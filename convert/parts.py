"""One half of a bundle, locator or classifier: from a Keras model to a .tflite with its contract and its figures."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from convert.edgetpu import compiled_file, compiler_findings, findings
from convert.float_model import load_model
from convert.gate import (
    Figure,
    Verified,
    classifier_figures,
    figures_of,
    locator_figures,
    measure_classifier,
    measure_locator,
    verified_figures,
)
from convert.graph import Graph, Shape, read_graph
from convert.photos import Calibration, calibration_faces, calibration_frames
from convert.quantize import quantize
from edge.classify import MaskClassifier
from edge.contract import Bundle, ClassifierContract, LocatorContract, ModelFile, Tensor, sha256
from edge.errors import InputError
from edge.interpreter import Network, tensors_of
from edge.judge import Judge
from edge.locate import FaceLocator
from edge.values import LABELS, NO_FACE
from train import boxes
from train.datasets import Picture
from train.float_network import FloatNetwork
from train.proposals import LEAST_SCORE
from train.readers import IGNORE
from train.split import Split

LOCATOR_FILE, CLASSIFIER_FILE = "locator.keras", "classifier.keras"
FACE_FREE = "face-free pictures"
ALONE = "score_threshold_alone"  # of a locator that no classifier verifies, in a bundle's notes of its training


class LocatorNotes(msgspec.Struct, frozen=True):
    """`locator.json`, what training knows of the locator; its threshold is for a locator that nobody verifies."""

    backbone: str
    height: int
    width: int
    strides: tuple[int, ...]
    score_threshold: float
    overlap_threshold: float
    notices: list[str] = []
    training: dict[str, Any] = {}


class ClassifierNotes(msgspec.Struct, frozen=True):
    """`classifier.json`, what training knows of the classifier; `labels`: OUTPUTS or the first of them, in order."""

    arch: str
    size: int
    margin: float
    temperature: float = 1.0
    score_threshold: float = 0.5
    labels: tuple[str, ...] = LABELS
    notices: list[str] = []
    training: dict[str, Any] = {}


Notes = TypeVar("Notes", LocatorNotes, ClassifierNotes)
PartContract = TypeVar("PartContract", LocatorContract, ClassifierContract)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the parts come from.

    train: the folder that training filled. data: the photos. count: of calibration pictures, drawn by `seed`.
    """

    train: Path
    data: Path
    split: Split
    count: int
    seed: int

    def described(self) -> dict[str, Any]:
        """The photos as a bundle tells of them: nothing that names a machine."""
        split = self.split
        sizes = {"train": split.train, "validation": split.validation, "test": split.test}
        counts = {f"{part}_pictures": len(each) for part, each in sizes.items()}
        return {"fingerprint": split.fingerprint} | counts | {"sources": faces_by_source(split)}


def faces_by_source(split: Split) -> dict[str, dict[str, int]]:
    """By source, of all parts together: how many faces have which label, and how many pictures hold none."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for picture in (*split.train, *split.validation, *split.test):
        labels = [each.label for each in picture.boxes if each.label != IGNORE]
        counts[picture.source].update(labels or [picture.label or FACE_FREE])
    return {source: dict(sorted(counts[source].items())) for source in sorted(counts)}


@dataclass(frozen=True, slots=True)
class Part(Generic[PartContract]):
    """A converted model, not yet measured if it has no figures.

    file: the .tflite. model: the Keras model it was made from, None if it was taken as it is.
    problems: what keeps an Edge TPU from running all of it. compiled: whether its compiler was asked, too.
    """

    file: Path
    model: Any
    notes: LocatorNotes | ClassifierNotes
    contract: PartContract
    graph: Graph
    calibration: list[str]
    problems: list[str]
    compiled: bool
    figures: list[Figure] = field(default_factory=list)


AnyPart = Part[LocatorContract] | Part[ClassifierContract]


def make_locator(source: Source, folder: Path, compiler: Path | None) -> Part[LocatorContract]:
    """`locator.tflite` in `folder`."""
    notes = read_notes(source.train / "locator.json", LocatorNotes)
    check_trained_on(source.split, notes, "locator")
    model = load_model(source.train / LOCATOR_FILE, (notes.height, notes.width, 3))
    calibration = calibration_frames(source.split.train, source.data, notes, source.count, source.seed)
    file = folder / "locator.tflite"
    graph = _quantized(model, calibration, file)
    problems = edgetpu_problems(file, graph, compiler)
    return Part(file, model, notes, locator_contract(notes, file), graph, calibration.names, problems, bool(compiler))


def shipped_locator(bundle: Bundle, folder: Path, compiler: Path | None) -> Part[LocatorContract]:
    """The locator of a finished bundle, as it is, with the figures that it was let through with."""
    contract = bundle.contract
    name = f"{contract.name}-{contract.version}"
    print(f"locator: that of {name}, as it is", flush=True)
    file = folder / contract.locator.file
    shutil.copy(bundle.locator_file, file)
    training = {"taken from": name} | dict(contract.training.get("locator", {}))
    notes = msgspec.convert(
        msgspec.to_builtins(contract.locator)
        | {"backbone": training.get("backbone", name)}
        | {"score_threshold": training.get(ALONE, contract.locator.score_threshold)},
        LocatorNotes,
    )
    notes = msgspec.structs.replace(notes, training=training, notices=contract.notices)
    calibration = [each.removeprefix("locator: ") for each in contract.calibration if each.startswith("locator: ")]
    graph = read_graph(file)
    problems = edgetpu_problems(file, graph, compiler)
    figures = figures_of(contract.accuracy.get("locator", {}))
    return Part(file, None, notes, contract.locator, graph, calibration, problems, bool(compiler), figures)


def make_classifier(source: Source, folder: Path, compiler: Path | None) -> Part[ClassifierContract]:
    """`classifier.tflite` in `folder`."""
    notes = read_notes(source.train / "classifier.json", ClassifierNotes)
    check_trained_on(source.split, notes, "classifier")
    model = load_model(source.train / CLASSIFIER_FILE, (notes.size, notes.size, 3))
    locate = boxes.shipped_locator(LEAST_SCORE) if NO_FACE in notes.labels else None
    calibration = calibration_faces(source.split.train, source.data, notes, source.count, source.seed, locate)
    file = folder / "classifier.tflite"
    graph = _quantized(model, calibration, file)
    problems = edgetpu_problems(file, graph, compiler)
    return Part(
        file, model, notes, classifier_contract(notes, file), graph, calibration.names, problems, bool(compiler)
    )


def measured_locator(part: Part[LocatorContract], pictures: Sequence[Picture]) -> Part[LocatorContract]:
    """The part with its figures, float against INT8 at the notes' threshold, from pictures it was not trained on.

    A shipped locator keeps the figures it has: its float model is not here.
    """
    if part.model is None:
        return part
    print("locator: measuring on the test part", flush=True)
    contract = alone(part)
    locators = [FaceLocator(network, contract) for network in (FloatNetwork(part.model), int8_locator(part))]
    return replace(part, figures=locator_figures(measure_locator(pictures, *locators)))


def measured_classifier(part: Part[ClassifierContract], pictures: Sequence[Picture]) -> Part[ClassifierContract]:
    """The part with its figures, float against INT8, from pictures that it was not trained on."""
    print("classifier: measuring on the test part", flush=True)
    networks = FloatNetwork(part.model), int8_classifier(part)
    classifiers = [MaskClassifier(network, part.contract) for network in networks]
    return replace(part, figures=classifier_figures(measure_classifier(pictures, part.contract, *classifiers)))


def measured_together(
    locator: Part[LocatorContract], classifier: Part[ClassifierContract], pictures: Sequence[Picture]
) -> list[Figure]:
    """Figures of a classifier that verifies the locator's proposals, float against INT8; none of one that does not."""
    if NO_FACE not in classifier.contract.labels:
        return []
    print("both: measuring on the test part", flush=True)
    after = int8_locator(locator), int8_classifier(classifier)
    before = FloatNetwork(locator.model) if locator.model else after[0], FloatNetwork(classifier.model)
    judges = [
        Judge(FaceLocator(finds, locator.contract), MaskClassifier(tells, classifier.contract), classifier.contract)
        for finds, tells in (before, after)
    ]
    return verified_figures(measure_locator(pictures, *map(Verified, judges)))


def alone(part: Part[LocatorContract]) -> LocatorContract:
    """The contract of a locator that no classifier verifies."""
    return msgspec.structs.replace(part.contract, score_threshold=part.notes.score_threshold)


def int8_locator(part: Part[LocatorContract]) -> Network:
    """The locator as the device runs it."""
    return Network(part.file, part.contract.input, [part.contract.scores, part.contract.boxes])


def int8_classifier(part: Part[ClassifierContract]) -> Network:
    """The classifier as the device runs it."""
    return Network(part.file, part.contract.input, [part.contract.logits])


def check_trained_on(split: Split, notes: LocatorNotes | ClassifierNotes, kind: str) -> None:
    """InputError if training noted other photos than these: what it trained on could be in the test part."""
    noted = notes.training.get("data", split.fingerprint)
    if noted != split.fingerprint:
        raise InputError(
            f"{kind}.json: trained on photos {str(noted)[:12]}..., these are {split.fingerprint[:12]}...; "
            f"run `make train` again"
        )


def read_notes(file: Path, kind: type[Notes]) -> Notes:
    """What training noted beside a model; InputError if it is missing or not what training writes."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); run `make train` first") from error
    except msgspec.MsgspecError as error:
        raise InputError(f"{file}: {error}; run `make train` again") from error


def locator_contract(notes: LocatorNotes, file: Path) -> LocatorContract:
    """The locator's part of the contract, its tensors as the runtime has them."""
    cells = sum((notes.height // stride) * (notes.width // stride) for stride in notes.strides)
    input, (scores, boxes) = tensors(file, [(1, cells, 1), (1, cells, 4)])
    return LocatorContract(
        file=file.name,
        sha256=sha256(file),
        width=notes.width,
        height=notes.height,
        colour_order="RGB",
        input=input,
        scores=scores,
        boxes=boxes,
        strides=notes.strides,
        score_threshold=notes.score_threshold,
        overlap_threshold=notes.overlap_threshold,
    )


def classifier_contract(notes: ClassifierNotes, file: Path) -> ClassifierContract:
    """The classifier's part of the contract, its tensors as the runtime has them."""
    input, (logits,) = tensors(file, [(1, len(notes.labels))])
    return ClassifierContract(
        file=file.name,
        sha256=sha256(file),
        size=notes.size,
        colour_order="RGB",
        input=input,
        logits=logits,
        labels=notes.labels,
        margin=notes.margin,
        temperature=notes.temperature,
        score_threshold=notes.score_threshold,
    )


def tensors(file: Path, shapes: Sequence[Shape]) -> tuple[Tensor, list[Tensor]]:
    """The input and the outputs of a model, the outputs in the order of `shapes`; InputError if it has others."""
    (input,), found = tensors_of(file.read_bytes())
    outputs = {tensor.shape: tensor for tensor in found}
    if sorted(outputs) != sorted(shapes):
        raise InputError(f"{file.name}: outputs {sorted(outputs)}, wanted are {sorted(shapes)}; train the model again")
    return input, [outputs[shape] for shape in shapes]


def edgetpu_problems(file: Path, graph: Graph, compiler: Path | None) -> list[str]:
    """What keeps an Edge TPU from running the whole model: by the published rules, then by its compiler if given."""
    return findings(graph) or (compiler_findings(compiler, file) if compiler else [])


def for_edgetpu(
    locator: Part[LocatorContract], classifier: Part[ClassifierContract]
) -> tuple[Part[LocatorContract], Part[ClassifierContract]]:
    """The parts with what the Edge TPU's compiler made of them; without, if it did not make both."""
    files = compiled_file(locator.file), compiled_file(classifier.file)
    made: list[ModelFile | None] = [None, None]
    if all(file.exists() for file in files):
        made = [ModelFile(file.name, sha256(file)) for file in files]
    else:
        for file in files:
            file.unlink(missing_ok=True)
    return (
        replace(locator, contract=msgspec.structs.replace(locator.contract, edgetpu=made[0])),
        replace(classifier, contract=msgspec.structs.replace(classifier.contract, edgetpu=made[1])),
    )


def _quantized(model: Any, calibration: Calibration, file: Path) -> Graph:
    print(f"{file.name}: quantising, {len(calibration.names)} calibration pictures", flush=True)
    file.write_bytes(quantize(model, calibration.pictures))
    return read_graph(file)
