"""Other views of the same picture: what a network must not care about."""

import cv2
import numpy as np

TURN = 12.0  # degrees either way
ZOOM = 0.2  # either way, in natural logarithms
MOVE = 0.1  # of the side, either way
SATURATION, CONTRAST, LIGHT, TINT = 0.5, 0.3, 0.15, 0.05  # either way; light and tint of full white
HIDDEN = 0.4  # of the side, a square that hides a part of every other picture ("cutout")


def augment(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`images` (N, S, S, 3) uint8 turned, moved, mirrored, recoloured and partly hidden, as float32 around [0, 1]."""
    moved = np.stack([_move(image, random) for image in images]).astype(np.float32) / 255
    return np.stack([_hide(image, random) for image in _recolour(moved, random)])


def _move(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    side = len(image)
    turn, zoom = random.uniform(-TURN, TURN), np.exp(random.uniform(-ZOOM, ZOOM))
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), turn, zoom)
    matrix[:, 2] += random.uniform(-MOVE, MOVE, 2) * side
    shown = image[:, ::-1] if random.random() < 0.5 else image
    return cv2.warpAffine(np.ascontiguousarray(shown), matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)


def _recolour(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    def factor(spread: float, channels: int = 1) -> np.ndarray:
        return random.uniform(-spread, spread, (len(images), 1, 1, channels)).astype(np.float32)

    grey = images.mean(axis=-1, keepdims=True)
    images = grey + (images - grey) * (1 + factor(SATURATION))
    mean = images.mean(axis=(1, 2), keepdims=True)
    return mean + (images - mean) * (1 + factor(CONTRAST)) + factor(LIGHT) + factor(TINT, 3)


def _hide(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    side = len(image)
    hidden = int(side * HIDDEN)
    top, left = random.integers(-hidden // 2, side - hidden // 2, 2)
    if random.random() < 0.5:
        image[max(top, 0) : top + hidden, max(left, 0) : left + hidden] = 0.5
    return image
