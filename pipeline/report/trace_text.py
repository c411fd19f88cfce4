"""A trace as lines for a person."""

from collections.abc import Iterator

from pipeline.labels.log import LABEL_NAMES
from pipeline.report.trace_model import ArtifactFacts, Crawled, Lineage, PictureFacts, SampleFacts, Trace
from pipeline.store.artifacts import SHORT

SHOWN_SAMPLES = 12  # to which a picture is a nearest real
VERDICTS = {"unsure": "borderline"}


def trace_lines(found: Trace) -> Iterator[str]:
    """The lines of `found`."""
    if found.sheet:
        sheet = found.sheet
        kid = f", KID {sheet.kid:.4g} by {sheet.extractor}" if sheet.kid is not None else ""
        yield f"sample sheet of epoch {sheet.epoch} in {found.dataset}{kid}: {sheet.file or 'deleted'}"
    if found.sample:
        yield from _sample(found.dataset, found.sample)
    if found.lineage:
        yield from _lineage(found.lineage)
    for row in found.url:
        yield f"URL {row.url} in {found.dataset}"
        yield from _crawled(row)
    if found.picture:
        yield from _picture(found.dataset, found.picture)
    for notice in found.notices:
        yield f"note: {notice}"


def _sample(dataset: str, sample: SampleFacts) -> Iterator[str]:
    name = "samples" if sample.number is None else f"sample {sample.number}"
    yield f"{name} of {dataset}: {sample.file or sample.generate.folder or 'deleted'}"
    if sample.seed is not None:
        truncation = f"truncation {sample.truncation or 0:g}"
        of_class = f", class {sample.class_name}" if sample.class_name else ""
        yield f"  latent       seed {sample.seed}, number {sample.number}, {truncation}{of_class}"
        yield f"  made again   {sample.command}"
    if sample.kid is not None:
        error = f" ± {sample.kid_error:.2g}" if sample.kid_error is not None else ""
        all_samples = f"all samples of {sample.generate.folder}"
        yield f"  KID          {sample.kid:.4g}{error} by {sample.extractor}, of {all_samples}"
    for place, near in enumerate(sample.nearest, start=1):
        at = f"{near.id[:SHORT]} at {near.distance:.4g} ({sample.extractor})"
        yield f"  nearest {place}    {at}: {near.square or 'deleted'}"
        if near.crawled:
            yield from (f"  {line}" for line in _crawled(near.crawled))


def _lineage(lineage: Lineage) -> Iterator[str]:
    if training := lineage.training:
        epochs = f", {lineage.epochs} epochs" if lineage.epochs is not None else ""
        drawn = f", generator of epoch {lineage.epoch}" if lineage.epoch is not None else ""
        yield f"  training     {training.name or training.key[:SHORT]}: {training.definition}{epochs}{drawn}"
        yield f"               {lineage.gan.folder or 'its artifact was deleted, or it is not finished'}"
    for start in lineage.starts:
        of = f"{start.dataset or 'a dataset that is not known'}, {start.training}"
        pictures = f": {start.pictures} pictures" if start.pictures is not None else ""
        licences = ", ".join(f"{licence or 'not known'} {count}" for licence, count in (start.licences or {}).items())
        yield f"  began with   {of}{pictures}"
        yield f"               licences: {licences or 'not known'}"
    if lineage.reals is not None:
        yield f"  reals        {lineage.reals} kept squares"
    threshold = f", threshold {lineage.threshold:g}" if lineage.threshold is not None else ""
    yield f"  filter       {_artifact(lineage.filter)}{threshold}"
    if labels := lineage.labels:
        counts = (
            "deleted" if labels.on is None else f"{labels.on} on target, {labels.off} off target, {labels.unsure} skip"
        )
        yield f"  labels       {labels.digest[:SHORT]}: {counts}"
    yield f"  squares      {_artifact(lineage.normalize)}" + (f", {lineage.squares} kept" if lineage.squares else "")
    yield f"  download     {_artifact(lineage.download)}" + (f", {lineage.pictures} saved" if lineage.pictures else "")


def _artifact(facts: ArtifactFacts) -> str:
    return facts.folder or "deleted"


def _crawled(row: Crawled) -> Iterator[str]:
    reason = f" ({row.reason})" if row.reason else ""
    by = ", ".join(text for text in (row.engine, f"'{row.query}'" if row.query else "", f"rank {row.rank}") if text)
    yield f"  {row.outcome + reason:<12} {row.url}"
    yield f"               found by {by}, {row.time}" + (f", on {row.page}" if row.page else "")
    rights = ", ".join(text for text in (row.license, f"by {row.creator}" if row.creator else "") if text)
    yield f"               licence: {rights or 'not known'}" + (f"; {row.title}" if row.title else "")


def _picture(dataset: str, picture: PictureFacts) -> Iterator[str]:
    yield f"picture {picture.id} of {dataset}"
    for row in picture.crawled:
        yield from _crawled(row)
    for square in picture.squares:
        of = f" of {square.duplicate_of[:SHORT]}" if square.duplicate_of else ""
        why = f" ({square.reason})" if square.reason else ""
        yield f"  square       {square.outcome}{of}{why} in {square.normalize}"
    for change in picture.labels:
        label = LABEL_NAMES[change.label] if change.label else "removed"
        yield f"  label        {label}, {change.time}, by {change.how}{', for validation' if change.validation else ''}"
    for verdict in picture.verdicts:
        score = f"score {verdict.score:.3f}" if verdict.score is not None else "no score"
        threshold = f", threshold {verdict.threshold:g}" if verdict.threshold is not None else ""
        outcome = VERDICTS.get(verdict.outcome, verdict.outcome)
        current = " (current)" if verdict.current else ""
        yield f"  filter       {outcome}, {score}{threshold} in {verdict.filter}{current}"
    for training in picture.learned_by:
        yield f"  learned by   {training.name or training.key[:SHORT]} ({training.folder or 'deleted'})"
    if not picture.learned_by:
        yield "  learned by   no training that is still here"
    for near in picture.nearest_to[:SHOWN_SAMPLES]:
        at = f"at {near.distance:.4g} ({near.extractor})"
        yield f"  nearest {near.place} to sample {near.sample} of {near.generate} {at}"
    if (more := len(picture.nearest_to) - SHOWN_SAMPLES) > 0:
        yield f"  nearest      to {more} more samples; --json lists them"
