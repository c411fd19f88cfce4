"""The samples of a `Dcgan`: the latents that it draws them from, samples as arrays, and sheets in a notebook."""

from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import UserError
from pipeline.gan import validation
from pipeline.gan.class_names import find_class
from pipeline.gan.config import Definition
from pipeline.gan.notebook import show_samples
from pipeline.gan.sampling import as_latents, fixed_latents
from pipeline.gan.training.loop import Trainer
from pipeline.gan.training.session import Session
from pipeline.gan.validation import check_number, check_whole

if TYPE_CHECKING:
    from PIL import Image


class DcganSamples(validation.KnownAttributes):
    """What a `Dcgan` generates, by the averaged generator of its session."""

    _session: Session

    @property
    def definition(self) -> Definition:
        """How the networks are built and trained, but for a batch size and a smoothing that `train` was given."""
        return self._training.definition

    @property
    def seed(self) -> int:
        """The seed of every random draw."""
        return self._training.config.seed

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the last numbers of a latent; none if it is not conditional."""
        return self._session.class_names

    @property
    def fixed_latents(self) -> np.ndarray:
        """The latents (64, latent) float32 of the sample sheets."""
        return self._training.latents.copy()

    def sample_latents(
        self, count: int, seed: int | None = None, *, truncation: float = 0.0, class_name: str | int | None = None
    ) -> np.ndarray:
        """`count` latents (count, latent) float32, standard normal; a larger `count` begins with the same latents.

        Without a `seed` it is the GAN's own, whose first latents are those of the sample sheets, unless it is
        conditional. With a `truncation` above 0 no value is further than that from 0: less varied samples, each
        likelier. A latent of a conditional GAN has a number more for each class, of which the largest chooses the
        class: `class_name` chooses one for all, without it all classes are as likely.
        """
        count = check_whole("count", count, least=1, most=validation.MOST_SAMPLES)
        truncation = check_number("truncation", truncation)
        seed = self.seed if seed is None else check_whole("seed", seed)
        chosen = find_class("" if class_name is None else str(class_name), self.class_names)
        return fixed_latents(count, size=self._latent_size, seed=seed, truncation=truncation, chosen=chosen)

    def generate(
        self,
        count: int | None = None,
        *,
        seed: int | None = None,
        truncation: float = 0.0,
        class_name: str | int | None = None,
        latents: np.ndarray | None = None,
    ) -> np.ndarray:
        """Generate samples (N, S, S, C) uint8 with the averaged generator from `latents` (N, latent).

        Without `latents` it uses `count` latents of `sample_latents`, by default 64. No sample is selected: the n-th
        depends on the seed, n, the truncation and the class only.
        """
        if count is not None and np.ndim(count):
            raise UserError(f"count is an array of shape {np.shape(count)}: give latents by name, generate(latents=…)")
        if latents is None:
            count = len(self._training.latents) if count is None else count
            latents = self.sample_latents(count, seed, truncation=truncation, class_name=class_name)
        else:
            given = {"count": count, "seed": seed, "truncation": truncation or None, "class_name": class_name}
            validation.refuse_beside_latents(**given)
        return self._training.draw(as_latents(latents, size=self._latent_size))

    def show(
        self,
        count: int = 16,
        *,
        seed: int | None = None,
        truncation: float = 0.0,
        class_name: str | int | None = None,
    ) -> "Image.Image | None":
        """Show `count` samples of `generate` in a notebook; elsewhere return their sheet as a Pillow picture."""
        count = check_whole("count", count, least=1, most=validation.MOST_SHOWN)
        samples, training = (
            self.generate(count, seed=seed, truncation=truncation, class_name=class_name),
            self._training,
        )
        return show_samples(samples, f"{len(samples)} samples of {training.config.name}, {training.epoch} epochs done")

    @property
    def _latent_size(self) -> int:
        return self.definition.latent + len(self.class_names)

    @property
    def _training(self) -> Trainer:
        return self._session.training
