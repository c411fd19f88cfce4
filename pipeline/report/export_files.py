"""The files of an export: the kept squares, all squares or the samples, each with a name and a row of metadata.

A name has a number, the host or source, the original name and the start of the id:
`0001-example.org-red-cat-1a2b3c4d5e6f.png`. Whatever a URL contains, a name has only ASCII letters, digits, dots, `-`
and `_`, begins with a digit and has under 200 characters, so no system reserves or refuses it.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.filter.scores import BORDERLINE, KEPT, Score, read_scores
from pipeline.labels.log import LABEL_NAMES
from pipeline.store import verified
from pipeline.store.artifacts import Artifact

SHORT = 12  # hex digits of an id or digest in a name
MAX_SOURCE, MAX_NAME = 40, 60  # characters of the parts of a name that come from outside
DIGITS = 4  # of the number, at least, so that names sort by it
PLAIN = re.compile(r"[0-9][A-Za-z0-9._-]{0,200}\.png")  # every name has this form
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}(?=$|#)")  # `.jpg`; before # is the number of a picture in an IDX file
# What images.jsonl of the stage download says of a picture, for the rows of squares
ORIGIN = ("url", "page", "title", "query", "engine", "rank", "time", "license", "creator", "class")
VERDICT_NAMES = {BORDERLINE: "borderline"}  # as people are shown them


@dataclass(frozen=True, kw_only=True)
class ExportFile:
    """One file of an export: a copy of `path` in the artifact `folder`, with the SHA-256 `sha256`.

    `metadata` is its row, without the name of the file, which comes first in it under `name_field`.
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
    origins: dict[str, dict[str, Any]] = {}
    for row in verified.read_rows(download, "images.jsonl") if download else []:
        if row["outcome"] == "saved":
            origins.setdefault(row["id"], row)
    scores = {score.id: score for score in read_scores(kept)} if kept else {}
    squares = [row for row in verified.read_rows(normalize, "images.jsonl") if row["outcome"] == "kept"]
    if only_kept:
        squares = [row for row in squares if row["id"] in scores and scores[row["id"]].outcome == KEPT]
    order = {id: place for place, id in enumerate(origins)}
    squares.sort(key=lambda row: (order.get(row["id"], len(order)), row["id"]))
    digits = max(DIGITS, len(str(len(squares))))
    return [
        ExportFile(
            name=_name(f"{number:0{digits}d}", *_origin_words(origins.get(row["id"])), row["id"][:SHORT]),
            folder=normalize,
            path=row["file"],
            sha256=row["sha256"],
            metadata=_square_metadata(row, origins.get(row["id"], {}), scores.get(row["id"]), labels.get(row["id"])),
        )
        for number, row in enumerate(squares, start=1)
    ]


def _square_metadata(
    square: Mapping[str, Any], origin: Mapping[str, Any], score: Score | None, label: str | None
) -> dict[str, Any]:
    label = score.label if score else label
    return {
        "id": square["id"],
        **{name: origin.get(name) for name in ORIGIN if name != "class" or name in origin},
        "width": square["width"],
        "height": square["height"],
        "label": LABEL_NAMES.get(label, label) if label else None,
        "score": score.score if score else None,
        "verdict": VERDICT_NAMES.get(score.outcome, score.outcome) if score else None,
    }


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
    seed, truncation = manifest.options.get("seed"), manifest.options.get("truncation")
    words = [_safe(str(definition or "generator"), MAX_SOURCE), *([f"epoch-{epoch}"] if epoch is not None else [])]
    return [
        ExportFile(
            name=_name(Path(path).stem, *words, f"seed-{seed}", generator[:SHORT]),
            folder=generate.folder,
            path=path,
            sha256=sha256,
            metadata={"seed": seed, "number": int(Path(path).stem), "truncation": truncation, **facts},
        )
        for path, (_, sha256) in sorted(manifest.files.items())
        if re.fullmatch(r"images/\d+\.png", path)
    ]


def _origin_words(origin: Mapping[str, Any] | None) -> Sequence[str]:
    """Host or source, and original name, of a row of the stage download."""
    if origin is None:
        return ["picture"]
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
