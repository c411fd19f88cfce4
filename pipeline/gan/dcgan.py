"""The GAN as an object, for notebooks and scripts: the same networks, step and loop that the pipeline trains with.

    import numpy as np
    from pipeline.gan import Dcgan

    images = np.load("pictures.npy")                    # (N, S, S, 3) or (N, S, S), uint8, or floats from 0 to 1
    gan = Dcgan(images, "dcgan", seed=1)                # or a path, a dict as in models/*.json, or nothing: DCGAN
    history = gan.train(images, epochs=50, minutes=10)  # whichever comes first
    history.plot("plots")                               # without a folder: Matplotlib's figures
    history.d_loss, history.g_loss, history.accuracy    # an epoch each

    gan.generate(64)                                    # (64, S, S, 3) uint8, of the averaged generator
    gan.generate(64, seed=7, truncation=1.5)
    gan.generate(latents=gan.sample_latents(2, seed=3))
    gan.discriminate(images)                            # how real it finds each of them, from 0 to 1
    gan.evaluate(images)                                # losses and accuracies, while nothing learns
    gan.score(images)                                   # KID, precision, recall, diversity, copies

    gan.save("my-gan")                                  # with a model card; nothing in it is pickled
    gan = Dcgan.load("my-gan")                          # also what the stage gan left: models/<dataset>/gan/latest
    gan.train(images, epochs=50)                        # goes on as if it had never ended

A training that should outlive its process is given a folder, in which checkpoints, sheets of samples and plots appear:
`gan.train(images, folder="run")`; after a crash `Dcgan.load("run").train(images, folder="run")` goes on there.
"""

import warnings
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from pipeline.devices import ComputeMode, keras, prepare_devices
from pipeline.errors import UserError
from pipeline.gan.config import Definition
from pipeline.gan.config.loading import Given, NamedDefinition, choose_definition
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.evaluation.evaluator import DiscriminatorEvaluator, Evaluation, SampleEvaluator, SampleScores
from pipeline.gan.evaluation.features import choose_extractor
from pipeline.gan.history import History
from pipeline.gan.model_card import write_card
from pipeline.gan.networks.export import write_networks
from pipeline.gan.sampling import GRID, SampleSheets, as_latents, fixed_latents
from pipeline.gan.training.loop import TrainConfig, Trainer
from pipeline.gan.training.observer import NullObserver, Observer
from pipeline.gan.training.saved import read_saved
from pipeline.gan.training.session import Session
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import FEWEST
from pipeline.gan.tuning import choose_compute_mode
from pipeline.gan.validation import Shape, as_pictures, check_shape, finite, whole
from pipeline.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class Measured(SampleScores):
    """The figures of some samples against reals, and what they hang on: others cannot be compared with them."""

    extractor: str


