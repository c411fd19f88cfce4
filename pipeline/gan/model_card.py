"""The model card: README.md for people and card.json for programs, with the lineage of the training pictures."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline import devices
from pipeline.errors import DamagedState
from pipeline.gan.config.__init__ import definition_digest, differences
from pipeline.gan.networks.export import DISCRIMINATOR, GENERATOR
from pipeline.gan.stats_log import Row
from pipeline.gan.training.loop import Trainer
from pipeline.gan.training.schedule import grown_after
from pipeline.store import manifest as manifests
from pipeline.store import verified
from pipeline.store.atomic import write_whole
from pipeline.store.manifest import Manifest

FILTER_FIGURES = ("threshold", "expected_precision", "labelled_on", "labelled_off", "labelled_unsure", "notice")


@dataclass(frozen=True, kw_only=True)
class Origins:
    """How many of the pictures each source found, and each licence is given for; '' counts those without one."""

    sources: dict[str, int]
    licences: dict[str, int]
    credited: int  # pictures whose creator is named
    unknown: int  # pictures that no line of the download is about


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What is known of the pictures and of how they were chosen; None, or empty, is not known.

    `keys` are those of the stages by name, `labels` is the digest of the label snapshot, and `filter` holds how the
    kept were told: method, threshold, precision, and how many labels there were.
    """

    dataset: str | None = None
    queries: tuple[str, ...] = ()
    origins: Origins | None = None
    labels: str | None = None
    filter: dict[str, Any] | None = None
    keys: dict[str, str]


def read_lineage(ids: Iterable[str], *, normalize: Path, kept: Path, download: Path | None) -> Lineage:
    """That of the pictures called `ids`, from the finished folders of the stages download, normalize and filter."""
    folders = {"download": download, "normalize": normalize, "filter": kept}
    found = {stage: manifest for stage, folder in folders.items() if folder and (manifest := _manifest(folder))}
    chosen = found.get("filter")
    return Lineage(
        dataset=next((manifest.dataset for manifest in found.values()), None),
        queries=tuple(found["download"].options.get("query", ())) if "download" in found else (),
        origins=_origins(set(ids), download) if download else None,
        labels=chosen and chosen.inputs.get("labels"),
        filter=chosen and _filter(chosen),
        keys={stage: manifest.key for stage, manifest in found.items()},
    )


def _manifest(folder: Path) -> Manifest | None:
    """None where a folder has none, or not a whole one: a card can do without."""
    try:
        return manifests.read(folder)
    except DamagedState:
        return None


