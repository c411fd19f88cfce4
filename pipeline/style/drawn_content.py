"""Samples of a trained generator as the content of a style transfer: "draw eight toadstools in this style"."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.store.digest import of_value
from pipeline.style.style_pictures import Picture


@dataclass(frozen=True, kw_only=True)
class DrawnContent:
    """The sample `number` of `seed` from the generator in the finished folder `gan` of the stage gan.

    It is the sample that the stage generate makes with this seed under this number.
    """

    gan: Path
    generator: str  # digest of the generator's weights
    dataset: str
    seed: int
    number: int

    @property
    def name(self) -> str:
        """A name for people and files."""
        return f"{self.dataset}-{self.seed}-{self.number:05d}"

    @property
    def digest(self) -> str:
        """What the sample follows from, so that it need not be drawn to find what was made of it."""
        facts = asdict(self)
        del facts["gan"], facts["dataset"]
        return of_value(["sample", facts])

    def draw(self) -> Picture:
        """Draw the sample. Loads TensorFlow. Errors: `DamagedState` for a damaged generator."""
        from pipeline.gan.sampling import numbered_samples
        from pipeline.gan.trained_generator import load_generator

        generator = load_generator(self.gan)
        sample = numbered_samples(generator, self.seed, self.number, 1, truncation=0.0)[0]
        return Picture(
            pixels=np.ascontiguousarray(np.broadcast_to(sample, (*sample.shape[:2], 3))),
            name=self.name,
            digest=self.digest,
            origin=f"sample {self.number} of seed {self.seed} from {self.gan.as_posix()}",
        )
