"""From one picture to its judged faces: locate, crop, classify. The daemon and `maskgate detect` share it."""

from __future__ import annotations

from edge.classify import MaskClassifier
from edge.contract import Bundle, ClassifierContract
from edge.interpreter import Network
from edge.locate import FaceLocator
from edge.preprocess import face_input
from edge.values import Judged, Rgb


class Judge:
    """A locator and a classifier that work together."""

    def __init__(self, locator: FaceLocator, classifier: MaskClassifier, crop: ClassifierContract) -> None:
        self._locator = locator
        self._classifier = classifier
        self._crop = crop

    @classmethod
    def from_bundle(cls, bundle: Bundle, threads: int = 1) -> Judge:
        """Load both models of a bundle; `threads` cores for each. Raises BundleError."""
        locator, classifier = bundle.contract.locator, bundle.contract.classifier
        find = Network(bundle.locator_file, locator.input, [locator.scores, locator.boxes], threads)
        tell = Network(bundle.classifier_file, classifier.input, [classifier.logits], threads)
        return cls(FaceLocator(find, locator), MaskClassifier(tell, classifier), classifier)

    def judge(self, rgb: Rgb) -> list[Judged]:
        """The faces of a picture, uint8 (H, W, 3), the surest face first; boxes in pixels of the picture.

        The locator proposes, the classifier, which sees more of each face, rules out what is none.
        """
        proposals = self._locator.locate(rgb)
        verdicts = self._classifier.classify([face_input(rgb, face.box, self._crop) for face in proposals])
        judged = (Judged(face.box, face.score * say.face, say) for face, say in zip(proposals, verdicts, strict=True))
        faces = (each for each in judged if each.face_score >= self._crop.face_threshold)
        return sorted(faces, key=lambda each: -each.face_score)
