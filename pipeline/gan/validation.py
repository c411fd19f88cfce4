"""Validate the arguments and pictures that users pass to `Dcgan`."""

import math
import operator
from numbers import Real
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.gan.config.resolutions import check_size

CHANNELS = (1, 3)
MAX_NAME = 255  # characters
Shape = tuple[int, int, int]  # (S, S, C)


def check_whole(name: str, value: Any, *, least: int = 0) -> int:
    """`value`, which must be a whole number of at least `least`; `name` is its name in the `UserError`."""
    try:
        found = operator.index(value)
    except TypeError:
        found = least - 1
    if found < least:
        raise UserError(f"{name} = {_shown(value)}: expected a whole number, at least {least}")
    return found


def check_number(name: str, value: object, *, above: bool = False) -> float:
    """`value`, which must be a number of at least 0, or `above` 0; `name` is its name in the `UserError`."""
    found = float(value) if isinstance(value, Real) else math.nan
    if not (math.isfinite(found) and (found > 0 if above else found >= 0)):
        raise UserError(f"{name} = {_shown(value)}: expected a number, {'above' if above else 'at least'} 0")
    return found


def check_name(value: object) -> str:
    """`value`, which must be one line of text, and not a long one; a `UserError` says so."""
    if not (isinstance(value, str) and value.isprintable() and len(value) <= MAX_NAME):
        raise UserError(f"name = {_shown(value)}: expected one line of text, at most {MAX_NAME} characters")
    return value


def _shown(value: object) -> str:
    """`value` for an error; of an array its shape."""
    return f"an array of shape {np.shape(value)}" if isinstance(value, np.ndarray) else repr(value)[:MAX_NAME]


def as_pictures(images: object, *, least: int = 1) -> np.ndarray:
    """Convert `images` to (N, S, S, C) uint8, C 1 or 3.

    They may be (N, S, S, C), or (N, S, S) for grey; whole numbers from 0 to 255, or floats from 0 to 1, which are
    rounded. Errors: a `UserError` for anything else, which says how to convert it. Floats below 0 are refused, because
    a bright picture in [-1, 1] could not be recognised.
    """
    try:
        array = np.asarray(images)
    except ValueError:
        raise UserError("images are not all of one shape: resize them to one size, and stack them") from None
    if array.dtype.kind not in "uif":
        raise UserError(f"images are of type {array.dtype}: give numbers, preferably uint8")
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.ndim != 4:
        raise UserError(f"images of shape {array.shape}: give (N, S, S, C), or (N, S, S) for grey")
    if len(array) < least:
        enough = ", some hundreds for good samples" if least > 1 else ""
        raise UserError(f"{len(array)} pictures were given, and at least {least} are needed{enough}")
    check_shape(array.shape[1:])
    return np.ascontiguousarray(_from_floats(array) if array.dtype.kind == "f" else _from_integers(array))


def check_shape(shape: tuple[int, ...]) -> Shape:
    """The `shape` of one picture as (S, S, C). Errors: a `UserError` if no network can be built for it."""
    side, width, channels = (*shape, 1) if len(shape) == 2 else shape if len(shape) == 3 else (0, 0, 0)
    if channels not in CHANNELS:
        first = (
            " (channels come last)" if side in CHANNELS else " (leave the transparency out)" if channels == 4 else ""
        )
        raise UserError(f"pictures of shape {tuple(shape)}: expected (S, S, 3), or (S, S, 1) for grey{first}")
    if side != width:
        raise UserError(f"pictures of {width} x {side} pixels: crop them or pad them to squares")
    check_size(side, remedy="resize them to")
    return (int(side), int(side), int(channels))


def _from_floats(array: np.ndarray) -> np.ndarray:
    low, high = float(array.min()), float(array.max())  # NaN if the array has one
    if not (low >= 0 and high <= 1):
        remedy = "add 1 and halve them" if -1 <= low < 0 and high <= 1 else "convert them with .astype('uint8')"
        remedy += ", or fix the code that made them"
        raise UserError(f"floats from {low:g} to {high:g}: they must be from 0 to 1; {remedy}")
    return np.round(array * 255.0).astype(np.uint8)


def _from_integers(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.uint8 and (array.min() < 0 or array.max() > 255):
        raise UserError(f"whole numbers from {array.min()} to {array.max()}: they must lie from 0 to 255")
    return array.astype(np.uint8)
