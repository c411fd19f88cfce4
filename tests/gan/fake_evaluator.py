"""Fake sample evaluators: a real evaluation takes seconds."""

from typing import Any

import numpy as np

from pipeline.gan.evaluation.evaluator import SampleScores
from pipeline.gan.evaluation.features import FeatureExtractor


class BrightnessEvaluator:
    """Uses the difference in mean brightness as the KID."""

    count = 64

    def __init__(self, images: np.ndarray, *, extractor: FeatureExtractor, **more: Any) -> None:
        self.extractor, self.brightness = extractor, images.mean()

    def evaluate(self, samples: np.ndarray) -> SampleScores:
        """The difference of the brightness from that of the reals."""
        return SampleScores(kid=abs(float(samples.mean() - self.brightness)), kid_error=1.0)


class ScriptedEvaluator:
    """Returns the given KIDs, one per evaluation."""

    count = 64

    def __init__(self, extractor: FeatureExtractor, kids: list[float]) -> None:
        self.extractor, self._kids = extractor, iter(kids)

    def evaluate(self, samples: np.ndarray) -> SampleScores:
        """The next KID."""
        return SampleScores(kid=next(self._kids), kid_error=0.1)
