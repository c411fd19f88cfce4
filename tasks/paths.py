"""The paths of each stage's artifacts, relative to the working folder, which contains luigi.cfg."""

from pathlib import Path

from pipeline.errors import UserError
from pipeline.gan.config import loading
from pipeline.option_types import nearest, similar
from pipeline.store.artifacts import ArtifactStore
from tasks import machines

STAGE_ROOTS = {
    "download": "data",
    "normalize": "data",
    "classifier": "models",
    "filter": "data",
    "gan": "models",
    "generate": "generated",
    "report": "generated",
}
SCHEMA = loading.SCHEMA


def artifact_store(dataset: str, stage: str) -> ArtifactStore:
    """The artifacts of one stage on this machine, for example `data/pikachu/normalize`."""
    return ArtifactStore(Path(STAGE_ROOTS[stage]) / dataset / stage)


def shared_store(dataset: str, stage: str) -> ArtifactStore:
    """The artifacts of one stage on this machine and, if machines share a storage, in that."""
    return ArtifactStore(Path(STAGE_ROOTS[stage]) / dataset / stage, machines.shared_artifacts(dataset, stage))


def dataset_folder(dataset: str) -> Path:
    """The folder of a dataset's pictures, label log and runs, which belong to no single stage."""
    return Path("data") / dataset


def generated_folder(dataset: str) -> Path:
    """The folder of what the generators of a dataset made: a page of trainings, their sheets, samples, reports."""
    return Path("generated") / dataset


def training_sheets(dataset: str, key: str) -> Path:
    """The folder of sample sheets of a GAN that is training."""
    return generated_folder(dataset) / "training" / key[:12]


def definitions() -> dict[str, Path]:
    """The file of each GAN definition by name; files in the working folder override those of this program."""
    return loading.definitions()


def definition(name: str, *, asked: str = "gan.definition") -> Path:
    """The file of the GAN definition `name`, which the setting `asked` names.

    Errors: `UserError` with the nearest name if it is missing.
    """
    return loading.find_definition(name, asked=asked)


def datasets() -> list[str]:
    """The datasets that have run folders under data/."""
    root = Path("data")
    return sorted(path.name for path in root.iterdir() if _is_dataset(path)) if root.is_dir() else []


def existing_dataset(dataset: str) -> str:
    """Return `dataset`; raises a `UserError` if it does not exist here: where there is one, or the nearest name."""
    if dataset not in (names := datasets()):
        if hint := machines.how_to_fetch(dataset):
            raise UserError(f"dataset '{dataset}' has not run on this machine; {hint}")
        raise UserError(f"there is no dataset '{dataset}'" + (f"; {nearest(dataset, names)}" if names else " yet"))
    return dataset


def similar_dataset(dataset: str) -> str:
    """A hint if there is no such `dataset`, but one whose name is similar; empty otherwise."""
    names = datasets()
    found = similar(dataset, names) if dataset not in names else ""
    return f"There is no dataset '{dataset}' yet; did you mean '{found}'?" if found else ""


def _is_dataset(path: Path) -> bool:
    try:
        return (path / "runs").is_dir()
    except OSError:  # unreadable: an error follows when it is used
        return True
