"""Features of reals that are kept: computed once, also if what computes them is ended meanwhile."""

import numpy as np
import pytest

from pipeline.gan.evaluation import real_features as module
from pipeline.gan.evaluation.real_features import kept_features

IMAGES = np.arange(21, dtype=np.uint8).reshape(7, 1, 1, 3)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "PART", 3)


def extract(images: np.ndarray) -> np.ndarray:
    assert len(images) <= 2
    return images[:, 0, 0].astype(np.float32) * 2


def never_read():
    pytest.fail("the reals are read")


def test_features_are_computed_once(tmp_path):
    parts = [*kept_features(tmp_path / "reals", 7, lambda: IMAGES, extract)]
    assert [len(part) for part in parts] == [3, 3, 1]
    again = [*kept_features(tmp_path / "reals", 7, never_read, extract)]
    for found in (parts, again):
        assert np.array_equal(np.concatenate(found), IMAGES[:, 0, 0] * 2.0)


def test_what_is_ended_meanwhile_goes_on(tmp_path):
    def end(images):
        if images[0, 0, 0, 0] >= 9:
            raise KeyboardInterrupt
        return extract(images)

    with pytest.raises(KeyboardInterrupt):
        [*kept_features(tmp_path, 7, lambda: IMAGES, end)]
    computed = []
    found = [*kept_features(tmp_path, 7, lambda: IMAGES, lambda part: computed.append(len(part)) or extract(part))]
    assert computed == [2, 1, 1]  # not the first part
    assert np.array_equal(np.concatenate(found), IMAGES[:, 0, 0] * 2.0)


@pytest.mark.parametrize("content", [b"", b"no array"])
def test_a_file_that_is_no_array_is_made_again(tmp_path, content):
    (tmp_path / "00001.npy").write_bytes(content)
    found = [*kept_features(tmp_path, 7, lambda: IMAGES, extract)]
    assert np.array_equal(np.concatenate(found), IMAGES[:, 0, 0] * 2.0)
