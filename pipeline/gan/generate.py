"""The stage generate: pictures from a trained generator, and how near they come to the reals."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.devices import keras, prepare_devices
from pipeline.errors import DamagedState, Stopped, UserError
from pipeline.filter.scores import kept_ids
from pipeline.gan.config import read_definition
from pipeline.gan.evaluation.features import FeatureExtractor, choose_extractor
from pipeline.gan.evaluation.metrics import Reference, nearest_reals
from pipeline.gan.networks.export import GENERATOR, read_generator
from pipeline.gan.sampling import BATCH, draw, fixed_latents, loop
from pipeline.gan.training.saved import DEFINITION
from pipeline.gan.video import Film, write_film
from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.dataset import read_images
from pipeline.options import GenerateOptions
from pipeline.progress import Progress, ShouldStop
from pipeline.result import Result
from pipeline.store import verified
from pipeline.store.digest import of_bytes
from pipeline.store.npz import Unfit

SHOWN, NEAREST = 12, 5  # rows of neighbours.png, and the reals beside each sample there
WAY_OUT = "`python -m tasks rerun gan` makes it again"
AT_ONCE = 256  # pictures measured from one word on how far it is to the next; whole batches of every extractor
FPS = 20  # of the film: each of its frames stays for a whole number of a GIF's hundredths of a second
MOST_ACROSS, FILM_SIDE = 3, 400  # walks side by side, and the pixels that they may take: nine of 128 px, one of 256


def generate(
    options: GenerateOptions,
    *,
    gan: Path,
    normalize: Path,
    kept: Path,
    classifier: Path | None,
    folder: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> Result:
    """Draw `count` pictures into `folder`/images, with a sheet, a film, their nearest reals and their scores beside.

    They are scored against the kept pictures, with the features that the option `extractor` names. Nothing is chosen
    among the samples: the n-th follows from the seed, n and the truncation. Errors: `Stopped`, and the next run draws
    anew; `UserError` where a film is wanted that OpenCV cannot write; `DamagedState` for a damaged generator.
    """
    prepare_devices()
    extractor = choose_extractor(options.extractor, classifier)  # first: it may not be to be had
    on_the_way = _OnTheWay(progress, should_stop)
    pen = _Pen(options, _generator(gan), on_the_way)
    drawn = _draw_images(options, pen, folder)
    images = drawn[: options.count]
    write_png(folder / "grid.png", contact_sheet(drawn[: options.grid**2], options.grid))
    if options.film:
        write_film(_draw_film(options, pen), folder, name="film")
    figures = _compare(read_images(normalize, kept_ids(kept)).images, images, _Eyes(extractor, on_the_way), folder)
    told = {"seed": options.seed, "count": options.count, "truncation": options.truncation, **figures}
    (folder / "samples.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return Result(outputs={"samples": of_bytes(images.tobytes())}, summary=told)


def _generator(gan: Path) -> keras.Model:
    """The one in the finished folder `gan`. Errors: `DamagedState`."""
    path, definition = gan / GENERATOR, gan / DEFINITION
    if missing := [each for each in (path, definition) if not each.exists()]:
        raise DamagedState(f"{missing[0]} is missing; {WAY_OUT}")
    for each in (path, definition):
        verified.read_bytes(gan, each.name)
    try:
        return read_generator(path, read_definition(definition))
    except Unfit as error:
        raise DamagedState(f"{path} is no generator of the {DEFINITION} beside it: it {error}; {WAY_OUT}") from None
    except UserError as error:
        raise DamagedState(f"{error}; {WAY_OUT}") from None


@dataclass(frozen=True)
class _OnTheWay:
    """Says how far a piece of work is, and hears a request to stop."""

    progress: Progress
    should_stop: ShouldStop

    def tell(self, done: int, total: int, what: str) -> None:
        """`done` of `total` are `what`, such as "pictures drawn". Errors: `Stopped`."""
        self.progress(done, total, what)
        if self.should_stop():
            raise Stopped(f"stopped with {done} of {total} {what}")


@dataclass(frozen=True)
class _Pen:
    """The generator and its latents."""

    options: GenerateOptions
    generator: keras.Model
    on_the_way: _OnTheWay

    @property
    def side(self) -> int:
        """Width and height of what it draws, in pixels."""
        return self.generator.output_shape[1]

    def latents(self, count: int) -> np.ndarray:
        """The first `count` latents of the options' seed and truncation, (count, latent) float32."""
        seed, truncation = self.options.seed, self.options.truncation
        return fixed_latents(count, size=self.generator.input_shape[1], seed=seed, truncation=truncation)

    def draw(self, latents: np.ndarray, what: str) -> Iterator[np.ndarray]:
        """What becomes of `latents` (N, latent), `BATCH` by `BATCH`: (<= BATCH, S, S, C) uint8. Errors: `Stopped`."""
        for start in range(0, len(latents), BATCH):
            yield draw(self.generator, latents[start : start + BATCH])
            self.on_the_way.tell(min(start + BATCH, len(latents)), len(latents), f"{what} drawn")


