"""The files of an export: the kept squares, all squares or the samples, each with a name and a row of metadata.

A name has a number, the host or source, the original name and the start of the id:
`0001-example.org-red-cat-1a2b3c4d5e6f.png`. Whatever a URL contains, a name has only ASCII letters, digits, dots, `-`
and `_`, begins with a digit and has under 200 characters, so no system reserves or refuses it.
"""

import itertools
import re
import unicodedata
from collections.abc import Collection, ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pipeline.filter.scores import BORDERLINE, KEPT, Score, iterate_scores
from pipeline.labels.log import LABEL_NAMES
from pipeline.report.trace_picture import NEIGHBOURS
from pipeline.store import verified
from pipeline.store.artifacts import Artifact

SHORT = 12  # hex digits of an id or digest in a name
MAX_SOURCE, MAX_NAME = 40, 60  # characters of the parts of a name that come from outside
DIGITS = 4  # of the number, at least, so that names sort by it
PLAIN = re.compile(r"[0-9][A-Za-z0-9._-]{0,200}\.png")  # every name has this form
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}(?=$|#)")  # `.jpg`; before # is the number of a picture in an IDX file
# What images.jsonl of the stage download says of a picture, for the rows of squares
ORIGIN = ("url", "page", "title", "query", "engine", "rank", "time", "license", "creator", "class")
REPEATED = {"query", "engine", "license", "creator", "class"}  # of ORIGIN, the texts that many pictures share
VERDICT_NAMES = {BORDERLINE: "borderline"}  # as people are shown them


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportFile:
    """One file of an export: a copy of `path` in the artifact `folder`, with the SHA-256 `sha256`.

    `metadata` is its row, without the name of the file, which comes first in it under `name_field`. There may be a
    million files, so that of a square is made when somebody reads it.
    """

    name: str
    folder: Path
    path: str
    sha256: str
    metadata: Mapping[str, Any]
    name_field: str = "file"

    def content(self) -> bytes:
        """Its content. Errors: `DamagedState` if the file of the artifact is missing or changed."""
        return verified.read_bytes(self.folder, self.path, sha256=self.sha256)

    def row(self) -> dict[str, Any]:
        """The line of metadata.jsonl."""
        return {self.name_field: self.name, **self.metadata}


def export_squares(
    normalize: Path, *, download: Path | None, kept: Path | None, labels: Mapping[str, str], only_kept: bool
) -> list[ExportFile]:
    """The squares of the artifact `normalize`, in the order in which their pictures were found.

    Args:
        normalize: The artifact with the squares.
        download: The artifact that knows where the pictures come from, or None.
        kept: The artifact of the stage filter, which has labels, scores and verdicts; None if there is none yet.
        labels: The labels by id, for squares that have no verdict.
        only_kept: Only the squares that the filter kept.

    Raises:
        DamagedState: A file of an artifact is missing or changed.
    """
    scores = {score.id: score for score in iterate_scores(kept)} if kept else {}
    squares = {
        row["id"]: _Square(row["id"], row["file"], row["sha256"], row["width"], row["height"])
        for row in verified.iterate_rows(normalize, "images.jsonl")
        if row["outcome"] == "kept" and (not only_kept or (row["id"] in scores and scores[row["id"]].outcome == KEPT))
    }
    origins = _origins(download, squares) if download else {}
    ordered = [squares[id] for id in [*origins, *sorted(squares.keys() - origins.keys())]]
    digits = max(DIGITS, len(str(len(squares))))
    return [
        ExportFile(
            name=_name(f"{number:0{digits}d}", *_origin_words(origins.get(square.id)), square.id[:SHORT]),
            folder=normalize,
            path=square.file,
            sha256=square.sha256,
            metadata=_SquareMetadata(
                square, origins.get(square.id, NOWHERE), scores.get(square.id), labels.get(square.id)
            ),
        )
        for number, square in enumerate(ordered, start=1)
    ]


class _Square(NamedTuple):
    """What images.jsonl of the stage normalize says of a kept square; width and height of the picture, in pixels."""

    id: str
    file: str
    sha256: str
    width: int
    height: int


class _Origin(NamedTuple):
    """What images.jsonl of the stage download says of a picture, for the rows of squares: the values of ORIGIN; and
    whether there is a class.
    """

    values: tuple[Any, ...]
    has_class: bool

    def fields(self) -> dict[str, Any]:
        found = dict(zip(ORIGIN, self.values, strict=True))
        if not self.has_class:
            del found["class"]
        return found


NOWHERE = _Origin((None,) * len(ORIGIN), has_class=False)


def _origins(download: Path, ids: Collection[str]) -> dict[str, _Origin]:
    """Where the pictures `ids` come from, in the order in which they were found."""
    origins: dict[str, _Origin] = {}
    texts: dict[str, str] = {}  # one copy of what many rows have

    def value(row: Mapping[str, Any], name: str) -> Any:
        found = row.get(name)
        return texts.setdefault(found, found) if name in REPEATED and isinstance(found, str) else found

    for row in verified.iterate_rows(download, "images.jsonl"):
        if row["outcome"] == "saved" and row["id"] in ids and row["id"] not in origins:
            origins[row["id"]] = _Origin(tuple(value(row, name) for name in ORIGIN), "class" in row)
    return origins


@dataclass(frozen=True, slots=True)
class _SquareMetadata(Mapping[str, Any]):
    """The metadata of a square, made anew for each reader."""

    square: _Square
    origin: _Origin
    score: Score | None
    label: str | None

    def _made(self) -> dict[str, Any]:
        label = self.score.label if self.score else self.label
        return {
            "id": self.square.id,
            **self.origin.fields(),
            "width": self.square.width,
            "height": self.square.height,
            "label": LABEL_NAMES.get(label, label) if label else None,
            "score": self.score.score if self.score else None,
            "verdict": VERDICT_NAMES.get(self.score.outcome, self.score.outcome) if self.score else None,
        }

    def __getitem__(self, name: str) -> Any:
        return self._made()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made())

    def __len__(self) -> int:
        return len(self._made())

    def items(self) -> ItemsView[str, Any]:
        return self._made().items()


