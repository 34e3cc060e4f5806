"""From one picture to its judged faces: locate, crop, classify. The daemon and `maskgate detect` share it."""

from __future__ import annotations

from math import exp, log

from edge.accelerator import Assisted, Stick, open_stick, runs_on
from edge.classify import MaskClassifier
from edge.contract import Bundle, ClassifierContract
from edge.interpreter import networks
from edge.laps import Laps
from edge.locate import FaceLocator
from edge.preprocess import face_input
from edge.values import Judged, Rgb

LEAST = 1e-4  # no network is surer than that


class Judge:
    """A locator and a classifier that work together."""

    def __init__(
        self,
        locator: FaceLocator,
        classifier: MaskClassifier,
        crop: ClassifierContract,
        stick: Stick | None = None,
        laps: Laps | None = None,
    ) -> None:
        self._locator = locator
        self._classifier = classifier
        self._crop = crop
        self._stick = stick
        self._laps = laps or Laps()

    @classmethod
    def from_bundle(cls, bundle: Bundle, threads: int = 1, accelerator: str = "cpu", laps: Laps | None = None) -> Judge:
        """Load both models of a bundle; `threads` cores for each.

        accelerator: as in the settings; whoever asks for more than "cpu" takes the stick from all others. laps: gets
        what each frame's time was spent on. Raises BundleError.
        """
        locator, classifier = bundle.contract.locator, bundle.contract.classifier
        find, tell = networks(bundle, threads)
        if (stick := open_stick(bundle, accelerator)) is None:
            return cls(FaceLocator(find, locator, laps), MaskClassifier(tell, classifier), classifier, laps=laps)
        first, second = Assisted(find, stick, 0), Assisted(tell, stick, 1)
        return cls(FaceLocator(first, locator, laps), MaskClassifier(second, classifier), classifier, stick, laps)

    @property
    def runs_on(self) -> str:
        """Where the networks run, for people: "processor", "Edge TPU", or why not there."""
        return runs_on(self._stick)

    def judge(self, rgb: Rgb) -> list[Judged]:
        """The faces of a picture, uint8 (H, W, 3), the surest face first; boxes in pixels of the picture.

        The locator proposes; the classifier, which sees more of each face, helps to rule out what is none.
        """
        proposals = self._locator.locate(rgb)
        crops = [face_input(rgb, face.box, self._crop) for face in proposals]
        self._laps.lap("crop")
        verdicts = self._classifier.classify(crops)
        self._laps.lap("classify")
        pairs, weight = zip(proposals, verdicts, strict=True), self._crop.face_weight
        judged = (Judged(face.box, face_score(face.score, say.face, weight), say) for face, say in pairs)
        faces = (each for each in judged if each.face_score >= self._crop.face_threshold)
        return sorted(faces, key=lambda each: -each.face_score)


def face_score(located: float, verified: float, weight: float) -> float:
    """That it is a face, 0 to 1: the locator's score, and what the classifier adds or takes.

    Both are evidence, so that their log odds are added (as in naive Bayes), the classifier's times `weight`.
    """
    return 1 / (1 + exp(-_log_odds(located) - weight * _log_odds(verified))) if weight else located


def _log_odds(probability: float) -> float:
    return log(max(probability, LEAST) / max(1 - probability, LEAST))
