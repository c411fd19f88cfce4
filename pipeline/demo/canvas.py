"""A canvas to draw shapes on: coordinates in units of the short side, drawn at twice the size and averaged."""

import colorsys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

WHITE = np.array([255.0, 255.0, 255.0])
INK = np.array([44.0, 30.0, 34.0])  # of outlines: a warm black


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """An RGB colour (3,) in 0 to 255 from hue in degrees, and saturation and value in 0 to 1."""
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 360 / 360, min(saturation, 1), min(value, 1)))


def near(rng: np.random.Generator, hue: float, saturation: float, value: float, spread: float = 1.0) -> np.ndarray:
    """A random colour near the given one: standard deviations of 5 degrees of hue, .06 of saturation and value, times
    `spread`.
    """
    turn, pale, light = spread * rng.normal(0, (5, 0.06, 0.06))
    return hsv(hue + turn, float(np.clip(saturation + pale, 0, 1)), float(np.clip(value + light, 0, 1)))


def mix(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Mix two colours, with the share `share` of the second."""
    return first + (second - first) * share


def darker(colour: np.ndarray, share: float) -> np.ndarray:
    """The colour in shadow: darker and a little bluer."""
    return mix(colour, colour * (0.34, 0.24, 0.40), share)


def lighter(colour: np.ndarray, share: float) -> np.ndarray:
    """The colour in bright light: mixed with a warm white."""
    return mix(colour, np.array([255.0, 248.0, 232.0]), share)


_BITS = 4  # fractional bits in OpenCV's fixed-point coordinates
_TILE = 24  # pixels along each side of the shading that is stretched over a shape


@dataclass(frozen=True, kw_only=True)
class Look:
    """The style of shapes: `soft` with shading; `line` is the width of outlines, as a share of the short side."""

    soft: bool = True
    line: float = 0.0
    light: float = -0.6  # horizontal direction of the light, from -1 (left) to 1 (right); it always comes from above


class Canvas:
    """A canvas. The origin is its centre, x points right and y down, and the short side has length 1.

    `pixels` is (H, W, 3) uint8 RGB, `FINER` times as large as the finished picture along each axis.
    """

    FINER = 2

    def __init__(self, width: int, height: int, look: Look) -> None:
        self.size = (width, height)
        self.look = look
        self.unit = self.FINER * min(width, height)
        self.pixels: np.ndarray = np.zeros((self.FINER * height, self.FINER * width, 3), np.uint8)
        self.right, self.bottom = width / min(width, height) / 2, height / min(width, height) / 2

    def finished(self) -> np.ndarray:
        """The finished picture, averaged down to the requested size."""
        return cv2.resize(self.pixels, self.size, interpolation=cv2.INTER_AREA)

    def backdrop(self, small: np.ndarray) -> None:
        """Cover the canvas with the small image `small` (h, w, 3), stretched smoothly: distant things are out
        of focus.
        """
        size = self.pixels.shape[1], self.pixels.shape[0]
        self.pixels = cv2.resize(np.clip(small, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)

    def gradient(self, colours: list[np.ndarray], stops: list[float]) -> None:
        """Cover the canvas with a vertical gradient; `stops` are the y coordinates of `colours`, increasing."""
        rows = np.linspace(-self.bottom, self.bottom, self.pixels.shape[0])
        bands = np.stack([np.interp(rows, stops, [colour[i] for colour in colours]) for i in range(3)], axis=1)
        self.pixels[:] = np.clip(bands, 0, 255).astype(np.uint8)[:, np.newaxis]

    def shape(self, points: np.ndarray, colour: np.ndarray, *, line: float = 1.0) -> None:
        """Fill the polygon `points` (N, 2) and outline it in the canvas's style; `line` scales the width of the
        outline.
        """
        if self.look.soft:
            self._fill_shaded(points, colour)
        else:
            self.fill(points, colour)
        if self.look.line * line:
            self.stroke(points, self.look.line * line, INK, closed=True)

    def fill(self, points: np.ndarray, colour: np.ndarray) -> None:
        """Fill a polygon with one colour."""
        cv2.fillPoly(self.pixels, [self._fixed(points)], _as_tuple(colour), cv2.LINE_AA, _BITS)

    def stroke(self, points: np.ndarray, width: float, colour: np.ndarray, *, closed: bool = False) -> None:
        """Draw a line along `points`; `width` is a share of the short side."""
        thick = max(1, round(width * self.unit))
        cv2.polylines(self.pixels, [self._fixed(points)], closed, _as_tuple(colour), thick, cv2.LINE_AA, _BITS)

    def glaze(self, points: np.ndarray, colour: np.ndarray, opacity: float) -> None:
        """Fill a polygon with a translucent colour."""
        window = self._window(points)
        below = self.pixels[window]
        if below.size:
            layer = below.copy()
            cv2.fillPoly(layer, [self._fixed(points, window)], _as_tuple(colour), cv2.LINE_AA, _BITS)
            cv2.addWeighted(layer, opacity, below, 1 - opacity, 0, dst=layer)
            below[:] = layer

    @contextmanager
    def clipped(self, points: np.ndarray) -> Iterator[None]:
        """Clip what is drawn in the `with` block to the polygon `points`."""
        window = self._window(points)
        before = self.pixels.copy()
        yield
        inside = self._mask(points, window)
        drawn = self.pixels[window].copy()
        self.pixels[:] = before
        if drawn.size:
            _lay_over(self.pixels[window], drawn, inside)

    def _fill_shaded(self, points: np.ndarray, colour: np.ndarray) -> None:
        """Fill a polygon with shading, as if it were convex."""
        seen, whole = self._window(points), self._window(points, whole=True)
        if self.pixels[seen].size:
            high, wide = (part.stop - part.start for part in whole)
            shaded = cv2.resize(_lit_tile(colour, self.look.light), (wide, high), interpolation=cv2.INTER_LINEAR)
            part = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(seen, whole, strict=True))
            _lay_over(self.pixels[seen], shaded[part], self._mask(points, seen))

    def _to_pixels(self, points: np.ndarray) -> np.ndarray:
        return np.asarray(points) * self.unit + (self.pixels.shape[1] / 2, self.pixels.shape[0] / 2)

    def _fixed(self, points: np.ndarray, window: tuple[slice, slice] | None = None) -> np.ndarray:
        """Convert `points` to OpenCV's fixed-point coordinates, in which integers are the centres of pixels."""
        corner = (window[1].start, window[0].start) if window else (0, 0)
        return np.rint((self._to_pixels(points) - 0.5 - corner) * (1 << _BITS)).astype(np.int32)

    def _window(self, points: np.ndarray, *, whole: bool = False) -> tuple[slice, slice]:
        """The rows and columns around `points`; clipped to the canvas unless `whole`."""
        found = self._to_pixels(points)
        (left, top), (right, bottom) = np.floor(found.min(0)).astype(int) - 2, np.ceil(found.max(0)).astype(int) + 3
        if not whole:
            rows, columns = self.pixels.shape[:2]
            left, right = np.clip((left, right), 0, columns)
            top, bottom = np.clip((top, bottom), 0, rows)
        return slice(int(top), int(bottom)), slice(int(left), int(right))

    def _mask(self, points: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
        shape = window[0].stop - window[0].start, window[1].stop - window[1].start
        mask = np.zeros(shape, np.uint8)
        if mask.size:
            cv2.fillPoly(mask, [self._fixed(points, window)], 255, cv2.LINE_AA, _BITS)
        return mask


def ellipse(x: float, y: float, wide: float, high: float, count: int = 40) -> np.ndarray:
    """The polygon of an ellipse around (x, y) with semi-axes `wide` and `high`."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + wide * np.cos(turn), y + high * np.sin(turn)], axis=1)


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """The polygon of a rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def blob(rng: np.random.Generator, x: float, y: float, wide: float, high: float, rough: float = 0.1) -> np.ndarray:
    """The polygon of an ellipse with random waves, for clouds, crowns of trees and bushes."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones_like(turn)
    for waves in (3, 5, 8):
        radius += rough * rng.normal() * np.cos(waves * turn + rng.uniform(0, 7)) / np.sqrt(waves)
    return np.stack([x + wide * radius * np.cos(turn), y + high * radius * np.sin(turn)], axis=1)


def curve(points: list[tuple[float, float]], count: int = 24) -> np.ndarray:
    """A smooth line through two to four points: a polynomial in a common parameter for x and y."""
    knots = np.linspace(0, 1, len(points))
    along = np.linspace(0, 1, count)
    return np.stack([np.polyval(np.polyfit(knots, axis, len(points) - 1), along) for axis in np.transpose(points)], 1)


def tube(axis: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """The outline of a tube along the line `axis` (N, 2) with half widths `widths` (N,)."""
    step = np.gradient(axis, axis=0)
    across = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.maximum(np.hypot(*step.T), 1e-9)[:, np.newaxis]
    offset = across * np.asarray(widths)[:, np.newaxis]
    return np.concatenate([axis + offset, (axis - offset)[::-1]])


@dataclass(frozen=True, kw_only=True)
class Pose:
    """The pose of a subject on the canvas. In its own frame the subject is 1 high, with its centre at 0 and its foot at
    y = 0.5.
    """

    x: float = 0.0
    y: float = 0.0
    size: float = 0.7
    lean: float = 0.0  # rotation around the foot, in degrees

    @property
    def foot(self) -> tuple[float, float]:
        """The position of the foot."""
        return self.x, self.y + self.size / 2

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Convert `points` (N, 2) from the subject's frame to the canvas."""
        turn = np.deg2rad(self.lean)
        matrix = np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
        return (np.asarray(points) - (0, 0.5)) @ matrix.T * self.size + self.foot


def _lit_tile(colour: np.ndarray, light: float) -> np.ndarray:
    """A small image (T, T, 3) uint8 of a round surface of `colour`, lit from above and from `light`."""
    across = np.linspace(-1, 1, _TILE)
    x, y = np.meshgrid(across, across)
    towards = 0.55 * (x * light - y * 0.8) - 0.16 * (x * x + y * y)
    bright, dark = np.clip(towards, 0, 1)[..., np.newaxis], np.clip(-towards, 0, 1)[..., np.newaxis]
    lit = colour + (lighter(colour, 0.7) - colour) * bright + (darker(colour, 0.85) - colour) * dark
    return np.clip(lit, 0, 255).astype(np.uint8)


def _lay_over(below: np.ndarray, layer: np.ndarray, mask: np.ndarray) -> None:
    """Blend `layer` over `below` (H, W, 3) by `mask` (H, W) in 0 to 255."""
    share = mask.astype(np.float32) / 255
    below[:] = cv2.blendLinear(np.ascontiguousarray(layer), np.ascontiguousarray(below), share, 1 - share)


def _as_tuple(colour: np.ndarray) -> tuple[float, ...]:
    return tuple(float(part) for part in np.clip(colour, 0, 255))
