"""What a generator was made from: its training, the filter, the labels, the squares, the download."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import DamagedState
from pipeline.gan.card_text import read_starts
from pipeline.report.trace_model import ArtifactFacts, Labels, Lineage, StartFacts, TrainingName
from pipeline.report.trainings import Trainings
from pipeline.store.artifacts import SHORT, ArtifactStore
from pipeline.store.jsonl import read_rows
from pipeline.store.row_search import Glance, glances


class TracedDataset(Protocol):
    """The folders of a dataset, as far as a trace reads them."""

    @property
    def dataset(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def generated(self) -> Path: ...
    @property
    def labels(self) -> Path: ...
    @property
    def download(self) -> ArtifactStore: ...
    @property
    def normalize(self) -> ArtifactStore: ...
    @property
    def filter(self) -> ArtifactStore: ...
    @property
    def gan(self) -> ArtifactStore: ...
    @property
    def generate(self) -> ArtifactStore: ...


def made_before(store: ArtifactStore, later: Glance | None, chosen: Callable[[Glance], bool]) -> Glance | None:
    """The artifact that `later` was made from: of the chosen ones the newest that is older, or else the newest."""
    found = [each for each in glances(store) if chosen(each)]
    earlier = [each for each in found if later is None or each.manifest.created <= later.manifest.created]
    return next(reversed(earlier or found), None)


def with_output(store: ArtifactStore, name: str, digest: str | None, later: Glance | None) -> Glance | None:
    """The artifact of `store` with this output, which `later` was made from; None without a digest."""
    return made_before(store, later, lambda each: bool(digest) and each.manifest.outputs.get(name) == digest)


def training_name(paths: TracedDataset, key: str, gan: Glance | None) -> TrainingName:
    """The names of the training `key`, of which the first digits are enough."""
    known = Trainings(paths.generated).all()
    entry = next((each for each in known if each.key.startswith(key)), None)
    definition = entry.definition if entry else str(gan.manifest.options.get("definition", "")) if gan else ""
    return TrainingName(
        key=entry.key if entry else gan.manifest.key if gan else key,
        number=entry.number if entry else None,
        name=entry.name if entry else "",
        definition=definition,
        folder=str(gan.folder) if gan else None,
    )


def facts_of(stage: str, found: Glance | None) -> ArtifactFacts:
    """The artifact of a stage; one that is not found was deleted."""
    if found is None:
        return ArtifactFacts(stage=stage)
    manifest = found.manifest
    return ArtifactFacts(stage=stage, key=manifest.key, folder=str(found.folder), created=manifest.created)


def lineage_of(
    paths: TracedDataset,
    notices: list[str],
    *,
    gan: Glance | None,
    key: str | None,
    kept: str | None = None,
    generator: str = "",
) -> Lineage:
    """What the training `gan` was made from. Without it, what its `key` and the digest `kept` still tell."""
    kept = gan.manifest.inputs.get("filter.kept") if gan else kept
    filtered = with_output(paths.filter, "kept", kept, gan)
    inputs = filtered.manifest.inputs if filtered else {}
    squares = with_output(paths.normalize, "images", inputs.get("normalize.images"), filtered)
    picture_digest = squares.manifest.inputs.get("download.images") if squares else None
    download = with_output(paths.download, "images", picture_digest, squares)
    stages = {"gan": gan, "filter": filtered, "normalize": squares, "download": download}
    if missing := [stage for stage, found in stages.items() if found is None]:
        notices.append(f"deleted, or not made yet: the artifact of {', '.join(missing)}; the rest is shown")
    summary = gan.manifest.summary if gan else {}
    return Lineage(
        training=training_name(paths, key or (gan.manifest.key if gan else ""), gan) if key or gan else None,
        starts=[StartFacts.model_validate(asdict(start)) for start in read_starts(gan.folder)] if gan else [],
        epochs=whole(summary.get("epochs")),
        epoch=whole(summary.get("epoch_kept")),
        size=whole(summary.get("size")),
        reals=whole(summary.get("images")) or (whole(filtered.manifest.summary.get("kept")) if filtered else None),
        generator=gan.manifest.outputs.get("generator", "") if gan else generator,
        gan=facts_of("gan", gan),
        filter=facts_of("filter", filtered),
        threshold=number(filtered.manifest.summary.get("threshold")) if filtered else None,
        labels=_labels(paths, inputs.get("labels"), notices),
        normalize=facts_of("normalize", squares),
        squares=whole(squares.manifest.summary.get("kept")) if squares else None,
        download=facts_of("download", download),
        pictures=whole(download.manifest.summary.get("saved")) if download else None,
    )


def _labels(paths: TracedDataset, digest: str | None, notices: list[str]) -> Labels | None:
    if not digest:
        return None
    path = paths.folder / "labels" / f"{Path(digest).name}.jsonl"
    try:
        rows = list(read_rows(path))
    except (DamagedState, OSError) as error:
        reason = "was deleted" if isinstance(error, FileNotFoundError) else "cannot be read"
        notices.append(f"the label snapshot {digest[:SHORT]} {reason}")
        return Labels(digest=digest)
    counts = Counter(str(row.get("label")) for row in rows)
    validation = sum(bool(row.get("set")) for row in rows)
    return Labels(
        digest=digest,
        file=str(path),
        on=counts["on"],
        off=counts["off"],
        unsure=counts["unsure"],
        validation=validation,
    )


def whole(value: Any) -> int | None:
    """`value` if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any) -> float | None:
    """`value` if it is a number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
