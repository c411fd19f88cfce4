"""What stands in a landscape without a subject: trees far away, bushes, stones, stumps, fences."""

import numpy as np

from pipeline.demo.canvas import Canvas
from pipeline.demo.colours import darker, lighter, near
from pipeline.demo.shapes import blob, box, ellipse


def furnish(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    """Put some things on the ground, which begins at the y `horizon`; the nearer ones are larger and drawn last."""
    for y in np.sort(rng.uniform(horizon + 0.02, canvas.bottom - 0.02, rng.integers(1, 6))):
        x = rng.uniform(-canvas.right, canvas.right)
        size = 0.12 + 0.9 * (y - horizon) * rng.uniform(0.5, 1.2)
        _THINGS[rng.integers(len(_THINGS))](canvas, rng, x, y, size)


def _fir(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    green = near(rng, 140, 0.45, 0.38)
    canvas.shape(box(x - 0.05 * size, y - 0.3 * size, x + 0.05 * size, y), near(rng, 27, 0.5, 0.35))
    for step in range(3):
        low, half = y - (0.2 + 0.42 * step) * size, (0.45 - 0.11 * step) * size
        canvas.shape(np.array([(x - half, low), (x, low - 0.62 * size), (x + half, low)]), green)


def _bush(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    green = near(rng, rng.choice([100.0, 100.0, 30.0, 5.0]), 0.55, 0.5)
    canvas.shape(blob(rng, x, y - 0.3 * size, 0.55 * size, 0.35 * size, 0.08), green)


def _stone(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    canvas.shape(blob(rng, x, y - 0.2 * size, 0.45 * size, 0.25 * size, 0.06), near(rng, 30, 0.08, 0.6))


def _stump(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    bark = near(rng, 27, 0.5, 0.42)
    canvas.shape(
        np.array(
            [
                (x - 0.3 * size, y - 0.4 * size),
                (x + 0.3 * size, y - 0.4 * size),
                (x + 0.38 * size, y),
                (x - 0.38 * size, y),
            ]
        ),
        bark,
    )
    canvas.shape(ellipse(x, y - 0.4 * size, 0.3 * size, 0.09 * size), lighter(bark, 0.5))


def _fence(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    wood = near(rng, 30, 0.3, 0.62)
    for rail in (0.25, 0.55):
        canvas.shape(
            box(-canvas.right - 0.1, y - (rail + 0.09) * size, canvas.right + 0.1, y - rail * size), darker(wood, 0.15)
        )
    for post in np.arange(x % 0.3 - canvas.right - 0.3, canvas.right + 0.1, 0.3):
        canvas.shape(box(post - 0.05 * size, y - 0.8 * size, post + 0.05 * size, y), wood)


_THINGS = (_fir, _bush, _stone, _stump, _fence)
