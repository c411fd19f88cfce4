"""The command `datasets`: what each has, and taking one off the list, back, and away for good."""

import json
from pathlib import Path

import pytest

from tasks import dataset_archive, paths, run_log
from tasks.cli import main

PICTURE = "data/cats/raw/aa/picture.png"


@pytest.fixture
def cats(working_folder):
    """A dataset with a picture, an upload and a label, whose run has ended."""
    run_log.record("cats", "a-run").add("end", outcome="done")
    for name in (PICTURE, "data/cats/uploads/cat.png", "models/cats/gan/weights", "generated/cats/report/index.html"):
        path = Path(name)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 1000)
    Path("data/cats/labels.jsonl").write_text(json.dumps({"id": "a" * 64, "label": "on", "time": "", "how": "page"}))
    return working_folder


def said(capsys, *words):
    """What a command that succeeds prints as JSON."""
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_list_says_what_each_dataset_has(cats, capsys):
    (found,) = said(capsys, "datasets")
    assert (found["name"], found["archive"], found["at_work"]) == ("cats", "", False)
    assert (found["pictures"], found["uploads"], found["trainings"]) == (1, 1, 0)
    assert found["bytes"] > 4000
    assert main(["datasets"]) == 0
    assert capsys.readouterr().out.startswith("cats: ")


def test_an_archived_dataset_comes_back_as_it_was(cats, capsys):
    archive = said(capsys, "datasets", "archive", "cats")["archive"]
    assert paths.datasets() == []
    assert [each["archive"] for each in said(capsys, "datasets", "list", "cats")] == [archive]
    assert said(capsys, "datasets", "restore", "cats") == {"name": "cats", "archive": archive}
    assert paths.datasets() == ["cats"]
    assert Path(PICTURE).is_file()
    assert Path("models/cats/gan/weights").is_file()
    assert not dataset_archive.archived_places()


def test_a_dataset_is_not_restored_over_another_one(cats, capsys):
    said(capsys, "datasets", "archive", "cats")
    Path(PICTURE).parent.mkdir(parents=True)
    assert main(["datasets", "restore", "cats"]) == 2
    assert "data/cats is there: archive or delete that dataset first" in capsys.readouterr().err
    assert len(dataset_archive.archived_places()) == 1


def test_nothing_is_deleted_without_yes(cats, capsys):
    assert main(["datasets", "delete", "cats"]) == 0
    assert capsys.readouterr().out.startswith("cats has ")
    assert Path(PICTURE).is_file()


@pytest.mark.parametrize("archived", [False, True])
def test_a_deleted_dataset_leaves_nothing(cats, capsys, archived):
    if archived:
        said(capsys, "datasets", "archive", "cats")
    assert said(capsys, "datasets", "delete", "cats", "--yes")["deleted"] is True
    assert not dataset_archive.places()
    assert sorted(path.name for path in Path().rglob("*") if path.is_file()) == ["dcgan.json"]


def test_a_dataset_that_is_at_work_is_not_deleted(cats, capsys):
    run_log.record("cats", "b-run")  # by this process
    assert main(["datasets", "delete", "cats", "--yes"]) == 2
    assert "is at work" in capsys.readouterr().err
    assert Path(PICTURE).is_file()


@pytest.mark.parametrize("name", ["../cats", "cats/raw", ".dropped", "", "cast"])
def test_a_name_is_only_ever_one_of_the_list(cats, capsys, name):
    assert main(["datasets", "delete", name, "--yes", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"].startswith("there is no dataset")
    assert Path(PICTURE).is_file()
