"""`python -m tasks models` at the prompt."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.gan.config import Definition, as_tree, schema_text
from tasks import paths
from tasks.cli import main

REPOSITORY = Path(__file__).parent.parent.parent
TOOLKIT = {"generator": {"choice": "dcgan"}, "discriminator": {"choice": "dcgan"}, "GAN_model": {"epochs": 9}}


@pytest.fixture
def folder(configure):
    """A working folder with a definition of its own, one of the gan-toolkit, and one with a mistake."""
    models = configure("") / "models"
    models.mkdir()
    (models / "mine.json").write_text('{"description": "for cats", "loss": "hinge", "generator": {"width": 12}}')
    (models / "foreign.json").write_text(json.dumps(TOOLKIT))
    (models / "broken.json").write_text('{"lss": "hinge"}')
    (models / "schema.json").write_text(schema_text())
    return models


@pytest.fixture
def do(folder, capsys):
    """`python -m tasks models ...`: the exit code, and the lines of both streams."""

    def do(*words: str) -> tuple[int, list[str], list[str]]:
        code = main(["models", *words])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    return do


def test_the_list_has_a_line_for_each_definition_with_what_it_is_for_or_what_is_wrong(do):
    code, lines, _ = do()
    found = {line.split()[0]: line for line in lines}
    assert code == 0
    assert set(found) >= {"dcgan", "wide", "mine", "foreign", "broken"}
    assert "schema" not in found
    assert found["mine"].split(maxsplit=1)[1] == "hinge           for cats"
    assert "wrong: unknown key 'lss'; did you mean 'loss'?" in found["broken"]
    assert "1 key is not followed" in found["foreign"]


def test_a_description_of_several_lines_is_one_in_the_list(folder, do):
    (folder / "mine.json").write_text(json.dumps({"description": "for\ncats \x1b[2J"}))
    assert any("for cats  [2J" in line for line in do()[1])


def test_ones_own_definition_hides_that_of_the_same_name(folder, do):
    (folder / "dcgan.json").write_text('{"loss": "hinge"}')
    assert paths.definition("dcgan") == Path("models/dcgan.json")
    assert any(line.split()[:2] == ["dcgan", "hinge"] for line in do()[1])


def test_show_explains_what_differs_and_prints_the_whole(do):
    code, lines, _ = do("show", "mine")
    assert code == 0
    assert lines[0] == "models/mine.json: for cats"
    (width,) = [line for line in lines if "generator.width" in line]
    assert width.strip().startswith("generator.width = 12  (default 32): channels at half the picture's side")
    whole = json.loads("\n".join(lines[lines.index("the whole of it:") + 1 :]))
    assert whole["generator"]["width"] == 12
    assert whole.keys() == as_tree(Definition()).keys()


def test_show_says_that_nothing_differs(do):
    assert "every key has its default" in do("show", "dcgan")[1]


def test_check_says_ok_and_what_is_not_followed(do):
    code, lines, warnings = do("check", "mine", "foreign", "models/mine.json")
    assert (code, lines) == (0, ["models/mine.json: ok", "models/foreign.json: ok", "models/mine.json: ok"])
    assert warnings == [
        "models/foreign.json: warning: GAN_model.epochs = 9 is not followed: set gan.epochs in luigi.cfg"
    ]


def test_check_goes_on_after_a_mistake_and_ends_with_2(do):
    code, lines, errors = do("check", "broken", "missing", "models/none.json", "mine")
    assert (code, lines) == (2, ["models/mine.json: ok"])
    assert errors[0] == "error: models/broken.json: unknown key 'lss'; did you mean 'loss'?"
    assert errors[1].startswith("error: there is no models/missing.json; known are: broken, dcgan")
    assert errors[2] == "error: models/none.json: cannot be read: No such file or directory"


def test_check_without_a_name_checks_all(do):
    code, lines, errors = do("check")
    assert code == 2
    assert {"models/mine.json: ok", "models/foreign.json: ok"} < set(lines)
    assert len([line for line in errors if line.startswith("error: ")]) == 1


def test_the_schema_is_written_among_the_definitions_or_where_it_is_asked_for(folder, do):
    (folder / "schema.json").unlink()
    assert do("schema") == (0, ["models/schema.json"], [])
    assert do("schema", "--output", "new/one.json")[0] == 0
    assert (folder / "schema.json").read_text() == Path("new/one.json").read_text() == schema_text()


def test_the_schema_among_them_is_passed_over(folder, do):
    assert do("check", "models/schema.json") == (0, ["models/schema.json: what editors read, no definition"], [])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "a" * 300], "there is no models/aaa"),
        (["show", "mien"], "there is no models/mien.json; did you mean 'mine'?"),
        (["show", "broken"], "models/broken.json: unknown key 'lss'; did you mean 'loss'?"),
        (["show"], "the following arguments are required: NAME"),
        (["shwo"], "invalid choice: 'shwo'"),
        (["schema", "--outptu", "x"], "models does not take '--outptu'; did you mean '--output'?"),
        (["schema", "--output", "models"], "--output models: cannot be written: Is a directory"),
    ],
)
def test_a_mistake_is_one_line(do, words, says):
    code, lines, (error,) = do(*words)
    assert (code, lines) == (2, [])
    assert says in error


def test_no_network_library_is_loaded():
    code = (
        "import sys; from tasks.cli import main; main(['models']); main(['models', 'show', 'dcgan']);"
        " main(['models', 'check']); sys.exit(bool(set(sys.modules) & {'tensorflow', 'keras', 'jax', 'torch'}))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
