import numpy as np
import pytest

from pipeline.errors import DamagedState
from pipeline.images.dataset import read_images
from pipeline.images.png import encode_png
from pipeline.store import digest
from pipeline.store.jsonl import write_rows


@pytest.fixture
def normalize_folder(tmp_path):
    """A normalise folder with three kept squares of levels 1, 2 and 3, a rejected picture and a duplicate."""
    (tmp_path / "images").mkdir()
    rows = [{"id": "d", "outcome": "rejected"}, {"id": "e", "outcome": "duplicate", "of": "a"}]
    for level, id in enumerate(["a", "b", "c"], start=1):
        png = encode_png(np.full((16, 16, 3), level, np.uint8))
        (tmp_path / "images" / f"{id}.png").write_bytes(png)
        rows.insert(0, {"id": id, "outcome": "kept", "file": f"images/{id}.png", "sha256": digest.of_bytes(png)})
    write_rows(tmp_path / "images.jsonl", rows)
    return tmp_path


def test_read_images_returns_kept_squares_ordered_by_id(normalize_folder):
    ids, images = read_images(normalize_folder)
    assert ids == ("a", "b", "c")
    assert images.shape == (3, 16, 16, 3)
    assert images.dtype == np.uint8
    assert images[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_read_images_returns_the_given_ids_only(normalize_folder):
    found = read_images(normalize_folder, ["c", "a", "c"])
    assert found.ids == ("a", "c")
    assert found.images[:, 5, 5, 1].tolist() == [1, 3]
    assert read_images(normalize_folder, []).images.shape == (0, 16, 16, 3)


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_damaged_square_raises_damaged_state_with_file_and_command(normalize_folder, damage):
    path = normalize_folder / "images" / "b.png"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(encode_png(np.full((16, 16, 3), 9, np.uint8)))
    with pytest.raises(DamagedState, match=r"b\.png .*tasks rerun normalize"):
        read_images(normalize_folder)
    assert read_images(normalize_folder, ["a"]).ids == ("a",)


@pytest.mark.parametrize("id", ["d", "e", "nowhere"])
def test_id_that_is_not_kept_raises_damaged_state(normalize_folder, id):
    with pytest.raises(DamagedState, match=f"no picture {id}"):
        read_images(normalize_folder, ["a", id])


def test_folder_without_kept_squares_raises_damaged_state(tmp_path):
    write_rows(tmp_path / "images.jsonl", [{"id": "d", "outcome": "rejected"}])
    with pytest.raises(DamagedState, match=r"keeps no picture at all.*rerun normalize"):
        read_images(tmp_path)
