"""Teach the shipped classifier the faces of one's own door: python -m train retrain (after python -m train review).

It goes on from the bundle's own weights, on the site's labelled faces mixed with general photos (see `lessons.py`), and
is then held against what it came from: on the site's faces that were held back, whole groups of them, which chose
nothing; and on the general test part, which with the validation part chose how far it goes.
Ends with classifier.keras and classifier.json in build/retrain/, from which `python -m convert --train build/retrain`
makes a bundle; or with why not, and neither file. With the defaults about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from edge.contract import Bundle, load_bundle
from edge.errors import InputError
from edge.values import LABELS, WITH_MASK
from train import backbones
from train.average import CARD, MODEL
from train.batches import Epoch, Sample
from train.boxes import with_boxes
from train.calibration import fit_temperature
from train.classifier import NOTICE, predict
from train.crops import Crop, LabelledFace, labelled_faces
from train.datasets import find_data
from train.fit import Plan, optimizer, set_up
from train.lessons import EVEN, Lessons, settle
from train.material import Material, cut_all, gather
from train.noted import DATA_FILE, find_photos
from train.read_back import check_same, read_back
from train.samples import FaceCrops
from train.split import prepare

LEAST_TRAIN, LEAST_HELD = 20, 8
"""Labelled faces without which nothing can be learnt, or be known of it."""
NOISE = 0.025
"""A figure of general photos that only so small a chance would explain is worse (one side of a 95 % interval)."""
DOUBT = 0.16
"""The same where it is chosen how far to go: stricter, so that what INT8 adds to it does not make it fail later."""
TOLD_BY = 300
"""Faces on which it is tried whether the classifier was read back right."""


@dataclass(frozen=True, slots=True)
class Site:
    """The labelled faces of a door, near duplicates and those of the same minutes together on one side."""

    train: list[LabelledFace]
    held: list[LabelledFace]


@dataclass(frozen=True, slots=True)
class Beside:
    """One figure of the classifier before and after, on the same faces.

    before, after: of each face whether it got it right, bool (faces,). strict: it must not lose more than it wins; else
    not more than chance may do.
    """

    name: str
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    strict: bool = False

    @property
    def lost(self) -> int:
        return int((self.before & ~self.after).sum())

    @property
    def won(self) -> int:
        return int((self.after & ~self.before).sum())

    @property
    def chance(self) -> float:
        """Of losing so many more than it wins, were both equally good (exact McNemar test)."""
        differing = self.lost + self.won
        return float(binomtest(self.lost, differing, alternative="greater").pvalue) if differing else 1.0

    @property
    def passed(self) -> bool:
        return self.lost <= self.won if self.strict else self.chance >= NOISE

    @property
    def refusal(self) -> str:
        before, after = 100 * self.before.mean(), 100 * self.after.mean()
        return (
            f"{self.name}: {after:.1f} %, before {before:.1f} %; {self.lost} of {len(self.before)} lost, {self.won} won"
        )

    @property
    def row(self) -> str:
        before, after = (f"{100 * each.mean():.1f} %" for each in (self.before, self.after))
        verdict = "pass" if self.passed else "FAIL"
        return f"| {self.name} | {before} | {after} | {len(self.before)} | {self.lost} | {self.won} | {verdict} |"


def retrain(arguments: argparse.Namespace) -> list[str]:
    """The command; why the new classifier was refused, one line each, if it was. Raises InputError."""
    set_up(arguments.seed)
    bundle, out = load_bundle(arguments.bundle), arguments.out
    contract = bundle.contract.classifier
    data = find_data(arguments.data) if arguments.data else find_photos(Path("build/train"), None)
    for earlier in (MODEL, CARD):
        (out / earlier).unlink(missing_ok=True)
    crop = Crop(contract.size, contract.margin)
    site = site_faces(arguments.site, out / "site", arguments.seed)
    general = gather(data, out, crop, arguments.seed, contract.labels)
    judged = {"site": cut_all(site.held, crop), "general": cut_all(general.test, crop)}
    before, after = start(bundle, arguments.weights), start(bundle, arguments.weights)
    if arguments.weights is None:
        check_same(before, bundle, [rgb for rgb, _ in (judged["general"] + judged["site"])[:TOLD_BY]])
    print(f"learning from {len(site.train)} faces of the site and {general.faces} others", flush=True)
    crops = FaceCrops(site.train, crop, contract.labels, kinds=EVEN)
    how = arguments.share, arguments.batch, arguments.steps, arguments.seed
    learn(after, Lessons(crops, general.crops, before, *how), arguments)
    checked = labelled_faces(with_boxes(general.split.validation))  # by their boxes, as the test part's
    went = settle(after, before, no_worse_than(before, [cut_all(checked, crop), judged["general"]]))
    print(f"went {100 * went:.0f} % of the way, as far as general photos allow")
    figures = [
        each
        for name, samples in judged.items()
        for each in compared(name, predict(before, samples)[0], *predict(after, samples))
    ]
    print(table(figures))
    refusals = [each.refusal for each in figures if not each.passed]
    if not refusals:
        temperature = fit_temperature(*predict(after, cut_all(general.validation, crop)))
        notes = card(bundle, site, general, figures, temperature, arguments.seed)
        exported = backbones.exported_classifier(after, notes["arch"], contract.size, len(contract.labels))
        exported.save(out / MODEL)
        (out / CARD).write_text(json.dumps(notes, indent=1))
        (out / DATA_FILE).write_text(str(data.resolve()))
        print(f"learnt: {out / MODEL}; `python -m convert --train {out}` makes a bundle of it")
    return refusals


def site_faces(folder: Path, out: Path, seed: int) -> Site:
    """The labelled faces of a folder data set; its split is noted in `out`. InputError if they are too few to learn."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `make pull` and `python -m train review` fill it")
    split = prepare(folder, out, seed)
    site = Site(*(labelled_faces(with_boxes(part)) for part in (split.train, [*split.validation, *split.test])))
    if len(site.train) < LEAST_TRAIN or len(site.held) < LEAST_HELD:
        raise InputError(
            f"{folder}: {len(site.train)} labelled faces to learn from and {len(site.held)} to judge by; "
            f"{LEAST_TRAIN} and {LEAST_HELD} are the least, so pull and label more"
        )
    for part in (site.train, site.held):
        if len({LABELS[face.label] == WITH_MASK for face in part}) < 2:
            raise InputError(f"{folder}: too few faces with a proper mask, or too few without one; label more of them")
    return site


