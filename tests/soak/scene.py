"""The clip that the camera shows over and over, and who is in view in each of its pictures.

One comes masked and stays; another comes bare and puts a mask on; both leave. They never stand still for long, as
people do not.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from edge.demo.room import HEIGHT, WIDTH
from edge.demo.scene import SceneCamera, Step
from edge.values import Rgb

RATE, SECONDS = 15, 18.5
"""Pictures a second and seconds of the clip; what is sent has fresh noise for every frame."""
NOISE = 2.5
"""Standard deviation, in grey levels."""
MASKED_FROM = 10.5
FIRST = ((1.0, -230, 0.72), (3.0, 150, 0.76), (4.5, 215, 0.80), (6.0, 140, 0.76), (7.5, 210, 0.80), (9.0, 140, 0.76))
FIRST_LEAVES = ((10.5, 205, 0.79), (12.0, 140, 0.76), (13.5, 205, 0.8), (15.0, 140, 0.76), (17.0, -240, 0.72))
SECOND = ((7.5, 800, 0.72), (9.5, 450, 0.90), (11.0, 400, 0.94), (12.5, 470, 0.90), (14.0, 400, 0.94))
SECOND_LEAVES = ((15.5, 470, 0.90), (17.5, 860, 0.75))
STAYS = ((3.2, 7.4), (10.8, 15.0))
"""Spans of the clip in which all who are in view are masked: one, or both."""


class Clip:
    """All pictures of the clip, rendered once."""

    def __init__(self, seed: int) -> None:
        camera = SceneCamera(RATE, seed)
        astronaut, officer = camera.visits
        camera.visits = (
            replace(astronaut, masked_from=MASKED_FROM, steps=tuple(Step(*step) for step in SECOND + SECOND_LEAVES)),
            replace(officer, steps=tuple(Step(*step) for step in FIRST + FIRST_LEAVES)),
        )
        self._pictures = [camera.frame(index).rgb for index in range(round(RATE * SECONDS))]
        self._visits = camera.visits
        self._chance = np.random.default_rng(seed)
        self._noise = self._chance.normal(0, NOISE, (HEIGHT + 64, WIDTH + 64, 3)).round().astype(np.int16)

    def picture(self, seconds: float) -> Rgb:
        """uint8 (480, 640, 3), with noise of its own."""
        return self.noisy(self._pictures[int(seconds * RATE) % len(self._pictures)])

    def noisy(self, rgb: Rgb) -> Rgb:
        height, width = rgb.shape[:2]
        top, left = self._chance.integers(0, 64, 2)
        noise = self._noise[top : top + height, left : left + width]
        return np.asarray(cv2.add(rgb, noise, dtype=cv2.CV_8U), np.uint8)

    def faces(self, seconds: float) -> list[str]:
        """ "masked" or "bare" for each person whose face's middle is in the frame."""
        time = int(seconds % SECONDS * RATE) / RATE
        places = ((visit, visit.place(time)) for visit in self._visits)
        seen = [visit for visit, place in places if place is not None and 0 <= place.x < WIDTH]
        return ["masked" if time >= visit.masked_from else "bare" for visit in seen]


class Course:
    """Which second of the clip is shown. It goes on by itself, or to and fro in one of the stays."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._stay: tuple[float, float] | None = None
        self._forward = True

    def stay(self, number: int) -> None:
        """Cut to a stay, and remain in it until `go_on`."""
        self._stay = STAYS[number % len(STAYS)]
        self.seconds = self._stay[0]

    def go_on(self) -> None:
        self._stay, self._forward = None, True

    def step(self, elapsed: float) -> float:
        """The second to show, `elapsed` seconds after the last."""
        self.seconds += elapsed if self._forward else -elapsed
        if self._stay is not None:
            low, high = self._stay
            if not low <= self.seconds <= high:
                self._forward = self.seconds < low
                self.seconds = min(max(self.seconds, low), high)
        self.seconds %= SECONDS
        return self.seconds
