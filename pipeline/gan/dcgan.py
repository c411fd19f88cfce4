"""`Dcgan`, the GAN as an object for notebooks and scripts: networks and training of the pipeline (docs/notebooks.md).

images = np.load("pictures.npy")     # (N, S, S, 3) or (N, S, S), uint8, or floats from 0 to 1
gan = Dcgan(images, "dcgan", seed=1)
gan.train(images, epochs=50, minutes=10, folder="run")  # whichever comes first; a second call continues
gan.generate(64)                     # (64, S, S, 3) uint8, by the averaged generator
gan.save("my-gan")                   # with a model card; nothing in it is pickled
gan = Dcgan.load("my-gan")           # or "run", or models/<dataset>/gan/latest
"""

import operator
import warnings
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.devices import ComputeMode, keras, prepare_devices
from pipeline.errors import UserError
from pipeline.gan import validation
from pipeline.gan.config import Definition
from pipeline.gan.config.loading import DefinitionLike, NamedDefinition, choose_definition
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.evaluation.evaluator import DcganScores, DiscriminatorEvaluator, Evaluation, SampleEvaluator
from pipeline.gan.evaluation.features import FeatureExtractor, choose_extractor
from pipeline.gan.history import History
from pipeline.gan.model_card import write_card
from pipeline.gan.networks.export import write_networks
from pipeline.gan.notebook import gan_html, show_samples, viewed
from pipeline.gan.sampling import as_latents, fixed_latents
from pipeline.gan.training.ending import check_automatic
from pipeline.gan.training.loop import TrainConfig, Trainer
from pipeline.gan.training.saved import read_saved
from pipeline.gan.training.session import Session
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import MIN_IMAGES
from pipeline.gan.tuning import choose_compute_mode
from pipeline.gan.validation import Shape, as_pictures, check_folder, check_number, check_whole
from pipeline.progress import Progress, with_time_left

if TYPE_CHECKING:
    from PIL import Image


