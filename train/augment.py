"""What a camera and its surroundings do to a picture, by chance: uint8 RGB in, uint8 RGB of the same shape out."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge.values import Rgb

Chance = np.random.Generator
Step = Callable[[Rgb, Chance], Rgb]


def _uint8(picture: cv2.typing.MatLike | None) -> Rgb:
    return np.asarray(picture, np.uint8)


def flip(rgb: Rgb, chance: Chance) -> Rgb:
    """Left becomes right."""
    return np.ascontiguousarray(rgb[:, ::-1])


def rotate(rgb: Rgb, chance: Chance) -> Rgb:
    """By up to 15 degrees around the centre; the border repeats."""
    height, width = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), chance.uniform(-15, 15), 1.0)
    return _uint8(cv2.warpAffine(rgb, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))


def brightness(rgb: Rgb, chance: Chance) -> Rgb:
    """Gamma 0.5 to 2 and a gain 0.6 to 1.3, as exposure does."""
    table = np.arange(256) / 255.0
    table = table ** np.exp(chance.uniform(-0.7, 0.7)) * chance.uniform(0.6, 1.3)
    return _uint8(cv2.LUT(rgb, (table * 255).clip(0, 255).astype(np.uint8)))


def dim(rgb: Rgb, chance: Chance) -> Rgb:
    """A tenth to half of the light, with the noise of a sensor that strains."""
    return noise(_uint8((rgb * chance.uniform(0.1, 0.5)).astype(np.uint8)), chance)


def contrast(rgb: Rgb, chance: Chance) -> Rgb:
    """Towards or away from the mean."""
    mean = rgb.mean()
    table = (np.arange(256) - mean) * chance.uniform(0.5, 1.5) + mean
    return _uint8(cv2.LUT(rgb, table.clip(0, 255).astype(np.uint8)))


def colour(rgb: Rgb, chance: Chance) -> Rgb:
    """A cast, as white balance and lamps give it."""
    gains = chance.uniform(0.8, 1.2, 3)
    return (rgb * gains).clip(0, 255).astype(np.uint8)


def grey(rgb: Rgb, chance: Chance) -> Rgb:
    """As an infrared or an old camera sees it."""
    return _uint8(cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def blur(rgb: Rgb, chance: Chance) -> Rgb:
    """Out of focus, or smeared along a line by movement; up to 4 % of the side."""
    length = max(3, round(rgb.shape[0] * chance.uniform(0.01, 0.04)) | 1)
    if chance.random() < 0.5:
        return _uint8(cv2.GaussianBlur(rgb, (0, 0), length / 3))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D((length // 2, length // 2), chance.uniform(0, 180), 1.0)
    turned = np.asarray(cv2.warpAffine(kernel, turn, (length, length)))
    return _uint8(cv2.filter2D(rgb, -1, turned / turned.sum(), borderType=cv2.BORDER_REPLICATE))


def low_resolution(rgb: Rgb, chance: Chance) -> Rgb:
    """As if the face had been small in the frame: an eighth to a half of the side, enlarged again."""
    height, width = rgb.shape[:2]
    scale = chance.uniform(0.14, 0.5)
    small = cv2.resize(rgb, (max(2, round(width * scale)), max(2, round(height * scale))), interpolation=cv2.INTER_AREA)
    return _uint8(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def jpeg(rgb: Rgb, chance: Chance) -> Rgb:
    """Compressed at quality 25 to 80."""
    _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, int(chance.integers(25, 81))])
    return _uint8(cv2.imdecode(data, cv2.IMREAD_COLOR))


def noise(rgb: Rgb, chance: Chance) -> Rgb:
    """A sensor's, up to 12 grey levels."""
    grain = chance.normal(0, chance.uniform(2, 12), rgb.shape).astype(np.float32)
    return (rgb + grain).clip(0, 255).astype(np.uint8)


def cover(rgb: Rgb, chance: Chance) -> Rgb:
    """One plain rectangle, up to a third of each side, somewhere."""
    height, width = rgb.shape[:2]
    h, w = (int(side * chance.uniform(0.08, 0.33)) for side in (height, width))
    top, left = chance.integers(0, height - h + 1), chance.integers(0, width - w + 1)
    covered = rgb.copy()
    covered[top : top + h, left : left + w] = chance.integers(0, 256, 3)
    return covered


LIGHT: tuple[tuple[Step, float], ...] = (
    (dim, 0.06), (brightness, 0.5), (contrast, 0.3), (colour, 0.4), (grey, 0.08), (blur, 0.12), (noise, 0.2),
)  # fmt: skip
FRAME_STEPS: tuple[tuple[Step, float], ...] = (*LIGHT, (jpeg, 0.2))
CROP_STEPS: tuple[tuple[Step, float], ...] = (
    (flip, 0.5), (rotate, 0.5), *LIGHT, (low_resolution, 0.3), (jpeg, 0.4), (cover, 0.1),
)  # fmt: skip


def augment(rgb: Rgb, steps: tuple[tuple[Step, float], ...], chance: Chance) -> Rgb:
    """Each step with its own chance, in order."""
    for step, likelihood in steps:
        if chance.random() < likelihood:
            rgb = step(rgb, chance)
    return rgb
