"""The layouts of an export of pictures: files with metadata.jsonl, Hugging Face's ImageFolder, or shards.

ImageFolder is the same files with other metadata: `datasets` wants the name of the file as `file_name`. There are no
folders of classes, because it does not look at folders where there is a metadata.jsonl; `class` is a column there.
A shard holds some pictures with their metadata as one file, for WebDataset (tar) or TensorFlow (TFRecord).
"""

import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from pipeline.report.export_files import ExportFile
from pipeline.store import digest
from pipeline.store.shards import Sample, write_shard
from pipeline.store.tfrecord import Value, encode_example, write_records

IMAGE_FOLDER, WEB_DATASET, TFRECORD = "imagefolder", "webdataset", "tfrecord"
LAYOUTS = (IMAGE_FOLDER, WEB_DATASET, TFRECORD)  # beside the one without a name
SHARD_SUFFIXES = {WEB_DATASET: ".tar", TFRECORD: ".tfrecord"}  # of shards
SHARD_NAME = re.compile(r"\d{5,9}\.(?:tar|tfrecord)")
SHARD_PICTURES = 1000  # of one shard
VERSION = 1  # increased when the same pictures would give another shard
PNG_SIZE = struct.Struct(">8s8xII")  # signature, width, height
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A file of an export that holds several pictures with their metadata.

    All pictures of an export have the same fields: `unknown` are their values where one is not known.
    """

    name: str
    layout: str
    pictures: Sequence[ExportFile]
    unknown: Mapping[str, Any]

    @property
    def source(self) -> str:
        """The digest of all that its content is made from."""
        pictures = [[picture.name, picture.sha256, picture.metadata] for picture in self._described()]
        return digest.of_value([VERSION, self.layout, pictures])

    def write(self, file: BinaryIO) -> None:
        """Write it. Errors: `DamagedState` if a file of an artifact is missing or changed."""
        if self.layout == WEB_DATASET:
            write_shard(file, map(_sample, self._described()))
        else:
            write_records(file, map(_example, self._described()))

    def _described(self) -> Iterator[ExportFile]:
        """The pictures with all fields."""
        for picture in self.pictures:
            known = {name: value for name, value in picture.metadata.items() if value is not None}
            yield replace(picture, metadata={**self.unknown, **known})


def shards_of(files: Sequence[ExportFile], layout: str) -> list[Shard]:
    """The shards of `layout` that hold `files`, in their order: 00000.tar, …"""
    suffix, unknown = SHARD_SUFFIXES[layout], _unknown(files)
    parts = [files[start : start + SHARD_PICTURES] for start in range(0, len(files), SHARD_PICTURES)]
    return [
        Shard(name=f"{number:05d}{suffix}", layout=layout, pictures=part, unknown=unknown)
        for number, part in enumerate(parts)
    ]


def _unknown(files: Iterable[ExportFile]) -> dict[str, Any]:
    """The fields of the metadata of `files`, each with an empty text if it is a text, else None.

    Programs that read shards decide by the first samples what a field is, and fail or drop what comes later.
    """
    found: dict[str, Any] = {}
    for file in files:
        for name, value in file.metadata.items():
            found[name] = "" if isinstance(value, str) else found.get(name)
    return found


def as_image_folder(files: Sequence[ExportFile]) -> list[ExportFile]:
    """The files of an export as Hugging Face's ImageFolder wants them."""
    return [replace(file, name_field="file_name") for file in files]


def _key(picture: ExportFile) -> str:
    """The key of a sample: the number and the digits at the end of the name, which has dots between them."""
    words = picture.name.removesuffix(".png").split("-")
    return f"{words[0]}-{words[-1]}".replace(".", "_")


def _sample(picture: ExportFile) -> Sample:
    files = {"png": picture.content(), "json": _json(picture.metadata)}
    if "title" in picture.metadata:
        files["txt"] = str(picture.metadata["title"] or "").encode("utf-8", "replace")
    return Sample(_key(picture), files)


def _json(metadata: Mapping[str, Any]) -> bytes:
    return json.dumps(metadata, ensure_ascii=False).encode("utf-8", "replace")


def _example(picture: ExportFile) -> bytes:
    content = picture.content()
    features: dict[str, Value | None] = {"image/encoded": content, "image/format": "png", **_size(content)}
    return encode_example({**features, "key": _key(picture), **picture.metadata})


def _size(content: bytes) -> dict[str, Value | None]:
    """Height and width of a PNG file, as TensorFlow's data sets call them."""
    signature, width, height = PNG_SIZE.unpack_from(content.ljust(PNG_SIZE.size, b"\0"))
    return {"image/height": height, "image/width": width} if signature == SIGNATURE else {}
