import json

import numpy as np
import pytest

from pipeline.callbacks import never, silent
from pipeline.errors import Stopped
from pipeline.gan.generate import generate
from pipeline.images.png import decode_png
from pipeline.options import GenerateOptions

SIZE = 16


@pytest.fixture
def run(trained, tmp_path):
    """Generates into a new folder; returns the folder and the result."""

    def run(name="out", *, should_stop=never, **options):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        result = generate(
            GenerateOptions(**{"count": 20, "grid": 4, "seed": 5} | options),
            gan=trained.folder("gan"),
            **trained.inputs,
            classifier=None,
            folder=folder,
            progress=silent,
            should_stop=should_stop,
        )
        return folder, result

    return run


def pixels(path) -> np.ndarray:
    return decode_png(path.read_bytes())


def test_it_leaves_the_pictures_a_sheet_and_the_nearest_reals(run):
    folder, result = run()
    names = [path.name for path in sorted((folder / "images").iterdir())]
    assert names == [f"{number:05d}.png" for number in range(20)]
    assert sorted(path.name for path in folder.iterdir()) == ["grid.png", "images", "neighbours.png", "samples.json"]
    assert pixels(folder / "images" / "00003.png").shape == (SIZE, SIZE, 3)
    assert json.loads((folder / "samples.json").read_text()) == result.summary
    assert result.summary["seed"] == 5


def test_the_sheet_shows_the_first_pictures_and_no_chosen_ones(run):
    folder, _ = run()
    sheet = pixels(folder / "grid.png")
    step = SIZE + 2
    for number in range(16):
        top, left = number // 4 * step, number % 4 * step
        image = pixels(folder / "images" / f"{number:05d}.png")
        assert np.array_equal(sheet[top : top + SIZE, left : left + SIZE], image)


def test_the_same_seed_draws_the_same_and_another_draws_others(run):
    outputs = [run("a")[1].outputs, run("b")[1].outputs, run("c", seed=6)[1].outputs]
    assert outputs[0] == outputs[1] != outputs[2]


def test_a_larger_count_begins_with_the_same_pictures(run):
    few, _ = run("few")
    many, _ = run("many", count=70)
    for path in (few / "images").iterdir():
        assert path.read_bytes() == (many / "images" / path.name).read_bytes()


def test_the_figures_are_there_with_the_name_of_what_they_hang_on(run):
    _, result = run()
    assert {"count", "kid", "kid_error", "kid_floor", "precision", "recall", "extractor"} <= result.summary.keys()
    assert result.summary["extractor"] == "histograms-64"
    assert result.summary["kid"] > result.summary["kid_floor"]  # sixteen steps make no good generator


def test_a_handful_of_pictures_is_drawn_but_not_scored(run):
    _, result = run(count=3)
    assert (result.summary["count"], result.summary["kid"]) == (3, None)


def test_beside_each_sample_stand_its_nearest_reals(run, trained):
    folder, _ = run()
    sheet = pixels(folder / "neighbours.png")
    step = SIZE + 2
    assert np.array_equal(sheet[:SIZE, :SIZE], pixels(folder / "images" / "00000.png"))
    kept = [image for number, image in enumerate(trained.images) if number % 5 != 4]
    for column in range(1, 6):
        beside = sheet[:SIZE, column * step : column * step + SIZE]
        assert any(np.array_equal(beside, image) for image in kept)


def test_a_request_to_stop_is_heard(run):
    with pytest.raises(Stopped, match="64 of 200"):
        run(count=200, should_stop=lambda: True)
