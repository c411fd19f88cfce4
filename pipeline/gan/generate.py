"""The stage generate: pictures from a trained generator, and how near they come to the reals."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.callbacks import Progress, ShouldStop
from pipeline.errors import Stopped
from pipeline.filter.kept import kept_ids
from pipeline.gan.extractor import choose_extractor
from pipeline.gan.latents import fixed_latents
from pipeline.gan.runtime import keras, prepare_devices
from pipeline.gan.samples import BATCH, draw
from pipeline.gan.scores import nearest_reals, score
from pipeline.gan.train import GENERATOR
from pipeline.images.image_set import read_images
from pipeline.images.sheet import contact_sheet, write_png
from pipeline.options import GenerateOptions
from pipeline.result import Result
from pipeline.store.digest import of_bytes

SHOWN, NEAREST = 12, 5  # rows of neighbours.png, and the reals beside each sample there


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
    """Draw `count` pictures into `folder`/images, with a sheet, their nearest reals and their scores beside.

    They are scored against the kept pictures, with the features of `classifier` where there is one. Nothing is chosen
    among the samples: the n-th follows from the seed and n. Errors: `Stopped`; the next run draws anew.
    """
    prepare_devices()
    images = _draw_all(options, keras.models.load_model(gan / GENERATOR, compile=False), folder, progress, should_stop)
    write_png(folder / "grid.png", contact_sheet(images[: options.grid**2], options.grid))
    figures = _compare(read_images(normalize, kept_ids(kept)).images, images, classifier, folder)
    told = {"seed": options.seed, "count": options.count, **figures}
    (folder / "samples.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return Result(outputs={"samples": of_bytes(images.tobytes())}, summary=told)


def _draw_all(
    options: GenerateOptions, generator: keras.Model, folder: Path, progress: Progress, should_stop: ShouldStop
) -> np.ndarray:
    """Draw and write each picture; all of them, (count, S, S, C) uint8."""
    latents = fixed_latents(options.count, size=generator.input_shape[1], seed=options.seed)
    (folder / "images").mkdir(exist_ok=True)
    digits, parts = max(5, len(str(options.count - 1))), []
    for start in range(0, options.count, BATCH):
        parts.append(draw(generator, latents[start : start + BATCH]))
        for number, image in enumerate(parts[-1], start=start):
            write_png(folder / "images" / f"{number:0{digits}d}.png", image)
        progress(start + len(parts[-1]), options.count, "pictures drawn")
        if should_stop():
            raise Stopped(f"stopped after {start + len(parts[-1])} of {options.count} pictures")
    return np.concatenate(parts)


def _compare(reals: np.ndarray, images: np.ndarray, classifier: Path | None, folder: Path) -> dict[str, Any]:
    """Write neighbours.png; the scores by name, with the extractor that they hang on."""
    extractor = choose_extractor(classifier)
    of_reals, of_images = extractor.features(reals), extractor.features(images)
    near = nearest_reals(of_images[:SHOWN], of_reals, min(NEAREST, len(reals)))
    rows = [picture for image, places in zip(images, near, strict=False) for picture in (image, *reals[places])]
    write_png(folder / "neighbours.png", contact_sheet(rows, 1 + near.shape[1]))
    scores = dataclasses.asdict(score(of_reals, of_images))
    return {**scores, "extractor": extractor.name}
