"""The generator of a finished training, for what draws samples: the stage generate, and the sampler of the studio."""

from pathlib import Path

from pipeline.devices import keras
from pipeline.errors import DamagedState, UserError
from pipeline.gan.class_names import CLASSES, read_names
from pipeline.gan.config import Definition, read_definition
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
    names, path = class_names(gan), _undamaged(gan, GENERATOR)
    definition = _definition_in(gan)
    try:
        return read_generator(path, definition, classes=len(names))
    except UnusableFile as error:
        raise DamagedState(f"{path} is not a generator of its {DEFINITION}: it {error}; {REMEDY}") from None


def _definition_in(gan: Path) -> Definition:
    """The definition of the generator in the finished folder `gan`. Errors: `DamagedState`."""
    try:
        return read_definition(_undamaged(gan, DEFINITION))
    except UserError as error:
        raise DamagedState(f"{error}; {REMEDY}") from None


def _undamaged(gan: Path, name: str) -> Path:
    path = gan / name
    if not path.exists():
        raise DamagedState(f"{path} is missing; {REMEDY}")
    verified.read_bytes(gan, name)
    return path
