"""Backgrounds of the pictures, with the foreground at the subject's foot. All subjects share them."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.demo.canvas import WHITE, Canvas, blob, box, darker, ellipse, hsv, lighter, mix, near

Hsv = tuple[float, float, float]  # a hue in degrees, saturation and value in [0, 1]


def furnish(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    """Draw some objects on the ground below the y coordinate `horizon`; nearer ones are larger and drawn later."""
    for y in np.sort(rng.uniform(horizon + 0.02, canvas.bottom - 0.02, rng.integers(1, 6))):
        x = rng.uniform(-canvas.right, canvas.right)
        size = 0.12 + 0.9 * (y - horizon) * rng.uniform(0.5, 1.2)
        _THINGS[rng.integers(len(_THINGS))](canvas, rng, x, y, size)


def shadow(canvas: Canvas, foot: tuple[float, float], wide: float) -> None:
    """Draw the shadow under a subject, on the side away from the light."""
    canvas.glaze(
        ellipse(foot[0] - 0.4 * wide * canvas.look.light, foot[1] - 0.005, wide, 0.2 * wide), np.zeros(3), 0.28
    )


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


_FAR = 48  # pixels along the short side of the distant background; stretching blurs it


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A background. `back` covers the canvas, with the ground below `horizon` (y); `front` is drawn after the
    subject.
    """

    back: Callable[[Canvas, np.random.Generator, float], None]
    front: Callable[[Canvas, np.random.Generator, tuple[float, float]], None] | None = None
    ground: bool = True  # whether subjects cast a shadow


