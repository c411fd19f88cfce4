"""What pictures are drawn on: shapes in units of the short side, drawn larger than wanted and averaged down."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.demo.colours import INK, darker, lighter

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
        self.pixels = np.zeros((self.FINER * height, self.FINER * width, 3), np.uint8)
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
