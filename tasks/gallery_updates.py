"""When the page of trainings (generated/<dataset>/index.html) is written: with each new sheet, and after each stage.

If it shows a running training, the start of any run and `status` write it too, as the training may have been killed.

The page is an extra: a run never fails because of it, and only its log says what went wrong.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import Stopped
from pipeline.report import gallery
from pipeline.report.training_files import TrainingPaths, newest_sheet
from pipeline.report.trainings import Trainings
from pipeline.store.jsonl import timestamp
from tasks import paths
from tasks.error_text import one_line
from tasks.stage_task import StageTask

LOG = logging.getLogger(__name__)
EVERY = 1.0  # seconds between two looks for a new sheet


def refresh(dataset: str, *, ended: str = "") -> None:
    """Write the page of trainings of `dataset` as they stand now, though `ended` still has its lock."""
    with _never_failing(dataset):
        gallery.refresh(gallery_paths(dataset), dataset=dataset, ended=ended)


def correct(dataset: str) -> None:
    """Write the page again if it shows a running training: after `kill -9` nothing else would say that it ended."""
    if gallery.shows_running(paths.generated_folder(dataset)):
        refresh(dataset)


def gallery_paths(dataset: str) -> TrainingPaths:
    """The paths of a dataset for its page of trainings."""
    stores = {stage: paths.artifact_store(dataset, stage) for stage in ("gan", "generate", "report")}
    return TrainingPaths(folder=paths.generated_folder(dataset), **stores)


@contextmanager
def after(dataset: str) -> Iterator[None]:
    """Write the page when the block has ended, whether a stage made its artifact or failed."""
    try:
        yield
    finally:
        refresh(dataset)


@contextmanager
def during_training(task: StageTask, key: str) -> Iterator[None]:
    """Number the training `key`, and keep the page up to date while the block trains."""
    trainings = Trainings(paths.generated_folder(task.dataset))
    refresh(task.dataset)  # earlier trainings get their numbers first
    with _never_failing(task.dataset):
        epochs = task.options.epochs
        trainings.begin(
            key=key,
            definition=task.options.definition,
            size=task.chosen["normalize"].size,
            epochs=epochs if isinstance(epochs, int) else None,  # else as many as it takes
            began=timestamp(),
        )
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(task.dataset, key, ended), daemon=True)
    watcher.start()
    try:
        yield
    except Stopped:
        raise
    except BaseException as error:
        with _never_failing(task.dataset):
            trainings.fail(key, one_line(error))
        raise
    finally:
        ended.set()
        watcher.join()
        refresh(task.dataset, ended=key)


def _watch(dataset: str, key: str, ended: threading.Event) -> None:
    """Write the page now and for every new sheet of the training `key`, until `ended`."""
    shown, first = None, True
    while not ended.is_set():
        newest = newest_sheet(paths.training_sheets(dataset, key))
        if first or newest != shown:
            refresh(dataset)
        shown, first = newest, False
        ended.wait(EVERY)


@contextmanager
def _never_failing(dataset: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        LOG.warning("the page of trainings of %s was not written: %s", dataset, one_line(error))
