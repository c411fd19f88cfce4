"""The sampler: a process that keeps a generator in memory and draws samples for the studio, one question at a time.

It reads a question a line from standard input, JSON, and writes an answer a line. Pictures go into the folder that the
question names. A question has the fields of `Question`; `walk` and `nearest` are of two of its kinds. An answer is
{"files": [...]}, for `nearest` {"rows": [...]} as neighbours.jsonl has them, or {"error": line}.

Samples are drawn in the same batches as by the stage generate, so the n-th of a seed and truncation has the same pixels
on the same kind of device.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.devices import keras, prepare_devices
from pipeline.errors import UserError, of_system
from pipeline.filter.scores import kept_ids
from pipeline.gan.class_names import ClassChoice, find_class
from pipeline.gan.evaluation.features import FeatureExtractor, choose_extractor
from pipeline.gan.evaluation.nearest_reals import nearest_in_blocks, neighbour_rows
from pipeline.gan.evaluation.real_features import kept_features
from pipeline.gan.latents import fixed_latents, slerp
from pipeline.gan.networks.export import GENERATOR
from pipeline.gan.sampling import draw_samples, numbered_samples
from pipeline.gan.sampling_limits import MAX_COUNT, MAX_FRAMES, MAX_NUMBER, MAX_SIDE
from pipeline.gan.trained_generator import class_names, load_generator
from pipeline.images.contact_sheet import contact_sheet
from pipeline.images.dataset import read_images
from pipeline.images.png import encode_png
from pipeline.pretrained import find_extractor
from pipeline.store.atomic import write_whole


class Question(BaseModel):
    """What the sampler is asked. Seeds and numbers name latents as in the stage generate."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["draw", "tile", "walk", "nearest"]
    gan: Path  # the artifact with the generator
    folder: Path  # for the pictures; exists
    seed: int = Field(0, ge=0)
    first: int = Field(0, ge=0, lt=MAX_NUMBER)
    count: int = Field(1, ge=1, le=MAX_COUNT)  # of a tile: its side squared
    truncation: float = Field(0.0, ge=0)
    class_name: str = ""  # of a conditional GAN; empty: as the latents choose
    to_seed: int = Field(0, ge=0)  # of a walk: where it ends
    to_first: int = Field(0, ge=0, lt=MAX_NUMBER)
    frames: int = Field(2, ge=2, le=MAX_FRAMES)
    side: int = Field(10, ge=1, le=MAX_SIDE)
    extractor: str = ""  # of nearest: its name, as a summary has it
    classifiers: tuple[Path, ...] = ()  # artifacts one of which may hold the network of the extractor
    normalize: Path = Path()
    kept: Path = Path()
    features: Path = Path()  # the folder that keeps the features of the reals


def serve(questions: IO[str], answers: IO[str]) -> None:
    """Answer each line of `questions` with a line in `answers`, until there are no more."""
    prepare_devices()
    for line in questions:
        answers.write(json.dumps(_answer(line)) + "\n")
        answers.flush()


def _answer(line: str) -> dict[str, Any]:
    try:
        question = Question.model_validate_json(line)
        return ANSWERS[question.kind](question)
    except ValidationError as error:
        first = error.errors()[0]
        return {"error": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}
    except UserError as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": str(of_system(error))}


def _draw(question: Question) -> dict[str, Any]:
    names = [f"{number:05d}.png" for number in range(question.first, question.first + question.count)]
    return _write(question, names, _samples(question))


def _tile(question: Question) -> dict[str, Any]:
    generator = _generator(question.gan)
    samples = numbered_samples(
        generator, question.seed, question.first, question.side**2, question.truncation, _chosen(question)
    )
    return _write(question, ["tile.png"], [contact_sheet(samples, question.side)])


def _walk(question: Question) -> dict[str, Any]:
    generator = _generator(question.gan)
    start = _latent(generator, question, seed=question.seed, number=question.first)
    end = _latent(generator, question, seed=question.to_seed, number=question.to_first)
    parts = [number / (question.frames - 1) for number in range(question.frames)]
    latents = np.stack([slerp(start, end, part) for part in parts]).astype(np.float32)
    names = [f"{number:05d}.png" for number in range(question.frames)]
    return _write(question, names, draw_samples(generator, latents))


def _nearest(question: Question) -> dict[str, Any]:
    extractor = find_named(question.extractor, question.classifiers)
    ids = sorted(kept_ids(question.kept))
    reals = kept_features(
        question.features, len(ids), lambda: read_images(question.normalize, ids).images, extractor.features
    )
    near = nearest_in_blocks(extractor.features(_samples(question)), reals)
    os.utime(question.features)  # it was used now
    return {"rows": [*neighbour_rows(near, ids, first=question.first)]}


ANSWERS: dict[str, Callable[[Question], dict[str, Any]]] = {
    "draw": _draw,
    "tile": _tile,
    "walk": _walk,
    "nearest": _nearest,
}


@lru_cache(maxsize=2)  # two that are compared
def _load(gan: Path, stamp: int) -> keras.Model:
    return load_generator(gan)


def _generator(gan: Path) -> keras.Model:
    path = gan / GENERATOR
    return _load(gan, path.stat().st_mtime_ns if path.exists() else 0)


def _samples(question: Question) -> np.ndarray:
    """The samples (count, S, S, C) uint8 that the question asks for."""
    return numbered_samples(
        _generator(question.gan),
        question.seed,
        question.first,
        question.count,
        question.truncation,
        _chosen(question),
    )


def _latent(generator: keras.Model, question: Question, *, seed: int, number: int) -> np.ndarray:
    size, chosen = generator.input_shape[1], _chosen(question)
    return fixed_latents(number + 1, size=size, seed=seed, truncation=question.truncation, chosen=chosen)[number]


def _chosen(question: Question) -> ClassChoice | None:
    """The class that the question names. Errors: `UserError` if the generator has no such class."""
    return find_class(question.class_name, class_names(question.gan))


def _write(question: Question, names: Sequence[str], pictures: Sequence[np.ndarray] | np.ndarray) -> dict[str, Any]:
    for name, picture in zip(names, pictures, strict=True):
        write_whole(question.folder / name, encode_png(picture), sync=False)
    return {"files": [*names]}


def find_named(name: str, classifiers: Sequence[Path]) -> FeatureExtractor:
    """The extractor called `name`, which the weights on this machine give; nothing is downloaded.

    Raises:
        UserError: It is not here.
    """
    tries: list[tuple[str, Path | None]] = [("own", None), ("auto", None)]
    if name.startswith("backbone"):
        tries = [("own", each) for each in classifiers]
    published = {"mobilenet": "MobileNet", "inceptionv3": "Inception"}.get(name.partition("-")[0])
    if published and (weights := find_extractor(published)) and weights.path.exists():
        tries.append((published, None))
    for option, classifier in tries:
        found = choose_extractor(option, classifier)
        if found.name == name:
            return found
    raise UserError(f"the extractor {name}, which measured these samples, is not here; generate samples again")


def main() -> int:
    """Serve standard input. What libraries print goes to standard error, so that only answers are on the output."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(sys.stdin, answers)
    return 0
