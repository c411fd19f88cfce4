"""What may be wrong with a picture, in figures: CleanVision's names for the issues, formulas of our own.

Each score is in [0, 1]: 1 is good, near 0 the picture has the issue.
"""

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.options import NormalizeOptions

SIZE = 64  # side of the square that is judged, whatever size is made: figures of all runs compare
# The variance of second differences at which a picture is half way to sharp, grey levels squared. Photographs that
# were in focus have some hundreds to thousands at 64 px; blurred by two of these pixels they have 5 to 40.
_HALF_SHARP = 60.0


class Quality(NamedTuple):
    """The scores of one picture; the fields are the issues' names, and those of the options that reject by them."""

    blurry: float
    dark: float
    light: float
    low_information: float
    odd_aspect_ratio: float

    def issue(self, options: NormalizeOptions) -> str:
        """The name of the first score that is below what `options` ask for; empty if none is."""
        return next((name for name, score in self._asdict().items() if score < getattr(options, name)), "")


def assess(square: np.ndarray, *, width: int, height: int) -> Quality:
    """Score the picture of `width` x `height` whose centre is `square`, (SIZE, SIZE, 3) uint8 RGB.

    blurry            v / (v + 60), v being the variance of the Laplacian (differences to the four neighbours)
    dark              the level that 99 of 100 pixels do not exceed, as a share of white
    light             the level that 95 of 100 pixels exceed, as a share of white, taken from 1
    low_information   the entropy of the histogram of levels, of the 8 bits that it could have
    odd_aspect_ratio  the shorter side's share of the longer one

    Levels are Rec. 601 luma. All are rounded to four digits.
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
