"""What a run used is remembered: the order of flag, memory, luigi.cfg and default; `options` and `forget`."""

import json
import re
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.options import STAGE_OPTIONS, split_setting
from tasks import remembered, settings
from tasks.cli import main
from tasks.run_pipeline import RunPipeline


def run_with(options: str, *, once: bool = False) -> None:
    """Remember what a run with these options would."""
    RunPipeline(dataset="toads", query="toad", options=options, once=once).remember()


def chosen(name: str) -> object:
    stage, option = split_setting(name)
    return getattr(settings.resolve("toads", {})[stage], option)


def test_the_search_words_and_every_other_flag_hold_for_the_next_command(configure):
    configure("[download]\nlimit = 7\n")
    run_with("gan.epochs=20 normalize.size=32 filter.method=none download.allow_private=true download.sources=bing")
    assert [chosen(f"download.{name}") for name in ("query", "sources", "allow_private", "limit")] == [
        ("toad",),
        ("bing",),
        True,
        7,
    ]
    assert (chosen("gan.epochs"), chosen("normalize.size"), chosen("filter.method")) == (20, 32, "none")
    assert settings.resolve("cats", {})["gan"].epochs != 20


def test_a_flag_wins_over_memory_over_the_section_of_a_dataset(configure):
    configure("[toads.gan]\nepochs = 300\n[gan]\nepochs = 50\n")
    run_with("gan.epochs=20")
    assert chosen("gan.epochs") == 20
    assert settings.resolve("toads", {"gan.epochs": "7"})["gan"].epochs == 7


@pytest.mark.parametrize("edited", ["[toads.gan]\nepochs = 301\n", "[gan]\nepochs = 51\n"])
def test_an_edited_line_of_luigi_cfg_wins_and_drops_what_was_remembered(configure, edited):
    before = edited.replace("1", "0")
    configure(before)
    run_with("gan.epochs=20 gan.seed=3")
    configure(edited)
    assert chosen("gan.epochs") in (301, 51)
    run_with("")  # the next run
    assert (chosen("gan.epochs") in (301, 51), chosen("gan.seed")) == (True, 3)
    configure(before)  # it was dropped, so it does not come back
    assert chosen("gan.epochs") in (300, 50)


def test_a_line_that_is_new_wins_and_a_line_that_goes_does_not(configure):
    configure("")
    run_with("gan.epochs=20")
    configure("[gan]\nepochs = 50\n")
    assert chosen("gan.epochs") == 50
    run_with("gan.epochs=30")
    configure("")
    assert chosen("gan.epochs") == 30


def test_a_flag_that_says_what_luigi_cfg_says_is_not_remembered(configure):
    configure("[gan]\nepochs = 50\n")
    run_with("gan.epochs=20")
    run_with("gan.epochs=50")
    assert set(remembered.read("toads")) == {"download.query"}


def test_a_trial_is_not_remembered(configure):
    configure("")
    run_with("gan.epochs=20")
    run_with("gan.epochs=30", once=True)
    assert chosen("gan.epochs") == 20


def test_a_run_that_was_asked_not_to_is_not_remembered(configure):
    configure("")
    run_with("gan.epochs=20")
    RunPipeline(dataset="toads", query="toad", options="gan.epochs=30", unremembered=True).remember()
    assert chosen("gan.epochs") == 20


def test_a_file_of_an_earlier_version_is_read(configure):
    folder = configure("") / "data" / "toads"
    folder.mkdir(parents=True)
    (folder / remembered.OLD_NAME).write_text('{"download.query": "toad,frog"}')
    assert chosen("download.query") == ("toad", "frog")
    RunPipeline(dataset="toads").remember()
    assert [path.name for path in folder.iterdir()] == [remembered.NAME]
    assert chosen("download.query") == ("toad", "frog")


@pytest.mark.parametrize(
    "damaged", ['{"download.que', "[1]", "[]", "null", "7", '{"gan.epochs": 3}', '{"gan.epochs": {}}']
)
def test_a_damaged_memory_is_named_and_can_be_removed(configure, capsys, damaged):
    folder = configure("") / "data" / "toads"
    (folder / "runs").mkdir(parents=True)
    (folder / remembered.NAME).write_text(damaged)
    with pytest.raises(UserError, match=r"settings\.json cannot be read; .*forget --all --dataset toads"):
        settings.resolve("toads", {})
    assert main(["forget", "--all", "--dataset", "toads"]) == 0
    assert chosen("download.query") == ()


def test_a_remembered_setting_that_there_is_no_more_names_the_command_that_forgets_it(configure, capsys):
    folder = configure("") / "data" / "toads"
    (folder / "runs").mkdir(parents=True)
    (folder / remembered.NAME).write_text(json.dumps({"gan.old": {"value": "1", "luigi.cfg": None}}))
    with pytest.raises(UserError, match=r"`python -m tasks forget gan\.old --dataset toads`"):
        settings.resolve("toads", {})
    assert main(["forget", "gan.old", "--dataset", "toads"]) == 0
    assert chosen("gan.seed") == 0


@pytest.mark.parametrize("text", ["-3", "x%%("])
def test_a_remembered_value_that_is_not_allowed_names_the_command_that_forgets_it(configure, text):
    folder = configure("") / "data" / "toads"
    folder.mkdir(parents=True)
    (folder / remembered.NAME).write_text(json.dumps({"gan.epochs": {"value": text, "luigi.cfg": None}}))
    with pytest.raises(UserError, match=r"^remembered gan\.epochs = .*; `python -m tasks forget gan\.epochs --dataset"):
        settings.resolve("toads", {})


