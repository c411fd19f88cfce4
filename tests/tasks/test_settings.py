"""Where a setting comes from, and what a wrong one is told."""

import pytest

from pipeline.errors import UserError
from tasks import settings

FILE = """
[gan]
epochs = 50
[pikachu.gan]
epochs = 300
sample-every = 100
[pikachu.download]
query = ピカチュウ,Pikachu
[resources]
gpu = 1
"""


def test_the_command_line_wins_over_the_dataset_over_all_datasets_over_the_default(configure):
    configure(FILE)
    assert settings.resolve("demo", {})["gan"].epochs == 50
    assert settings.resolve("pikachu", {})["gan"].epochs == 300
    assert settings.resolve("pikachu", {"gan.epochs": "7"})["gan"].epochs == 7
    assert settings.resolve("pikachu", {})["gan"].sample_every == 100
    assert settings.resolve("pikachu", {})["download"].query == ("ピカチュウ", "Pikachu")
    assert settings.resolve("demo", {})["normalize"].size == 64


def test_a_wrong_flag_is_named_as_a_setting(configure):
    configure("[gan]\nepochs = 50\n")
    with pytest.raises(UserError, match=r"^gan\.epochs = 0: expected a whole number, at least 1"):
        settings.resolve("demo", {"gan.epochs": "0"})


def test_settings_survive_being_a_luigi_parameter(configure):
    configure(FILE)
    chosen = settings.resolve("pikachu", {"filter.threshold": "0.5"})
    assert settings.from_text(chosen.text()) == chosen


def test_a_stage_is_not_told_the_options_of_those_after_it(configure):
    configure("")
    early = settings.resolve("demo", {"gan.epochs": "7", "normalize.size": "32"}).text("normalize")
    assert early == '{"normalize.size": 32}'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[gan]\nepohcs = 5\n", r"luigi.cfg \[gan\]: has no option 'epohcs'; did you mean 'epochs'\?"),
        ("[gan]\nepochs = ten\n", r"luigi.cfg \[gan\] epochs = 'ten': expected a whole number"),
        ("[gan]\nepochs = 0\n", r"^luigi.cfg \[gan\] epochs = 0: expected a whole number, at least 1"),
        (
            "[demo.gan]\nmost_steps = -3\n",
            r"^luigi.cfg \[demo.gan\] most_steps = -3: expected a whole number, at least 1",
        ),
        ("[normalize]\nbackground = x\n", r"^luigi.cfg \[normalize\] background = 'x': expected a colour"),
        ("[gna]\nepochs = 5\n", r"nothing reads the section \[gna\]; did you mean 'gan'\?"),
        ("[demo.gan]\nepohcs = 5\n", r"luigi.cfg \[demo.gan\]: has no option 'epohcs'"),
    ],
)
def test_a_wrong_line_in_luigi_cfg_is_named(configure, text, says):
    configure(text)
    with pytest.raises(UserError, match=says):
        settings.resolve("demo", {})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gan.epohcs", "did you mean 'epochs'"),
        ("gna.epochs", "did you mean 'gan.epochs'"),
        ("epochs", "write stage.option=value"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(configure, name, says):
    configure("")
    with pytest.raises(UserError, match=says):
        settings.resolve("demo", {name: "5"})


@pytest.mark.parametrize("dataset", ["", "a/b", "../x", "a.b", "two words", "-x", "luigid", "*"])
def test_a_dataset_that_cannot_name_a_folder_is_refused(configure, dataset):
    configure("")
    with pytest.raises(UserError, match="dataset = "):
        settings.resolve(dataset, {})


def test_a_reserved_name_of_a_dataset_is_said_to_be_reserved(configure):
    configure("")
    with pytest.raises(UserError, match="dataset = 'luigid': this name is reserved") as caught:
        settings.resolve("luigid", {})
    assert "letters" not in str(caught.value)


def test_a_dataset_may_be_named_in_any_script(configure):
    configure("")
    assert settings.resolve("ピカチュウ", {}) == settings.resolve("pikachu", {})


def test_words_of_the_plain_luigi_command_line_become_options():
    assert settings.read_words("gan.epochs=20 download.query='a b,c'") == {
        "gan.epochs": "20",
        "download.query": "a b,c",
    }
    with pytest.raises(UserError, match="has no '='"):
        settings.read_words("gan.epochs")
