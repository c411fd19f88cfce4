"""The generator: its definition, networks, training, samples and scores. This file stays free of TensorFlow.

`from pipeline.gan import Dcgan` is the whole of it as an object; TensorFlow is loaded with it, and not before.
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
