"""Quality scores of a picture (blur, darkness, information, aspect ratio); the names are CleanVision's.

Each score is in [0, 1]: 1 is good; near 0 the picture has the issue. The formulas are our own.
"""

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.options import NormalizeOptions

SIZE = 64  # pixels of the scored square, regardless of the option size, so that scores are comparable between runs
# Variance of the Laplacian, in grey levels squared, at which the score for blur is 0.5. Photographs in focus have some
# hundreds to thousands at 64 pixels; blurred by two pixels they have 5 to 40.
_HALF_SHARP = 60.0


class Quality(NamedTuple):
    """The scores of one picture; the fields are the names of the issues and of the options that set their minimum."""

    blurry: float
    dark: float
    light: float
    low_information: float
    odd_aspect_ratio: float

    def issue(self, options: NormalizeOptions) -> str:
        """The name of the first score below its option; empty if there is none."""
        return next((name for name, score in self._asdict().items() if score < getattr(options, name)), "")


def assess(square: np.ndarray, *, width: int, height: int) -> Quality:
    """Score a picture of `width` x `height` pixels whose centre is `square`, (SIZE, SIZE, 3) uint8 RGB.

    blurry            v / (v + 60), where v is the variance of the Laplacian (differences to the four neighbours)
    dark              the 99th percentile of the levels, as a share of white
    light             1 minus the 5th percentile of the levels, as a share of white
    low_information   the entropy of the histogram of levels, divided by 8 bits
    odd_aspect_ratio  the shorter side divided by the longer one

    Levels are Rec. 601 luma. All scores are rounded to four digits.
    """
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    deviation = float(cv2.meanStdDev(edges)[1][0, 0])
    counts = np.bincount(grey.ravel(), minlength=256)
    below = counts.cumsum()
    shares = counts[counts > 0] / grey.size
    scores = (
        deviation**2 / (deviation**2 + _HALF_SHARP),
        np.searchsorted(below, 0.99 * grey.size) / 255,
        1 - np.searchsorted(below, 0.05 * grey.size) / 255,
        -np.sum(shares * np.log2(shares)) / 8,
        min(width, height) / max(width, height),
    )
    return Quality(*(round(float(score), 4) + 0.0 for score in scores))