def export_samples(generate: Artifact, gan: Artifact | None) -> list[ExportFile]:
    """The samples of the artifact `generate` in their order; `gan` has the generator, if it still exists."""
    manifest = generate.manifest
    generator = manifest.inputs.get("gan.generator", "")
    definition = gan.manifest.options.get("definition") if gan else None
    epoch = gan.manifest.summary.get("epoch_kept") if gan else None
    facts = {
        "definition": definition,
        "epoch": epoch,
        "generator": generator or None,
        "time": manifest.created,
    }
    seed, truncation, classes = manifest.options.get("seed"), manifest.options.get("truncation"), _classes(generate)
    words = [_safe(str(definition or "generator"), MAX_SOURCE), *([f"epoch-{epoch}"] if epoch is not None else [])]
    return [
        ExportFile(
            name=_name(Path(path).stem, *words, f"seed-{seed}", generator[:SHORT]),
            folder=generate.folder,
            path=path,
            sha256=sha256,
            metadata={"seed": seed, "number": int(Path(path).stem), "truncation": truncation, **facts}
            | ({"class": classes[int(Path(path).stem)]} if classes else {}),
        )
        for path, (_, sha256) in sorted(manifest.files.items())
        if re.fullmatch(r"images/\d+\.png", path)
    ]


def _classes(generate: Artifact) -> list[str]:
    """The class of each sample; none if they are not of a conditional GAN."""
    if NEIGHBOURS not in generate.manifest.files:
        return []
    rows = verified.iterate_rows(generate.folder, NEIGHBOURS)
    return [str(row["class"]) for row in itertools.takewhile(lambda row: "class" in row, rows)]


def _origin_words(found: _Origin | None) -> Sequence[str]:
    """Host or source, and original name, of a picture."""
    if found is None:
        return ["picture"]
    origin = found.fields()
    url = str(origin["url"])
    host, name = _host_and_name(url)
    if url.startswith("file:"):  # its path below the folder says more than its name
        name = str(origin.get("title") or name)
    return [
        _safe(host or str(origin.get("engine") or ""), MAX_SOURCE) or "web",
        _safe(SUFFIX.sub("", name), MAX_NAME) or "picture",
    ]


def _host_and_name(url: str) -> tuple[str, str]:
    """The host of a URL, empty for a file or other text; and the last part of its path, or else its query."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "", url
    name = unquote(parts.path).rstrip("/").rpartition("/")[2] or unquote(parts.query)
    return host if parts.scheme in ("http", "https") else "", name


def _safe(text: str, most: int) -> str:
    """The end of `text`, at most `most` characters, in ASCII letters, digits, single dots, - and _."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    joined = re.sub(r"\.*-[.-]*|\.{2,}", "-", re.sub(r"[^A-Za-z0-9._]+", "-", ascii_text))
    return joined.strip("-._")[-most:].lstrip("-._")


def _name(number: str, *words: str) -> str:
    return "-".join([number, *filter(None, words)]) + ".png"
