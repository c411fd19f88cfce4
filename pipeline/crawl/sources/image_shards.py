"""Pictures with their metadata in shards as img2dataset writes them: tar files, or folders of files.

A sample has files with one key: a picture, `KEY.json` with metadata, `KEY.txt` with the caption, `KEY.cls` with the
class. Beside the shard `00000.tar` or `00000/` img2dataset leaves `00000.parquet`, which also lists what it could not
fetch, and `00000_stats.json` with counts. Shards of other programs have some of these files.
Source: https://github.com/rom1504/img2dataset.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipeline.crawl.columns import Columns, as_text
from pipeline.crawl.folder_digest import list_entries
from pipeline.crawl.parquet import can_read_parquet
from pipeline.crawl.request import RequestFault
from pipeline.crawl.sources.described import FIELDS, LocalPicture, is_picture_name
from pipeline.crawl.tables import Faults, Row, read_table
from pipeline.store.shards import DamagedShard, index_shard, read_place, split_name
from pipeline.text import to_plain_line

TAR = ".tar"
FAILURE = ("key", "status", "reason")  # what img2dataset says of a picture beside `FIELDS`
SUCCESS = "success"  # its status of a picture that it has saved
TEXTS = ("json", "txt", "cls")
MAX_TEXT_BYTES = 1_000_000  # of such a file


class ShardPicture(NamedTuple):
    """A picture of a shard: its name there, what its metadata say, and where it is."""

    name: str
    about: Row
    picture: LocalPicture


class _Sample(NamedTuple):
    """The files of a sample by extension: where they are, and the content of the short ones in `TEXTS`."""

    key: str
    files: Mapping[str, LocalPicture]
    texts: Mapping[str, bytes]


def find_shards(root: Path) -> list[Path]:
    """The shards at `root`, a shard or a folder: tar files, and folders with pictures; in an order that is the same on
    every system.
    """
    if root.is_file():
        return [root]
    found = set()
    for path in (root / name for name, *_ in list_entries(root)):
        if path.suffix.lower() == TAR and not path.name.startswith("."):
            found.add(path)
        elif is_picture_name(path.name):
            found.add(path.parent)
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def companions(shard: Path) -> tuple[Path, Path]:
    """Where img2dataset lists the URLs of a shard (Parquet), and where it counts them (JSON)."""
    stem = shard.stem if shard.suffix.lower() == TAR else shard.name
    return shard.with_name(f"{stem}.parquet"), shard.with_name(f"{stem}_stats.json")


class ImageShard:
    """The pictures of the shard `path`. `faults` says what the last iteration could not read so far."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self.path = path
        self.columns = columns
        self.faults = Faults()

    def __iter__(self) -> Iterator[ShardPicture]:
        """Yield the pictures in the order of the shard, then those that img2dataset lists and the shard has not.

        Errors: `OSError` if the shard cannot be opened.
        """
        self.faults = Faults(noun="metadata file")
        keys = set()
        try:
            for sample in _tar_samples(self.path) if self.path.is_file() else _folder_samples(self.path):
                keys.add(sample.key)
                yield from self._pictures(sample)
        except DamagedShard as error:
            self.faults.end = str(error)
        yield from self._missing(keys)

    def _pictures(self, sample: _Sample) -> Iterator[ShardPicture]:
        about = self._about(sample)
        extensions = [extension for extension in sample.files if is_picture_name(f".{extension}")]
        for extension in extensions:
            yield ShardPicture(f"{sample.key}.{extension}", about, sample.files[extension])
        if not extensions and (fault := _failure(about)):
            yield ShardPicture(sample.key, about, LocalPicture(self.path, fault=fault))
        elif not extensions and self.path.is_file():
            reason = f"no picture in the sample, only {', '.join(sample.files)}"
            fault = RequestFault(reason=reason, outcome="rejected")
            yield ShardPicture(sample.key, about, LocalPicture(self.path, fault=fault))

    def _about(self, sample: _Sample) -> Row:
        """What the metadata of a sample say, by field."""
        texts = {name: text.decode("utf-8", "replace").strip() for name, text in sample.texts.items()}
        about = self._about_in_json(sample.key, texts["json"]) if "json" in texts else {}
        if "json" in sample.files and "json" not in texts:
            self.faults.add(f"{sample.key}.json", "is longer than 1 MB, or cannot be read")
        for name, field in (("txt", "title"), ("cls", "class")):
            about[field] = about.get(field, "") or texts.get(name, "")
        return about

    def _about_in_json(self, key: str, text: str) -> dict[str, str]:
        row = None
        with suppress(ValueError, RecursionError):
            row = json.loads(text)
        if not isinstance(row, dict):
            self.faults.add(f"{key}.json", "is not a JSON object")
            return {}
        chosen = self.columns.choose(row.keys(), FIELDS + FAILURE)
        return {field: as_text(row[name]) for field, name in chosen.items()}

    def _missing(self, keys: Collection[str]) -> Iterator[ShardPicture]:
        """The pictures that img2dataset lists, beside those with `keys`."""
        listed, _ = companions(self.path)
        if not (listed.is_file() and can_read_parquet()):
            return
        faults = Faults()
        for _, about in read_table(listed, self.columns, FIELDS + FAILURE, faults):
            key = about.get("key", "")
            if key and about.get("status") and key not in keys:
                fault = _failure(about) or RequestFault(reason=f"not in {self.path.name}")
                yield ShardPicture(key, about, LocalPicture(self.path, fault=fault))
        if words := faults.words():
            shown = f"{to_plain_line(listed.name, 100)}: {words}"
            self.faults.end = "; ".join(filter(None, (self.faults.end, shown)))


