"""Fuzzing of the normalise stage: every mutated file gets a row, and nothing is raised."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.images import rejected
from pipeline.images.normalize import normalize
from pipeline.options import NormalizeOptions
from pipeline.progress import never, silent
from pipeline.store import digest

REPOSITORY = Path(__file__).parents[2]
REASONS = {value for name, value in vars(rejected).items() if name.isupper()}
OPTIONS = NormalizeOptions(min_side=1, max_aspect=1000, max_pixels=4_000_000, near_duplicates=-1, processes=2)


@pytest.fixture
def valid_files(draw, encode) -> list[bytes]:
    """One file of each format and pixel mode."""
    picture = Image.fromarray(draw(1, 72, 60))
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        encode(picture, "JPEG", exif=exif),
        encode(picture, "JPEG", progressive=True, subsampling=0),
        encode(picture.convert("CMYK"), "JPEG"),
        encode(picture.convert("L"), "JPEG"),
        encode(picture, "MPO", save_all=True, append_images=[picture]),
        encode(Image.fromarray(draw(2, 700, 500)), "JPEG", quality=40),
        encode(picture, "PNG"),
        encode(picture.quantize(16), "PNG", transparency=3),
        encode(np.arange(4320, dtype=np.uint16).reshape(60, 72) * 15, "PNG"),
        encode(picture.convert("RGBA"), "PNG", save_all=True, append_images=[picture.convert("RGBA")]),
        encode(picture, "GIF", save_all=True, append_images=[picture.transpose(Image.Transpose.ROTATE_180)]),
        encode(picture, "WEBP"),
        encode(picture.convert("RGBA"), "WEBP", lossless=True, save_all=True, append_images=[picture.convert("RGBA")]),
        encode(picture, "BMP"),
        encode(picture.convert("1"), "BMP"),
        encode(picture, "TIFF", compression="tiff_lzw", save_all=True, append_images=[picture]),
        encode(picture.convert("CMYK"), "TIFF"),
        encode(picture.convert("I;16"), "TIFF", compression="tiff_adobe_deflate"),
    ]


def mutated_files(valid_files: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Valid files with flipped bits, truncated, spliced from two; and noise, some of it after a valid beginning."""
    random = np.random.default_rng(seed)
    for number in range(count):
        one, other = (valid_files[random.integers(len(valid_files))] for _ in range(2))
        yield _KINDS[number % len(_KINDS)](one, other, random)


def _with_flipped_bits(one: bytes, other: bytes, random: np.random.Generator) -> bytes:
    body = np.frombuffer(one, np.uint8).copy()
    # Half of them in the header
    indices = random.integers(0, len(body) if random.random() < 0.5 else min(200, len(body)), random.integers(1, 12))
    body[indices] ^= (1 << random.integers(0, 8, len(indices))).astype(np.uint8)
    return body.tobytes()


def _truncated(one: bytes, other: bytes, random: np.random.Generator) -> bytes:
    return one[: random.integers(len(one))]


def _spliced(one: bytes, other: bytes, random: np.random.Generator) -> bytes:
    return one[: random.integers(len(one))] + other[random.integers(len(other)) :]


def _with_a_gap(one: bytes, other: bytes, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(one), 2))
    return one[:first] + one[last:]


def _noise(one: bytes, other: bytes, random: np.random.Generator) -> bytes:
    return one[: random.integers(0, 40)] + random.bytes(random.integers(0, 3000))


_KINDS: list[Callable[[bytes, bytes, np.random.Generator], bytes]] = [
    _with_flipped_bits,
    _truncated,
    _spliced,
    _with_a_gap,
    _noise,
]


def normalize_and_check_rows(bodies: list[bytes], download: Path, folder: Path):
    folder.mkdir()
    summary = normalize(OPTIONS, download=download, folder=folder, progress=silent, should_stop=never).summary
    rows = [json.loads(line) for line in (folder / "images.jsonl").read_text().splitlines()]
    assert {row["id"] for row in rows} == {digest.of_bytes(body) for body in bodies}
    assert len(rows) == summary["images"] == summary["kept"] + summary["duplicate"] + summary["rejected"]
    assert set(summary["reasons"]) <= REASONS - {rejected.CRASHED, rejected.TOO_SLOW}
    return summary


@pytest.mark.parametrize(
    ("seed", "count"),
    [
        (1, 400),
        pytest.param(2, 2500, marks=pytest.mark.slow),
        *(pytest.param(seed, 2500, marks=pytest.mark.long) for seed in range(3, 6)),
    ],
)
def test_each_mutated_file_has_a_row(valid_files, make_download, tmp_path, seed, count):
    bodies = [*valid_files, *mutated_files(valid_files, count, seed)]
    summary = normalize_and_check_rows(bodies, make_download(bodies), tmp_path / "out")
    assert summary["kept"] >= len(valid_files)
    assert summary["rejected"] > count / 3


def test_hostile_files_take_little_memory(shared_data, make_download, tmp_path):
    bodies = {path.read_bytes() for path in (shared_data / "nasty").rglob("*") if path.is_file()}
    download, folder = make_download(bodies), tmp_path / "out"
    folder.mkdir()
    code = f"""if True:
        from pathlib import Path
        from pipeline.progress import never, silent
        from pipeline.images.normalize import normalize
        from pipeline.options import NormalizeOptions
        from tests.memory import peak_mib
        if __name__ == "__main__":
            options = NormalizeOptions(min_side=1, max_aspect=1000, processes=2)
            paths = dict(download=Path({str(download)!r}), folder=Path({str(folder)!r}))
            summary = normalize(options, progress=silent, should_stop=never, **paths).summary
            print(summary["images"], peak_mib())"""
    printed = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    images, mebibytes = printed.stdout.split()
    assert int(images) == len(bodies)
    assert float(mebibytes) < 1024
