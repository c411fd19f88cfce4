"""The samples that the stage generate has made: a set for each of its artifacts, and the trainings that have any."""

from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState
from pipeline.gan.class_names import read_names
from pipeline.report.trace_lineage import number, training_name, whole
from pipeline.report.trainings import Training, Trainings
from pipeline.store.artifacts import SHORT
from pipeline.store.row_search import Glance, glance, glances
from pipeline.web.dataset_paths import DatasetPaths


def list_sample_sets(paths: DatasetPaths) -> list[dict[str, Any]]:
    """The facts about each set, that of the last run first, then the newest."""
    last = paths.generate.latest_name()
    gans = {each.manifest.outputs.get("generator"): each for each in glances(paths.gan)}
    newest_first = glances(paths.generate)[::-1]
    found = sorted(newest_first, key=lambda each: each.folder.name != last)
    return [_facts(paths, each, gans, last) for each in found]


def _facts(paths: DatasetPaths, generate: Glance, gans: dict[str | None, Glance], last: str) -> dict[str, Any]:
    options, summary = generate.manifest.options, generate.manifest.summary
    gan = gans.get(generate.manifest.inputs.get("gan.generator"))
    scores = {name: number(summary.get(name)) for name in ("kid", "kid_error", "precision", "recall")}
    return {
        "artifact": generate.folder.name,
        "created": generate.manifest.created,
        "training": training_name(paths, gan.manifest.key, gan) if gan else None,
        "seed": whole(options.get("seed")) or 0,
        "count": whole(summary.get("count")) or 0,
        "truncation": number(options.get("truncation")) or 0.0,
        "class_name": str(options.get("class_name", "")),
        "extractor": str(summary.get("extractor", "")),
        "last_used": generate.folder.name == last,
        **scores,
    }


def find_sample(paths: DatasetPaths, artifact: str, sample: int) -> Path | None:
    """The PNG file of a sample of the artifact called `artifact`, a folder's name; None if there is none."""
    generate = glance(paths.generate.root / artifact)
    if generate is None:
        return None
    count = whole(generate.manifest.summary.get("count")) or 0
    path = generate.folder / "images" / f"{sample:0{max(5, len(str(count - 1)))}d}.png"
    return path if path.is_file() else None


def list_generators(paths: DatasetPaths) -> list[dict[str, Any]]:
    """The trainings with a generator, the newest first: key (12 digits), name, definition, epochs, names of classes."""
    known = {each.key: each for each in Trainings(paths.generated).all()}
    gans = [each for each in glances(paths.gan) if each.manifest.outputs.get("generator")]
    return [_generator(each, known.get(each.manifest.key)) for each in reversed(gans)]


def _generator(gan: Glance, training: Training | None) -> dict[str, Any]:
    return {
        "key": gan.manifest.key[:SHORT],
        "name": training.name if training else gan.folder.name,
        "definition": training.definition if training else str(gan.manifest.options.get("definition", "")),
        "epochs": whole(gan.manifest.summary.get("epochs")),
        "size": whole(gan.manifest.summary.get("size")),
        "classes": _class_names(gan),
    }


def _class_names(gan: Glance) -> list[str]:
    try:
        return [*read_names(gan.folder)]
    except DamagedState:
        return []
