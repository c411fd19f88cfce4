import pytest

from pipeline.errors import DamagedState
from pipeline.labels.snapshot import read_snapshot, read_validation, snapshot_digest, write_snapshot

from .conftest import picture_id

LABELS = {picture_id(2): "off", picture_id(1): "on", picture_id(3): "unsure"}


def test_read_snapshot_returns_the_written_labels(tmp_path):
    path = write_snapshot(LABELS, tmp_path)
    assert path == tmp_path / "labels" / f"{snapshot_digest(LABELS)}.jsonl"
    assert read_snapshot(path) == LABELS


def test_snapshot_name_depends_on_the_labels_only(tmp_path):
    path = write_snapshot(LABELS, tmp_path)
    content = path.read_bytes()
    assert write_snapshot(dict(sorted(LABELS.items())), tmp_path) == path
    assert path.read_bytes() == content
    assert write_snapshot(LABELS | {picture_id(2): "on"}, tmp_path) != path


def test_snapshot_of_no_labels_is_valid(tmp_path):
    assert read_snapshot(write_snapshot({}, tmp_path)) == {}


def test_write_snapshot_leaves_no_temporary_file(tmp_path):
    path = write_snapshot(LABELS, tmp_path)
    assert list(path.parent.iterdir()) == [path]


def test_write_snapshot_replaces_a_damaged_file(tmp_path):
    path = write_snapshot(LABELS, tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    write_snapshot(LABELS, tmp_path)
    assert read_snapshot(path) == LABELS


@pytest.mark.parametrize(
    "change", [lambda text: text[:-5], lambda text: text.replace('"on"', '"off"'), lambda text: ""]
)
def test_changed_snapshot_raises_damaged_state(tmp_path, change):
    path = write_snapshot(LABELS, tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(DamagedState, match=path.stem):
        read_snapshot(path)


def test_missing_snapshot_raises_damaged_state(tmp_path):
    with pytest.raises(DamagedState, match="missing"):
        read_snapshot(tmp_path / "labels" / "ab.jsonl")


def test_snapshot_marks_the_validation_set_and_its_name_depends_on_it(tmp_path):
    labels = {"a" * 64: "on", "b" * 64: "off"}
    plain, marked = write_snapshot(labels, tmp_path), write_snapshot(labels, tmp_path, ["b" * 64, "c" * 64])
    assert plain != marked
    assert read_snapshot(plain) == read_snapshot(marked) == labels
    assert (read_validation(plain), read_validation(marked)) == (set(), {"b" * 64})
    assert snapshot_digest(labels, ["c" * 64]) == snapshot_digest(labels)


def test_snapshot_whose_validation_marks_were_changed_raises_damaged_state(tmp_path):
    path = write_snapshot({"a" * 64: "on", "b" * 64: "off"}, tmp_path, ["b" * 64])
    path.write_text(path.read_text().replace('"set"', '"sets"'))
    with pytest.raises(DamagedState, match="do not match the digest"):
        read_validation(path)
