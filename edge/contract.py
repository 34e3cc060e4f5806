"""The bundle: two INT8 models and `bundle.json`, the contract that says how to feed and read them.

`convert` writes a bundle, `edge` refuses one whose parts or shapes do not match what it says of itself.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge.errors import BundleError
from edge.values import OUTPUTS

CONTRACT_FILE = "bundle.json"
DEFAULT_BUNDLES = Path(__file__).parent / "models"


class Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An INT8 tensor: real value = scale x (integer - zero_point)."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the bundle, and its SHA-256."""

    file: str
    sha256: str


class LocatorContract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to feed and read the locator.

    Input: the whole frame, scaled to fit (width, height) with its shape kept, at the top left, the rest black.
    `edgetpu`: the same model compiled for a Coral Edge TPU.
    Outputs, one row a cell, strides in order, each row by row: `scores` (1, N, 1), the square of the score;
    `boxes` (1, N, 4), dx, dy, log w, log h: centre = (cell + d) x stride, size = exp(.) x stride.
    """

    file: str
    sha256: str
    width: int
    height: int
    colour_order: Literal["RGB"]
    input: Tensor
    scores: Tensor
    boxes: Tensor
    strides: tuple[int, ...]
    score_threshold: float
    overlap_threshold: float
    edgetpu: ModelFile | None = None


class ClassifierContract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to feed and read the classifier.

    Input: a square crop, `size` pixels a side, around a face's box; `margin` of the box's longer side on each side.
    Output: `logits` (1, labels); probability = softmax(logits / temperature). `labels`: the first two of OUTPUTS or
    more, in their order. Score of the face, `edge.judge.face_score`, below `face_threshold`: not a face.
    Probability of the likeliest label, if it is a face, below `score_threshold`: unknown.
    """

    file: str
    sha256: str
    size: int
    colour_order: Literal["RGB"]
    input: Tensor
    logits: Tensor
    labels: tuple[str, ...]
    margin: float
    temperature: float
    score_threshold: float
    face_threshold: float = 0.0
    face_weight: float = 0.0
    edgetpu: ModelFile | None = None


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `bundle.json`. `version` only ever grows; what follows the models is for people.

    forced: in what it falls below the bundle that was shipped before, one line each; made with `--force` all the same.
    made: the day, as in 2026-05-01; "" when unknown.
    golden: pictures for each network with the integers that it must answer, see `edge.selftest`.
    reference: how the faces looked that it was chosen on, counted, see `edge.drift`.
    """

    name: str
    version: int
    locator: LocatorContract
    classifier: ClassifierContract
    training: dict[str, Any]
    calibration: list[str]
    accuracy: dict[str, Any]
    tools: dict[str, str]
    notices: list[str]
    forced: list[str] = []
    made: str = ""
    golden: ModelFile | None = None
    reference: ModelFile | None = None


class Bundle(msgspec.Struct, frozen=True):
    """A checked bundle on disk."""

    folder: Path
    contract: Contract

    @property
    def locator_file(self) -> Path:
        return self.folder / self.contract.locator.file

    @property
    def classifier_file(self) -> Path:
        return self.folder / self.contract.classifier.file


def sha256(file: Path) -> str:
    """The file's SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def load_bundle(folder: Path | None = None) -> Bundle:
    """Read and check the bundle in `folder`, by default the newest of those that come with the package.

    Raises BundleError when a file is missing or altered, or the contract is not one this program understands.
    """
    folder = folder or _newest(DEFAULT_BUNDLES)
    try:
        contract = msgspec.json.decode((folder / CONTRACT_FILE).read_bytes(), type=Contract)
    except OSError as error:
        raise BundleError(
            f"bundle {folder}: cannot read {CONTRACT_FILE} ({error.strerror}); convert writes it"
        ) from error
    except msgspec.MsgspecError as error:
        raise BundleError(f"bundle {folder}: {CONTRACT_FILE}: {error}; convert the models again") from error
    labels = contract.classifier.labels
    if len(labels) < 2 or labels != OUTPUTS[: len(labels)]:
        raise BundleError(f"bundle {folder}: labels {labels} instead of the first two or more of {OUTPUTS}")
    parts = contract.locator, contract.classifier
    if len({part.edgetpu is None for part in parts}) > 1:
        raise BundleError(f"bundle {folder}: one model alone is made for an Edge TPU; convert both, or none")
    for file in (*parts, *(part.edgetpu for part in parts), contract.golden, contract.reference):
        if file is not None:
            _check_file(folder, file.file, file.sha256)
    return Bundle(folder, contract)


def _check_file(folder: Path, name: str, expected: str) -> None:
    file = folder / name
    if not file.is_file():
        raise BundleError(f"bundle {folder}: {name} is missing; install the bundle again")
    if (found := sha256(file)) != expected:
        raise BundleError(
            f"bundle {folder}: {name} was altered: sha256 {found[:12]}..., the contract says {expected[:12]}..."
        )


def _newest(folder: Path) -> Path:
    bundles = [file.parent for file in folder.glob(f"*/{CONTRACT_FILE}")]
    if not bundles:
        raise BundleError(f"no bundle in {folder}; make one with `make train convert DATA=...`")
    return max(bundles, key=lambda bundle: int(bundle.name.rpartition("-")[2]))
