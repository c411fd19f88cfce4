"""Networks: from a definition to the generator and the discriminator as Keras models.

`generator` and `discriminator` define the layers of each network, `class_head`, `decoder` and `vision_aid` what a
discriminator can have beside it; `builder` makes and names the layers, and builds the
stages of a growing network; `layers` has the layers that Keras lacks; `pyramid` has the pictures of a multi-scale GAN
at all their sides; `export` writes plain .keras files and reads them; `onnx_export` writes a generator as ONNX.
"""

from pipeline.gan.networks.builder import GrowingNetwork
from pipeline.gan.networks.discriminator import build_discriminator
from pipeline.gan.networks.generator import build_generator

__all__ = ["GrowingNetwork", "build_discriminator", "build_generator"]
