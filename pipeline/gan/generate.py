"""The stage generate: samples from a trained generator, and their scores against the reals."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cluster.client import Cluster
from pipeline.devices import keras, prepare_devices
from pipeline.errors import DamagedState, UserError
from pipeline.filter.scores import kept_ids
from pipeline.gan.class_names import ClassChoice, find_class, places_of
from pipeline.gan.classes import read_classes
from pipeline.gan.evaluation.features import FeatureExtractor, choose_extractor
from pipeline.gan.evaluation.metrics import Reference
from pipeline.gan.evaluation.nearest_reals import NEIGHBOURS, nearest_in_blocks, neighbour_rows
from pipeline.gan.sample_shards import draw_on_cluster
from pipeline.gan.sampling import BATCH, draw_samples, fixed_latents, latent_walk
from pipeline.gan.trained_generator import class_names, load_generator
from pipeline.gan.video import Video, film_notice, write_video
from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.dataset import ImageSet, read_images
from pipeline.images.packed import Images
from pipeline.options import GenerateOptions
from pipeline.progress import Progress, ShouldStop, StageProgress, tell
from pipeline.result import Result
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import write_rows

SHOWN = 12  # rows of neighbours.png
MEASURE_BATCH = 256  # pictures between two progress reports; a multiple of the batch of every extractor
HELD = 192 * MEASURE_BATCH  # reals whose features are in memory; of more, as many are chosen at random for the scores
FPS = 20  # of the video; 100 is divisible by it, as a GIF counts hundredths of a second
MAX_WALKS, VIDEO_SIDE = 3, 400  # walks in a row, and their width in pixels: nine walks of 128 px, one of 256


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
    cluster: Cluster | None = None,
    download: Path | None = None,
) -> Result:
    """Generate `count` samples into `folder`/images, with a contact sheet, a video, nearest reals and scores.

    neighbours.jsonl has a row {sample, nearest} for each sample: `nearest` are its nearest reals, {id, distance} each,
    the nearest first. Distances are Euclidean between the features of the extractor that the summary names.

    They are scored against the kept pictures, with the features of the option `extractor`. No sample is selected: the
    n-th follows from the seed, n, the truncation and the class that the options choose, if any; then it is scored
    against the kept pictures of this class, as `download` says it. The rows of samples of a conditional GAN say its
    `class`. Errors: `Stopped`, and the next run starts again; `DamagedState` for a damaged generator; `UserError` if it
    has no such class.
    """
    prepare_devices()
    extractor = choose_extractor(options.extractor, classifier)  # first, as it may be unavailable
    stage_progress = StageProgress(progress, should_stop)
    names = class_names(gan)
    chosen = find_class(options.class_name, names)
    sampler = _Sampler(options, load_generator(gan), chosen, stage_progress)
    count = max(options.count, options.grid**2)
    drawn = _draw_on_cluster(options, gan, count, chosen, cluster, stage_progress) if cluster else sampler.draw(count)
    _write_samples(drawn[: options.count], folder)
    images = drawn[: options.count]
    shown = _on_sheet(drawn, sampler.places(names, count), options.grid)
    write_png(folder / "grid.png", contact_sheet(shown, options.grid))
    if options.film:
        write_video(_make_video(options, sampler), folder, name="film")
    ids, doubt = _of_class(options.class_name, kept_ids(kept), download)
    reals = read_images(normalize, ids, progress=stage_progress.report)
    measured = _ProgressExtractor(extractor, stage_progress)
    classes = [names[place] for place in sampler.places(names, options.count)]
    scores = _compare(reals, images, measured, folder, classes)
    about = {"class": options.class_name} if chosen else {}
    summary = {"seed": options.seed, "count": options.count, "truncation": options.truncation, **about, **scores}
    (folder / "samples.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    notices = [notice for notice in (film_notice() if options.film else "", doubt) if notice]
    told = {"notices": notices} if notices else {}
    return Result(outputs={"samples": of_bytes(images.tobytes())}, summary={**summary, **told})


@dataclass(frozen=True)
class _Sampler:
    """Makes samples from the generator, in batches."""

    options: GenerateOptions
    generator: keras.Model
    chosen: ClassChoice | None
    progress: StageProgress

    @property
    def side(self) -> int:
        """Width and height of a sample in pixels."""
        return self.generator.output_shape[1]

    def latents(self, count: int) -> np.ndarray:
        """The first `count` latents (count, latent) float32 of the options' seed, truncation and class."""
        size, given = self.generator.input_shape[1], self.options
        return fixed_latents(count, size=size, seed=given.seed, truncation=given.truncation, chosen=self.chosen)

    def places(self, names: Sequence[str], count: int) -> np.ndarray:
        """The place in `names` of the class of each of the first `count` samples (count,); none without `names`."""
        return places_of(self.latents(count), len(names)) if names else np.zeros(0, np.int64)

    def draw(self, count: int) -> np.ndarray:
        """The first `count` samples (count, S, S, C) uint8. Errors: `Stopped`."""
        return np.concatenate([*self.sample(self.latents(count), "samples")])

    def sample(self, latents: np.ndarray, what: str) -> Iterator[np.ndarray]:
        """Samples for `latents` (N, latent) in batches (<= BATCH, S, S, C) uint8. Errors: `Stopped`."""
        for start in range(0, len(latents), BATCH):
            yield draw_samples(self.generator, latents[start : start + BATCH])
            self.progress.report(min(start + BATCH, len(latents)), len(latents), f"{what} generated")


