"""KID of the samples of several definitions after the same minutes of training, by features of an external network.

    .venv/bin/python benchmarks/gan_quality.py FOLDER… --features DIR [--models plain dcgan] [--minutes 10] [--seeds 3]

FOLDER holds pictures (or is a file in the format of Fashion-MNIST, …-idx3-ubyte[.gz]); they are cropped to the middle
square and resized to `--side` pixels. Its subfolders are the classes of a conditional definition. `--features DIR`
names a folder with a script features.py, whose `Extractor` gives the features of a network trained on ImageNet, and
whose `kid` and `precision_recall` compare them. 'plain' is the DCGAN of 2016: width 64, batch norm, no augmentation, no
average of the weights. `--models` may also be files of definitions, or names in a file of several (`--tries
benchmarks/gan_tries.json`). With several `--minutes` the samples of one training are scored after each. Compiling and
scoring are not counted. On a busy machine `taskset -c 0 … --processor` counts minutes of processor time of one core,
not of the clock.

With `--start OTHER` each definition is first trained on the pictures of OTHER, for the last of the minutes, and then
begins a second time on FOLDER with those networks; a line says after which of the minutes it is as good as a start from
nothing at the end.
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parent.parent))
import cv2
import numpy as np

from benchmarks.gan_step import MODELS, load_definition
from benchmarks.machine import machine
from pipeline.devices import prepare_devices
from pipeline.errors import Stopped
from pipeline.gan.classes import Classes
from pipeline.gan.config import Definition, parse_definition, read_definition
from pipeline.gan.sampling import fixed_latents
from pipeline.gan.training.ending import TrainConfig
from pipeline.gan.training.loop import Trainer
from pipeline.gan.training.observer import Observer
from pipeline.gan.tuning import choose_compute_mode
from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.store.npz import Arrays

SAMPLES, MOST_REALS = 2000, 3000
T = TypeVar("T")


def main() -> None:
    """Print a line for each training, and the medians over the seeds for each set, relative to 'plain' if it is a
    model.
    """
    given = _parser().parse_args()
    sys.path.insert(0, str(given.features))
    tries = json.loads(given.tries.read_text(encoding="utf-8")) if given.tries else {}
    definitions = {name: named(name, tries) for name in given.models}
    clock = "of processor time" if given.processor else "on the clock"
    minutes = " and ".join(f"{each:g}" for each in given.minutes)
    print(f"{machine()}; {minutes} minutes {clock} at {given.side} px, {given.seeds} seeds", flush=True)
    for folder in given.folders:
        judge, found = Judge(read(folder, given.side), given), {}
        for seed in range(given.seeds):
            for name, definition in definitions.items():  # in turn, so that a busy machine slows all alike
                turn = Turn(definition, judge.reals, tuple(given.minutes), given.processor, seed)
                turn = turn_on(folder, turn, side=given.side) if definition.conditional else turn
                kids = judge.train_and_score(turn, f"{folder.name}: {name}")
                found.setdefault(name, []).append(kids[-1])
                if given.start:
                    started = replace(turn, start=networks_of(turn_on(given.start, turn, side=given.side)))
                    again = judge.train_and_score(started, f"{folder.name}: {name} from {given.start.name}")
                    print(f"  {in_comparison(kids, again, given.minutes)}", flush=True)
        medians = {name: statistics.median(kids) for name, kids in found.items()}
        against = ", {:.2f} of plain" if "plain" in medians else ""
        for name, median in medians.items():
            print(f"{folder}: {name}: median KID {median:.3f}" + against.format(median / medians.get("plain", 1)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["plain", "dcgan"], help="names, or files")
    parser.add_argument("--tries", type=Path, help="a file of several definitions, by name")
    parser.add_argument("--minutes", type=float, nargs="+", default=[10], help="after which samples are scored, rising")
    parser.add_argument("--processor", action="store_true", help="count the processor's time, not the clock's")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--start", type=Path, help="pictures to train on before")
    parser.add_argument("--recall", action="store_true", help="precision and recall too, which take minutes")
    parser.add_argument("--sheets", type=Path, help="a folder for a sheet of samples of each training")
    return parser


@dataclass(frozen=True)
class Turn:
    """One training: its definition and pictures, the classes of these if it is conditional, and its minutes on which
    clock; `start` are the networks it begins with.
    """

    definition: Definition
    images: np.ndarray
    minutes: tuple[float, ...]
    processor: bool
    seed: int
    classes: Classes | None = None
    start: Arrays | None = None


@dataclass(frozen=True)
class Drawn:
    """Samples (N, S, S, C) uint8 after some minutes, and how many images the training had seen."""

    samples: np.ndarray
    seen: int


class Judge:
    """Scores samples against the reals (N, S, S, C) uint8, by the features of a network trained on ImageNet."""

    def __init__(self, reals: np.ndarray, given: argparse.Namespace) -> None:
        import features

        self.reals, self._by, self._see, self._given = reals, features, features.Extractor(), given
        chosen = np.random.default_rng(0).permutation(len(reals))[:MOST_REALS]
        self._of_reals = self._see(list(coloured(reals[chosen])))

    def score(self, samples: np.ndarray) -> tuple[float, str]:
        """The KID, and the precision and recall in words if they are asked for."""
        found = self._see(list(coloured(samples)))
        kid = self._by.kid(self._of_reals, found)[0]
        if not self._given.recall:
            return kid, ""
        precision, recall = self._by.precision_recall(self._of_reals[:1000], found[:1000])
        return kid, f", precision {precision:.2f}, recall {recall:.2f}"

    def train_and_score(self, turn: Turn, name: str) -> list[float]:
        """Train in a new process, as a run does; returns the KID after each of the minutes."""
        kids = []
        for minutes, drawn in zip(turn.minutes, in_new_process(train, turn), strict=True):
            kid, more = self.score(drawn.samples)
            kids.append(kid)
            speed = f"{drawn.seen} images seen, {drawn.seen / minutes / 60:.0f} a second"
            print(f"{name}, seed {turn.seed}, {minutes:g} minutes: KID {kid:.3f}{more}; {speed}", flush=True)
        if self._given.sheets:
            self._given.sheets.mkdir(parents=True, exist_ok=True)
            path = self._given.sheets / f"{name.replace(': ', '-').replace('/', '-')}-{turn.seed}.png"
            write_png(path, contact_sheet(drawn.samples[:100], 10))
        return kids


def in_comparison(alone: Sequence[float], started: Sequence[float], minutes: Sequence[float]) -> str:
    """When a training that `started` with other networks has the KID that one from nothing has at the end, by the KIDs
    of both after some `minutes`.
    """
    soon = [after for after, kid in zip(minutes, started, strict=True) if kid <= alone[-1]]
    when = f"after {soon[0]:g} minutes" if soon else "not by then"
    return f"from nothing the KID is {alone[-1]:.3f} after {minutes[-1]:g} minutes; from other networks it is {when}"


def in_new_process(work: Callable[[Turn], T], turn: Turn) -> T:
    """The result of `work(turn)`, computed in a process that has loaded nothing."""
    with multiprocessing.get_context("spawn").Pool(1) as alone:
        return alone.apply(work, (turn,))


def turn_on(folder: Path, turn: Turn, *, side: int) -> Turn:
    """A training as `turn` is, on the pictures of `folder`."""
    images, classes = by_subfolder(folder, side) if turn.definition.conditional else (read(folder, side), None)
    return replace(turn, images=images, classes=classes)


def networks_of(turn: Turn) -> Arrays:
    """The networks after the last of the minutes of `turn`."""
    return in_new_process(_trained_networks, replace(turn, minutes=turn.minutes[-1:]))


def _trained_networks(turn: Turn) -> Arrays:
    with _trainer(turn) as training:
        _train(training, turn)
        return training.state.arrays()


def train(turn: Turn) -> list[Drawn]:
    """Train until the last of the minutes after the step was compiled; returns samples after each of them."""
    with _trainer(turn) as training:
        if turn.start is not None and not training.state.restore_networks(turn.start):
            raise SystemExit("the networks to begin with are of another form")
        return _train(training, turn)


@contextlib.contextmanager
def _trainer(turn: Turn) -> Iterator[Trainer]:
    """A training of `turn` that has not begun, in a folder of its own."""
    _, size, _, channels = turn.images.shape
    compute_mode = choose_compute_mode(turn.definition, size=size, channels=channels, steps=10**6)
    prepare_devices(compute_mode.threads)
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        config = TrainConfig(epochs=10**6, seed=turn.seed, sample_every=10**6, checkpoint_every=10**6)
        observer = Observer(folder, live=None, evaluator=None)
        training = Trainer(
            config,
            turn.definition,
            turn.images,
            folder=folder,
            observer=observer,
            compute_mode=compute_mode,
            classes=turn.classes,
        )
        yield training
        training.log.close()


def _train(training: Trainer, turn: Turn) -> list[Drawn]:
    """Train, and draw samples after each of the minutes; drawing them is not counted."""
    clock = time.process_time if turn.processor else time.monotonic
    latents = fixed_latents(SAMPLES, size=training.state.generator.whole.input_shape[1], seed=99)
    if turn.classes:
        latents = turn.classes.as_often(latents, seed=99)
    drawn: list[Drawn] = []
    began: float | None = None

    def stop() -> bool:
        nonlocal began
        if began is None:
            began = clock() if training.steps_done >= 2 else None
        elif (now := clock()) > began + 60 * turn.minutes[len(drawn)]:
            drawn.append(Drawn(training.draw(latents), training.step_planner.images_seen(training.steps_done)))
            began += clock() - now
        return len(drawn) == len(turn.minutes)

    with contextlib.suppress(Stopped):
        training.run(lambda *_: None, stop)
    return drawn


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


def by_subfolder(folder: Path, side: int) -> tuple[np.ndarray, Classes]:
    """The pictures (N, side, side, C) uint8 of the subfolders of `folder`, each of which is a class."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(subfolders) < 2:
        raise SystemExit(f"{folder}: a conditional definition needs two subfolders or more, one for each class")
    parts = [read(subfolder, side) for subfolder in subfolders]
    labels = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part) for part in parts])
    return np.concatenate(parts), Classes(names=tuple(path.name for path in subfolders), labels=labels)


def coloured(pictures: np.ndarray) -> np.ndarray:
    """Convert grey pictures to three channels for the network."""
    return pictures if pictures.shape[-1] == 3 else pictures.repeat(3, axis=-1)


if __name__ == "__main__":
    main()
