"""The training behind `Dcgan`: it can be called again and again, as in a notebook, and moved between folders.

Ctrl-C and a notebook's stop button take effect between steps: in the middle of a step they would leave it half done.
"""

import contextlib
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np

from pipeline.devices import ComputeMode
from pipeline.errors import DamagedState, Stopped, UserError
from pipeline.gan.classes import Classes
from pipeline.gan.config import Definition, Smoothing
from pipeline.gan.evaluation.evaluator import SampleEvaluator
from pipeline.gan.sampling import SHEETS, SampleSheets
from pipeline.gan.stats_log import STATS
from pipeline.gan.training.checkpoint import save_checkpoint
from pipeline.gan.training.ending import TrainConfig
from pipeline.gan.training.loop import CHECKPOINTS, FINAL, Trainer
from pipeline.gan.training.null_observer import NullObserver, Show
from pipeline.gan.training.observer import Observer
from pipeline.gan.training.saved import (
    SavedTraining,
    check_target,
    final_to_checkpoint,
    holds_training,
    write_definition,
    write_training,
)
from pipeline.gan.training.state import TrainState
from pipeline.gan.validation import MIN_IMAGES, Shape, make_folder
from pipeline.images.contact_sheet import GRID
from pipeline.images.packed import Images
from pipeline.progress import Progress, ShouldStop, never
from pipeline.store import manifest as manifests


