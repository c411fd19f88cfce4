"""What pictures are drawn on: shapes in units of the short side, drawn larger than wanted and averaged down."""

import colorsys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

WHITE = np.array([255.0, 255.0, 255.0])
INK = np.array([44.0, 30.0, 34.0])  # of outlines: a warm black, as pens have


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """The colour of a hue in degrees and of a saturation and value in 0 to 1."""
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 360 / 360, min(saturation, 1), min(value, 1)))


def near(rng: np.random.Generator, hue: float, saturation: float, value: float, spread: float = 1.0) -> np.ndarray:
    """A colour near the given one: by some 5 degrees of hue, .06 of saturation and value, times `spread`."""
    turn, pale, light = spread * rng.normal(0, (5, 0.06, 0.06))
    return hsv(hue + turn, float(np.clip(saturation + pale, 0, 1)), float(np.clip(value + light, 0, 1)))


def mix(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """`share` of the second colour in the first."""
    return first + (second - first) * share


def darker(colour: np.ndarray, share: float) -> np.ndarray:
    """The colour in shadow: less light, and what there is of it a little bluer."""
    return mix(colour, colour * (0.34, 0.24, 0.40), share)


def lighter(colour: np.ndarray, share: float) -> np.ndarray:
    """The colour in full light: towards a warm white."""
    return mix(colour, np.array([255.0, 248.0, 232.0]), share)


_BITS = 4  # of a pixel's fraction in OpenCV's fixed point
_TILE = 24  # side of the small picture of light and shade that is stretched over a shape


@dataclass(frozen=True, kw_only=True)
class Look:
    """How shapes are filled: `soft` with light and shade; `line` of ink around them, as a share of the short side."""

    soft: bool = True
    line: float = 0.0
    light: float = -0.6  # where the light comes from: -1 from the left, 1 from the right; always from above


class Canvas:
    """A picture in the making. The origin is its centre, x points right and y down, the short side is 1 long.

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
        """The picture at the size that was asked for."""
        return cv2.resize(self.pixels, self.size, interpolation=cv2.INTER_AREA)

    def backdrop(self, small: np.ndarray) -> None:
        """Cover everything with `small` (h, w, 3), stretched smoothly: what lies far behind is never sharp."""
        size = self.pixels.shape[1], self.pixels.shape[0]
        self.pixels = cv2.resize(np.clip(small, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)

    def gradient(self, colours: list[np.ndarray], stops: list[float]) -> None:
        """Cover everything with colours that change from top to bottom; `stops` are their y, rising."""
        rows = np.linspace(-self.bottom, self.bottom, self.pixels.shape[0])
        bands = np.stack([np.interp(rows, stops, [colour[i] for colour in colours]) for i in range(3)], axis=1)
        self.pixels[:] = np.clip(bands, 0, 255).astype(np.uint8)[:, np.newaxis]

    def shape(self, points: np.ndarray, colour: np.ndarray, *, line: float = 1.0) -> None:
        """Fill the polygon `points` (N, 2) and outline it, as the look has it; `line` scales the outline's width."""
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
        """Draw a line of `width`, a share of the short side, along `points`."""
        thick = max(1, round(width * self.unit))
        cv2.polylines(self.pixels, [self._fixed(points)], closed, _as_tuple(colour), thick, cv2.LINE_AA, _BITS)

    def glaze(self, points: np.ndarray, colour: np.ndarray, opacity: float) -> None:
        """Fill a polygon with a colour that lets through what is below."""
        window = self._window(points)
        below = self.pixels[window]
        if below.size:
            layer = below.copy()
            cv2.fillPoly(layer, [self._fixed(points, window)], _as_tuple(colour), cv2.LINE_AA, _BITS)
            cv2.addWeighted(layer, opacity, below, 1 - opacity, 0, dst=layer)
            below[:] = layer

    @contextmanager
    def clipped(self, points: np.ndarray) -> Iterator[None]:
        """What is drawn meanwhile shows only inside the polygon `points`."""
        window = self._window(points)
        before = self.pixels.copy()
        yield
        inside = self._mask(points, window)
        drawn = self.pixels[window].copy()
        self.pixels[:] = before
        if drawn.size:
            _lay_over(self.pixels[window], drawn, inside)

    def _fill_shaded(self, points: np.ndarray, colour: np.ndarray) -> None:
        """Fill with light and shade, as if the shape bulged towards the viewer."""
        seen, whole = self._window(points), self._window(points, whole=True)
        if self.pixels[seen].size:
            high, wide = (part.stop - part.start for part in whole)
            shaded = cv2.resize(_lit_tile(colour, self.look.light), (wide, high), interpolation=cv2.INTER_LINEAR)
            part = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(seen, whole, strict=True))
            _lay_over(self.pixels[seen], shaded[part], self._mask(points, seen))

    def _to_pixels(self, points: np.ndarray) -> np.ndarray:
        return np.asarray(points) * self.unit + (self.pixels.shape[1] / 2, self.pixels.shape[0] / 2)

    def _fixed(self, points: np.ndarray, window: tuple[slice, slice] | None = None) -> np.ndarray:
        """`points` in OpenCV's fixed point, whose whole numbers are the centres of pixels."""
        corner = (window[1].start, window[0].start) if window else (0, 0)
        return np.rint((self._to_pixels(points) - 0.5 - corner) * (1 << _BITS)).astype(np.int32)

    def _window(self, points: np.ndarray, *, whole: bool = False) -> tuple[slice, slice]:
        """Rows and columns around `points`; only those on the canvas, unless `whole`."""
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


def _lit_tile(colour: np.ndarray, light: float) -> np.ndarray:
    """A small picture (T, T, 3) uint8 of `colour` on something round, lit from above and from `light`."""
    across = np.linspace(-1, 1, _TILE)
    x, y = np.meshgrid(across, across)
    towards = 0.55 * (x * light - y * 0.8) - 0.16 * (x * x + y * y)
    bright, dark = np.clip(towards, 0, 1)[..., np.newaxis], np.clip(-towards, 0, 1)[..., np.newaxis]
    lit = colour + (lighter(colour, 0.7) - colour) * bright + (darker(colour, 0.85) - colour) * dark
    return np.clip(lit, 0, 255).astype(np.uint8)


def _lay_over(below: np.ndarray, layer: np.ndarray, mask: np.ndarray) -> None:
    """Replace `below` (H, W, 3) by `layer` as far as `mask` (H, W) is near 255."""
    share = mask.astype(np.float32) / 255
    below[:] = cv2.blendLinear(np.ascontiguousarray(layer), np.ascontiguousarray(below), share, 1 - share)


def _as_tuple(colour: np.ndarray) -> tuple[float, ...]:
    return tuple(float(part) for part in np.clip(colour, 0, 255))


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
