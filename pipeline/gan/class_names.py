"""The names of the classes of a conditional GAN, which stay with the trained networks in classes.json.

No TensorFlow or SciPy here: a plan and the studio ask as well.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import DamagedState, UserError
from pipeline.option_types import nearest
from pipeline.store.atomic import write_whole
from pipeline.store.digest import of_value

CLASSES = "classes.json"  # the file with the names, beside definition.json
MOST = 1000  # classes
MAX_NAME = 1000  # characters of a name
MAX_FILE_BYTES = 1 << 23


class ClassChoice(NamedTuple):
    """The class `label` of a generator with so many `classes`."""

    label: int
    classes: int


def find_class(name: str, names: Sequence[str]) -> ClassChoice | None:
    """The class called `name` of a generator that has `names`; None for an empty name, which means all classes.

    Errors: `UserError` that suggests the nearest names, or says that the generator has no classes.
    """
    if not name:
        return None
    if not names:
        raise UserError(
            f"class {name!r}: this generator has no classes; train one with a definition that is conditional, or leave"
            " the class out"
        )
    if name not in names:
        raise UserError(f"class {name!r}: this generator has no such class; {nearest(name, names)}")
    return ClassChoice(names.index(name), len(names))


def require_class(name: str, folder: Path) -> None:
    """Raise `UserError` if the generator in `folder` has no class `name`; damage is left to what reads it later."""
    with suppress(DamagedState):
        find_class(name, read_names(folder))


def places_of(latents: np.ndarray, classes: int) -> np.ndarray:
    """The places (...,) of the classes, of which there are so many, that `latents` (..., latent + classes) choose."""
    return latents[..., latents.shape[-1] - classes :].argmax(axis=-1)


def class_of(latent: np.ndarray, names: Sequence[str]) -> str:
    """The name of the class that a `latent` (latent + classes,) chooses."""
    return names[int(places_of(latent, len(names)))]


def write_names(names: Sequence[str], folder: Path) -> None:
    """Write the `names` into the `folder` of a training; of an unconditional one nothing."""
    if names:
        write_whole(folder / CLASSES, (json.dumps(list(names), indent=2, ensure_ascii=False) + "\n").encode())
    else:
        (folder / CLASSES).unlink(missing_ok=True)


def read_names(folder: Path) -> tuple[str, ...]:
    """The names of the classes of the training in `folder`; none of an unconditional one. Errors: `DamagedState`."""
    path = folder / CLASSES
    try:
        if not path.exists():
            return ()
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError("it is too large")
        names = json.loads(path.read_bytes())
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names) or len(set(names)) < 2:
            raise ValueError("expected a list of two or more names")
        return check_names(names)
    except (OSError, ValueError, RecursionError, UserError) as error:
        raise DamagedState(f"{path} does not hold the names of classes: {error}") from None


def names_digest(names: Sequence[str]) -> str | None:
    """A digest of the names for checkpoints; None without classes."""
    return of_value(list(names)) if names else None


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """`names` as a tuple. Errors: `UserError` if there are too many, or a name is empty or too long."""
    if len(names) > MOST:
        raise UserError(f"the pictures are of {len(names):,} classes, and a conditional GAN takes {MOST:,} at most")
    if bad := [name for name in names if not 0 < len(name) <= MAX_NAME]:
        raise UserError(f"the class {bad[0][:80]!r} has a name of {len(bad[0])} characters; give 1 to {MAX_NAME}")
    return tuple(names)
