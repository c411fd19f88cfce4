import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.config import Definition
from pipeline.gan.config.schema import Generator
from pipeline.gan.networks import build_generator
from tests.gan.step_runner import define

KINDS = {
    "dcgan": {},
    "residual": {"blocks": "residual"},
    "resize": {"upsample": "resize", "norm": "layer"},
    "no norm": {"norm": "none", "initial": "he", "blocks": "residual"},
    "spectral": {"weights": "spectral", "attention": [8]},
    "weight": {"weights": "weight", "norm": "none"},
    "skip excitation": {"skip_excitation": True},
}
PUBLISHED = Generator(width=64, upsample="transposed")  # by Radford et al. 2016
LATENTS = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)


def build(kind: dict | None = None, **options):
    return build_generator(define({"generator": kind or {}}), **{"size": 16, "channels": 3, "seed": 0} | options)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("size", "channels"), [(16, 3), (24, 1)])
def test_generator_gives_a_different_picture_for_each_latent(kind, size, channels):
    pictures = np.asarray(build(kind, size=size, channels=channels).whole(LATENTS, training=True))
    assert pictures.shape == (4, size, size, channels)
    assert pictures.dtype == np.float32
    assert 0 < np.abs(pictures).max() <= 1
    assert np.abs(pictures[0] - pictures[1]).max() > 1e-4


def test_pictures_are_float32_from_a_bfloat16_generator():
    pictures = np.asarray(build(dtype="mixed_bfloat16").whole(LATENTS))
    assert pictures.dtype == np.float32
    assert np.allclose(pictures, build().whole(LATENTS), atol=0.05)


def test_dcgan_generator_at_64_px_has_3_6_million_weights():
    generator = build_generator(
        Definition(generator=Generator(width=64, upsample="transposed")), size=64, channels=3, seed=0
    )
    count = sum(int(np.prod(weight.shape)) for weight in generator.trainable_variables)
    dense, convolutions = 100 * 8192, 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    assert count == dense + convolutions + 2 * (512 + 256 + 128 + 64) + 3


def test_initial_weights_depend_on_the_seed_only():
    first, again, other = (build(seed=seed).whole.get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_initial_weights_of_a_layer_do_not_depend_on_other_layers():
    plain, more = (build(kind).layers.get("up_1").kernel for kind in ({}, {"attention": [4]}))
    assert np.array_equal(plain, more)


@pytest.mark.parametrize(
    ("initial", "upsample", "deviation"),
    [
        ("dcgan", "transposed", 0.02),
        ("dcgan", "resize", 0.02),
        ("he", "transposed", np.sqrt(2 / (4 * 4 * 256 / 4))),
        ("he", "resize", np.sqrt(2 / (3 * 3 * 256))),
    ],
)
def test_initial_kernels_have_the_requested_deviation(initial, upsample, deviation):
    network = {"initial": initial, "upsample": upsample, "width": 128, "max_width": 256}
    kernel = np.asarray(build(network).layers.get("up_1").kernel)
    assert kernel.std() == pytest.approx(deviation, rel=0.02)


def test_he_initialisation_keeps_the_signal_variance():
    generator = build({"initial": "he", "norm": "none", "width": 32, "max_width": 256}, size=64).whole
    latents = np.random.default_rng(0).standard_normal((16, 6)).astype(np.float32)
    assert 0.2 < np.asarray(generator(latents)).std() < 0.9


def test_generator_without_norm_has_no_statistics():
    assert build({"norm": "none"}).whole.non_trainable_variables == []


def test_attention_at_missing_sides_is_ignored():
    assert len(build({"attention": [32, 64]}).variables) == len(build().variables)
    assert len(build({"attention": [8, 64]}).variables) > len(build().variables)


def test_skip_excitation_weights_the_channels_of_a_map_16_times_as_wide():
    options = {"size": 128, "seed": 0}
    plain, skipping = build(**options), build({"skip_excitation": True}, **options)
    assert {layer.name for layer in skipping.whole.layers if layer.name.startswith("excite")} == {
        "excite_4a",
        "excite_4b",
    }
    for layer in plain.whole.layers:
        if layer.get_weights():
            assert all(map(np.array_equal, layer.get_weights(), skipping.layers.get(layer.name).get_weights()))
    kernel = skipping.layers.get("excite_4b").kernel
    kernel.assign(kernel * 0)  # the sigmoid of 0: every channel counts half
    for part in plain.layers.get("image_4").trainable_variables[:1]:
        part.assign(part / 2)
    a, b = (np.asarray(each.whole(LATENTS)) for each in (plain, skipping))
    assert np.allclose(a, b, atol=1e-5)


def test_pictures_too_small_for_skip_excitation_have_none():
    sizes = [len(build(kind, size=64).variables) for kind in ({}, {"skip_excitation": True})]
    assert sizes[0] == sizes[1]


def test_size_that_cannot_be_halved_is_refused():
    with pytest.raises(UserError, match="48 or 56"):
        build(size=50)


def test_generator_fades_in_from_the_side_below():
    definition = define({"generator": {"norm": "layer"}, "discriminator": {"norm": "none"}, "growing": {"start": 8}})
    generator = build_generator(definition, size=16, channels=3, seed=0)
    small = np.asarray(generator.at(0, fading=False)(LATENTS))
    twice = small.repeat(2, axis=1).repeat(2, axis=2)
    whole = np.asarray(generator.whole(LATENTS))
    for fade in (0.0, 0.25, 1.0):
        generator.set_fade(fade)
        mixed = twice + (whole - twice) * fade
        assert np.allclose(generator.at(1, fading=True)(LATENTS), mixed, atol=1e-6)
