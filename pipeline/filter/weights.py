"""Pretrained weights: which the option `backbone` means, where they lie, and how they get there. Loads no network.

Those of MEASURING come and go in the same way, but are no backbone: the GAN's scores are measured with them.
"""

import hashlib
import os
import time
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.errors import UserError
from pipeline.options.option import nearest
from pipeline.store.digest import of_file

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
TRIED = ("MobileNet", "MobileNetV3Small")  # by `auto`, in this order: some 17 and 4 MB
SECONDS = 8.0  # that `auto` gives its downloads from start to end
STALLED = 30.0  # seconds without a byte after which others give up
MOST = 200_000_000  # bytes of a download


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
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"


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
    path = Path(backbone).expanduser()
    if path.is_file():
        return given(path)
    words = nearest(backbone, [AUTO, NONE, *KNOWN])
    raise UserError(f"classifier.backbone = {backbone!r}: there is no such file, and no network of that name; {words}")


def published(name: str) -> Weights:
    """The published weights of the network called `name`, fetched or not."""
    known = _known(name)
    return Weights(name=name, path=cache() / known.file, digest=known.md5)


def given(path: Path) -> Weights:
    """The weights in a file of the user's, whatever network they are of."""
    return Weights(name="", path=path, digest=_digest(path, *_stamp(path)))


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
    return known.path.is_file() and _md5(known.path, *_stamp(known.path)) == known.digest


def fetch_published(name: str, until: float | None = None) -> str:
    """Bring the weights of the network called `name` into the cache; returns what went wrong, in words.

    It is given up at the time `until` of the monotonic clock. A file is kept only if its hash is the published one.
    """
    known, folder = _known(name), cache()
    url = f"{HOME}/{known.folder}/{known.file}"
    draft = folder / f".{known.file}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        seconds = STALLED if until is None else max(until - time.monotonic(), 0.1)
        with urllib.request.urlopen(url, timeout=seconds) as answer, draft.open("wb") as file:
            while piece := answer.read(1 << 16):
                if file.write(piece) and (file.tell() > MOST or (until and time.monotonic() > until)):
                    return f"{url} takes too long"
        if _hash(draft) != known.md5:
            return f"what {url} sent is not what was published"
        os.replace(draft, folder / known.file)
        return ""
    except OSError as error:  # urllib's own are of this kind
        return f"{url} cannot be fetched ({getattr(error, 'reason', error)})"
    finally:
        draft.unlink(missing_ok=True)


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
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
