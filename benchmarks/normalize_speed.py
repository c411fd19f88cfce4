"""Measure how fast JPEGs are normalised to squares, compared with other methods, and how much the squares differ.

    .venv/bin/python benchmarks/normalize_speed.py [DIR ...] [--size 64]

Uses every JPEG in the folders that OpenCV can decode, or else scikit-learn's two photographs and enlargements of them.
All methods take turns, round by round, on one thread and in memory; a ratio is the median over the rounds. Then it
measures the whole stage, from files to files, with one process and with two. Nothing else should run meanwhile.
"""

import argparse
import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # before NumPy comes

import json
import statistics
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine
from pipeline.images.crop import fit_to_square
from pipeline.images.decode import decode
from pipeline.images.normalize import normalize
from pipeline.images.rejected import Rejected
from pipeline.options import NormalizeOptions
from pipeline.progress import never, silent
from pipeline.store import digest

CLASSES = {"below 0.5 megapixels": (0, 0.5), "0.5 to 1 megapixel": (0.5, 1), "above 1 megapixel": (1, 1000)}
ROUNDS = 5
STAGE_SECONDS = 12  # of work on one core, so that starting the processes does not count


def main() -> None:
    """Measure each class of sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    options = NormalizeOptions(size=arguments.size, min_side=1, max_aspect=1000, near_duplicates=-1)
    cv2.setNumThreads(1)
    blobs = photographs(arguments.folders)
    print(f"{machine()}; to {arguments.size} px")
    for name, (low, high) in CLASSES.items():
        if chosen := [blob for blob in blobs if low < megapixels(blob) <= high]:
            print(f"\n{len(chosen)} JPEGs {name}, {np.mean([len(blob) for blob in chosen]) / 1024:.0f} KB on average")
            ours = squares(chosen, options)
            differences(chosen, options)
            stage(chosen, options, ours)


def squares(blobs: list[bytes], options: NormalizeOptions) -> float:
    """Print squares a second for each method, in memory on one core; returns the seconds for one of ours."""
    ways = {"pillow": pillow, "opencv": opencv, "an eighth, decoded": eighth, "ours": ours}
    seconds = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            for blob in blobs:
                way(blob, options)
            seconds[name].append((time.perf_counter() - start) / len(blobs))
    for name, found in seconds.items():
        faster = statistics.median(other / own for other, own in zip(found, seconds["ours"], strict=True))
        beside = "" if name == "ours" else f"   ours is {faster:.2f} times as fast"
        print(f"  {name:<22}{1 / statistics.median(found):8.0f} pictures/s{beside}")
    return statistics.median(seconds["ours"])


def differences(blobs: list[bytes], options: NormalizeOptions) -> None:
    """Print how far our squares differ from OpenCV's, which ignores colour profiles."""
    plain = [blob for blob in blobs if "icc_profile" not in Image.open(BytesIO(blob)).info]
    found = [np.abs(ours(blob, options).astype(int) - opencv(blob, options)).mean() for blob in plain]
    if found:
        print(
            f"  {'difference':<22}{np.mean(found):8.2f} grey levels on average, {max(found):.2f} at worst, "
            f"of {len(found)} without a colour profile"
        )


def stage(blobs: list[bytes], options: NormalizeOptions, square_seconds: float) -> None:
    """Print how fast the whole stage is, with one process and with two."""
    with tempfile.TemporaryDirectory() as work:
        count = max(len(blobs), int(STAGE_SECONDS / square_seconds))
        download = make_download(Path(work) / "download", blobs, count)
        one, two = (run_stage(download, options, processes) / count for processes in (1, 2))
    print(f"  {'stage, 1 process':<22}{1 / one:8.0f} pictures/s   {one / square_seconds:.2f} times as long as a square")
    print(f"  {'stage, 2 processes':<22}{1 / two:8.0f} pictures/s   {one / two:.2f} times as fast as one, of {count}")


def run_stage(download: Path, options: NormalizeOptions, processes: int) -> float:
    """Duration of the stage in seconds."""
    with tempfile.TemporaryDirectory(dir=download.parent) as folder:
        changed = NormalizeOptions(**vars(options) | {"processes": processes})
        start = time.perf_counter()
        normalize(changed, download=download, folder=Path(folder), progress=silent, should_stop=never)
        return time.perf_counter() - start


def make_download(folder: Path, blobs: list[bytes], count: int) -> Path:
    """A folder like the crawl's, with `count` pictures: the JPEGs repeatedly, made unique by bytes after their end."""
    (folder / "images").mkdir(parents=True)
    with (folder / "images.jsonl").open("w") as rows:
        for number in range(count):
            body = blobs[number % len(blobs)] + number.to_bytes(4, "big")
            id = digest.of_bytes(body)
            (folder / "images" / id).write_bytes(body)
            rows.write(json.dumps({"id": id, "outcome": "saved"}) + "\n")
    return folder


def pillow(blob: bytes, options: NormalizeOptions) -> np.ndarray:
    """Full decoding and Lanczos, like many scripts."""
    picture = ImageOps.exif_transpose(Image.open(BytesIO(blob))).convert("RGB")
    return np.asarray(ImageOps.fit(picture, (options.size, options.size), Image.Resampling.LANCZOS))


def opencv(blob: bytes, options: NormalizeOptions) -> np.ndarray:
    """Full decoding and area averaging, like img2dataset."""
    picture = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    part = picture[top : top + side, left : left + side]
    return cv2.resize(part, (options.size, options.size), interpolation=cv2.INTER_AREA)[..., ::-1]


def eighth(blob: bytes, options: NormalizeOptions) -> None:
    """The minimal work of libjpeg, which bounds every method."""
    cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_REDUCED_COLOR_8)


def ours(blob: bytes, options: NormalizeOptions) -> np.ndarray:
    """The work of the stage, without writing."""
    return fit_to_square(decode(blob, options).raster, options)


def photographs(folders: list[Path]) -> list[bytes]:
    """The JPEGs to measure with."""
    found = [path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.[jJ][pP]*[gG]"))]
    return [blob for blob in found if readable(blob)] if folders else enlargements()


def readable(blob: bytes) -> bool:
    """Whether both OpenCV and this project can decode it in colour."""
    if blob[:2] != b"\xff\xd8" or cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR) is None:
        return False
    return not isinstance(decode(blob, NormalizeOptions(min_side=1, max_aspect=1000)), Rejected)


def enlargements() -> list[bytes]:
    """scikit-learn's two photographs at several sizes with camera noise, encoded like by cameras and web sites."""
    from sklearn.datasets import load_sample_images

    random, blobs = np.random.default_rng(0), []
    kinds = [(75, 2), (85, 2), (90, 1), (95, 0)]  # quality, and how colour is subsampled
    for picture in load_sample_images().images:
        for scale in (1.0, 1.15, 2.2, 2.9):
            for quality, subsampling in kinds:
                large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
                noisy = np.clip(large + random.normal(0, 2, large.shape), 0, 255).astype(np.uint8)
                file = BytesIO()
                Image.fromarray(noisy).save(file, "JPEG", quality=quality, subsampling=subsampling)
                blobs.append(file.getvalue())
    return blobs


def megapixels(blob: bytes) -> float:
    """Size of the whole picture, from its header."""
    with Image.open(BytesIO(blob)) as picture:
        return picture.width * picture.height / 1e6


if __name__ == "__main__":
    main()
