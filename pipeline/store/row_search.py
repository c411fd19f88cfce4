"""Find single rows and files of an artifact without parsing all of it: an artifact may have 100,000 files.

The manifest's own digest is not verified, as that needs all of it. A file of rows is verified against the SHA-256 in
the manifest, so that a changed file is not used silently.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.errors import DamagedState
from pipeline.store import digest, manifest
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.jsonl import parse_row
from pipeline.store.manifest import Manifest

# As `manifest.write` indents it; no text of a JSON file has a line break
FILES, AFTER_FILES = b'\n "files": {\n', b'\n },\n "run": '
TOP_FILE = re.compile(rb'\n  "([^"/\\\n]+)": \[\s*\d+,\s*"([0-9a-f]{64})"')  # in no folder of the artifact


@dataclass(frozen=True)
class Glance:
    """An artifact of which little of the manifest was parsed: `manifest.files` has only files that are in no folder."""

    folder: Path
    manifest: Manifest

    def find_file(self, sha256: str) -> str | None:
        """The path, in the artifact, of the file with this SHA-256. Raises `DamagedState` as `rows`."""
        if found := re.search(rb'\n  ("[^\n]*"): \[\s*\d+,\s*"' + sha256.encode() + b'"', _read(self.folder)):
            return str(json.loads(found[1]))
        rows = self.rows(manifest.ROWS, sha256) if self.manifest.folders else []
        return next((row["file"] for row in rows if row.get("sha256") == sha256 and row.get("file")), None)

    def rows(self, name: str, *needles: str) -> list[dict]:
        """The rows of the JSONL file `name` that contain one of the texts `needles`; none if there is no such file.

        Raises:
            DamagedState: The file or a row was changed.
        """
        content = self.content(name)
        lines = [line for each in needles for line in _lines_with(content, each.encode("utf-8", "replace"))]
        return [parse_row(line, f"{self.folder / name}") for line in lines]

    def content(self, name: str) -> bytes:
        """The content of the file `name`; empty if there is no such file. Raises `DamagedState` if it was changed."""
        path = self.folder / name
        try:
            content, found = path.read_bytes(), path.stat()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise DamagedState(f"{path} cannot be read ({error.strerror})") from None
        _, expected = self.manifest.files.get(name, (0, ""))
        seen = (path, found.st_mtime_ns, found.st_size, expected)
        if seen not in _VERIFIED:
            if digest.of_bytes(content) != expected:
                raise DamagedState(f"{path} is not what was written")
            if len(_VERIFIED) >= MAX_VERIFIED:
                _VERIFIED.clear()
            _VERIFIED.add(seen)
        return content


MAX_VERIFIED = 1000
_VERIFIED: set[tuple[Path, int, int, str]] = set()  # files that this process need not verify again


def glances(store: ArtifactStore) -> list[Glance]:
    """Every artifact of `store` with a readable manifest, the oldest first."""
    found = [each for folder in store.folders() if (each := glance(folder))]
    return sorted(found, key=lambda each: each.manifest.created)


def glance(folder: Path) -> Glance | None:
    """The artifact `folder`; None if its manifest cannot be read."""
    path = folder / manifest.NAME
    try:
        found = path.stat()
        return Glance(folder, _read_head(path, found.st_mtime_ns, found.st_size))
    except (OSError, ValueError, TypeError, AttributeError):
        return None


@lru_cache(maxsize=1024)  # one of 100,000 files has 15 MB
def _read_head(path: Path, changed: int, size: int) -> Manifest:
    text, files = path.read_bytes(), {}
    start = text.find(FILES)
    if start >= 0:
        end = text.rindex(AFTER_FILES, start)
        files = {name.decode(): [0, sha256.decode()] for name, sha256 in TOP_FILE.findall(text, start, end)}
        text = text[:start] + b'\n "files": {' + text[end:]
    body = json.loads(text)
    body.pop("self", None)
    return Manifest(**{**body, "files": files})


def _read(folder: Path) -> bytes:
    try:
        return (folder / manifest.NAME).read_bytes()
    except OSError:
        return b""


def _lines_with(content: bytes, needle: bytes) -> Iterable[bytes]:
    """The lines of `content` that contain `needle`, each once."""
    at = content.find(needle) if needle else -1
    while at >= 0:
        start, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at) + 1 or len(content)
        yield content[start:end]
        at = content.find(needle, end)
