"""KID of the samples of several definitions after the same minutes of training, by features of an external network.

    .venv/bin/python benchmarks/gan_quality.py FOLDER… --features DIR [--models plain dcgan] [--minutes 10] [--seeds 3]

FOLDER holds pictures (or is a file in the format of Fashion-MNIST, …-idx3-ubyte[.gz]); they are cropped to the middle
square and resized to `--side` pixels. `--features DIR` names a folder with a script features.py, whose `Extractor`
gives the features of a network trained on ImageNet, and whose `kid` and `precision_recall` compare them. 'plain' is the
DCGAN of 2016: width 64, batch norm, no augmentation, no average of the weights. `--models` may also be files of
definitions, or names in a file of several (`--tries benchmarks/gan_tries.json`). Compiling and scoring are not counted.
On a busy machine `taskset -c 0 … --processor` counts minutes of processor time of one core, not of the clock.
"""

import argparse
import contextlib
import gzip
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import cv2
import numpy as np

from benchmarks.gan_step import MODELS, load_definition
from benchmarks.machine import machine
from pipeline.devices import prepare_devices
from pipeline.errors import Stopped
from pipeline.gan.config import Definition, parse_definition, read_definition
from pipeline.gan.sampling import fixed_latents
from pipeline.gan.training.ending import TrainConfig
from pipeline.gan.training.loop import Trainer
from pipeline.gan.training.observer import Observer
from pipeline.gan.tuning import choose_compute_mode
from pipeline.images.contact_sheet import contact_sheet, write_png

SAMPLES, MOST_REALS = 2000, 3000


def main() -> None:
    """Print a line for each training, and the medians over the seeds for each set, relative to 'plain' if it is a
    model.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["plain", "dcgan"], help="names, or files")
    parser.add_argument("--tries", type=Path, help="a file of several definitions, by name")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--processor", action="store_true", help="count the processor's time, not the clock's")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--sheets", type=Path, help="a folder for a sheet of samples of each training")
    given = parser.parse_args()
    sys.path.insert(0, str(given.features))
    tries = json.loads(given.tries.read_text(encoding="utf-8")) if given.tries else {}
    definitions = {name: named(name, tries) for name in given.models}
    clock = "of processor time" if given.processor else "on the clock"
    print(f"{machine()}; {given.minutes:g} minutes {clock} at {given.side} px, {given.seeds} seeds", flush=True)
    for folder in given.folders:
        judge = Judge(read(folder, given.side))
        found = {name: [] for name in given.models}
        for seed in range(given.seeds):
            for name, definition in definitions.items():  # in turn, so that a busy machine slows all alike
                turn = Turn(definition, judge.reals, 60 * given.minutes, given.processor, seed)
                found[name].append(train_and_score(turn, judge, f"{folder.name}: {name}", sheets=given.sheets))
        medians = {name: statistics.median(kids) for name, kids in found.items()}
        against = ", {:.2f} of plain" if "plain" in medians else ""
        for name, median in medians.items():
            print(f"{folder}: {name}: median KID {median:.3f}" + against.format(median / medians.get("plain", 1)))


@dataclass(frozen=True)
class Turn:
    """One training: its definition and pictures, and its seconds on which clock."""

    definition: Definition
    images: np.ndarray
    seconds: float
    processor: bool
    seed: int


class Judge:
    """Scores samples against the reals (N, S, S, C) uint8, by the features of a network trained on ImageNet."""

    def __init__(self, reals: np.ndarray) -> None:
        import features

        self.reals, self._by, self._see = reals, features, features.Extractor()
        chosen = np.random.default_rng(0).permutation(len(reals))[:MOST_REALS]
        self._of_reals = self._see(list(coloured(reals[chosen])))

    def score(self, samples: np.ndarray) -> tuple[float, float, float]:
        """KID, precision, recall."""
        found = self._see(list(coloured(samples)))
        precision, recall = self._by.precision_recall(self._of_reals[:1000], found[:1000])
        return self._by.kid(self._of_reals, found)[0], precision, recall


def train_and_score(turn: Turn, judge: Judge, name: str, *, sheets: Path | None) -> float:
    """Train in a new process, as a run does; returns the KID."""
    with multiprocessing.get_context("spawn").Pool(1) as alone:
        samples, seen = alone.apply(train, (turn,))
    kid, precision, recall = judge.score(samples)
    print(f"{name}, seed {turn.seed}: KID {kid:.3f}, precision {precision:.2f}, recall {recall:.2f};"
          f" {seen} images seen, {seen / turn.seconds:.0f} a second", flush=True)  # fmt: skip
    if sheets:
        sheets.mkdir(parents=True, exist_ok=True)
        path = sheets / f"{name.replace(': ', '-').replace('/', '-')}-{turn.seed}.png"
        write_png(path, contact_sheet(samples[:100], 10))
    return kid


def train(turn: Turn) -> tuple[np.ndarray, int]:
    """Train for the seconds of `turn` after the step was compiled; returns samples and the number of images seen."""
    _, size, _, channels = turn.images.shape
    compute_mode = choose_compute_mode(turn.definition, size=size, channels=channels, steps=10**6)
    prepare_devices(compute_mode.threads)
    clock = time.process_time if turn.processor else time.monotonic
    clock_start = []

    def stop() -> bool:
        if not clock_start and training.steps_done >= 2:
            clock_start.append(clock())
        return bool(clock_start) and clock() > clock_start[0] + turn.seconds

    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        config = TrainConfig(epochs=10**6, seed=turn.seed, sample_every=10**6, checkpoint_every=10**6)
        observer = Observer(folder, live=None, evaluator=None)
        training = Trainer(
            config, turn.definition, turn.images, folder=folder, observer=observer, compute_mode=compute_mode
        )
        with contextlib.suppress(Stopped):
            training.run(lambda *_: None, stop)
        training.log.close()
        samples = training.draw(fixed_latents(SAMPLES, size=turn.definition.latent, seed=99))
    return samples, training.step_planner.images_seen(training.steps_done)


def named(name: str, tries: dict[str, dict]) -> Definition:
    """The definition `name`: the plain DCGAN, one of `tries`, of models/, or of a file."""
    if name == "plain":
        return load_definition(None, batch=64)
    if name in tries:
        return parse_definition(json.dumps(tries[name]), name)
    return read_definition(Path(name) if name.endswith(".json") else MODELS / f"{name}.json")


def read(path: Path, side: int) -> np.ndarray:
    """The pictures (N, side, side, C) uint8 of a folder, or of a file in the format of Fashion-MNIST."""
    if path.is_dir():
        import features

        return np.stack(features.load(path, size=side))
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    count, height, width = np.frombuffer(data, ">u4", 3, 4)
    pictures = np.frombuffer(data, np.uint8, offset=16).reshape(count, height, width)
    return np.stack([cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC) for each in pictures])[..., None]


def coloured(pictures: np.ndarray) -> np.ndarray:
    """Convert grey pictures to three channels for the network."""
    return pictures if pictures.shape[-1] == 3 else pictures.repeat(3, axis=-1)


if __name__ == "__main__":
    main()
