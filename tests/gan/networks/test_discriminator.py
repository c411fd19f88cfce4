import numpy as np
import pytest

from pipeline.gan.config import Definition
from pipeline.gan.config.schema import Discriminator
from pipeline.gan.networks import build_discriminator
from tests.gan.drawn_discs import draw_discs
from tests.gan.step_runner import define

PAPERS = Definition(discriminator=Discriminator(width=64))

KINDS = {
    "dcgan": {},
    "residual": {"blocks": "residual", "norm": "none", "initial": "he"},
    "layer norm": {"norm": "layer"},
    "spectral": {"weights": "spectral", "norm": "none", "attention": [8], "blocks": "residual"},
    "weight": {"weights": "weight", "norm": "none"},
    "stddev": {"minibatch": "stddev"},
    "discrimination": {"minibatch": "discrimination"},
}


def build(kind: dict | None = None, **options):
    definition = define({"discriminator": kind or {}})
    return build_discriminator(definition, **{"size": 16, "channels": 3, "seed": 0} | options)


def pictures(**shape) -> np.ndarray:
    return draw_discs(4, **shape).astype(np.float32) / 127.5 - 1


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("shape", [{"size": 16, "channels": 3}, {"size": 24, "channels": 1}], ids=str)
def test_discriminator_gives_logits_and_features(kind, shape):
    logits, features = map(np.asarray, build(kind, **shape).whole(pictures(**shape), training=True))
    assert logits.shape == (4, 1)
    assert features.shape[0] == 4
    assert features.ndim == 2
    assert {logits.dtype, features.dtype} == {np.dtype(np.float32)}
    assert np.ptp(logits) > 0


def test_logit_is_a_weighted_sum_of_the_features():
    network = build()
    logits, features = map(np.asarray, network.whole(pictures()))
    kernel, bias = network.layers.get("logit").get_weights()
    assert np.allclose(logits, features @ kernel + bias, atol=1e-5)


def test_logits_are_float32_in_a_bfloat16_discriminator():
    logits = np.asarray(build(dtype="mixed_bfloat16").whole(pictures())[0])
    assert logits.dtype == np.float32
    assert np.allclose(logits, build().whole(pictures())[0], atol=0.05)


def test_dcgan_discriminator_at_64_px_has_2_8_million_weights():
    discriminator = build_discriminator(PAPERS, size=64, channels=3, seed=0)
    count = sum(int(np.prod(weight.shape)) for weight in discriminator.trainable_variables)
    convolutions = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    assert count == convolutions + 64 + 2 * (128 + 256 + 512) + 512 * 4 * 4 + 1


def test_layers_of_the_same_shape_start_with_different_weights():
    network = build({"width": 4, "max_width": 4}, size=32, channels=4)
    first, second = (np.asarray(network.layers.get(name).kernel).ravel() for name in ("read_2", "down_1"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3


@pytest.mark.parametrize("minibatch", ["stddev", "discrimination"])
def test_minibatch_layer_makes_logits_depend_on_the_batch(minibatch):
    network = build({"minibatch": minibatch, "norm": "none", "initial": "he"}).whole
    different = pictures()
    alike = np.repeat(different[:1], 4, axis=0)
    assert not np.isclose(network(different)[0][0, 0], network(alike)[0][0, 0], rtol=1e-4)
    without = build({"norm": "none", "initial": "he"}).whole
    assert np.isclose(without(different)[0][0, 0], without(alike)[0][0, 0], rtol=1e-4)


@pytest.mark.parametrize("attention", [[], [4], [4, 8]], ids=str)
def test_discriminator_fades_in_from_the_side_below(attention):
    kind = {"norm": "none", "initial": "he", "attention": attention}
    definition = define({"discriminator": kind, "growing": {"start": 8}})
    network = build_discriminator(definition, size=16, channels=3, seed=0)
    half = pictures().reshape(4, 8, 2, 8, 2, 3).mean(axis=(2, 4))
    fading = network.at(1, fading=True)
    network.set_fade(0.0)
    assert np.allclose(fading(pictures())[0], network.at(0, fading=False)(half)[0], atol=1e-5)
    network.set_fade(1.0)
    assert np.allclose(fading(pictures())[0], network.whole(pictures())[0], atol=1e-5)


def test_residual_blocks_without_norm_start_as_their_shortcuts():
    network = build({"blocks": "residual", "norm": "none", "initial": "he"})
    assert not np.asarray(network.layers.get("down_0").kernel).any()
    assert np.asarray(network.layers.get("conv_0").kernel).any()
