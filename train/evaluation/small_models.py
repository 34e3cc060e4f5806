"""Small models for `train.evaluation.leave_out`: trained as the shipped ones, but for fewer steps."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.classify import classification, softmax
from edge.errors import InputError
from edge.locate import FaceLocator, cells
from edge.values import LABELS, OUTPUTS
from train import backbones, networks
from train.batches import ChanceBatches, FixedBatches, located
from train.boxes import shipped_locator
from train.canvases import Frames, FrameSize
from train.classifier import predict
from train.crops import Crop, check_enough, labelled_faces, outputs_of
from train.datasets import Picture
from train.evaluation.tables import CLASSIFIER, LOCATOR
from train.evaluation.verdicts import likeliest, verdict_figures
from train.fit import Plan, fit, set_up
from train.float_network import FloatNetwork
from train.locator import LEAST_SCORE as LEAST_LOCATED
from train.locator import MOST_FALSE_PER_100, face_free, float_contract, locate_all, whole_pictures
from train.losses import SimOtaLoss
from train.material import cut_all
from train.measure import Figure, choose_threshold, locator_figures, match_near_faces
from train.proposals import LEAST_SCORE, Proposals, false_places, propose, with_unjudged
from train.readers import COVERED
from train.samples import FaceCrops
from train.split import Split
from train.weights import find_weights

MARGIN, BATCH, RATE = 0.10, 48, 1e-3
SEEN, USED = FrameSize(256, 192), FrameSize(320, 256)  # by the locator in training, and by the device
MOST_CHECKED = 600  # faces or pictures of the validation part


class SmallModels:
    """Trains without a source and tests on it.

    settings: of each part, what its figures depend on; without YuNet's weights there is no locator among them.
    """

    def __init__(self, arguments: argparse.Namespace, split: Split, data: Path) -> None:
        self._arguments, self._data = arguments, data
        self._work = arguments.float / "work" / "leave-out"
        common = {"data": split.fingerprint, "steps": arguments.steps, "seed": arguments.seed}
        self._weights = {CLASSIFIER: find_weights(arguments.weights, arguments.arch, data)}
        self.settings: dict[str, Any] = {
            CLASSIFIER: common | {"arch": arguments.arch, "size": arguments.size, "epochs": arguments.epochs},
        }
        try:
            self._weights[LOCATOR] = find_weights(arguments.weights, "yunet", data)
            self.settings[LOCATOR] = common | {"epochs": arguments.locator_epochs}
        except InputError as error:
            print(f"no locators: {error}", flush=True)
        for part, weights in self._weights.items():
            self.settings[part]["weights"] = Path(weights).name
        self._pictures = [*split.train, *split.validation]

    @cached_property
    def _proposals(self) -> Proposals:
        print(f"looking for what the shipped locator finds in {len(self._pictures)} pictures", flush=True)
        return propose(self._pictures, shipped_locator(LEAST_SCORE))

    def measure(self, part: str, source: str, split: Split, left_out: Sequence[Picture]) -> Figure:
        """The figures of a model trained on `split` and tested on pictures of the source that was left out."""
        set_up(self._arguments.seed)
        work = self._work / f"{part}-{source}"
        figures = (self._classifier if part == CLASSIFIER else self._locator)(work, split, left_out)
        shutil.rmtree(work, ignore_errors=True)
        keras.backend.clear_session()
        return figures

    def _classifier(self, work: Path, split: Split, left_out: Sequence[Picture]) -> Figure:
        """The verdict is the likeliest label."""
        arguments, crop = self._arguments, Crop(self._arguments.size, MARGIN)
        faces, check = (labelled_faces(part, self._proposals) for part in (split.train, split.validation))
        tested = labelled_faces(left_out)
        check_enough(faces, check, tested)
        outputs = outputs_of(faces)
        check = _some([face for face in check if OUTPUTS[face.label] in outputs])
        model = backbones.classifier(arguments.arch, crop.size, self._weights[CLASSIFIER], len(outputs))
        batches = ChanceBatches(FaceCrops(faces, crop, outputs).one, BATCH, arguments.steps, arguments.seed)
        checked = FixedBatches([(rgb, np.eye(len(outputs))[k]) for rgb, k in cut_all(check, crop)], 64)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        plan = Plan(arguments.epochs, arguments.steps, BATCH, RATE, patience=arguments.epochs)
        fit(model, loss, ["accuracy"], plan, batches, checked, work, self.settings[CLASSIFIER])
        exported = backbones.exported_classifier(model, arguments.arch, crop.size, len(outputs))
        logits, _ = predict(exported, cut_all(tested, crop))
        said = [likeliest(classification(each, 0.0)) for each in softmax(logits)]
        truth = [COVERED if face.covered else LABELS[face.label] for face in tested]
        return {"faces": len(tested)} | verdict_figures(list(zip(truth, said, strict=True)))

    def _locator(self, work: Path, split: Split, left_out: Sequence[Picture]) -> Figure:
        """At the threshold that keeps to MOST_FALSE_PER_100 on the validation part."""
        arguments = self._arguments
        model = networks.locator("yunet", SEEN.height, SEEN.width, self._weights[LOCATOR])
        hard = {each.path: false_places(each, self._proposals[each.path]) for each in face_free(split.train)}
        frames = Frames(with_unjudged(split.train, self._proposals), SEEN, hard)
        batches = ChanceBatches(lambda chance: located(frames.one(chance)), 32, arguments.steps, arguments.seed)
        check = _some(whole_pictures(split.validation))
        checked = FixedBatches([located(frames.whole(picture)) for picture in check], 32)
        plan = Plan(arguments.locator_epochs, arguments.steps, 32, RATE, patience=arguments.locator_epochs)
        loss = SimOtaLoss(cells(float_contract(SEEN, LEAST_LOCATED)))
        fit(model, loss, [], plan, batches, checked, work, self.settings[LOCATOR])
        exported = networks.exported_locator(model, "yunet", USED.height, USED.width)
        find = FaceLocator(FloatNetwork(exported), float_contract(USED, LEAST_LOCATED)).locate
        threshold = choose_threshold(locate_all(find, check, self._data), MOST_FALSE_PER_100)
        pictures = locate_all(find, left_out, self._data)
        return locator_figures(pictures, [match_near_faces(each) for each in pictures], threshold)


def _some(items: Sequence[Any]) -> list[Any]:
    """MOST_CHECKED of them, evenly drawn."""
    return list(items[:: max(1, -(-len(items) // MOST_CHECKED))])
