"""The source `imagefolder`: the layout of Hugging Face's ImageFolder.

Pictures are in folders named by their class, `[SPLIT/]CLASS/picture.png`, or files `metadata.jsonl` or `metadata.csv`
name them in a column `file_name`, or both. Source: https://huggingface.co/docs/datasets/image_dataset#imagefolder.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from pipeline.crawl.columns import Columns
from pipeline.crawl.folder_digest import list_entries
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import RequestFault
from pipeline.crawl.sources.base import Page
from pipeline.crawl.sources.described import FIELDS, DescribedSource, LocalPicture, is_picture_name
from pipeline.crawl.tables import Faults, Row, read_table
from pipeline.crawl.url import absolute_path

READ = (*FIELDS, "file")  # of metadata
METADATA = {"metadata.jsonl", "metadata.csv", "metadata.parquet"}
# Folders at the top that are a part of the data set, and no class; https://huggingface.co/docs/hub/datasets-file-names
SPLITS = {"train", "training", "test", "testing", "eval", "evaluation", "val", "valid", "validation", "dev"}
MAX_NAME_BYTES = 4096  # of a path in metadata; systems allow no longer ones
MISSING = RequestFault(reason="file: no such file")
OUTSIDE = RequestFault(reason="its file_name leads out of the folder", outcome="rejected")


class ImageFolderSource(DescribedSource):
    """Every picture that metadata name, in their order, then the other pictures below the folder, ordered by path."""

    engine = "imagefolder"

    def start(self) -> str:
        """The path of the folder."""
        return self.options.imagefolder

    def read(self, address: str, http_client: HttpClient) -> Page:
        """List the pictures of the folder at `address`."""
        root, faults = absolute_path(address), Faults()
        names = sorted(name for name, *_ in list_entries(root))
        splits = find_splits(names)
        candidates: list[Candidate] = []
        total = 0
        for name, about, picture in self._pictures(root, names, faults):
            total += 1
            if total <= self.max_candidates:
                about = {**about, "class": about.get("class", "") or class_of(name, splits)}
                candidates.append(self._candidate(root, name, about, picture))
        return Page(candidates=candidates, links=[], omitted=total - len(candidates), cut_reason=faults.words())

    def _pictures(self, root: Path, names: list[str], faults: Faults) -> Iterator[tuple[str, Row, LocalPicture]]:
        """Yield path, metadata and place of each picture; `names` are the files below `root`."""
        files, named = set(names), set()
        for metadata in find_metadata(names):
            for name, about in self._rows(root, metadata, faults):
                if name in files:
                    named.add(name)
                # Only what was listed is opened: no path that leads out, and nothing that is no file
                fault = None if name in files else MISSING if _is_below(name) else OUTSIDE
                yield name, about, LocalPicture(root / name, fault=fault)
        for name in names:
            if is_picture_name(name) and name not in named:
                yield name, {}, LocalPicture(root / name)

    def _rows(self, root: Path, metadata: str, faults: Faults) -> Iterator[tuple[str, Row]]:
        """Yield the path below `root` and the metadata of each picture that the file `metadata` names."""
        folder, own_faults = PurePosixPath(metadata).parent, Faults()
        for place, about in read_table(root / metadata, Columns.parse(self.options.columns), READ, own_faults):
            name = about.get("file", "").strip().encode("utf-8", "replace")
            if not name:
                own_faults.add(place, "names no file")
            elif len(name) > MAX_NAME_BYTES:
                own_faults.add(place, f"has a name of more than {MAX_NAME_BYTES:,} bytes")
            else:
                yield str(folder / name.decode()), about
        faults.include(own_faults, metadata)

    def _candidate(self, root: Path, name: str, about: Row, picture: LocalPicture) -> Candidate:
        return self.make_candidate(
            picture,
            about,
            local_url=f"{root.as_uri()}/{quote(os.fsencode(name))}",
            local_page=root.as_uri(),
            name=os.fsencode(name).decode("utf-8", "replace"),
        )


def find_metadata(names: Iterable[str]) -> list[str]:
    """Those of the paths `names` that are files with metadata."""
    return [name for name in names if PurePosixPath(name).name in METADATA]


def find_splits(names: Iterable[str]) -> set[str]:
    """The folders at the top if each is a split: beside `car` and `bus` the folder `train` is a class."""
    tops = {name.partition("/")[0] for name in names if "/" in name}
    return tops if all(top.lower() in SPLITS for top in tops) else set()


def class_of(name: str, splits: Collection[str]) -> str:
    """The name of the folder of a picture; empty if it is in none, or in one of `splits`."""
    folders = PurePosixPath(name).parts[:-1]
    return "" if not folders or (len(folders) == 1 and folders[0] in splits) else folders[-1]


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts
