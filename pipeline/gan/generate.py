"""The stage generate: pictures from a trained generator, and how near they come to the reals."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.callbacks import Progress, ShouldStop
from pipeline.errors import Stopped
from pipeline.filter.kept import kept_ids
from pipeline.gan.extractor import Extractor, choose_extractor
from pipeline.gan.film import Film, write_film
from pipeline.gan.latents import fixed_latents, loop
from pipeline.gan.networks.export import read_generator
from pipeline.gan.runtime import keras, prepare_devices
from pipeline.gan.samples import BATCH, draw
from pipeline.gan.scores import Reference, nearest_reals
from pipeline.images.image_set import read_images
from pipeline.images.sheet import contact_sheet, write_png
from pipeline.options import GenerateOptions
from pipeline.result import Result
from pipeline.store.digest import of_bytes

SHOWN, NEAREST = 12, 5  # rows of neighbours.png, and the reals beside each sample there
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
    pen = _Pen(options, read_generator(gan), progress, should_stop)
    images = _draw_images(options, pen, folder)
    write_png(folder / "grid.png", contact_sheet(images[: options.grid**2], options.grid))
    if options.film:
        write_film(_draw_film(options, pen), folder, name="film")
    figures = _compare(read_images(normalize, kept_ids(kept)).images, images, extractor, folder)
    told = {"seed": options.seed, "count": options.count, "truncation": options.truncation, **figures}
    (folder / "samples.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return Result(outputs={"samples": of_bytes(images.tobytes())}, summary=told)


class _Pen:
    """The generator and its latents; while it draws it says how far it is and hears a request to stop."""

    def __init__(
        self, options: GenerateOptions, generator: keras.Model, progress: Progress, should_stop: ShouldStop
    ) -> None:
        self.options, self._generator, self._progress, self._should_stop = options, generator, progress, should_stop

    @property
    def side(self) -> int:
        """Width and height of what it draws, in pixels."""
        return self._generator.output_shape[1]

    def latents(self, count: int) -> np.ndarray:
        """The first `count` latents of the options' seed and truncation, (count, latent) float32."""
        seed, truncation = self.options.seed, self.options.truncation
        return fixed_latents(count, size=self._generator.input_shape[1], seed=seed, truncation=truncation)

    def draw(self, latents: np.ndarray, what: str) -> Iterator[np.ndarray]:
        """What becomes of `latents` (N, latent), `BATCH` by `BATCH`: (<= BATCH, S, S, C) uint8. Errors: `Stopped`."""
        done = 0
        for start in range(0, len(latents), BATCH):
            images = draw(self._generator, latents[start : start + BATCH])
            yield images
            done += len(images)
            self._progress(done, len(latents), f"{what} drawn")
            if self._should_stop():
                raise Stopped(f"stopped after {done} of {len(latents)} {what}")


def _draw_images(options: GenerateOptions, pen: _Pen, folder: Path) -> np.ndarray:
    """Draw and write each picture; all of them, (count, S, S, C) uint8."""
    (folder / "images").mkdir(exist_ok=True)
    digits, images = max(5, len(str(options.count - 1))), []
    for part in pen.draw(pen.latents(options.count), "pictures"):
        for number, image in enumerate(part, start=len(images)):
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


def _compare(reals: np.ndarray, images: np.ndarray, extractor: Extractor, folder: Path) -> dict[str, Any]:
    """Write neighbours.png; the scores by name, with the extractor that they hang on."""
    of_reals, of_images = extractor.features(reals), extractor.features(images)
    near = nearest_reals(of_images[:SHOWN], of_reals, min(NEAREST, len(reals)))
    rows = [picture for image, places in zip(images, near, strict=False) for picture in (image, *reals[places])]
    write_png(folder / "neighbours.png", contact_sheet(rows, 1 + near.shape[1]))
    scores = dataclasses.asdict(Reference(of_reals).score(of_images))
    return {**scores, "extractor": extractor.name}
