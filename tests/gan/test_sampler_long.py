"""The sampler in its own process: its samples are those of the stage generate, bit for bit."""

import json
import subprocess
import sys

import numpy as np
import pytest

from pipeline.images.png import decode_png
from pipeline.options import GenerateOptions
from pipeline.progress import never, silent
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def ask(trained, tmp_path_factory):
    """`ask(kind, **fields)`: the answer and the folder of a question to one process of the sampler."""
    # In JAX's and TensorFlow's own words there is no GPU for it, as `tasks sampler` says
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks", "sampler"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(kind, **fields):
        folder = tmp_path_factory.mktemp(kind)
        question = {"kind": kind, "gan": str(trained.folder("gan")), "folder": str(folder), **fields}
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline()), folder

    yield ask
    process.stdin.close()
    assert process.wait(30) == 0  # it ends when its input is closed
    process.stdout.close()


@pytest.fixture(scope="module", params=[0.0, 0.6])
def made(request, trained, tmp_path_factory):
    """The truncation, and the samples 0 to 129 of the stage generate."""
    from pipeline.gan.generate import generate

    folder = tmp_path_factory.mktemp("made")
    options = GenerateOptions(count=130, grid=2, extractor="own", seed=5, film=0, truncation=request.param)
    generate(
        options,
        gan=trained.folder("gan"),
        **trained.inputs,
        classifier=None,
        folder=folder,
        progress=silent,
        should_stop=never,
    )
    return request.param, folder


@pytest.mark.parametrize(("first", "count"), [(0, 3), (60, 10), (128, 2)])
def test_samples_are_those_of_the_stage_generate(ask, made, first, count):
    truncation, folder = made
    answer, drawn = ask("draw", seed=5, first=first, count=count, truncation=truncation)
    assert answer == {"files": [f"{number:05d}.png" for number in range(first, first + count)]}
    for name in answer["files"]:
        assert (drawn / name).read_bytes() == (folder / "images" / name).read_bytes()


def test_nearest_reals_are_those_of_the_stage_generate(ask, made, trained, tmp_path):
    truncation, folder = made
    asked = {"extractor": "textures-64", "normalize": str(trained.root / "normalize")}
    asked |= {"kept": str(trained.root / "filter"), "features": str(tmp_path / "reals")}
    rows = [json.loads(line) for line in (folder / "neighbours.jsonl").read_text().splitlines()]
    for _ in range(2):  # computed, and then from the cache
        answer, _ = ask("nearest", seed=5, first=70, count=1, truncation=truncation, **asked)
        assert answer["rows"] == [rows[70]]
    assert np.load(tmp_path / "reals" / "00000.npy").shape[0] == 32


def test_a_walk_goes_from_one_sample_to_the_other(ask, made):
    truncation, folder = made
    answer, drawn = ask("walk", seed=5, first=2, to_seed=5, to_first=9, frames=4, truncation=truncation)
    frames = [decode_png((drawn / name).read_bytes()).astype(int) for name in answer["files"]]
    ends = [decode_png((folder / "images" / f"0000{number}.png").read_bytes()) for number in (2, 9)]
    assert np.abs(frames[0] - ends[0]).max() <= 1  # at another place of the batch: the last bit may differ
    assert np.abs(frames[3] - ends[1]).max() <= 1


def test_a_tile_has_the_first_samples(ask, made):
    truncation, folder = made
    _, drawn = ask("tile", seed=5, side=10, truncation=truncation)
    tile = decode_png((drawn / "tile.png").read_bytes())
    assert tile.shape == (178, 178, 3)
    assert np.array_equal(tile[18:34, 36:52], decode_png((folder / "images" / "00012.png").read_bytes()))


def test_what_cannot_be_drawn_is_an_error_and_the_process_goes_on(ask, tmp_path):
    assert "generator.keras is missing" in ask("draw", gan=str(tmp_path))[0]["error"]
    assert ask("draw", count=1000)[0]["error"].startswith("count: ")
    assert "is not here" in ask("nearest", extractor="dinov2-vits14-224-00000000")[0]["error"]
    assert ask("draw")[0] == {"files": ["00000.png"]}
