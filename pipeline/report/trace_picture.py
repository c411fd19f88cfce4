"""What is known about one picture: where it was found, its square, labels, verdicts, and what came of it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from pipeline.errors import DamagedState
from pipeline.labels.log import VALIDATION, parse_label
from pipeline.report.trace_lineage import TracedDataset, number, training_name, whole
from pipeline.report.trace_model import (
    Crawled,
    LabelChange,
    NearestReal,
    NearestTo,
    PictureFacts,
    SquareFacts,
    TrainingName,
    Verdict,
)
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.digest import is_digest
from pipeline.store.row_search import Glance, glances

SCORES, IMAGES, NEIGHBOURS = "scores.jsonl", "images.jsonl", "neighbours.jsonl"
CRAWL_TEXTS = ("page", "title", "query", "engine", "time", "license", "creator", "outcome", "reason")
ID_LENGTH = 64
Read = TypeVar("Read")


def picture_facts(paths: TracedDataset, id: str, notices: list[str]) -> PictureFacts:
    """All that is known about the picture `id`."""
    needle = f'"{id}"'
    filters = glances(paths.filter)
    verdicts = {
        each.folder.name: verdict
        for each in filters
        for verdict in _or_notice(partial(_verdicts, paths, each, id), notices)
    }
    return PictureFacts(
        id=id,
        crawled=crawl_rows(paths, [needle], lambda row: row.id == id, notices),
        squares=square_facts(paths, [id], notices).get(id, []),
        labels=_or_notice(partial(_label_history, paths, needle), notices),
        verdicts=list(verdicts.values()),
        learned_by=_learned_by(paths, filters, verdicts),
        nearest_to=[
            found
            for each in reversed(glances(paths.generate))
            for found in _or_notice(partial(_nearest_to, each, id), notices)
        ],
    )


def crawl_rows(
    paths: TracedDataset, needles: Sequence[str], chosen: Callable[[Crawled], bool], notices: list[str]
) -> list[Crawled]:
    """The chosen rows of the downloads that contain one of `needles`: of each URL the newest."""
    found: dict[str, Crawled] = {}
    for download in reversed(glances(paths.download)):
        rows = _or_notice(partial(download.rows, IMAGES, *needles), notices)
        for row in (_crawled(row, download) for row in rows):
            if chosen(row):
                found.setdefault(row.url, row)
    return list(found.values())


def square_facts(paths: TracedDataset, ids: Sequence[str], notices: list[str]) -> dict[str, list[SquareFacts]]:
    """What became of each of the pictures `ids` in each artifact of squares, that of the last run first."""
    found: dict[str, list[SquareFacts]] = {}
    needles = [f'"id": "{id}"' for id in ids]
    for each in _last_first(paths.normalize):
        rows = _or_notice(partial(each.rows, IMAGES, *needles), notices)
        for row in rows:
            file = each.folder / row["file"] if row.get("file") else None
            found.setdefault(str(row["id"]), []).append(
                SquareFacts(
                    outcome=str(row.get("outcome", "")),
                    reason=str(row.get("reason") or ""),
                    duplicate_of=row.get("of") if isinstance(row.get("of"), str) else None,
                    file=str(file) if file and file.is_file() else None,
                    normalize=str(each.folder),
                )
            )
    return found


def nearest_reals(paths: TracedDataset, generate: Glance, sample: int, notices: list[str]) -> list[NearestReal]:
    """The nearest reals of a sample by the file of its artifact, with where each comes from."""
    rows = _or_notice(partial(generate.rows, NEIGHBOURS, f'"sample": {sample},'), notices)
    nearest = [each for row in rows if row.get("sample") == sample for each in row["nearest"]]
    if not nearest and not (generate.folder / NEIGHBOURS).exists():
        notices.append("the nearest reals are not known: these samples were made by an earlier version, or are deleted")
    return described_reals(paths, [(str(each["id"]), float(each["distance"])) for each in nearest], notices)


def class_of_sample(generate: Glance, sample: int, notices: list[str]) -> str:
    """The class of a sample by the file of its artifact; empty if its GAN is not conditional."""
    rows = _or_notice(partial(generate.rows, NEIGHBOURS, f'"sample": {sample},'), notices)
    return next((str(row.get("class", "")) for row in rows if row.get("sample") == sample), "")


def described_reals(paths: TracedDataset, near: Sequence[tuple[str, float]], notices: list[str]) -> list[NearestReal]:
    """The reals `near`, ids with distances, with their squares and the URLs that were saved."""
    ids = [id for id, _ in near]
    squares = square_facts(paths, ids, notices) if ids else {}
    needles = [f'"{id}"' for id in ids]
    rows = crawl_rows(paths, needles, lambda row: row.outcome == "saved", notices) if ids else []
    return [
        NearestReal(
            id=id,
            distance=distance,
            square=next((each.file for each in squares.get(id, []) if each.file), None),
            crawled=next((row for row in rows if row.id == id), None),
        )
        for id, distance in near
    ]


def last_used(store: ArtifactStore) -> Glance | None:
    """The artifact that the last run used, or else the newest."""
    return next(iter(_last_first(store)), None)


def _last_first(store: ArtifactStore) -> list[Glance]:
    name = store.latest_name()
    newest_first = glances(store)[::-1]
    return sorted(newest_first, key=lambda each: each.folder.name != name)


def _crawled(row: dict, download: Glance) -> Crawled:
    texts = {name: str(row.get(name) or "") for name in CRAWL_TEXTS}
    id = row.get("id")
    return Crawled(
        url=str(row.get("url", "")),
        rank=whole(row.get("rank")),
        id=id if isinstance(id, str) else None,
        download=str(download.folder),
        **texts,
    )


def _label_history(paths: TracedDataset, needle: str) -> list[LabelChange]:
    if not paths.labels.exists():
        return []
    found, wanted = [], needle.encode()
    with paths.labels.open("rb") as file:
        for place, line in enumerate(file, start=1):
            if wanted in line:
                row = parse_label(line, paths.labels, place)
                found.append(LabelChange(label=row.label, time=row.time, how=row.how, validation=row.set == VALIDATION))
    return found


def _verdicts(paths: TracedDataset, filtered: Glance, id: str) -> list[Verdict]:
    return [
        Verdict(
            filter=str(filtered.folder),
            score=number(row.get("score")),
            threshold=number(filtered.manifest.summary.get("threshold")),
            outcome=str(row.get("outcome", "")),
            label=row.get("label"),
            current=filtered.folder.name == paths.filter.latest_name(),
        )
        for row in filtered.rows(SCORES, f'"id": "{id}"')
    ]


def _learned_by(paths: TracedDataset, filters: list[Glance], verdicts: dict[str, Verdict]) -> list[TrainingName]:
    """The trainings whose kept squares include the picture, by the verdict of a filter with the same kept squares."""
    keeping = {
        each.manifest.outputs.get("kept")
        for each in filters
        if each.folder.name in verdicts and verdicts[each.folder.name].outcome == "kept"
    }
    gans = [each for each in glances(paths.gan) if each.manifest.inputs.get("filter.kept") in keeping]
    return [training_name(paths, each.manifest.key, each) for each in gans]


def _nearest_to(generate: Glance, id: str) -> list[NearestTo]:
    extractor = str(generate.manifest.summary.get("extractor", ""))
    return [
        NearestTo(
            generate=str(generate.folder),
            sample=row["sample"],
            place=place,
            distance=near["distance"],
            extractor=extractor,
        )
        for row in generate.rows(NEIGHBOURS, f'"{id}"')
        for place, near in enumerate(row["nearest"], start=1)
        if near["id"] == id
    ]


def _or_notice(reads: Callable[[], list[Read]], notices: list[str]) -> list[Read]:
    """What `reads` returns; if files are damaged nothing, and a notice that says so."""
    try:
        return reads()
    except (DamagedState, OSError, KeyError, TypeError, ValueError) as error:
        text = str(error) if isinstance(error, DamagedState) else f"a file has other fields ({type(error).__name__})"
        if text not in notices:
            notices.append(text)
        return []


def ids_starting(paths: TracedDataset, prefix: str) -> set[str]:
    """The ids of pictures of a dataset that begin with `prefix`."""
    start, wanted = len(b'"id": "'), b'"id": "' + prefix.encode()
    found: set[str] = set()
    for store in (paths.download, paths.normalize):
        for each in glances(store):
            content = each.content(IMAGES)
            at = content.find(wanted)
            while at >= 0:
                found.add(content[at + start : at + start + ID_LENGTH].decode("ascii", "replace"))
                at = content.find(wanted, at + 1)
    return {id for id in found if is_digest(id)}
