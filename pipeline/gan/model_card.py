"""The model card: README.md for people and card.json for programs, with the lineage of the training pictures.

`card_text` has the card itself and its text, without TensorFlow.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pipeline import devices
from pipeline.errors import DamagedState
from pipeline.filter.words import kept_from
from pipeline.gan import frozen_network
from pipeline.gan.card_text import CARD, README, STARTS, Card, Lineage, Origins, StartLineage, render_card, sheet_of
from pipeline.gan.config import as_tree, definition_digest, differences
from pipeline.gan.evaluation.diagnostics import alarm_summary
from pipeline.gan.networks.export import DISCRIMINATOR, GENERATOR
from pipeline.gan.sheet_names import REALS, SCALES, SHEETS
from pipeline.gan.stats_log import Row, best_row, chosen_epoch, skipped_steps
from pipeline.gan.training.loop import Trainer
from pipeline.gan.training.phase import FIRST
from pipeline.gan.training.schedule import images_until_full_size
from pipeline.store import manifest as manifests
from pipeline.store import verified
from pipeline.store.atomic import write_whole
from pipeline.store.manifest import Manifest

FILTER_FIELDS = (
    "threshold",
    "expected_precision",
    "expected_recall",
    "proof",
    "recall",
    "labelled_on",
    "labelled_off",
    "labelled_unsure",
    "notice",
)
SCORES = (
    "kid",
    "kid_error",
    "kid_floor",
    "precision",
    "recall",
    "density",
    "coverage",
    "diversity",
    "memorised",
    "extractor",
)
MOST_STARTS = 20  # that a card names
SETTINGS = ("batch", "smoothing_real", "smoothing_fake")  # fields of a row that `Dcgan.train` may change


def write_card(
    training: Trainer,
    folder: Path,
    *,
    epoch: int | None = None,
    lineage: Lineage | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Write README.md and card.json about `training` into `folder`, beside its networks and sheets.

    `epoch` is that of the weights in generator.keras, if not the last; `warnings` are about the definition.
    """
    epoch = training.epoch if epoch is None else epoch
    card = make_card(training, epoch=epoch, lineage=lineage, warnings=warnings)
    write_whole(folder / CARD, (json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n").encode())
    write_whole(folder / README, _render(card, folder).encode())


def make_card(training: Trainer, *, epoch: int, lineage: Lineage | None, warnings: Sequence[str]) -> Card:
    """The model card of the current state of `training`."""
    rows = {row["epoch"]: row for row in training.log.rows}
    best = best_row(training.log.rows)
    count, side, _, channels = training.images.shape
    return Card(
        made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        definition=_definition(training),
        pictures={"count": count, "size": side, "channels": channels},
        lineage=asdict(lineage) if lineage else None,
        training=_training_summary(training),
        networks=_networks(training),
        drawn={**_scores(epoch, rows), "why": chosen_epoch(epoch, last=training.epoch, best=best)},
        last=_scores(max((each for each in rows if "extractor" in rows[each]), default=training.epoch), rows),
        best=_scores(best["epoch"], rows) if best else None,
        **alarm_summary(training.log.rows, [*warnings, *_growing_notice(training)], plateau=not training.is_at_plateau),
        versions=devices.versions(),
    )


def read_lineage(
    ids: Iterable[str], *, normalize: Path, kept: Path, download: Path | None, start: Path | None = None
) -> Lineage:
    """Read the lineage of the pictures with `ids` from the finished folders of download, normalize and filter, and that
    of the networks that the training began with, from the folder of the checkpoint `start`.
    """
    folders = {"download": download, "normalize": normalize, "filter": kept}
    found = {stage: manifest for stage, folder in folders.items() if folder and (manifest := _manifest(folder))}
    chosen = found.get("filter")
    return Lineage(
        dataset=next((manifest.dataset for manifest in found.values()), None),
        queries=tuple(found["download"].options.get("query", ())) if "download" in found else (),
        origins=_origins(set(ids), download) if download else None,
        labels=chosen.inputs.get("labels") if chosen else None,
        filter=_filter(chosen) if chosen else None,
        keys={stage: manifest.key for stage, manifest in found.items()},
        starts=_starts(start.parent) if start else (),
    )


def _starts(folder: Path) -> tuple[StartLineage, ...]:
    """What `Lineage.starts` says of the training in `folder` and of those that it began with, as its card.json does."""
    try:
        card = json.loads(verified.read_bytes(folder, CARD))
        lineage = card["lineage"] or {}
        licences = (lineage.get("origins") or {}).get("licences")
        known = {"dataset": lineage.get("dataset"), "pictures": card["pictures"]["count"], "licences": licences}
        return STARTS.validate_python([{"training": folder.name, **known}, *lineage.get("starts", ())])[:MOST_STARTS]
    except (DamagedState, ValueError, LookupError, TypeError, AttributeError):
        return (StartLineage(training=folder.name),)


def _manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None if it has none, or a damaged one: the card can do without it."""
    try:
        return manifests.read(folder)
    except DamagedState:
        return None


def _origins(ids: set[str], download: Path) -> Origins | None:
    sources, licences, credited = Counter[str](), Counter[str](), 0
    try:
        for row in verified.iterate_rows(download, "images.jsonl"):
            if row["outcome"] == "saved" and row["id"] in ids:
                sources[row["engine"]] += 1
                licences[row["license"]] += 1
                credited += bool(row["creator"])
    except DamagedState:
        return None
    unknown = len(ids) - sources.total()
    return Origins(sources=_sorted(sources), licences=_sorted(licences), credited=credited, unknown=unknown)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    """The counts, the most frequent value first."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _filter(manifest: Manifest) -> dict[str, Any]:
    summary = manifest.summary
    fields = {name: summary.get(name) for name in FILTER_FIELDS}
    return {"method": manifest.options.get("method"), "kept_from": kept_from(summary), **fields}


def _definition(training: Trainer) -> dict[str, Any]:
    definition = training.definition
    return {
        "name": training.config.name,
        "description": definition.description,
        "digest": definition_digest(definition),
        "loss": definition.loss,
        "differences": [asdict(difference) for difference in differences(definition)],
    }


def _training_summary(training: Trainer) -> dict[str, Any]:
    return {
        "seed": training.config.seed,
        "epochs": training.epoch,
        "end": training.end or (None if training.is_done else f"unfinished: {training.extent}"),
        "steps": training.steps_done,
        "skipped_steps": skipped_steps(training.log.rows),
        "batch": training.batches.batch,
        "smoothing": as_tree(training.state.definition.smoothing),
        "settings": _settings(training) if training.phase != FIRST else [],
        "images_seen": training.step_planner.images_seen(training.steps_done),
        "seconds": round(sum(row["seconds"] for row in training.log.rows), 1),
        "device": devices.device(),
        "precision": training.compute_mode.precision,
    }


def _settings(training: Trainer) -> list[dict[str, Any]]:
    """The batch size and the smoothing of each range of epochs; rows that lack them are of the definition's."""
    definition, found = training.definition, []
    own = dict(zip(SETTINGS, (definition.batch, definition.smoothing.real, definition.smoothing.fake), strict=True))
    rows = training.log.rows
    for values, group in itertools.groupby(rows, key=lambda row: tuple(row.get(name, own[name]) for name in SETTINGS)):
        epochs = [row["epoch"] for row in group]
        found.append({"first": epochs[0], "last": epochs[-1], **dict(zip(SETTINGS, values, strict=True))})
    return found


def _networks(training: Trainer) -> dict[str, Any]:
    state = training.state
    return {
        "latent": training.definition.latent + state.classes,
        **({"classes": list(training.classes.names)} if training.classes else {}),
        "generator": state.generator.parameters,
        "discriminator": state.discriminator.parameters,
        "own_layers": training.definition.discriminator.minibatch != "none",
        **({"aid": frozen_network.NAME} if state.vision_aid else {}),
    }


def _growing_notice(training: Trainer) -> list[str]:
    """A notice if a growing GAN is not at full size yet: its files hold full-size networks, not fully trained."""
    step_planner = training.step_planner
    if step_planner.is_full_size(max(training.steps_done - 1, 0)):
        return []
    needed = images_until_full_size(training.definition.growing, stages=step_planner.stages)
    seen = step_planner.images_seen(training.steps_done)
    return [
        f"it still grows: it reaches full size after {needed} images, and has seen {seen}; until then {GENERATOR} and"
        f" {DISCRIMINATOR}, which have full size, are useless, and Dcgan.load generates samples at the current side"
    ]


def _scores(epoch: int, rows: dict[int, Row]) -> dict[str, Any]:
    return {"epoch": epoch, **{name: rows.get(epoch, {}).get(name) for name in SCORES}}


def _render(card: Card, folder: Path) -> str:
    """The README.md of `card` for the training in `folder`, with the sheets and plots that are there."""
    sheet = folder / sheet_of(card)
    reals, scales = folder / SHEETS / REALS, folder / SHEETS / SCALES
    plots = sorted((folder / "plots").glob("*.png"))
    return render_card(
        card,
        sheet=sheet.relative_to(folder).as_posix() if sheet.exists() else None,
        reals=reals.relative_to(folder).as_posix() if reals.exists() else None,
        scales=scales.relative_to(folder).as_posix() if scales.exists() else None,
        plots=[path.relative_to(folder).as_posix() for path in plots],
    )
