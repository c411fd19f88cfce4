"""Samples, walks, tiles and nearest reals: from the disk, or else drawn by the sampler."""

import pytest
from PIL import Image
from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.web.drawing.sample_drawer import Latent


def test_samples_are_drawn_in_the_batches_of_the_generator_and_once(drawn):
    paths, first = drawn.fake.paths(), Latent(seed=7, number=60)
    assert drawn.drawer.draw(paths, drawn.key[:12], first, 8) == [*range(60, 68)]
    assert len(drawn.questions) == 2  # 0 to 63, and 64 to 127
    found = drawn.drawer.find(paths, drawn.key[:12], Latent(seed=7, number=67))
    assert Image.open(found).getpixel((0, 0)) == (67, 7, 90)
    drawn.drawer.draw(paths, drawn.key[:12], Latent(seed=7, number=0), 128)
    assert len(drawn.questions) == 2


def test_another_truncation_is_another_sample(drawn):
    paths, key = drawn.fake.paths(), drawn.key[:12]
    drawn.drawer.draw(paths, key, Latent(seed=7, number=0), 1)
    assert drawn.drawer.find(paths, key, Latent(seed=7, number=0, truncation=0.5)) is None


def test_a_walk_has_its_frames_and_is_drawn_once(drawn):
    paths, key = drawn.fake.paths(), drawn.key[:12]
    start, end = Latent(seed=1, number=2), Latent(seed=1, number=3)
    walk = drawn.drawer.walk(paths, key, start, end, 5)
    assert drawn.drawer.walk(paths, key, start, end, 5) == walk
    assert len(drawn.questions) == 1
    assert drawn.drawer.find_frame(paths, walk, 4)
    assert drawn.drawer.find_frame(paths, walk, 5) is None


def test_a_tile_is_one_picture(drawn):
    tile = drawn.drawer.tile(drawn.fake.paths(), drawn.key[:12], seed=9)
    assert Image.open(tile).getpixel((0, 0)) == (0, 9, 90)
    assert '"side": 10' in drawn.questions[0]


def test_nearest_reals_are_measured_with_the_extractor_of_the_samples(drawn):
    extractor, near = drawn.drawer.nearest(drawn.fake.paths(), drawn.key[:12], Latent(seed=1, number=70))
    assert extractor == "textures-64"
    assert near[0] == (sorted(drawn.fake.ids(30))[0], 0.5)
    assert '"extractor": "textures-64"' in drawn.questions[0]


def test_nearest_reals_of_deleted_squares_cannot_be_found(drawn):
    (drawn.fake.store("filter").folders()[0] / "manifest.json").unlink()
    with pytest.raises(UserError, match="the squares that this training learned from were deleted"):
        drawn.drawer.nearest(drawn.fake.paths(), drawn.key[:12], Latent(seed=1, number=70))


def test_an_unknown_training_is_not_found(drawn):
    with pytest.raises(HTTPException, match="there is no finished training 000000000000") as caught:
        drawn.drawer.draw(drawn.fake.paths(), "0" * 12, Latent(seed=1, number=0), 1)
    assert caught.value.status_code == 404
