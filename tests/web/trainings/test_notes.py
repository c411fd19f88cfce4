"""Stars, names and notes: kept on the disk, the last one counts, and damage costs one line."""

import json

import pytest

from pipeline.errors import UserError
from pipeline.web.trainings import notes
from pipeline.web.trainings.notes import FILE, NONE, RUN, TRAINING, Note, change_note, read_notes


def test_change_keeps_what_is_not_given(tmp_path):
    change_note(tmp_path, RUN, "r1", star=True, name="good colours")
    changed = change_note(tmp_path, RUN, "r1", note="more of\nthese")
    assert changed == Note(star=True, name="good colours", note="more of\nthese")
    assert read_notes(tmp_path) == {(RUN, "r1"): changed}


def test_file_has_a_line_for_each_change_that_people_can_read(tmp_path):
    change_note(tmp_path, RUN, "r1", name="first")
    change_note(tmp_path, TRAINING, "t1", star=True)
    change_note(tmp_path, RUN, "r1", name="second")
    rows = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert [(row["id"], row["name"], row["star"]) for row in rows] == [
        ("r1", "first", False),
        ("t1", "", True),
        ("r1", "second", False),
    ]
    assert read_notes(tmp_path)[RUN, "r1"].name == "second"


def test_same_note_again_writes_nothing(tmp_path):
    change_note(tmp_path, RUN, "r1", star=True)
    change_note(tmp_path, RUN, "r1", star=True)
    assert len((tmp_path / FILE).read_text().splitlines()) == 1


def test_line_that_a_killed_writer_left_is_skipped_and_swallows_nothing(tmp_path):
    change_note(tmp_path, RUN, "r1", name="kept")
    with (tmp_path / FILE).open("a") as file:
        file.write('{"kind": "run", "id": "r2", "na')
    change_note(tmp_path, RUN, "r3", star=True)
    assert set(read_notes(tmp_path)) == {(RUN, "r1"), (RUN, "r3")}


@pytest.mark.parametrize(
    "line",
    ["[]", "{}", "null", '{"kind": "run", "id": 3, "star": true, "name": "", "note": ""}', "\x00", '{"kind": []}'],
)
def test_rubbish_in_the_file_is_skipped(tmp_path, line):
    (tmp_path / FILE).write_text(line + "\n")
    change_note(tmp_path, RUN, "r1", name="fine")
    assert read_notes(tmp_path) == {(RUN, "r1"): Note(name="fine")}


def test_text_is_made_harmless_and_short(tmp_path):
    changed = change_note(tmp_path, RUN, "r1", name="a\x1b[31m\nb" + "c" * 200, note="one\r\n\x07two\x1b")
    assert "\x1b" not in changed.name + changed.note
    assert "\n" not in changed.name
    assert len(changed.name) <= notes.LONGEST_NAME
    assert changed.note.splitlines()[0] == "one"


def test_full_file_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(notes, "LARGEST", 300)
    change_note(tmp_path, RUN, "r1", note="x" * 150)
    with pytest.raises(UserError, match="keep only the last line"):
        change_note(tmp_path, RUN, "r1", note="y" * 150)
    assert read_notes(tmp_path)[RUN, "r1"].note == "x" * 150


def test_dataset_without_notes_has_none(tmp_path):
    assert read_notes(tmp_path).get((RUN, "r1"), NONE) == Note()
