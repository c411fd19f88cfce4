import base64
import random
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.images import duplicates as module
from pipeline.images import hashing
from pipeline.images.decode import decode
from pipeline.images.duplicates import (
    BLANK_VARIANCE,
    FIRST_PART,
    KINDS,
    MAX_DIFFERENCE,
    VIEWS,
    Fingerprints,
    thumbnail_of,
)
from pipeline.images.prepare import THUMBNAIL_SIDE, Picture, Prepared, prepare
from pipeline.images.raster import mirrored, resize
from pipeline.images.thumbnail_distances import difference, variance
from pipeline.options import NormalizeOptions
from pipeline.store import digest
from tests.long_values import and_long

OPTIONS = NormalizeOptions()
NEAR = OPTIONS.near_duplicates
DISTANCES = and_long([NEAR], long=[16])  # the largest one takes seconds


def find_duplicates(pictures: list[Prepared], max_distance: int) -> dict[str, str]:
    return module.find_duplicates(Fingerprints.of(pictures), max_distance)


@pytest.fixture
def prepared(tmp_path) -> Callable[..., Prepared]:
    """Prepare a picture from its bytes."""

    def make(body: bytes, options: NormalizeOptions = OPTIONS) -> Prepared:
        path = tmp_path / digest.of_bytes(body)
        path.write_bytes(body)
        return prepare(Picture(path.name, path.parent), options=options, folder=tmp_path)

    return make


