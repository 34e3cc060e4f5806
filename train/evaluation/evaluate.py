"""What a bundle is worth on pictures it never saw: python -m train evaluate --data DIR [--benchmark DIR --peer FILE].

Judges the test part, and a benchmark if one is given, as the device would, and writes evaluation.json, plots, contact
sheets and its part of index.html into build/train/report/. Takes about three minutes on one core.

`evaluate` gives a dict that can be written as JSON. A Figure is {"value", "low", "high", "count", "n"}: a share of 0 to
1 with its 95 % interval (a rate per 100 in `false_per_100`), value None where nothing was to count.

    bundle      {"name", "version", "proposal_threshold", "face_threshold", "score_threshold"}
    sets        {"test": Set, "faces": Set, "benchmark": Set}; what there are no pictures for is left out.
                test: scenes and face-free pictures of the test part; faces: its pictures with one labelled face
    crops       the classifier alone, on every labelled face of the test part cut by its own box: {"faces",
                "false_accepts", "false_rejects", "unknown", "class_accuracy", "confusion"} as in Counts
    risk        {"test": Risk, "benchmark": Risk}; Risk: {"threshold", "refused": Figure, "wrong": Figure,
                "false_accepts": Figure, "curve": [[threshold, refused, wrong, false_accepts], ...] as shares}
    slices      {"test": ..., "benchmark": ...}: what `train.evaluation.slices.by_slice` gives of the near faces:
                {slice: {value: {"faces", "recall", "false_accepts", "false_rejects"}}}
    worst       of the first of these sets, by figure, {"slice", "value", "figure": Figure} or None: `slices.worst`
    suite       what `train.evaluation.suite.measure` gives, or None: {kind: {"truth", "crops": ..., "pictures": ...}}
    agreement   INT8 against float: {"test": Agreement, "benchmark": Agreement}, empty without float models; Agreement:
                {"faces", "likeliest", "labels", "pipeline", "accuracy_drop", "recall_drop"}, near faces: shares on
                which both say the same of the same crop, without and with unknown, and through locator and classifier;
                drops in points, {"value", "low", "high", "worse", "better", "n"}
    speed       {"ratio": Figure, "ours_ms", "peer_ms", "pairs", "peer"} or None without a peer
    leave_one_out   what leaving each source out gave: {"classifier": {"settings", "sources": {source: figures}},
                "locator": ...}, figures of `verdicts.verdict_figures` and `measure.locator_figures`; None if never run

    Set         {"pictures", "near": Counts, "all": Counts, "sources": {source: Counts of near faces}}
    Counts      {"pictures", "faces", "recall", "false_per_100", "face_free_found", "class_accuracy",
                "false_accepts": {"without_mask", "covered", "incorrect", "all"}, "false_rejects", "unknown",
                "granted_wrongly", "granted_rightly", "ap50": {label: Figure}, "confusion": {truth: {verdict: count}}}
                covered faces are among those of without_mask too; a verdict is a label, "unknown" or "missed"
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.contract import CONTRACT_FILE, Bundle, load_bundle
from edge.detect import clipped
from edge.errors import InputError
from edge.judge import Judge
from edge.picture import read_picture
from edge.preprocess import face_input
from edge.values import LABELS, Box, Judged, Rgb
from train.crops import Crop, cut, labelled_faces
from train.datasets import FACES, NEGATIVES, SCENES, Picture
from train.evaluation.agreement import Models, Said, agreement, float_models, int8_models
from train.evaluation.leave_out import FILE as LEAVE_OUT_FILE
from train.evaluation.leave_out import leave_out
from train.evaluation.risk import plot_risk, risk
from train.evaluation.sheets import write_sheets
from train.evaluation.slices import SlicedFace, assign, by_slice, worst
from train.evaluation.speed import compare
from train.evaluation.suite import run as run_suite
from train.evaluation.tables import main_table
from train.evaluation.verdicts import Counted, JudgedPicture, count, figures, known, verdict_figures
from train.measure import NEAR, Figure
from train.noted import find_photos, read_split
from train.page import write_page
from train.readers import COVERED, IGNORE, LabelledBox, read_boxes, read_sources

BUNDLES = Path("build/bundle")
TEST, BENCHMARK = "test", "benchmark"


@dataclass(frozen=True)
class Looked:
    """One picture and what the models make of it, the INT8 ones first, then the float ones if there are any.

    slices: of each of its faces, as `slices.assign` gives them. crops: near faces of the same crop, for `agreement`.
    """

    file: Path
    judged: tuple[JudgedPicture, ...]
    slices: tuple[dict[str, str], ...]
    crops: tuple[Said, ...]


def run(arguments: argparse.Namespace) -> None:
    """The command `python -m train evaluate`."""
    if arguments.leave_out is not None:
        leave_out(arguments)
        return
    folder = find_photos(arguments.float, arguments.data and Path(arguments.data))
    test = read_split(folder, arguments.float).test
    bundle = load_bundle(arguments.bundle or newest_bundle(BUNDLES))
    found = evaluate(
        bundle, test, folder, arguments.benchmark, arguments.float, arguments.peer, arguments.suite, arguments.out
    )
    print(main_table(found))


def newest_bundle(folder: Path) -> Path | None:
    """Of the bundles in a folder, NAME-VERSION each, the one with the highest version; None without any."""
    found = [file.parent for file in folder.glob(f"*-*/{CONTRACT_FILE}") if file.parent.name.split("-")[-1].isdigit()]
    return max(found, key=lambda each: int(each.name.split("-")[-1]), default=None)


def evaluate(
    bundle: Bundle,
    test: Sequence[Picture],
    data: Path,
    benchmark: Path | None = None,
    floats: Path | None = None,
    peer: Path | None = None,
    suite: int = 0,
    report: Path | None = None,
) -> Figure:
    """Measure a bundle; the dict is described at the top of this file.

    test: the test part of the split of `data`. benchmark: a box data set. floats: where training left its models and
    the figures of leaving sources out. peer: a .tflite file. suite: faces a kind of the hard-negative suite, 0 leaves
    it out. report: a folder for evaluation.json, plots, contact sheets and the page; None writes nothing.
    Raises InputError for a benchmark without boxes, a broken picture, a peer that cannot be loaded.
    """
    if report:
        _clear(report)
    contract = bundle.contract
    score_threshold = contract.classifier.score_threshold
    before = float_models(floats, bundle) if floats else None
    models = [each for each in (int8_models(bundle), before) if each]
    if floats and not before:
        print(f"{floats}: holds no float models of this bundle; their agreement is not measured", flush=True)
    looked = {
        name: look(pictures, base, models, name)
        for name, (pictures, base) in _sets(test, data, benchmark).items()
        if pictures
    }
    counted = {name: [count(each.judged[0]) for each in some] for name, some in looked.items()}
    main = [name for name in looked if name != FACES] or list(looked)
    sliced = {name: by_slice(_sliced(looked[name], counted[name])) for name in main}
    found = {
        "bundle": {
            "name": contract.name,
            "version": contract.version,
            "proposal_threshold": contract.locator.score_threshold,
            "face_threshold": contract.classifier.face_threshold,
            "score_threshold": score_threshold,
        },
        "sets": {name: _set_figures(looked[name], counted[name]) for name in looked},
        "crops": crop_figures(bundle, test),
        "risk": {name: risk([v for each in counted[name] for v in each.verdicts], score_threshold) for name in main},
        "slices": sliced,
        "worst": worst(sliced[main[0]] if main else {}),
        "suite": run_suite(bundle, test, suite, report) if suite else None,
        "agreement": {name: _agreement(looked[name], counted[name]) for name in main if before},
        "speed": compare(bundle.locator_file, peer) if peer else None,
        "leave_one_out": _left_out(floats),
    }
    if report:
        wrong_in = main[0] if main else TEST
        _write(report, found, looked.get(wrong_in, []), counted.get(wrong_in, []))
    return found


def _sets(test: Sequence[Picture], data: Path, benchmark: Path | None) -> dict[str, tuple[Sequence[Picture], Path]]:
    """Pictures to judge whole, and the folder that their names are relative to."""
    whole = [picture for picture in test if picture.kind in (SCENES, NEGATIVES)]
    portraits = [picture for picture in test if picture.kind == FACES and len(picture.boxes) == 1]
    sets: dict[str, tuple[Sequence[Picture], Path]] = {TEST: (whole, data), FACES: (portraits, data)}
    return sets | {BENCHMARK: (box_pictures(benchmark), benchmark)} if benchmark else sets


def box_pictures(folder: Path) -> list[Picture]:
    """The pictures of a box data set that its box file names. InputError if it has none."""
    boxes = read_boxes(folder) if folder.is_dir() else None
    if not boxes:
        raise InputError(f"{folder}: no boxes; wanted is boxes.csv, annotations/*.xml or labels/*.txt beside images/")
    sources = read_sources(folder)
    return [
        Picture(folder / name, SCENES, sources.get(name, (None, None))[0] or folder.name, name, None, each)
        for name, each in sorted(boxes.items())
    ]


def look(pictures: Sequence[Picture], base: Path, models: Sequence[Models], name: str) -> list[Looked]:
    """Let all models see every picture; progress is printed under `name`."""
    print(f"judging {len(pictures)} pictures: {name}", flush=True)
    return [_look(picture, base, models) for picture in pictures]


def _look(picture: Picture, base: Path, models: Sequence[Models]) -> Looked:
    rgb = read_picture(picture.path)
    name, height = picture.path.relative_to(base).as_posix(), rgb.shape[0]
    truth = tuple(each for each in picture.boxes if each.label != IGNORE)
    ignore = tuple(each.box for each in picture.boxes if each.label == IGNORE)
    judged = (JudgedPicture(name, picture.source, height, truth, ignore, _found(each.judge, rgb)) for each in models)
    slices = (assign(rgb, each.box, each.label) for each in truth)
    crops = _same_crops(rgb, truth, models) if len(models) > 1 else ()
    return Looked(picture.path, tuple(judged), tuple(slices), tuple(crops))


def _same_crops(rgb: Rgb, truth: Sequence[LabelledBox], models: Sequence[Models]) -> Iterator[Said]:
    after, before = models
    for face in truth:
        label = known(face.label)
        if label and face.box.height >= NEAR * rgb.shape[0]:
            crop = [face_input(rgb, face.box, after.crop)]
            yield label, before.classifier.classify(crop)[0], after.classifier.classify(crop)[0]


def _found(judge: Judge, rgb: Rgb) -> tuple[Judged, ...]:
    """As `maskgate detect` writes them, so that its CSV gives the same figures: cut at the border, and rounded."""
    return tuple(_rounded(face) for each in judge.judge(rgb) if (face := clipped(each, rgb)) is not None)


def _rounded(face: Judged) -> Judged:
    said = replace(face.classification, score=round(face.classification.score, 4))
    return replace(face, box=Box(*(round(side, 1) for side in face.box)), classification=said)


def _set_figures(looked: Sequence[Looked], counted: Sequence[Counted]) -> Figure:
    sources = sorted({each.picture.source for each in counted})
    return {
        "pictures": len(counted),
        "near": figures(counted),
        "all": figures([count(each.judged[0], 0.0) for each in looked]),
        "sources": {source: figures([each for each in counted if each.picture.source == source]) for source in sources},
    }


def _sliced(looked: Sequence[Looked], counted: Sequence[Counted]) -> list[SlicedFace]:
    """The near faces with their slices and what became of them."""
    faces = []
    for one, each in zip(looked, counted, strict=True):
        slices = dict(zip(map(id, each.picture.truth), one.slices, strict=True))
        for verdict in each.verdicts:
            said = verdict.said if verdict.found else None
            faces.append(SlicedFace(verdict.truth.label, slices[id(verdict.truth)], verdict.found is not None, said))
    return faces


def crop_figures(bundle: Bundle, pictures: Sequence[Picture]) -> Figure:
    """The classifier alone on every labelled face, cut by its own box as the device cuts."""
    models, pairs = int8_models(bundle), []
    crop = Crop(models.crop.size, models.crop.margin)
    for face in labelled_faces(pictures):
        (said,) = models.classifier.classify([cut(read_picture(face.picture.path), face, crop)])
        pairs.append((COVERED if face.covered else LABELS[face.label], said.label))
    return {"faces": len(pairs)} | verdict_figures(pairs)


def _agreement(looked: Sequence[Looked], counted: Sequence[Counted]) -> Figure:
    crops = [said for each in looked for said in each.crops]
    return agreement([count(each.judged[1]) for each in looked], counted, crops)


def _left_out(floats: Path | None) -> Figure | None:
    file = floats / LEAVE_OUT_FILE if floats else None
    found = json.loads(file.read_text(encoding="utf-8")) if file and file.is_file() else None
    return found if found else None


def _clear(folder: Path) -> None:
    """Make the folder, without an earlier evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*folder.glob("evaluation*"), *folder.glob("suite_*.png")):
        file.unlink()


def _write(folder: Path, found: Figure, looked: Sequence[Looked], counted: Sequence[Counted]) -> None:
    if found["risk"]:
        plot_risk(folder / "evaluation_risk.png", found["risk"])
    lists = write_sheets(folder, [(each.file, one) for each, one in zip(looked, counted, strict=True)])
    text = json.dumps(found | {"wrong": lists}, indent=1) + "\n"
    (folder / "evaluation.json").write_text(text, encoding="utf-8")
    print(f"wrote {write_page(folder)}", flush=True)
