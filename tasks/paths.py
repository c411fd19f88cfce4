"""Where each stage's folders live, below the folder that luigi.cfg is in (the working folder)."""

from pathlib import Path

from pipeline.gan.config import loading
from pipeline.store.artifacts import ArtifactStore

HOMES = {
    "download": "data",
    "normalize": "data",
    "classifier": "models",
    "filter": "data",
    "gan": "models",
    "generate": "generated",
    "report": "generated",
}
SCHEMA = loading.SCHEMA


def shelf(dataset: str, stage: str) -> ArtifactStore:
    """The shelf of one stage: `data/pikachu/normalize`, say."""
    return ArtifactStore(Path(HOMES[stage]) / dataset / stage)


def dataset_folder(dataset: str) -> Path:
    """What belongs to a dataset and to no single stage: raw images, label log, runs."""
    return Path("data") / dataset


def training_sheets(dataset: str, key: str) -> Path:
    """Where sample sheets appear while a GAN trains."""
    return Path("generated") / dataset / "training" / key[:12]


def definitions() -> dict[str, Path]:
    """The file of each GAN definition by name; those of the working folder hide ours of the same name."""
    return loading.definitions()


def definition(name: str) -> Path:
    """The file of the GAN definition called `name`; a `UserError` that names the nearest one if it is missing."""
    return loading.find_definition(name, asked="gan.definition")


def datasets() -> list[str]:
    """The datasets that have anything under data/."""
    root = Path("data")
    return sorted(path.name for path in root.iterdir() if _is_dataset(path)) if root.is_dir() else []


def _is_dataset(path: Path) -> bool:
    try:
        return (path / "runs").is_dir()
    except OSError:  # it may not be looked into: whoever asks for it is told that
        return True
