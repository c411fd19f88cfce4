import pytest

from pipeline.errors import DamagedState
from pipeline.labels.snapshot import read_snapshot, snapshot_digest, write_snapshot

from .conftest import picture_id

LABELS = {picture_id(2): "off", picture_id(1): "on", picture_id(3): "unsure"}


def test_a_snapshot_reads_as_it_was_written(tmp_path):
    path = write_snapshot(LABELS, tmp_path)
    assert path == tmp_path / "labels" / f"{snapshot_digest(LABELS)}.jsonl"
    assert read_snapshot(path) == LABELS


def test_its_name_follows_from_the_labels_alone(tmp_path):
    path = write_snapshot(LABELS, tmp_path)
    content = path.read_bytes()
    assert write_snapshot(dict(sorted(LABELS.items())), tmp_path) == path
    assert path.read_bytes() == content
    assert write_snapshot(LABELS | {picture_id(2): "on"}, tmp_path) != path


def test_no_labels_are_a_snapshot_too(tmp_path):
    assert read_snapshot(write_snapshot({}, tmp_path)) == {}


def test_nothing_else_is_left_beside_it(tmp_path):
    path = write_snapshot(LABELS, tmp_path)
    assert list(path.parent.iterdir()) == [path]


def test_writing_again_mends_a_damaged_one(tmp_path):
    path = write_snapshot(LABELS, tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    write_snapshot(LABELS, tmp_path)
    assert read_snapshot(path) == LABELS


@pytest.mark.parametrize(
    "change", [lambda text: text[:-5], lambda text: text.replace('"on"', '"off"'), lambda text: ""]
)
def test_a_changed_snapshot_is_damage(tmp_path, change):
    path = write_snapshot(LABELS, tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(DamagedState, match=path.stem):
        read_snapshot(path)


def test_a_missing_snapshot_is_damage(tmp_path):
    with pytest.raises(DamagedState, match="missing"):
        read_snapshot(tmp_path / "labels" / "ab.jsonl")
