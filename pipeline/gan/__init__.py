"""The GAN: stages `train_gan` and `generate`, and `Dcgan`, the same as an object for notebooks and scripts.

config/       a definition: a JSON file -> a checked `Definition`        networks/    definition -> Keras models
training/     the loop, one step, its inputs, losses, checkpoints        evaluation/  features, metrics, diagnostics
sampling      `latents` -> samples -> sample sheets; `plots`, `video`, `tensorboard_events` and `model_card` (its text:
              `card_text`) show a training; `model_repository` lays it out for the Hugging Face Hub
classes       of a conditional GAN (`class_names`); `start` begins with another's networks; `frozen_network` has weights
sampler       draws samples for the studio, in a process of its own, with the network of `trained_generator`
`from pipeline.gan import Dcgan` loads TensorFlow; this file does not.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.gan.dcgan import Dcgan

__all__ = ["Dcgan"]


def __getattr__(name: str) -> Any:
    if name != "Dcgan":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipeline.gan.dcgan import Dcgan

    return Dcgan
