"""The files of a trained generator laid out as a repository of the Hugging Face Hub. Nothing is ever uploaded.

For Keras these are generator.keras and discriminator.keras, and the generator unpacked into config.json, metadata.json
and model.weights.h5: that is what `keras.saving.load_model("hf://...")` reads. As ONNX it is generator.onnx. The sheet
of training pictures is left out: their owners may not want them published.

No TensorFlow here: the studio sends the same files as model.zip.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DamagedState
from pipeline.gan.card_text import CARD, README, Card, Layout, front_matter, render_card, sheet_of
from pipeline.gan.class_names import CLASSES
from pipeline.store import verified
from pipeline.store.digest import of_bytes

# Binary files, which the Hub wants in Git LFS; the list that it writes itself lacks .keras
LARGE = ("*.h5", "*.keras", "*.onnx", "*.png")
ATTRIBUTES, SAMPLES, DEFINITION = ".gitattributes", "samples.png", "definition.json"
NETWORKS = ("generator.keras", "discriminator.keras")
UNPACKED = ("config.json", "metadata.json", "model.weights.h5")  # as Keras names them, in generator.keras too
ONNX = "generator.onnx"
NAMES = (ATTRIBUTES, README, CARD, DEFINITION, CLASSES, SAMPLES, *NETWORKS, *UNPACKED, ONNX)  # that one may have


@dataclass(frozen=True, kw_only=True)
class RepositoryFile:
    """One file: its `data`, or the file `path` of the training, or the file `member` of the zip that this is."""

    name: str
    folder: Path
    path: str = ""
    member: str = ""
    data: bytes | None = None

    @property
    def sha256(self) -> str:
        """The SHA-256 of its content."""
        return of_bytes(self.content())

    def row(self) -> None:
        """A model has no metadata.jsonl: the card says what there is to say."""

    def content(self) -> bytes:
        """Its content. Errors: `DamagedState` if a file of the training is missing or changed."""
        if self.data is not None:
            return self.data
        content = verified.read_bytes(self.folder, self.path)
        if not self.member:
            return content
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                return packed.read(self.member)
        except (zipfile.BadZipFile, KeyError):
            raise DamagedState(f"{self.folder / self.path} is not a Keras file") from None


def repository_files(gan: Path, *, layout: Layout, made: Mapping[str, bytes] | None = None) -> list[RepositoryFile]:
    """The files of a repository of the finished training in `gan`; `made` are others by their names, as ONNX.

    What an early version did not leave is missing.
    """
    copied = (CARD, DEFINITION, CLASSES, *(NETWORKS if layout == "keras" else ()))
    written = {ATTRIBUTES: _attributes(), **({README: text} if (text := _readme(gan, layout)) else {}), **(made or {})}
    files = [RepositoryFile(name=name, folder=gan, data=data) for name, data in written.items()]
    files += [RepositoryFile(name=name, folder=gan, path=name) for name in copied if (gan / name).is_file()]
    if sheet := _sheet(gan):
        files.append(RepositoryFile(name=SAMPLES, folder=gan, path=sheet))
    if layout == "keras" and (gan / NETWORKS[0]).is_file():
        files += [RepositoryFile(name=name, folder=gan, path=NETWORKS[0], member=name) for name in UNPACKED]
    return sorted(files, key=lambda file: file.name)


def _attributes() -> bytes:
    """Which files Git LFS holds, as the Hub wants it of large ones."""
    return "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE).encode()


def _card(gan: Path) -> Card | None:
    """The card in card.json; None if there is none, or one of another version."""
    try:
        return Card(**json.loads((gan / CARD).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _sheet(gan: Path) -> str | None:
    """The sample sheet of the generator's epoch."""
    card = _card(gan)
    try:
        sheet = sheet_of(card) if card else None
    except (KeyError, TypeError, ValueError):
        return None
    return sheet.as_posix() if sheet and (gan / sheet).is_file() else None


def _readme(gan: Path, layout: Layout) -> bytes | None:
    """The model card; without a card.json that can be read, the one that is there, with other metadata."""
    from jinja2 import UndefinedError

    if card := _card(gan):
        try:
            return render_card(card, layout=layout, sheet=SAMPLES if _sheet(gan) else None).encode()
        except (UndefinedError, TypeError, KeyError):
            pass  # of an early version
    try:
        text = (gan / README).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    body = text.partition("\n---\n")[2] if text.startswith("---\n") else f"\n{text}"
    return f"{front_matter(layout)}\n{body}".encode()
