"""Whether a camera's pictures can be trusted; what is wrong with them, if not.

- Another size: frames of another width or height than the first's. At once.
- Frozen: frames equal to the last bit in all rows that are compared, at least 60 of them, for longer than
  `frozen_seconds`. A sensor's noise never lets that be.
- Black: 98 % of the picture are below 16 of 255. White: 95 % are above 240.
- Covered: there is structure (see below) in fewer than two blocks, though the view has some or the picture is dim.
- Out of focus: where the picture shows the view, it is less than 0.45 times as sharp as usual there.
- Moved, or blocked: the view is found elsewhere in the picture, or in less than 8 % of its textured blocks.

All from black on have `patience_seconds`, and are looked for ten times a second at most. Patience is a bucket: time
that looks broken fills it, time that looks well empties it twice as fast. A fault stands from when it is full until it
is empty; so a few bad frames raise none, and a few good ones hide none.

Structure, sharpness and view are judged on the logarithm of a small grey picture, where lamps, exposure and dusk only
add something smooth, which its edges (a band-pass) and its fine detail (a Laplacian) leave out. The *structure* of one
of the 60 blocks is what its edges have in common with those of the frame before, and so is its detail: noise shares
nothing.

The *view* is the mean of the edges, learnt from healthy frames only, with a time constant of a minute; blocks that do
not match it (a person, a parked trolley) are learnt over an hour. It is asked once it was learnt for three seconds and
if it has at least 8 textured blocks. While it is faulty nothing is learnt: after moving a camera on purpose, restart. A
nudge by up to 2 % of the picture's width counts as none.

What this cannot know: what was wrong from the start on with focus or view; whether a bright plain picture from the
start on is a wall or a sheet before the lens; that a person hides all but 8 % of the view's texture, which is a fault
until they step back. A lens that focuses on near faces by itself blurs what is behind: set `blur = false` for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.settings import HealthSettings
from edge.values import Frame, Rgb

Floats = NDArray[np.float32]

WIDTH, HEIGHT = 320, 192
"""Of the small grey picture, whatever the frame's; its edges are found at half of that."""
COLUMNS, ROWS = 10, 6
"""Blocks of the picture, each of 16 x 16 pixels of the edges."""
LEAST_ROWS = 60
LOGARITHM: Floats = np.log(np.arange(256) + 8).astype(np.float32)
"""Of a grey level; the 8 keeps the noise of dark pictures small."""

BLACK, WHITE, DIM = 16, 240, 50
PLAIN, TEXTURED = 0.02, 0.03
"""Edges' amplitude in a block, as a fraction of the brightness: below is nothing, above is something to know again."""
MATCH = 0.6
"""Correlation, -1 to 1, above which a block shows what the view has there."""
LEAST_TEXTURED, LEAST_SEEN = 8, 4
SHARP = 0.45
LEAST_DETAIL = 0.05
"""Of a picture's detail, the part that must be more than noise to judge its sharpness."""
LOST, FOUND_ELSEWHERE, ALL_THERE = 0.08, 0.2, 0.6
"""Fractions of the textured blocks: below which the view is lost; by how much more match elsewhere when the camera was
moved; from which on nobody looks elsewhere."""
FAINT = 0.05
"""Edges are cut off here before a movement is looked for: somebody's strong outline shall not outweigh a room."""
NUDGE = 3
"""Pixels of the edges by which a camera may be nudged."""

READY_SECONDS, LEARN_SECONDS, RELEARN_SECONDS = 3.0, 60.0, 3600.0
LOOK_SECONDS = 0.09
"""Frames that come sooner than this after the one that was looked at last are not looked at."""
LONGEST_STEP = 0.5
"""Seconds between frames beyond which the rest teaches nothing."""
DRAIN = 2.0


