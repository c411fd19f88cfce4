"""Local sources: a file with URLs, and a folder with pictures."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import TOO_LARGE, Request, RequestFault, Response
from pipeline.crawl.sources.base import Page, Source
from pipeline.crawl.sources.idx import IdxPictures, read_idx
from pipeline.crawl.storage import StorageError
from pipeline.crawl.url import absolute_path, files_below, normalize_url, read_url_list
from pipeline.images.png import encode_png
from pipeline.options import DownloadOptions

CHUNK_BYTES = 1 << 20  # read at a time
MAX_LINES = 1_000_000  # of a list that are read


class _FileTooLong(Exception):
    """A file is longer than its reported size: some files report none, some grow."""


class UrlsSource(Source):
    """The URLs in a file, in its order."""

    engine = "urls"

    def start(self) -> str:
        """The path of the file."""
        return self.options.urls

    def read(self, address: str, http_client: HttpClient) -> Page:
        """Read the URLs in the file at `address`."""
        urls = list(
            dict.fromkeys(normalize_url(line) for line in islice(read_url_list(absolute_path(address)), MAX_LINES))
        )
        candidates = [Candidate(url=url, fetch_url=url) for url in urls[: self.max_candidates]]
        return Page(candidates=candidates, links=[], omitted=len(urls) - len(candidates))


class FolderSource(Source):
    """Every file below a folder, ordered by path; the URL of a picture is its file URI.

    Each picture of an IDX file is a candidate of its own, with the URL <URI of the file>#<number>.
    """

    engine = "folder"
    uses_archive = False

    def __init__(self, options: DownloadOptions) -> None:
        super().__init__(options)
        self._in_idx_files: dict[str, tuple[IdxPictures, int]] = {}  # file and number of a picture, by its URL

    def start(self) -> str:
        """The path of the folder."""
        return self.options.folder

    def read(self, address: str, http_client: HttpClient) -> Page:
        """List the files below the folder at `address`."""
        root = absolute_path(address)
        files = files_below(root)
        idx_files = {path: found for path in files if (found := read_idx(path, self.max_candidates))}
        label_files = {pictures.label_file for pictures in idx_files.values()}
        candidates: list[Candidate] = []
        total = 0
        for path in files:
            room = self.max_candidates - len(candidates)
            if path in idx_files:
                candidates += self._candidates_of(idx_files[path], path, root)[:room]
                total += idx_files[path].total
            elif path not in label_files:
                candidates += [self._candidate(path, root)][:room]
                total += 1
        return Page(candidates=candidates, links=[], omitted=total - len(candidates))

    def fetch(self, request: Request, http_client: HttpClient) -> Response | RequestFault:
        """Read the file, or make a PNG file of a picture in an IDX file; what cannot be read is a fault."""
        if request.start_url in self._in_idx_files:
            pictures, number = self._in_idx_files[request.start_url]
            if number >= len(pictures.pixels):
                return RequestFault(reason="file: it ends before this picture")
            png = encode_png(pictures.pixels[number])
            return Response(url=request.start_url, data=request.policy.receive([png]))
        path = Path(request.start_url)
        try:
            size = _file_size(path)
            if size > self.options.max_bytes:
                return RequestFault(reason=TOO_LARGE, outcome="rejected", bytes=size)
            with path.open("rb") as file:
                return Response(url=path.as_uri(), data=request.policy.receive(self._chunks(file)))
        except _FileTooLong:
            return RequestFault(reason=TOO_LARGE, outcome="rejected", bytes=self.options.max_bytes + 1)
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

    def _candidates_of(self, pictures: IdxPictures, path: Path, root: Path) -> list[Candidate]:
        found = []
        for number in range(pictures.count):
            url = f"{path.as_uri()}#{number}"
            self._in_idx_files[url] = pictures, number
            found.append(
                Candidate(
                    url=url,
                    fetch_url=url,
                    page=root.as_uri(),
                    title=f"{path.relative_to(root).as_posix()}#{number}",
                    category=str(pictures.classes[number]) if pictures.classes else "",
                )
            )
        return found

    def _candidate(self, path: Path, root: Path) -> Candidate:
        return Candidate(
            url=path.as_uri(), fetch_url=str(path), page=root.as_uri(), title=path.relative_to(root).as_posix()
        )


def _file_size(path: Path) -> int:
    return path.stat().st_size
