"""Validate the names, arguments and pictures that users pass to `Dcgan`."""

import functools
import inspect
import json
import math
import operator
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pipeline.errors import UserError, of_system
from pipeline.gan.config import Definition, Smoothing, as_tree, parse_definition
from pipeline.gan.config.resolutions import check_size
from pipeline.option_types import nearest

CHANNELS = (1, 3)
MIN_IMAGES = 16  # with fewer, D has nothing to distinguish, and batch norm nothing to average
MAX_NAME = 255  # characters
MOST_SAMPLES, MOST_SHOWN = 1_000_000, 10_000  # of one call
Shape = tuple[int, int, int]  # (S, S, C)
Kind = TypeVar("Kind", bound=type)


class KnownAttributes:
    """A base class: the error for an unknown attribute names the nearest one, and only `name` can be set."""

    if not TYPE_CHECKING:  # a type checker knows the attributes, and would believe that there are others

        def __getattr__(self, name: str) -> Any:
            """Called for an attribute that is not there."""
            if hasattr(type(self), name):  # its property has raised this error
                return object.__getattribute__(self, name)
            public = [each for each in dir(type(self)) if not each.startswith("_")]
            raise AttributeError(f"a {type(self).__name__} has no attribute {name!r}; {nearest(name, public)}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set `name`; other public attributes, such as the definition and the seed, belong to the networks."""
        if not name.startswith("_") and name != "name":
            if not hasattr(type(self), name):
                getattr(self, name)  # raises the error that names the nearest one
            kind = type(self).__name__
            raise AttributeError(
                f"{name} of a {kind} cannot be set: make another one, {kind}(images, definition, seed=…)"
            )
        super().__setattr__(name, value)


def name_arguments(kind: Kind) -> Kind:
    """A class decorator: public methods with wrong arguments raise a `TypeError` that names the right ones."""
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if name == "__init__" or not name.startswith("_"):
            setattr(kind, name, _with_named_arguments(method, kind.__name__ if name == "__init__" else name))
    return kind


def _with_named_arguments(method: Callable, called: str) -> Callable:
    signature = inspect.signature(method)

    @functools.wraps(method)
    def checked(*arguments: Any, **named: Any) -> Any:
        try:
            signature.bind(*arguments, **named)
        except TypeError:
            raise TypeError(_argument_error(signature, called, arguments, named)) from None
        return method(*arguments, **named)

    return checked


def _argument_error(signature: inspect.Signature, called: str, arguments: tuple, named: dict[str, Any]) -> str:
    """What is wrong with a call, in one line; `arguments` begin with the object."""
    names = [*signature.parameters][1:]
    positional = [name for name in names if signature.parameters[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    if unknown := next((name for name in named if name not in names), None):
        return f"{called} has no argument {unknown!r}; {nearest(unknown, names)}"
    if len(arguments) - 1 > len(positional):
        rest = ", ".join(f"{name}=…" for name in names if name not in positional)
        extra = shown(arguments[len(positional) + 1])
        return (
            f"{called} takes only {' and '.join(positional) or 'nothing'} without a name, and got {extra}: name it"
            + (f", {called}({rest})" if rest else "")
        )
    missing = [name for name in positional[len(arguments) - 1 :] if name not in named]
    return f"{called} needs {missing[0]}: {called}({missing[0]}, …)"


def check_folder(folder: object) -> Path:
    """`folder` as a path. Errors: `UserError` if it is something else, such as an array."""
    if not isinstance(folder, str | Path):
        raise UserError(f"folder = {shown(folder)}: expected a path")
    return Path(folder)


def make_folder(folder: Path) -> None:
    """Make `folder`, unless it is there. Errors: `UserError` if it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise of_system(error, folder) from None


def refuse_array(name: str, value: object, expected: str) -> None:
    """Raise a `UserError` that says what is `expected` if the argument `name` is an array."""
    if isinstance(value, np.ndarray):
        raise UserError(f"{name} = {shown(value)}: expected {expected}")


def check_like(like: object) -> Shape:
    """The shape (S, S, C) of pictures, or of one picture, that a GAN is for. Errors: `UserError` for anything else."""
    if isinstance(like, str | Path | dict):
        raise UserError(
            f"{shown(like)} where pictures are expected: give them first, or the shape of one, and then the definition:"
            " Dcgan((64, 64, 3), 'dcgan')"
        )
    if isinstance(like, tuple | list) and len(like) < 4 and all(isinstance(side, int | np.integer) for side in like):
        return check_shape(tuple(like))
    return as_pictures(like).shape[1:]


def check_whole(name: str, value: Any, *, least: int = 0, most: float = math.inf) -> int:
    """`value`, which must be a whole number from `least` to `most`; `name` is its name in the `UserError`."""
    try:
        found = operator.index(value)
    except TypeError:
        found = least - 1
    if not least <= found <= most:
        bounds = f"at least {least}" if most == math.inf else f"from {least} to {most:,}"
        raise UserError(f"{name} = {shown(value)}: expected a whole number, {bounds}")
    return found


def check_number(name: str, value: object, *, above: bool = False) -> float:
    """`value`, which must be a number of at least 0, or `above` 0; `name` is its name in the `UserError`."""
    found = float(value) if isinstance(value, Real) else math.nan
    if not (math.isfinite(found) and (found > 0 if above else found >= 0)):
        raise UserError(f"{name} = {shown(value)}: expected a number, {'above' if above else 'at least'} 0")
    return found


def check_flag(name: str, value: object) -> bool:
    """`value`, which must be True or False; `name` is its name in the `UserError`."""
    if not isinstance(value, bool | np.bool_):
        raise UserError(f"{name} = {shown(value)}: expected True or False")
    return bool(value)


def check_settings(definition: Definition, *, batch: object, smoothing: object) -> tuple[int | None, Smoothing | None]:
    """`batch` and `smoothing` as a training by `definition` takes them, given as in a definition; None keeps what is.

    Errors: `UserError` for values that are out of bounds, or for smoothing with a loss that has no labels.
    """
    given: dict[str, Any] = {}
    if batch is not None:
        given["batch"] = check_whole("batch", batch, least=2)
    if smoothing is not None:
        given["smoothing"] = _smoothing_tree(smoothing)
    found = parse_definition(json.dumps(as_tree(definition) | given), "train")
    return found.batch if "batch" in given else None, found.smoothing if "smoothing" in given else None


def _smoothing_tree(value: object) -> object:
    if isinstance(value, Smoothing):
        return as_tree(value)
    if isinstance(value, Mapping):
        return {str(name): check_number(f"smoothing.{name}", number) for name, number in value.items()}
    return check_number("smoothing", value)  # of the reals alone, as in a definition


def check_labels(labels: object, count: int) -> np.ndarray:
    """`labels`, (N,) or (N, 1), 1 for a real and 0 for a fake, as (N,) bool. Errors: `UserError` for anything else."""
    try:
        array = np.asarray(labels)
    except ValueError:  # a list of lists of different lengths
        raise UserError(f"labels = {shown(labels)}: give one number for each of the {count} pictures") from None
    if array.shape not in ((count,), (count, 1)):
        raise UserError(f"labels of shape {array.shape}: give one for each of the {count} pictures, as ({count},)")
    if array.dtype.kind not in "buif" or not np.isin(array, (0, 1)).all():
        raise UserError("labels: expected 1 for each real and 0 for each fake, without smoothing")
    return array.reshape(-1).astype(bool)


def check_progress(value: object) -> None:
    """Raise a `UserError` unless `value` can be called as a `Progress`, or is None."""
    if value is not None and not callable(value):
        raise UserError(f"progress = {shown(value)}: expected a function of steps done, total steps and a note")


def refuse_beside_latents(**given: object) -> None:
    """Raise a `UserError` that names the first of the arguments `given` that is not None: latents leave it no use."""
    for name, value in given.items():
        if value is not None:
            raise UserError(
                f"{name} = {shown(value)} and latents: give one of them, as each of the latents makes one sample"
            )


def check_name(value: object) -> str:
    """`value`, which must be one line of text, and not a long one; a `UserError` says so."""
    if not (isinstance(value, str) and value.isprintable() and value.strip() and len(value) <= MAX_NAME):
        raise UserError(f"name = {shown(value)}: expected one line of text, at most {MAX_NAME} characters")
    return value


def shown(value: object) -> str:
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
