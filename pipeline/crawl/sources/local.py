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
from pipeline.crawl.storage import StorageError
from pipeline.crawl.url import absolute_path, files_below, normalize_url, read_url_list

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
    """Every file below a folder, ordered by path; the URL of a picture is its file URI."""

    engine = "folder"
    uses_archive = False

    def start(self) -> str:
        """The path of the folder."""
        return self.options.folder

    def read(self, address: str, http_client: HttpClient) -> Page:
        """List the files below the folder at `address`."""
        root = absolute_path(address)
        files = files_below(root)
        candidates = [self._candidate(path, root) for path in files[: self.max_candidates]]
        return Page(candidates=candidates, links=[], omitted=len(files) - len(candidates))

    def fetch(self, request: Request, http_client: HttpClient) -> Response | RequestFault:
        """Read the file; a file that cannot be read is a fault."""
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

    def _candidate(self, path: Path, root: Path) -> Candidate:
        return Candidate(
            url=path.as_uri(), fetch_url=str(path), page=root.as_uri(), title=path.relative_to(root).as_posix()
        )


def _file_size(path: Path) -> int:
    return path.stat().st_size
