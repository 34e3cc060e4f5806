"""Boxes for pictures that have a label but no box: found by the shipped locator, as the device will find them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from edge.contract import load_bundle
from edge.interpreter import Network
from edge.locate import FaceLocator
from edge.picture import read_picture
from edge.values import Face, Rgb
from train.datasets import Picture
from train.readers import LabelledBox

Locate = Callable[[Rgb], Sequence[Face]]


def shipped_locator(least_score: float | None = None) -> Locate:
    """The locator of the bundle that comes with maskgate, at its own threshold or another. Raises BundleError."""
    bundle = load_bundle()
    contract = bundle.contract.locator
    if least_score is not None:
        contract = msgspec.structs.replace(contract, score_threshold=least_score)
    network = Network(bundle.locator_file, contract.input, [contract.scores, contract.boxes])
    return FaceLocator(network, contract).locate


def with_boxes(pictures: Sequence[Picture], find: Callable[[], Locate] = shipped_locator) -> list[Picture]:
    """The pictures; if none of them has a box, each labelled one in which there is exactly one face gets its box."""
    if any(picture.boxes for picture in pictures) or not any(picture.label for picture in pictures):
        return list(pictures)
    locate = find()
    return [_with_box(picture, locate) if picture.label else picture for picture in pictures]


def _with_box(picture: Picture, locate: Locate) -> Picture:
    faces = locate(read_picture(picture.path))
    if len(faces) != 1 or picture.label is None:
        return picture
    return replace(picture, boxes=(LabelledBox(picture.label, faces[0].box),))
