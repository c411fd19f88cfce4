"""Measure duplicate detection: precision and recall on copies of pictures, and the time for a hundred thousand
pictures; and the time to group pictures that come in families.

    .venv/bin/python benchmarks/duplicates.py [DIR] [--pictures 300] [--hashes 100000] [--grouped 10000]

Of each picture in DIR, or else of drawn pictures, it makes the kinds of copies that are common on the web, and searches
for duplicates among all of them together. A pair is correct if both come from the same picture.
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
from pipeline.images.duplicates import VIEWS, Fingerprints, find_duplicates, group_similar
from pipeline.images.prepare import THUMBNAIL_SIDE, Picture, Prepared, prepare
from pipeline.options import NormalizeOptions
from pipeline.store import digest

OPTIONS = NormalizeOptions(max_aspect=1000)


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--hashes", type=int, default=100_000)
    parser.add_argument("--grouped", type=int, default=10_000)
    arguments = parser.parse_args()
    print(machine())
    measure_copies(arguments.folder, arguments.pictures)
    measure_time(arguments.hashes)
    for size in (1, 10, 100, arguments.grouped):
        measure_groups(arguments.grouped, size)


def measure_copies(folder: Path | None, count: int) -> None:
    """Print precision and recall, and which kinds of copies are not found."""
    original_number, kind, pictures = {}, {}, []
    with tempfile.TemporaryDirectory() as work_folder:
        for number, pixels in enumerate(read_folder(folder, count) if folder else draw_demo_pictures(count)):
            for name, body in {"original": encoded(pixels, "PNG"), **make_copies(pixels)}.items():
                path = Path(work_folder) / digest.of_bytes(body)
                path.write_bytes(body)
                found = prepare(Picture(path.name, path.parent), options=OPTIONS, folder=Path(work_folder))
                if not found.reason and found.id not in original_number:
                    original_number[found.id], kind[found.id] = number, name
                    pictures.append(found)
    duplicates = find_duplicates(Fingerprints.of(pictures), OPTIONS.near_duplicates)
    correct = sum(original_number[one] == original_number[other] for one, other in duplicates.items())
    expected = len(pictures) - len(set(original_number.values()))
    originals = len(set(original_number.values()))
    print(f"{originals} pictures and {expected} copies of them, distance {OPTIONS.near_duplicates}:")
    print(f"  precision {correct / max(1, len(duplicates)):.4f}, recall {correct / max(1, expected):.4f}")
    missed = Counter(kind[each.id] for each in pictures if each.id not in duplicates)
    print("  kept of each kind:", ", ".join(f"{name} {number}" for name, number in missed.most_common()))


def make_copies(pixels: np.ndarray) -> dict[str, bytes]:
    """The kinds of copies that are common on the web: re-encoded, resized, stretched, mirrored."""
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
    """Resize with Pillow, which differs from the stage's own resizing."""
    return np.asarray(Image.fromarray(pixels).resize((max(1, width), max(1, height)), Image.Resampling.LANCZOS))


def encoded(pixels: np.ndarray, format: str, **options) -> bytes:
    """Encode as a file of `format`."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def read_folder(folder: Path, count: int) -> Iterator[np.ndarray]:
    """Pictures of a folder, evenly spaced; copies that it already contains reduce the precision."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in paths[:: max(1, len(paths) // count)]:
        found = decode(path.read_bytes(), NormalizeOptions(size=512, max_aspect=1000))
        if isinstance(found, Decoded):
            yield found.pixels


def draw_demo_pictures(count: int) -> Iterator[np.ndarray]:
    """Drawn pictures of the kinds in the demo."""
    for number in range(count):
        yield draw(SUBJECTS[number % len(SUBJECTS)], np.random.default_rng([7, number]))


def measure_time(count: int) -> None:
    """Print the time to find the copies among `count` random pictures, a tenth of which are copies."""
    pictures = make_random_pictures(count)
    start = time.perf_counter()
    found = find_duplicates(Fingerprints.of(pictures), OPTIONS.near_duplicates)
    spent, memory = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{count} hashes: {len(found)} duplicates in {spent:.1f} s, {memory:.2f} GiB at most")


def measure_groups(count: int, size: int) -> None:
    """Print the time to group `count` pictures, each `size` of which are variations of one."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (-(-count // size), 4, 4, 3)).astype(np.uint8)
    families = np.stack([cv2.resize(each, (32, 32), interpolation=cv2.INTER_CUBIC) for each in coarse])
    pictures = families[np.arange(count) // size]
    for part in np.array_split(np.arange(count), 100):
        varied = pictures[part] + random.normal(0, 8, (len(part), 32, 32, 3))
        pictures[part] = np.clip(varied, 0, 255).astype(np.uint8)
    start = time.perf_counter()
    groups = len(set(group_similar([f"{number:08d}" for number in range(count)], pictures).values()))
    spent, memory = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{count} pictures in families of {size}: {groups} groups in {spent:.1f} s, {memory:.2f} GiB at most")


def make_random_pictures(count: int) -> list[Prepared]:
    """Pictures of noise; every tenth is a copy of another one, with small changes and one flipped bit."""
    random, pictures, others = np.random.default_rng(0), [], []
    for number in range(count):
        phash, mirror = (int(each) for each in random.integers(0, 1 << 63, 2))
        look = random.integers(0, 256, (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3))
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