def _origins(ids: set[str], download: Path) -> Origins | None:
    try:
        every = verified.read_rows(download, "images.jsonl")
    except DamagedState:
        return None
    rows = [row for row in every if row["outcome"] == "saved" and row["id"] in ids]
    return Origins(
        sources=_counts(row["engine"] for row in rows),
        licences=_counts(row["license"] for row in rows),
        credited=sum(bool(row["creator"]) for row in rows),
        unknown=len(ids) - len(rows),
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    """How often each value is there, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _filter(manifest: Manifest) -> dict[str, Any]:
    return {"method": manifest.options.get("method"), **{name: manifest.summary.get(name) for name in FILTER_FIGURES}}


CARD, README = "card.json", "README.md"
FIGURES = ("kid", "kid_error", "kid_floor", "precision", "recall", "diversity", "memorised", "extractor")
MARKUP = re.compile(r"([\\`*_{}\[\]<>|#])")  # what Markdown would read in a word from the web


@dataclass(frozen=True, kw_only=True)
class Card:
    """What there is to say of a GAN, as JSON has it. None is not known, or was not measured."""

    made: str  # ISO 8601, UTC
    definition: dict[str, Any]
    pictures: dict[str, Any]
    lineage: dict[str, Any] | None
    training: dict[str, Any]
    networks: dict[str, Any]
    drawn: dict[str, Any]  # the epoch whose averaged generator generator.keras is, and its scores
    last: dict[str, Any]  # the last epoch, and its scores
    notices: list[str]
    versions: dict[str, str]


def write_card(
    training: Trainer,
    folder: Path,
    *,
    epoch: int | None = None,
    lineage: Lineage | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Write README.md and card.json about `training` into `folder`, beside its networks and sheets.

    `epoch` is the one whose weights generator.keras holds, if not the last; `warnings` are on the definition.
    """
    epoch = training.epoch if epoch is None else epoch
    card = make_card(training, epoch=epoch, lineage=lineage, warnings=warnings)
    write_whole(folder / CARD, (json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n").encode())
    write_whole(folder / README, _render(card, folder).encode())


def make_card(training: Trainer, *, epoch: int, lineage: Lineage | None, warnings: Sequence[str]) -> Card:
    """The card of `training` as it stands."""
    rows = {row["epoch"]: row for row in training.log.rows}
    count, side, _, channels = training.images.shape
    return Card(
        made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        definition=_definition(training),
        pictures={"count": count, "size": side, "channels": channels},
        lineage=lineage and asdict(lineage),
        training=_course(training),
        networks=_networks(training),
        drawn=_scores(epoch, rows),
        last=_scores(max((each for each in rows if "extractor" in rows[each]), default=training.epoch), rows),
        notices=[*warnings, *_growing(training), *(text for row in rows.values() for text in _notices(row))],
        versions=devices.versions(),
    )


def _definition(training: Trainer) -> dict[str, Any]:
    definition = training.definition
    return {
        "name": training.terms.name,
        "description": definition.description,
        "digest": definition_digest(definition),
        "loss": definition.loss,
        "differences": [asdict(difference) for difference in differences(definition)],
    }


def _course(training: Trainer) -> dict[str, Any]:
    return {
        "seed": training.terms.seed,
        "epochs": training.epoch,
        "steps": training.number,
        "batch": training.batches.batch,
        "images_seen": training.director.seen(training.number),
        "seconds": round(sum(row["seconds"] for row in training.log.rows), 1),
        "device": devices.device(),
        "precision": training.way.precision,
    }


def _networks(training: Trainer) -> dict[str, Any]:
    state = training.state
    return {
        "latent": training.definition.latent,
        "generator": state.generator.parameters,
        "discriminator": state.discriminator.parameters,
        "own_layers": training.definition.discriminator.minibatch != "none",
    }


def _growing(training: Trainer) -> list[str]:
    """The files hold finished networks: until the last side is there, what they make of anything is not learnt."""
    director = training.director
    if director.grown(max(training.number - 1, 0)):
        return []
    needed = grown_after(training.definition.growing, stages=director.stages)
    seen = director.seen(training.number)
    return [
        f"it still grows: full size comes after {needed} images, and {seen} were seen; until then {GENERATOR} and"
        f" {DISCRIMINATOR}, which are of full size, are of no use, and Dcgan.load draws at the side it has come to"
    ]


def _scores(epoch: int, rows: dict[int, Row]) -> dict[str, Any]:
    return {"epoch": epoch, **{name: rows.get(epoch, {}).get(name) for name in FIGURES}}


def _notices(row: Row) -> list[str]:
    note = [f"epoch {row['epoch']}: {row['note']}"] if row.get("note") else []
    return [*note, *row.get("alarms", [])]


def _render(card: Card, folder: Path) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["plain"] = _plain
    sheets = {path.stem: path.relative_to(folder).as_posix() for path in (folder / "samples").glob("*.png")}
    of_epochs = {int(name.partition("-")[2]): path for name, path in sheets.items() if name.startswith("epoch-")}
    return environment.get_template("card.md.jinja").render(
        card=card,
        known=card.lineage or asdict(Lineage(keys={})),
        sheet=of_epochs.get(card.drawn["epoch"]),
        reals=sheets.get("reals"),
        plots=sorted(path.relative_to(folder).as_posix() for path in (folder / "plots").glob("*.png")),
        files={name for name in (GENERATOR, DISCRIMINATOR) if (folder / name).exists()},
    )


def _plain(text: object) -> str:
    """`text` in one line, and as Markdown shows it unread."""
    return MARKUP.sub(r"\\\1", " ".join(str(text).split()))
