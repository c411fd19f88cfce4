"""Pretrained weights: which file the options `backbone` and `extractor` mean, and how it is fetched. Loads no network.

Networks in MEASURING are used only to score samples, never as a backbone.
"""

import hashlib
import os
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import UserError
from pipeline.option_types import nearest
from pipeline.store.atomic import open_whole
from pipeline.store.digest import of_file
from pipeline.store.npz import Unfit

AUTO, NONE = "auto", "none"
HOME = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True, kw_only=True)
class Published:
    """Weights on ImageNet that Keras publishes for a network of keras.applications, without its top."""

    folder: str
    file: str
    md5: str  # as published; Keras checks the same one where it checks at all


KNOWN = {
    "MobileNet": Published(
        folder="mobilenet", file="mobilenet_1_0_224_tf_no_top.h5", md5="725ccbd03d61d7ced5b5c4cd17e7d527"
    ),
    "MobileNetV3Small": Published(
        folder="mobilenet_v3",
        file="weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        md5="d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    "MobileNetV3Large": Published(
        folder="mobilenet_v3",
        file="weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        md5="07fb09a5933dd0c8eaafa16978110389",
    ),
}
MEASURING = {  # ten times as much work a picture as MobileNet: too slow to filter a crawl with
    "InceptionV3": Published(
        folder="inception_v3",
        file="inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        md5="bcbd6486424b2319ff4ef7d526e38f63",
    ),
}
# How many a network holds, by which a file of the user's is told without building any
NUMBERS = {
    "MobileNet": 3_228_864,
    "MobileNetV3Small": 939_120,
    "MobileNetV3Large": 2_996_352,
    "InceptionV3": 21_802_784,
}
TRIED = ("MobileNet", "MobileNetV3Small")  # by `auto`, in this order: some 17 and 4 MB
SECONDS = 8.0  # that `auto` gives its downloads from start to end
STALLED = 30.0  # seconds without a byte after which others give up
SUFFIXES = (".h5", ".hdf5")
MOST = 200_000_000  # bytes of a file, and of the numbers in it


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A weights file. Published ones may be named before they are fetched."""

    name: str  # the network of keras.applications; empty where the file itself must tell
    path: Path
    digest: str  # MD5 of published weights, SHA-256 of a file of the user's

    def __str__(self) -> str:
        return f"{self.name or self.path.name} {self.digest[:12]}"


def cache() -> Path:
    """Where Keras keeps what it fetched, and so do we: `$KERAS_HOME/models`, by default `~/.keras/models`."""
    return Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")) / "models"


def find(backbone: str) -> Weights | None:
    """The weights that the option `backbone` means as things stand on this disk; None for none.

    With 'auto' those that are cached, if any; named ones whether they are cached or not.
    Errors: `UserError` for a name that is not known and a file that is not there.
    """
    if backbone == NONE:
        return None
    if backbone == AUTO:
        return next((published(name) for name in TRIED if is_cached(name)), None)
    if backbone in KNOWN:
        return published(backbone)
    if found := given(backbone, asked="classifier.backbone"):
        return found
    words = nearest(backbone, [AUTO, NONE, *KNOWN])
    raise UserError(f"classifier.backbone = {backbone!r}: there is no such file, and no network of that name; {words}")


def published(name: str) -> Weights:
    """The published weights of the network called `name`, fetched or not."""
    known = _known(name)
    return Weights(name=name, path=cache() / known.file, digest=known.md5)


def given(text: str | Path, *, asked: str) -> Weights | None:
    """The weights in the file of the user's that `text` leads to, whatever network they are of; None if nothing is
    there.

    Errors: `UserError`, which names the option `asked`, for what is no file, cannot be read, or is too large.
    """
    path = Path(os.path.expanduser(text))  # as it is where there is no such user
    if not str(text) or not os.path.exists(path):  # the method of the path itself raises for names that are too long
        return None
    if not path.is_file():
        raise UserError(f"{asked} = {path}: this is no file; name a file of weights (.h5)")
    try:
        if path.stat().st_size > MOST:
            raise UserError(f"{asked} = {path}: weights have {MOST:,} bytes at most, and this file has more")
        return Weights(name="", path=path, digest=_digest(path, *_stamp(path)))
    except OSError as error:
        raise UserError(f"{asked} = {path}: cannot be read ({error.strerror})") from None


def identify(weights: Weights, names: Iterable[str], *, asked: str, instead: str) -> str:
    """The one of the networks `names` that `weights` are of; those of a file of the user's are looked through first.

    No network is built. Errors: `UserError`, which names the option `asked` and what would do `instead`, for a file
    that holds something else, or NaN.
    """
    if weights.name:
        return weights.name
    from pipeline.store.hdf5 import check_weights  # HDF5's library takes a moment to load, and plans need none

    known = {NUMBERS[name]: name for name in names}
    if weights.path.suffix not in SUFFIXES:  # by which Keras tells what a file is
        raise strange(weights, names, "has another kind of name", asked=asked, instead=instead)
    try:
        numbers = check_weights(weights.path, most=MOST)
    except Unfit as error:
        raise strange(weights, names, str(error), asked=asked, instead=instead) from None
    if numbers not in known:
        raise strange(weights, names, f"holds {numbers:,} numbers", asked=asked, instead=instead)
    return known[numbers]


def strange(weights: Weights, names: Iterable[str], reason: str, *, asked: str, instead: str) -> UserError:
    """The error for a file that is not of any of the networks `names`."""
    return UserError(
        f"{asked} = {weights.path}: these are no weights of {' or '.join(names)} without its top: the file {reason};"
        f" give a .h5 file that `model.save_weights` of one of them wrote, or {asked} = {instead}"
    )


def missing(backbone: str) -> tuple[str, ...]:
    """The networks of which one has to be fetched; empty if there is nothing to fetch."""
    wanted = TRIED if backbone == AUTO else (backbone,) if backbone in KNOWN else ()
    return () if any(map(is_cached, wanted)) else wanted


def fetch(backbone: str) -> str:
    """Bring the weights that `backbone` means into the cache if they are not there; returns what went wrong, in words.

    'auto' gives up after some seconds. A file is kept only if its hash is the published one.
    """
    until = time.monotonic() + SECONDS if backbone == AUTO else None
    reasons = []
    for name in missing(backbone):
        if not (reason := fetch_published(name, until)):
            return ""
        reasons.append(reason)
    return "; ".join(reasons)


def is_cached(name: str) -> bool:
    """Whether the published weights of the network called `name` are in the cache, whole."""
    known = published(name)
    path = known.path
    return path.is_file() and path.stat().st_size <= MOST and _md5(path, *_stamp(path)) == known.digest


def fetch_published(name: str, until: float | None = None) -> str:
    """Bring the weights of the network called `name` into the cache; returns what went wrong, in words.

    It is given up at the time `until` of the monotonic clock. A file is kept only if its hash is the published one.
    """
    known, folder = _known(name), cache()
    url = f"{HOME}/{known.folder}/{known.file}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open_whole(folder / known.file, sync=False, unique=True) as file:
            _download(url, file, md5=known.md5, until=until)
    except UserError as error:
        return str(error)
    except OSError as error:  # urllib's own are of this kind
        return f"{url} cannot be fetched ({getattr(error, 'reason', error)})"
    return ""


def _download(url: str, file: BinaryIO, *, md5: str, until: float | None) -> None:
    """Write what `url` sends to `file`. Errors: `UserError` if it takes too long or has another hash than `md5`."""
    found = hashlib.md5(usedforsecurity=False)
    seconds = STALLED if until is None else max(until - time.monotonic(), 0.1)
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        while piece := answer.read(1 << 16):
            file.write(piece)
            found.update(piece)
            if file.tell() > MOST or (until and time.monotonic() > until):
                raise UserError(f"{url} takes too long")
    if found.hexdigest() != md5:
        raise UserError(f"what {url} sent is not what was published")


def _known(name: str) -> Published:
    return {**KNOWN, **MEASURING}[name]


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, changed: int) -> str:
    return of_file(path)


@lru_cache(maxsize=16)
def _md5(path: Path, size: int, changed: int) -> str:
    return _hash(path)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


OWN = "own"
NAMES = {"MobileNet": "MobileNet", "Inception": "InceptionV3"}  # as the option has them, and keras.applications


def uses_classifier(wanted: str) -> bool:
    """Whether `wanted` means the classifier's features where there is a classifier."""
    return wanted in (AUTO, OWN)


def find_weights(wanted: str, *, classifier: bool) -> Weights | None:
    """The weights that the option `extractor` means as things stand on this disk; named ones whether here or not.

    None for the features of a classifier, if there is a `classifier`, and for histograms. Errors: `UserError` for a
    name that is not known and a file that is not there.
    """
    if wanted == AUTO and not classifier and is_cached("MobileNet"):
        return published("MobileNet")
    if uses_classifier(wanted):
        return None
    if wanted in NAMES:
        return published(NAMES[wanted])
    if found := given(wanted, asked="extractor"):
        return found
    words = nearest(wanted, [AUTO, OWN, *NAMES])
    raise UserError(f"extractor = {wanted!r}: there is no such file, and no network of that name; {words}")


def is_missing(wanted: str) -> bool:
    """Whether `wanted` names weights that have to be fetched."""
    return wanted in NAMES and not is_cached(NAMES[wanted])


def bring(wanted: str) -> None:
    """Fetch the weights that `wanted` names, if they are not here. Errors: `UserError` if they cannot be had."""
    if not is_missing(wanted):
        return
    if reason := fetch_published(NAMES[wanted]):
        raise UserError(f"extractor = {wanted}: {reason}; or give auto, own, or a file of such weights")