class Dcgan:
    """A generator and a discriminator for pictures of one shape, at some point of their training.

    `like` are pictures (N, S, S, C) or (N, S, S), or the shape of one, (S, S, C) or (S, S); nothing is learnt yet.
    `definition` is the name of a file in models/, the path of one, a dict as such a file has it, a `Definition`, or
    None for the defaults, DCGAN. Every random draw follows from `seed`.
    Errors: `UserError` for pictures of a shape, or a definition, that no networks can be built for.
    """

    def __init__(self, like: np.ndarray | tuple[int, ...], definition: Given = None, *, seed: int = 0) -> None:
        shape = check_shape(like) if _is_shape(like) else as_pictures(like).shape[1:]
        self._begin(shape, choose_definition(definition), whole("seed", seed))

    def _begin(self, shape: Shape, named: NamedDefinition, seed: int, way: ComputeMode | None = None) -> None:
        """Build the networks, which compute in `way`, or else as this machine does fastest."""
        size, _, channels = shape
        for told in Resolutions.of(shape[0]).unattended(named.definition):
            warnings.warn(told, stacklevel=2)
        way = way or choose_compute_mode(named.definition, size=size, channels=channels)
        prepare_devices(way.threads)
        self._session = Session(TrainConfig(epochs=1, seed=seed, name=named.name), named.definition, shape, way=way)

    def __repr__(self) -> str:
        """Such as <Dcgan for 64 x 64 x 3: 'dcgan', 12 epochs done>."""
        shape = " x ".join(map(str, self.image_shape))
        return f"<Dcgan for {shape}: {self._training.terms.name!r}, {self.epochs} epochs done>"

    @classmethod
    def load(cls, folder: Path | str) -> "Dcgan":
        """What `save`, or a training in `folder`, or the stage gan has left, at the point it came to.

        It goes on as if it had never ended, and `folder` stays as it is. What draws is the averaged generator of the
        last step, where the stage's generator.keras may be that of the best epoch.
        Errors: `UserError` where there is no such thing, or it is damaged.
        """
        found = read_saved(Path(folder))
        gan = cls.__new__(cls)
        gan._begin(found.origin.shape, found.named, found.origin.seed, found.origin.way)
        gan._session.take_up(found)
        return gan

    @property
    def definition(self) -> Definition:
        """How the networks are built and trained."""
        return self._training.definition

    @property
    def image_shape(self) -> Shape:
        """Of one picture, (S, S, C)."""
        return self._training.images.shape[1:]

    @property
    def seed(self) -> int:
        """What every random draw follows from."""
        return self._training.terms.seed

    @property
    def epochs(self) -> int:
        """Whole epochs done."""
        return self._training.epoch

    @property
    def history(self) -> History:
        """The figures of each epoch so far."""
        return History(tuple(self._training.log.rows))

    @property
    def state(self) -> TrainState:
        """All that training changes: both networks, both optimizers, the average."""
        return self._training.state

    @property
    def generator(self) -> keras.Model:
        """From latents (N, latent) to pictures (N, S, S, C) in [-1, 1]: the averaged generator, which draws.

        Training moves its weights. The one that learns is `state.generator.whole`.
        """
        return self.state.average.whole

    @cached_property
    def discriminator(self) -> keras.Model:
        """From pictures (N, S, S, C) in [-1, 1] to logits (N, 1), real above 0; training moves its weights."""
        whole = self.state.discriminator.whole
        return keras.Model(whole.input, whole.outputs[0], name="discriminator")

    @property
    def fixed_latents(self) -> np.ndarray:
        """The latents (64, latent) float32 of the sheets."""
        return self._training.latents.copy()

    def sample_latents(self, count: int, seed: int | None = None, *, truncation: float = 0.0) -> np.ndarray:
        """`count` latents (count, latent) float32, standard normal; a larger `count` begins with the same ones.

        Without a `seed` they are the GAN's own, which begin with those of the sheets. With a `truncation` above 0 no
        value lies further than that from 0: less varied pictures, each likelier.
        """
        count, truncation = whole("count", count, least=1), finite("truncation", truncation)
        seed = self.seed if seed is None else whole("seed", seed)
        return fixed_latents(count, size=self.definition.latent, seed=seed, truncation=truncation)

    def generate(
        self,
        count: int = GRID**2,
        *,
        seed: int | None = None,
        truncation: float = 0.0,
        latents: np.ndarray | None = None,
    ) -> np.ndarray:
        """What the averaged generator makes of `latents` (N, latent), or else of `count` as `sample_latents` has them.

        (N, S, S, C) uint8. None is chosen: the n-th depends on the seed, n and the truncation.
        """
        if latents is None:
            latents = self.sample_latents(count, seed, truncation=truncation)
        return self._training.draw(as_latents(latents, size=self.definition.latent))

    def discriminate(self, images: np.ndarray) -> np.ndarray:
        """How real the discriminator finds `images`, as `train` takes them: the sigmoid of each logit, (N,) float32.

        A probability as far as the loss makes it one: minimax and non_saturating do; of others only the order counts.
        """
        return self._judge().probabilities(self._pictures(images))

    def evaluate(self, images: np.ndarray, *, seed: int | None = None) -> Evaluation:
        """How both networks stand on `images`, as `train` takes them, and as many samples; nothing learns."""
        pictures = self._pictures(images)
        return self._judge().judge(pictures, self.sample_latents(len(pictures), seed))

    def score(
        self, images: np.ndarray, *, extractor: str = "auto", count: int = 500, seed: int | None = None
    ) -> Measured:
        """How near `count` samples come to `images`, as `train` takes them: KID, precision, recall, and more.

        `extractor` says what they are measured with, as the option of that name does: 'auto', 'own', 'MobileNet',
        'Inception', or a file of weights. All figures are None with fewer than 16 pictures or 8 samples.
        """
        eyes = choose_extractor(extractor, None)
        monitor = SampleEvaluator(self._pictures(images), extractor=eyes, seed=self.seed, count=count)
        return Measured(**asdict(monitor.look(self.generate(count, seed=seed))), extractor=eyes.name)

    def train(
        self,
        images: np.ndarray,
        *,
        epochs: int = 100,
        minutes: float | None = None,
        folder: Path | str | None = None,
        watch: bool = False,
        extractor: str = "auto",
        sample_every: int | None = None,
        checkpoint_every: int | None = None,
        progress: Progress = silent,
    ) -> History:
        """Learn from `images` for so many `epochs` more, or until `minutes` are over; returns all epochs so far.

        `images` are (N, S, S, C) or (N, S, S), uint8 or floats from 0 to 1, N at least 16. With as many pictures as
        before it goes on from the very step it came to: twice five epochs are ten, bit for bit, unless a schedule in
        the definition looks at their number. With more or fewer, networks and optimizers go on as they are, while
        epochs, schedules and history begin anew.

        A `folder` gets checkpoints, a sheet of samples every `sample_every` epochs, and plots, as they are made. To
        `watch` is to score the samples too, with `extractor` as in `score`, and to have alarms: it takes seconds each
        time. `progress` is called after each step with steps done, steps in all, and a note.

        Errors: `UserError` for pictures that do not fit, losses that stay no numbers, too little memory, a folder that
        is in use; `KeyboardInterrupt` at the end of the step at hand. After any of them one can go on.
        """
        given = {"sample_every": sample_every, "checkpoint_every": checkpoint_every}
        often: dict[str, Any] = {
            name: None if value is None else whole(name, value, least=1) for name, value in given.items()
        }
        epochs = whole("epochs", epochs, least=1)
        minutes = 0.0 if minutes is None else finite("minutes", minutes, above=True)
        pictures = self._pictures(images, least=FEWEST)
        eyes = choose_extractor(extractor, None) if watch else None  # first: it may not be to be had
        self._session.settle(pictures, None if folder is None else Path(folder))
        terms = TrainConfig(
            epochs=self.epochs + epochs,
            seed=self.seed,
            minutes=minutes,
            name=self._training.terms.name,
            **often,
        )
        monitor = SampleEvaluator(pictures, extractor=eyes, seed=self.seed) if eyes else None
        self._training.go_by(terms, pictures, self._watch(pictures, terms, monitor))
        try:
            self._training.director.check_growth()
        except UserError as error:  # one may go on training
            warnings.warn(str(error), stacklevel=2)
        self._session.run(progress)
        return self.history

    def plot(self, folder: Path | str | None = None) -> dict | list[Path]:
        """The plots of the training so far; see `History.plot`."""
        return self.history.plot(folder)

    def save(self, folder: Path | str) -> None:
        """Put all of it into `folder`, which is new, or holds a GAN that may go: for `load`, for Keras, for people.

        The README.md in it says what it is and how to load it. Nothing is pickled.
        Errors: `UserError` for a folder that holds something else.
        """
        folder, state = Path(folder), self.state
        self._session.save(folder)
        write_networks(self.definition, folder, generator=state.average, discriminator=state.discriminator)
        SampleSheets(folder / "samples", epochs=self.epochs, live=None).add(
            self.epochs, self.generate(latents=self.fixed_latents)
        )
        write_card(self._training, folder)

    @property
    def _training(self) -> Trainer:
        return self._session.training

    def _pictures(self, images: np.ndarray, *, least: int = 1) -> np.ndarray:
        pictures = as_pictures(images, least=least)
        if pictures.shape[1:] != self.image_shape:
            raise UserError(f"pictures of shape {pictures.shape[1:]}: this GAN is for {self.image_shape}")
        return pictures

    def _judge(self) -> DiscriminatorEvaluator:
        """At the stage that a growing GAN has come to."""
        training = self._training
        return DiscriminatorEvaluator(self.state, training.director.plan(max(training.number - 1, 0), learn=True))

    def _watch(
        self, images: np.ndarray, terms: TrainConfig, monitor: SampleEvaluator | None
    ) -> Observer | NullObserver:
        """Sheets and plots appear where somebody looks, or is to be told of them."""
        if monitor is None and self._session.is_hidden:
            return NullObserver()
        watch = Observer(self._training.folder, live=None, epochs=terms.epochs, monitor=monitor)
        if self._training.number:  # at the start it does so itself
            watch.sheets.add_reals(images)
        return watch


def _is_shape(like: object) -> TypeGuard[Shape]:
    return isinstance(like, tuple | list) and len(like) < 4 and all(isinstance(side, int | np.integer) for side in like)
