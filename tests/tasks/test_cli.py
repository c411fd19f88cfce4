"""The command line: what it does not know is refused with the nearest name."""

import io
import json
from pathlib import Path

import pytest

from tasks import commands
from tasks.cli import build_parser, main


@pytest.fixture
def folder(working_folder):
    """A working folder in which the dataset pikachu has run."""
    (working_folder / "data" / "pikachu" / "runs").mkdir(parents=True)
    return working_folder


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rnu"], "COMMAND 'rnu' is not known; did you mean 'run'?"),
        (
            ["xyz"],
            "COMMAND 'xyz' is not known; known are: cluster, datasets, export, forget, gc, generate, labels, luigid",
        ),
        (["rerun", "gna"], "stage 'gna' is not known; did you mean 'gan'?"),
        (["run", "--until", "filtre"], "--until 'filtre' is not known; did you mean 'filter'?"),
        (["labels", "imprt"], "ACTION 'imprt' is not known; did you mean 'import'?"),
        (["run", "--gan-epoch", "3"], "run does not take '--gan-epoch'; did you mean '--gan-epochs'?"),
        (["run", "pikachu"], "run does not take 'pikachu'; did you mean '--dataset pikachu'?"),
        (["run", "--zzz"], "run does not take '--zzz'; python -m tasks run --help lists what it takes"),
        (["gc", "--zzz"], "gc does not take '--zzz'; python -m tasks gc --help lists what it takes"),
    ],
)
def test_unknown_word_is_refused_with_the_nearest_one(folder, capsys, words, says):
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {says}")


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["plan"],
        ["status"],
        ["rerun", "gan"],
        ["generate"],
        ["labels"],
        ["labels", "export", "sorted"],
        ["export", "kept", "out"],
        ["gc"],
        ["web", "--no-browser"],
    ],
)
def test_unknown_dataset_is_refused_with_the_nearest_one(folder, capsys, words):
    assert main([*words, "--dataset", "pikachoo"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("did you mean 'pikachu'?")
    assert not Path("data/pikachoo").exists()


def test_options_of_an_unknown_dataset_are_printed_with_a_hint(folder, capsys):
    assert main(["options", "--dataset", "pikachoo"]) == 0
    printed = capsys.readouterr()
    assert printed.err == "There is no dataset 'pikachoo' yet; did you mean 'pikachu'?\n"
    assert "[gan]" in printed.out
    for dataset in ("pikachu", "toadstools"):
        assert main(["options", "--dataset", dataset]) == 0
        assert capsys.readouterr().err == ""


def test_options_keeps_a_long_value_apart_from_its_comment(folder, capsys, monkeypatch):
    (folder / "data" / "pikachu" / "settings.json").write_text(
        json.dumps({"download.query": {"value": "q" * 80, "luigi.cfg": None}})
    )
    assert main(["options", "--dataset", "pikachu"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " = " in line]
    assert all("  # " in line for line in lines)
    assert f"query = {'q' * 80}  # remembered" in "\n".join(lines)


def test_error_about_a_known_or_quite_different_dataset_names_no_other(folder, capsys):
    for dataset in ("pikachu", "toadstools"):
        assert main(["plan", "--dataset", dataset]) == 2
        assert "did you mean" not in capsys.readouterr().err


def test_error_about_a_dataset_that_luigi_cfg_has_names_no_other(configure, capsys):
    (configure("[pikachoo.gan]\nepochs = 3\n") / "data" / "pikachu" / "runs").mkdir(parents=True)
    assert main(["plan", "--dataset", "pikachoo"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_flag_of_a_switch_alone_means_true():
    parser, _ = build_parser()
    given = {"download.allow_private": "--download-allow-private", "gan.xla": "--gan-xla"}
    for name, flag in given.items():
        assert vars(parser.parse_args(["run", flag]))[name] == "true"
        assert vars(parser.parse_args(["run", flag, "false"]))[name] == "false"


@pytest.mark.parametrize("flag", ["--unsure", "--unlabelled"])
def test_labels_for_validation_are_on_or_off_target(folder, capsys, flag):
    assert main(["labels", "import", "--validation", flag, "sorted", "--dataset", "pikachu"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--validation takes only --on DIR and --off DIR" in line


def test_import_for_validation_without_folders_asks_only_for_what_it_takes(folder, capsys):
    assert main(["labels", "import", "--validation", "--dataset", "pikachu"]) == 2
    assert capsys.readouterr().err == (
        "error: labels import: give a folder with on/ and off/ in it, or at least one of --on DIR, --off DIR\n"
    )
    assert main(["labels", "import", "--dataset", "pikachu"]) == 2
    assert "--unsure DIR, --unlabelled DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "flags", "given"),
    [
        (("on", "off", "unlabelled"), (), {"on": "sorted/on", "off": "sorted/off"}),
        (("unsure",), ("--off", "others"), {"unsure": "sorted/unsure", "off": "others"}),
        (("on", "unsure"), ("--validation",), {"on": "sorted/on"}),
    ],
)
def test_a_folder_as_it_was_exported_is_imported(folder, monkeypatch, names, flags, given):
    for name in names:
        (folder / "sorted" / name).mkdir(parents=True)
    imported = {}
    monkeypatch.setattr(commands, "import_folders", lambda log, **options: imported.update(options))
    monkeypatch.setattr(commands, "_normalized", lambda dataset: Path("squares"))
    assert main(["labels", "import", "sorted", *flags]) == 0
    labels = ("on", "off", "unsure", "unlabelled")
    assert {name: str(imported[name]) for name in labels if imported[name]} == given


def test_a_folder_without_labels_in_it_is_refused(folder, capsys):
    (folder / "sorted" / "cats").mkdir(parents=True)
    assert main(["labels", "import", "sorted"]) == 2
    assert "sorted has no folder on, off or unsure in it" in capsys.readouterr().err


def test_output_that_nobody_reads_any_more_ends_the_program_with_the_code_of_its_signal(monkeypatch):
    def close(*_):
        raise BrokenPipeError

    monkeypatch.setattr("tasks.cli._dispatch", close)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert main(["run"]) == 141
