from pathlib import Path

import numpy as np
import pytest

from pipeline.gan.training.checkpoint import (
    checkpoints,
    digest_arrays,
    load_arrays,
    newest,
    read_arrays,
    save_checkpoint,
    write_arrays,
)
from pipeline.store.npz import Form


def arrays(number: int) -> dict[str, np.ndarray]:
    return {"step": np.int64(number), "weights": np.full((300, 2), number, np.float32), "none": np.zeros((0, 5))}


FORMS = {"step": Form(("int64",)), "weights": Form(("float32",), (300, 2)), "none": Form(("float64",), (0, 5))}


def newest_checkpoint(folder: Path) -> dict[str, np.ndarray] | None:
    return newest(checkpoints(folder), lambda path: load_arrays(path, FORMS))


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_what_was_saved_comes_back(tmp_path):
    save_checkpoint(tmp_path / "c", 3, arrays(3))
    assert same(newest_checkpoint(tmp_path / "c"), arrays(3))


def test_no_folder_and_no_checkpoint_are_none(tmp_path):
    assert newest_checkpoint(tmp_path / "none") is None
    assert read_arrays(tmp_path / "none.npz") is None


def test_the_last_three_are_kept_and_nothing_of_killed_writes(tmp_path):
    (tmp_path / ".step-000000001.npz.part").write_bytes(b"half")
    for number in (8, 9, 10, 11):
        save_checkpoint(tmp_path, number, arrays(number))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"step-{number:09d}.npz" for number in (9, 10, 11)]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
def test_a_damaged_one_is_passed_over_for_the_one_before(tmp_path, damage):
    for number in (1, 2):
        save_checkpoint(tmp_path, number, arrays(number))
    newest = tmp_path / "step-000000002.npz"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes({"cut": data[:-20], "flip": data, "empty": b"", "foreign": b"not at all an archive"}[damage])
    assert same(newest_checkpoint(tmp_path), arrays(1))


def test_whichever_byte_of_the_directory_is_changed_the_weights_are_as_they_were_or_none(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, arrays(1))
    data = path.read_bytes()
    for place in range(data.index(b"PK\x01\x02"), len(data)):  # where the archive says what it holds, and how
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        found = read_arrays(path)
        assert found is None or same(found, arrays(1))


def test_an_array_alone_is_no_checkpoint(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    assert read_arrays(tmp_path / "a.npz") is None


def test_an_archive_changed_by_hand_is_not_believed(tmp_path):
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


def test_the_digest_sees_names_types_shapes_and_bits():
    one = {"a": np.zeros((2, 3), np.float32)}
    others = [{"b": one["a"]}, {"a": one["a"].astype(np.int32)}, {"a": one["a"].T}, {"a": one["a"] + 1e-30}]
    assert len({digest_arrays(each) for each in [one, *others]}) == 5


def test_damaged_ones_of_later_steps_go_when_training_begins_anew(tmp_path):
    for number in (300, 400, 500):
        save_checkpoint(tmp_path, number, arrays(number))
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    for number in (0, 100):
        save_checkpoint(tmp_path, number, arrays(number))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-000000000.npz", "step-000000100.npz"]
    assert same(newest_checkpoint(tmp_path), arrays(100))
