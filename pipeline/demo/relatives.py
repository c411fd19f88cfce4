"""Subjects that are easily confused with toadstools: off target, but with a similar dome, stalk, spots or colours."""

from itertools import pairwise

import numpy as np

from pipeline.demo.canvas import INK, WHITE, Canvas, Pose, blob, curve, darker, ellipse, lighter, mix, near, tube

# Hue, saturation, value; the colours of toadstool caps are among them
_COLOURS = [
    (2, 0.85, 0.85),
    (24, 0.85, 0.92),
    (46, 0.80, 0.95),
    (95, 0.55, 0.65),
    (175, 0.60, 0.68),
    (212, 0.65, 0.76),
    (288, 0.50, 0.66),
    (335, 0.50, 0.88),
]

_GLOW = np.array([255.0, 240.0, 180.0])  # of a lamp that is on


def _any_colour(rng: np.random.Generator) -> np.ndarray:
    return near(rng, *_COLOURS[rng.integers(len(_COLOURS))])


def umbrella(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """An open umbrella: scalloped panels, and a thin pole with a hook."""
    colour, high, wide = _any_colour(rng), rng.uniform(0.3, 0.4), rng.uniform(0.44, 0.52)
    rim = -0.42 + high
    hook = curve([(0, rim - 0.05), (0, 0.30), (0, 0.40)], 12)
    bow = np.stack([0.055 - 0.055 * np.cos(t := np.linspace(0, np.pi, 12)), 0.40 + 0.07 * np.sin(t)], axis=1)
    canvas.stroke(pose(np.concatenate([hook, bow])), 0.026 * pose.size, darker(near(rng, 26, 0.5, 0.5), 0.3))
    edges = wide * np.sin(np.linspace(-np.pi / 2, np.pi / 2, int(rng.integers(5, 8))))
    dome = [(wide * np.cos(t), rim - high * np.sin(t)) for t in np.linspace(np.pi, 0, 30)]
    scallops = [_scallop(right, left, rim) for left, right in pairwise(edges)][::-1]
    outline = np.concatenate([dome, *scallops])
    canvas.shape(pose(outline), colour)
    second = darker(colour, 0.25) if rng.random() < 0.6 else lighter(colour, 0.75)
    with canvas.clipped(pose(outline)):
        if rng.random() < 0.15:
            _dots(canvas, rng, pose, (0, rim - high / 2), (wide, high / 2), lighter(colour, 0.9))
        else:
            for left, right in list(pairwise(edges))[::2]:
                panel = [curve([(0, rim - high), (0.8 * x, rim - 0.62 * high), (x, rim + 0.01)]) for x in (left, right)]
                canvas.glaze(pose(np.concatenate([panel[0], panel[1][::-1]])), second, 0.8)
    canvas.stroke(pose(np.array([(0, rim - high), (0, rim - high - 0.06)])), 0.02 * pose.size, INK)


def _scallop(right: float, left: float, rim: float) -> np.ndarray:
    across = np.linspace(0, 1, 8)
    return np.stack([right + (left - right) * across, rim - 0.24 * (right - left) * np.sin(np.pi * across)], axis=1)


def tree(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A tree with a round crown, green or in autumn colours, some with fruit."""
    leaves = near(rng, *[(105, 0.55, 0.55), (8, 0.75, 0.72), (28, 0.8, 0.85)][rng.choice(3, p=[0.7, 0.1, 0.2])])
    axis = curve([(0, -0.1), (rng.normal(0, 0.02), 0.2), (0, 0.5)])
    canvas.shape(pose(tube(axis, np.linspace(0.05, 0.08, len(axis)))), near(rng, 27, 0.5, 0.42))
    high = rng.uniform(0.26, 0.34)
    crown = blob(rng, 0, -0.5 + high, rng.uniform(0.34, 0.46), high, 0.07)
    canvas.shape(pose(crown), leaves)
    with canvas.clipped(pose(crown)):
        for x, y in rng.uniform((-0.4, -0.5), (0.4, 0.1), (10, 2)):
            light = lighter(leaves, 0.5) if y < -0.2 else darker(leaves, 0.5)
            canvas.glaze(pose(blob(rng, x, y, 0.1, 0.07)), light, 0.35)
        if rng.random() < 0.3:
            fruit = near(rng, *[(2, 0.85, 0.85), (40, 0.3, 0.98)][rng.integers(2)])
            _dots(canvas, rng, pose, (0, -0.5 + high), (0.4, high), fruit, 0.032)


def lamp(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A table lamp: a shade, a thin stand and a foot."""
    colour, metal = _any_colour(rng), near(rng, 40, rng.uniform(0.1, 0.6), 0.72)
    rim, top, wide = rng.uniform(-0.08, 0.05), rng.uniform(0.1, 0.3), rng.uniform(0.36, 0.46)
    canvas.shape(pose(tube(curve([(0, rim - 0.05), (0, 0.2), (0, 0.46)]), _turned(rng))), metal)
    canvas.shape(pose(ellipse(0, 0.46, rng.uniform(0.17, 0.26), 0.045)), darker(metal, 0.2))
    across = np.linspace(-1, 1, 16)
    bulge = rng.uniform(-0.08, 0.03)
    side = curve([(-top, -0.48), ((-top - wide) / 2 - bulge, (rim - 0.48) / 2), (-wide, rim)])
    lower = np.stack([wide * across, rim + 0.05 * (1 - across**2)], axis=1)
    shade = np.concatenate([side, lower, (side * (-1, 1))[::-1]])
    canvas.shape(pose(shade), colour)
    with canvas.clipped(pose(shade)):
        canvas.glaze(pose(ellipse(0, rim + 0.04, 0.8 * wide, 0.22)), _GLOW, rng.uniform(0.2, 0.6))


def _turned(rng: np.random.Generator) -> np.ndarray:
    """Half widths of a stand made on a lathe."""
    along = np.linspace(0, 1, 24)
    if rng.random() < 0.5:
        return np.full(24, 0.022)
    return 0.03 + rng.uniform(0.02, 0.06) * np.sin(np.pi * along) ** 2


def jellyfish(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A jellyfish: a bell with waving arms."""
    colour, high, wide = (
        mix(_any_colour(rng), WHITE, rng.uniform(0, 0.3)),
        rng.uniform(0.36, 0.44),
        rng.uniform(0.34, 0.42),
    )
    rim = -0.5 + high
    for x in np.linspace(-0.75, 0.75, int(rng.integers(5, 9))) * wide:
        sway = rng.normal(0, 0.05, 3)
        arm = curve(
            [(x, rim), (x + sway[0], rim + 0.2), (x + sway[1], rim + 0.38), (x + sway[2], rng.uniform(0.3, 0.5))]
        )
        canvas.stroke(pose(arm), rng.uniform(0.015, 0.04) * pose.size, lighter(colour, rng.uniform(0.2, 0.6)))
    turn = np.linspace(np.pi, 0, 30)
    across = np.linspace(1, -1, 25)
    lower = np.stack([wide * across, rim + 0.045 * np.abs(np.sin(3 * np.pi * across))], axis=1)
    bell = np.concatenate([np.stack([wide * np.cos(turn), rim - high * np.sin(turn)], axis=1), lower])
    canvas.shape(pose(bell), colour)
    with canvas.clipped(pose(bell)):
        canvas.glaze(pose(ellipse(0, rim - 0.1, 0.6 * wide, 0.5 * high)), lighter(colour, 0.8), 0.35)


def cupcake(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A cupcake: frosting with sprinkles in a pleated cup."""
    colour = _any_colour(rng)
    paper = near(rng, rng.choice([25.0, 340.0, 200.0]), rng.uniform(0.2, 0.55), 0.80)
    low, wide = rng.uniform(0.22, 0.30), rng.uniform(0.34, 0.42)
    cup = np.array([(-wide, -0.02), (wide, -0.02), (low, 0.5), (-low, 0.5)])
    canvas.shape(pose(cup), paper)
    for share in np.linspace(-0.8, 0.8, 7):
        canvas.stroke(pose(np.array([(wide * share, 0), (low * share, 0.5)])), 0.012 * pose.size, darker(paper, 0.25))
    for y, half, high in ((-0.04, wide + 0.05, 0.13), (-0.2, 0.76 * wide, 0.13), (-0.35, 0.45 * wide, 0.13)):
        layer = blob(rng, 0, y, half, high, 0.03)
        canvas.shape(pose(layer), colour)
    _dots(canvas, rng, pose, (0, -0.17), (0.75 * wide, 0.26), lighter(colour, 0.9), 0.024)


def balloon(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A hot-air balloon: a striped envelope over a basket."""
    colour, wide = _any_colour(rng), rng.uniform(0.34, 0.40)
    turn = np.linspace(-np.pi / 2, np.pi / 2, 30)
    half = np.where(
        turn > 0, wide * np.cos(turn) ** 0.75 * (1 - 0.25 * np.sin(np.maximum(turn, 0))) + 0.03, wide * np.cos(turn)
    )
    right = np.stack([half, -0.14 + 0.36 * np.sin(turn)], axis=1)
    envelope = np.concatenate([right, (right * (-1, 1))[::-1]])
    for x in (-1, 1):
        canvas.stroke(pose(np.array([(0.12 * x, 0.16), (0.06 * x, 0.40)])), 0.008 * pose.size, INK)
    canvas.shape(pose(np.array([(-0.07, 0.37), (0.07, 0.37), (0.06, 0.5), (-0.06, 0.5)])), near(rng, 30, 0.6, 0.55))
    canvas.shape(pose(envelope), colour)
    with canvas.clipped(pose(envelope)):
        for share in (-0.8, 0.0, 0.8):
            stripe = np.concatenate([right * (share + 0.25, 1), (right * (share - 0.25, 1))[::-1]])
            canvas.glaze(pose(stripe), lighter(colour, 0.85), 0.75)


def _dots(
    canvas: Canvas,
    rng: np.random.Generator,
    pose: Pose,
    centre: tuple[float, float],
    half: tuple[float, float],
    colour: np.ndarray,
    radius: float = 0.045,
) -> None:
    """Dots within an ellipse."""
    for _ in range(rng.integers(8, 15)):
        turn, out = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * 0.9
        own = radius * rng.uniform(0.7, 1.2)
        x, y = centre[0] + half[0] * out * np.cos(turn), centre[1] + half[1] * out * np.sin(turn)
        canvas.fill(pose(ellipse(x, y, own, own, 16)), colour)


RELATIVES = {
    "umbrella": umbrella,
    "tree": tree,
    "lamp": lamp,
    "jellyfish": jellyfish,
    "cupcake": cupcake,
    "balloon": balloon,
}
