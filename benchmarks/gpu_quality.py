"""The job of `gpu_check.py quality`: train on the pictures of a folder, and score samples after some minutes.

The minutes count training only, not compiling the step and scoring.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.gpu_device import facts, peak_memory
from benchmarks.gpu_step import make_definition
from pipeline.devices import prepare_devices
from pipeline.errors import Stopped, UserError
from pipeline.gan.evaluation.evaluator import SampleEvaluator
from pipeline.gan.evaluation.features import choose_extractor
from pipeline.gan.evaluation.metrics import MIN_IMAGES
from pipeline.gan.sampling import fixed_latents
from pipeline.gan.training.ending import TrainConfig
from pipeline.gan.training.loop import Trainer
from pipeline.gan.training.null_observer import NullObserver
from pipeline.gan.training.step_inputs import check_count
from pipeline.gan.tuning import share_cores
from pipeline.images.contact_sheet import GRID, contact_sheet, write_png
from pipeline.images.raster import Raster
from pipeline.progress import silent

COMPILED = 2  # steps before the clock starts
SCORING = 30.0  # maximum seconds of the first scoring, which compiles the generator
SLACK = 1.3  # the next scoring may take this many times as long as the last
ENDLESS = 10**6  # epochs: the clock ends the training
Tell = Callable[..., None]


def measure_quality(job: dict[str, Any], tell: Tell) -> None:
    """Report the device and pictures, then a row for each of the `models` and `minutes` of `job` that fit into its
    `budget` of seconds.
    """
    deadline = time.monotonic() + job["budget"]
    images = read_folder(Path(job["pictures"]), side=job["side"])
    check_count(len(images))
    definitions = {model: make_definition({**job, "model": model, "batch": None}) for model in job["models"]}
    prepare_devices(share_cores(next(iter(definitions.values())), size=job["side"]))
    tell(device=facts())
    evaluator = SampleEvaluator(images, extractor=choose_extractor(job["weights"], None), seed=0, count=job["samples"])
    evaluator.evaluate(images[:MIN_IMAGES])  # computes the reals' features, so that all later calls take the same time
    tell(pictures=len(images), extractor=evaluator.extractor.name)
    for model, definition in definitions.items():
        with tempfile.TemporaryDirectory(prefix="gpu-check-") as temporary:
            config = TrainConfig(epochs=ENDLESS, seed=0, sample_every=ENDLESS, checkpoint_every=ENDLESS, name=model)
            try:
                training = Trainer(config, definition, images, folder=Path(temporary), observer=NullObserver())
            except UserError as error:  # such as weights that are not installed on this machine
                tell(name=model, not_begun=str(error))
                continue
            with contextlib.closing(training.log):
                _Course(training, evaluator, job, tell, deadline).run()


class _Course:
    """One training whose samples are scored from time to time."""

    def __init__(
        self, training: Trainer, evaluator: SampleEvaluator, job: dict[str, Any], tell: Tell, deadline: float
    ) -> None:
        self.training, self.evaluate, self.job, self.tell, self.deadline = training, evaluator, job, tell, deadline
        self.trained, self.compiled = 0.0, 0.0  # seconds
        self.scoring_seconds = SCORING

    def run(self) -> None:
        """Train to each number of minutes in turn, as long as the budget allows."""
        for minutes in self.job["minutes"]:
            name = f"{self.training.config.name}, {self.job['side']} px, {minutes:g} minutes"
            needed, left = 60 * minutes - self.trained + self.scoring_seconds, self.deadline - time.monotonic()
            if needed > left:
                self.tell(name=name, not_begun=f"{left:.0f} s are left, and it needs {needed:.0f}")
                continue
            self._train(60 * minutes)
            self._score(name)

    def _train(self, seconds: float) -> None:
        """Train until `seconds` have been trained in total."""
        started = time.monotonic()
        since = started if self.trained else None

        def stop() -> bool:
            nonlocal since
            if since is None and self.training.steps_done >= COMPILED:
                since = time.monotonic()
                self.compiled = since - started
            return since is not None and self.trained + time.monotonic() - since >= seconds

        with contextlib.suppress(Stopped):
            self.training.run(silent, stop)
        self.trained += time.monotonic() - since

    def _score(self, name: str) -> None:
        started = time.monotonic()
        latents = fixed_latents(self.job["samples"], size=self.training.definition.latent, seed=0)
        samples = self.training.draw(latents)
        found = self.evaluate.evaluate(samples)
        self.scoring_seconds = SLACK * (time.monotonic() - started)
        seen = self.training.step_planner.images_seen(self.training.steps_done)
        self.tell(
            name=name,
            **vars(found),
            samples=len(samples),
            images_seen=seen,
            images_per_second=seen / self.trained,
            compile_seconds=self.compiled,
            peak_bytes=peak_memory(),
            sheet=self._sheet(name, samples[: GRID**2]),
        )

    def _sheet(self, name: str, samples: np.ndarray) -> str | None:
        """The file of a contact sheet of `samples` (N, S, S, C), in the job's folder of sheets, if it has one."""
        if not self.job["sheets"]:
            return None
        path = Path(self.job["sheets"]) / f"{name.replace(', ', '-').replace(' ', '-')}.png"
        write_png(path, contact_sheet(samples, GRID))
        return str(path)


def read_folder(folder: Path, *, side: int) -> np.ndarray:
    """The middle squares of all pictures under `folder`, (N, side, side, 3) uint8; files that OpenCV cannot read are
    skipped.

    Errors: `UserError` if there is none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    squares = [square for path in paths if (square := _square(path, side)) is not None]
    if not squares:
        raise UserError(f"{folder} holds no pictures that OpenCV can read")
    return np.stack(squares)


def _square(path: Path, side: int) -> np.ndarray | None:
    data = np.fromfile(path, np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    most = min(height, width)
    raster = Raster.from_pixels(np.ascontiguousarray(pixels[..., ::-1]))
    corner = {"top": (height - most) // 2, "left": (width - most) // 2}
    return raster.resample(**corner, height=most, width=most, size=(side, side))
