"""The journal of prepared pictures survives kills, and memory has only where each line begins."""

import pytest

from pipeline.images.journal import Journal
from pipeline.images.prepare import Prepared
from pipeline.store.digest import of_bytes

SQUARE = b"a square"


@pytest.fixture
def images(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "prepared.jsonl"


def prepared(id: str, **facts) -> Prepared:
    return Prepared(id=id, **{"reason": "too small", "width": 3, "quality": {"ü": 0.5}, **facts})


def square(images, id: str, content: bytes = SQUARE) -> Prepared:
    (images / f"{id}.png").write_bytes(content)
    return prepared(id, reason="", sha256=of_bytes(SQUARE))


def test_rows_are_found_by_id_in_any_order(path, images):
    rows = [prepared("a"), square(images, "b"), prepared("ü", look="x" * 5000), prepared("c")]
    with Journal(path, images) as journal:
        for row in rows:
            journal.add(row)
            assert journal[rows[0].id] == rows[0]
        assert [journal[row.id] for row in reversed(rows)] == rows[::-1]
        assert (len(journal), "b" in journal, "d" in journal) == (4, True, False)


def test_a_later_journal_goes_on_from_what_is_there(path, images):
    with Journal(path, images) as journal:
        journal.add(prepared("a"))
    with Journal(path, images) as journal:
        journal.add(prepared("b"))
    with Journal(path, images) as journal:
        assert [journal[id].id for id in "ab"] == ["a", "b"]


def test_rows_of_damaged_squares_are_left_out(path, images):
    with Journal(path, images) as journal:
        for row in (square(images, "a"), square(images, "b", b"damaged"), prepared("c"), square(images, "d")):
            journal.add(row)
    (images / "d.png").unlink()
    with Journal(path, images) as journal:
        assert [id in journal for id in "abcd"] == [True, False, True, False]
        assert journal["c"] == prepared("c")


@pytest.mark.parametrize("rest", [b'{"id": "c", "reas', b"[]\n", b'{"id": 3, "colour": 1}\n', b"\xff\n"])
def test_what_follows_a_damaged_line_is_left_out(path, images, rest):
    with Journal(path, images) as journal:
        journal.add(prepared("a"))
        journal.add(prepared("b"))
    path.write_bytes(path.read_bytes() + rest)
    with Journal(path, images) as journal:
        assert len(journal) == 2
        journal.add(prepared("c"))
        assert [journal[id] for id in "abc"] == [prepared(id) for id in "abc"]


def test_a_removed_journal_is_gone(path, images):
    with Journal(path, images) as journal:
        journal.add(prepared("a"))
    journal.remove()
    assert not path.exists()
