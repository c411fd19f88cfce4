"""Samples of a generator as content: the pixels that the stage generate makes, and a digest that needs no drawing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan import trained_generator
from pipeline.gan.sampling import draw_samples, fixed_latents
from pipeline.style.drawn_content import DrawnContent

SAMPLE = DrawnContent(gan=Path("models/demo/gan/1a2b"), generator="a" * 64, dataset="demo", seed=3, number=70)


@pytest.fixture
def generator(monkeypatch):
    keras.utils.set_random_seed(1)
    latents = keras.Input((6,))
    drawn = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64, activation="tanh")(latents))
    model = keras.Model(latents, drawn)
    monkeypatch.setattr(trained_generator, "load_generator", lambda folder: model)
    return model


def test_a_sample_is_that_of_the_stage_generate(generator):
    expected = draw_samples(generator, fixed_latents(71, size=6, seed=3, truncation=0.0))[70]
    found = SAMPLE.draw()
    np.testing.assert_array_equal(found.pixels, np.repeat(expected, 3, axis=2))
    assert found.digest == SAMPLE.digest
    assert found.origin == "sample 70 of seed 3 from models/demo/gan/1a2b"


@pytest.mark.parametrize("change", [{"generator": "b" * 64}, {"seed": 4}, {"number": 71}])
def test_another_sample_has_another_digest(change):
    assert replace(SAMPLE, **change).digest != SAMPLE.digest


def test_where_the_generator_lies_does_not_matter():
    assert replace(SAMPLE, gan=Path("elsewhere")).digest == SAMPLE.digest


def test_names_sort_by_number():
    assert SAMPLE.name == "demo-3-00070"
