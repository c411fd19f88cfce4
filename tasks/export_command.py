"""The command `python -m tasks export`: copy what a dataset was last run with into a folder, for other programs."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pipeline.dataset_names import dataset_flag
from pipeline.errors import UserError
from pipeline.gan.card_text import Layout as CardLayout
from pipeline.gan.model_repository import ONNX, repository_files
from pipeline.machine import CPU_ENVIRONMENT
from pipeline.progress import shown_if_watched
from pipeline.report.export_files import ExportFile, export_samples, export_squares
from pipeline.report.export_folder import ExportKind, find_earlier, write_export
from pipeline.report.export_layouts import IMAGE_FOLDER, LAYOUTS, SHARD_SUFFIXES, as_image_folder, shards_of
from pipeline.report.export_shards import write_shards
from pipeline.store.artifacts import Artifact, load
from pipeline.text import counted
from tasks import label_snapshots, machines, paths
from tasks.isolation import output_into

PICTURES = {"kept": "kept squares", "squares": "squares", "samples": "samples"}  # each with the words for its files
MODELS: dict[str, CardLayout] = {"model": "keras", "onnx": "onnx"}
KINDS = (*PICTURES, *MODELS)
HELP = "kept: kept squares; squares; samples; model: the networks for Keras, onnx: the generator as ONNX, with a card"
Write = Callable[..., None]  # `write_export` or `write_shards` of what is to be written
LAYOUT_HELP = (
    "layout of pictures: imagefolder for Hugging Face, webdataset: tar shards, tfrecord: shards for TensorFlow"
    " (default: files and metadata.jsonl)"
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.set_defaults(function=export)
    parser.add_argument("kind", choices=KINDS, help=HELP)
    parser.add_argument("to", type=Path, metavar="DIR", help="a new or empty folder, or an earlier export of the same")
    parser.add_argument("--as", dest="layout", choices=LAYOUTS, default="", help=LAYOUT_HELP)


def export(arguments: Namespace) -> int:
    """Copy squares or samples into a folder, with a line of metadata each, or the trained networks with their card."""
    kind, dataset, folder, layout = arguments.kind, arguments.dataset, arguments.to, arguments.layout
    paths.existing_dataset(dataset)
    if layout and kind in MODELS:
        raise UserError(f"--as {layout} is a layout of pictures: export {' or '.join(PICTURES)} as {layout}")
    wanted = ExportKind(kind=kind, dataset=dataset, layout=layout)
    earlier = find_earlier(folder, wanted)
    artifacts = _artifacts(kind, dataset)
    if kind in MODELS:
        write, said = _model(kind, artifacts)
    else:
        write, said = _pictures(kind, artifacts, dataset, layout)
    if earlier and not earlier.finished:
        print(f"{folder}: the last export was not finished; it is made again", file=sys.stderr)
    folders = {stage: found.folder for stage, found in artifacts.items()}
    try:
        with shown_if_watched("export") as progress:
            write(folder, earlier=earlier, export=wanted, artifacts=folders, progress=progress)
    except BaseException:
        print(f"{folder}: the export is not finished; export again to finish it", file=sys.stderr)
        raise
    print(f"{folder}: {said}")
    return 0


def _artifacts(kind: str, dataset: str) -> dict[str, Artifact]:
    """The artifacts that an export of `kind` reads, by stage."""
    if kind in MODELS:
        return {"gan": _last_used(dataset, "gan", "trained networks")}
    return _samples(dataset) if kind == "samples" else _squares(dataset, only_kept=kind == "kept")


def _model(kind: str, artifacts: Mapping[str, Artifact]) -> tuple[Write, str]:
    """What writes the files of a model, and what was written in words."""
    gan = artifacts["gan"]
    made = {ONNX: _onnx(gan)} if kind == "onnx" else {}
    files = repository_files(gan.folder, layout=MODELS[kind], made=made)
    said = f"{len(files)} files, a repository for the Hugging Face Hub; nothing was uploaded"
    return partial(write_export, files=files), said


def _pictures(kind: str, artifacts: Mapping[str, Artifact], dataset: str, layout: str) -> tuple[Write, str]:
    """What writes the pictures in their layout, and what was written in words."""
    files = _picture_files(kind, artifacts, dataset)
    what = f"{len(files)} {PICTURES[kind]} of {dataset}"
    if layout in SHARD_SUFFIXES:
        shards = shards_of(files, layout)
        return partial(write_shards, shards=shards), f"{what} in {counted(len(shards), 'shard')}"
    files = as_image_folder(files) if layout == IMAGE_FOLDER else files
    return partial(write_export, files=files), f"{what}; metadata.jsonl has a line for each"


def _picture_files(kind: str, artifacts: Mapping[str, Artifact], dataset: str) -> list[ExportFile]:
    if kind == "samples":
        return export_samples(artifacts["generate"], artifacts.get("gan"))
    folders = {stage: found.folder for stage, found in artifacts.items()}
    return export_squares(
        folders["normalize"],
        download=folders.get("download"),
        kept=folders.get("filter"),
        labels={} if "filter" in folders else label_snapshots.log(dataset).effective(),
        only_kept=kind == "kept",
    )


def _onnx(gan: Artifact) -> bytes:
    """The generator of `gan` as ONNX. Errors: `DamagedState`; `UserError` as of `to_onnx`."""
    # A .keras file is the same on each backend, and ONNX is written with TensorFlow. A GPU is left to trainings
    os.environ.update(CPU_ENVIRONMENT, KERAS_BACKEND="tensorflow")
    facts = {
        "dataset": gan.manifest.dataset,
        "definition": str(gan.manifest.options.get("definition")),
        "epoch": str(gan.manifest.summary.get("epoch_kept")),
        "generator": gan.manifest.outputs["generator"],
    }
    with output_into(Path(os.devnull)):  # TensorFlow says a lot about itself while it loads
        from pipeline.gan.networks.onnx_export import check_packages, to_onnx
        from pipeline.gan.trained_generator import load_generator

        check_packages()
        return to_onnx(load_generator(gan.folder), facts=facts)


def _samples(dataset: str) -> dict[str, Artifact]:
    """The samples, and the generator that made them if it still exists."""
    generate = _last_used(dataset, "generate", "samples")
    gan = _find(dataset, "gan", "generator", generate.manifest.inputs.get("gan.generator", ""))
    return {"generate": generate} | ({"gan": gan} if gan else {})


def _squares(dataset: str, *, only_kept: bool) -> dict[str, Artifact]:
    """The squares, and as far as they exist the verdicts on them and the download that they were made from."""
    if only_kept:
        verdicts: Artifact | None = _last_used(dataset, "filter", "kept squares")
        assert verdicts is not None
        digest = verdicts.manifest.inputs["normalize.images"]
        normalize = _find(dataset, "normalize", "images", digest)
        if normalize is None:
            raise UserError(
                f"the squares that {verdicts.folder} speaks of were deleted; `python -m tasks run"
                f"{dataset_flag(dataset)}` makes them again"
            )
    else:
        normalize = _last_used(dataset, "normalize", "squares")
        verdicts = _find(dataset, "filter", "normalize.images", normalize.manifest.outputs["images"])
    download = _find(dataset, "download", "images", normalize.manifest.inputs["download.images"])
    if download is None:
        print(
            f"{normalize.folder}: the download that these squares come from was deleted or is damaged: url, license and"
            f" creator are not known; `python -m tasks run{dataset_flag(dataset)}` downloads again",
            file=sys.stderr,
        )
    found = {"download": download, "normalize": normalize, "filter": verdicts}
    return {stage: artifact for stage, artifact in found.items() if artifact}


def _last_used(dataset: str, stage: str, what: str) -> Artifact:
    """The artifact that the last run made or reused. Errors: `UserError` if there is none, `DamagedState`."""
    store = paths.artifact_store(dataset, stage)
    if name := Path(store.latest_name()).name:
        return load(store.root / name)
    if newest := store.newest():  # somebody deleted `latest`
        return newest
    if hint := machines.how_to_fetch(dataset, stage):
        raise UserError(f"{dataset} has no {what} on this machine; {hint}")
    raise UserError(f"{dataset} has no {what} yet; `python -m tasks run{dataset_flag(dataset)}` makes them")


def _find(dataset: str, stage: str, name: str, digest: str) -> Artifact | None:
    """The artifact of `stage` whose output or input `name` has this digest: the last used one, or else the newest."""
    store = paths.artifact_store(dataset, stage)
    found = [
        artifact
        for artifact in store.all()
        if digest in (artifact.manifest.outputs.get(name), artifact.manifest.inputs.get(name))
    ]
    last = [artifact for artifact in found if artifact.folder.name == store.latest_name()]
    return next(iter(last or found[-1:]), None)
