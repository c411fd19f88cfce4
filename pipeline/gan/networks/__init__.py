"""The two networks of a GAN as Keras models, built from a definition."""

from pipeline.gan.networks.discriminator import build_discriminator
from pipeline.gan.networks.generator import build_generator
from pipeline.gan.networks.staged import Staged

__all__ = ["Staged", "build_discriminator", "build_generator"]