@dataclass(frozen=True)
class _ProgressExtractor:
    """A feature extractor that reports its progress."""

    base: FeatureExtractor
    progress: StageProgress

    def features(self, images: Images, what: str) -> np.ndarray:
        """Features (N, D) float32 of `images` (N, S, S, C) uint8. Errors: `Stopped`."""
        return np.concatenate([features for _, features in self.blocks(images, what)])

    def blocks(self, images: Images, what: str) -> Iterator[tuple[int, np.ndarray]]:
        """The features in blocks (<= HELD, D), each with the index of its first image. Errors: `Stopped`."""
        found: list[np.ndarray] = []
        for start in range(0, len(images), MEASURE_BATCH):
            found.append(self.base.features(images[start : start + MEASURE_BATCH]))
            done = min(start + MEASURE_BATCH, len(images))
            self.progress.report(done, len(images), f"{what} measured")
            if done % HELD == 0 or done == len(images):
                yield (done - 1) // HELD * HELD, np.concatenate(found)
                found.clear()


def _draw_on_cluster(
    options: GenerateOptions,
    gan: Path,
    count: int,
    chosen: ClassChoice | None,
    cluster: Cluster,
    progress: StageProgress,
) -> np.ndarray:
    """The first `count` samples (count, S, S, C) uint8, as `_Sampler.draw` gives them."""
    return draw_on_cluster(
        gan,
        count,
        seed=options.seed,
        truncation=options.truncation,
        chosen=chosen,
        cluster=cluster,
        report=lambda done: progress.report(done, count, "samples generated"),
        should_stop=progress.should_stop,
        tell=partial(tell, progress.progress),
    )


def _on_sheet(drawn: np.ndarray, classes: np.ndarray, grid: int) -> np.ndarray:
    """The first samples of `drawn` (N, S, S, C), as many as a sheet shows: (grid², S, S, C).

    With the numbers of their `classes` (N,) a row has the next ones of one class, in turn; of more than `grid` classes
    the first are shown. A row ends white if its class was drawn less often.
    """
    if not len(classes):
        return drawn[: grid**2]
    sheet, different = np.full((grid, grid, *drawn.shape[1:]), 255, np.uint8), np.unique(classes)
    for row in range(grid):
        turn, place = divmod(row, len(different))
        shown = np.flatnonzero(classes == different[place])[turn * grid : (turn + 1) * grid]
        sheet[row, : len(shown)] = drawn[shown]
    return sheet.reshape(grid**2, *drawn.shape[1:])


def _write_samples(images: np.ndarray, folder: Path) -> None:
    (folder / "images").mkdir(exist_ok=True)
    digits = max(5, len(str(len(images) - 1)))
    for number, image in enumerate(images):
        write_png(folder / "images" / f"{number:0{digits}d}.png", image)


def _make_video(options: GenerateOptions, sampler: _Sampler) -> Video:
    """Several walks through the latents of the first samples and back, side by side, as many as fit."""
    across = min(MAX_WALKS, max(1, VIDEO_SIDE // sampler.side))
    latents = sampler.latents(options.film * across**2)
    walks = latent_walk(latents.reshape(options.film, across**2, -1), options.frames)  # (frames, walks, latent)
    drawn = np.concatenate([*sampler.sample(walks.reshape(-1, latents.shape[1]), "frames of the video")])
    frames = drawn.reshape(*walks.shape[:2], *drawn.shape[1:])
    return Video(frames=np.stack([contact_sheet(frame, across) for frame in frames]), fps=FPS)


def _of_class(name: str, ids: Sequence[str], download: Path | None) -> tuple[Sequence[str], str]:
    """Those of the kept `ids` that are of the class `name`; all of them if it is empty, or with a notice why."""
    if not name:
        return ids, ""
    compared = f"samples of the class '{name}' are compared with all kept pictures"
    try:
        classes = read_classes(ids, download) if download else None
    except DamagedState:
        raise
    except UserError:  # they are not divided into classes any more
        classes = None
    if classes is None:
        return ids, f"{compared}, as nothing says which of them are of that class"
    if name not in classes.names:
        return ids, f"{compared}, as none of them is of that class any more"
    return [ids[place] for place in classes.indices(classes.names.index(name))], ""


def _compare(
    reals: ImageSet, images: np.ndarray, extractor: _ProgressExtractor, folder: Path, classes: Sequence[str]
) -> dict[str, Any]:
    """Write neighbours.png and neighbours.jsonl; returns the scores by name, with their extractor."""
    sample_features = extractor.features(images, "samples")
    chosen = np.sort(np.random.default_rng((0, *b"reals")).permutation(len(reals.images))[:HELD])
    real_features = []  # of the chosen ones

    def blocks() -> Iterator[np.ndarray]:
        for start, features in extractor.blocks(reals.images, "kept pictures"):
            real_features.append(features[chosen[(start <= chosen) & (chosen < start + len(features))] - start])
            yield features

    near = nearest_in_blocks(sample_features, blocks())
    write_rows(folder / NEIGHBOURS, neighbour_rows(near, reals.ids, classes=classes))
    shown = [(image, *reals.images[found]) for image, found in zip(images[:SHOWN], near.indices, strict=False)]
    write_png(
        folder / "neighbours.png", contact_sheet([each for row in shown for each in row], 1 + near.indices.shape[1])
    )
    scores = asdict(Reference(np.concatenate(real_features)).score(sample_features))
    return {**scores, "extractor": extractor.base.name}
