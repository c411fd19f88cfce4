"""Networks: from a definition to the generator and the discriminator as Keras models.

`generator` and `discriminator` say which layers there are; `builder` makes and names them, and lets networks grow;
`layers` has those that Keras lacks; `export` writes plain .keras files and reads them back.
"""

from pipeline.gan.networks.builder import GrowingNetwork
from pipeline.gan.networks.discriminator import build_discriminator
from pipeline.gan.networks.generator import build_generator

__all__ = ["GrowingNetwork", "build_discriminator", "build_generator"]
