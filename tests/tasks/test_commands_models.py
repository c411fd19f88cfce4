"""The command `python -m tasks models`."""

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
    """A working folder with an own definition, one of IBM's gan-toolkit, and one with an error."""
    models = configure("") / "models"
    models.mkdir()
    (models / "mine.json").write_text('{"description": "for cats", "loss": "hinge", "generator": {"width": 12}}')
    (models / "foreign.json").write_text(json.dumps(TOOLKIT))
    (models / "broken.json").write_text('{"lss": "hinge"}')
    (models / "schema.json").write_text(schema_text())
    return models


@pytest.fixture
def run_models(folder, capsys):
    """`python -m tasks models ...`: the exit code, and the lines of both streams."""

    def run_models(*words: str) -> tuple[int, list[str], list[str]]:
        code = main(["models", *words])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    return run_models


def test_models_list_has_a_line_for_each_definition(run_models):
    code, lines, _ = run_models()
    found = {line.split()[0]: line for line in lines}
    assert code == 0
    assert set(found) >= {"dcgan", "wide", "mine", "foreign", "broken"}
    assert "schema" not in found
    assert found["mine"].split(maxsplit=1)[1] == "hinge           for cats"
    assert "wrong: unknown key 'lss'; did you mean 'loss'?" in found["broken"]
    assert "1 field is ignored" in found["foreign"]


def test_models_list_shows_a_multiline_description_in_one_line(folder, run_models):
    (folder / "mine.json").write_text(json.dumps({"description": "for\ncats \x1b[2J"}))
    assert any("for cats  [2J" in line for line in run_models()[1])


def test_own_definition_overrides_the_shipped_one(folder, run_models):
    (folder / "dcgan.json").write_text('{"loss": "hinge"}')
    assert paths.definition("dcgan") == Path("models/dcgan.json")
    assert any(line.split()[:2] == ["dcgan", "hinge"] for line in run_models()[1])


def test_models_show_explains_differences_and_prints_all_fields(run_models):
    code, lines, _ = run_models("show", "mine")
    assert code == 0
    assert lines[0] == "models/mine.json: for cats"
    (width,) = [line for line in lines if "generator.width" in line]
    assert width.strip().startswith("generator.width = 12  (default 32): channels at half the picture's side")
    whole = json.loads("\n".join(lines[lines.index("all fields:") + 1 :]))
    assert whole["generator"]["width"] == 12
    assert whole.keys() == as_tree(Definition()).keys()


def test_models_show_says_if_nothing_differs(run_models):
    assert "every field has its default" in run_models("show", "from-scratch")[1]


def test_models_check_prints_ok_and_warnings(run_models):
    code, lines, warnings = run_models("check", "mine", "foreign", "models/mine.json")
    assert (code, lines) == (0, ["models/mine.json: ok", "models/foreign.json: ok", "models/mine.json: ok"])
    assert warnings == [
        "models/foreign.json: warning: GAN_model.epochs = 9 is not followed: set gan.epochs in luigi.cfg"
    ]


def test_models_check_continues_after_an_error_and_returns_2(run_models):
    code, lines, errors = run_models("check", "broken", "missing", "models/none.json", "mine")
    assert (code, lines) == (2, ["models/mine.json: ok"])
    assert errors[0] == "error: models/broken.json: unknown key 'lss'; did you mean 'loss'?"
    assert errors[1].startswith("error: there is no models/missing.json; known are: broken, dcgan")
    assert errors[2] == "error: models/none.json: cannot be read: No such file or directory"


def test_models_check_without_a_name_checks_all(run_models):
    code, lines, errors = run_models("check")
    assert code == 2
    assert {"models/mine.json: ok", "models/foreign.json: ok"} < set(lines)
    assert len([line for line in errors if line.startswith("error: ")]) == 1


def test_models_schema_writes_the_schema_to_the_given_path(folder, run_models):
    (folder / "schema.json").unlink()
    assert run_models("schema") == (0, ["models/schema.json"], [])
    assert run_models("schema", "--output", "new/one.json")[0] == 0
    assert (folder / "schema.json").read_text() == Path("new/one.json").read_text() == schema_text()


def test_models_check_skips_the_schema(folder, run_models):
    assert run_models("check", "models/schema.json") == (
        0,
        ["models/schema.json: a JSON schema for editors, not a definition"],
        [],
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "a" * 300], "there is no models/aaa"),
        (["show", "mien"], "there is no models/mien.json; did you mean 'mine'?"),
        (["show", "broken"], "models/broken.json: unknown key 'lss'; did you mean 'loss'?"),
        (["show"], "the following arguments are required: NAME"),
        (["shwo"], "ACTION 'shwo' is not known; did you mean 'show'?"),
        (["schema", "--outptu", "x"], "models does not take '--outptu'; did you mean '--output'?"),
        (["schema", "--output", "models"], "--output models: cannot be written: Is a directory"),
    ],
)
def test_models_error_is_one_line(run_models, words, says):
    code, lines, (error,) = run_models(*words)
    assert (code, lines) == (2, [])
    assert says in error


def test_models_commands_do_not_import_a_network_library():
    code = (
        "import sys; from tasks.cli import main; main(['models']); main(['models', 'show', 'dcgan']);"
        " main(['models', 'check']); sys.exit(bool(set(sys.modules) & {'tensorflow', 'keras', 'jax', 'torch'}))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
