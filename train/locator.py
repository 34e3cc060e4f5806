"""Train the face locator: python -m train locator --data DIR [--backbone yunet --weights FILE].

Ends with locator.keras, locator.json and its part of the report in build/train/. On two cores the defaults take about
25 minutes; validation recall of near faces should pass 0.93 at 6 false detections per 100 pictures. With `--teacher` a
trained yunet's student is trained, which takes half its time on the device (`student`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edge.contract import LocatorContract, Tensor
from edge.errors import InputError
from edge.locate import FaceLocator, cells
from edge.picture import read_picture
from edge.values import Rgb
from train import networks
from train.batches import ChanceBatches, FixedBatches, located
from train.boxes import shipped_locator
from train.canvases import Frames, FrameSize, has_scenes
from train.datasets import NEGATIVES, SCENES, Picture
from train.fit import Plan, fit, set_up
from train.float_network import FloatNetwork
from train.losses import SimOtaLoss
from train.measure import LocatedPicture, choose_threshold
from train.proposals import LEAST_SCORE as LEAST_PROPOSAL
from train.proposals import false_places, propose, with_unjudged
from train.readers import IGNORE
from train.report import report_locator
from train.split import prepare
from train.student import TaughtLoss, fronts_apart, mean_square, with_teacher

MOST_FALSE_PER_100 = 6.0
OVERLAP_THRESHOLD = 0.45
LEAST_SCORE = 0.05
FRONT_RATE = 3e-3
YUNET = "fine-tuned from YuNet (libfacedetection), Copyright Shiqi Yu and others, MIT licence"
NOTICES = {"yunet": YUNET, "student": YUNET}


def float_contract(size: FrameSize, score_threshold: float) -> LocatorContract:
    """What FaceLocator needs to know to read a float locator."""
    real = Tensor((), 1.0, 0)
    return LocatorContract(
        "", "", size.width, size.height, "RGB", real, real, real, networks.STRIDES, score_threshold, OVERLAP_THRESHOLD
    )


def train(arguments: argparse.Namespace, data: Path) -> None:
    """From photos to locator.keras."""
    set_up(arguments.seed)
    split = prepare(data, arguments.out, arguments.seed)
    if not all(has_scenes(part) for part in (split.train, split.validation, split.test)):
        raise InputError(f"{data}: no scenes with boxes, or too few to split; python -m train classifier needs none")
    seen, used = arguments.train_size, arguments.size

    plan = Plan(
        arguments.epochs, arguments.steps, arguments.batch, arguments.rate, patience=max(6, arguments.epochs // 2)
    )
    settings = {"backbone": arguments.backbone, "weights": Path(arguments.weights).name, "seed": arguments.seed}
    settings |= {"size": "{}x{}".format(*used), "train_size": "{}x{}".format(*seen)}
    settings |= {"data": split.fingerprint, "steps": plan.epochs * plan.steps}
    if arguments.teacher:
        settings |= {"teacher": arguments.teacher.name, "front_epochs": arguments.front_epochs}

    model = networks.locator(arguments.backbone, seen.height, seen.width, arguments.weights)
    proposals = propose(whole_pictures(split.train), shipped_locator(LEAST_PROPOSAL))
    hard = {picture.path: false_places(picture, proposals[picture.path]) for picture in face_free(split.train)}
    frames = Frames(with_unjudged(split.train, proposals), seen, hard)
    batches = ChanceBatches(lambda chance: located(frames.one(chance)), plan.batch, plan.steps, arguments.seed)
    check = FixedBatches([located(frames.whole(picture)) for picture in whole_pictures(split.validation)], plan.batch)
    work, grid = arguments.out / "work", cells(float_contract(seen, LEAST_SCORE))
    if arguments.teacher:
        teacher = networks.locator("yunet", seen.height, seen.width, str(arguments.teacher))
        if arguments.front_epochs:
            front_plan = replace(plan, epochs=arguments.front_epochs, rate=FRONT_RATE)
            apart = fronts_apart(model, teacher)
            fit(apart, mean_square, [], front_plan, batches, check, work / "locator-front", settings)
        both = with_teacher(model, teacher)
        history = fit(both, TaughtLoss(grid), [], plan, batches, check, work / "locator", settings)
    else:
        history = fit(model, SimOtaLoss(grid), [], plan, batches, check, work / "locator", settings)

    exported = networks.exported_locator(model, arguments.backbone, used.height, used.width)
    exported.save(arguments.out / "locator.keras")
    find = FaceLocator(FloatNetwork(exported), float_contract(used, LEAST_SCORE)).locate
    threshold = choose_threshold(locate_all(find, split.validation, data), MOST_FALSE_PER_100)
    figures = report_locator(arguments.out / "report", history, locate_all(find, split.test, data), threshold, settings)
    card = {
        "backbone": arguments.backbone,
        "height": used.height,
        "width": used.width,
        "strides": networks.STRIDES,
        "score_threshold": threshold,
        "overlap_threshold": OVERLAP_THRESHOLD,
        "notices": [NOTICES[arguments.backbone]] if arguments.backbone in NOTICES else [],
        "training": settings | {"test": figures},
    }
    (arguments.out / "locator.json").write_text(json.dumps(card, indent=1))


def whole_pictures(pictures: Sequence[Picture]) -> list[Picture]:
    """Those that a camera could have taken: scenes and face-free pictures."""
    return [picture for picture in pictures if picture.kind in (SCENES, NEGATIVES)]


def face_free(pictures: Sequence[Picture]) -> list[Picture]:
    return [picture for picture in pictures if picture.kind == NEGATIVES]


def locate_all(find: Callable[[Rgb], list], pictures: Sequence[Picture], data: Path) -> list[LocatedPicture]:
    """Every detection in every whole picture, beside what is there."""
    located_pictures = []
    for picture in whole_pictures(pictures):
        rgb = read_picture(picture.path)
        faces = tuple(each.box for each in picture.boxes if each.label != IGNORE)
        ignore = tuple(each.box for each in picture.boxes if each.label == IGNORE)
        located_pictures.append(
            LocatedPicture(
                picture.path.relative_to(data).as_posix(), picture.source, rgb, faces, ignore, tuple(find(rgb))
            )
        )
    return located_pictures
