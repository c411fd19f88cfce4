"""The command `python -m tasks trace`."""

import json

import pytest

from tasks.cli import main
from tests.web.fake_dataset import FakeDataset, picture_id
from tests.web.fake_trainings import samples, training


@pytest.fixture
def cats(working_folder):
    """A dataset with a training and its samples in the working folder."""
    made = FakeDataset(working_folder)
    made.draw(30)
    made.filter(dict.fromkeys(made.ids(30), 0.9))
    samples(made, training(made))
    return made


def test_a_sample_is_traced_in_lines_for_people(cats, capsys):
    (folder,) = cats.store("generate").folders()
    assert main(["trace", str(folder.relative_to(cats.folder) / "images" / "00004.png")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("sample 4 of cats: ")
    assert "latent       seed 0, number 4" in printed
    assert f"data/cats/filter/{cats.store('filter').folders()[0].name}, threshold 0.5" in printed


def test_json_is_the_documented_schema(cats, capsys):
    from pipeline.report.trace_model import Trace

    assert main(["trace", picture_id(3)[:8], "--json", "--dataset", "cats"]) == 0
    found = Trace.model_validate_json(capsys.readouterr().out)
    assert (found.kind, found.picture.id) == ("picture", picture_id(3))


def test_an_error_is_one_line_and_with_json_an_object(cats, capsys):
    assert main(["trace", "nonsense", "--json"]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"].startswith("nonsense: not known in cats")
    assert printed.err.startswith("error: nonsense: not known in cats")


def test_an_unknown_dataset_names_the_nearest(cats, capsys):
    assert main(["trace", "4", "--dataset", "cat"]) == 2
    assert "did you mean 'cats'?" in capsys.readouterr().err


def test_without_any_dataset_it_says_so(working_folder, capsys):
    assert main(["trace", "4"]) == 2
    assert "there are no samples yet" in capsys.readouterr().err
