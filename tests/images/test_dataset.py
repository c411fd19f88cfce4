import numpy as np
import pytest

from pipeline.errors import DamagedState
from pipeline.images.dataset import read_images
from pipeline.images.png import encode_png
from pipeline.store import digest
from pipeline.store.jsonl import write_rows


@pytest.fixture
def normalized(tmp_path):
    """Three kept pictures, of levels 1, 2 and 3, and two others that are not."""
    (tmp_path / "images").mkdir()
    rows = [{"id": "d", "outcome": "rejected"}, {"id": "e", "outcome": "duplicate", "of": "a"}]
    for level, id in enumerate(["a", "b", "c"], start=1):
        png = encode_png(np.full((16, 16, 3), level, np.uint8))
        (tmp_path / "images" / f"{id}.png").write_bytes(png)
        rows.insert(0, {"id": id, "outcome": "kept", "file": f"images/{id}.png", "sha256": digest.of_bytes(png)})
    write_rows(tmp_path / "images.jsonl", rows)
    return tmp_path


def test_all_kept_pictures_in_the_order_of_their_ids(normalized):
    ids, images = read_images(normalized)
    assert ids == ("a", "b", "c")
    assert images.shape == (3, 16, 16, 3)
    assert images.dtype == np.uint8
    assert images[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_some_of_them(normalized):
    found = read_images(normalized, ["c", "a", "c"])
    assert found.ids == ("a", "c")
    assert found.images[:, 5, 5, 1].tolist() == [1, 3]
    assert read_images(normalized, []).images.shape == (0, 16, 16, 3)


@pytest.mark.parametrize("harm", ["missing", "changed"])
def test_a_damaged_picture_is_named_with_the_way_out(normalized, harm):
    path = normalized / "images" / "b.png"
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(encode_png(np.full((16, 16, 3), 9, np.uint8)))
    with pytest.raises(DamagedState, match=r"b\.png .*tasks rerun normalize"):
        read_images(normalized)
    assert read_images(normalized, ["a"]).ids == ("a",)


@pytest.mark.parametrize("id", ["d", "e", "nowhere"])
def test_a_picture_that_is_not_kept_cannot_be_read(normalized, id):
    with pytest.raises(DamagedState, match=f"no picture {id}"):
        read_images(normalized, ["a", id])


def test_a_folder_that_keeps_nothing_is_said_to_be_damaged(tmp_path):
    write_rows(tmp_path / "images.jsonl", [{"id": "d", "outcome": "rejected"}])
    with pytest.raises(DamagedState, match=r"keeps no picture at all.*rerun normalize"):
        read_images(tmp_path)
