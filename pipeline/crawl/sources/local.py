"""Sources on this machine: what they share, and the folder with pictures."""

from collections.abc import Iterable, Iterator, Mapping, Set
from functools import partial
from pathlib import Path
from typing import BinaryIO

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import TOO_LARGE, Request, RequestFault, Response
from pipeline.crawl.sources.base import Page, Source
from pipeline.crawl.sources.idx import MAX_BYTES, IdxPictures, read_idx, unusable_idx
from pipeline.crawl.storage import StorageError
from pipeline.crawl.url import absolute_path, files_below
from pipeline.options import DownloadOptions
from pipeline.store.shards import CUT_SHORT, DamagedShard, Place

CHUNK_BYTES = 1 << 20  # read at a time
MEMORY = f"only {MAX_BYTES >> 20} MB of pictures in IDX files are read"


class _FileTooLong(Exception):
    """A file is longer than its reported size: some files report none, some grow."""


class LocalSource(Source):
    """Pictures in files of this machine. Their owner may change them, so the URL archive is not used."""

    uses_archive = False

    def receive_file(self, path: Path, request: Request, place: Place | None = None) -> Response | RequestFault:
        """The content of a file as the response to `request`, or what is at `place` in it; what cannot be read is a
        fault.
        """
        try:
            size = place.size if place else _file_size(path)
            if size > self.options.max_bytes:
                return RequestFault(reason=TOO_LARGE, outcome="rejected", bytes=size)
            with path.open("rb") as file:
                chunks = self._chunks(file) if place is None else _chunks_at(file, place)
                return Response(url=path.as_uri(), data=request.policy.receive(chunks))
        except _FileTooLong:
            return RequestFault(reason=TOO_LARGE, outcome="rejected", bytes=self.options.max_bytes + 1)
        except DamagedShard as error:
            return RequestFault(reason=f"file: {error}")
        except StorageError:
            raise
        except OSError as error:
            return RequestFault(reason=f"file: {(error.strerror or 'not readable').lower()}", passing=True)

    def _chunks(self, file: BinaryIO) -> Iterator[bytes]:
        count = 0
        for chunk in iter(partial(file.read, CHUNK_BYTES), b""):
            count += len(chunk)
            if count > self.options.max_bytes:
                raise _FileTooLong
            yield chunk


class FolderSource(LocalSource):
    """Every file below a folder, ordered by path; the URL of a picture is its file URI.

    Each picture of an IDX file is a candidate of its own, with the URL <URI of the file>#<number>.
    """

    engine = "folder"

    def __init__(self, options: DownloadOptions) -> None:
        super().__init__(options)
        self._idx_files: dict[str, IdxPictures] = {}  # by the URI of the file
        self._memory_is_full = False
        self._labels_of_others: set[Path] = set()  # label files that do not fit the pictures beside them

    def start(self) -> str:
        """The path of the folder."""
        return self.options.folder

    def read(self, address: str, http_client: HttpClient) -> Page:
        """List the files below the folder at `address`."""
        root = absolute_path(address)
        idx_files = self._read_idx_files(files_below(root))
        self._idx_files = {path.as_uri(): pictures for path, pictures in idx_files.items()}
        label_files = {found.label_file for found in idx_files.values() if found.classes is not None}
        self._labels_of_others = {found.label_file for found in idx_files.values() if found.label_file} - label_files
        return Page(
            candidates=self._candidates(root, idx_files, label_files),
            links=[],
            omitted=sum(self._total(pictures) - _listed(pictures) for pictures in idx_files.values()),
            cut_reason=MEMORY * self._memory_is_full,
        )

    def fetch(self, request: Request, http_client: HttpClient) -> Response | RequestFault:
        """Read the file, or make a PNG file of a picture in an IDX file; what cannot be read is a fault."""
        uri, _, number = request.start_url.rpartition("#")
        if pictures := self._idx_files.get(uri):
            if int(number) >= len(pictures.pixels):
                return RequestFault(reason="file: it ends before this picture, its header promises more")
            from pipeline.images.png import encode_png  # here, as it loads OpenCV

            png = encode_png(pictures.pixels[int(number)])
            return Response(url=request.start_url, data=request.policy.receive([png]))
        path = Path(request.start_url)
        if path in self._labels_of_others:
            return RequestFault(reason="IDX file: labels of another number of pictures", outcome="rejected")
        if unusable := unusable_idx(path):
            return RequestFault(reason=unusable, outcome="rejected")
        return self.receive_file(path, request)

    def _candidates(
        self, root: Path, idx_files: Mapping[Path, IdxPictures], label_files: Set[Path | None]
    ) -> Iterator[Candidate]:
        for path in files_below(root):
            if path in idx_files:
                yield from self._candidates_of(idx_files[path], path, root)
            elif path not in label_files:
                yield self._candidate(path, root)

    def _read_idx_files(self, files: Iterable[Path]) -> dict[Path, IdxPictures]:
        """The pictures of all IDX files: no more than are asked for, and no more than fit into memory together."""
        found: dict[Path, IdxPictures] = {}
        room, bytes_left = self.max_candidates, MAX_BYTES
        for path in files:
            if pictures := read_idx(path, room, max_bytes=bytes_left):
                found[path] = pictures
                self._memory_is_full |= pictures.count < min(room, pictures.total)
                room, bytes_left = room - _listed(pictures), bytes_left - pictures.pixels.nbytes
        return found

    def _total(self, pictures: IdxPictures) -> int:
        """How many rows an IDX file would get without `download.limit`, as far as it is known."""
        cut_short = len(pictures.pixels) < pictures.count
        return _listed(pictures) if cut_short or self._memory_is_full else pictures.total

    def _candidates_of(self, pictures: IdxPictures, path: Path, root: Path) -> Iterator[Candidate]:
        for number in range(_listed(pictures)):
            url = f"{path.as_uri()}#{number}"
            yield Candidate(
                url=url,
                fetch_url=url,
                page=root.as_uri(),
                title=f"{path.relative_to(root).as_posix()}#{number}",
                category=str(pictures.classes[number]) if pictures.classes else "",
            )

    def _candidate(self, path: Path, root: Path) -> Candidate:
        return Candidate(
            url=path.as_uri(), fetch_url=str(path), page=root.as_uri(), title=path.relative_to(root).as_posix()
        )


def _chunks_at(file: BinaryIO, place: Place) -> Iterator[bytes]:
    file.seek(place.offset)
    left = place.size
    while left and (chunk := file.read(min(left, CHUNK_BYTES))):
        left -= len(chunk)
        yield chunk
    if left:
        raise DamagedShard(CUT_SHORT)


def _listed(pictures: IdxPictures) -> int:
    """How many rows an IDX file gets: one for each picture and, if it is cut short, one for the first missing one."""
    return min(pictures.count, len(pictures.pixels) + 1)


def _file_size(path: Path) -> int:
    return path.stat().st_size
