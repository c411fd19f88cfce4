"""A training that is called again and again, as in a notebook: where its files are, and how it goes on.

Ctrl-C and a notebook's stop button are heard between steps: in the middle of one they would leave it half done.
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
from pipeline.gan.config import Definition
from pipeline.gan.stats_log import STATS
from pipeline.gan.training.loop import FINAL, TrainConfig, Trainer
from pipeline.gan.training.observer import NullObserver
from pipeline.gan.training.saved import (
    SavedTraining,
    as_checkpoint,
    check_target,
    holds_training,
    write_definition,
    write_training,
)
from pipeline.gan.training.step_inputs import FEWEST
from pipeline.gan.validation import Shape
from pipeline.progress import Progress, ShouldStop, never
from pipeline.store import manifest as manifests


class Session:
    """Always has a `training`, on pictures of `shape` (S, S, C): until there are any, on ones that take no memory.

    It lives in a temporary folder until it is given another.
    """

    def __init__(
        self, terms: TrainConfig, definition: Definition, shape: Shape, *, way: ComputeMode | None = None
    ) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="ganmill-", ignore_cleanup_errors=True)
        self._own: Path | None = None  # a folder that this very training was taken from or saved into
        images = _standing_for((FEWEST, *shape))
        self.training = Trainer(terms, definition, images, folder=self._new_folder(), watch=NullObserver(), way=way)
        self.training.log.close()

    @property
    def is_hidden(self) -> bool:
        """Whether it lives where nobody looks."""
        return Path(self._scratch.name) in self.training.folder.parents

    def take_up(self, found: SavedTraining) -> None:
        """Be where the training `found` is; its folder stays as it is. Errors: `DamagedState`."""
        images, home = _standing_for(found.origin.images), self._new_folder()
        self._begin(images, self._new_folder())  # on as many pictures: what a checkpoint holds depends on it
        found.copy_to(home, found.load(self.training.read))
        self._begin(images, home)
        rows, epoch = self.training.log.rows, self.training.epoch
        if len(rows) != epoch or any(row["epoch"] != number for number, row in enumerate(rows, start=1)):
            raise DamagedState(f"{found.folder / STATS} lacks epochs; take another copy")
        self._own = None if (found.folder / manifests.NAME).exists() else found.folder.resolve()

    def save(self, folder: Path) -> None:
        """Leave in `folder` what the training can be taken up from. Errors: those of `check_target`."""
        check_target(folder)
        write_training(self.training, folder)
        self._own = folder.resolve()

    def settle(self, images: np.ndarray, folder: Path | None) -> None:
        """Let the training live in `folder` from here on, or without one where it does.

        If it was on another number of pictures it is a new one, which begins with the networks and optimizers as they
        are. Errors: `UserError` if `folder` holds something else.
        """
        same = len(images) == len(self.training.images)
        if same and (folder is None or folder.resolve() == self.training.folder.resolve()):
            return
        home = folder or self._new_folder()
        check_target(home)
        if holds_training(home) and not (same and home.resolve() == self._own):
            raise UserError(f"{home} holds a training already: take it up with Dcgan.load, or name another folder")
        if same:
            write_training(self.training, home)
            as_checkpoint(self.training, home)
        else:
            home.mkdir(parents=True, exist_ok=True)
            write_definition(self.training.definition, home)
        self._begin(images, home)

    def run(self, progress: Progress) -> None:
        """Train until the terms are met or the time is over.

        Errors: those of `Training.run`, and `KeyboardInterrupt` at the end of a step. After any of them it is where
        its newest checkpoint is; that of a `KeyboardInterrupt` is of this very step.
        """
        training = self.training
        if (training.folder / FINAL).exists():  # it was saved where it lives
            as_checkpoint(training, training.folder)
        try:
            self._run(progress)
        except BaseException:
            self._begin(training.images, training.folder)
            raise
        finally:
            training.log.close()

    def _run(self, progress: Progress) -> None:
        with hearing_interrupts() as interrupted, contextlib.suppress(Stopped):
            self.training.run(progress, interrupted)
        if interrupted():
            raise KeyboardInterrupt

    def _begin(self, images: np.ndarray, folder: Path) -> None:
        """Let the training be the one in `folder`, at its checkpoint, or without one at step 0 with the state as is."""
        before = self.training
        before.log.close()
        self.training = Trainer(
            before.terms,
            before.definition,
            images,
            folder=folder,
            watch=NullObserver(),
            state=before.state,
            way=before.way,
        )
        self.training.log.close()

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._scratch.name))


def _standing_for(shape: tuple[int, ...]) -> np.ndarray:
    """Black pictures (N, S, S, C) that take no memory."""
    return np.broadcast_to(np.uint8(0), shape)


@contextmanager
def hearing_interrupts() -> Iterator[ShouldStop]:
    """Whether one came meanwhile. A second one ends all at once; outside the main thread none is heard."""
    if threading.current_thread() is not threading.main_thread():
        yield never
        return
    heard, before = threading.Event(), signal.getsignal(signal.SIGINT) or signal.SIG_DFL

    def hear(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        heard.set()

    signal.signal(signal.SIGINT, hear)
    try:
        yield heard.is_set
    finally:
        signal.signal(signal.SIGINT, before)
