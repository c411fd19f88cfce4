"""Draw one picture from a random generator: size, background, subject and style."""

import numpy as np

from pipeline.demo import toadstool
from pipeline.demo.canvas import Canvas, Look, Pose
from pipeline.demo.catalogue import STYLES, Style
from pipeline.demo.clutter import CLUTTER
from pipeline.demo.relatives import RELATIVES
from pipeline.demo.scene import SCENES, Scene, furnish, shadow

DRAWN = {"toadstool": toadstool.draw, **RELATIVES}
SUBJECTS = ("toadstool", *RELATIVES, "landscape", *CLUTTER)

_SCENES = {"meadow": 0.24, "forest": 0.18, "sky": 0.10, "studio": 0.16, "autumn": 0.14, "snow": 0.10, "night": 0.08}
_STYLES = {"flat": 0.22, "outlined": 0.24, "painted": 0.32, "crayon": 0.14, "dusk": 0.08}


def draw(subject: str, rng: np.random.Generator, size: tuple[int, int] | None = None) -> np.ndarray:
    """Draw a picture of `subject`, one of `SUBJECTS`: (H, W, 3) uint8 RGB. `size` is (width, height), random
    if None.
    """
    style = STYLES[_chosen(rng, _STYLES)]
    canvas = _canvas(rng, size or _random_size(rng), style)
    if subject in CLUTTER:
        CLUTTER[subject](canvas, rng)
        return canvas.finished()
    scene = SCENES[_chosen(rng, _SCENES)]
    horizon = rng.uniform(0.08, 0.30)
    scene.back(canvas, rng, horizon)
    if subject != "landscape":
        _place(canvas, rng, subject, scene)
    elif scene.ground:
        furnish(canvas, rng, horizon)
    return style.finish(canvas.finished(), rng)


def cut_out(subject: str, rng: np.random.Generator) -> np.ndarray:
    """Draw `subject` with a transparent background, (H, W, 4) uint8 RGBA, with arbitrary colours where alpha is 0.

    Drawn on black and on white; the difference gives alpha (Smith and Blinn 1996, "Blue screen matting",
    triangulation).
    """
    style, size, seed = STYLES["painted"], _random_size(rng), int(rng.integers(1 << 31))
    grounds = []
    for level in (0, 255):
        canvas = _canvas(np.random.default_rng(seed), size, style)
        canvas.pixels[:] = level
        _paint(canvas, np.random.default_rng(seed + 1), subject)
        grounds.append(canvas.finished().astype(np.float32))
    alpha = 255 - (grounds[1] - grounds[0]).mean(axis=2, keepdims=True)
    colour = np.where(alpha > 0, 255 * grounds[0] / np.maximum(alpha, 1), rng.integers(0, 256, grounds[0].shape))
    return np.rint(np.clip(np.concatenate([colour, alpha], axis=2), 0, 255)).astype(np.uint8)


def _chosen(rng: np.random.Generator, shares: dict[str, float]) -> str:
    return list(shares)[rng.choice(len(shares), p=list(shares.values()))]


def _random_size(rng: np.random.Generator) -> tuple[int, int]:
    """Width and height in pixels; about half of the pictures are nearly square."""
    short, ratio = int(rng.integers(160, 261)), rng.choice([1.0, 1.0, 1.08, 1.2, 1.33])
    long = round(short * ratio)
    return (short, long) if rng.random() < 0.4 else (long, short)


def _canvas(rng: np.random.Generator, size: tuple[int, int], style: Style) -> Canvas:
    light = rng.choice([-1.0, 1.0]) * rng.uniform(0.45, 0.75)
    return Canvas(*size, Look(soft=style.soft, line=style.line, light=light))


def _place(canvas: Canvas, rng: np.random.Generator, subject: str, scene: Scene) -> None:
    """Draw the subject, sometimes a smaller one beside it, with shadows and the foreground of the scene."""
    pose = _random_pose(rng)
    beside = _beside(rng, pose) if rng.random() < 0.2 else None
    for each in filter(None, (beside, pose)):
        if scene.ground:
            shadow(canvas, each.foot, 0.32 * each.size)
        DRAWN[subject](canvas, rng, each)
        if scene.front:
            scene.front(canvas, rng, each.foot)


def _paint(canvas: Canvas, rng: np.random.Generator, subject: str) -> None:
    if subject in CLUTTER:
        CLUTTER[subject](canvas, rng)
    elif subject == "landscape":
        SCENES["meadow"].back(canvas, rng, 0.2)
        furnish(canvas, rng, 0.2)
    else:
        DRAWN[subject](canvas, rng, _random_pose(rng))


def _random_pose(rng: np.random.Generator) -> Pose:
    size = rng.choice([rng.uniform(0.66, 0.90), rng.uniform(0.45, 0.66)], p=[0.8, 0.2])
    room = (1 - size) / 2
    return Pose(
        x=float(np.clip(rng.normal(0, 0.05), -0.14, 0.14)),
        y=float(rng.uniform(-0.35, 0.55) * room),
        size=float(size),
        lean=float(rng.normal(0, 7)),
    )


def _beside(rng: np.random.Generator, pose: Pose) -> Pose:
    """The pose of a smaller subject to the left or right, a little higher and so farther away."""
    size, side = pose.size * rng.uniform(0.35, 0.5), rng.choice([-1.0, 1.0])
    foot = pose.foot[1] - rng.uniform(0.0, 0.05)
    return Pose(x=pose.x + side * rng.uniform(0.26, 0.36), y=foot - size / 2, size=size, lean=float(rng.normal(0, 8)))
