"""The pictures of the demo site by number: the subject, the file form, and the true label of each.

An entry is determined by its number, so that a small site is the beginning of a large one, and the label of a URL needs
neither the seed nor the size of the site.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

Finish = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Style:
    """A drawing style: `soft` and `line` as in `Look`; `finish` changes the (H, W, 3) uint8 pixels at the end."""

    soft: bool
    line: float = 0.0
    finish: Finish


def _plain(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return pixels


def _painted(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slightly mottled, like brush strokes."""
    return _mottled(pixels, rng, cells=7, strength=5.0)


def _crayon(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wavering edges, and slanting strokes through which the paper shows."""
    height, width = pixels.shape[:2]
    waver = [_smooth_noise(rng, (height, width), 12) * 1.8 for _ in range(2)]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(pixels, x + waver[0], y + waver[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    slant = np.eye(7, dtype=np.float32)[::-1] / 7
    strokes = cv2.filter2D(_noise(rng, (height, width)), -1, slant)
    paper = np.clip(0.06 + 0.42 * strokes, 0, 0.6)[..., np.newaxis]
    return (moved + (np.array([250, 247, 238], np.float32) - moved) * paper).astype(np.uint8)


def _dusk(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Evening light: dark and violet at the top, warmer at the bottom."""
    height = pixels.shape[0]
    warm = np.linspace(0, 1, height, dtype=np.float32)[:, np.newaxis, np.newaxis]
    tint = np.array([0.60, 0.52, 0.78], np.float32) * (1 - warm) + np.array([0.88, 0.62, 0.60], np.float32) * warm
    return np.clip(pixels * tint * np.float32(rng.uniform(0.9, 1.15)), 0, 255).astype(np.uint8)


def _mottled(pixels: np.ndarray, rng: np.random.Generator, *, cells: int, strength: float) -> np.ndarray:
    spots = _smooth_noise(rng, pixels.shape[:2], cells) * strength + _noise(rng, pixels.shape[:2]) * 2
    return np.clip(pixels + spots[..., np.newaxis], 0, 255).astype(np.uint8)


def _smooth_noise(rng: np.random.Generator, size: tuple[int, int], cells: int) -> np.ndarray:
    """Smooth noise of about unit variance; its bumps are 1/`cells` of the picture in size."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def _noise(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.standard_normal(size, dtype=np.float32)


STYLES = {
    "flat": Style(soft=False, finish=_plain),
    "outlined": Style(soft=False, line=0.016, finish=_plain),
    "painted": Style(soft=True, finish=_painted),
    "crayon": Style(soft=False, line=0.010, finish=_crayon),
    "dusk": Style(soft=True, finish=_dusk),
}


_BLOCK = {  # number of entries by subject in a block; the order differs between blocks
    "toadstool": 34,
    "umbrella": 2,
    "tree": 2,
    "lamp": 2,
    "jellyfish": 2,
    "cupcake": 1,
    "balloon": 2,
    "landscape": 6,
    "screenshot": 2,
    "chart": 2,
    "pattern": 1,
}
_FORMS = {  # number of entries by file form, shuffled independently, so that a file's suffix does not reveal its label
    "jpeg": 43,
    "png": 4,
    "webp": 3,
    "turned": 1,
    "palette": 1,
    "alpha": 1,
    "cmyk": 1,
    "deep": 1,
    "animated": 1,
}
_FAULTY_FORMS = ("missing", "page", "cut", "again", "recompressed", "resized", "mirrored")  # one of each in every block
_RARE_FORMS = ("icon", "banner", "late")  # one of them in each block, in turn
_COPY_FORMS = ("again", "recompressed", "resized", "mirrored")
_FORMS_WITHOUT_PICTURE = ("missing", "page", "cut")
_ENDINGS = {
    "png": "png",
    "palette": "png",
    "alpha": "png",
    "deep": "png",
    "webp": "webp",
    "animated": "gif",
    "icon": "png",
}
_FIRST_SPECIAL = 14  # position in a block: only 13 forms are not JPEG, so that a JPEG to copy precedes
_SIZE = sum(_BLOCK.values()) + len(_FAULTY_FORMS) + 1
_SEED = 64  # of the order within blocks; raise VERSION if it changes
_PATH = re.compile(r"/pictures/(\d{4,})\.(\w+)$")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The picture at one URL under /pictures/.

    `subject` is one of `picture.SUBJECTS`. `form` is how it is served: "jpeg", "png", "webp", "turned" (a JPEG with an
    EXIF orientation), "palette", "alpha", "cmyk", "deep" (16 bits), "animated", "icon" (16 pixels), "banner", "late" (a
    JPEG whose first request fails), "again" (the bytes of entry `of`), "recompressed", "resized", "mirrored" (JPEGs of
    the picture of entry `of`), or not a picture: "missing" (404), "page" (HTML), "cut" (a truncated JPEG).
    """

    number: int
    subject: str
    form: str
    of: int | None = None

    @property
    def path(self) -> str:
        """The path of its URL."""
        return f"/pictures/{self.number:04d}.{_ENDINGS.get(self.form, 'jpg')}"

    @property
    def truth(self) -> str | None:
        """The true label, "on" or "off"; None if it is not a complete picture."""
        if self.form in _FORMS_WITHOUT_PICTURE:
            return None
        return "on" if self.subject == "toadstool" else "off"


def entry(number: int) -> Entry:
    """The entry with this number, from 0."""
    return _block(number // _SIZE)[number % _SIZE]


def entries(pictures: int) -> list[Entry]:
    """The entries of a site with this many pictures."""
    return [entry(number) for number in range(pictures)]


def truth(urls: Iterable[str]) -> dict[str, str]:
    """The true label ("on" or "off") of each of `urls` that is a complete picture of the site, by its path."""
    known = {url: _truth_of(url) for url in urls}
    return {url: label for url, label in known.items() if label is not None}


def _truth_of(url: str) -> str | None:
    match = _PATH.search(url.partition("?")[0])
    if match is None:
        return None
    found = entry(int(match[1]))
    return found.truth if found.path == match[0] else None


@lru_cache(maxsize=64)
def _block(index: int) -> tuple[Entry, ...]:
    """The entries of one block."""
    rng = np.random.default_rng([_SEED, index])
    plain = list(zip(_shuffled(rng, _BLOCK), _shuffled(rng, _FORMS), strict=True))
    special = [*_FAULTY_FORMS, _RARE_FORMS[index % len(_RARE_FORMS)]]
    special_positions = dict(
        zip((_FIRST_SPECIAL + rng.permutation(_SIZE - _FIRST_SPECIAL)).tolist(), special, strict=False)
    )
    block: list[Entry] = []
    for position in range(_SIZE):
        number = index * _SIZE + position
        if position in special_positions:
            block.append(_special_entry(rng, number, special_positions[position], block))
        else:
            subject, form = plain.pop()
            block.append(Entry(number=number, subject=subject, form=form))
    return tuple(block)


def _shuffled(rng: np.random.Generator, counts: dict[str, int]) -> list[str]:
    return [str(word) for word in rng.permutation([word for word, count in counts.items() for _ in range(count)])]


def _special_entry(rng: np.random.Generator, number: int, form: str, before: list[Entry]) -> Entry:
    if form in _COPY_FORMS:
        of = [each for each in before if each.form == "jpeg"][-int(rng.integers(1, 9)) :][0]
        return Entry(number=number, subject=of.subject, form=form, of=of.number)
    return Entry(number=number, subject="landscape" if form == "banner" else "toadstool", form=form)
