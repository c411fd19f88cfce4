"""The generator of a finished training, for what draws samples: the stage generate, and the sampler of the studio."""

from pathlib import Path

from pipeline.devices import keras
from pipeline.errors import DamagedState, UserError
from pipeline.gan.config import read_definition
from pipeline.gan.networks.export import GENERATOR, read_generator
from pipeline.gan.training.saved import DEFINITION
from pipeline.store import verified
from pipeline.store.npz import UnusableFile

REMEDY = "`python -m tasks rerun gan` makes it again"


def load_generator(gan: Path) -> keras.Model:
    """Load the generator in the finished folder `gan`. Errors: `DamagedState`."""
    path, definition = gan / GENERATOR, gan / DEFINITION
    if missing := [each for each in (path, definition) if not each.exists()]:
        raise DamagedState(f"{missing[0]} is missing; {REMEDY}")
    for each in (path, definition):
        verified.read_bytes(gan, each.name)
    try:
        return read_generator(path, read_definition(definition))
    except UnusableFile as error:
        raise DamagedState(f"{path} is not a generator of its {DEFINITION}: it {error}; {REMEDY}") from None
    except UserError as error:
        raise DamagedState(f"{error}; {REMEDY}") from None
