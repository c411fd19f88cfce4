"""Samples of any seed and number, walks, tiles and nearest reals, from the disk or drawn by the sampler."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.report.trace_lineage import with_output
from pipeline.store.row_search import Glance, glances
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.drawing.drawn_cache import DrawnCache
from pipeline.web.drawing.sampler_process import SamplerProcess

BATCH = 64  # samples that are drawn and kept together: as the generator draws them
ANSWER = "answer.json"


@dataclass(frozen=True, kw_only=True)
class Latent:
    """Which latent: the `number`-th of a seed, a truncation and, if it is not empty, a class."""

    seed: int
    number: int
    truncation: float = 0.0
    class_name: str = ""

    @property
    def of_class(self) -> dict[str, str]:
        """What a question says of its class."""
        return {"class_name": self.class_name} if self.class_name else {}


class SampleDrawer:
    """Draws samples of the trainings of all datasets."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = SamplerProcess(command)

    def draw(self, paths: DatasetPaths, key: str, first: Latent, count: int) -> list[int]:
        """Draw `count` samples from `first` on; returns their numbers. `find` has their files then."""
        gan = find_generator(paths, key)
        numbers = range(first.number, first.number + count)
        for batch in sorted({number // BATCH for number in numbers}):
            question = _of_batch(gan, first, batch)
            self._made(paths, "draw", question, {"gan": _path(gan), **question})
        return list(numbers)

    def find(self, paths: DatasetPaths, key: str, latent: Latent) -> Path | None:
        """The PNG file of a sample that was drawn; None if it was not, or not lately."""
        gan = find_generator(paths, key)
        cache = _cache(paths)
        question = _of_batch(gan, latent, latent.number // BATCH)
        folder = cache.find(cache.name("draw", question))
        return folder / f"{latent.number:05d}.png" if folder else None

    def walk(self, paths: DatasetPaths, key: str, start: Latent, end: Latent, frames: int) -> str:
        """Draw `frames` samples on the way from one latent to another; returns the name that `find_frame` takes."""
        gan = find_generator(paths, key)
        question = {
            "generator": gan.manifest.outputs["generator"],
            "seed": start.seed,
            "first": start.number,
            "to_seed": end.seed,
            "to_first": end.number,
            "truncation": start.truncation,
            "frames": frames,
            **start.of_class,
        }
        return self._made(paths, "walk", question, {"gan": _path(gan), **question}).name

    def find_frame(self, paths: DatasetPaths, walk: str, frame: int) -> Path | None:
        """The PNG file of a frame of a walk, counted from 0; None if there is none."""
        folder = _cache(paths).find(walk) if walk.startswith("walk-") else None
        path = folder / f"{frame:05d}.png" if folder else None
        return path if path and path.is_file() else None

    def tile(self, paths: DatasetPaths, key: str, *, seed: int = 0, side: int = 10) -> Path:
        """The PNG file of a contact sheet of the first `side` times `side` samples of a seed."""
        gan = find_generator(paths, key)
        question = {"generator": gan.manifest.outputs["generator"], "seed": seed, "side": side}
        return self._made(paths, "tile", question, {"gan": _path(gan), **question}) / "tile.png"

    def nearest(self, paths: DatasetPaths, key: str, latent: Latent) -> tuple[str, list[tuple[str, float]]]:
        """The extractor, and the ids and distances of the reals nearest to a sample, the nearest first."""
        gan = find_generator(paths, key)
        extractor = _extractor(paths, gan)
        kept, squares = _reals(paths, gan)
        cache = _cache(paths)
        reals = {"kept": gan.manifest.inputs["filter.kept"], "extractor": extractor}
        about = {"seed": latent.seed, "first": latent.number, "truncation": latent.truncation, **latent.of_class}
        question = {"generator": gan.manifest.outputs["generator"], **reals, **about}
        asked = {
            "gan": _path(gan),
            **about,
            "extractor": extractor,
            "classifiers": [str(each.folder.resolve()) for each in reversed(glances(paths.classifier))],
            "normalize": _path(squares),
            "kept": _path(kept),
            "features": str((cache.folder / cache.name("reals", reals)).resolve()),
        }
        folder = self._made(paths, "nearest", question, asked)
        try:
            rows = json.loads((folder / ANSWER).read_bytes())["rows"]
            return extractor, [(str(each["id"]), float(each["distance"])) for each in rows[0]["nearest"]]
        except (OSError, ValueError, LookupError, TypeError):
            raise UserError(f"{folder / ANSWER} cannot be read; delete that folder") from None

    def close(self) -> None:
        """End the process."""
        self.process.close()

    def _made(self, paths: DatasetPaths, kind: str, question: dict[str, Any], asked: dict[str, Any]) -> Path:
        """The folder with the answer to `question`, which names it; the sampler is `asked` if it is not there."""
        cache = _cache(paths)
        asked = {name: value for name, value in asked.items() if name != "generator"}

        def make(folder: Path) -> None:
            answer = self.process.ask({"kind": kind, "folder": str(folder.resolve()), **asked})
            (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")

        return cache.made(cache.name(kind, question), make)


def find_generator(paths: DatasetPaths, key: str) -> Glance:
    """The artifact of the training whose content key begins with `key`; status 404 if it has no generator."""
    found = [each for each in glances(paths.gan) if each.manifest.key.startswith(key)]
    if not found or "generator" not in found[-1].manifest.outputs:
        raise HTTPException(404, f"there is no finished training {key[:12]}; the page of trainings lists them")
    return found[-1]


def _of_batch(gan: Glance, latent: Latent, batch: int) -> dict[str, Any]:
    generator = gan.manifest.outputs["generator"]
    return {
        "generator": generator,
        "seed": latent.seed,
        "first": batch * BATCH,
        "count": BATCH,
        "truncation": float(latent.truncation),
        **latent.of_class,
    }


def _cache(paths: DatasetPaths) -> DrawnCache:
    return DrawnCache(paths.folder / "cache")


def _path(found: Glance) -> str:
    """Absolute, as the process may have another working folder."""
    return str(found.folder.resolve())


def _extractor(paths: DatasetPaths, gan: Glance) -> str:
    """What the samples of this generator were measured with last."""
    generator = gan.manifest.outputs["generator"]
    for each in reversed(glances(paths.generate)):
        if each.manifest.inputs.get("gan.generator") == generator and each.manifest.summary.get("extractor"):
            return str(each.manifest.summary["extractor"])
    raise UserError("no samples of this training were measured yet; `python -m tasks generate` measures some")


def _reals(paths: DatasetPaths, gan: Glance) -> tuple[Glance, Glance]:
    """The filter and the squares that the training learned from."""
    kept = with_output(paths.filter, "kept", gan.manifest.inputs.get("filter.kept"), gan)
    digest = kept.manifest.inputs.get("normalize.images") if kept else None
    squares = with_output(paths.normalize, "images", digest, kept)
    if kept is None or squares is None:
        raise UserError("the squares that this training learned from were deleted, so nearest reals cannot be found")
    return kept, squares