@validation.name_arguments
class Dcgan(validation.KnownAttributes):
    """A GAN for pictures of one shape: a generator and a discriminator, at some point of their training.

    `like` are pictures (N, S, S, C) or (N, S, S), or the shape of one, (S, S, C) or (S, S); nothing is trained yet.
    `definition` is the name of a file in models/, the path of one, a dict with its contents, a `Definition`, or None
    for the defaults, DCGAN. Every random draw follows from `seed`. `name` is that of the definition unless it is given.

    Errors: `UserError` for a shape of pictures, or a definition, that no networks can be built for.
    """

    def __init__(
        self,
        like: np.ndarray | tuple[int, ...],
        definition: DefinitionLike = None,
        *,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        shape = validation.check_like(like)
        validation.refuse_array("definition", definition, "a name, a path or a dict; the pictures come before it")
        named = choose_definition(definition)
        if name is not None:
            named = replace(named, name=validation.check_name(name))
        self._build(shape, named, check_whole("seed", seed))

    def _build(self, shape: Shape, named: NamedDefinition, seed: int, compute_mode: ComputeMode | None = None) -> None:
        """Build the networks; without a `compute_mode` in the one that is fastest on this machine."""
        size, _, channels = shape
        for warning in Resolutions.of(shape[0]).unused_attention(named.definition):
            warnings.warn(warning, stacklevel=2)
        compute_mode = compute_mode or choose_compute_mode(named.definition, size=size, channels=channels)
        prepare_devices(compute_mode.threads)
        config = TrainConfig(epochs=1, seed=seed, name=named.name)
        self._session = Session(config, named.definition, shape, compute_mode=compute_mode)

    def __repr__(self) -> str:
        """For example <Dcgan for 64 x 64 x 3: 'dcgan', 12 epochs done, lowest KID 0.0123 ± 0.0021 at epoch 8>."""
        shape = " x ".join(map(str, self.image_shape))
        return f"<Dcgan for {shape}: {self.name!r}, {self.epochs} epochs done{self.history.lowest()}>"

    def _repr_html_(self) -> str:
        """For a notebook: what it is, and how far it is trained."""
        return gan_html(self)

    @classmethod
    def load(cls, folder: Path | str) -> "Dcgan":
        """Load a GAN from the `folder` of `save`, of a training, or of the stage gan, and resume it there.

        Training continues as if it had never been interrupted, and `folder` does not change. Samples come from the
        averaged generator of the last step; the stage's generator.keras may be that of the best epoch.

        Errors: `UserError` if there is no GAN in the folder, or it is damaged.
        """
        found = read_saved(check_folder(folder))
        gan = cls.__new__(cls)
        gan._build(found.origin.shape, found.named, found.origin.seed, found.origin.compute_mode)
        gan._session.resume(found)
        return gan

    def take_over(self, folder: Path | str) -> None:
        """Become the GAN in `folder`, in place: its weights, optimizers, latents, name, seed and history, as by `load`.

        If it has the same definition, precision and pictures of the same shape, `generator`, `discriminator` and
        `state` stay the same objects, with other weights. Errors: those of `load`; after one this GAN is as it was.
        """
        other = Dcgan.load(folder)
        is_built_as = operator.attrgetter("definition", "image_shape", "_training.compute_mode.dtype")
        if is_built_as(other) == is_built_as(self):
            other._session.use_state(self.state)
        else:
            self.__dict__.pop("discriminator", None)  # the cached model is of the networks that were
        self._session = other._session

    @property
    def name(self) -> str:
        """The name, which `save` keeps: that of the definition, unless it was set. One line, at most 255 characters."""
        return self._training.config.name

    @name.setter
    def name(self, name: str) -> None:
        self._training.config = replace(self._training.config, name=validation.check_name(name))

    @property
    def definition(self) -> Definition:
        """How the networks are built and trained, but for a batch size and a smoothing that `train` was given."""
        return self._training.definition

    @property
    def image_shape(self) -> Shape:
        """The shape of one picture, (S, S, C)."""
        return self._training.images.shape[1:]

    @property
    def seed(self) -> int:
        """The seed of every random draw."""
        return self._training.config.seed

    @property
    def epochs(self) -> int:
        """Whole epochs done."""
        return self._training.epoch

    @property
    def history(self) -> History:
        """The statistics of each epoch so far."""
        return History(tuple(self._training.log.rows))

    @property
    def state(self) -> TrainState:
        """All that training changes: both networks, both optimizers, the averaged generator."""
        return self._training.state

    @property
    def generator(self) -> keras.Model:
        """The averaged generator, which makes the samples: latents (N, latent) to pictures (N, S, S, C) in [-1, 1].

        Training changes its weights. The generator that learns is `state.generator.whole`.
        """
        return self.state.average.whole

    @cached_property
    def discriminator(self) -> keras.Model:
        """The discriminator: pictures (N, S, S, C) in [-1, 1] to logits (N, 1), above 0 for real.

        Training changes its weights.
        """
        whole = self.state.discriminator.whole
        return keras.Model(whole.input, whole.outputs[0], name="discriminator")

    @property
    def fixed_latents(self) -> np.ndarray:
        """The latents (64, latent) float32 of the sample sheets."""
        return self._training.latents.copy()

    def sample_latents(self, count: int, seed: int | None = None, *, truncation: float = 0.0) -> np.ndarray:
        """`count` latents (count, latent) float32, standard normal; a larger `count` begins with the same latents.

        Without a `seed` it is the GAN's own, whose first latents are those of the sample sheets. With a `truncation`
        above 0 no value is further than that from 0: less varied samples, each likelier.
        """
        count = check_whole("count", count, least=1, most=validation.MOST_SAMPLES)
        truncation = check_number("truncation", truncation)
        seed = self.seed if seed is None else check_whole("seed", seed)
        return fixed_latents(count, size=self.definition.latent, seed=seed, truncation=truncation)

    def generate(
        self,
        count: int | None = None,
        *,
        seed: int | None = None,
        truncation: float = 0.0,
        latents: np.ndarray | None = None,
    ) -> np.ndarray:
        """Generate samples (N, S, S, C) uint8 with the averaged generator from `latents` (N, latent).

        Without `latents` it uses `count` latents of `sample_latents`, by default 64. No sample is selected: the n-th
        depends on the seed, n and the truncation only.
        """
        if count is not None and np.ndim(count):
            raise UserError(f"count is an array of shape {np.shape(count)}: give latents by name, generate(latents=…)")
        if latents is None:
            count = len(self.fixed_latents) if count is None else count
            latents = self.sample_latents(count, seed, truncation=truncation)
        else:
            validation.refuse_beside_latents(count=count, seed=seed, truncation=truncation or None)
        return self._training.draw(as_latents(latents, size=self.definition.latent))

    def show(self, count: int = 16, *, seed: int | None = None, truncation: float = 0.0) -> "Image.Image | None":
        """Show `count` samples of `generate` in a notebook; elsewhere return their sheet as a Pillow picture."""
        count = check_whole("count", count, least=1, most=validation.MOST_SHOWN)
        samples = self.generate(count, seed=seed, truncation=truncation)
        return show_samples(samples, f"{len(samples)} samples of {self.name}, {self.epochs} epochs done")

    def discriminate(self, images: np.ndarray) -> np.ndarray:
        """How real the discriminator finds `images`, given as to `train`: the sigmoid of each logit, (N,) float32.

        It is a probability for the losses minimax and non_saturating; for other losses only the order matters.
        """
        return self._discriminator_evaluator().probabilities(self._pictures(images))

    def evaluate(self, images: np.ndarray, *, labels: np.ndarray | None = None, seed: int | None = None) -> Evaluation:
        """Evaluate losses and accuracies on `images`, given as to `train`, and as many samples; nothing learns.

        With `labels` (N,), 1 for a real and 0 for a fake, the discriminator is evaluated on `images` alone; the samples
        only give the generator's loss.
        """
        pictures = self._pictures(images)
        is_real = None if labels is None else validation.check_labels(labels, len(pictures))
        latents = self.sample_latents(len(pictures), seed)
        return self._discriminator_evaluator().evaluate(pictures, latents, is_real=is_real)

    def score(
        self, images: np.ndarray, *, extractor: str = "auto", count: int = 500, seed: int | None = None
    ) -> DcganScores:
        """Score `count` samples against `images`, given as to `train`: KID, precision, recall and the others.

        `extractor` computes the features, as the option of that name does: 'auto', 'own', 'MobileNet', 'Inception', or
        a file of weights. All scores are None with fewer than 16 pictures or 8 samples.
        """
        count = check_whole("count", count, least=1)
        features = self._extractor(extractor)
        evaluator = SampleEvaluator(self._pictures(images), extractor=features, seed=self.seed, count=count)
        return DcganScores(**asdict(evaluator.evaluate(self.generate(count, seed=seed))), extractor=features.name)

    def train(
        self,
        images: np.ndarray,
        *,
        epochs: int | None = 100,
        minutes: float | None = None,
        batch: int | None = None,
        smoothing: float | dict[str, float] | None = None,
        folder: Path | str | None = None,
        watch: bool = False,
        extractor: str = "auto",
        sample_every: int | None = None,
        checkpoint_every: int | None = None,
        progress: Progress | None = None,
    ) -> History:
        """Train on `images` for `epochs` more epochs, or until `minutes` are over; returns the history of all epochs.

        With `epochs=None`, which needs `watch`, it trains until the KID no longer falls, as `gan.epochs = auto` does.

        `images` are (N, S, S, C) or (N, S, S), uint8 or floats from 0 to 1, N at least 16. With as many pictures as
        before, training resumes at the exact step: twice five epochs are bit-identical to ten, unless a schedule in the
        definition depends on their number. With more or fewer pictures, networks and optimizers stay as they are, but
        epochs, schedules and history start again.

        `batch` and `smoothing`, given as in a definition, hold from here on: a call without them goes on with those of
        the call before. With another `batch`, an epoch that was interrupted begins again. `history` has both.

        A `folder` gets checkpoints, a sample sheet every `sample_every` epochs, and plots, as they are made. With
        `watch` the samples are also scored, with `extractor` as in `score`, and raise alarms, which takes seconds each
        time. `progress` is called after each step with steps done, total steps, and a note; without one a terminal or a
        notebook shows a progress bar. A notebook also shows the newest sheet.

        Errors: `UserError` for pictures that do not fit, losses that stay NaN, lack of memory, a folder that is in use;
        `KeyboardInterrupt` at the end of the current step. After any of them training can be resumed.
        """
        given = {"sample_every": sample_every, "checkpoint_every": checkpoint_every}
        intervals: dict[str, Any] = {
            name: None if value is None else check_whole(name, value, least=1) for name, value in given.items()
        }
        watch = validation.check_flag("watch", watch)
        validation.check_progress(progress)
        if epochs is None:
            check_automatic(self.definition, self.name, has_scores=watch)
        else:
            epochs = check_whole("epochs", epochs, least=1)
        minutes = 0.0 if minutes is None else check_number("minutes", minutes, above=True)
        settings = validation.check_settings(self.state.definition, batch=batch, smoothing=smoothing)
        pictures = self._pictures(images, least=MIN_IMAGES)
        feature_extractor = self._extractor(extractor) if watch else None  # first, as it may be unavailable
        self._session.move_to(pictures, None if folder is None else check_folder(folder))
        self._session.change(*settings)
        total = None if epochs is None else self.epochs + epochs  # after `move_to`, which may restart the epochs
        config = TrainConfig(epochs=total, seed=self.seed, minutes=minutes, name=self.name, **intervals)
        evaluator = None
        if feature_extractor:
            evaluator = SampleEvaluator(pictures, extractor=feature_extractor, seed=self.seed)
        with viewed(self.name) as view:
            self._session.continue_with(config, pictures, evaluator, show=view.show)
            try:
                self._training.step_planner.check_growth()
            except UserError as error:  # the user may train for more epochs later
                warnings.warn(str(error), stacklevel=2)
            self._session.run(progress or with_time_left(view.progress, 60 * minutes))
        return self.history

    def plot(self, folder: Path | str | None = None) -> dict | list[Path]:
        """Plot the training so far; see `History.plot`."""
        return self.history.plot(None if folder is None else check_folder(folder))

    def save(self, folder: Path | str) -> None:
        """Save the GAN into `folder`, which is new or holds a GAN to replace: for `load`, for Keras, and for people.

        Its README.md is a model card. Nothing is pickled. Errors: `UserError` for a folder that holds something else.
        """
        folder, state = check_folder(folder), self.state
        self._session.save(folder)
        write_networks(self.definition, folder, generator=state.average, discriminator=state.discriminator)
        self._session.write_sheets(folder)
        write_card(self._training, folder)

    @property
    def _training(self) -> Trainer:
        return self._session.training

    def _pictures(self, images: np.ndarray, *, least: int = 1) -> np.ndarray:
        pictures = as_pictures(images, least=least)
        if pictures.shape[1:] != self.image_shape:
            raise UserError(f"pictures of shape {pictures.shape[1:]}: this GAN is for {self.image_shape}")
        return pictures

    def _extractor(self, extractor: str) -> FeatureExtractor:
        validation.refuse_array("extractor", extractor, "a name or a file of weights")
        return choose_extractor(extractor, None)

    def _discriminator_evaluator(self) -> DiscriminatorEvaluator:
        """The evaluator at the current stage of a growing GAN."""
        training = self._training
        plan = training.step_planner.plan(max(training.steps_done - 1, 0), learn=True)
        return DiscriminatorEvaluator(self.state, plan)
