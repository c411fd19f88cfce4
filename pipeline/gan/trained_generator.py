"""The generator of a finished training, for what draws samples: the stage generate, and the sampler of the studio."""

from pathlib import Path

from pipeline.devices import keras
from pipeline.errors import DamagedState, UserError
from pipeline.gan.class_names import CLASSES, read_names
from pipeline.gan.config import read_definition
from pipeline.gan.networks.export import GENERATOR, read_generator
from pipeline.gan.training.saved import DEFINITION
from pipeline.store import verified
from pipeline.store.npz import UnusableFile

REMEDY = "`python -m tasks rerun gan` makes it again"


def class_names(gan: Path) -> tuple[str, ...]:
    """The names of the classes of the generator in the finished folder `gan`, in the order of the numbers of a latent
    that choose them; none of an unconditional one. Errors: `DamagedState`."""
    if (gan / CLASSES).exists():
        verified.read_bytes(gan, CLASSES)
    return read_names(gan)


def load_generator(gan: Path) -> keras.Model:
    """Load the generator in the finished folder `gan`. Errors: `DamagedState`."""
    path, definition, names = gan / GENERATOR, gan / DEFINITION, class_names(gan)
    if missing := [each for each in (path, definition) if not each.exists()]:
        raise DamagedState(f"{missing[0]} is missing; {REMEDY}")
    for each in (path, definition):
        verified.read_bytes(gan, each.name)
    try:
        return read_generator(path, read_definition(definition), classes=len(names))
    except UnusableFile as error:
        raise DamagedState(f"{path} is not a generator of its {DEFINITION}: it {error}; {REMEDY}") from None
    except UserError as error:
        raise DamagedState(f"{error}; {REMEDY}") from None
