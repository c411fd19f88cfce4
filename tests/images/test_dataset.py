from contextlib import nullcontext

import numpy as np
import pytest
from filelock import FileLock

from pipeline.errors import DamagedState, Stopped
from pipeline.images import dataset
from pipeline.images.dataset import read_images
from pipeline.images.packed import PackedImages
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


@pytest.fixture
def little_memory(monkeypatch):
    """Memory for two of the three squares."""
    monkeypatch.setattr(dataset, "IN_MEMORY", 2 * 16 * 16 * 3)


@pytest.fixture
def packed_file(normalize_folder):
    return normalize_folder.with_name(f".packed-{normalize_folder.name}.npy")


def levels(found) -> list[int]:
    return found.images[:][:, 0, 0, 0].tolist()


def test_more_squares_than_fit_into_memory_are_read_from_a_file(normalize_folder, packed_file, little_memory):
    seen = []
    found = read_images(normalize_folder, progress=lambda *progress: seen.append(progress))
    assert isinstance(found.images, PackedImages)
    assert (found.ids, levels(found)) == (("a", "b", "c"), [1, 2, 3])
    assert seen == [(3, 3, "squares packed")]
    assert np.load(packed_file).shape == (3, 16, 16, 3)


def test_fewer_are_read_into_memory_without_a_file(normalize_folder, packed_file, little_memory):
    assert isinstance(read_images(normalize_folder, ["c", "a"]).images, np.ndarray)
    assert not packed_file.exists()


def test_a_choice_is_read_from_the_same_file(normalize_folder, packed_file, monkeypatch, little_memory):
    read_images(normalize_folder)
    monkeypatch.setattr(dataset, "IN_MEMORY", 0)
    monkeypatch.setattr(dataset, "_pack", lambda *_: pytest.fail("packed again"))
    found = read_images(normalize_folder, ["c", "a"])
    assert (found.ids, levels(found)) == (("a", "c"), [1, 3])


@pytest.mark.parametrize("damage", ["missing", "cut short", "changed", "without facts", "of other squares", "facts"])
def test_a_damaged_file_is_made_again(normalize_folder, packed_file, little_memory, damage):
    read_images(normalize_folder)
    content = packed_file.read_bytes()
    if damage == "missing":
        packed_file.unlink()
    elif damage in ("without facts", "facts"):
        packed_file.with_suffix(".json").write_text("[1]" if damage == "facts" else "")
    elif damage == "of other squares":
        rows = normalize_folder / "images.jsonl"
        rows.write_text(rows.read_text() + '{"id": "f", "outcome": "rejected"}\n')
        packed_file.write_bytes(content)
    else:
        packed_file.write_bytes(content[:-5] if damage == "cut short" else content[:-1] + b"?")
    assert levels(read_images(normalize_folder)) == [1, 2, 3]
    assert packed_file.read_bytes() == content


def test_a_damaged_square_is_not_packed(normalize_folder, packed_file, little_memory):
    (normalize_folder / "images" / "b.png").write_bytes(encode_png(np.full((16, 16, 3), 9, np.uint8)))
    with pytest.raises(DamagedState, match=r"b\.png is not what was written"):
        read_images(normalize_folder)
    assert not packed_file.exists()


def test_verifying_and_waiting_can_be_seen_and_stopped(normalize_folder, packed_file, little_memory, monkeypatch):
    def stop(done, total, note):
        seen.append((done, total, note))
        if note == wanted:
            raise Stopped

    read_images(normalize_folder)
    monkeypatch.setattr(dataset, "PIECE", 1000)
    monkeypatch.setattr(dataset, "POLL", 0.01)
    seen, wanted = [], ""
    read_images(normalize_folder, progress=stop)
    assert seen == [(1, 3, "squares verified"), (2, 3, "squares verified"), (3, 3, "squares verified")]
    for wanted in ("squares verified", "waits for another run that packs or verifies the squares"):
        lock = FileLock(packed_file.with_suffix(".lock")) if "waits" in wanted else nullcontext()
        with lock, pytest.raises(Stopped):
            read_images(normalize_folder, progress=stop)
    assert levels(read_images(normalize_folder)) == [1, 2, 3]


def test_what_a_killed_packing_leaves_is_named_after_its_artifact(normalize_folder, packed_file, little_memory):
    """So `gc` deletes it with the artifact, and the next packing writes over it."""
    found = []
    read_images(normalize_folder, progress=lambda *_: found.extend(normalize_folder.parent.glob(".*packed-*")))
    assert [path for path in found if path.suffix == ".part"] == [packed_file.with_suffix(".part")]
    assert not packed_file.with_suffix(".part").exists()
