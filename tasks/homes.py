"""Where each stage's folders live, below the folder that luigi.cfg is in (the working folder)."""

from pathlib import Path

from pipeline.errors import UserError
from pipeline.options.option import nearest
from pipeline.store.shelf import Shelf

HOMES = {
    "download": "data",
    "normalize": "data",
    "classifier": "models",
    "filter": "data",
    "gan": "models",
    "generate": "generated",
    "report": "generated",
}
SCHEMA = "schema.json"  # lies among the definitions, so that they can name it, and is none


def shelf(dataset: str, stage: str) -> Shelf:
    """The shelf of one stage: `data/pikachu/normalize`, say."""
    return Shelf(Path(HOMES[stage]) / dataset / stage)


def dataset_folder(dataset: str) -> Path:
    """What belongs to a dataset and to no single stage: raw images, label log, runs."""
    return Path("data") / dataset


def training_sheets(dataset: str, key: str) -> Path:
    """Where sample sheets appear while a GAN trains."""
    return Path("generated") / dataset / "training" / key[:12]


def definitions() -> dict[str, Path]:
    """The file of each GAN definition by name; those of the working folder hide ours of the same name."""
    folders = [Path(__file__).parent.parent / "models", Path("models")]
    found = {path.stem: path for folder in folders for path in folder.glob("*.json") if path.name != SCHEMA}
    return dict(sorted(found.items()))


def definition(name: str) -> Path:
    """The file of the GAN definition called `name`; a `UserError` that names the nearest one if it is missing."""
    known = definitions()
    if name not in known:
        raise UserError(f"gan.definition = {name!r}: there is no models/{name}.json; {nearest(name, known)}")
    return known[name]


def datasets() -> list[str]:
    """The datasets that have anything under data/."""
    root = Path("data")
    return sorted(path.name for path in root.iterdir() if (path / "runs").is_dir()) if root.is_dir() else []
