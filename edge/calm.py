"""While nobody is in view and nothing stirs, the locator need not look at every frame.

*Nothing stirs* means that a frame shows what the one showed in which the locator found nobody: in none of 20 x 12
blocks have the edges of the small picture (`edge.health`, which light hardly changes) changed by more than `STIRRED`.
As it is that frame and not the last one that counts, nobody can creep up unseen. After `CALM_SECONDS` of that

- only some five frames a second are looked at, for their health and for what stirs; the others are left out, best
  before the camera decodes them. A face is seen less than `LOOK_SECONDS` later for that;
- the locator runs once in `LOCATE_SECONDS`, and at once, on that very frame, when something stirs; then on every frame
  until all is calm again.

Measured on 216 photos without people into which faces as high as 12 % of the frame were put, and nothing of the people
below them: each changed a block by at least 1.9 times `STIRRED`, in a quarter of the light too. In eight frames a
sensor's noise (sigma 2.5 of 255) reached it in 1 % of the photos, noise of sigma 5, or of 2.5 in JPEG of quality 60, in
a third: a camera as bad as that before a place as rich in detail as that is never calm, and costs as much as before.
A frame that was only looked at says that nobody is there, and nothing else rests on it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.settings import DecisionSettings

STIRRED = 0.0012
"""Mean square by which the edges, parts of the brightness, of a block change when somebody comes into it."""
COLUMNS, ROWS = 20, 12
LOOK_SECONDS = 0.14
"""After a frame that was looked at, those that come sooner than this are left out."""
CALM_SECONDS = 2.0
LOCATE_SECONDS = 2.0

Floats = NDArray[np.float32]


class Calm:
    """Of one camera. holds: whether all is calm, so that not every frame is looked at.

    It never is where frames that are left out would be missed: where decisions are valid, or frames waited for, for
    less than three looks.
    """

    def __init__(self, settings: DecisionSettings) -> None:
        self._may_hold = min(settings.valid_seconds, settings.frame_age_limit) >= 3 * LOOK_SECONDS
        self.forget()

    def forget(self) -> None:
        """Nothing is known of the view."""
        self.holds = False
        self._empty: Floats | None = None  # the edges in which nobody was found
        self._since: float | None = None  # when nobody was there, and nothing stirred, for the first time
        self._located = self._looked = 0.0

    def wants(self, time: float) -> bool:
        """Whether a frame taken then, seconds, is to be looked at; another thread, the camera's, may ask."""
        return not self.holds or not 0 <= time - self._looked < LOOK_SECONDS

    def shows_nobody(self, edges: Floats, time: float) -> bool:
        """Whether a frame with these edges, float32 (96, 160), needs no locator to tell that it shows nobody."""
        self._looked = time
        if self._empty is None or has_stirred(self._empty, edges):
            self._since = None
        self.holds = self._may_hold and self._since is not None and time - self._since >= CALM_SECONDS
        return self.holds and time - self._located < LOCATE_SECONDS

    def located(self, nobody: bool, edges: Floats | None, time: float) -> None:
        """What the locator found in a frame; edges: None when only the locator looked at it."""
        if not nobody:
            self.forget()
        elif edges is not None:
            self._empty, self._located = edges, time
            self._since = time if self._since is None else self._since


def has_stirred(before: Floats, edges: Floats) -> bool:
    """Whether any block of these pictures' edges, float32 (96, 160), differs by more than noise does."""
    change = edges - before
    power = cv2.resize(change * change, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return float(power.max()) > STIRRED