class Session:
    """A `training` on pictures of `shape` (S, S, C), always resumable; until there are pictures, on a placeholder.

    `class_names` are those of a conditional definition. It is in a temporary folder until it is given another.
    """

    def __init__(
        self,
        config: TrainConfig,
        definition: Definition,
        shape: Shape,
        *,
        class_names: tuple[str, ...] = (),
        compute_mode: ComputeMode | None = None,
    ) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="ganmill-", ignore_cleanup_errors=True)
        self._own_folder: Path | None = None  # the folder that this training was loaded from or saved to
        images = _placeholder_images((MIN_IMAGES, *shape))
        folder = self._new_folder()
        self.training = Trainer(
            config,
            definition,
            images,
            folder=folder,
            observer=NullObserver(),
            compute_mode=compute_mode,
            classes=_placeholder_classes(class_names, len(images)),
        )
        self.training.log.close()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, if the definition is conditional."""
        return self.training.classes.names if self.training.classes else ()

    @property
    def is_temporary(self) -> bool:
        """Whether the training is in a temporary folder."""
        return Path(self._scratch.name) in self.training.folder.parents

    def resume(self, saved: SavedTraining) -> None:
        """Resume the training `saved`; its folder does not change. Errors: `DamagedState`."""
        images, target = _placeholder_images(saved.origin.images), self._new_folder()
        self._restart(images, self._new_folder())  # with as many pictures: the contents of a checkpoint depend on it
        saved.copy_to(target, saved.load(self.training.read))
        self._restart(images, target)
        rows, epoch = self.training.log.rows, self.training.epoch
        if len(rows) != epoch or any(row["epoch"] != number for number, row in enumerate(rows, start=1)):
            raise DamagedState(f"{saved.folder / STATS} lacks epochs; take another copy")
        self._own_folder = None if (saved.folder / manifests.NAME).exists() else saved.folder.resolve()

    def save(self, folder: Path) -> None:
        """Write into `folder` all that resuming needs. Errors: those of `check_target`."""
        check_target(folder)
        make_folder(folder)
        write_training(self.training, folder)
        self._own_folder = folder.resolve()

    def write_sheets(self, folder: Path) -> None:
        """Write the sample sheet of the current epoch into `folder`, and for a multi-scale GAN that of all sides."""
        training, sheets = self.training, SampleSheets(folder / SHEETS, live=None)
        sheets.add(training.epoch, training.draw(training.latents))
        if training.definition.multi_scale:
            sheets.add_scales(training.draw_scales(training.latents[:GRID]))

    def move_to(self, images: np.ndarray, folder: Path | None) -> None:
        """Move the training to `folder`; without one it stays in its folder.

        With another number of pictures it is a new training, which begins with the current networks and optimizers.
        Errors: `UserError` if `folder` holds something else.
        """
        same = len(images) == len(self.training.images)
        if same and (folder is None or folder.resolve() == self.training.folder.resolve()):
            return
        target = folder or self._new_folder()
        check_target(target)
        if holds_training(target) and not (same and target.resolve() == self._own_folder):
            raise UserError(f"{target} holds a training already: resume it with Dcgan.load, or name another folder")
        make_folder(target)
        if same:
            write_training(self.training, target)
            final_to_checkpoint(self.training, target)
        else:
            write_definition(self.training.definition, target, self.class_names)
        self._restart(images, target)

    def use_state(self, state: TrainState) -> None:
        """Go on with the networks and optimizers of `state`, which get the values of this training's checkpoint."""
        self.training.state = state
        self._restart(self.training.images, self.training.folder)

    def change(self, batch: int | None, smoothing: Smoothing | None) -> None:
        """Train with another batch size or label smoothing from here on; None keeps what is.

        The folder gets a checkpoint of it, lest an error or a crash lead back behind this point.
        """
        training, before = self.training, self.training.phase
        training.change(batch=batch, smoothing=smoothing)
        if training.phase == before:
            return
        if (training.folder / FINAL).exists():
            final_to_checkpoint(training, training.folder)
        elif training.steps_done:  # before the first step the training itself writes one
            save_checkpoint(training.folder / CHECKPOINTS, training.steps_done, training.arrays())

    def continue_with(
        self,
        config: TrainConfig,
        images: np.ndarray,
        classes: Classes | None,
        evaluator: SampleEvaluator | None,
        *,
        show: Show | None,
    ) -> None:
        """Continue with another config, or as many other `images` of the same `classes`.

        If the training has a folder of its own, or is to be scored, sheets and plots are written. `show`, if given,
        gets the samples of each sheet.
        """
        if evaluator is None and self.is_temporary:
            return self.training.continue_with(config, images, NullObserver(show), classes)
        observer = Observer(self.training.folder, live=None, evaluator=evaluator, show=show)
        if self.training.steps_done:  # a new training writes this sheet itself
            observer.sheets.add_reals(images, classes)
        self.training.continue_with(config, images, observer, classes)

    def run(self, progress: Progress) -> None:
        """Train until the epochs or the minutes of the config are over.

        Errors: those of `Trainer.run`, and `KeyboardInterrupt` at the end of a step. After any of them the training is
        at its newest checkpoint; after a `KeyboardInterrupt` that is the current step.
        """
        training = self.training
        if (training.folder / FINAL).exists():  # it was saved into its own folder
            final_to_checkpoint(training, training.folder)
        try:
            self._run(progress)
        except BaseException:
            self._restart(training.images, training.folder)
            raise
        finally:
            training.log.close()

    def _run(self, progress: Progress) -> None:
        with catch_interrupts() as interrupted, contextlib.suppress(Stopped):
            self.training.run(progress, interrupted)
        if interrupted():
            raise KeyboardInterrupt

    def _restart(self, images: Images, folder: Path) -> None:
        """Restart from the checkpoint in `folder`; without one, from step 0 with the current state."""
        before = self.training
        before.log.close()
        self.training = Trainer(
            before.config,
            before.definition,
            images,
            folder=folder,
            observer=NullObserver(),
            state=before.state,
            compute_mode=before.compute_mode,
            phase=before.phase.restarted(),
            classes=self._classes_for(images),
        )
        self.training.log.close()

    def _classes_for(self, images: Images) -> Classes | None:
        """The classes of `images`; placeholders, unless they are those that it trains on."""
        is_same = images is self.training.images
        return self.training.classes if is_same else _placeholder_classes(self.class_names, len(images))

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._scratch.name))


def _placeholder_images(shape: tuple[int, ...]) -> np.ndarray:
    """Black pictures (N, S, S, C) that take no memory."""
    return np.broadcast_to(np.uint8(0), shape)


def _placeholder_classes(names: tuple[str, ...], count: int) -> Classes | None:
    return Classes(names=names, labels=np.zeros(count, np.int32)) if names else None


@contextmanager
def catch_interrupts() -> Iterator[ShouldStop]:
    """Give a function that tells whether SIGINT came. A second SIGINT interrupts at once.

    Outside the main thread Python delivers no signals, and the function always returns False.
    """
    if threading.current_thread() is not threading.main_thread():
        yield never
        return
    interrupted, before = threading.Event(), signal.getsignal(signal.SIGINT) or signal.SIG_DFL

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        interrupted.set()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield interrupted.is_set
    finally:
        signal.signal(signal.SIGINT, before)