class FrameHealth:
    """Watches one camera, also beyond its being opened anew: what it knows of the view must outlive that.

    repeated: whether the frame that was checked last only repeats the one before, so that it shows nothing new.
    picture: what was seen in the frame that was checked last; None when nobody looked at it, so soon after another.
    """

    def __init__(self, settings: HealthSettings) -> None:
        self.repeated = False
        self.picture: Picture | None = None
        self._settings = settings
        self._repeats = Repeats()
        self._view = View()
        self._size: tuple[int, int] | None = None
        self._before: Picture | None = None
        self._time: float | None = None
        self._look_time: float | None = None
        self._unseen = False  # whether the picture is one that nobody has looked at yet
        self._looks: str | None = None
        self._looked: str | None = None
        self._reason = ""
        self._broken_seconds = 0.0

    def check(self, frame: Frame) -> str | None:
        """None when the frame can be trusted, else why not, in a few words. Frames come in the order of their times."""
        self.picture = None
        height, width = frame.rgb.shape[:2]
        self._size = self._size or (width, height)
        if (width, height) != self._size:
            return f"frames of {self._size[0]}x{self._size[1]} turned into {width}x{height}"
        repeated_seconds = self._repeats.seconds(frame)
        self.repeated = repeated_seconds > 0
        self._unseen |= not self.repeated
        if not (self._unseen and self._has_just_looked(frame.time)):
            self._consider(frame)
        if self._reason:
            return self._reason
        return "the camera repeats one frame" if repeated_seconds > self._settings.frozen_seconds else None

    def _consider(self, frame: Frame) -> None:
        """Look at a picture that nobody has looked at yet; what it looks like has lasted since the frame before."""
        elapsed = 0.0 if self._time is None else max(0.0, frame.time - self._time)
        self._time = frame.time
        if self._unseen:
            self.picture = self._look(frame, elapsed)
        self._weigh(elapsed)

    def _has_just_looked(self, time: float) -> bool:
        return self._look_time is not None and 0 <= time - self._look_time < LOOK_SECONDS

    def _look(self, frame: Frame, elapsed: float) -> Picture:
        """Form an opinion of a new picture, and learn from it if it is good."""
        picture = picture_of(frame.rgb)
        blocks = compare(picture, self._before or picture, self._view)
        self._before, self._look_time, self._unseen = picture, frame.time, False
        self._looked, self._looks = self._looks, self._judge(picture, blocks)
        if self._looks is None and self._broken_seconds == 0:
            self._view.learn(picture, blocks, min(elapsed, LONGEST_STEP))
        return picture

    def _judge(self, picture: Picture, blocks: Blocks) -> str | None:
        if picture.brightest < BLACK:
            return "the picture is black"
        if picture.darkest > WHITE:
            return "the picture is white"
        if amplitude(blocks.edges) < PLAIN and (picture.middle < DIM or self._view.structure > TEXTURED):
            return "the lens is covered"
        if not self._view.ready:
            return None
        if self._settings.blur and self._view.sharpness(blocks) < SHARP:
            return "the picture is out of focus"
        if self._settings.view and self._view.is_lost(picture, blocks):
            return "the camera was moved, or its view blocked"
        return None

    def _weigh(self, elapsed: float) -> None:
        """Fill or empty the bucket; a fault begins when it is full and ends when it is empty."""
        if self._looks is None:
            self._broken_seconds = max(0.0, self._broken_seconds - DRAIN * elapsed)
            if self._broken_seconds == 0:
                self._reason = ""
        else:
            patience = self._settings.patience_seconds
            # a hair more, as sums of frames' times have rounding errors
            self._broken_seconds = min(patience, self._broken_seconds + elapsed + 1e-6)
            if not self._reason:
                self._reason = self._looks if self._broken_seconds == patience else ""
            elif self._looks == self._looked:  # the frame between two faults may look like a third
                self._reason = self._looks


