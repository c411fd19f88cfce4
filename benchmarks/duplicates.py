"""How many copies are found, how many pictures are taken for copies, and how long a hundred thousand take.

    .venv/bin/python benchmarks/duplicates.py [DIR] [--pictures 300] [--hashes 100000]

Of each picture below DIR, or else of pictures of the embedded subject, it makes the copies that the web has of it, and
looks for duplicates among all of them together. A pair counts as right if both come from the same picture.
"""

import argparse
import base64
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine
from pipeline.demo.picture import SUBJECTS, draw
from pipeline.images.decode import Decoded, decode
from pipeline.images.duplicates import VIEWS, find_duplicates
from pipeline.images.prepare import LOOK, Picture, Prepared, prepare
from pipeline.options import NormalizeOptions
from pipeline.store import digest

OPTIONS = NormalizeOptions(max_aspect=1000)


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--hashes", type=int, default=100_000)
    given = parser.parse_args()
    print(machine())
    copies(given.folder, given.pictures)
    seconds(given.hashes)


def copies(folder: Path | None, count: int) -> None:
    """Print precision and recall, and which kinds of copies are missed."""
    source, kind, pictures = {}, {}, []
    with tempfile.TemporaryDirectory() as home:
        for number, pixels in enumerate(below(folder, count) if folder else drawn(count)):
            for name, body in {"original": encoded(pixels, "PNG"), **made_of(pixels)}.items():
                path = Path(home) / digest.of_bytes(body)
                path.write_bytes(body)
                found = prepare(Picture(path.name, path), options=OPTIONS, folder=Path(home))
                if not found.reason and found.id not in source:
                    source[found.id], kind[found.id] = number, name
                    pictures.append(found)
    duplicates = find_duplicates(pictures, OPTIONS.near_duplicates)
    right = sum(source[one] == source[other] for one, other in duplicates.items())
    wanted = len(pictures) - len(set(source.values()))
    print(f"{len(set(source.values()))} pictures and {wanted} copies of them, distance {OPTIONS.near_duplicates}:")
    print(f"  precision {right / max(1, len(duplicates)):.4f}, recall {right / max(1, wanted):.4f}")
    missed = Counter(kind[each.id] for each in pictures if each.id not in duplicates)
    print("  kept of each kind:", ", ".join(f"{name} {number}" for name, number in missed.most_common()))


def made_of(pixels: np.ndarray) -> dict[str, bytes]:
    """The copies that the web has of a picture: re-encoded, resized, stretched, mirrored."""
    height, width = pixels.shape[:2]
    half, larger = resized(pixels, width // 2, height // 2), resized(pixels, width * 3 // 2, height * 3 // 2)
    mirror = np.ascontiguousarray(pixels[:, ::-1])
    return {
        "JPEG 90": encoded(pixels, "JPEG", quality=90),
        "JPEG 50": encoded(pixels, "JPEG", quality=50),
        "WebP 60": encoded(pixels, "WEBP", quality=60),
        "half": encoded(half, "JPEG", quality=85),
        "half as large again": encoded(larger, "JPEG", quality=85),
        "stretched": encoded(resized(pixels, 300, 300), "JPEG", quality=85),
        "mirrored": encoded(mirror, "JPEG", quality=85),
        "half, mirrored": encoded(resized(mirror, width // 2, height // 2), "JPEG", quality=75),
    }


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """As Pillow resizes, which is not what the stage itself does."""
    return np.asarray(Image.fromarray(pixels).resize((max(1, width), max(1, height)), Image.Resampling.LANCZOS))


def encoded(pixels: np.ndarray, format: str, **options) -> bytes:
    """A file of `format`."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def below(folder: Path, count: int) -> Iterator[np.ndarray]:
    """Pictures of a folder, evenly over its files; copies that it already holds count against precision."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in paths[:: max(1, len(paths) // count)]:
        found = decode(path.read_bytes(), NormalizeOptions(size=512, max_aspect=1000))
        if isinstance(found, Decoded):
            yield found.pixels


def drawn(count: int) -> Iterator[np.ndarray]:
    """Pictures of the embedded subject's kinds."""
    for number in range(count):
        yield draw(SUBJECTS[number % len(SUBJECTS)], np.random.default_rng([7, number]))


def seconds(count: int) -> None:
    """Print how long it takes to find the copies among `count` made-up pictures, a tenth of which are copies."""
    pictures = made_up(count)
    start = time.perf_counter()
    found = find_duplicates(pictures, OPTIONS.near_duplicates)
    spent, memory = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{count} hashes: {len(found)} duplicates in {spent:.1f} s, {memory:.2f} GiB at most")


def made_up(count: int) -> list[Prepared]:
    """Pictures of noise; every tenth is a copy of another one, with some levels and one bit changed."""
    random, pictures, others = np.random.default_rng(0), [], []
    for number in range(count):
        phash, mirror = (int(each) for each in random.integers(0, 1 << 63, 2))
        look = random.integers(0, 256, (LOOK, LOOK, 3))
        if number % 10 == 9:
            phash, mirror, look = others[random.integers(len(others))]
            phash ^= 1 << int(random.integers(64))
            look = np.clip(look + random.integers(-4, 5, look.shape), 0, 255)
        elif number < 10_000:
            others.append((phash, mirror, look))
        side, id = int(random.integers(100, 2000)), f"{number:064x}"
        encoded_look = base64.b64encode(look.astype(np.uint8).tobytes()).decode()
        seen = {"phash": f"{phash:016x}", "mirror": f"{mirror:016x}", "look": encoded_look}
        pictures.append(
            Prepared(
                id=id,
                bytes=side,
                width=side,
                height=side,
                sha256=id,
                **{view + name: value for view in VIEWS for name, value in seen.items()},
            )
        )
    return pictures


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
