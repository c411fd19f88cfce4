"""Outlines as points (N, 2), and where a subject stands and how it leans."""

from dataclasses import dataclass

import numpy as np


def ellipse(x: float, y: float, wide: float, high: float, count: int = 40) -> np.ndarray:
    """An ellipse around (x, y) with half axes `wide` and `high`."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + wide * np.cos(turn), y + high * np.sin(turn)], axis=1)


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """A rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def blob(rng: np.random.Generator, x: float, y: float, wide: float, high: float, rough: float = 0.1) -> np.ndarray:
    """An ellipse with a few random waves in it, such as clouds, crowns and bushes have."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones_like(turn)
    for waves in (3, 5, 8):
        radius += rough * rng.normal() * np.cos(waves * turn + rng.uniform(0, 7)) / np.sqrt(waves)
    return np.stack([x + wide * radius * np.cos(turn), y + high * radius * np.sin(turn)], axis=1)


def curve(points: list[tuple[float, float]], count: int = 24) -> np.ndarray:
    """A smooth line through two to four points, by the polynomial through them; x and y as functions of the way."""
    knots = np.linspace(0, 1, len(points))
    along = np.linspace(0, 1, count)
    return np.stack([np.polyval(np.polyfit(knots, axis, len(points) - 1), along) for axis in np.transpose(points)], 1)


def tube(axis: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """The outline of something as thick as twice `widths` (N,) along the line `axis` (N, 2)."""
    step = np.gradient(axis, axis=0)
    across = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.maximum(np.hypot(*step.T), 1e-9)[:, np.newaxis]
    offset = across * np.asarray(widths)[:, np.newaxis]
    return np.concatenate([axis + offset, (axis - offset)[::-1]])


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where a subject is on the canvas: its own frame is 1 high with its centre at 0, and its foot at y = 0.5."""

    x: float = 0.0
    y: float = 0.0
    size: float = 0.7
    lean: float = 0.0  # degrees, around the foot

    @property
    def foot(self) -> tuple[float, float]:
        """Where it stands."""
        return self.x, self.y + self.size / 2

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """`points` (N, 2) of the subject's own frame as points of the canvas."""
        turn = np.deg2rad(self.lean)
        matrix = np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
        return (np.asarray(points) - (0, 0.5)) @ matrix.T * self.size + self.foot
