import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.definition import Definition, Network
from pipeline.gan.networks import build_discriminator, build_generator

SMALL = Definition(latent=6, generator=Network(width=4), discriminator=Network(width=4))


@pytest.mark.parametrize(("size", "channels"), [(16, 3), (48, 1), (64, 3)])
def test_the_two_networks_fit_together(size, channels):
    built = {"size": size, "channels": channels, "seed": 0}
    images = build_generator(SMALL, **built)(np.zeros((2, 6), np.float32))
    assert images.shape == (2, size, size, channels)
    assert build_discriminator(SMALL, **built)(images).shape == (2, 1)
    assert np.abs(images).max() <= 1


def test_dcgan_at_64_px_has_its_6_million_weights():
    built = {"size": 64, "channels": 3, "seed": 0}
    networks = build_generator(Definition(), **built), build_discriminator(Definition(), **built)
    count = sum(int(np.prod(weight.shape)) for network in networks for weight in network.trainable_weights)
    assert 6_000_000 < count < 6_500_000


def test_weights_follow_from_the_seed_alone():
    first, again, other = (build_generator(SMALL, size=16, channels=3, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_no_two_layers_start_alike():
    kernels = [w for w in build_discriminator(SMALL, size=32, channels=4, seed=0).get_weights() if w.ndim == 4]
    assert abs(np.corrcoef(kernels[0][..., :4].ravel(), kernels[1][:, :, :4, :4].ravel())[0, 1]) < 0.3


def test_without_norm_there_are_no_statistics():
    plain = Definition(generator=Network(width=4, norm="none"), discriminator=Network(width=4, norm="none"))
    for build in (build_generator, build_discriminator):
        network = build(plain, size=32, channels=3, seed=0)
        assert network.non_trainable_variables == []


def test_a_size_that_does_not_halve_is_refused():
    with pytest.raises(UserError, match="48 or 56"):
        build_generator(SMALL, size=50, channels=3, seed=0)