@dataclass(frozen=True)
class _Eyes:
    """What pictures are measured with."""

    extractor: FeatureExtractor
    on_the_way: _OnTheWay

    def features(self, images: np.ndarray, what: str) -> np.ndarray:
        """Of `images` (N, S, S, C) uint8, (N, D) float32. Errors: `Stopped`."""
        found = []
        for start in range(0, len(images), AT_ONCE):
            found.append(self.extractor.features(images[start : start + AT_ONCE]))
            self.on_the_way.tell(min(start + AT_ONCE, len(images)), len(images), f"{what} measured")
        return np.concatenate(found)


def _draw_images(options: GenerateOptions, pen: _Pen, folder: Path) -> np.ndarray:
    """Draw the pictures and write `count` of them; all, (N, S, S, C) uint8: the sheet may have more."""
    (folder / "images").mkdir(exist_ok=True)
    digits = max(5, len(str(options.count - 1)))
    images: list[np.ndarray] = []
    for part in pen.draw(pen.latents(max(options.count, options.grid**2)), "pictures"):
        for number, image in enumerate(part[: max(0, options.count - len(images))], start=len(images)):
            write_png(folder / "images" / f"{number:0{digits}d}.png", image)
        images += [*part]
    return np.stack(images)


def _draw_film(options: GenerateOptions, pen: _Pen) -> Film:
    """Several walks at once through the latents of the first pictures and back, as many as fit beside each other."""
    across = min(MOST_ACROSS, max(1, FILM_SIDE // pen.side))
    latents = pen.latents(options.film * across**2)
    ways = loop(latents.reshape(options.film, across**2, -1), options.frames)  # (frames, walks, latent)
    drawn = np.concatenate([*pen.draw(ways.reshape(-1, latents.shape[1]), "pictures of the film")])
    frames = drawn.reshape(*ways.shape[:2], *drawn.shape[1:])
    return Film(frames=np.stack([contact_sheet(frame, across) for frame in frames]), fps=FPS)


def _compare(reals: np.ndarray, images: np.ndarray, eyes: _Eyes, folder: Path) -> dict[str, Any]:
    """Write neighbours.png; the scores by name, with the extractor that they hang on."""
    of_reals, of_images = eyes.features(reals, "kept pictures"), eyes.features(images, "samples")
    near = nearest_reals(of_images[:SHOWN], of_reals, min(NEAREST, len(reals)))
    rows = [picture for image, places in zip(images, near, strict=False) for picture in (image, *reals[places])]
    write_png(folder / "neighbours.png", contact_sheet(rows, 1 + near.shape[1]))
    scores = asdict(Reference(of_reals).score(of_images))
    return {**scores, "extractor": eyes.extractor.name}
