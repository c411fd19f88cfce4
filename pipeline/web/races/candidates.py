"""Trainings that may enter a race: their generators that exist, with what the race's rule is checked against."""

from collections.abc import Sequence
from typing import Any

from pipeline.errors import UserError
from pipeline.report.training_files import newest_sheet, training_of
from pipeline.report.trainings import Training, Trainings
from pipeline.store.artifacts import Artifact
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.races.race import Facts


def candidates(paths: DatasetPaths) -> list[Facts]:
    """The trainings of a dataset that have a generator, the newest first; an unfinished one may enter too."""
    gans = paths.gan.all()
    newest = {each.manifest.key: each for each in gans}  # of a training that went on, the later artifact
    register = Trainings(paths.generated).all()
    return [_facts(paths.dataset, each, gans, register) for each in reversed(newest.values())]


def candidate(paths: DatasetPaths, key: str) -> Facts:
    """The training with this content key (its first digits are enough); raises `UserError` if it has no generator."""
    found = [each for each in candidates(paths) if each.key.startswith(key)] if len(key) >= 12 else []
    if len(found) != 1:
        raise UserError(f"the dataset {paths.dataset} has no training {key} with a generator; choose one of its page")
    return found[0]


def newest_sheets(paths: DatasetPaths) -> dict[str, int]:
    """The epoch of the newest sample sheet of each training that has a generator and a sheet, by content key."""
    found = {gan.manifest.key: newest_sheet(gan.folder / "samples") for gan in paths.gan.all()}
    return {key: int(sheet.stem.removeprefix("epoch-")) for key, sheet in found.items() if sheet}


def _facts(dataset: str, gan: Artifact, gans: Sequence[Artifact], register: Sequence[Training]) -> Facts:
    options, summary = gan.manifest.options, gan.manifest.summary
    registered = next((each for each in register if each.key == gan.manifest.key), None) or training_of(gan)
    alike = [each for each in gans if _kind(each) == _kind(gan)]
    begun = sum(each.definition == registered.definition and each.size == registered.size for each in register)
    return Facts(
        dataset=dataset,
        key=gan.manifest.key,
        training=registered.name,
        definition=str(options.get("definition", "")),
        size=_whole(summary.get("size")) or 0,
        epochs=_whole(summary.get("epochs")) or 0,
        minutes=round(_seconds(gan) / 60, 2),
        seed=_whole(options.get("seed")),
        seeds=tuple(
            sorted({seed for each in alike if (seed := _whole(each.manifest.options.get("seed"))) is not None})
        ),
        begun=begun,
    )


def _kind(gan: Artifact) -> tuple[object, object]:
    """What trainings have in common that are tries of the same: the content of the definition, and the size."""
    return gan.manifest.inputs.get("definition"), gan.manifest.summary.get("size")


def _seconds(gan: Artifact) -> float:
    """Seconds of training, over all stops; of an artifact of an earlier release, those of its last run."""
    seconds = gan.manifest.summary.get("seconds", gan.manifest.seconds)
    return float(seconds) if isinstance(seconds, (int, float)) else 0.0


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
