"""The model card: README.md for people and card.json for programs, so that a folder with a GAN stands alone."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.gan import machine
from pipeline.gan.definition import definition_digest, differences
from pipeline.gan.lineage import Lineage
from pipeline.gan.networks import Staged
from pipeline.gan.networks.export import DISCRIMINATOR, GENERATOR
from pipeline.gan.schedule import grown_after
from pipeline.gan.stats import Row
from pipeline.gan.training import Training
from pipeline.images.png import write_whole

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
    training: Training,
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


def make_card(training: Training, *, epoch: int, lineage: Lineage | None, warnings: Sequence[str]) -> Card:
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
        versions=machine.versions(),
    )


def _definition(training: Training) -> dict[str, Any]:
    definition = training.definition
    return {
        "name": training.terms.name,
        "description": definition.description,
        "digest": definition_digest(definition),
        "loss": definition.loss,
        "differences": [asdict(difference) for difference in differences(definition)],
    }


def _course(training: Training) -> dict[str, Any]:
    return {
        "seed": training.terms.seed,
        "epochs": training.epoch,
        "steps": training.number,
        "batch": training.batches.batch,
        "images_seen": training.director.seen(training.number),
        "seconds": round(sum(row["seconds"] for row in training.log.rows), 1),
        "device": machine.device(),
        "precision": training.way.precision,
    }


def _networks(training: Training) -> dict[str, Any]:
    state = training.state
    return {
        "latent": training.definition.latent,
        "generator": _parameters(state.generator),
        "discriminator": _parameters(state.discriminator),
        "own_layers": training.definition.discriminator.minibatch != "none",
    }


def _growing(training: Training) -> list[str]:
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


def _parameters(network: Staged) -> int:
    return sum(math.prod(variable.shape) for variable in network.trainable_variables)


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