@pytest.mark.parametrize(
    ("text", "options", "begins", "ends"),
    [
        (
            "",
            "",
            "remembered gan.definition = 'tiny'",
            "`python -m tasks forget gan.definition --dataset toads` forgets",
        ),
        ("[gan]\ndefinition = big\n", "gan.definition=big", "luigi.cfg [gan] definition = 'big'", ""),
        ("", "gan.definition=huge", "gan.definition = 'huge'", ""),
    ],
)
def test_a_definition_whose_file_is_gone_says_what_gave_its_name(configure, text, options, begins, ends):
    configure(text)
    Path("models").mkdir()
    if ends:
        run_with("gan.definition=tiny")
    with pytest.raises(UserError) as caught:
        RunPipeline(dataset="toads", query="toad", options=options).requires()
    assert str(caught.value).startswith(f"{begins}: there is no models/")
    assert ("forget" in str(caught.value)) == bool(ends)
    assert ends in str(caught.value)


def test_options_says_where_each_value_comes_from(configure, capsys):
    configure("[gan]\nepochs = 50\n[toads.generate]\ncount = 9\n")
    run_with("normalize.size=32")
    assert main(["options", "--dataset", "toads"]) == 0
    lines = {line.partition("#")[0].strip(): line.partition("#")[2] for line in capsys.readouterr().out.splitlines()}
    for value, origin in {
        "size = 32": "remembered from the last run",
        "epochs = 50": "luigi.cfg [gan]",
        "count = 9": "luigi.cfg [toads.generate]",
        "grid = 10": "default",
        "query = toad": "remembered from the last run",
    }.items():
        assert lines[value].startswith(f" {origin}: ")


def test_options_as_json_say_what_a_form_needs(configure, capsys):
    configure("[gan]\nepochs = 50\n")
    settings.remember("pikachu", settings.resolve("pikachu", {"filter.threshold": "0.7"}))
    assert main(["options", "--dataset", "pikachu", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(found) == {f"{stage}.{name}" for stage, each in STAGE_OPTIONS.items() for name in each.model_fields}
    assert (found["gan.epochs"]["value"], found["gan.epochs"]["origin"]) == ("50", "luigi.cfg [gan]")
    assert (found["filter.threshold"]["value"], found["filter.threshold"]["origin"]) == ("0.7", settings.REMEMBERED)
    assert (found["filter.threshold"]["default"], found["filter.threshold"]["type"]) == ("auto", "number")
    assert found["normalize.fit"]["choices"] == ["crop", "pad", "squash"]
    assert {row["origin"] for row in found.values()} == {settings.DEFAULT, "luigi.cfg [gan]", settings.REMEMBERED}


def test_options_as_json_print_an_error_as_json(configure, capsys):
    configure("[gan]\nepochs = none of them\n")
    assert main(["options", "--dataset", "pikachu", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"].startswith("luigi.cfg [gan] epochs")


def test_remember_saves_settings_which_later_commands_use(configure, capsys):
    configure("[gan]\nepochs = 50\n")
    assert main(["remember", "--dataset", "pikachu", "filter.threshold=0.7", "gan.epochs=20"]) == 0
    assert capsys.readouterr().out == "pikachu: filter.threshold = 0.7\npikachu: gan.epochs = 20\n"
    assert settings.resolve("pikachu", {})["gan"].epochs == 20
    assert main(["remember", "--dataset", "pikachu", "gan.epochs=50"]) == 0
    assert capsys.readouterr().out == "pikachu: filter.threshold = 0.7\n"
    assert settings.given("pikachu", {})["gan.epochs"].origin == "luigi.cfg [gan]"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("gan.epochs=0", r"gan\.epochs = 0: expected a whole number, at least 1"),
        ("gan.epoch=3", r"gan has no option 'epoch'; did you mean 'epochs'\?"),
        ("epochs=3", r"there is no option 'epochs'"),
        ("gan.epochs", r"options: 'gan\.epochs' has no '='"),
    ],
)
def test_remember_refuses_what_is_no_setting_and_keeps_what_is_remembered(configure, capsys, words, line):
    configure("")
    assert main(["remember", "--dataset", "pikachu", "filter.threshold=0.7"]) == 0
    assert main(["remember", "--dataset", "pikachu", words]) == 2
    assert re.match(f"error: {line}", capsys.readouterr().err)
    assert settings.resolve("pikachu", {})["filter"].threshold == 0.7


def test_forget_undoes_all_but_the_subject_or_just_what_it_is_told(configure, capsys):
    folder = configure("[gan]\nepochs = 50\n")
    run_with("gan.epochs=20 normalize.size=32 filter.method=none")
    (folder / "data" / "toads" / "runs").mkdir()
    assert main(["forget", "gan.epochs", "--dataset", "toads"]) == 0
    assert "toads: forgot gan.epochs = 20; now 50" in capsys.readouterr().out
    assert (chosen("gan.epochs"), chosen("normalize.size")) == (50, 32)
    assert main(["forget", "--dataset", "toads"]) == 0
    assert (chosen("normalize.size"), chosen("filter.method"), chosen("download.query")) == (64, "cnn", ("toad",))
    assert "still remembered: download.query" in capsys.readouterr().out
    assert main(["forget", "gan.epochs", "--dataset", "toads"]) == 2
    assert "gan.epochs is not remembered for toads" in capsys.readouterr().err
    assert main(["forget", "--all", "--dataset", "toads"]) == 0
    assert chosen("download.query") == ()


def test_a_disk_that_takes_no_settings_does_not_stop_the_run(configure, monkeypatch, capsys):
    configure("")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(remembered, "write_whole", fail)
    run_with("gan.epochs=20")
    assert "the settings of this run are not remembered: " in capsys.readouterr().err