def count_unread_failures(shards: Collection[Path]) -> tuple[int, int]:
    """How many lists of URLs beside `shards` need pyarrow, which is not installed, and how many failures are in them
    according to the counts beside them.
    """
    if can_read_parquet():
        return 0, 0
    counts = [_count_failures(stats) for listed, stats in map(companions, shards) if listed.is_file()]
    return len(counts), sum(counts)


def _count_failures(stats: Path) -> int:
    with suppress(OSError, ValueError, RecursionError, KeyError, TypeError, OverflowError):  # of 1e999
        if stats.stat().st_size <= MAX_TEXT_BYTES:
            found = json.loads(stats.read_bytes())
            return max(0, int(found["count"]) - int(found["successes"]))
    return 0


def _failure(about: Row) -> RequestFault | None:
    """Why img2dataset did not save a picture; None if it did, or says nothing."""
    status = about.get("status", "")
    return None if status in ("", SUCCESS) else RequestFault(reason=f"img2dataset: {about.get('reason') or status}")


def _tar_samples(path: Path) -> Iterator[_Sample]:
    with path.open("rb") as file:
        for entry in index_shard(file):
            texts = {}
            for name in TEXTS:
                if name in entry.files and entry.files[name].size <= MAX_TEXT_BYTES:
                    with suppress(DamagedShard):  # cut short, as the index will say
                        texts[name] = read_place(file, entry.files[name])
            yield _Sample(entry.key, {name: LocalPicture(path, place) for name, place in entry.files.items()}, texts)


def _folder_samples(folder: Path) -> Iterator[_Sample]:
    samples: dict[str, dict[str, LocalPicture]] = defaultdict(dict)
    for path in sorted(folder.iterdir()):
        key, extension = split_name(path.name)
        if key and path.is_file():
            samples[key][extension] = LocalPicture(path)
    for key, files in samples.items():
        texts = {}
        for name in TEXTS:
            if name in files:
                with suppress(OSError):
                    if files[name].path.stat().st_size <= MAX_TEXT_BYTES:
                        texts[name] = files[name].path.read_bytes()
        yield _Sample(key, files, texts)