def _sky(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    high = near(rng, 207, 0.50, 0.90)
    canvas.gradient([high, lighter(high, 0.75)], [-canvas.bottom, canvas.bottom])
    _soften(canvas, lambda far: _clouds(far, rng))


def _clouds(canvas: Canvas, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(2, 5)):
        x, y = rng.uniform(-canvas.right, canvas.right), rng.uniform(-canvas.bottom, canvas.bottom)
        for _ in range(4):
            away = rng.normal(0, (0.09, 0.025))
            canvas.fill(ellipse(x + away[0], y + away[1], 0.13, 0.06), np.array([250.0, 251.0, 253.0]))


def _meadow(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    high = near(rng, 203, 0.42, 0.93)
    green = near(rng, 98, 0.55, 0.66)
    canvas.gradient(
        [high, lighter(high, 0.7), lighter(green, 0.25), darker(green, 0.25)],
        [-canvas.bottom, horizon - 0.01, horizon + 0.01, canvas.bottom],
    )

    def far(small: Canvas) -> None:
        for _ in range(rng.integers(0, 4)):
            hill = ellipse(rng.uniform(-0.6, 0.6), horizon + 0.04, rng.uniform(0.3, 0.6), rng.uniform(0.05, 0.16))
            small.fill(hill, mix(green, high, rng.uniform(0.3, 0.6)))
        small.fill(np.array([(-1, horizon + 0.02), (1, horizon + 0.02), (1, 1), (-1, 1)]), lighter(green, 0.1))

    _soften(canvas, far)
    _blades(
        canvas, rng, green, [(rng.uniform(-canvas.right, canvas.right), y) for y in _rows(rng, canvas, horizon, 26)]
    )


def _meadow_front(canvas: Canvas, rng: np.random.Generator, foot: tuple[float, float]) -> None:
    green = near(rng, 102, 0.60, 0.55)
    positions = [(foot[0] + rng.normal(0, 0.16), foot[1] + rng.uniform(0.0, 0.05)) for _ in range(16)]
    _blades(canvas, rng, green, positions)


def _blades(canvas: Canvas, rng: np.random.Generator, green: np.ndarray, positions: list[tuple[float, float]]) -> None:
    """Draw blades of grass, distant ones first."""
    for x, y in sorted(positions, key=lambda position: position[1]):
        tip = rng.normal(0, 0.03), -rng.uniform(0.05, 0.12)
        blade = np.array([(x - 0.009, y), (x + tip[0], y + tip[1]), (x + 0.009, y)])
        canvas.fill(blade, mix(darker(green, 0.3), lighter(green, 0.4), rng.random()))


def _rows(rng: np.random.Generator, canvas: Canvas, horizon: float, count: int) -> np.ndarray:
    """`count` random y coordinates between the horizon and the bottom."""
    return rng.uniform(horizon + 0.06, canvas.bottom + 0.06, count)


def _forest(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    green, brown = near(rng, 125, 0.38, 0.34), near(rng, 32, 0.45, 0.34)
    canvas.gradient(
        [lighter(green, 0.28), lighter(green, 0.12), brown, darker(brown, 0.5)],
        [-canvas.bottom, horizon - 0.03, horizon + 0.04, canvas.bottom],
    )

    def far(small: Canvas) -> None:
        for x in rng.uniform(-canvas.right, canvas.right, rng.integers(3, 8)):
            thick = rng.uniform(0.02, 0.06)
            trunk = np.array(
                [(x - thick, -1), (x + thick, -1), (x + 1.3 * thick, horizon + 0.05), (x - 1.3 * thick, horizon + 0.05)]
            )
            small.fill(trunk, mix(darker(brown, 0.5), green, rng.uniform(0, 0.6)))

    _soften(canvas, far)
    _litter(canvas, rng, _rows(rng, canvas, horizon, 18), (28, 0.5, 0.42))


def _autumn(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    gold = near(rng, 36, 0.62, 0.86)
    ground = near(rng, 24, 0.62, 0.58)
    canvas.gradient(
        [lighter(gold, 0.25), lighter(gold, 0.6), ground, darker(ground, 0.3)],
        [-canvas.bottom, horizon - 0.02, horizon + 0.03, canvas.bottom],
    )
    _soften(
        canvas,
        lambda far: _crowns(far, rng, _above(rng, canvas, 6)),
    )
    _litter(canvas, rng, _rows(rng, canvas, horizon, 34), (26, 0.8, 0.80))


def _crowns(far: Canvas, rng: np.random.Generator, places: np.ndarray) -> None:
    for x, y in places:
        far.fill(ellipse(x, y, 0.16, 0.13), near(rng, 30, 0.7, 0.85))


def _above(rng: np.random.Generator, canvas: Canvas, count: int) -> np.ndarray:
    """Random positions along the top."""
    return rng.uniform((-canvas.right, -canvas.bottom), (canvas.right, -canvas.bottom + 0.25), (count, 2))


def _litter(canvas: Canvas, rng: np.random.Generator, rows: np.ndarray, colour: tuple[float, float, float]) -> None:
    """Draw fallen leaves, smaller if more distant."""
    for y in np.sort(rows):
        x, long = rng.uniform(-canvas.right, canvas.right), 0.02 + 0.05 * max(0.0, y)
        tilt = rng.uniform(0, np.pi)
        leaf = ellipse(0, 0, long, 0.38 * long, 12)
        turned = leaf @ np.array([(np.cos(tilt), 0.5 * np.sin(tilt)), (-np.sin(tilt), 0.5 * np.cos(tilt))])
        canvas.fill(np.add(turned, (x, y)), near(rng, *colour, 2.0))


def _autumn_front(canvas: Canvas, rng: np.random.Generator, foot: tuple[float, float]) -> None:
    _leaves_at(canvas, rng, foot, (24, 0.8, 0.82))


def _forest_front(canvas: Canvas, rng: np.random.Generator, foot: tuple[float, float]) -> None:
    if rng.random() < 0.5:
        _leaves_at(canvas, rng, foot, (30, 0.5, 0.46))
    else:
        moss = near(rng, 95, 0.5, 0.42)
        _blades(canvas, rng, moss, [(foot[0] + rng.normal(0, 0.15), foot[1] + 0.03) for _ in range(12)])


def _leaves_at(canvas: Canvas, rng: np.random.Generator, foot: tuple[float, float], colour: Hsv) -> None:
    for _ in range(7):
        x, y = foot[0] + rng.normal(0, 0.13), foot[1] + rng.uniform(-0.005, 0.04)
        canvas.fill(blob(rng, x, y, rng.uniform(0.03, 0.06), 0.018), near(rng, *colour, 2.0))


def _night(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    blue = near(rng, 232, 0.60, 0.30)
    ground = near(rng, 190, 0.42, 0.19)
    canvas.gradient(
        [darker(blue, 0.45), lighter(blue, 0.14), ground, darker(ground, 0.5)],
        [-canvas.bottom, horizon - 0.01, horizon + 0.01, canvas.bottom],
    )
    for x, y in rng.uniform((-canvas.right, -canvas.bottom), (canvas.right, horizon - 0.1), (rng.integers(8, 22), 2)):
        radius = rng.uniform(0.003, 0.007)
        canvas.fill(ellipse(x, y, radius, radius, 8), lighter(blue, 0.85))
    if rng.random() < 0.6:
        x, y = rng.choice([-0.36, 0.36]), rng.uniform(-0.4, -0.28)
        canvas.glaze(ellipse(x, y, 0.10, 0.10), hsv(50, 0.2, 1), 0.18)
        canvas.fill(ellipse(x, y, 0.07, 0.07), hsv(50, 0.18, 0.97))


def _snow(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    grey = near(rng, 212, 0.20, 0.80)
    canvas.gradient(
        [darker(grey, 0.12), lighter(grey, 0.3), np.array([246.0, 249.0, 252.0]), near(rng, 210, 0.10, 0.90)],
        [-canvas.bottom, horizon - 0.02, horizon + 0.03, canvas.bottom],
    )
    for x, y in rng.uniform((-canvas.right, -canvas.bottom), (canvas.right, canvas.bottom), (rng.integers(10, 30), 2)):
        radius = rng.uniform(0.005, 0.011)
        canvas.fill(ellipse(x, y, radius, radius, 10), WHITE)


def _snow_front(canvas: Canvas, rng: np.random.Generator, foot: tuple[float, float]) -> None:
    canvas.fill(blob(rng, foot[0], foot[1] + 0.035, 0.2, 0.035, 0.05), np.array([248.0, 250.0, 253.0]))


def _studio(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    plain = near(rng, rng.choice([40.0, 190.0, 210.0, 330.0, 95.0]), rng.uniform(0.05, 0.32), 0.92, 0.6)
    canvas.gradient([lighter(plain, 0.5), plain, darker(plain, 0.16)], [-canvas.bottom, horizon, canvas.bottom])


def _soften(canvas: Canvas, paint: Callable[[Canvas], object]) -> None:
    """Call `paint` with a small copy of the canvas and stretch the result: distant things are out of focus."""
    small = Canvas(round(_FAR * 2 * canvas.right), round(_FAR * 2 * canvas.bottom), canvas.look)
    small.pixels = cv2.resize(canvas.pixels, small.pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
    paint(small)
    canvas.backdrop(cv2.GaussianBlur(small.finished(), (3, 3), 0))


SCENES = {
    "meadow": Scene(back=_meadow, front=_meadow_front),
    "forest": Scene(back=_forest, front=_forest_front),
    "night": Scene(back=_night, front=None),
    "sky": Scene(back=_sky, ground=False),
    "studio": Scene(back=_studio),
    "snow": Scene(back=_snow, front=_snow_front),
    "autumn": Scene(back=_autumn, front=_autumn_front),
}