class Repeats:
    """Finds out for how long a camera has given the same picture. It keeps a copy, as buffers may be used again."""

    def __init__(self) -> None:
        self._rows = b""
        self._since = 0.0

    def seconds(self, frame: Frame) -> float:
        """For how long, in seconds, the frame's picture has been repeated; 0 for a new one."""
        rows = frame.rgb[:: max(1, frame.rgb.shape[0] // LEAST_ROWS)].tobytes()
        if rows != self._rows:
            self._rows, self._since = rows, frame.time
        return frame.time - self._since


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture, by what does not depend on its light, and its light.

    detail: Laplacian of the logarithm, float32 (192, 320). edges: its band-pass, float32 (96, 160).
    brightest, middle, darkest: the grey levels, 0 to 255, below which 98, 50 and 5 % of it lie.
    """

    detail: Floats
    edges: Floats
    brightest: float
    middle: float
    darkest: float


def picture_of(rgb: Rgb) -> Picture:
    """Of a frame, uint8 (H, W, 3), of any size; its green stands for grey."""
    height, width = rgb.shape[:2]
    rows = rgb[:: max(1, round(height / 2 / HEIGHT))]
    green = cv2.extractChannel(rows, 1)[:, :: max(1, round(width / 2 / WIDTH))]
    small = cv2.resize(np.ascontiguousarray(green), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    light = cv2.resize(small, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
    darker = np.bincount(light.ravel(), minlength=256).cumsum()
    brightest, middle, darkest = (
        float(np.searchsorted(darker, int(part * light.size), side="right")) for part in (0.98, 0.5, 0.05)
    )
    logarithm = cv2.LUT(small, LOGARITHM)
    half = cv2.resize(logarithm, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    edges = cv2.GaussianBlur(half, (0, 0), 1.0) - cv2.blur(half, (11, 11))
    return Picture(floats(cv2.Laplacian(logarithm, cv2.CV_32F)), floats(edges), brightest, middle, darkest)


@dataclass(frozen=True, slots=True)
class Blocks:
    """A picture block by block; each float32 (6, 10).

    detail, edges: power of what it has in common with the picture before. noisy_detail: power of its detail as it is.
    match: correlation with the view, -1 to 1.
    """

    detail: Floats
    noisy_detail: Floats
    edges: Floats
    match: Floats


def compare(picture: Picture, before: Picture, view: View) -> Blocks:
    """A picture with the one before it, and with the view."""
    return Blocks(
        means(picture.detail * before.detail),
        means(picture.detail * picture.detail),
        means(picture.edges * before.edges),
        correlation(view.edges, picture.edges),
    )


class View:
    """What the camera usually sees. It starts with nothing and is `ready` after a few seconds of learning.

    edges: float32 (96, 160). structure: the amplitude of the second strongest block.
    """

    def __init__(self) -> None:
        self.edges = np.zeros((HEIGHT // 2, WIDTH // 2), np.float32)
        self.structure = 0.0
        self._edges_power = np.zeros((ROWS, COLUMNS), np.float32)
        self._detail_power = np.zeros((ROWS, COLUMNS), np.float32)
        self._textured = np.zeros((ROWS, COLUMNS), np.bool_)
        self._seconds = 0.0

    @property
    def ready(self) -> bool:
        return self._seconds >= READY_SECONDS

    def learn(self, picture: Picture, blocks: Blocks, elapsed: float) -> None:
        """A healthy picture that stood for `elapsed` seconds; at first all count alike, later the newer count more."""
        if elapsed <= 0:
            return
        self._seconds += elapsed
        slow = np.where(self._textured & (blocks.match > MATCH), LEARN_SECONDS, RELEARN_SECONDS)
        # but what comes before a plain wall is never learnt fast: it goes again
        early = np.where(self._textured | (not self.ready), self._seconds, RELEARN_SECONDS)
        weight = (elapsed / np.minimum(slow, early)).astype(np.float32)
        everywhere = cv2.resize(weight, self.edges.shape[::-1], interpolation=cv2.INTER_NEAREST)
        self.edges += floats(everywhere) * (picture.edges - self.edges)
        self._edges_power += weight * (blocks.edges - self._edges_power)
        self._detail_power += weight * (blocks.detail - self._detail_power)
        power = means(self.edges**2)
        self.structure = amplitude(power)
        self._textured = power > TEXTURED**2

    def sharpness(self, blocks: Blocks) -> float:
        """Fine detail beside coarse edges where the view is seen, over the usual; 1 where too little is seen of it.

        Of all blocks together or of the middle one, whichever is sharper: noise spoils the one, somebody's soft outline
        the other.
        """
        seen = self._textured & (blocks.match > MATCH)
        usual = blocks.edges * self._detail_power / np.maximum(self._edges_power, 1e-9)
        detail, usual = blocks.detail[seen], usual[seen]
        if seen.sum() < LEAST_SEEN or usual.sum() <= LEAST_DETAIL * blocks.noisy_detail[seen].sum():
            return 1.0
        ratio = max(detail.sum() / usual.sum(), np.median(detail / np.maximum(usual, 1e-9)))
        return float(np.sqrt(max(0.0, ratio)))

    def is_lost(self, picture: Picture, blocks: Blocks) -> bool:
        """Whether the view is no longer where it was."""
        if self._textured.sum() < LEAST_TEXTURED:
            return False
        here = float((blocks.match[self._textured] > MATCH).mean())
        if here >= ALL_THERE:
            return False
        (right, down), _ = cv2.phaseCorrelate(*(edges.clip(-FAINT, FAINT) for edges in (self.edges, picture.edges)))
        elsewhere = self._found(picture, round(right), round(down))
        if max(abs(right), abs(down)) <= NUDGE:
            return max(here, elsewhere) < LOST
        return here < LOST or elsewhere - here > FOUND_ELSEWHERE

    def _found(self, picture: Picture, right: int, down: int) -> float:
        """The fraction of textured blocks that match when the picture is moved back; 0 when too few stay within it."""
        back = np.array([[1, 0, -right], [0, 1, -down]], np.float32)
        size = picture.edges.shape[1::-1]
        moved = floats(cv2.warpAffine(picture.edges, back, size, flags=cv2.INTER_NEAREST))
        within = floats(cv2.warpAffine(np.ones_like(moved), back, size, flags=cv2.INTER_NEAREST))
        asked = self._textured & (means(within) > 0.99)
        if asked.sum() < 0.5 * self._textured.sum():
            return 0.0
        return float((correlation(self.edges, moved)[asked] > MATCH).mean())


def floats(array: object) -> Floats:
    return np.asarray(array, np.float32)


def means(array: Floats) -> Floats:
    """The mean of each block: float32 (6, 10)."""
    return floats(cv2.resize(array, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA))


def correlation(one: Floats, other: Floats) -> Floats:
    """Of the edges of two pictures, block by block: float32 (6, 10), -1 to 1; 0 where one has none."""
    return floats(means(one * other) / np.sqrt(means(one * one) * means(other * other) + 1e-12))


def amplitude(power: Floats) -> float:
    """Of the second strongest of all blocks, so that no single speck counts."""
    return float(np.sqrt(max(0.0, np.partition(power, -2, axis=None)[-2])))
