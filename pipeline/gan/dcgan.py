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
from typing import Any

import numpy as np

from pipeline.devices import ComputeMode, keras, prepare_devices
from pipeline.errors import UserError
from pipeline.gan import validation
from pipeline.gan.classes import Classes, ClassLabels, choose_names, number_classes
from pipeline.gan.config.loading import DefinitionLike, NamedDefinition, choose_definition
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.dcgan_samples import DcganSamples
from pipeline.gan.evaluation.evaluator import DcganScores, DiscriminatorEvaluator, Evaluation, SampleEvaluator
from pipeline.gan.evaluation.features import FeatureExtractor, choose_extractor
from pipeline.gan.history import History
from pipeline.gan.model_card import write_card
from pipeline.gan.networks.export import write_networks
from pipeline.gan.notebook import gan_html, viewed
from pipeline.gan.training.ending import TrainConfig, check_automatic
from pipeline.gan.training.saved import read_saved
from pipeline.gan.training.session import Session
from pipeline.gan.training.state import TrainState
from pipeline.gan.tuning import choose_compute_mode
from pipeline.gan.validation import MIN_IMAGES, Shape, as_pictures, check_folder, check_number, check_whole
from pipeline.progress import Progress, with_time_left


@validation.name_arguments
class Dcgan(DcganSamples):
    """A GAN for pictures of one shape: a generator and a discriminator, at some point of their training.

    `like` are pictures (N, S, S, C) or (N, S, S), or the shape of one, (S, S, C) or (S, S); nothing is trained yet.
    `definition` is the name of a file in models/, the path of one, a dict with its contents, a `Definition`, or None
    for the defaults of all fields, which is `from-scratch`. Every random draw follows from `seed`. `name` is that of
    the definition unless it is given. A definition that is conditional needs `classes`, (N,) whole numbers or names:
    their different values are its classes.

    Errors: `UserError` for a shape of pictures, a definition or classes that no networks can be built for.
    """

    def __init__(
        self,
        like: np.ndarray | tuple[int, ...],
        definition: DefinitionLike = None,
        *,
        classes: ClassLabels = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        shape = validation.check_like(like)
        validation.refuse_array("definition", definition, "a name, a path or a dict; the pictures come before it")
        named = choose_definition(definition)
        if name is not None:
            named = replace(named, name=validation.check_name(name))
        self._build(shape, named, check_whole("seed", seed), choose_names(named.definition, classes))

    def _build(
        self,
        shape: Shape,
        named: NamedDefinition,
        seed: int,
        class_names: tuple[str, ...],
        compute_mode: ComputeMode | None = None,
    ) -> None:
        """Build the networks; without a `compute_mode` in the one that is fastest on this machine."""
        size, _, channels = shape
        for warning in Resolutions.of(shape[0]).unused(named.definition):
            warnings.warn(warning, stacklevel=2)
        compute_mode = compute_mode or choose_compute_mode(named.definition, size=size, channels=channels)
        prepare_devices(compute_mode.threads)
        config = TrainConfig(epochs=1, seed=seed, name=named.name)
        self._session = Session(config, named.definition, shape, class_names=class_names, compute_mode=compute_mode)

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
        origin = found.origin
        gan._build(origin.shape, found.named, origin.seed, found.class_names, origin.compute_mode)
        gan._session.resume(found)
        return gan

    def take_over(self, folder: Path | str) -> None:
        """Become the GAN in `folder`, in place: its weights, optimizers, latents, name, seed and history, as by `load`.

        If it has the same definition, classes, precision and pictures of the same shape, `generator`, `state` and
        `discriminator` stay the same objects, with other weights. Errors: those of `load`; after one this GAN is as it
        was.
        """
        other = Dcgan.load(folder)
        is_built_as = operator.attrgetter("definition", "image_shape", "class_names", "_training.compute_mode.dtype")
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
    def image_shape(self) -> Shape:
        """The shape of one picture, (S, S, C)."""
        return self._training.images.shape[1:]

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

    def discriminate(self, images: np.ndarray, *, classes: ClassLabels = None) -> np.ndarray:
        """How real the discriminator finds `images`, given as to `train`: the sigmoid of each logit, (N,) float32.

        It is a probability for the losses minimax and non_saturating; for other losses only the order matters.
        """
        pictures = self._pictures(images)
        return self._discriminator_evaluator().probabilities(pictures, self._labels(classes, pictures))

    def evaluate(
        self,
        images: np.ndarray,
        *,
        classes: ClassLabels = None,
        labels: np.ndarray | None = None,
        seed: int | None = None,
    ) -> Evaluation:
        """Evaluate losses and accuracies on `images`, given as to `train`, and as many samples; nothing learns.

        With `labels` (N,), 1 for a real and 0 for a fake, the discriminator is evaluated on `images` alone; the samples
        only give the generator's loss.
        """
        pictures = self._pictures(images)
        is_real = None if labels is None else validation.check_labels(labels, len(pictures))
        latents, known = self.sample_latents(len(pictures), seed), self._labels(classes, pictures)
        return self._discriminator_evaluator().evaluate(pictures, latents, labels=known, is_real=is_real)

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
        classes: ClassLabels = None,
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
        epochs, schedules and history start again. A conditional GAN needs the `classes` (N,) of the pictures.

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
        labels = self._labels(classes, pictures)
        known = None if labels is None else Classes(names=self.class_names, labels=labels)
        feature_extractor = self._extractor(extractor) if watch else None  # first, as it may be unavailable
        self._session.move_to(pictures, None if folder is None else check_folder(folder))
        self._session.change(*settings)
        total = None if epochs is None else self.epochs + epochs  # after `move_to`, which may restart the epochs
        config = TrainConfig(epochs=total, seed=self.seed, minutes=minutes, name=self.name, **intervals)
        evaluator = None
        if feature_extractor:
            evaluator = SampleEvaluator(pictures, extractor=feature_extractor, seed=self.seed)
        with viewed(self.name) as view:
            self._session.continue_with(config, pictures, known, evaluator, show=view.show)
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

    def _pictures(self, images: np.ndarray, *, least: int = 1) -> np.ndarray:
        pictures = as_pictures(images, least=least)
        if pictures.shape[1:] != self.image_shape:
            raise UserError(f"pictures of shape {pictures.shape[1:]}: this GAN is for {self.image_shape}")
        return pictures

    def _labels(self, classes: ClassLabels, pictures: np.ndarray) -> np.ndarray | None:
        """The number of the class (N,) of each of the `pictures`; None if the GAN is not conditional."""
        return number_classes(self.class_names, classes, len(pictures))

    def _extractor(self, extractor: str) -> FeatureExtractor:
        validation.refuse_array("extractor", extractor, "a name or a file of weights")
        return choose_extractor(extractor, None)

    def _discriminator_evaluator(self) -> DiscriminatorEvaluator:
        """The evaluator at the current stage of a growing GAN."""
        training = self._training
        plan = training.step_planner.plan(max(training.steps_done - 1, 0), learn=True)
        return DiscriminatorEvaluator(self.state, plan)
