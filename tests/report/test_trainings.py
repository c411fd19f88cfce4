"""The numbers of trainings, which never change, and the names that lead to their folders."""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pipeline.report.trainings import REGISTER, Training, Trainings, point

KEYS = [letter * 64 for letter in "abcdef"]


def begin(trainings: Trainings, key: str, definition: str = "dcgan", **facts) -> Training:
    return trainings.begin(
        **{"key": key, "definition": definition, "size": 32, "epochs": 5, "began": "2026-01-01T00:00:00", **facts}
    )


@pytest.fixture
def trainings(tmp_path) -> Trainings:
    return Trainings(tmp_path / "generated" / "cats")


def test_trainings_are_numbered_in_the_order_in_which_they_begin(trainings):
    names = [begin(trainings, key, name).name for key, name in zip(KEYS, ("dcgan", "sn-hinge"), strict=False)]
    assert names == ["001-dcgan-32px", "002-sn-hinge-32px"]
    assert [training.number for training in trainings.all()] == [1, 2]


def test_training_that_goes_on_keeps_its_number_and_forgets_why_it_failed(trainings):
    begin(trainings, KEYS[0])
    trainings.fail(KEYS[0], "memory ran out")
    assert trainings.all()[0].error == "memory ran out"
    begin(trainings, KEYS[1])
    again = begin(trainings, KEYS[0], began="2030-01-01T00:00:00")
    assert (again.number, again.began) == (1, "2026-01-01T00:00:00")
    assert [(training.number, training.error) for training in trainings.all()] == [(1, ""), (2, "")]


def test_number_of_a_deleted_training_is_not_given_again(trainings):
    first, second = (begin(trainings, key) for key in KEYS[:2])
    trainings.link(second, {})
    trainings.unlink(second)
    assert begin(trainings, KEYS[2]).number == 3
    assert begin(trainings, first.key).number == 1


def test_earlier_trainings_get_numbers_by_when_they_began(trainings):
    facts = {"number": 0, "definition": "dcgan", "size": 32, "epochs": None}
    found = [Training(key=key, began=f"2026-01-0{9 - index}", **facts) for index, key in enumerate(KEYS[:3])]
    begin(trainings, KEYS[0])
    trainings.adopt(found)
    trainings.adopt(found)
    assert [training.key for training in trainings.all()] == [KEYS[0], KEYS[2], KEYS[1]]


def test_names_lead_to_the_sheets_and_from_there_to_all_else(trainings, tmp_path):
    training = begin(trainings, KEYS[0])
    samples = tmp_path / "generated" / "cats" / "generate" / "1"
    samples.mkdir(parents=True)
    (samples / "grid.png").write_text("samples")
    trainings.link(training, {"samples": samples, "report": None})
    (trainings.sheets(training) / "epoch-0001.png").write_text("sheet")
    by_name = trainings.folder / "001-dcgan-32px"
    assert (by_name / "epoch-0001.png").read_text() == "sheet"
    assert (by_name / "samples" / "grid.png").read_text() == "samples"
    assert os.readlink(by_name) == os.path.join("training", "a" * 12)  # still right if generated/ is moved
    trainings.link(training, {"samples": None, "report": None})
    assert not os.path.lexists(by_name / "samples")


def test_where_links_are_impossible_a_text_file_has_the_path(trainings, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError("not here")

    monkeypatch.setattr(os, "symlink", refuse)
    training = begin(trainings, KEYS[0])
    for _ in range(2):
        trainings.link(training, {})
    path = trainings.folder / "001-dcgan-32px"
    assert path.read_text() == "training/aaaaaaaaaaaa\n"
    trainings.unlink(training)
    assert not path.exists()


def test_folder_of_a_person_with_such_a_name_stays(trainings):
    training = begin(trainings, KEYS[0])
    mine = trainings.folder / training.name
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    trainings.link(training, {})
    trainings.unlink(training)
    assert (mine / "notes.txt").read_text() == "mine"


def test_file_of_a_person_with_such_a_name_stays(tmp_path):
    (tmp_path / "report").write_text("my thoughts")
    point(tmp_path / "report", tmp_path / "elsewhere")
    point(tmp_path / "report", None)
    assert (tmp_path / "report").read_text() == "my thoughts"


def test_register_that_was_deleted_leaves_the_numbers_of_the_links(trainings):
    for key in KEYS[:3]:
        trainings.link(begin(trainings, key), {})
    (trainings.folder / "2024-holiday").mkdir()  # of a person
    (trainings.folder / REGISTER).unlink()
    assert begin(trainings, KEYS[3]).number == 4
    assert begin(trainings, KEYS[1]).number == 2


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        b"{}\n",
        b"3\n",
        json.dumps({"number": 2, "key": "../..", "definition": "", "size": 1, "epochs": 1, "began": "", "error": ""}),
        json.dumps({"number": "2", "key": KEYS[1], "definition": "", "size": 1, "epochs": 1, "began": "", "error": ""}),
        json.dumps({"number": 2, "key": KEYS[1], "definition": 7, "size": 1, "epochs": 1, "began": "", "error": ""}),
    ],
)
def test_damaged_lines_of_the_register_are_left_out(trainings, line):
    begin(trainings, KEYS[0])
    with (trainings.folder / REGISTER).open("ab") as file:
        file.write(line if isinstance(line, bytes) else f"{line}\n".encode())
    assert [training.number for training in trainings.all()] == [1]
    assert begin(trainings, KEYS[2]).number == 2


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        ("../../etc", "001-etc-32px"),
        ("<b>&\n", "001-b-32px"),
        ("", "001-gan-32px"),
        ("x" * 300, f"001-{'x' * 60}-32px"),
        ("東京", "001-東京-32px"),
    ],
)
def test_name_of_a_definition_is_made_a_name_of_a_folder(trainings, definition, name):
    assert begin(trainings, KEYS[0], definition).name == name


def number_of(folder: Path, key: str) -> int:
    return begin(Trainings(folder), key).number


def test_processes_that_begin_at_the_same_time_take_different_numbers(tmp_path):
    with ProcessPoolExecutor(4) as pool:
        found = [pool.submit(number_of, tmp_path, key) for key in KEYS]
        assert sorted(each.result() for each in found) == [1, 2, 3, 4, 5, 6]
