"""The job of `gpu_check.py quality`: trains on the pictures of a folder, and scores samples after so many minutes.

The minutes are those of training: compiling the step and scoring are not counted.
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
from benchmarks.gpu_resume import Unseen
from benchmarks.gpu_step import defined
from pipeline.devices import prepare_devices
from pipeline.errors import Stopped, UserError
from pipeline.gan.evaluation.evaluator import SampleEvaluator
from pipeline.gan.evaluation.features import choose_extractor
from pipeline.gan.evaluation.metrics import FEWEST
from pipeline.gan.sampling import GRID, fixed_latents
from pipeline.gan.training.loop import TrainConfig, Trainer
from pipeline.gan.training.step_inputs import check_count
from pipeline.gan.tuning import share_cores
from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.raster import Raster
from pipeline.progress import silent

COMPILED = 2  # steps after which the clock runs
SCORING = 30.0  # seconds that a first look takes at most, in which the generator is compiled for drawing
SLACK = 1.3  # times as long as the last look the next one may take
ENDLESS = 10**6  # epochs: the clock ends a training
Tell = Callable[..., None]


def measure_quality(job: dict[str, Any], tell: Tell) -> None:
    """Tell the device and the pictures, then a row for each of the `models` and `minutes` of `job` that fit into its
    `budget` of seconds."""
    until = time.monotonic() + job["budget"]
    images = read_folder(Path(job["pictures"]), side=job["side"])
    check_count(len(images))
    definitions = {model: defined({**job, "model": model, "batch": None}) for model in job["models"]}
    prepare_devices(share_cores(next(iter(definitions.values())), size=job["side"]))
    tell(device=facts())
    judge = SampleEvaluator(images, extractor=choose_extractor(job["weights"], None), seed=0, count=job["samples"])
    judge.look(images[:FEWEST])  # the reals' features are made now, so that every look at samples takes as long
    tell(pictures=len(images), extractor=judge.extractor.name)
    for model, definition in definitions.items():
        with tempfile.TemporaryDirectory(prefix="gpu-check-") as place:
            terms = TrainConfig(epochs=ENDLESS, seed=0, sample_every=ENDLESS, checkpoint_every=ENDLESS, name=model)
            training = Trainer(terms, definition, images, folder=Path(place), watch=Unseen())
            try:
                _Course(training, judge, job, tell, until).run()
            finally:
                training.log.close()


class _Course:
    """One training, with a look at its samples now and then."""

    def __init__(
        self, training: Trainer, judge: SampleEvaluator, job: dict[str, Any], tell: Tell, until: float
    ) -> None:
        self.training, self.judge, self.job, self.tell, self.until = training, judge, job, tell, until
        self.trained, self.compiled = 0.0, 0.0  # seconds
        self.looked = SCORING

    def run(self) -> None:
        """Train to each of the minutes in turn, while there is time for them."""
        for minutes in self.job["minutes"]:
            name = f"{self.training.terms.name}, {self.job['side']} px, {minutes:g} minutes"
            needed, left = 60 * minutes - self.trained + self.looked, self.until - time.monotonic()
            if needed > left:
                self.tell(name=name, not_begun=f"{left:.0f} s are left, and it needs {needed:.0f}")
                continue
            self._train(60 * minutes)
            self._look(name)

    def _train(self, seconds: float) -> None:
        """Go on until `seconds` have been trained for."""
        begun = time.monotonic()
        since = begun if self.trained else None

        def stop() -> bool:
            nonlocal since
            if since is None and self.training.number >= COMPILED:
                since = time.monotonic()
                self.compiled = since - begun
            return since is not None and self.trained + time.monotonic() - since >= seconds

        with contextlib.suppress(Stopped):
            self.training.run(silent, stop)
        self.trained += time.monotonic() - since

    def _look(self, name: str) -> None:
        begun = time.monotonic()
        latents = fixed_latents(self.job["samples"], size=self.training.definition.latent, seed=0)
        samples = self.training.draw(latents)
        found = self.judge.look(samples)
        self.looked = SLACK * (time.monotonic() - begun)
        seen = self.training.director.seen(self.training.number)
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
        """The file of a sheet of `samples` (N, S, S, C), in the job's folder of sheets, if it has one."""
        if not self.job["sheets"]:
            return None
        path = Path(self.job["sheets"]) / f"{name.replace(', ', '-').replace(' ', '-')}.png"
        write_png(path, contact_sheet(samples, GRID))
        return str(path)


def read_folder(folder: Path, *, side: int) -> np.ndarray:
    """The middle squares of all pictures under `folder`, (N, side, side, 3) uint8; what OpenCV cannot read is left out.

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
