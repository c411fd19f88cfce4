"""Any number of pictures and squares that the demo has drawn, varied so that hardly any two are near-duplicates."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from pipeline.demo.picture import draw

DRAWN = 1000  # different drawings; the others are variations of them
SIDE, DRAWN_SIDE = 96, 128
SUBJECTS = ("toadstool", "umbrella", "jellyfish", "landscape")  # the first is on target
FOLDERS = 1000  # pictures in one folder
CHUNK = 500  # pictures that one process makes at a time


def make_pictures(folder: Path, count: int) -> None:
    """Write `count` JPEGs below `folder`, named by what they show; the same ones for every count."""
    with ProcessPoolExecutor() as pool:
        drawings = list(pool.map(_drawing, range(DRAWN), chunksize=50))
        starts = range(0, count, CHUNK)
        sources = (drawings[start % DRAWN : start % DRAWN + CHUNK] for start in starts)
        jobs = ((folder, start, min(count, start + CHUNK), some) for start, some in zip(starts, sources, strict=True))
        list(pool.map(_write_variations, jobs))


def make_squares(count: int, side: int) -> Iterator[np.ndarray]:
    """The same squares (side, side, 3) uint8 for every call."""
    drawings = [_drawing(number) for number in range(50)]
    for number in range(count):
        picture = _vary(drawings[number % len(drawings)], np.random.default_rng(number))
        yield cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def _drawing(number: int) -> np.ndarray:
    size = (DRAWN_SIDE, DRAWN_SIDE)
    return draw(SUBJECTS[number % len(SUBJECTS)], np.random.default_rng(number), size)


def _write_variations(job: tuple[Path, int, int, list[np.ndarray]]) -> None:
    folder, start, stop, drawings = job
    for number in range(start, stop):
        target = folder / f"{number // FOLDERS:05d}"
        target.mkdir(parents=True, exist_ok=True)
        picture = _vary(drawings[(number - start) % len(drawings)], np.random.default_rng(number))
        subject = SUBJECTS[number % DRAWN % len(SUBJECTS)]
        cv2.imwrite(str(target / f"{subject}-{number:07d}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


def _vary(drawing: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The drawing turned, cut, moved, mirrored and in other colours: mostly no near-duplicate of another one."""
    turn = cv2.getRotationMatrix2D((DRAWN_SIDE / 2, DRAWN_SIDE / 2), random.uniform(-30, 30), random.uniform(0.8, 1.5))
    turn[:, 2] += random.uniform(-20, 20, 2)
    picture = cv2.warpAffine(drawing, turn, (DRAWN_SIDE, DRAWN_SIDE), borderMode=cv2.BORDER_REFLECT)
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + random.integers(180)) % 180
    picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[:, :: random.choice([-1, 1])]
    noise = random.normal(0, 40, (4, 4, 3)).astype(np.float32)
    light = cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.clip(small + light, 0, 255).astype(np.uint8)
