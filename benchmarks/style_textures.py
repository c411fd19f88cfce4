"""Styles: textures (strokes of a brush, a mosaic, hatching with a pen) and patterns (stripes, a chessboard, dots).

They are drawn here, so they are free to publish.
"""

import cv2
import numpy as np

SIDE = 384
SUBPIXEL = 4  # bits behind the point of OpenCV's coordinates


def strokes(seed: int = 0) -> np.ndarray:
    """Short strokes along a field of whirls, blue and yellow: (SIDE, SIDE, 3) uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    flow = np.stack([np.full_like(x, 0.6), np.zeros_like(x)])
    for _ in range(7):
        (left, top), size = random.random(2), random.uniform(0.08, 0.2)
        turn = random.choice([-1, 1]) * random.uniform(1.5, 3)
        near = np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * size**2))
        flow += turn / size * near * np.stack([top - y, x - left])
    colours = np.array(
        [(18, 40, 110), (30, 80, 170), (70, 140, 210), (140, 190, 230), (240, 210, 90), (250, 235, 160), (20, 25, 60)]
    )
    tone = _smooth(random, SIDE / 9)
    picture = np.full((SIDE, SIDE, 3), colours[1], np.uint8)
    for _ in range(9000):
        points, length = [random.random(2) * SIDE], random.uniform(10, 26)
        for _ in range(8):
            column, row = np.clip(points[-1], 0, SIDE - 1).astype(int)
            step = flow[:, row, column]
            points.append(points[-1] + step / (np.linalg.norm(step) + 1e-6) * length / 8)
        column, row = points[0].astype(int)
        number = int(np.clip(tone[row, column] * len(colours) + random.normal(0, 1.1), 0, len(colours) - 1))
        _line(picture, points, colours[number] + random.normal(0, 12, 3), int(random.integers(2, 5)))
    return picture


def mosaic(seed: int = 1) -> np.ndarray:
    """Tiles in bright colours with dark joints: (SIDE, SIDE, 3) uint8."""
    random = np.random.default_rng(seed)
    middles = random.random((700, 2)) * SIDE
    y, x = np.mgrid[:SIDE, :SIDE]
    nearest, second, tile = np.full((SIDE, SIDE), np.inf), np.full((SIDE, SIDE), np.inf), np.zeros((SIDE, SIDE), int)
    for number, (left, top) in enumerate(middles):
        distance = np.hypot(x - left, y - top)
        closer = distance < nearest
        second = np.where(closer, nearest, np.minimum(second, distance))
        nearest, tile = np.where(closer, distance, nearest), np.where(closer, number, tile)
    colours = np.array(
        [(200, 40, 40), (240, 150, 30), (250, 220, 80), (40, 120, 90), (30, 70, 140), (235, 230, 210), (120, 30, 80)]
    )
    order = np.sin(middles[:, 0] / 50) + np.cos(middles[:, 1] / 40) + random.normal(0, 0.7, len(middles))
    chosen = np.argsort(np.argsort(order)) * len(colours) // len(middles)
    picture = (colours[chosen] + random.normal(0, 10, (len(middles), 3)))[tile]
    picture[second - nearest < 2.2] = (35, 30, 35)
    return np.clip(picture, 0, 255).astype(np.uint8)


def hatching(seed: int = 2) -> np.ndarray:
    """Strokes of a pen in three directions on paper: (SIDE, SIDE, 3) uint8."""
    random = np.random.default_rng(seed)
    picture = np.full((SIDE, SIDE, 3), (244, 236, 220), np.uint8)
    tone = _smooth(random, SIDE / 10)
    for angle, darkest in ((0.7, 0.35), (2.3, 0.55), (1.5, 0.72)):
        for _ in range(5200):
            start = random.random(2) * SIDE
            column, row = start.astype(int)
            if tone[row, column] >= darkest + random.normal(0, 0.06):
                turned, length = angle + random.normal(0, 0.1), random.uniform(8, 22)
                end = start + length * np.array([np.cos(turned), np.sin(turned)])
                _line(picture, [start, end], np.array((40, 34, 48)), 1)
    return picture


def stripes() -> np.ndarray:
    """Stripes from top to bottom, yellow and black: (SIDE, SIDE, 3) uint8."""
    return _two_colours(np.arange(SIDE)[None] // 12 % 2 + np.zeros((SIDE, 1)), (250, 220, 20), (10, 10, 10))


def chessboard() -> np.ndarray:
    """White and black fields: (SIDE, SIDE, 3) uint8."""
    y, x = np.mgrid[:SIDE, :SIDE] // 24
    return _two_colours((x + y) % 2, (250, 250, 250), (10, 10, 10))


def dots() -> np.ndarray:
    """Blue dots on grey, in rows: (SIDE, SIDE, 3) uint8."""
    y, x = np.mgrid[:SIDE, :SIDE] % 48 - 24
    return _two_colours(np.hypot(x, y) < 14, (20, 90, 180), (230, 230, 230))


TEXTURES = {"strokes": strokes, "mosaic": mosaic, "hatching": hatching}
PATTERNS = {"stripes": stripes, "chessboard": chessboard, "dots": dots}


def _two_colours(where: np.ndarray, inside: tuple[int, int, int], outside: tuple[int, int, int]) -> np.ndarray:
    return np.where(where.astype(bool)[..., None], np.uint8(inside), np.uint8(outside))


def _smooth(random: np.random.Generator, blur: float) -> np.ndarray:
    """A smooth field (SIDE, SIDE) from 0 to 1."""
    field = cv2.GaussianBlur(random.standard_normal((SIDE, SIDE)), (0, 0), blur)
    return (field - field.min()) / np.ptp(field)


def _line(picture: np.ndarray, points: list[np.ndarray], colour: np.ndarray, width: int) -> None:
    corners = np.round(np.array(points) * (1 << SUBPIXEL)).astype(np.int32)
    ink = tuple(map(float, np.clip(colour, 0, 255)))
    cv2.polylines(picture, [corners], False, ink, width, cv2.LINE_AA, SUBPIXEL)
