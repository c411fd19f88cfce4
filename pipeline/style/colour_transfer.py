"""Keep the colours of the content (Gatys, Bethge, Hertzmann and Shechtman 2016, "Preserving color in neural artistic
style transfer"). Pictures are (H, W, 3) float32 in [0, 1]."""

import numpy as np

TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], np.float64)
FROM_YIQ = np.linalg.inv(TO_YIQ)
LEAST_VARIANCE = 1e-5  # added to each colour's: a picture of one colour has none


def luminance(picture: np.ndarray) -> np.ndarray:
    """The brightness of a picture as three equal channels."""
    return np.repeat(picture.astype(np.float64) @ TO_YIQ[0][:, None], 3, axis=2).astype(np.float32)


def match_luminance(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The brightness of `style` with the mean and the deviation of the brightness of `content`, in three channels."""
    bright, wanted = luminance(style).astype(np.float64), luminance(content).astype(np.float64)
    deviation = max(float(bright.std()), LEAST_VARIANCE**0.5)
    return np.clip((bright - bright.mean()) * wanted.std() / deviation + wanted.mean(), 0, 1).astype(np.float32)


def with_colour_of(picture: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The brightness of `picture` with the two colour channels (I and Q) of `content`, of the same size."""
    yiq = content.astype(np.float64) @ TO_YIQ.T
    yiq[..., 0] = luminance(picture)[..., 0]
    return np.clip(yiq @ FROM_YIQ.T, 0, 1).astype(np.float32)


def match_histogram(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """`style` with the mean and the covariance of the colours of `content`: A x + b with A = Σ_C^½ Σ_S^-½."""
    pixels = style.reshape(-1, 3).astype(np.float64)
    wanted = content.reshape(-1, 3).astype(np.float64)
    change = _power(_covariance(wanted), 0.5) @ _power(_covariance(pixels), -0.5)
    found = (pixels - pixels.mean(axis=0)) @ change.T + wanted.mean(axis=0)
    return np.clip(found.reshape(style.shape), 0, 1).astype(np.float32)


def _covariance(pixels: np.ndarray) -> np.ndarray:
    return np.cov(pixels, rowvar=False) + LEAST_VARIANCE * np.eye(3)


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """A power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T
