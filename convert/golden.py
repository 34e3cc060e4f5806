"""Golden pictures and answers, for the device's self-test: python -m convert.golden BUNDLE adds them to a bundle."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from convert.bundle import write
from edge.contract import Bundle, Contract, ModelFile, load_bundle, sha256
from edge.errors import MaskgateError
from edge.interpreter import PLAIN, networks
from edge.selftest import OUTPUTS_OF, answers_to, apart
from edge.values import Rgb

GOLDEN_FILE = "golden.npz"
BLOCKS = (4, 6, 8, 8, 12, 16, 24, 32)
SKIN, SHIRT, HAIR, WALL, MASK, LIPS = (
    (220, 175, 150),
    (60, 60, 70),
    (60, 40, 30),
    (90, 110, 140),
    (120, 180, 220),
    (170, 70, 70),
)
WHITE, DARK = (250, 250, 250), (40, 30, 30)


def add_golden(bundle: Bundle) -> Contract:
    """Write golden.npz into the bundle's folder; the contract with it. It is the same file each time.

    What the networks answer here is golden; how far the runtime's plain kernels are from that shows what rounding does.
    """
    arrays: dict[str, Any] = {}
    for name, best, plain in zip(OUTPUTS_OF, networks(bundle), networks(bundle, options=PLAIN), strict=True):
        arrays[f"{name}_pictures"] = pictures = np.stack(golden_pictures(*best.shape[:2]))
        both = zip(OUTPUTS_OF[name], answers_to(best, pictures), answers_to(plain, pictures), strict=True)
        for output, golden, other in both:
            arrays[f"{name}_{output}"] = golden
            arrays[f"{name}_{output}_rounding"] = apart(other, golden)
    file = bundle.folder / GOLDEN_FILE
    np.savez_compressed(file, **arrays)
    return msgspec.structs.replace(bundle.contract, golden=ModelFile(file.name, sha256(file)))


def golden_pictures(height: int, width: int) -> list[Rgb]:
    """Pictures of this size, uint8 (height, width, 3), made by code: noise from coarse to fine, and two drawn faces."""
    noises = [noise(height, width, blocks, seed) for seed, blocks in enumerate(BLOCKS)]
    return [*noises, *(drawn_face(height, width, masked) for masked in (False, True))]


def noise(height: int, width: int, blocks: int, seed: int) -> Rgb:
    """`blocks` x `blocks` areas of any colour."""
    colours = np.random.default_rng(seed).integers(0, 256, (blocks, blocks, 3), np.uint8)
    rows, columns = (np.arange(side) * blocks // side for side in (height, width))
    return colours[rows][:, columns]


def drawn_face(height: int, width: int, masked: bool) -> Rgb:
    """Head and shoulders in a few ellipses."""
    rgb = np.full((height, width, 3), WALL, np.uint8)
    unit = height / 3

    def ellipse(x: float, y: float, half_width: float, half_height: float, colour: tuple[int, int, int]) -> None:
        centre = round(width / 2 + x * unit), round(height / 2 + y * unit)
        cv2.ellipse(rgb, centre, (round(half_width * unit), round(half_height * unit)), 0, 0, 360, colour, -1)

    ellipse(0, 1.6, 1.3, 0.9, SHIRT)
    ellipse(0, -0.1, 0.8, 1.05, HAIR)
    ellipse(0, 0, 0.7, 1, SKIN)
    for x in (-0.3, 0.3):
        ellipse(x, -0.2, 0.13, 0.07, WHITE)
        ellipse(x, -0.2, 0.05, 0.06, DARK)
        ellipse(x, -0.36, 0.16, 0.03, HAIR)
    if masked:
        ellipse(0, 0.45, 0.62, 0.45, MASK)
    else:
        ellipse(0, 0.5, 0.25, 0.07, LIPS)
    return rgb


def main(arguments: Sequence[str]) -> int:
    """Add golden.npz to a finished bundle; the exit code."""
    if len(arguments) != 1:
        print("convert.golden: error: give the folder of a bundle", file=sys.stderr)
        return 2
    try:
        bundle = load_bundle(Path(arguments[0]))
        write(bundle.folder, add_golden(bundle), {})
    except MaskgateError as error:
        print(f"convert.golden: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
