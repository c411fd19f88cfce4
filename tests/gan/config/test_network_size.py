import math

import pytest

from pipeline.gan.config import read_definition
from pipeline.gan.config.loading import BUILT_IN_DEFINITIONS
from pipeline.gan.config.resolutions import min_weight_bytes
from pipeline.gan.networks import build_discriminator, build_generator
from tests.gan.step_runner import define

NARROW = {"width": 8, "max_width": 16}
TREES = {
    "plain": {},
    "resize": {"generator": {"upsample": "resize"}},
    "residual": {"generator": {"blocks": "residual"}, "discriminator": {"blocks": "residual", "minibatch": "stddev"}},
    "attention": {
        "generator": {"attention": [8]},
        "discriminator": {"attention": [8], "norm": "none", "minibatch": "discrimination"},
    },
    "multi-scale": {"multi_scale": True},
    "multi-scale, residual": {
        "multi_scale": True,
        "generator": {"blocks": "residual", "norm": "none"},
        "discriminator": {"blocks": "residual", "norm": "none"},
    },
    "growing": {"discriminator": {"norm": "none", "weights": "spectral"}, "growing": {"start": 8}},
}


@pytest.mark.parametrize("name", TREES)
def test_min_weight_bytes_is_slightly_below_the_real_size(name):
    tree = {role: NARROW | TREES[name].get(role, {}) for role in ("generator", "discriminator")}
    definition, shape = define({**TREES[name], **tree}), {"size": 16, "channels": 1}
    least = min_weight_bytes(definition, **shape)
    for network, build in (("generator", build_generator), ("discriminator", build_discriminator)):
        taken = 4 * sum(math.prod(variable.shape) for variable in build(definition, **shape, seed=0).variables)
        assert least[network] <= taken < 2.5 * least[network]
    assert least["average"] == least["generator"]


def test_min_weight_bytes_of_the_widest_network_is_computed_without_building_it():
    wide = {"width": 1024, "max_width": 4096}
    least = min_weight_bytes(define({"generator": wide, "discriminator": wide}), size=512, channels=3)
    assert min(least.values()) > 1 << 30


@pytest.mark.parametrize("path", sorted(BUILT_IN_DEFINITIONS.glob("[!s]*.json")), ids=lambda path: path.stem)
def test_min_weight_bytes_of_every_built_in_definition_is_plausible(path):
    assert 1 << 16 < min_weight_bytes(read_definition(path), size=64, channels=3)["generator"] < 1 << 28