def compared(
    name: str,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    truth: NDArray[np.int64],
) -> list[Beside]:
    """The figures of one set of faces; the verdict is the likeliest label.

    before, after: logits float32 (n, outputs). truth: label numbers int64 (n,).
    """
    old, new = (logits[:, : len(LABELS)].argmax(axis=1) for logits in (before, after))
    masked = LABELS.index(WITH_MASK)
    proper = truth == masked
    figures = [Beside(f"{name}: verdicts right", old == truth, new == truth, strict=name == "site")]
    if not proper.all():
        accepted = ((said == masked)[~proper] for said in (old, new))
        figures.append(Beside(f"{name}: not masked, not called so", *(~each for each in accepted)))
    return figures


def table(figures: Sequence[Beside]) -> str:
    """All figures in Markdown."""
    return "\n".join(
        ["| figure | before | after | faces | lost | won | verdict |", "|" + "---|" * 7, *(f.row for f in figures)]
    )


def start(bundle: Bundle, weights: Path | None) -> keras.Model:
    """The classifier to go on from: the bundle's own, or the .keras file that it was made from."""
    if weights is None:
        return read_back(bundle)
    contract, arch = bundle.contract.classifier, bundle.contract.training.get("classifier", {}).get("arch")
    if arch not in (*backbones.BODIES, "seed") or weights.suffix != ".keras":
        raise InputError(f"--weights {weights}: not a .keras file of a known architecture ({arch})")
    return backbones.classifier(arch, contract.size, str(weights), len(contract.labels), dropout=0.0)


def learn(model: keras.Model, lessons: Lessons, arguments: argparse.Namespace) -> None:
    """Train the model. No epoch is chosen by the faces that were held back: they must stay strangers."""
    plan = Plan(arguments.epochs, arguments.steps, arguments.batch, arguments.rate, patience=arguments.epochs)
    model.compile(optimizer(plan), keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(lessons, epochs=plan.epochs, callbacks=[Epoch(lessons)], verbose=2, shuffle=False)


def no_worse_than(before: keras.Model, parts: Sequence[list[Sample]]) -> Callable[[keras.Model], bool]:
    """Tells of a classifier whether no part of the general photos gives a reason to doubt it."""
    old = [predict(before, samples)[0] for samples in parts]

    def keeps(after: keras.Model) -> bool:
        figures = (compared("general", was, *predict(after, part)) for was, part in zip(old, parts, strict=True))
        return all(each.chance >= DOUBT for some in figures for each in some)

    return keeps


def card(
    bundle: Bundle, site: Site, general: Material, figures: Sequence[Beside], temperature: float, seed: int
) -> dict[str, Any]:
    """What convert wants to know of the classifier; nothing in it names a door."""
    contract, trained = bundle.contract.classifier, bundle.contract.training["classifier"]
    common = {"arch": trained["arch"], "size": contract.size, "margin": contract.margin, "labels": contract.labels}
    return common | {
        "temperature": temperature,
        "notices": [NOTICE] if NOTICE in bundle.contract.notices else [],
        "training": common
        | {
            "weights": f"{bundle.contract.name}-{bundle.contract.version}",
            "seed": seed,
            "data": general.split.fingerprint,
            "faces": general.faces,
            "site": {"faces": len(site.train), "held_back": len(site.held)}
            | {each.name: [float(each.before.mean()), float(each.after.mean())] for each in figures},
        },
    }
