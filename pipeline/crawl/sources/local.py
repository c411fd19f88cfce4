"""Local sources: a file of URLs, or a folder of pictures."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import TOO_LARGE, Fault, Request, Response
from pipeline.crawl.sources.base import Page, Source
from pipeline.crawl.storage import Unwritable
from pipeline.crawl.url import absolute_path, addresses_in, files_below, normalize_url

PIECE = 1 << 20  # bytes of a file read at a time
MOST_LINES = 1_000_000  # of a list that are looked at


class _Grown(Exception):
    """A file is longer than the system said: some have no length, some grow."""


class UrlsSource(Source):
    """The addresses that a file lists, in its order."""

    engine = "urls"

    def start(self) -> str:
        """The file."""
        return self.options.urls

    def read(self, address: str, fetcher: HttpClient) -> Page:
        """The addresses in the file at `address`."""
        urls = list(
            dict.fromkeys(normalize_url(line) for line in islice(addresses_in(absolute_path(address)), MOST_LINES))
        )
        candidates = [Candidate(url=url, address=url) for url in urls[: self.most]]
        return Page(candidates=candidates, links=[], more=len(urls) - len(candidates))


class FolderSource(Source):
    """Every file below a folder, in the order of the paths; a file's URI is its URL."""

    engine = "folder"
    remembered = False

    def start(self) -> str:
        """The folder."""
        return self.options.folder

    def read(self, address: str, fetcher: HttpClient) -> Page:
        """The files below the folder at `address`."""
        root = absolute_path(address)
        files = files_below(root)
        candidates = [self._candidate(path, root) for path in files[: self.most]]
        return Page(candidates=candidates, links=[], more=len(files) - len(candidates))

    def step(self, errand: Request, fetcher: HttpClient) -> Response | Fault:
        """The file's bytes; a file that cannot be read is a fault like any other."""
        path = Path(errand.start)
        try:
            size = _size(path)
            if size > self.options.max_bytes:
                return Fault(reason=TOO_LARGE, outcome="rejected", bytes=size)
            with path.open("rb") as file:
                return Response(url=path.as_uri(), data=errand.ask.receive(self._pieces(file)))
        except _Grown:
            return Fault(reason=TOO_LARGE, outcome="rejected", bytes=self.options.max_bytes + 1)
        except Unwritable:
            raise
        except OSError as error:
            return Fault(reason=f"file: {(error.strerror or 'not readable').lower()}", passing=True)

    def _pieces(self, file: BinaryIO) -> Iterator[bytes]:
        count = 0
        for piece in iter(partial(file.read, PIECE), b""):
            count += len(piece)
            if count > self.options.max_bytes:
                raise _Grown
            yield piece

    def _candidate(self, path: Path, root: Path) -> Candidate:
        return Candidate(
            url=path.as_uri(), address=str(path), page=root.as_uri(), title=path.relative_to(root).as_posix()
        )


def _size(path: Path) -> int:
    return path.stat().st_size
