"""The classes of a conditional GAN: which class each picture is of. `class_names` has what stays with the networks.

A class is what a data set gives it (the labels of an IDX file, a column `class` of a list or of metadata), or else the
subfolder that it is in, or else the query that found it: the first of these that divides the pictures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.gan.class_names import check_names
from pipeline.gan.config import Definition
from pipeline.gan.latents import choose_classes
from pipeline.images.picture_class import KINDS, describe_class
from pipeline.option_types import nearest
from pipeline.store import verified
from pipeline.text import to_plain_line

SHOWN, SHOWN_NAME = 10, 40  # classes in a line of text, and characters of a name
ClassLabels = np.ndarray | Sequence[str] | Sequence[int] | None  # of pictures (N,), as users give them


@dataclass(frozen=True, kw_only=True)
class Classes:
    """The names of all classes in alphabetical order, and of each picture (N,) the place of its class there, int32."""

    names: tuple[str, ...]
    labels: np.ndarray

    def indices(self, label: int) -> np.ndarray:
        """The places (M,) of the pictures of the class `label`, in order."""
        return np.flatnonzero(self.labels == label)

    def in_words(self) -> str:
        """How many there are, and how many pictures have the first of them: `2 classes: blue (70), red (30)`."""
        shown = [f"{to_plain_line(name, SHOWN_NAME)} ({len(self.indices(label))})"
                 for label, name in enumerate(self.names[:SHOWN])]  # fmt: skip
        return f"{len(self.names)} classes: {', '.join(shown)}{', …' * (len(self.names) > SHOWN)}"

    def as_often(self, latents: np.ndarray, *, seed: int) -> np.ndarray:
        """`latents` (M, latent + classes) of classes that are drawn as often as pictures have them."""
        drawn = np.random.default_rng((seed, *b"classes")).choice(self.labels, len(latents))
        return choose_classes(latents, drawn, len(self.names))


def read_classes(ids: Sequence[str], download: Path) -> Classes:
    """The classes of the pictures `ids`, by the rows of the finished stage `download`.

    Errors: `UserError` if nothing divides the pictures into classes, or into too many; `DamagedState`.
    """
    found: dict[str, list[str]] = {}
    wanted = set(ids)
    for row in verified.iterate_rows(download, "images.jsonl"):
        if row["outcome"] == "saved" and row["id"] in wanted:
            found.setdefault(row["id"], describe_class(row))
    for place in range(len(KINDS)):
        values = [found[id][place] if id in found else "" for id in ids]
        if all(values) and len(set(values)) > 1:
            return _of_values(values)
    raise UserError(
        "the definition is conditional, and nothing divides these pictures into classes: give a source whose pictures"
        " all have a class, are in subfolders or are of several queries, or a definition that is not conditional"
    )


def choose_names(definition: Definition, classes: ClassLabels) -> tuple[str, ...]:
    """The names of the different values of `classes`, which a conditional `definition` needs; numbers in their order.

    Errors: `UserError` if a conditional definition has none, or another one some; for values of other kinds.
    """
    if classes is None or not definition.conditional:
        _check_needed(definition.conditional, classes)
        return ()
    names = tuple(map(str, np.unique(_as_labels(classes))))
    if len(names) < 2:
        raise UserError(f"classes: all are {', '.join(map(repr, names)) or 'missing'}, and two or more are needed")
    return check_names(names)


def number_classes(names: Sequence[str], classes: ClassLabels, count: int) -> np.ndarray | None:
    """The place in `names` of the class of each of `count` pictures (N,), int32; None for a GAN without classes.

    Errors: `UserError` if such a GAN is given some, or another one not a known one for each picture.
    """
    if classes is None or not names:
        _check_needed(bool(names), classes)
        return None
    labels = _as_labels(classes)
    if len(labels) != count:
        raise UserError(f"classes: {len(labels)} were given for {count} pictures; give one for each")
    places = {name: place for place, name in enumerate(names)}
    unknown = next((each for each in map(str, labels) if each not in places), None)
    if unknown is not None:
        raise UserError(f"classes: this GAN has no class {unknown!r}; {nearest(unknown, names)}")
    return np.array([places[str(each)] for each in labels], np.int32)


def _check_needed(conditional: bool, classes: ClassLabels) -> None:
    if conditional and classes is None:
        raise UserError("the GAN is conditional, and needs the class of each picture: give classes=…, (N,)")
    if not conditional and classes is not None:
        raise UserError("classes, and a definition that is not conditional: set conditional to true in it, or leave the"
                        " classes out")  # fmt: skip


def _as_labels(classes: ClassLabels) -> np.ndarray:
    """`classes` (N,) as an array of whole numbers or of text."""
    array = np.asarray(classes)
    if array.dtype.kind == "O" and all(isinstance(each, str) for each in array.reshape(-1)):
        array = array.astype(str)
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise UserError(
            f"classes of shape {array.shape} and type {array.dtype}: give a whole number or a name of each picture"
        )
    return array


def _of_values(values: Iterable[str]) -> Classes:
    names, labels = np.unique(np.array(list(values)), return_inverse=True)
    return Classes(names=check_names(tuple(map(str, names))), labels=labels.astype(np.int32))