def copies_of(body: bytes, encode: Callable) -> dict[str, bytes]:
    """Copies of a picture as found on the web: re-encoded, resized, mirrored."""
    pixels = decode(body, NormalizeOptions(size=512)).pixels
    half = pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2].astype(int)
    half = ((half[::2, ::2] + half[1::2, ::2] + half[::2, 1::2] + half[1::2, 1::2]) // 4).astype(np.uint8)
    return {
        "png": encode(pixels, "PNG", compress_level=1),
        "jpeg": encode(pixels, "JPEG", quality=60),
        "webp": encode(pixels, "WEBP", quality=60),
        "half": encode(half, "JPEG", quality=85),
        "double": encode(pixels.repeat(2, axis=0).repeat(2, axis=1), "JPEG", quality=85),
        "mirrored": encode(mirrored(pixels), "JPEG", quality=85),
        "half mirrored": encode(mirrored(half), "JPEG", quality=85),
    }


def test_copies_are_duplicates_and_other_pictures_are_not(draw, encode, prepared):
    pictures = {}
    for seed in range(12):
        body = encode(draw(seed, 160, 160), "PNG")
        pictures |= {prepared(copy): seed for copy in [body, *copies_of(body, encode).values()]}
    originals = find_duplicates(list(pictures), NEAR)
    seeds = {picture.id: seed for picture, seed in pictures.items()}
    assert len(originals) == len(pictures) - 12
    assert all(seeds[copy] == seeds[original] for copy, original in originals.items())


@pytest.mark.parametrize("subject", range(5))
def test_best_picture_is_kept_regardless_of_order(draw, encode, prepared, subject):
    small, large = draw(subject, 80, 80), draw(subject, 320, 320)
    rough, fine = (prepared(encode(large, "JPEG", quality=quality)) for quality in (50, 95))
    pictures = [prepared(encode(small)), rough, fine, prepared(encode(mirrored(small)))]
    expected = {picture.id: fine.id for picture in pictures if picture is not fine}
    for seed in range(10):
        random.Random(seed).shuffle(pictures)
        assert find_duplicates(pictures, NEAR) == expected


def test_equal_pixels_are_duplicates_regardless_of_hashes(encode, prepared):
    white = np.full((64, 64, 3), 255, np.uint8)
    one, other = prepared(encode(white)), prepared(encode(white.repeat(2, axis=0), "BMP"))
    assert find_duplicates([one, other], 0) == {one.id: other.id}


@pytest.mark.parametrize("distance", DISTANCES)
def test_flat_pictures_are_not_duplicates(encode, prepared, distance):
    grey = np.arange(0, 256, 8)
    pictures = [prepared(encode(np.full((64, 64, 3), level, np.uint8))) for level in grey]
    noise = np.random.default_rng(0).integers(0, 2, (20, 64, 64, 3))
    pictures += [prepared(encode((200 + grain).astype(np.uint8))) for grain in noise]
    assert find_duplicates(pictures, distance) == {}


@pytest.mark.parametrize("distance", DISTANCES)
def test_nearly_blank_pictures_are_not_duplicates(encode, prepared, distance):
    pictures = []
    for index in range(8, 56, 6):
        sheet = np.full((64, 64, 3), 250, np.uint8)
        sheet[index : index + 2, 10:54] = 120
        pictures.append(prepared(encode(sheet)))
    assert find_duplicates(pictures, distance) == {}


@pytest.mark.parametrize("distance", DISTANCES)
def test_same_drawing_in_another_colour_is_not_a_duplicate(draw, encode, prepared, distance):
    picture = draw(2, 64, 64)
    one, other = prepared(encode(picture)), prepared(encode(np.ascontiguousarray(picture[..., [0, 2, 1]])))
    assert find_duplicates([one, other], distance) == {}


@pytest.mark.long
def test_near_duplicates_are_not_transitive(draw, encode, prepared):
    start, end = draw(3, 64, 64).astype(float), draw(4, 64, 64).astype(float)
    steps = [prepared(encode((start + (end - start) * share).astype(np.uint8))) for share in np.linspace(0, 1, 30)]
    originals = find_duplicates(steps, 16)
    index = {picture.id: number for number, picture in enumerate(steps)}
    assert 3 < len(originals) < 27
    assert all(original not in originals for original in originals.values())
    assert max(abs(index[copy] - index[original]) for copy, original in originals.items()) < 10


def test_negative_distance_keeps_every_copy(draw, encode, prepared):
    pictures = [prepared(encode(draw(1), format)) for format in ("PNG", "BMP", "TIFF")]
    assert find_duplicates(pictures, -1) == {}
    assert len(find_duplicates(pictures, 0)) == 2


def test_copies_of_grey_squares_are_duplicates(draw, encode, prepared):
    options = NormalizeOptions(colour="grey")
    body = encode(draw(1, 160, 160))
    pictures = [prepared(copy, options) for copy in [body, *copies_of(body, encode).values()]]
    pictures.append(prepared(encode(draw(2)), options))
    assert len(find_duplicates(pictures, NEAR)) == len(pictures) - 2


@pytest.mark.parametrize(("subject", "step"), [("flowers5", 50), ("pikachu", 20)])
def test_copies_of_real_pictures_are_duplicates(shared_data, encode, prepared, subject, step):
    paths = [path for path in sorted((shared_data / subject).rglob("*.*")) if path.stat().st_size < 50_000]
    bodies = [path.read_bytes() for path in paths[::step]]
    pictures, subjects = [], {}
    for number, body in enumerate(bodies):
        for copy in [body, *copies_of(body, encode).values()]:
            pictures.append(prepared(copy))
            subjects[pictures[-1].id] = number
    originals = find_duplicates(pictures, NEAR)
    assert all(subjects[copy] == subjects[original] for copy, original in originals.items())
    assert len(originals) >= 0.98 * (len(subjects) - len(bodies))


@pytest.mark.parametrize("distance", and_long([0, 3, 8], long=[12]))
def test_find_duplicates_equals_brute_force(distance):
    for seed in range(8):
        pictures = random_pictures(120, seed)
        random.Random(seed).shuffle(pictures)
        assert find_duplicates(pictures, distance) == duplicates_by_brute_force(pictures, distance)


def test_pictures_with_very_many_near_hashes_are_compared_with_all_kept_ones(monkeypatch):
    monkeypatch.setattr(hashing, "_MAX_NEAR", 2)
    monkeypatch.setattr(hashing, "_MIN_BUCKET", 8)
    for seed in range(8):
        pictures = random_pictures(120, seed)
        assert find_duplicates(pictures, 8) == duplicates_by_brute_force(pictures, 8)


def test_a_picture_is_compared_until_the_first_similar_one(compared):
    """Pictures with one hash: many others, then copies of the first of them."""
    others, copies = 200, 800
    looks = np.random.default_rng(0).integers(0, 256, (others, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)).astype(np.uint8)
    ids = [f"{number:064x}" for number in range(others + copies)]
    alike = np.zeros(len(ids), np.uint64)
    pictures = Fingerprints(
        ids=ids,
        sha256=ids,
        pixels=alike.astype(int),
        bytes=alike.astype(int),
        hashes={view + kind: alike if kind == "phash" else ~alike for view in VIEWS for kind in KINDS},
        thumbnail=lambda index, view: looks[index if index < others else 0],
    )
    assert module.find_duplicates(pictures, 4) == dict.fromkeys(ids[others:], ids[0])
    assert sum(compared) == len(VIEWS) * (others * (others - 1) // 2 + FIRST_PART * copies)


def random_pictures(count: int, seed: int) -> list[Prepared]:
    """Pictures in families: near hashes and similar thumbnails, some mirrored, some with equal pixels, some similar in
    only one.
    """
    source, pictures = np.random.default_rng(seed), []
    families = [
        (source.integers(0, 1 << 63), source.integers(40, 200, (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)))
        for _ in range(count // 6)
    ]
    for number in range(count):
        pictures.append(
            Prepared(
                id=f"{number:064x}",
                bytes=int(source.integers(1, 4)),
                width=int(source.integers(1, 4)),
                height=10,
                sha256=f"{source.integers(count)}",
                **random_view(source, families, ""),
                **random_view(source, families, "whole_"),
            )
        )
    return pictures


def random_view(source: np.random.Generator, families: list, name: str) -> dict[str, str]:
    phash, thumbnail = families[source.integers(len(families))]
    if source.random() < 0.2:
        _, thumbnail = families[source.integers(len(families))]
    hashes = [int(phash), int(phash) * 3 % (1 << 64)]
    for index in source.integers(0, 64, source.integers(0, 12)):
        hashes[0] ^= 1 << int(index)
    thumbnail = np.clip(thumbnail + source.normal(0, source.choice([1, 6, 12]), thumbnail.shape), 0, 255).astype(
        np.uint8
    )
    if source.random() < 0.3:
        hashes, thumbnail = hashes[::-1], mirrored(thumbnail)
    text = base64.b64encode(thumbnail.tobytes()).decode()
    return {f"{name}phash": f"{hashes[0]:016x}", f"{name}mirror": f"{hashes[1]:016x}", f"{name}look": text}


def duplicates_by_brute_force(pictures: list[Prepared], distance: int) -> dict[str, str]:
    """The specification of `find_duplicates`, comparing each picture with each kept one."""
    kept, originals = [], {}
    for picture in sorted(pictures, key=lambda each: (-each.width * each.height, -each.bytes, each.id)):
        same = [one for one in kept if one.sha256 == picture.sha256] or [
            one for one in kept if any(are_near_duplicates(one, picture, distance, view) for view in VIEWS)
        ]
        if same:
            originals[picture.id] = same[0].id
        else:
            kept.append(picture)
    return originals


def are_near_duplicates(one: Prepared, other: Prepared, distance: int, view: str) -> bool:
    thumbnail = thumbnail_of(other, view)
    for kind, seen in (("phash", thumbnail), ("mirror", mirrored(thumbnail))):
        hashes = int(getattr(one, f"{view}phash"), 16), int(getattr(other, view + kind), 16)
        near = (hashes[0] ^ hashes[1]).bit_count() <= distance
        if (
            near
            and variance(seen) >= BLANK_VARIANCE
            and difference(thumbnail_of(one, view)[np.newaxis], seen)[0] <= MAX_DIFFERENCE
        ):
            return True
    return False


def test_cropped_and_stretched_copies_are_duplicates(draw, encode, prepared):
    for subject in range(5):
        wide = draw(subject, 320, 200)
        stretched = resize(wide, 150, 150)
        cropped = np.ascontiguousarray(wide[:, 60:260])
        pictures = [prepared(encode(wide)), prepared(encode(stretched, "JPEG")), prepared(encode(cropped, "JPEG"))]
        assert find_duplicates(pictures, NEAR) == {picture.id: pictures[0].id for picture in pictures[1:]}
