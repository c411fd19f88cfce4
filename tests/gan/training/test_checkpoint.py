from pathlib import Path

import numpy as np
import pytest

from pipeline.gan.training.checkpoint import (
    checkpoints,
    digest_arrays,
    load_arrays,
    read_arrays,
    read_newest,
    save_checkpoint,
    write_arrays,
)
from pipeline.store.npz import ArrayForm


def arrays(number: int) -> dict[str, np.ndarray]:
    return {"step": np.int64(number), "weights": np.full((300, 2), number, np.float32), "none": np.zeros((0, 5))}


FORMS = {
    "step": ArrayForm(("int64",)),
    "weights": ArrayForm(("float32",), (300, 2)),
    "none": ArrayForm(("float64",), (0, 5)),
}


def newest_checkpoint(folder: Path) -> dict[str, np.ndarray] | None:
    return read_newest(checkpoints(folder), lambda path: load_arrays(path, FORMS))


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_saved_checkpoint_is_read_back(tmp_path):
    save_checkpoint(tmp_path / "c", 3, arrays(3))
    assert same(newest_checkpoint(tmp_path / "c"), arrays(3))


def test_missing_folder_and_missing_file_give_none(tmp_path):
    assert newest_checkpoint(tmp_path / "none") is None
    assert read_arrays(tmp_path / "none.npz") is None


def test_last_three_checkpoints_are_kept_and_partial_files_deleted(tmp_path):
    (tmp_path / ".step-000000001.npz.part").write_bytes(b"half")
    for number in (8, 9, 10, 11):
        save_checkpoint(tmp_path, number, arrays(number))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"step-{number:09d}.npz" for number in (9, 10, 11)]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
def test_damaged_checkpoint_is_skipped_for_the_one_before(tmp_path, damage):
    for number in (1, 2):
        save_checkpoint(tmp_path, number, arrays(number))
    path = tmp_path / "step-000000002.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes({"cut": data[:-20], "flip": data, "empty": b"", "foreign": b"not at all an archive"}[damage])
    assert same(newest_checkpoint(tmp_path), arrays(1))


def test_changed_byte_in_the_zip_directory_gives_the_same_arrays_or_none(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, arrays(1))
    data = path.read_bytes()
    for index in range(data.index(b"PK\x01\x02"), len(data)):  # the directory of the ZIP file
        path.write_bytes(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :])
        found = read_arrays(path)
        assert found is None or same(found, arrays(1))


def test_single_array_file_is_not_a_checkpoint(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    assert read_arrays(tmp_path / "a.npz") is None


def test_wrong_checksum_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, arrays(1))
    with np.load(path) as file:
        changed = dict(file)
    changed["weights"][0] += 1
    np.savez(path, **changed)
    assert read_arrays(path) is None


def test_pickles_are_not_loaded(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, weights=np.array([{"a": 1}], dtype=object))
    assert read_arrays(path) is None


def test_digest_depends_on_names_types_shapes_and_values():
    one = {"a": np.zeros((2, 3), np.float32)}
    others = [{"b": one["a"]}, {"a": one["a"].astype(np.int32)}, {"a": one["a"].T}, {"a": one["a"] + 1e-30}]
    assert len({digest_arrays(each) for each in [one, *others]}) == 5


def test_damaged_later_checkpoints_are_deleted_when_training_restarts(tmp_path):
    for number in (300, 400, 500):
        save_checkpoint(tmp_path, number, arrays(number))
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    for number in (0, 100):
        save_checkpoint(tmp_path, number, arrays(number))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-000000000.npz", "step-000000100.npz"]
    assert same(newest_checkpoint(tmp_path), arrays(100))
