"""The networks of a multi-scale GAN: pictures of every side, each from its own head, all judged by one logit."""

import numpy as np
import pytest

from pipeline.gan.networks import build_discriminator, build_generator
from pipeline.gan.networks.export import read_generator, write_networks
from pipeline.gan.networks.pyramid import pyramid
from tests.gan.drawn_discs import draw_discs
from tests.gan.step_runner import define

tf = pytest.importorskip("tensorflow")

PLAIN = {"norm": "none", "initial": "he"}
KINDS = {
    "dcgan": {},
    "resize, layer norm, stddev": {
        "generator": {"norm": "layer", "upsample": "resize"},
        "discriminator": PLAIN | {"minibatch": "stddev"},
    },
    "residual": {"generator": {"blocks": "residual"}, "discriminator": PLAIN | {"blocks": "residual"}},
    "spectral, attention": {
        "generator": {"weights": "spectral", "attention": [8]},
        "discriminator": PLAIN | {"weights": "spectral", "attention": [8]},
    },
    "weight, discrimination": {
        "generator": PLAIN | {"weights": "weight"},
        "discriminator": {"norm": "layer", "weights": "weight", "minibatch": "discrimination"},
    },
}
LATENTS = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)


def networks(tree: dict | None = None, *, size: int = 16, channels: int = 3, **options):
    """The generator and the discriminator of a multi-scale `tree`."""
    definition = define({"multi_scale": True, **(tree or {})})
    shape = {"size": size, "channels": channels, "seed": 0}
    return build_generator(definition, **shape, **options), build_discriminator(definition, **shape, **options)


def joint(network):
    """The model that training uses."""
    return network.at(0, fading=False)


def discs() -> np.ndarray:
    return draw_discs(4).astype(np.float32) / 127.5 - 1


def at_every_side(pictures: np.ndarray) -> tuple:
    return pyramid(tf.constant(pictures), [4, 8, 16])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("size", "channels", "expected"), [(16, 3, [4, 8, 16]), (40, 1, [5, 10, 20, 40])])
def test_generator_gives_a_picture_of_every_side_and_the_discriminator_takes_them(kind, size, channels, expected):
    generator, discriminator = networks(kind, size=size, channels=channels)
    pictures = joint(generator)(LATENTS, training=True)
    assert [tuple(each.shape) for each in pictures] == [(4, side, side, channels) for side in expected]
    for each in map(np.asarray, pictures):
        assert each.dtype == np.float32
        assert 0 < np.abs(each).max() <= 1
        assert np.abs(each[0] - each[1]).max() > 1e-5
    logits, features = joint(discriminator)(pictures, training=True)
    assert (tuple(logits.shape), features.shape[0]) == ((4, 1), 4)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_picture_is_made_by_a_convolution_of_1_px_from_the_map_of_its_side(kind):
    generator, _ = networks(kind, size=32)
    heads = [generator.layers.get(f"head_{level}") for level in range(4)]
    assert [head.kernel.shape[:2] for head in heads] == [(1, 1)] * 4
    assert [head.kernel.shape[2] for head in heads] == [8, 8, 4, 2]  # the width of each map, half of it at full size
    assert [head.output.shape[1] for head in heads] == [4, 8, 16, 32]
    assert all(layer.activation.__name__ == "tanh" for layer in joint(generator).layers[-4:])
    assert generator.layers.get("image_2") is None


def test_whole_networks_are_those_of_full_size():
    generator, discriminator = networks()
    pictures = joint(generator)(LATENTS)
    assert np.allclose(generator.whole(LATENTS), pictures[-1], atol=1e-6)
    assert not any("head_0" in layer.name for layer in generator.whole.layers)
    logits = joint(discriminator)(at_every_side(discs()))[0]
    assert np.allclose(discriminator.whole(discs())[0], logits, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_logit_has_a_gradient_by_the_picture_of_every_side(kind):
    _, discriminator = networks(kind)
    for layer in discriminator.layers._layers.values():  # blocks and gates that start at zero
        if "down" in layer.name and not np.asarray(layer.trainable_variables[0]).any():
            layer.trainable_variables[0].assign(np.full(layer.trainable_variables[0].shape, 0.01))
    pictures = at_every_side(discs())
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        logits = joint(discriminator)(pictures)[0]
    for slope in tape.gradient(logits, pictures):
        assert (np.abs(slope).max(axis=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("blocks", ["plain", "residual"])
def test_discriminator_compares_the_sides_even_at_the_coarsest(blocks):
    """The logit is no sum of a term for each side: what the coarsest picture changes depends on the others."""
    _, discriminator = networks({"discriminator": PLAIN | {"blocks": blocks}})
    here, there = (at_every_side(each) for each in (discs(), discs()[::-1].copy()))

    def change(fine) -> np.ndarray:
        one, other = (joint(discriminator)((coarse, *fine[1:]))[0] for coarse in (here[0], there[0]))
        return np.asarray(one - other)

    assert not np.allclose(change(here), change(there), rtol=0.01)


def test_attention_at_full_size_is_ignored_as_without_multi_scale():
    with_it, without = (networks({"generator": {"attention": sides}})[0] for sides in ([16], []))
    assert len(with_it.variables) == len(without.variables)
    assert len(networks({"generator": {"attention": [8]}})[0].variables) > len(without.variables)


def test_pictures_and_logits_are_float32_in_bfloat16():
    generator, discriminator = networks(dtype="mixed_bfloat16")
    exact, precise = networks()
    pictures = joint(generator)(LATENTS)
    for each, expected in zip(pictures, joint(exact)(LATENTS), strict=True):
        assert np.asarray(each).dtype == np.float32
        assert np.allclose(each, expected, atol=0.05)
    logits = np.asarray(joint(discriminator)(pictures)[0])
    assert logits.dtype == np.float32
    assert np.allclose(logits, joint(precise)(pictures)[0], atol=0.05)


@pytest.mark.parametrize("size", [16, 48])
def test_saved_generator_is_read_again_with_full_size_only(tmp_path, size):
    generator, discriminator = networks(size=size, channels=1)
    definition = define({"multi_scale": True})
    write_networks(definition, tmp_path, generator=generator, discriminator=discriminator)
    read = read_generator(tmp_path / "generator.keras", definition)
    assert read.output_shape == (None, size, size, 1)
    assert np.allclose(read(LATENTS), joint(generator)(LATENTS)[-1], atol=1e-6)
