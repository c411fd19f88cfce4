"""The section [nightly]: what a wrong line is told, and what the settings mean."""

import pytest

from pipeline.errors import UserError
from tasks.cli import main
from tasks.nightly import night_options
from tasks.nightly.night_options import NightlyOptions, subject_names


def test_flags_win_over_luigi_cfg_over_the_defaults(configure):
    configure("[nightly]\nminutes = 10\nhours = 4\nsubjects = cats, dogs\n")
    found = night_options.resolve({"hours": "2"})
    assert (found.minutes, found.hours, found.subjects, found.gib) == (10.0, 2.0, ("cats", "dogs"), 0.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[nightly]\nminuts = 5\n", r"luigi.cfg \[nightly\]: has no option 'minuts'; did you mean 'minutes'\?"),
        ("[nightly]\nhours = long\n", r"^luigi.cfg \[nightly\] hours = 'long': expected a number, at least 0"),
        ("[nightly]\nhours = -1\n", r"^luigi.cfg \[nightly\] hours = -1.0: expected a number, at least 0"),
        ("[nightly]\nsteps = trian\n", r"expected one or more of refresh, filter, train, sample.*'train' for 'trian'"),
        ("[nightly]\nsteps =\n", r"steps = '': expected one or more of refresh, filter, train, sample"),
        ("[nightly]\nmail = often\n", r"mail = 'often': expected one of always, problems, never"),
        ("[nightly]\nwebhook = example.org\n", r"webhook = 'example.org': expected an address with a host"),
        ("[nightly]\nwebhook = http://[\n", r"webhook = 'http://\[': expected an address"),
        ("[nigthly]\nhours = 1\n", r"nothing reads the section \[nigthly\]; did you mean 'nightly'\?"),
        ("[cats.nightly]\nhours = 1\n", r"nothing reads the section \[cats.nightly\]"),
    ],
)
def test_a_wrong_line_is_named(configure, text, says):
    configure(text)
    with pytest.raises(UserError, match=says):
        night_options.resolve({})


def test_a_wrong_flag_is_named_as_a_setting(configure, capsys):
    configure("")
    assert main(["nightly", "--hours", "none", "--subjects", "cats"]) == 2
    assert "error: nightly.hours = 'none': expected a number" in capsys.readouterr().err
    assert main(["nightly", "--minuts", "1"]) == 2
    assert "did you mean '--minutes'?" in capsys.readouterr().err


def test_a_wrong_section_stops_other_commands_too(configure, capsys):
    configure("[nigthly]\nhours = 1\n")
    assert main(["plan"]) == 2
    assert "did you mean 'nightly'?" in capsys.readouterr().err


def test_the_last_step_says_how_far_a_turn_goes():
    def until(*steps: str) -> str:
        return NightlyOptions(steps=steps).until

    assert [until("refresh"), until("refresh", "filter"), until("filter", "train"), until("sample")] == [
        "normalize", "filter", "gan", "",
    ]  # fmt: skip
    assert not NightlyOptions(steps=("filter", "train")).refreshes


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"minutes": 30.0}, 90 * 60),
        ({"minutes": 30.0, "most_minutes": 40.0}, 40 * 60),
        ({"minutes": 30.0, "most_minutes": 0.0}, None),
        ({"minutes": 0.0}, None),
        ({"minutes": None}, None),
    ],
)
def test_a_subject_hangs_an_hour_after_its_training_should_have_ended(given, seconds):
    assert NightlyOptions(**given).turn_seconds == seconds


def test_subjects_come_from_luigi_cfg_and_a_file_each_once(configure):
    folder = configure("")
    (folder / "subjects.txt").write_text("\ufeffdogs  # since May\n\n# none\nコアラ\ncats\r\n", encoding="utf-8")
    assert subject_names(NightlyOptions(subjects=("cats",), subjects_file="subjects.txt")) == ["cats", "dogs", "コアラ"]


def test_without_names_all_datasets_are_subjects(configure):
    folder = configure("")
    for name in ("dogs", "cats"):
        (folder / "data" / name / "runs").mkdir(parents=True)
    (folder / "data" / "nightly" / "2026-11-30").mkdir(parents=True)
    assert subject_names(NightlyOptions()) == ["cats", "dogs"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"subjects": ("a b",)}, r"nightly.subjects: dataset = 'a b': expected letters, digits"),
        ({"subjects": ("nightly",)}, r"this name is reserved"),
        ({"subjects_file": "nowhere.txt"}, r"nightly.subjects_file = 'nowhere.txt': No such file"),
        ({}, r"there is no subject; name some in luigi.cfg"),
    ],
)
def test_wrong_subjects_are_named(configure, given, says):
    configure("")
    with pytest.raises(UserError, match=says):
        subject_names(NightlyOptions(**given))


def test_options_lists_the_settings_of_the_night(configure, capsys):
    configure("[nightly]\nhours = 6\n")
    assert main(["options"]) == 0
    shown = capsys.readouterr().out
    assert "[nightly]\n" in shown
    assert "hours = 6.0" in shown
    assert "# luigi.cfg [nightly]: hours that all turns" in shown
